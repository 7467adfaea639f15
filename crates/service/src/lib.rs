//! The issuance and revocation service behind `ddpatrold`: personal access tokens are minted,
//! checked, updated, revoked and audited, and leak reports are taken.
//!
//! HTTP requests in Datadog's shapes come in; rows of an SQLite or PostgreSQL database and answers
//! go out. The service shares with the scanner only what a token is (`ddpatrol-token`).

pub mod api;
pub mod audit;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod id;
pub mod leak;
mod log_limit;
pub mod metrics;
pub mod network;
pub mod permission;
pub mod rate;
pub mod redact;
pub mod reload;
pub mod replaceable;
pub mod scope;
pub mod server;
pub mod service;
pub mod sort;
mod steady;
pub mod store;
pub mod sweep;
pub mod time;
