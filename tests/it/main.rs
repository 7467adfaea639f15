//! Integration tests; the modules mirror `src`.

mod changes;
mod cli;
mod detect;
mod history;
mod mint;
mod oracle;
mod repo;
mod report;
mod respond;
mod source;
mod state;
mod told;
mod tree;
