//! Expiring tokens: they are rejected from the second of their expiry, with exactly one event each
//! for any number of replicas.

use crate::database::Database;
use crate::server::{Server, Token, admin, check};
use crate::until;
use jiff::{SignedDuration, Timestamp};
use std::thread::scope;

/// The estimate of the database's clock is ahead by at most a round trip.
const ROUND_TRIP: SignedDuration = SignedDuration::from_millis(250);
/// Expiry events are written after a second of agreement.
const SOON: [&str; 2] = ["--clock-agreement", "1"];
const EXPIRED: &str = "@evt.name:access_token.expired";

/// Issues tokens that expire in two seconds. Reads their identifiers from the audit trail.
fn issue(
    database: &Database,
    server: &Server,
    with: &str,
    count: usize,
) -> Vec<(Token, Timestamp)> {
    let issue = ["token", "issue", "--user", "admin@localhost", "--scope", "user_app_keys"];
    let mut tokens = Vec::new();
    for number in 0..count {
        let name = format!("brief {number}");
        let key = admin(database, &[&issue[..], &["--name", &name, "--expires-in", "2s"]].concat());
        let events = server.events(with, "@evt.name:access_token.created");
        let event = &events.iter().find(|e| e.to_string().contains(&name)).unwrap()["attributes"]["attributes"];
        let end = event["metadata"]["expires_at"].as_str().unwrap().parse().unwrap();
        let id = event["asset"]["id"].as_str().unwrap().to_owned();
        tokens.push((Token { id, key }, end));
    }
    tokens
}

/// Polls a server with a token until it has been rejected for a while. No request that starts after
/// the expiry is accepted, and no request that is answered before it is rejected.
fn rejected_from_its_expiry_on(server: &Server, token: &Token, end: Timestamp) {
    let mut connection = server.connect();
    let mut refused = 0;
    until("the token is rejected", || {
        let asked = Timestamp::now();
        let status = connection.send(&check(&token.key)).unwrap().status;
        match status {
            200 => assert!(asked < end, "accepted at {asked}, after its expiry at {end}"),
            401 => {
                let now = Timestamp::now();
                assert!(now + ROUND_TRIP >= end, "rejected at {now}, before its expiry at {end}");
            }
            other => panic!("{other}"),
        }
        refused += usize::from(status == 401);
        (refused > 50).then_some(())
    });
}

fn expire(database: &Database, replicas: usize) {
    let (first, with) = Server::first(database, &SOON);
    let others = (1..replicas).map(|_| Server::start(database, &SOON));
    let servers: Vec<Server> = [first].into_iter().chain(others).collect();
    let tokens = issue(database, &servers[0], &with, 6);
    let (last, end) = tokens.last().unwrap();
    scope(|scope| {
        for server in &servers {
            scope.spawn(|| rejected_from_its_expiry_on(server, last, *end));
        }
    });
    until("every expiry has its event", || {
        (servers[0].events(&with, EXPIRED).len() >= tokens.len()).then_some(())
    });
    // Long enough for every replica to search for expired tokens again.
    std::thread::sleep(std::time::Duration::from_millis(2_500));
    let mut expired: Vec<String> = servers[0]
        .events(&with, EXPIRED)
        .iter()
        .map(|event| event["attributes"]["attributes"]["asset"]["id"].as_str().unwrap().to_owned())
        .collect();
    let mut ids: Vec<String> = tokens.iter().map(|(token, _)| token.id.clone()).collect();
    expired.sort();
    ids.sort();
    assert_eq!(expired, ids, "exactly one event each");
    let marked = "SELECT name FROM tokens WHERE expired_at >= expires_at AND revoked_at IS NULL";
    assert_eq!(database.texts(marked).len(), tokens.len());
}

#[test]
fn a_token_expires_at_its_second_with_one_event_on_sqlite() {
    expire(&Database::sqlite(), 1);
}

#[test]
fn a_token_expires_at_its_second_with_one_event_on_three_replicas() {
    expire(&Database::postgres(), 3);
}
