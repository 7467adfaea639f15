//! Rejected uses: one event per token, address and minute with a growing count, so that clients
//! without a live token cannot grow the audit trail.

use crate::database::Database;
use crate::http::Request;
use crate::server::{EVENTS, Server, TOKENS, check, event_name};
use crate::until;
use serde_json::{Value, json};
use std::thread::scope;
use std::time::{Duration, Instant};

/// Returns the metadata of an event.
fn metadata(event: &Value) -> &Value {
    &event["attributes"]["attributes"]["metadata"]
}

/// Returns the sum of the events' counts.
fn counts(events: &[Value]) -> u64 {
    events.iter().map(|event| metadata(event)["count"].as_u64().unwrap()).sum()
}

/// Returns the maximum number of events of an activity since `began`: one per minute.
fn minutes(began: Instant) -> usize {
    2 + usize::try_from(began.elapsed().as_secs() / 60).unwrap()
}

fn denied(token: &str) -> String {
    format!("@evt.name:access_token.denied @asset.id:{token}")
}

/// Returns a server with default limits, its administrator's token, and a dead token.
fn with_dead_token(database: &Database) -> (Server, String, crate::server::Token) {
    let server = Server::start_limited(database, &["--rate-limit", "audit=100000/60"]);
    let admin = server.first_token();
    let token = server.mint(&admin, "dead", &["user_app_keys"]);
    server.revoke(&admin, &token.id);
    (server, admin, token)
}

fn a_flood_is_one_event(database: &Database) {
    let (server, admin, token) = with_dead_token(database);
    let began = Instant::now();
    assert_eq!(server.check(&token.key), 401);
    let first = until("the first attempt is audited", || {
        server.events(&admin, &denied(&token.id)).into_iter().next()
    });
    let attributes = &first["attributes"]["attributes"];
    assert_eq!(attributes["http"]["status_code"], 401);
    assert_eq!(attributes["network"]["client"]["ip"], "127.0.0.1");
    assert_eq!(attributes["auth_method"], "bearer");
    assert_eq!(attributes["usr"]["email"], "admin@localhost");
    let flood = || {
        let mut connection = server.connect();
        for _ in 0..700 {
            assert!(matches!(connection.send(&check(&token.key)).unwrap().status, 401 | 429));
        }
    };
    scope(|scope| {
        scope.spawn(flood);
        scope.spawn(flood);
    });
    let events = until("every attempt is counted", || {
        Some(server.events(&admin, &denied(&token.id))).filter(|events| counts(events) == 1_401)
    });
    assert!(events.len() <= minutes(began), "{events:?}");
    assert_eq!(events[0]["id"], first["id"]);
    let limited: u64 =
        events.iter().filter_map(|event| metadata(event)["rate_limited"].as_u64()).sum();
    assert!((1..=801).contains(&limited), "{limited}");
    let metadata = metadata(&events[0]);
    assert!(metadata["first"].as_str().unwrap() < metadata["last"].as_str().unwrap(), "{metadata}");
}

#[test]
fn a_flood_with_a_dead_token_is_one_event_a_minute_on_sqlite() {
    a_flood_is_one_event(&Database::sqlite());
}

#[test]
fn a_flood_with_a_dead_token_is_one_event_a_minute_on_postgres() {
    a_flood_is_one_event(&Database::postgres());
}

fn a_stop_loses_no_count(database: &Database) {
    let (server, admin, token) = with_dead_token(database);
    let mut connection = server.connect();
    for _ in 0..3 {
        for _ in 0..20 {
            connection.send(&check(&token.key)).unwrap().expect(401);
        }
        // Some counts are in the first row, and some only in memory.
        std::thread::sleep(Duration::from_millis(400));
    }
    connection.send(&check(&token.key)).unwrap().expect(401);
    server.stop();
    let server = Server::start(database, &[]);
    assert_eq!(counts(&server.events(&admin, &denied(&token.id))), 61);
}

#[test]
fn a_stop_loses_no_counted_attempt_on_sqlite() {
    a_stop_loses_no_count(&Database::sqlite());
}

#[test]
fn a_stop_loses_no_counted_attempt_on_postgres() {
    a_stop_loses_no_count(&Database::postgres());
}

#[test]
fn events_of_attempts_from_many_addresses_are_limited_and_complete() {
    let database = Database::sqlite();
    let server = Server::start_limited(&database, &["--behind-proxy"]);
    let admin = server.first_token();
    let token = server.mint(&admin, "dead", &["user_app_keys"]);
    server.revoke(&admin, &token.id);
    let began = Instant::now();
    let mut connection = server.connect();
    for number in 0..600 {
        let address = format!("198.51.{}.{}", number / 200, number % 200);
        let attempt = check(&token.key).header("x-forwarded-for", address);
        connection.send(&attempt).unwrap().expect(401);
    }
    let events = until("every attempt is counted", || {
        Some(server.events(&admin, &denied(&token.id))).filter(|events| counts(events) == 600)
    });
    assert!(events.len() <= 17 * minutes(began), "{}", events.len());
    let rest = events.iter().find(|event| !metadata(event)["covers"].is_null()).unwrap();
    assert_eq!(rest["attributes"]["attributes"]["network"], Value::Null);
    assert!(metadata(rest)["count"].as_u64().unwrap() > 100);
}

#[test]
fn uses_beyond_a_rate_limit_are_one_event_a_minute_and_the_metrics_agree() {
    let database = Database::sqlite();
    let server = Server::start_limited(&database, &["--rate-limit", "validate=5/1000000000"]);
    let admin = server.first_token();
    let token = server.mint(&admin, "busy", &["user_app_keys"]);
    let began = Instant::now();
    let mut connection = server.connect();
    for number in 0..400 {
        let expected = if number < 5 { 200 } else { 429 };
        connection.send(&check(&token.key)).unwrap().expect(expected);
    }
    let query = format!("@evt.name:access_token.used @asset.id:{}", token.id);
    let limited = until("every use is counted", || {
        let (limited, single): (Vec<_>, Vec<_>) = server
            .events(&admin, &query)
            .into_iter()
            .partition(|event| !metadata(event)["count"].is_null());
        (single.len() == 5 && counts(&limited) == 395).then_some(limited)
    });
    assert!(limited.len() <= minutes(began), "{limited:?}");
    assert_eq!(limited[0]["attributes"]["attributes"]["http"]["status_code"], 429);
    until("the metrics agree", || {
        let text = server.call(&Request::get("/metrics")).expect(200).text();
        let number = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().parse::<u64>().unwrap()
        };
        let uses = number("ddpatrold_token_uses_total");
        (uses > 400 && uses == number("ddpatrold_audited_uses_total")).then_some(())
    });
}

/// Returns the number of events in the audit trail.
fn rows(database: &Database) -> usize {
    database.texts("SELECT CAST(COUNT(*) AS TEXT) FROM audit_events")[0].parse().unwrap()
}

#[test]
fn repeated_requests_without_a_live_token_do_not_grow_the_trail() {
    let database = Database::sqlite();
    let options: Vec<_> = ["leaks=100000/60", "authentication=100000/60"]
        .into_iter()
        .flat_map(|rate| ["--rate-limit", rate])
        .collect();
    let server = Server::start_limited(&database, &options);
    let admin = server.first_token();
    let [leaked, revoked] =
        ["leaked", "revoked"].map(|name| server.mint(&admin, name, &["user_app_keys"]));
    server.report(&json!([{"token": leaked.key}]));
    server.revoke(&admin, &revoked.id);
    let form = |token: &str| {
        Request::post("/oauth2/revoke")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("token={token}"))
    };
    let everything = || {
        for token in [&leaked, &revoked] {
            let entry = json!({"token": token.key, "source": "x", "location": "y"});
            server.report(&json!([entry, entry, {"token": "ddpat_x"}]));
            server.call(&form(&token.key)).expect(200);
            let alert = json!([{"token": token.key, "type": "t", "url": "u", "source": "s"}]);
            server.call(&Request::post("/leaks/v1/github").json(&alert)).expect(401);
            for path in [TOKENS, EVENTS, "/oauth2/introspect"] {
                server.call(&Request::get(path).bearer(&token.key));
                server.call(&Request::post(path).bearer(&token.key));
            }
        }
        server.call(&form("nonsense")).expect(200);
    };
    everything();
    until("the attempts are audited", || {
        let events = server.events(&admin, "@evt.name:access_token.denied");
        (events.len() >= 2).then_some(())
    });
    let (before, began) = (rows(&database), Instant::now());
    for _ in 0..30 {
        everything();
    }
    let (_, log) = server.stop();
    assert!(log.lines().count() < 20, "{log}");
    // One event per token and started minute, and the administrator's reads.
    let server = Server::start(&database, &[]);
    let events = server.events(&admin, "*");
    let reads = events.iter().filter(|event| event_name(event) == "access_token.used").count();
    let grown = rows(&database) - before;
    assert!(grown <= 2 * minutes(began) + reads, "{grown} events more");
}

#[test]
fn readiness_reports_aggregated_events_that_cannot_be_written() {
    let database = Database::sqlite();
    let (server, _, token) = with_dead_token(&database);
    let readiness = || server.call(&Request::get("/readyz"));
    until("everything is written", || (readiness().status == 200).then_some(()));
    std::thread::sleep(Duration::from_secs(1));
    database.locked(|| {
        assert_eq!(server.check(&token.key), 401);
        until("the event waits", || readiness().text().contains("audit queue").then_some(()));
    });
    until("the event is written", || (readiness().status == 200).then_some(()));
}
