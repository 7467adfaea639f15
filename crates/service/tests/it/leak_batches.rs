//! Large leak reports: exact outcomes for each entry, with few round trips to the database.

use crate::database::Database;
use crate::http::Request;
use crate::server::{Server, ddpatrold};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::{scope, spawn};

/// A proxy in front of PostgreSQL that counts round trips: requests after a response.
struct Proxy {
    address: SocketAddr,
    round_trips: Arc<AtomicUsize>,
}

impl Proxy {
    fn before(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let round_trips = Arc::<AtomicUsize>::default();
        let counter = Arc::clone(&round_trips);
        spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let upstream = TcpStream::connect(&server).unwrap();
                let counter = Arc::clone(&counter);
                spawn(move || relay(&client, &upstream, &counter));
            }
        });
        Self { address, round_trips }
    }
}

fn relay(client: &TcpStream, server: &TcpStream, round_trips: &AtomicUsize) {
    let answered = AtomicBool::new(true);
    let copy = |mut from: &TcpStream, mut to: &TcpStream, passed: &dyn Fn()| {
        let mut buffer = vec![0; 65_536];
        while let Ok(size @ 1..) = from.read(&mut buffer) {
            passed();
            if to.write_all(&buffer[..size]).is_err() {
                break;
            }
        }
        // The other side may already be closed.
        let _ = to.shutdown(Shutdown::Write);
    };
    scope(|scope| {
        scope.spawn(|| copy(server, client, &|| answered.store(true, SeqCst)));
        copy(client, server, &|| {
            if answered.swap(false, SeqCst) {
                round_trips.fetch_add(1, SeqCst);
            }
        });
    });
}

/// Returns 10,000 entries: 500 live tokens, each twice, among forged ones.
fn entries(server: &Server, admin: &str) -> Vec<Value> {
    let mut entries: Vec<Value> = (0..9_000)
        .map(|_| {
            let minted = ddpatrol_token::datadog::mint_personal_access_token().unwrap();
            json!({"token": String::from_utf8_lossy(minted.token.expose())})
        })
        .collect();
    for number in 0..500 {
        let token = server.mint(admin, "leaky", &["user_app_keys"]);
        for place in ["first", "second"] {
            let at = (number * 17 + place.len()) % entries.len();
            entries.insert(
                at,
                json!({"token": token.key, "url": format!("https://example.com/{place}")}),
            );
        }
    }
    entries
}

/// Counts the statuses of a report. The first of two entries of a token must have the status
/// `first`.
fn counts(entries: &[Value], statuses: &[String], first: &str) -> BTreeMap<String, usize> {
    let mut seen = std::collections::HashSet::new();
    let mut counts = BTreeMap::new();
    for (entry, status) in entries.iter().zip(statuses) {
        if status != "unknown" && seen.insert(entry["token"].as_str().unwrap()) {
            assert_eq!(status, first);
        }
        *counts.entry(status.clone()).or_insert(0) += 1;
    }
    counts
}

fn large_reports_are_exact(database: &Database, server: &Server, count: &dyn Fn() -> usize) {
    let admin = server.first_token();
    let entries = entries(server, &admin);
    let expect = |statuses: &[(&str, usize)]| -> BTreeMap<String, usize> {
        statuses.iter().map(|&(status, count)| (status.to_owned(), count)).collect()
    };
    let before = count();
    let statuses = server.report(&json!(entries));
    let round_trips = count() - before;
    assert!(round_trips < 700, "{round_trips} round trips");
    assert_eq!(
        counts(&entries, &statuses, "revoked"),
        expect(&[("already_revoked", 500), ("revoked", 500), ("unknown", 9_000)])
    );
    let statuses = server.report(&json!(entries));
    assert_eq!(
        counts(&entries, &statuses, "already_revoked"),
        expect(&[("already_revoked", 1_000), ("unknown", 9_000)])
    );
    for (name, number) in [("leak_reported", "500"), ("revoked", "500")] {
        let sql = format!(
            "SELECT CAST(COUNT(DISTINCT asset_id) AS TEXT) || '/' || CAST(COUNT(*) AS TEXT) FROM audit_events WHERE name = 'access_token.{name}'"
        );
        assert_eq!(database.texts(&sql), [format!("{number}/{number}")]);
    }
    let marks = "SELECT CAST(COUNT(DISTINCT leak_id) AS TEXT) FROM tokens WHERE leak_url LIKE '%/first' OR leak_url LIKE '%/second'";
    assert_eq!(database.texts(marks), ["500"]);
    server.call(&Request::get("/readyz")).expect(200);
}

#[test]
fn a_report_of_10_000_entries_needs_few_round_trips_and_is_exact_on_postgres() {
    let database = Database::postgres();
    let proxy = Proxy::before(database.server_address());
    let url = database.url_through(proxy.address);
    let server = Server::spawn(ddpatrold(), &url, &["--no-rate-limit"]);
    large_reports_are_exact(&database, &server, &|| proxy.round_trips.load(SeqCst));
}

#[test]
fn a_report_of_10_000_entries_is_exact_on_sqlite() {
    let database = Database::sqlite();
    let server = Server::start(&database, &[]);
    large_reports_are_exact(&database, &server, &|| 0);
}
