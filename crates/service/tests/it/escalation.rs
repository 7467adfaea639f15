//! A token cannot grant another token more scopes than its own, or a longer life.

use crate::database::Database;
use crate::http::{Answer, Request};
use crate::people::person;
use crate::server::{Server, TOKENS, creation_until, minted};
use serde_json::{Value, json};
use std::thread::scope;

const ADA: &str = "ada@example.com";

/// Returns a request that changes a token's attributes.
fn patch(with: &str, id: &str, attributes: Value) -> Request {
    let data = json!({"type": "personal_access_tokens", "id": id, "attributes": attributes});
    Request::patch(format!("{TOKENS}/{id}")).bearer(with).json(&json!({"data": data}))
}

/// Returns the scopes in a response with a token.
fn scopes(answer: &Answer) -> Vec<String> {
    let scopes = &answer.json()["data"]["attributes"]["scopes"];
    serde_json::from_value(scopes.clone()).unwrap()
}

#[test]
fn a_short_lived_token_cannot_add_scopes_to_a_longer_lived_one() {
    let database = Database::sqlite();
    let (server, root) = Server::first(&database, &[]);
    let ada = person(ADA).with(&["user_app_keys"]).add(&database);
    let wide = ["user_app_keys", "dashboards_read", "monitors_write"];
    let short = ada.token_for("25h", &wide);
    let long = ada.token_for("364d", &["dashboards_read", "metrics_read"]);
    let change = |scopes: &[&str]| patch(&short.key, &long.id, json!({"scopes": scopes}));
    for added in [&wide[..], &["dashboards_read", "monitors_write"], &["user_app_keys"]] {
        let refused = server.call(&change(added)).expect(403).text();
        let get = Request::get(format!("{TOKENS}/{}", long.id)).bearer(&root);
        let shown = server.call(&get).expect(200);
        assert_eq!(scopes(&shown), ["dashboards_read", "metrics_read"]);
        let end = shown.json()["data"]["attributes"]["expires_at"].as_str().unwrap().to_owned();
        assert!(refused.contains(&end) && refused.matches("20").count() >= 2, "{refused}");
    }
    server.call(&patch(&short.key, &long.id, json!({"name": "renamed"}))).expect(200);
    // Keeping and removing scopes grants nothing, even for a scope that the caller lacks.
    assert_eq!(scopes(&server.call(&change(&["metrics_read"])).expect(200)), ["metrics_read"]);
    server.call(&change(&["metrics_read", "dashboards_read"])).expect(403);
}

#[test]
fn a_token_can_add_its_own_scopes_to_one_that_expires_no_later() {
    let database = Database::sqlite();
    let (server, root) = Server::first(&database, &[]);
    let end = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(48)).to_string();
    let mint = |scopes: &[&str]| {
        minted(&server.call(&creation_until(&root, "same end", scopes, &end)).expect(201))
    };
    let giver = mint(&["user_app_keys", "metrics_read"]);
    let taker = mint(&["dashboards_read"]);
    let change = |scopes: &[&str]| patch(&giver.key, &taker.id, json!({"scopes": scopes}));
    let given = server.call(&change(&["dashboards_read", "metrics_read"])).expect(200);
    assert_eq!(scopes(&given), ["dashboards_read", "metrics_read"]);
    let lacking = server.call(&change(&["dashboards_read", "monitors_write"])).expect(403);
    assert!(lacking.text().contains("monitors_write"), "{}", lacking.text());
    let own = patch(&giver.key, &giver.id, json!({"scopes": ["user_app_keys", "monitors_write"]}));
    server.call(&own).expect(403);
}

/// Removes a scope repeatedly while another caller without the scope writes lists that keep it. The
/// removed scope must never return.
fn removal_is_final(database: &Database) {
    let (server, root) = Server::first(database, &[]);
    let weak = server.mint(&root, "weak", &["user_app_keys", "dashboards_read"]);
    let (with, without) =
        (json!(["dashboards_read", "monitors_write"]), json!(["dashboards_read"]));
    for round in 0..20 {
        let target = server.mint(&root, "target", &["dashboards_read", "monitors_write"]);
        let keep = patch(&weak.key, &target.id, json!({"scopes": with}));
        let remove = patch(&root, &target.id, json!({"scopes": without}));
        scope(|scope| {
            let keeping: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let mut connection = server.connect();
                        for _ in 0..10 {
                            let status = connection.send(&keep).unwrap().status;
                            assert!(matches!(status, 200 | 403 | 503), "{status}");
                        }
                    })
                })
                .collect();
            server.call(&remove).expect(200);
            for keeper in keeping {
                keeper.join().unwrap();
            }
        });
        let get = Request::get(format!("{TOKENS}/{}", target.id)).bearer(&root);
        assert_eq!(scopes(&server.call(&get).expect(200)), ["dashboards_read"], "round {round}");
    }
}

#[test]
fn a_concurrent_update_does_not_restore_a_removed_scope_on_sqlite() {
    removal_is_final(&Database::sqlite());
}

#[test]
fn a_concurrent_update_does_not_restore_a_removed_scope_on_postgres() {
    removal_is_final(&Database::postgres());
}
