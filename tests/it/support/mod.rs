//! Helpers of the tests: tokens, encoders, repositories, and runs of the program.

pub(crate) mod encode;
pub(crate) mod oracle;
pub(crate) mod repo;
pub(crate) mod sarif;
pub(crate) mod tree;

pub(crate) use ddpatrol_test_mint as mint;
