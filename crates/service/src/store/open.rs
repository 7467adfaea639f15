//! Opens a database: a URL comes in, a migrated [`Store`] goes out, whose clock the service follows.
//! It starts no task.

use super::error::without_password;
use super::pools::{Missing, open_postgres, open_sqlite};
use super::{Store, StoreError};

impl Store {
    /// Opens the database at `url` (`sqlite:FILE` or `postgres://…`) and brings its tables up to date.
    ///
    /// # Errors
    /// [`StoreError`] where the URL names no database, it cannot be opened, or not migrated.
    pub async fn open(url: &str, missing: Missing) -> Result<Self, StoreError> {
        let store = match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => Self::Sqlite(open_sqlite(url, missing).await?),
            Some("postgres" | "postgresql") => Self::Postgres(open_postgres(url).await?),
            _ => return Err(StoreError::Url(without_password(url))),
        };
        match &store {
            Self::Sqlite(pools) => sqlx::migrate!("migrations/sqlite").run(&pools.writer).await?,
            Self::Postgres(pools) => {
                // Building an index may take longer than a statement of the service may.
                let mut connection = pools.writer.acquire().await?;
                sqlx::query("SET statement_timeout = 0").execute(&mut *connection).await?;
                sqlx::migrate!("migrations/postgres").run(&mut *connection).await?;
                connection.close().await?;
            }
        }
        if let Err(error) = store.keep_reference().await {
            // A full disk does not keep the service from answering.
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "cannot store the newest event's time to compare the clock with"
            );
        }
        store.set_clock().await?;
        Ok(store)
    }
}
