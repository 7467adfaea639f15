//! Integration tests; the modules mirror the sources.

mod archive;
mod changes;
mod clean;
mod cli;
mod detect;
mod history;
mod mask;
mod output;
mod policy;
mod rendering;
mod report;
mod respond;
mod source;
mod support;
