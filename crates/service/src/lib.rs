//! The issuance and revocation service behind `ddpatrold`: it mints, checks, updates, revokes and
//! audits access tokens of people and service accounts, and accepts leak reports.
//!
//! The input is HTTP requests in Datadog's format; the output is rows of an SQLite or PostgreSQL
//! database, and responses. The service shares only the token format with the scanner
//! (`ddpatrol-token`).

pub mod api;
pub mod audit;
pub mod auth;
pub mod background;
pub mod caller;
pub mod cli;
pub mod clock;
pub mod expiry;
pub mod id;
pub mod leak;
mod lock;
mod log_limit;
pub mod metrics;
pub mod network;
pub mod openid;
pub mod permission;
pub mod rate;
pub mod redact;
pub mod refusal;
pub mod reload;
pub mod replaceable;
pub mod request_log;
mod request_span;
pub mod scope;
mod searches;
pub mod server;
pub mod service;
pub mod service_accounts;
pub mod sessions;
pub mod sort;
mod steady;
pub mod store;
pub mod time;
pub mod token_kind;
pub mod tokens;
pub mod users;
pub mod web;
pub mod web_secret;
