//! Slow searches: they are limited in number and time, are interrupted when their client
//! disconnects, and do not delay authentication.

use crate::database::Database;
use crate::http::Request;
use crate::people::person;
use crate::server::{EVENTS, Server, TOKENS, check};
use crate::until;
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::scope;
use std::time::{Duration, Instant};

/// Replaces the table of events with a view that takes 20 ms per row.
const SLOW: &str = "ALTER TABLE audit_events RENAME TO fast_events; CREATE VIEW audit_events AS SELECT * FROM fast_events WHERE pg_sleep(0.02) IS NOT NULL";

/// Counts the running statements on the events of the service, except for those of the view.
const RUNNING: &str = "SELECT CAST(COUNT(*) AS TEXT) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%audit_events AS e%'";

fn search(admin: &str) -> Request {
    Request::get(EVENTS).query(&[("page[limit]", "1000")]).bearer(admin)
}

/// Prepares a database on which a search exceeds its time limit.
fn slow(database: &Database) -> (Server, String) {
    let (server, admin) = Server::first(database, &[]);
    let mut connection = server.connect();
    for _ in 0..400 {
        connection.send(&check(&admin)).unwrap().expect(200);
    }
    until("the uses are written", || (server.events(&admin, "*").len() > 400).then_some(()));
    for statement in SLOW.split("; ") {
        database.texts(statement);
    }
    (server, admin)
}

#[test]
fn the_error_of_a_slow_search_explains_how_to_narrow_it_and_many_do_not_delay_authentication() {
    let database = Database::postgres();
    let (server, admin) = slow(&database);
    let (long, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let slowest = scope(|scope| {
        let searches: Vec<_> = (0..40)
            .map(|_| {
                scope.spawn(|| {
                    let answer = server.call(&search(&admin));
                    let text = answer.text();
                    match answer.status {
                        400 if text.contains("filter[from]") => long.fetch_add(1, SeqCst),
                        429 if text.contains("too many concurrent searches") => {
                            refused.fetch_add(1, SeqCst)
                        }
                        status => panic!("{status}: {text}"),
                    };
                })
            })
            .collect();
        let mut slowest = Duration::ZERO;
        let mut connection = server.connect();
        while searches.iter().any(|search| !search.is_finished()) {
            let began = Instant::now();
            connection.send(&check(&admin)).unwrap().expect(200);
            slowest = slowest.max(began.elapsed());
            std::thread::sleep(Duration::from_millis(20));
        }
        slowest
    });
    let (long, refused) = (long.into_inner(), refused.into_inner());
    assert!(long >= 1 && refused >= 24, "{long} took too long, {refused} were rejected");
    assert!(slowest < Duration::from_secs(5), "a check waited for searches: {slowest:?}");
    let metrics = server.call(&Request::get("/metrics")).text();
    for (kind, count) in [("refused", refused), ("timed_out", long)] {
        let line = format!("ddpatrold_searches_total{{kind=\"{kind}\"}} {count}");
        assert!(metrics.lines().any(|known| known == line), "{line}\n{metrics}");
    }
}

#[test]
fn a_thiefs_searches_do_not_block_other_searches_or_the_owners_token_list() {
    const ADA: &str = "ada@example.com";
    let database = Database::postgres();
    let (server, admin) = slow(&database);
    let permissions = ["user_app_keys", "audit_logs_read"];
    let ada = person(ADA).with(&permissions).add(&database);
    let issue = |scope: &str| ada.token(&[scope]).key;
    let (stolen, kept) = (issue("audit_logs_read"), issue("user_app_keys"));
    let (long, end) = (AtomicUsize::new(0), AtomicBool::new(false));
    scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                let mut connection = server.connect();
                while !end.load(SeqCst) {
                    if connection.send(&search(&stolen)).unwrap().status == 400 {
                        long.fetch_add(1, SeqCst);
                    }
                    std::thread::sleep(Duration::from_millis(50));
                }
            });
        }
        until("the thief's searches run", || (long.load(SeqCst) > 0).then_some(()));
        let empty = [("filter[from]", "2100-01-01T00:00:00Z")];
        let others = Request::get(EVENTS).query(&empty).bearer(&admin);
        let own = Request::get(TOKENS).bearer(&kept);
        let statuses: Vec<_> =
            (0..10).map(|_| [&others, &own].map(|request| server.call(request).status)).collect();
        end.store(true, SeqCst);
        assert_eq!(statuses, [[200, 200]; 10]);
    });
}

#[test]
fn a_search_is_cancelled_in_postgres_when_its_client_disconnects() {
    let database = Database::postgres();
    let (server, admin) = slow(&database);
    let running = || database.texts(RUNNING)[0] != "0";
    let mut stream = TcpStream::connect(server.address).unwrap();
    let head = format!(
        "GET {EVENTS}?page[limit]=1000 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {admin}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    until("the search runs", || running().then_some(()));
    let left = Instant::now();
    drop(stream);
    until("the search ends", || (!running()).then_some(()));
    let took = left.elapsed();
    assert!(took < Duration::from_secs(3), "ended by the time limit: {took:?}");
    assert_eq!(server.check(&admin), 200);
}

#[test]
fn every_check_is_answered_while_searches_scan_all_events_on_sqlite() {
    let database = Database::sqlite();
    let (server, admin) = Server::first(&database, &[]);
    database.texts("INSERT INTO audit_events (id, at, name, action, actor, auth_method, asset_type) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300000) SELECT x'00', i, 'access_token.used', 'accessed', 'USER', 'bearer', 'personal_access_tokens' FROM n");
    // No event matches, and no index shows that.
    let nothing = [("filter[query]", "@auth_method:application_key")];
    let request = Request::get(EVENTS).query(&nothing).bearer(&admin);
    let (found, refused, end) =
        (AtomicUsize::new(0), AtomicUsize::new(0), Instant::now() + Duration::from_secs(3));
    scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| {
                let mut connection = server.connect();
                while Instant::now() < end {
                    match connection.send(&request).unwrap().status {
                        200 => found.fetch_add(1, SeqCst),
                        429 => {
                            std::thread::sleep(Duration::from_millis(50));
                            refused.fetch_add(1, SeqCst)
                        }
                        status => panic!("{status}"),
                    };
                }
            });
        }
        let mut connection = server.connect();
        while Instant::now() < end {
            connection.send(&check(&admin)).unwrap().expect(200);
        }
    });
    let (found, refused) = (found.into_inner(), refused.into_inner());
    assert!(found > 0 && refused > 0, "{found} found, {refused} rejected");
}
