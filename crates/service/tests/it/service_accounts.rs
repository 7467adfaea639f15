//! Service accounts: users without a person, with tokens that need not expire.

use crate::database::Database;
use crate::http::{Answer, Request};
use crate::people::person;
use crate::server::{PERMISSIONS, Server, TOKENS, Token, admin, event_name, minted};
use crate::until;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const ACCOUNTS: &str = "/api/v2/service_accounts";
const USERS: &str = "/api/v2/users";

fn account_body(email: &str) -> Value {
    json!({"data": {"type": "users", "attributes": {"email": email, "service_account": true}}})
}

/// Creates a service account. Returns its identifier.
#[track_caller]
fn account(server: &Server, with: &str, email: &str) -> String {
    let request = Request::post(ACCOUNTS).bearer(with).json(&account_body(email));
    let answer = server.call(&request).expect(201).json();
    answer["data"]["id"].as_str().unwrap().to_owned()
}

fn tokens(account: &str) -> String {
    format!("{ACCOUNTS}/{account}/access_tokens")
}

fn creation(with: &str, account: &str, attributes: Value) -> Request {
    let data = json!({"type": "service_access_tokens", "attributes": attributes});
    Request::post(tokens(account)).bearer(with).json(&json!({"data": data}))
}

/// Creates a token that does not expire.
#[track_caller]
fn token(server: &Server, with: &str, account: &str, scopes: &[&str]) -> Token {
    let attributes = json!({"name": "deploy", "scopes": scopes});
    minted(&server.call(&creation(with, account, attributes)).expect(201))
}

fn patch(with: &str, path: &str, id: &str, attributes: Value) -> Request {
    let kind = if path.starts_with(USERS) { "users" } else { "service_access_tokens" };
    let data = json!({"type": kind, "id": id, "attributes": attributes});
    Request::patch(format!("{path}/{id}")).bearer(with).json(&json!({"data": data}))
}

fn ids(list: &Answer) -> Vec<String> {
    let list = list.json();
    let tokens = list["data"].as_array().unwrap();
    tokens.iter().map(|token| token["id"].as_str().unwrap().to_owned()).collect()
}

fn a_token_of_an_account_lives_until_it_is_revoked(database: &Database) {
    let (server, root) = Server::first(database, &[]);
    let robot = account(&server, &root, "Robot@Example.com");
    let eternal = token(&server, &root, &robot, &["dashboards_read"]);
    assert!(eternal.key.starts_with("ddsat_"));
    let end = (Timestamp::now() + SignedDuration::from_hours(48)).to_string();
    let attributes = json!({"name": "brief", "scopes": ["dashboards_read"], "expires_at": end});
    let brief = minted(&server.call(&creation(&root, &robot, attributes)).expect(201));
    for key in [&eternal.key, &brief.key] {
        assert_eq!(server.check(key), 200);
        let current = server.call(&Request::get("/api/v2/current_user").bearer(key)).expect(200);
        let current = current.json();
        assert_eq!(current["data"]["id"], robot.as_str());
        assert_eq!(current["data"]["attributes"]["email"], "robot@example.com");
        assert_eq!(current["data"]["attributes"]["handle"], robot.as_str());
    }
    let path = tokens(&robot);
    let get = |id: &str| server.call(&Request::get(format!("{path}/{id}")).bearer(&root));
    let shown = get(&eternal.id).expect(200).json();
    assert_eq!(shown["data"]["attributes"]["expires_at"], Value::Null);
    let sorted = Request::get(&path).query(&[("sort", "-expires_at")]).bearer(&root);
    assert_eq!(ids(&server.call(&sorted).expect(200)), [&eternal.id[..], &brief.id]);
    let renamed = patch(&root, &path, &eternal.id, json!({"name": "renamed"}));
    let renamed = server.call(&renamed).expect(200).json();
    assert_eq!(renamed["data"]["attributes"]["name"], "renamed");
    let listed = admin(database, &["token", "list", "--owner", &robot]);
    assert!(listed.contains("\tlive\tnever\t") && listed.lines().count() == 2, "{listed}");

    for _ in 0..2 {
        let delete = Request::delete(format!("{path}/{}", eternal.id)).bearer(&root);
        server.call(&delete).expect(204);
    }
    assert_eq!((server.check(&eternal.key), server.check(&brief.key)), (401, 200));
    get(&eternal.id).expect(404);
    let query = format!("@asset.id:{} @asset.type:service_access_tokens", eternal.id);
    let events = until("the use is recorded", || {
        let events = server.events(&root, &query);
        events.iter().any(|event| event_name(event) == "access_token.used").then_some(events)
    });
    let names = ["access_token.created", "access_token.updated", "access_token.revoked"];
    for name in names {
        assert_eq!(events.iter().filter(|event| event_name(event) == name).count(), 1, "{name}");
    }
    assert!(!json!(events).to_string().contains("personal access token"));
}

#[test]
fn a_token_of_an_account_lives_until_it_is_revoked_on_sqlite() {
    a_token_of_an_account_lives_until_it_is_revoked(&Database::sqlite());
}

#[test]
fn a_token_of_an_account_lives_until_it_is_revoked_on_postgres() {
    a_token_of_an_account_lives_until_it_is_revoked(&Database::postgres());
}

#[test]
fn tokens_of_people_and_of_accounts_are_separate() {
    let database = Database::sqlite();
    let (server, root) = Server::first(&database, &[]);
    let robot = account(&server, &root, "robot@example.com");
    let other = account(&server, &root, "other@example.com");
    let machine = token(&server, &root, &robot, &["dashboards_read"]);
    let personal = server.mint(&root, "personal", &["dashboards_read"]);
    let call = |path: String| server.call(&Request::get(path).bearer(&root));
    assert!(!ids(&call(TOKENS.to_owned()).expect(200)).contains(&machine.id));
    assert_eq!(ids(&call(tokens(&robot)).expect(200)), [&machine.id[..]]);
    assert!(ids(&call(tokens(&other)).expect(200)).is_empty());
    for path in [
        format!("{TOKENS}/{}", machine.id),
        format!("{}/{}", tokens(&robot), personal.id),
        format!("{}/{}", tokens(&other), machine.id),
        format!("{}/{}", tokens(&robot), &machine.id[1..]),
        tokens(&personal.id),
    ] {
        call(path.clone()).expect(404);
        if path.len() > tokens(&robot).len() || path.starts_with(TOKENS) {
            server.call(&Request::delete(path).bearer(&root)).expect(404);
        }
    }
    assert_eq!((server.check(&machine.key), server.check(&personal.key)), (200, 200));
    let query = [("filter[owned_by]", robot.as_str())];
    server.call(&Request::get(tokens(&robot)).query(&query).bearer(&root)).expect(400);
    // The same secret under the prefix of the other kind is another token.
    assert_eq!(server.check(&machine.key.replace("ddsat_", "ddpat_")), 401);
}

#[test]
fn only_service_account_write_manages_accounts() {
    let database = Database::sqlite();
    let (server, root) = Server::first(&database, &[]);
    let robot = account(&server, &root, "robot@example.com");
    let machine = token(&server, &root, &robot, &["dashboards_read"]);
    let others: Vec<_> =
        PERMISSIONS.into_iter().filter(|&it| it != "service_account_write").collect();
    let weak = person("weak@example.com").with(&others).add(&database).token_with_all_scopes();
    let narrow = person("narrow@example.com").with(&PERMISSIONS).add(&database);
    let narrow = narrow.token_for("30d", &others);
    let path = tokens(&robot);
    for with in [&weak.key, &narrow.key] {
        for request in [
            Request::post(ACCOUNTS).bearer(with).json(&account_body("x@example.com")),
            creation(with, &robot, json!({"name": "x", "scopes": ["dashboards_read"]})),
            patch(with, &path, &machine.id, json!({"name": "x"})),
            Request::delete(format!("{path}/{}", machine.id)).bearer(with),
            patch(with, USERS, &robot, json!({"disabled": true})),
            Request::delete(format!("{USERS}/{robot}")).bearer(with),
        ] {
            let text = server.call(&request).expect(403).text();
            assert!(text.contains("service_account_write"), "{text}");
        }
        // Whoever reads all tokens also reads these.
        server.call(&Request::get(&path).bearer(with)).expect(200);
    }
    let reader = person("reader@example.com").with(&["user_app_keys"]).add(&database);
    server.call(&Request::get(&path).bearer(&reader.token_with_all_scopes().key)).expect(403);
    assert_eq!(server.check(&machine.key), 200);
}

#[test]
fn a_token_of_an_account_grants_no_more_than_its_creator_has() {
    let database = Database::sqlite();
    let (server, root) = Server::first(&database, &[]);
    let robot = account(&server, &root, "robot@example.com");
    admin(&database, &["user", "grant", &robot, "audit_logs_read"]);
    let manager = person("manager@example.com").with(&["service_account_write"]).add(&database);
    let manager = manager.token_with_all_scopes().key;
    let scoped = person("scoped@example.com").with(&["service_account_write"]).add(&database);
    let scoped = scoped.token_for("30d", &["service_account_write", "dashboards_read"]).key;
    let post = |with: &str, scopes: &[&str]| {
        server.call(&creation(with, &robot, json!({"name": "x", "scopes": scopes})))
    };
    let text = post(&scoped, &["metrics_read"]).expect(403).text();
    assert!(text.contains("metrics_read"), "{text}");
    let text = post(&manager, &["dashboards_read", "audit_logs_read"]).expect(403).text();
    assert!(text.contains("audit_logs_read"), "{text}");
    let machine = minted(&post(&manager, &["dashboards_read"]).expect(201));
    // Nor does an update of the token, whose secret the creator knows.
    let widen =
        |scopes: &[&str]| patch(&manager, &tokens(&robot), &machine.id, json!({"scopes": scopes}));
    server.call(&widen(&["dashboards_read", "audit_logs_read"])).expect(403);
    server.call(&widen(&["dashboards_read", "metrics_read"])).expect(200);
    let events = Request::get("/api/v2/audit/events").bearer(&machine.key);
    server.call(&events).expect(403);
    let strong = token(&server, &root, &robot, &["audit_logs_read"]);
    let events = Request::get("/api/v2/audit/events").bearer(&strong.key);
    server.call(&events).expect(200);
}

#[test]
fn an_update_of_another_persons_token_grants_no_permission_that_the_caller_lacks() {
    let database = Database::sqlite();
    let (server, root) = Server::first(&database, &[]);
    let root_id = server.call(&Request::get("/api/v2/current_user").bearer(&root)).expect(200);
    let owner = root_id.json()["data"]["id"].clone();
    let helpdesk = person("helpdesk@example.com").with(&["org_app_keys_write"]).add(&database);
    let helpdesk = helpdesk.token_with_all_scopes().key;
    let end = (Timestamp::now() + SignedDuration::from_hours(48)).to_string();
    let body = json!({"data": {
        "type": "personal_access_tokens",
        "attributes": {"name": "x", "scopes": ["dashboards_read"], "expires_at": end},
        "relationships": {"owned_by": {"data": {"id": owner, "type": "users"}}},
    }});
    let theirs = server.call(&Request::post(TOKENS).bearer(&helpdesk).json(&body)).expect(201);
    let theirs = minted(&theirs);
    let widen = |scope: &str| {
        let attributes = json!({"scopes": ["dashboards_read", scope]});
        let data =
            json!({"type": "personal_access_tokens", "id": theirs.id, "attributes": attributes});
        let path = format!("{TOKENS}/{}", theirs.id);
        server.call(&Request::patch(path).bearer(&helpdesk).json(&json!({"data": data})))
    };
    for scope in PERMISSIONS {
        widen(scope).expect(if scope == "org_app_keys_write" { 200 } else { 403 });
    }
    widen("metrics_read").expect(200);
}

#[test]
fn an_account_manages_tokens_of_accounts_but_has_no_personal_ones() {
    let database = Database::sqlite();
    let (server, root) = Server::first(&database, &[]);
    let robot = account(&server, &root, "robot@example.com");
    admin(&database, &["user", "grant", &robot, "service_account_write", "user_app_keys"]);
    let scopes = ["service_account_write", "user_app_keys", "dashboards_read"];
    let machine = token(&server, &root, &robot, &scopes);
    token(&server, &machine.key, &robot, &["dashboards_read"]);
    let personal = crate::server::creation(&machine.key, "x", &["dashboards_read"]);
    let text = server.call(&personal).expect(403).text();
    assert!(text.contains("access_tokens"), "{text}");
    let issued = admin(
        &database,
        &["token", "issue", "--user", &robot, "--name", "x", "--scope", "dashboards_read"],
    );
    assert!(issued.starts_with("ddsat_"), "the command line issues the same kind");
    assert_eq!(server.check(&issued), 200);
}

#[test]
fn leaked_tokens_of_accounts_are_revoked_like_others() {
    let database = Database::sqlite();
    let (server, root) = Server::first(&database, &[]);
    let robot = account(&server, &root, "robot@example.com");
    let [reported, held] = [(); 2].map(|()| token(&server, &root, &robot, &["dashboards_read"]));
    assert_eq!(server.report(&json!([{"token": reported.key}])), ["revoked"]);
    assert_eq!(server.check(&reported.key), 401);
    let introspect = |key: &str| {
        let form = Request::post("/oauth2/introspect").bearer(&root).body(format!("token={key}"));
        let form = form.header("content-type", "application/x-www-form-urlencoded");
        server.call(&form).expect(200).json()
    };
    let state = introspect(&held.key);
    assert_eq!((&state["active"], state.get("exp")), (&json!(true), None));
    assert_eq!(introspect(&reported.key), json!({"active": false}));
    let revoke = Request::post("/oauth2/revoke").body(format!("token={}", held.key));
    let revoke = revoke.header("content-type", "application/x-www-form-urlencoded");
    server.call(&revoke).expect(200);
    assert_eq!(server.check(&held.key), 401);
    let leaked = Request::get(tokens(&robot)).query(&[("filter[leaked]", "true")]).bearer(&root);
    assert_eq!(ids(&server.call(&leaked).expect(200)), [&reported.id[..]]);
}

fn accounts_are_changed_and_disabled(database: &Database) {
    let (server, root) = Server::first(database, &[]);
    let robot = account(&server, &root, "robot@example.com");
    let other = account(&server, &root, "other@example.com");
    let machine = token(&server, &root, &robot, &["dashboards_read"]);
    for email in ["robot@example.com", "ROBOT@example.com", "admin@localhost"] {
        let again = Request::post(ACCOUNTS).bearer(&root).json(&account_body(email));
        server.call(&again).expect(409);
    }
    let update = |attributes: Value| server.call(&patch(&root, USERS, &robot, attributes));
    let changed = update(json!({"name": "Robot", "email": "Robot2@example.com"})).expect(200);
    let attributes = &changed.json()["data"]["attributes"];
    assert_eq!(
        (&attributes["name"], &attributes["email"]),
        (&json!("Robot"), &json!("robot2@example.com"))
    );
    update(json!({"email": "other@example.com"})).expect(409);
    let before = server.events(&root, &format!("@asset.id:{robot}")).len();
    update(json!({"name": "Robot"})).expect(200);
    assert_eq!(server.events(&root, &format!("@asset.id:{robot}")).len(), before, "no change");

    for _ in 0..2 {
        server.call(&Request::delete(format!("{USERS}/{robot}")).bearer(&root)).expect(204);
    }
    assert_eq!(server.check(&machine.key), 401);
    let shown = server.call(&Request::get(format!("{USERS}/{robot}")).bearer(&root)).expect(200);
    assert_eq!(shown.json()["data"]["attributes"]["status"], "Disabled");
    let attributes = json!({"name": "x", "scopes": ["dashboards_read"]});
    server.call(&creation(&root, &robot, attributes)).expect(409);
    update(json!({"disabled": false})).expect(200);
    assert_eq!(server.check(&machine.key), 200);
    let events = server.events(&root, &format!("@asset.id:{robot}"));
    let names: Vec<_> = events.iter().map(event_name).collect();
    assert_eq!(names, ["user.created", "user.updated", "user.disabled", "user.enabled"]);

    let person = person("ada@example.com").add(database);
    for id in [&person.id, &crate::token_format::id_of(&root)] {
        let status = server.call(&Request::delete(format!("{USERS}/{id}")).bearer(&root)).status;
        assert_eq!(status, if *id == person.id { 403 } else { 404 });
    }
    server.call(&patch(&root, USERS, &person.id, json!({"name": "x"}))).expect(403);
    server.call(&patch(&root, USERS, &other, json!({"title": "x"}))).expect(400);
}

#[test]
fn accounts_are_changed_and_disabled_on_sqlite() {
    accounts_are_changed_and_disabled(&Database::sqlite());
}

#[test]
fn accounts_are_changed_and_disabled_on_postgres() {
    accounts_are_changed_and_disabled(&Database::postgres());
}

#[test]
fn an_invalid_body_is_refused_by_its_field() {
    let database = Database::sqlite();
    let (server, root) = Server::first(&database, &[]);
    let robot = account(&server, &root, "robot@example.com");
    let roles = json!({"roles": {"data": [{"type": "roles", "id": robot}]}});
    for (place, name, value, field) in [
        ("/data/attributes", "email", json!("x"), "data.attributes.email"),
        ("/data/attributes", "email", json!("a\u{202e}@example.com"), "data.attributes.email"),
        ("/data/attributes", "service_account", json!(false), "data.attributes.service_account"),
        ("/data/attributes", "name", json!(""), "data.attributes.name"),
        ("/data/attributes", "title", json!(7), "data.attributes.title"),
        ("/data/attributes", "roles", json!([]), "data.attributes.roles: unknown"),
        ("/data", "relationships", roles, "data.relationships.roles.data"),
        ("/data", "type", json!("service_accounts"), "data.type"),
    ] {
        let mut body = account_body("new@example.com");
        body.pointer_mut(place).unwrap()[name] = value;
        let request = Request::post(ACCOUNTS).bearer(&root).json(&body);
        let text = server.call(&request).expect(400).text();
        assert!(text.contains(field), "{text}");
    }
    for (attributes, field) in [
        (json!({"name": "x"}), "data.attributes.scopes"),
        (json!({"scopes": ["dashboards_read"]}), "data.attributes.name"),
        (json!({"name": "x", "scopes": ["dashboards_read"], "expires_at": "soon"}), "expires_at"),
        (json!({"name": "x", "scopes": ["dashboards_read"], "owner": 1}), "owner: unknown"),
    ] {
        let text = server.call(&creation(&root, &robot, attributes)).expect(400).text();
        assert!(text.contains(field), "{text}");
    }
}
