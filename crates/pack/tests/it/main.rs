//! Integration tests: git says what is in a pack.

mod bases;
mod corrupt;
mod craft;
mod effect;
mod git;
mod large;
mod random;
mod whole;
