//! Integration tests: packs are compared with git.

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
