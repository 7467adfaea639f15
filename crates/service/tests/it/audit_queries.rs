//! The search syntax of the audit trail, with GET and with a body.

use crate::database::Database;
use crate::http::Request;
use crate::server::{EVENTS, Server, TOKENS, admin, check, event_name};
use crate::until;
use serde_json::{Value, json};

fn names(events: &[Value]) -> Vec<&str> {
    let mut names: Vec<_> = events.iter().map(event_name).collect();
    names.sort_unstable();
    names
}

fn every_supported_part_of_a_query_selects_events(database: &Database) {
    let (server, root) = Server::first(database, &[]);
    admin(database, &["user", "add", "Ada@example.com", "--name", "Ada Lovelace"]);
    let key = admin(
        database,
        &[
            "token",
            "issue",
            "--user",
            "ada@example.com",
            "--name",
            "deploy",
            "--scope",
            "logs_read_data",
        ],
    );
    let token = server.mint(&root, "Nightly 50%", &["dashboards_read"]);
    server.call(&check(&token.key)).expect(200);
    server
        .call(&Request::get("/api/v2/validate_keys").header("dd-application-key", &key))
        .expect(200);
    server.revoke(&root, &token.id);
    server.call(&check(&token.key)).expect(401);
    until("the uses are written", || {
        (server.events(&root, "@evt.name:access_token.denied").len() == 1).then_some(())
    });
    let find = |query: &str| {
        let with_get = server.events(&root, query);
        let body = json!({"filter": {"query": query}, "page": {"limit": 1000}});
        let path = format!("{EVENTS}/search");
        let answer = server.call(&Request::post(path).bearer(&root).json(&body)).expect(200).json();
        let mut found: Vec<Value> = answer["data"].as_array().unwrap().clone();
        // The searches are uses themselves.
        found.retain(|event| with_get.contains(event));
        assert_eq!(found, with_get, "{query}");
        with_get
    };
    let checks = |query: &str| {
        names(&find(&format!("({query}) @http.url_details.path:*validate_keys"))).len()
    };
    assert_eq!(checks("@auth_method:personal_access_token"), 3);
    assert_eq!(checks("@auth_method:bearer"), 2);
    assert_eq!(checks("-@auth_method:bearer"), 1);
    assert_eq!(checks("@auth_method:bearer OR @auth_method:application_key"), 3);
    assert_eq!(checks("@http.status_code:401"), 1);
    assert_eq!(checks("@http.status_code:>=400"), 1);
    assert_eq!(checks("@http.status_code:2* @http.method:GET"), 2);
    assert_eq!(checks("@network.client.ip:127.0.0.*"), 3);
    assert_eq!(checks("@network.client.ip:127.0.0.1 @asset.type:personal_access_tokens"), 3);
    assert_eq!(checks("@usr.email:ADA@EXAMPLE.COM"), 1);
    assert_eq!(checks("lovelace"), 1);
    assert_eq!(checks("ada@example"), 1);
    assert_eq!(checks("\"nightly 50%\""), 2);
    assert_eq!(checks("nightly_50%"), 0);
    let changes = ["access_token.created", "access_token.created", "user.created", "user.created"];
    assert_eq!(
        names(&find("@evt.name:*.created -nightly")),
        [&changes[..2], &changes[2..]].concat()
    );
    assert_eq!(names(&find("@asset.type:users @usr.email:*")).len(), 0);
    assert_eq!(
        names(&find(&format!("@asset.id:{} @evt.name:(*.created OR *.revoked)", token.id))),
        ["access_token.created", "access_token.revoked"]
    );
}

#[test]
fn every_supported_part_of_a_query_selects_events_on_sqlite() {
    every_supported_part_of_a_query_selects_events(&Database::sqlite());
}

#[test]
fn every_supported_part_of_a_query_selects_events_on_postgres() {
    every_supported_part_of_a_query_selects_events(&Database::postgres());
}

#[test]
fn an_unsupported_query_or_member_is_refused_by_name() {
    let database = Database::sqlite();
    let (server, root) = Server::first(&database, &[]);
    for (query, part) in [
        ("@metadata.name:x", "@metadata.name"),
        ("service:ddpatrold", "service"),
        ("@evt.name:[a TO b]", "@evt.name:[a"),
        ("@usr.id:12*", "@usr.id:12*"),
        ("@http.status_code:teapot", "teapot"),
        ("(@action:created", "parenthesis"),
    ] {
        let get = Request::get(EVENTS).query(&[("filter[query]", query)]).bearer(&root);
        let text = server.call(&get).expect(400).text();
        assert!(text.contains("filter[query]: ") && text.contains(part), "{text}");
    }
    let post = |body: Value| {
        server.call(&Request::post(format!("{EVENTS}/search")).bearer(&root).json(&body))
    };
    for (body, field) in [
        (json!({"filters": {}}), "filters"),
        (json!({"filter": {"text": "x"}}), "filter.text"),
        (json!({"page": {"limit": 0}}), "page.limit: must be a number from 1 to 1000"),
        (json!({"page": {"cursor": "x"}}), "page.cursor: invalid cursor"),
        (json!({"options": {"time_offset": 5}}), "options.time_offset"),
        (json!({"filter": {"from": "yesterday"}}), "filter.from"),
        (json!({"filter": {"query": "@x:y"}}), "filter.query"),
    ] {
        let text = post(body).expect(400).text();
        assert!(text.contains(field), "{text}");
    }
    let recent = post(json!({"filter": {"from": "now-15m", "to": "now"}, "sort": "-timestamp"}));
    assert!(!recent.expect(200).json()["data"].as_array().unwrap().is_empty());
    let old = post(json!({"filter": {"to": "now-1h"}}));
    assert!(old.expect(200).json()["data"].as_array().unwrap().is_empty());
    server.call(&Request::get(TOKENS).bearer(&root)).expect(200);
}
