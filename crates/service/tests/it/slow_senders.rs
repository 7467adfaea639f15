//! Requests that are not complete when their token is revoked.

use crate::database::Database;
use crate::http::{Held, Request};
use crate::people::person;
use crate::server::{PERMISSIONS, Server, TOKENS, creation, creation_until};
use crate::until;
use serde_json::json;
use std::time::Duration;

/// Waits long enough for the service to verify the token of a started request.
fn a_moment() {
    std::thread::sleep(Duration::from_millis(1_500));
}

fn names(database: &Database) -> Vec<String> {
    database.texts("SELECT name FROM tokens WHERE revoked_at IS NULL ORDER BY name")
}

fn a_token_revoked_during_a_request_has_no_effect(database: &Database) {
    let (server, with) = Server::first(database, &[]);
    let stolen = server.mint(&with, "stolen", &PERMISSIONS);
    let victim = server.mint(&with, "victim", &["user_app_keys"]);
    let update = json!({"data": {"type": "personal_access_tokens", "id": victim.id,
        "attributes": {"name": "renamed"}}});
    let path = format!("{TOKENS}/{}", victim.id);
    let form = format!("token={}", victim.key);
    // Within the life of the stolen token, as required.
    let end = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(7 * 24)).to_string();
    let requests = [
        creation_until(&stolen.key, "successor", &["user_app_keys"], &end),
        Request::patch(&path).bearer(&stolen.key).json(&update),
        Request::delete(&path).bearer(&stolen.key).body("xx"),
        Request::get(TOKENS).bearer(&stolen.key).body("xx"),
        Request::post("/oauth2/introspect")
            .bearer(&stolen.key)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form),
    ];
    let held: Vec<Held> = requests.iter().map(|request| request.hold(server.address)).collect();
    a_moment();
    server.revoke(&with, &stolen.id);
    let statuses: Vec<u16> = held.into_iter().map(|held| held.release().status).collect();
    assert_eq!(statuses, [401; 5]);
    assert_eq!(names(database), ["First administrator token", "victim"]);
    until("the attempts are recorded", || {
        let denied = server.events(&with, "@evt.name:access_token.denied");
        (denied.len() == 5).then_some(())
    });
}

#[test]
fn a_token_revoked_during_a_request_has_no_effect_on_sqlite() {
    a_token_revoked_during_a_request_has_no_effect(&Database::sqlite());
}

#[test]
fn a_token_revoked_during_a_request_has_no_effect_on_postgres() {
    a_token_revoked_during_a_request_has_no_effect(&Database::postgres());
}

/// The token is still cached as live, but the database is authoritative.
fn a_disabled_users_token_cannot_create_another(database: &Database) {
    let (server, _) = Server::first(database, &[]);
    let key = person("gone@example.com").add(database).issue("old", "60d", &["user_app_keys"]).key;
    let held = creation(&key, "successor", &["user_app_keys"]).hold(server.address);
    a_moment();
    assert_eq!(server.check(&key), 200);
    let disabled = jiff::Timestamp::now().as_microsecond();
    database.texts(&format!(
        "UPDATE users SET disabled_at = {disabled} WHERE email = 'gone@example.com'"
    ));
    assert_eq!(held.release().status, 401);
    assert_eq!(names(database), ["First administrator token", "old"]);
}

#[test]
fn a_disabled_users_token_cannot_create_another_on_sqlite() {
    a_disabled_users_token_cannot_create_another(&Database::sqlite());
}

#[test]
fn a_disabled_users_token_cannot_create_another_on_postgres() {
    a_disabled_users_token_cannot_create_another(&Database::postgres());
}
