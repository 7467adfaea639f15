//! Integration tests; the modules mirror `src`.

mod detect;
mod mint;
mod oracle;
