//! Opens a database: the input is a URL, the output a migrated [`Store`], which the service's clock
//! follows. Starts no task.

use super::error::without_password;
use super::pools::{Missing, PoolSize, open_postgres, open_sqlite};
use super::{Store, StoreError, schema};

impl Store {
    /// Opens the database at `url` (`sqlite:FILE` or `postgres://…`) and migrates its tables.
    ///
    /// # Errors
    /// [`StoreError`] if the URL is not supported, or the database cannot be opened or migrated.
    pub async fn open(url: &str, missing: Missing) -> Result<Self, StoreError> {
        Self::open_with(url, missing, PoolSize::default()).await
    }

    /// Opens and migrates a database like [`Store::open`], with a number of connections to
    /// PostgreSQL.
    ///
    /// # Errors
    /// [`StoreError`] if the URL is not supported, or the database cannot be opened or migrated.
    pub async fn open_with(
        url: &str,
        missing: Missing,
        size: PoolSize,
    ) -> Result<Self, StoreError> {
        let store = match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => Self::Sqlite(open_sqlite(url, missing).await?),
            Some("postgres" | "postgresql") => Self::Postgres(open_postgres(url, size).await?),
            _ => return Err(StoreError::Url(without_password(url))),
        };
        match &store {
            Self::Sqlite(pools) => {
                schema::migrate_sqlite(&mut *pools.writer.acquire().await?).await?;
            }
            Self::Postgres(pools) => {
                let mut connection = pools.writer.acquire().await?;
                schema::migrate_postgres(&mut connection).await?;
                // A migration changes the settings of its session.
                connection.close().await?;
            }
        }
        if let Err(error) = store.store_reference().await {
            // A full disk must not prevent the service from serving requests.
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "cannot store the reference time of the clock"
            );
        }
        store.set_clock().await?;
        Ok(store)
    }
}
