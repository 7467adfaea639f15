//! The options of `ddpatrold serve`: which combinations are allowed, and the settings that follow from them.

use super::database::Database;
use super::values::{at_least_one, pool_size};
use super::web::{Transport, WebArgs};
use crate::clock;
use crate::leak::github_keys::KEYS_URL;
use crate::network::{Network, Networks};
use crate::rate::ClassRate;
use crate::reload::ReloadTls;
use crate::server::{Tls, TlsFiles};
use crate::store::PoolSize;
use crate::store::leaks::OnLeak;
use anyhow::bail;
use clap::builder::BoolishValueParser;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

/// The options of `serve`.
#[derive(Debug, clap::Args)]
pub(super) struct ServeArgs {
    /// Address to listen on; port 0 selects a free port. An address that other machines can reach
    /// requires TLS or --behind-proxy
    #[arg(
        long,
        env = "DDPATROLD_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8200"
    )]
    pub(super) listen: SocketAddr,
    /// Address of a separate plain HTTP listener for /metrics, /readyz and /healthz
    ///
    /// The listener of the API then has only /healthz of these.
    #[arg(long, env = "DDPATROLD_OPERATIONS_LISTEN", value_name = "ADDRESS")]
    pub(super) operations_listen: Option<SocketAddr>,
    /// Log every request; otherwise only failures of the service are logged
    #[arg(long, env = "DDPATROLD_REQUEST_LOG", value_parser = BoolishValueParser::new())]
    pub(super) request_log: bool,
    #[command(flatten)]
    pub(super) database: Database,
    /// Certificate chain, PEM
    #[arg(long, env = "DDPATROLD_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub(super) tls_cert: Option<PathBuf>,
    /// Private key of the certificate, PEM
    #[arg(long, env = "DDPATROLD_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub(super) tls_key: Option<PathBuf>,
    /// Allow plain HTTP from other machines, because a proxy terminates TLS
    #[arg(long, env = "DDPATROLD_BEHIND_PROXY", value_parser = BoolishValueParser::new())]
    pub(super) behind_proxy: bool,
    /// Network of proxies whose X-Forwarded-For is trusted; repeatable
    ///
    /// A network such as 10.0.0.0/8 or a single address. With --behind-proxy alone, only proxies on
    /// this machine are trusted.
    #[arg(long, env = "DDPATROLD_TRUSTED_PROXY", value_name = "CIDR", value_delimiter = ',')]
    pub(super) trusted_proxy: Vec<Network>,
    /// Maximum number of connections to PostgreSQL [default: 18]
    #[arg(long, env = "DDPATROLD_DATABASE_CONNECTIONS", value_name = "COUNT", value_parser = pool_size)]
    pub(super) database_connections: Option<PoolSize>,
    /// Print the token of a new database's administrator on standard output
    ///
    /// Otherwise it is printed on standard error if that is a terminal, or written to a file.
    #[arg(long, env = "DDPATROLD_PRINT_ADMIN_TOKEN", value_parser = BoolishValueParser::new())]
    pub(super) print_admin_token: bool,
    /// New file for the token of a new database's administrator
    ///
    /// [default: on the terminal, or in admin-token beside the SQLite file or in the current folder]
    #[arg(long, env = "DDPATROLD_ADMIN_TOKEN_FILE", value_name = "FILE")]
    pub(super) admin_token_file: Option<PathBuf>,
    /// Maximum number of open connections [default: 512, or as file descriptors allow]
    #[arg(long, env = "DDPATROLD_MAX_CONNECTIONS", value_name = "COUNT", value_parser = at_least_one)]
    pub(super) max_connections: Option<usize>,
    /// Maximum number of open connections per address [default: 256, at most half of all]
    #[arg(long, env = "DDPATROLD_MAX_CONNECTIONS_PER_ADDRESS", value_name = "COUNT", value_parser = at_least_one)]
    pub(super) max_connections_per_address: Option<usize>,
    /// File of allowed scopes, one name per line, instead of the built-in list
    #[arg(long, env = "DDPATROLD_SCOPES", value_name = "FILE")]
    pub(super) scopes: Option<PathBuf>,
    /// Action for a live token that is reported as leaked
    #[arg(long, env = "DDPATROLD_ON_LEAK", value_enum, default_value_t = OnLeak::Revoke)]
    pub(super) on_leak: OnLeak,
    /// Retention of audit events
    #[arg(long, env = "DDPATROLD_AUDIT_RETENTION", value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub(super) audit_retention: u32,
    /// Time that clocks must agree before expiry events are written and old events are deleted
    #[arg(long, env = "DDPATROLD_CLOCK_AGREEMENT", value_name = "SECONDS", default_value_t = clock::monitor::WINDOW.as_secs(), value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(super) clock_agreement: u64,
    /// Rate limit of a class of requests, per token or address; repeatable
    #[arg(
        long,
        env = "DDPATROLD_RATE_LIMIT",
        value_name = "CLASS=COUNT/SECONDS",
        value_delimiter = ','
    )]
    pub(super) rate_limit: Vec<ClassRate>,
    /// Turn all rate limits off
    #[arg(long, env = "DDPATROLD_NO_RATE_LIMIT", value_parser = BoolishValueParser::new())]
    pub(super) no_rate_limit: bool,
    /// Address of GitHub's public keys for secret-scanning alerts
    #[arg(long, env = "DDPATROLD_GITHUB_KEYS_URL", value_name = "URL", default_value = KEYS_URL)]
    pub(super) github_keys_url: String,
    #[command(flatten)]
    pub(super) web: WebArgs,
}

impl ServeArgs {
    /// Returns how browsers reach the service.
    pub(super) const fn transport(&self) -> Transport {
        if self.tls_cert.is_some() {
            Transport::Tls
        } else if self.behind_proxy {
            Transport::Proxy
        } else {
            Transport::Loopback
        }
    }

    /// Refuses options that exclude each other. A flag may be `false` in the environment, which
    /// clap would take for a conflict.
    pub(super) fn check_combinations(&self) -> anyhow::Result<()> {
        for (is_conflict, options) in [
            (self.behind_proxy && self.tls_cert.is_some(), ["--tls-cert", "--behind-proxy"]),
            (
                self.no_rate_limit && !self.rate_limit.is_empty(),
                ["--rate-limit", "--no-rate-limit"],
            ),
            (
                self.print_admin_token && self.admin_token_file.is_some(),
                ["--admin-token-file", "--print-admin-token"],
            ),
        ] {
            if is_conflict {
                bail!("{} cannot be used with {}", options[0], options[1]);
            }
        }
        Ok(())
    }

    /// Reads the certificate, if there is one.
    pub(super) fn read_tls(&self) -> anyhow::Result<Option<ReloadTls>> {
        let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) else {
            return Ok(None);
        };
        let files = TlsFiles { certificate: certificate.clone(), key: key.clone() };
        let tls = Arc::new(Tls::new(files.read()?));
        Ok(Some(ReloadTls { files, tls }))
    }

    /// Returns the networks of trusted proxies: the given ones, or this machine with `--behind-proxy`
    /// alone.
    pub(super) fn trusted_proxies(&self) -> Networks {
        if self.behind_proxy && self.trusted_proxy.is_empty() {
            if !self.listen.ip().is_loopback() {
                tracing::warn!(
                    "X-Forwarded-For is trusted only from this machine: specify the proxy with --trusted-proxy"
                );
            }
            return Networks::new(vec![
                Network::new(Ipv4Addr::LOCALHOST.into(), 8),
                Network::new(Ipv6Addr::LOCALHOST.into(), 128),
            ]);
        }
        Networks::new(self.trusted_proxy.clone())
    }
}
