//! SQLite's write-ahead log under constant readers.

use crate::database::Database;
use crate::http::Request;
use crate::server::Server;
use sqlx::{Connection as _, Executor as _, SqliteConnection};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Duration of one reader's transaction.
const READ: Duration = Duration::from_millis(400);
/// Duration of the writes.
const WRITES: Duration = Duration::from_secs(10);
/// Bytes of one write, and the pause after it.
const WRITE: usize = 1_000_000;
const PAUSE: Duration = Duration::from_millis(40);

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn the_write_ahead_log_stays_short_under_constant_readers() {
    let database = Database::sqlite();
    let (server, with) = Server::first(&database, &[]);
    let Database::Sqlite(dir) = &database else { panic!("not SQLite") };
    let log = dir.path().join("it.db-wal");
    let stop = AtomicBool::new(false);
    let (mut longest, mut written) = (0, 0_usize);
    std::thread::scope(|scope| {
        for reader in 0..3 {
            let (url, stop) = (database.url(), &stop);
            scope.spawn(move || {
                runtime().block_on(async {
                    let mut connection = SqliteConnection::connect(&url).await.unwrap();
                    tokio::time::sleep(READ / 3 * reader).await;
                    while !stop.load(Ordering::Relaxed) {
                        // At any time, at least one reader has a transaction.
                        connection.execute("BEGIN").await.unwrap();
                        connection.execute("SELECT COUNT(*) FROM users").await.unwrap();
                        tokio::time::sleep(READ).await;
                        connection.execute("COMMIT").await.unwrap();
                    }
                });
            });
        }
        runtime().block_on(async {
            let mut writer = SqliteConnection::connect(&database.url()).await.unwrap();
            writer.execute("PRAGMA busy_timeout = 30000").await.unwrap();
            let end = Instant::now() + WRITES;
            while Instant::now() < end {
                let insert = "INSERT INTO audit_events (id, at, name, action, actor, auth_method, asset_type, metadata) VALUES (x'00', 1, 'x', 'x', 'x', 'x', 'x', $1)";
                sqlx::query(insert).bind("x".repeat(WRITE)).execute(&mut writer).await.unwrap();
                written += WRITE;
                longest = longest.max(std::fs::metadata(&log).unwrap().len());
                tokio::time::sleep(PAUSE).await;
            }
        });
        assert_eq!(server.check(&with), 200, "the service works meanwhile");
        server.call(&Request::get("/readyz")).expect(200);
        stop.store(true, Ordering::Relaxed);
    });
    assert!(written > 100_000_000, "wrote only {written} bytes");
    assert!(longest < 80 * 1024 * 1024, "the log had {longest} bytes after {written}");
}
