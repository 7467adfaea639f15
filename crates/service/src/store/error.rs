//! Errors of the database. An error shows the URL of a database without its password.

use std::path::PathBuf;
use std::time::Duration;

/// An error of the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL has an unsupported scheme.
    #[error(
        "unsupported database `{0}`: expected sqlite:FILE or postgres://USER@HOST/NAME (use DATABASE_URL for a password)"
    )]
    Url(String),
    /// The database cannot be opened.
    #[error("cannot open the database {url}")]
    Open {
        /// The URL of the database, without its password.
        url: String,
        /// The cause.
        source: sqlx::Error,
    },
    /// The SQLite file does not exist.
    #[error("database file {} does not exist; `ddpatrold serve` creates it", .0.display())]
    NoFile(PathBuf),
    /// The URL of a PostgreSQL database is invalid.
    #[error(
        "invalid database URL {url}: {cause}; in a user name and a password, write characters such as `/`, `#` and `@` percent-encoded, as %2F, %23 and %40"
    )]
    PostgresUrl {
        /// The URL of the database, without its password.
        url: String,
        /// The problem.
        cause: String,
    },
    /// The tables cannot be migrated.
    #[error("cannot migrate the database")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A connection to the database cannot be encrypted or verified.
    #[error(
        "cannot open the database {url}: {cause}; connections to other machines use TLS with a verified certificate: set sslrootcert=FILE in the URL to trust another authority, sslmode=require to skip the verification, or sslmode=disable to turn TLS off"
    )]
    Tls {
        /// The URL of the database, without its password.
        url: String,
        /// The cause.
        cause: sqlx::Error,
    },
    /// A connection pooler is between the service and the database.
    #[error(
        "cannot use the database {url} through a connection pooler such as PgBouncer, which does not keep the settings of a session: connect to PostgreSQL directly"
    )]
    Pooler {
        /// The URL of the database, without its password.
        url: String,
    },
    /// The tables have a version of a newer program.
    #[error(
        "the database has version {version} of the tables, but this program supports versions up to {needed}: use a newer ddpatrold"
    )]
    Newer {
        /// The version of the tables.
        version: i64,
        /// The version of this program.
        needed: i64,
    },
    /// The tables are outdated, and the role may not change them.
    #[error(
        "the database has version {version} of the tables, this program needs version {needed}, and the role may not change tables ({cause}): run `ddpatrold admin migrate` as their owner"
    )]
    MayNotMigrate {
        /// The version of the tables; 0 if there are none.
        version: i64,
        /// The version of this program.
        needed: i64,
        /// PostgreSQL's message.
        cause: String,
    },
    /// A statement failed.
    #[error("database error")]
    Statement(#[from] sqlx::Error),
    /// The system's random source failed.
    #[error(transparent)]
    Random(#[from] ddpatrol_token::mint::RandomError),
    /// A search exceeded this time limit.
    #[error(
        "the search took longer than {} s; narrow the time range with filter[from] and filter[to] or add a filter",
        .0.as_secs()
    )]
    SearchTime(Duration),
    /// A row has invalid content.
    #[error("the database contains an invalid row in `{0}`")]
    Row(&'static str),
}

/// Returns the URL of a database without its password and its options, which may contain one.
/// Returns only the scheme if the position of the password is ambiguous.
pub(crate) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return match url.split_once(':') {
            Some((scheme, _)) if scheme != "sqlite" => format!("{scheme}:…"),
            _ => url.to_owned(),
        };
    };
    let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
    match place.rsplit_once('@') {
        _ if options.contains('@') => format!("{scheme}://…"),
        None => format!("{scheme}://{place}"),
        Some((user, host)) => {
            let name = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{name}@{host}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_databases_password_is_never_shown() {
        for (url, shown) in [
            ("postgres://me:secret@db:5432/x", "postgres://me@db:5432/x"),
            ("postgres://me:s@cret@db/x?password=other", "postgres://me@db/x"),
            ("postgres://db/x", "postgres://db/x"),
            ("postgres://db/x?user=me&password=secret", "postgres://db/x"),
            ("postgres://me@db/x?password=s@cret", "postgres://…"),
            ("postgres://me:s?cret@db/x", "postgres://…"),
            ("postgres:me:secret@db/x", "postgres:…"),
            ("sqlite:file.db", "sqlite:file.db"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
