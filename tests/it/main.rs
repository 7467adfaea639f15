//! Integration tests; the modules mirror `src`.

mod absent;
mod archive;
mod changes;
mod cli;
mod decide;
mod detect;
mod encode;
mod encoded;
mod history;
mod hostile;
mod ignored;
mod many;
mod mint;
mod nested;
mod oracle;
mod output;
mod paths;
mod repo;
mod report;
mod respond;
mod saved;
mod source;
mod state;
mod told;
mod tree;
