//! Connections to PostgreSQL: TLS by default, and the session settings that the service needs.
//! Opens single connections; the pools belong to [`super::pools`].

use super::error::{StoreError, without_password};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions as _, Row as _};
use std::net::IpAddr;
use std::str::FromStr as _;

/// PostgreSQL's time limit of a statement.
const STATEMENT_TIME: &str = "10s";
/// PostgreSQL's code for a startup parameter that a connection pooler does not know.
const PROTOCOL_VIOLATION: &str = "08P01";

/// The parameters of a URL.
const PARAMETERS: [&str; 18] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

/// Returns the options for connections to the database at `url`. Without a mode in the URL or in
/// `PGSSLMODE`, a host beyond this machine must have a certificate that is valid for its name.
///
/// # Errors
/// [`StoreError::Open`] if the URL is invalid.
pub(super) fn options(url: &str) -> Result<PgConnectOptions, StoreError> {
    let failed = |source| StoreError::Open { url: without_password(url), source };
    let invalid = |cause| StoreError::PostgresUrl { url: without_password(url), cause };
    if let Some(unknown) = parameters(url).into_iter().find(|it| !is_known(it)) {
        // The library would log its value, which may be a secret.
        return Err(invalid(format!("unsupported parameter `{unknown}`")));
    }
    let parsed = PgConnectOptions::from_str(url);
    let mut options = parsed
        .map_err(|source| match source {
            sqlx::Error::Configuration(cause) => invalid(cause.to_string()),
            source => failed(source),
        })?
        .application_name("ddpatrold")
        .options([("synchronous_commit", "on"), ("statement_timeout", STATEMENT_TIME)]);
    let is_local = options.get_socket().is_some() || is_loopback(options.get_host());
    if !is_local && !names_tls_mode(url) {
        options = options.ssl_mode(PgSslMode::VerifyFull);
    }
    let mode = options.get_ssl_mode();
    if !is_local && matches!(mode, PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer) {
        tracing::warn!(?mode, "the connection to the database may be unencrypted: see sslmode");
    }
    Ok(options)
}

/// Returns `true` for a host on this machine: a loopback address, or the folder of a socket.
fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.starts_with('/')
        || host.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

/// Returns `true` if the operator chose a mode, as for other clients of PostgreSQL.
fn names_tls_mode(url: &str) -> bool {
    std::env::var_os("PGSSLMODE").is_some()
        || parameters(url).iter().any(|name| name == "sslmode" || name == "ssl-mode")
}

/// Returns the names of the parameters of a URL.
fn parameters(url: &str) -> Vec<String> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
    pairs.into_iter().map(|(name, _)| name).collect()
}

/// Returns `true` for a parameter that sqlx supports (`PgConnectOptions::from_str`).
fn is_known(name: &str) -> bool {
    name.starts_with("options[") || PARAMETERS.contains(&name)
}

/// Opens a connection and checks that it keeps its session settings. A pool would retry and then
/// report only a timeout; a single connection reports the cause.
///
/// # Errors
/// [`StoreError`] if the connection cannot be opened, or a connection pooler is in between.
pub(super) async fn connect(
    url: &str,
    options: &PgConnectOptions,
) -> Result<PgConnection, StoreError> {
    let url = without_password(url);
    let mut connection = match options.connect().await {
        Ok(connection) => connection,
        Err(error) if is_pooler(&error) => return Err(StoreError::Pooler { url }),
        Err(source) if is_tls(&source) => return Err(StoreError::Tls { url, cause: source }),
        Err(source) => return Err(StoreError::Open { url, source }),
    };
    // A pooler that ignores the settings of a session shares its connections between sessions.
    let row = sqlx::raw_sql("SHOW statement_timeout");
    let kept: String = sqlx::Executor::fetch_one(&mut connection, row).await?.try_get(0)?;
    if kept != STATEMENT_TIME {
        return Err(StoreError::Pooler { url });
    }
    Ok(connection)
}

fn is_pooler(error: &sqlx::Error) -> bool {
    let Some(error) = error.as_database_error() else { return false };
    error.code().is_some_and(|code| code == PROTOCOL_VIOLATION)
        && error.message().contains("startup parameter")
}

fn is_tls(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Tls(_) => true,
        sqlx::Error::Io(error) => error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_verified_unless_the_host_is_this_machine_or_the_url_has_a_mode() {
        for (url, verified) in [
            ("postgres://me@db.example/x", true),
            ("postgres://me@10.0.0.1/x", true),
            ("postgres://me@[fd00::1]/x", true),
            ("postgres://me@localhost.example/x", true),
            ("postgres://me@db/x?sslrootcert=ca.pem", true),
            ("postgres://me@localhost/x?host=db.example", true),
            ("postgres://me@db/x?sslmode=prefer", false),
            ("postgres://me@db/x?application_name=1&sslmode=disable", false),
            ("postgres://me@db/x?ssl-mode=require", false),
            ("postgres://me@localhost/x", false),
            ("postgres://me@127.0.0.2:5433/x", false),
            ("postgres://me@[::1]/x", false),
            ("postgres://me@%2Fvar%2Frun%2Fpostgresql/x", false),
            ("postgres:///x?host=/var/run/postgresql", false),
        ] {
            let options = options(url).expect("a valid URL");
            let mode = options.get_ssl_mode();
            assert_eq!(matches!(mode, PgSslMode::VerifyFull), verified, "{url}: {mode:?}");
        }
    }

    #[test]
    fn an_invalid_url_is_explained_without_its_secrets() {
        for (url, problem) in [
            ("postgres://me@db/x?sslpassword=s3cret", "unsupported parameter `sslpassword`"),
            ("postgres://me:s3cr/et@db/x", "percent-encoded"),
            ("postgres://me:s3c#ret@db/x", "percent-encoded"),
        ] {
            let message = options(url).expect_err(url).to_string();
            assert!(message.contains(problem), "{message}");
            assert!(!message.contains("s3c"), "{message}");
        }
    }
}
