//! Integration tests: git says what is in a pack.

mod bases;
mod corrupt;
mod craft;
mod effect;
mod git;
mod large;
mod pool;
mod random;
mod whole;
mod workers;
