//! Integration tests; the modules mirror `src`.

mod cli;
mod detect;
mod mint;
mod oracle;
mod report;
mod source;
mod tree;
