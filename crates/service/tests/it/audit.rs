//! The audit trail under load: it contains every answered use, whatever the database does, and is
//! paged by a cursor.

use crate::database::Database;
use crate::http::Request;
use crate::server::{CHECK, EVENTS, Server, check, event_name};
use crate::until;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::scope;
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 6;

/// Checks a token until the server has ended. Returns the times of the responses.
fn load(server: &Server, token: &str, answered: &AtomicUsize) -> Vec<Instant> {
    let mut connection = server.connect();
    let mut times = Vec::new();
    while let Ok(answer) = connection.send(&check(token)) {
        assert_eq!(answer.status, 200, "{}", answer.text());
        times.push(Instant::now());
        answered.fetch_add(1, SeqCst);
    }
    times
}

/// Loads a server and ends it by a signal. Returns the times of the responses and of the signal.
fn loaded(server: Server, token: &str, signal: Signal) -> (Vec<Instant>, Instant) {
    let answered = AtomicUsize::new(0);
    let ended = scope(|scope| {
        let loads: Vec<_> =
            (0..CONNECTIONS).map(|_| scope.spawn(|| load(&server, token, &answered))).collect();
        let began = Instant::now();
        until("a load for more than two seconds", || {
            (answered.load(SeqCst) > 500 && began.elapsed() > Duration::from_secs(2)).then_some(())
        });
        server.signal(signal);
        let signalled = Instant::now();
        let times = loads.into_iter().flat_map(|load| load.join().unwrap()).collect();
        (times, signalled)
    });
    if signal == Signal::SIGTERM {
        server.stop();
    } else {
        server.kill();
    }
    ended
}

/// Returns the number of checks in the audit trail.
fn audited(database: &Database) -> usize {
    let sql = format!(
        "SELECT CAST(COUNT(*) AS TEXT) FROM audit_events WHERE name = 'access_token.used' AND path = '{CHECK}' AND status = 200"
    );
    database.texts(&sql)[0].parse().unwrap()
}

fn a_stop_loses_nothing(database: &Database) {
    let (server, admin) = Server::first(database, &[]);
    let (answers, _) = loaded(server, &admin, Signal::SIGTERM);
    assert_eq!(audited(database), answers.len());
}

fn a_kill_loses_a_second(database: &Database) {
    let (server, admin) = Server::first(database, &[]);
    let (answers, killed) = loaded(server, &admin, Signal::SIGKILL);
    let safe = answers.iter().filter(|&&at| killed - at > Duration::from_secs(1)).count();
    let audited = audited(database);
    assert!(
        safe > 0 && audited >= safe,
        "{audited} of {safe} uses at least a second before the kill"
    );
    assert!(audited <= answers.len() + CONNECTIONS, "{audited} of {}", answers.len());
}

#[test]
fn every_answered_use_is_audited_after_a_stop_under_load_on_sqlite() {
    a_stop_loses_nothing(&Database::sqlite());
}

#[test]
fn every_answered_use_is_audited_after_a_stop_under_load_on_postgres() {
    a_stop_loses_nothing(&Database::postgres());
}

#[test]
fn a_kill_loses_at_most_the_uses_of_the_last_second_on_sqlite() {
    a_kill_loses_a_second(&Database::sqlite());
}

#[test]
fn a_kill_loses_at_most_the_uses_of_the_last_second_on_postgres() {
    a_kill_loses_a_second(&Database::postgres());
}

#[test]
fn requests_wait_while_the_database_is_locked_and_none_fails_or_is_lost() {
    let database = Database::sqlite();
    let (server, admin) = Server::first(&database, &[]);
    let unlocked = AtomicBool::new(false);
    let checks = || {
        let mut connection = server.connect();
        let (mut count, mut slowest) = (0_usize, Duration::ZERO);
        while !unlocked.load(SeqCst) {
            let asked = Instant::now();
            connection.send(&check(&admin)).unwrap().expect(200);
            slowest = slowest.max(asked.elapsed());
            count += 1;
        }
        (count, slowest)
    };
    let (count, slowest) = scope(|scope| {
        let loads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(checks)).collect();
        database.locked(|| {
            let creation =
                scope.spawn(|| server.mint(&admin, "created meanwhile", &["user_app_keys"]));
            std::thread::sleep(Duration::from_secs(3));
            assert!(!creation.is_finished(), "the creation waits for the lock");
        });
        unlocked.store(true, SeqCst);
        loads
            .into_iter()
            .map(|load| load.join().unwrap())
            .fold((0, Duration::ZERO), |(count, slowest), load| {
                (count + load.0, slowest.max(load.1))
            })
    });
    assert!(slowest > Duration::from_secs(1), "requests waited for the queue: {slowest:?}");
    server.stop();
    assert_eq!(audited(&database), count);
}

/// Reads all pages of the audit trail. Returns the number of occurrences of each event.
fn pages(server: &Server, admin: &str, sort: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let mut cursor: Option<String> = None;
    let mut connection = server.connect();
    loop {
        let mut query = vec![("page[limit]", "17"), ("sort", sort)];
        query.extend(cursor.as_deref().map(|cursor| ("page[cursor]", cursor)));
        let request = Request::get(EVENTS).query(&query).bearer(admin);
        let page = connection.send(&request).unwrap().expect(200).json();
        for event in page["data"].as_array().unwrap() {
            *counts.entry(event["id"].as_str().unwrap().to_owned()).or_insert(0) += 1;
        }
        match &page["meta"]["page"]["after"] {
            Value::String(after) => cursor = Some(after.clone()),
            Value::Null => return counts,
            other => panic!("{other}"),
        }
        // The reader's own uses are events, too: without a limit, this would follow them forever.
        if counts.len() > 20_000 {
            return counts;
        }
    }
}

fn pages_are_whole(database: &Database) {
    let (server, admin) = Server::first(database, &[]);
    for _ in 0..300 {
        server.check(&admin);
    }
    let before: Vec<String> = until("the first uses are written", || {
        let events = server.events(&admin, "*");
        let used = events.iter().filter(|event| event_name(event) == "access_token.used").count();
        let ids = events.iter().map(|event| event["id"].as_str().unwrap().to_owned());
        (used >= 300).then(|| ids.collect())
    });
    let done = AtomicBool::new(false);
    scope(|scope| {
        scope.spawn(|| {
            let mut connection = server.connect();
            while !done.load(SeqCst) {
                connection.send(&check(&admin)).unwrap().expect(200);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        for sort in ["timestamp", "-timestamp"] {
            let counts = pages(&server, &admin, sort);
            let twice = counts.values().filter(|&&count| count > 1).count();
            let missing = before.iter().filter(|&id| !counts.contains_key(id)).count();
            assert_eq!((twice, missing), (0, 0), "{sort}: of {}", counts.len());
        }
        done.store(true, SeqCst);
    });
}

#[test]
fn pages_cover_every_event_once_while_others_are_appended_on_sqlite() {
    pages_are_whole(&Database::sqlite());
}

#[test]
fn pages_cover_every_event_once_while_others_are_appended_on_postgres() {
    pages_are_whole(&Database::postgres());
}
