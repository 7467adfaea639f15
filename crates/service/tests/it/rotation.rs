//! Rotation: a new token replaces an old one, which is revoked at the end of an overlap.

use crate::database::Database;
use crate::http::{Answer, Request};
use crate::people::person;
use crate::server::{Server, TOKENS, Token, creation_until, event_name, minted};
use crate::until;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::thread::scope;

/// Revocations are written after a second of agreement.
const SOON: [&str; 2] = ["--clock-agreement", "1"];

fn rotation(with: &str, id: &str, attributes: Value) -> Request {
    let data = json!({"type": "personal_access_tokens", "attributes": attributes});
    Request::post(format!("{TOKENS}/{id}/rotate")).bearer(with).json(&json!({"data": data}))
}

fn overlap(with: &str, id: &str, seconds: i64) -> Request {
    rotation(with, id, json!({"overlap_seconds": seconds}))
}

fn time(answer: &Answer, name: &str) -> Timestamp {
    answer.json()["data"]["attributes"][name].as_str().unwrap().parse().unwrap()
}

fn get(server: &Server, with: &str, id: &str) -> Answer {
    server.call(&Request::get(format!("{TOKENS}/{id}")).bearer(with))
}

/// Mints a token for two days.
fn brief(server: &Server, with: &str, scopes: &[&str]) -> Token {
    let end = (Timestamp::now() + SignedDuration::from_hours(48)).to_string();
    minted(&server.call(&creation_until(with, "nightly build", scopes, &end)).expect(201))
}

/// Returns the events of a token, as names with their metadata.
fn events(server: &Server, with: &str, id: &str) -> Vec<(String, Value)> {
    let events = server.events(with, &format!("@asset.id:{id} -@action:(accessed OR denied)"));
    let metadata = |event: &Value| event["attributes"]["attributes"]["metadata"].clone();
    events.iter().map(|event| (event_name(event).to_owned(), metadata(event))).collect()
}

fn the_old_token_is_revoked_at_once_without_an_overlap(database: &Database) {
    let (server, root) = Server::first(database, &[]);
    let old = brief(&server, &root, &["dashboards_read", "user_app_keys"]);
    let shown = get(&server, &root, &old.id);
    let path = format!("{TOKENS}/{}/rotate", old.id);
    // A body is optional.
    let answer = server.call(&Request::post(path).bearer(&root)).expect(201);
    let new = minted(&answer);
    assert_eq!((server.check(&old.key), server.check(&new.key)), (401, 200));
    let (was, is) = (shown.json(), get(&server, &root, &new.id).expect(200).json());
    for attribute in ["name", "scopes"] {
        assert_eq!(was["data"]["attributes"][attribute], is["data"]["attributes"][attribute]);
    }
    assert_eq!(was["data"]["relationships"], is["data"]["relationships"], "the owner");
    let lifetime = |token| time(token, "expires_at").duration_since(time(token, "created_at"));
    let difference = lifetime(&answer) - lifetime(&shown);
    assert!(difference.abs() < SignedDuration::from_secs(5), "{difference:?}");
    assert_ne!(old.key[29..], new.key[29..]);
    let replaces = json!({"data": {"id": old.id, "type": "personal_access_tokens"}});
    assert_eq!(answer.json()["data"]["relationships"]["replaces"], replaces);

    let about_old = events(&server, &root, &old.id);
    let names: Vec<_> = about_old.iter().map(|event| event.0.as_str()).collect();
    let expected = ["access_token.created", "access_token.rotated", "access_token.revoked"];
    assert_eq!(names.iter().collect::<BTreeSet<_>>(), expected.iter().collect());
    let metadata = |name: &str| &about_old.iter().find(|event| event.0 == name).unwrap().1;
    assert_eq!(metadata("access_token.rotated")["replaced_by"]["id"], new.id.as_str());
    assert_eq!(metadata("access_token.revoked")["revoked_by"], "rotation");
    let about_new = events(&server, &root, &new.id);
    assert_eq!(about_new.len(), 1);
    assert_eq!(about_new[0].1["replaces"]["id"], old.id.as_str());
    assert_eq!(server.metric("ddpatrold_revocations_total{kind=\"rotation\"}"), 1);
    let results = server.report(&json!([{"token": old.key}]));
    assert_eq!(results, ["already_revoked"]);
}

#[test]
fn the_old_token_is_revoked_at_once_without_an_overlap_on_sqlite() {
    the_old_token_is_revoked_at_once_without_an_overlap(&Database::sqlite());
}

#[test]
fn the_old_token_is_revoked_at_once_without_an_overlap_on_postgres() {
    the_old_token_is_revoked_at_once_without_an_overlap(&Database::postgres());
}

/// Both tokens are live during the overlap. At its end the old one is rejected by every replica and
/// revoked exactly once.
fn the_overlap_ends_on_every_replica(database: &Database, replicas: usize) {
    let (first, root) = Server::first(database, &SOON);
    let others = (1..replicas).map(|_| Server::start(database, &SOON));
    let servers: Vec<Server> = [first].into_iter().chain(others).collect();
    let old = brief(&servers[0], &root, &["user_app_keys"]);
    for server in &servers {
        assert_eq!(server.check(&old.key), 200);
    }
    let before = Timestamp::now();
    let new = minted(&servers[0].call(&overlap(&root, &old.id, 4)).expect(201));
    let shown = get(&servers[replicas - 1], &root, &old.id).expect(200);
    let end = time(&shown, "expires_at");
    let length = end.duration_since(before);
    assert!((SignedDuration::from_secs(3)..SignedDuration::from_secs(8)).contains(&length));
    let replaced_by = &shown.json()["data"]["relationships"]["replaced_by"]["data"]["id"];
    assert_eq!(*replaced_by, new.id.as_str());
    scope(|scope| {
        for server in &servers {
            scope.spawn(|| {
                let mut accepted = 0;
                until("the old token is rejected", || {
                    let asked = Timestamp::now();
                    let status = server.check(&old.key);
                    accepted += usize::from(status == 200);
                    assert!(status == 401 || asked < end + SignedDuration::from_secs(1));
                    (status == 401).then_some(())
                });
                assert!(accepted > 0, "the old token was live during the overlap");
                assert_eq!(server.check(&new.key), 200);
            });
        }
    });
    let revocations = || {
        let events = events(&servers[0], &root, &old.id);
        events.into_iter().filter(|event| event.0 == "access_token.revoked").collect::<Vec<_>>()
    };
    until("the old token is revoked", || (!revocations().is_empty()).then_some(()));
    // Long enough for every replica to search for expired tokens again.
    std::thread::sleep(std::time::Duration::from_millis(2_500));
    let revocations = revocations();
    assert_eq!(revocations.len(), 1, "{revocations:?}");
    assert_eq!(revocations[0].1["revoked_by"], "rotation");
    assert_eq!(revocations[0].1["replaced_by"]["id"], new.id.as_str());
    let by = database.texts("SELECT revoked_by FROM tokens WHERE revoked_at = expires_at");
    assert_eq!(by, ["rotation"]);
    assert_eq!(servers[0].report(&json!([{"token": old.key}])), ["already_revoked"]);
    let metrics = servers
        .iter()
        .map(|server| server.metric("ddpatrold_revocations_total{kind=\"rotation\"}"));
    assert_eq!(metrics.sum::<u64>(), 1);
    assert!(servers[0].events(&root, "@evt.name:access_token.expired").is_empty());
}

#[test]
fn the_overlap_ends_on_sqlite() {
    the_overlap_ends_on_every_replica(&Database::sqlite(), 1);
}

#[test]
fn the_overlap_ends_on_three_replicas() {
    the_overlap_ends_on_every_replica(&Database::postgres(), 3);
}

#[test]
fn a_token_never_lives_longer_by_its_rotation() {
    let database = Database::sqlite();
    let (server, root) = Server::first(&database, &[]);
    let ada = person("ada@example.com").with(&["user_app_keys"]).add(&database);
    let old = ada.token_for("1h", &["dashboards_read"]);
    let end = time(&get(&server, &root, &old.id), "expires_at");
    server.call(&overlap(&root, &old.id, 86_400)).expect(201);
    assert_eq!(time(&get(&server, &root, &old.id), "expires_at"), end);
}

/// The answer with the secret may be lost, so a repetition names the replacement.
fn a_repetition_changes_nothing(database: &Database) {
    let (server, root) = Server::first(database, &[]);
    for seconds in [0, 86_400] {
        let old = brief(&server, &root, &["dashboards_read"]);
        let new = minted(&server.call(&overlap(&root, &old.id, seconds)).expect(201));
        let before = server.events(&root, "-@action:accessed").len();
        for repeated in [0, 60] {
            let text = server.call(&overlap(&root, &old.id, repeated)).expect(409).text();
            assert!(text.contains(&new.id), "{text}");
        }
        assert_eq!(server.events(&root, "-@action:accessed").len(), before);
        assert_eq!(server.check(&old.key), if seconds == 0 { 401 } else { 200 });
        let third = minted(&server.call(&overlap(&root, &new.id, 0)).expect(201));
        assert_eq!((server.check(&new.key), server.check(&third.key)), (401, 200));
    }
}

#[test]
fn a_repetition_changes_nothing_on_sqlite() {
    a_repetition_changes_nothing(&Database::sqlite());
}

#[test]
fn a_repetition_changes_nothing_on_postgres() {
    a_repetition_changes_nothing(&Database::postgres());
}

fn concurrent_rotations_replace_a_token_once(database: &Database) {
    let (server, root) = Server::first(database, &[]);
    let old = brief(&server, &root, &["dashboards_read"]);
    let statuses: Vec<u16> = scope(|scope| {
        let calls = [(); 8].map(|()| scope.spawn(|| server.call(&overlap(&root, &old.id, 60))));
        calls.into_iter().map(|call| call.join().unwrap().status).collect()
    });
    assert_eq!(statuses.iter().filter(|&&status| status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|&&status| status == 409).count(), 7, "{statuses:?}");
    let names = database.texts("SELECT name FROM tokens WHERE name = 'nightly build'");
    assert_eq!(names.len(), 2);
}

#[test]
fn concurrent_rotations_replace_a_token_once_on_sqlite() {
    concurrent_rotations_replace_a_token_once(&Database::sqlite());
}

#[test]
fn concurrent_rotations_replace_a_token_once_on_postgres() {
    concurrent_rotations_replace_a_token_once(&Database::postgres());
}

#[test]
fn a_rotation_requires_another_token_with_all_scopes_and_a_later_expiry() {
    let database = Database::sqlite();
    let (server, root) = Server::first(&database, &[]);
    let ada = person("ada@example.com").with(&["user_app_keys"]).add(&database);
    let bob = person("bob@example.com").with(&["user_app_keys"]).add(&database);
    let old = ada.token_for("30d", &["dashboards_read", "user_app_keys"]);
    let refused = |with: &Token, part: &str| {
        let text = server.call(&overlap(&with.key, &old.id, 0)).expect(403).text();
        assert!(text.contains(part), "{text}");
        assert_eq!(server.check(&old.key), 200);
    };
    refused(&old, "rotate itself");
    refused(&ada.token_for("29d", &["dashboards_read", "user_app_keys"]), "expire");
    refused(&ada.token_for("60d", &["metrics_read", "user_app_keys"]), "dashboards_read");
    refused(&ada.token_for("60d", &["dashboards_read"]), "user_app_keys");
    // Another person's token does not exist for a person without permission.
    server.call(&overlap(&bob.token_with_all_scopes().key, &old.id, 0)).expect(404);
    let own = ada.token_for("60d", &["dashboards_read", "user_app_keys"]);
    let new = minted(&server.call(&overlap(&own.key, &old.id, 60)).expect(201));
    let current = server.call(&Request::get("/api/v2/current_user").bearer(&new.key)).expect(200);
    assert_eq!(current.json()["data"]["id"], ada.id.as_str());
    server.call(&overlap(&own.key, "00000000-0000-4000-8000-000000000000", 0)).expect(404);
    server.revoke(&root, &new.id);
    server.call(&overlap(&own.key, &new.id, 0)).expect(404);
}

#[test]
fn an_administrator_rotates_the_tokens_of_others_within_their_own_rights() {
    let database = Database::sqlite();
    let (server, root) = Server::first(&database, &[]);
    let ada = person("ada@example.com").with(&["user_app_keys", "audit_logs_read"]).add(&database);
    let helpdesk = person("helpdesk@example.com").with(&["org_app_keys_write"]).add(&database);
    let reader = person("reader@example.com").with(&["org_app_keys_read"]).add(&database);
    let old = ada.token_for("10d", &["dashboards_read"]);
    let strong = ada.token_for("10d", &["dashboards_read", "audit_logs_read"]);
    let helper = helpdesk.token_with_all_scopes();
    let new = minted(&server.call(&overlap(&helper.key, &old.id, 0)).expect(201));
    let shown = get(&server, &root, &new.id).expect(200).json();
    assert_eq!(shown["data"]["relationships"]["owned_by"]["data"]["id"], ada.id.as_str());
    let about_new = events(&server, &root, &new.id);
    assert_eq!(about_new[0].1["owner"], "ada@example.com");
    // The helpdesk would learn the secret of a token that may read the audit trail.
    let text = server.call(&overlap(&helper.key, &strong.id, 0)).expect(403).text();
    assert!(text.contains("audit_logs_read"), "{text}");
    let reader = reader.token_with_all_scopes();
    server.call(&overlap(&reader.key, &new.id, 0)).expect(403);
    ada.disable();
    server.call(&overlap(&helper.key, &new.id, 0)).expect(409);
}

#[test]
fn an_invalid_rotation_is_refused_by_its_field() {
    let database = Database::sqlite();
    let (server, root) = Server::first(&database, &[]);
    let old = brief(&server, &root, &["dashboards_read"]);
    for (attributes, field) in [
        (json!({"overlap_seconds": 86_401}), "data.attributes.overlap_seconds"),
        (json!({"overlap_seconds": -1}), "data.attributes.overlap_seconds"),
        (json!({"overlap_seconds": 1.5}), "data.attributes.overlap_seconds"),
        (json!({"overlap_seconds": "60"}), "data.attributes.overlap_seconds"),
        (json!({"overlap_seconds": null}), "data.attributes.overlap_seconds"),
        (json!({"scopes": ["user_app_keys"]}), "data.attributes.scopes: unknown member"),
        (json!([]), "data.attributes"),
    ] {
        let text = server.call(&rotation(&root, &old.id, attributes)).expect(400).text();
        assert!(text.contains(field), "{text}");
    }
    let path = format!("{TOKENS}/{}/rotate", old.id);
    let other = json!({"data": {"type": "personal_access_tokens", "id": root_id(&root)}});
    let text = server.call(&Request::post(&path).bearer(&root).json(&other)).expect(400).text();
    assert!(text.contains("data.id"), "{text}");
    let plain = Request::post(&path).bearer(&root).header("content-type", "text/plain").body("{}");
    server.call(&plain).expect(415);
    assert_eq!(server.check(&old.key), 200);
}

fn root_id(root: &str) -> String {
    crate::token_format::id_of(root)
}
