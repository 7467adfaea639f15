//! Integration tests; the modules mirror `src`.

mod archive;
mod changes;
mod cli;
mod decide;
mod detect;
mod encode;
mod encoded;
mod history;
mod many;
mod mint;
mod oracle;
mod repo;
mod report;
mod respond;
mod saved;
mod source;
mod state;
mod told;
mod tree;
