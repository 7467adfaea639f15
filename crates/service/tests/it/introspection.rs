//! Introspections (RFC 7662) are recorded for the caller and for the introspected token.

use crate::database::Database;
use crate::http::Request;
use crate::server::{PERMISSIONS, Server, TOKENS, Token, creation, minted};
use crate::until;
use serde_json::{Value, json};
use std::time::Instant;

/// Introspects a token. Returns `true` if it is live.
fn introspect(server: &Server, with: &str, token: &str) -> bool {
    let request = Request::post("/oauth2/introspect")
        .bearer(with)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("token={token}"));
    server.call(&request).expect(200).json()["active"].as_bool().unwrap()
}

fn attributes(event: &Value) -> &Value {
    &event["attributes"]["attributes"]
}

/// Returns the events of introspections of a token.
fn introspections(server: &Server, admin: &str, token: &str, name: &str) -> Vec<Value> {
    let query = format!("@evt.name:{name} @asset.id:{token} @auth_method:introspection");
    server.events(admin, &query)
}

fn counts(events: &[Value]) -> u64 {
    events.iter().map(|event| attributes(event)["metadata"]["count"].as_u64().unwrap()).sum()
}

fn introspections_are_recorded(database: &Database) {
    let (server, admin) = Server::first(database, &[]);
    let gateway = server.mint(&admin, "gateway", &["tokens_introspect"]);
    let shown = server.mint(&admin, "shown", &["dashboards_read"]);
    let began = Instant::now();
    for _ in 0..20 {
        assert!(introspect(&server, &gateway.key, &shown.key));
    }
    let events = until("every introspection is counted", || {
        let events = introspections(&server, &admin, &shown.id, "access_token.used");
        (!events.is_empty() && counts(&events) == 20).then_some(events)
    });
    let minutes = 2 + usize::try_from(began.elapsed().as_secs() / 60).unwrap();
    assert!(events.len() <= minutes, "{events:?}");
    let recorded = attributes(&events[0]);
    assert_eq!(recorded["usr"]["email"], "admin@localhost");
    assert_eq!(recorded["metadata"]["used_token"]["id"], json!(gateway.id));
    let get = Request::get(format!("{TOKENS}/{}", shown.id)).bearer(&admin);
    let last = server.call(&get).expect(200).json()["data"]["attributes"]["last_used_at"].clone();
    assert!(last.as_str().unwrap() >= recorded["metadata"]["last"].as_str().unwrap(), "{last}");

    let query = format!("@evt.name:access_token.used @asset.id:{}", gateway.id);
    let uses = until("every use of the caller is audited", || {
        Some(server.events(&admin, &query)).filter(|events| events.len() == 20)
    });
    for event in &uses {
        let named = &attributes(event)["metadata"]["introspected_token"];
        assert_eq!(named["id"], json!(shown.id));
        assert_eq!(named["public_portion"], json!(shown.key[6..28]));
    }
}

#[test]
fn introspections_are_audited_and_update_the_last_use_on_sqlite() {
    introspections_are_recorded(&Database::sqlite());
}

#[test]
fn introspections_are_audited_and_update_the_last_use_on_postgres() {
    introspections_are_recorded(&Database::postgres());
}

#[test]
fn introspections_of_a_dead_token_are_one_denied_event() {
    let database = Database::sqlite();
    let (server, admin) = Server::first(&database, &[]);
    let gateway = server.mint(&admin, "gateway", &["tokens_introspect"]);
    let dead = server.mint(&admin, "dead", &["dashboards_read"]);
    server.revoke(&admin, &dead.id);
    let began = Instant::now();
    for _ in 0..15 {
        assert!(!introspect(&server, &gateway.key, &dead.key));
    }
    let events = until("every introspection is counted", || {
        let events = introspections(&server, &admin, &dead.id, "access_token.denied");
        (!events.is_empty() && counts(&events) == 15).then_some(events)
    });
    assert!(events.len() <= 2 + usize::try_from(began.elapsed().as_secs() / 60).unwrap());
    assert_eq!(attributes(&events[0])["metadata"]["used_token"]["id"], json!(gateway.id));
    assert!(introspections(&server, &admin, &dead.id, "access_token.used").is_empty());
}

#[test]
fn introspections_of_an_unknown_token_are_recorded_only_for_the_caller() {
    let (elsewhere, database) = (Database::sqlite(), Database::sqlite());
    let (other, other_admin) = Server::first(&elsewhere, &[]);
    let unknown = other.mint(&other_admin, "unknown", &["dashboards_read"]);
    let (server, admin) = Server::first(&database, &[]);
    let made = server.call(&creation(&admin, "gateway", &PERMISSIONS)).expect(201);
    let gateway: Token = minted(&made);
    for token in [unknown.key.as_str(), "nonsense"] {
        assert!(!introspect(&server, &gateway.key, token));
    }
    server.stop();
    let server = Server::start(&database, &[]);
    assert!(server.events(&admin, "@auth_method:introspection").is_empty());
    let uses = server.events(&admin, &format!("@asset.id:{}", gateway.id));
    assert!(!json!(uses).to_string().contains("introspected_token"));
    assert_eq!(uses.len(), 3, "its creation and two uses");
}
