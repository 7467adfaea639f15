//! Integration tests; the modules mirror the sources.

mod archive;
mod changes;
mod clean;
mod cli;
mod detect;
mod history;
mod mask;
#[cfg(target_os = "linux")]
mod new_rule;
mod output;
mod policy;
#[cfg(unix)]
mod private_keys;
mod rendering;
mod report;
mod respond;
mod source;
mod support;
