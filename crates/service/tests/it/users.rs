//! Users as the API shows them, and tokens that an administrator creates for another person.

use crate::database::Database;
use crate::http::Request;
use crate::people::person;
use crate::server::{PERMISSIONS, Server, TOKENS, admin, check, creation, event_name, try_admin};
use crate::until;
use serde_json::{Value, json};

const USERS: &str = "/api/v2/users";

#[test]
fn addresses_are_compared_without_case() {
    let database = Database::sqlite();
    let (_server, _) = Server::first(&database, &[]);
    let ada = person("Ada@Example.com").add(&database);
    for email in ["ada@example.com", "ADA@EXAMPLE.COM", "Ada@Example.com"] {
        assert!(!try_admin(&database, &["user", "add", email]).status.success(), "{email}");
    }
    admin(&database, &["user", "disable", "ADA@example.com"]);
    let list = admin(&database, &["user", "list"]);
    assert!(list.contains(&format!("{}\tAda@Example.com\tdisabled", ada.id)), "{list}");
}

fn emails(answer: &Value) -> Vec<&str> {
    let users = answer["data"].as_array().unwrap();
    users.iter().map(|user| user["attributes"]["email"].as_str().unwrap()).collect()
}

/// Returns the body of a creation with an owner.
fn owned(owner: &str, scopes: &[&str]) -> Value {
    let end = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(48)).to_string();
    json!({"data": {
        "type": "personal_access_tokens",
        "attributes": {"name": "for another", "scopes": scopes, "expires_at": end},
        "relationships": {"owned_by": {"data": {"id": owner, "type": "users"}}},
    }})
}

fn users_are_listed_with_either_header(database: &Database) {
    let (server, root) = Server::first(database, &[]);
    let ada = person("Ada@example.com").with(&["user_app_keys"]).add(database);
    let bearer = server.call(&Request::get(USERS).bearer(&root)).expect(200);
    assert_eq!(bearer.header("content-type"), Some("application/json"));
    let key = Request::get(USERS).header("dd-application-key", &root).header("dd-api-key", "x");
    assert_eq!(server.call(&key).expect(200).json(), bearer.json());
    let list = bearer.json();
    assert_eq!(emails(&list), ["Ada@example.com", "admin@localhost"], "sorted by name");
    assert_eq!(list["meta"]["page"], json!({"total_count": 2, "total_filtered_count": 2}));

    let get = |query: &[(&str, &str)]| {
        server.call(&Request::get(USERS).query(query).bearer(&root)).expect(200).json()
    };
    let filtered = get(&[("filter", "ADA@EX"), ("page[size]", "1")]);
    assert_eq!(filtered["data"][0]["id"], ada.id.as_str());
    assert_eq!(filtered["meta"]["page"], json!({"total_count": 2, "total_filtered_count": 1}));
    assert_eq!(emails(&get(&[("sort", "-email")])), ["admin@localhost", "Ada@example.com"]);
    assert_eq!(emails(&get(&[("page[size]", "1"), ("page[number]", "1")])), ["admin@localhost"]);
    admin(database, &["user", "disable", "ada@EXAMPLE.com"]);
    assert_eq!(emails(&get(&[("filter[status]", "Disabled")])), ["Ada@example.com"]);
    assert_eq!(emails(&get(&[("filter[status]", "Active")])), ["admin@localhost"]);
    for query in [[("filter[status]", "Odd")], [("filter[x]", "y")], [("sort", "title")]] {
        server.call(&Request::get(USERS).query(&query).bearer(&root)).expect(400);
    }
    let own = server.call(&Request::get("/api/v2/current_user").bearer(&root)).expect(200);
    let path = format!("{USERS}/{}", own.json()["data"]["id"].as_str().unwrap());
    assert_eq!(server.call(&Request::get(path).bearer(&root)).expect(200).json(), own.json());
}

#[test]
fn users_are_listed_with_either_header_on_sqlite() {
    users_are_listed_with_either_header(&Database::sqlite());
}

#[test]
fn users_are_listed_with_either_header_on_postgres() {
    users_are_listed_with_either_header(&Database::postgres());
}

#[test]
fn a_person_without_permission_sees_only_themselves() {
    let database = Database::sqlite();
    let (server, root) = Server::first(&database, &[]);
    let ada = person("ada@example.com").with(&["user_app_keys"]).add(&database);
    let own = ada.token(&["user_access_read"]).key;
    let current = server.call(&Request::get("/api/v2/current_user").bearer(&own)).expect(200);
    assert_eq!(current.json()["data"]["id"], ada.id.as_str());
    server.call(&Request::get(format!("{USERS}/{}", ada.id)).bearer(&own)).expect(200);
    let other = server.call(&Request::get("/api/v2/current_user").bearer(&root)).expect(200);
    let other = other.json()["data"]["id"].as_str().unwrap().to_owned();
    for path in [USERS, &format!("{USERS}/{other}"), &format!("{USERS}/{}", &ada.id[1..])] {
        server.call(&Request::get(path).bearer(&own)).expect(403);
    }
    admin(&database, &["user", "grant", &ada.id, "user_access_read"]);
    let get = Request::get(format!("{USERS}/{other}")).bearer(&own);
    until("the permission takes effect", || (server.call(&get).status == 200).then_some(()));
    server.call(&Request::get(format!("{USERS}/{}", &ada.id[1..])).bearer(&own)).expect(404);
}

#[test]
fn the_first_versions_validation_is_200_for_a_live_token_and_403_otherwise() {
    let database = Database::sqlite();
    let (server, root) = Server::first(&database, &[]);
    let get = || Request::get("/api/v1/validate");
    for request in [get().bearer(&root), get().header("dd-application-key", &root)] {
        assert_eq!(server.call(&request).expect(200).json(), json!({"valid": true}));
    }
    let token = server.mint(&root, "dead", &["dashboards_read"]);
    server.revoke(&root, &token.id);
    for request in [get(), get().header("dd-api-key", &root), get().bearer(&token.key)] {
        assert_eq!(server.call(&request).expect(403).json(), json!({"errors": ["Forbidden"]}));
    }
}

#[test]
fn an_administrator_creates_tokens_for_others_and_nobody_else_does() {
    let database = Database::sqlite();
    let (server, root) = Server::first(&database, &[]);
    let ada = person("ada@example.com").with(&["user_app_keys"]).add(&database);
    let post = |with: &str, body: &Value| Request::post(TOKENS).bearer(with).json(body);
    let made = server.call(&post(&root, &owned(&ada.id, &["user_app_keys"]))).expect(201).json();
    assert_eq!(made["data"]["relationships"]["owned_by"]["data"]["id"], ada.id.as_str());
    let key = made["data"]["attributes"]["key"].as_str().unwrap();
    let current = server.call(&Request::get("/api/v2/current_user").bearer(key)).expect(200);
    assert_eq!(current.json()["data"]["id"], ada.id.as_str());
    let id = made["data"]["id"].as_str().unwrap();
    let events = server.events(&root, &format!("@asset.id:{id} @evt.name:access_token.created"));
    let event = &events[0]["attributes"]["attributes"];
    assert_eq!(event["usr"]["email"], "admin@localhost");
    assert_eq!(event["metadata"]["owner"], "ada@example.com");
    assert_eq!(event_name(&events[0]), "access_token.created");

    let admins = server.call(&Request::get("/api/v2/current_user").bearer(&root)).expect(200);
    let admins = admins.json()["data"]["id"].as_str().unwrap().to_owned();
    // Ada has no permission to create tokens for others; for herself she may name herself.
    server.call(&post(key, &owned(&admins, &["user_app_keys"]))).expect(403);
    let mut own = owned(&ada.id, &["user_app_keys"]);
    let end = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(25);
    own["data"]["attributes"]["expires_at"] = end.to_string().into();
    server.call(&post(key, &own)).expect(201);
    for (owner, part) in [("00000000-0000-4000-8000-000000000000", "no such user"), ("x", "UUID")] {
        let text =
            server.call(&post(&root, &owned(owner, &["dashboards_read"]))).expect(400).text();
        assert!(text.contains("data.relationships.owned_by.data.id") && text.contains(part));
    }
    ada.disable();
    server.call(&post(&root, &owned(&ada.id, &["dashboards_read"]))).expect(400);
}

#[test]
fn a_token_for_another_person_grants_no_permission_that_its_creator_lacks() {
    let database = Database::sqlite();
    let (server, root) = Server::first(&database, &[]);
    let admins = server.call(&Request::get("/api/v2/current_user").bearer(&root)).expect(200);
    let admins = admins.json()["data"]["id"].as_str().unwrap().to_owned();
    let helpdesk = person("helpdesk@example.com").with(&["user_app_keys", "org_app_keys_write"]);
    let helpdesk = helpdesk.add(&database).token_with_all_scopes().key;
    let post = |scopes: &[&str]| {
        server.call(&Request::post(TOKENS).bearer(&helpdesk).json(&owned(&admins, scopes)))
    };
    for scope in PERMISSIONS {
        let granted = matches!(scope, "user_app_keys" | "org_app_keys_write");
        post(&["dashboards_read", scope]).expect(if granted { 201 } else { 403 });
    }
}

#[test]
fn unknown_members_of_a_body_are_refused_by_name() {
    let database = Database::sqlite();
    let (server, root) = Server::first(&database, &[]);
    let token = server.mint(&root, "x", &["dashboards_read"]);
    let body = owned(&token.id, &["dashboards_read"]);
    let relationships = "/data/relationships";
    for (place, name) in [
        ("", "meta"),
        ("/data", "id"),
        ("/data/attributes", "owner"),
        (relationships, "owner"),
        ("/data/relationships/owned_by", "links"),
        ("/data/relationships/owned_by/data", "email"),
    ] {
        let mut body = body.clone();
        body.pointer_mut(place).unwrap()[name] = "ddpat_secret".into();
        let text = server.call(&Request::post(TOKENS).bearer(&root).json(&body)).expect(400).text();
        let field = format!("{}{name}: unknown member", place.replace('/', ".") + ".");
        assert!(text.contains(field.trim_start_matches('.')), "{text}");
    }
    let patch = json!({"data": {"id": token.id, "type": "personal_access_tokens",
        "attributes": {"title": 1, "ddpat_secret": 2}}});
    let path = format!("{TOKENS}/{}", token.id);
    let text = server.call(&Request::patch(path).bearer(&root).json(&patch)).expect(400).text();
    assert!(text.contains("data.attributes.title: unknown") && !text.contains("secret"), "{text}");
    assert_eq!(server.check(&token.key), 200);
    assert_eq!(server.call(&check(&root)).status, 200);
    server.call(&creation(&root, "known", &["dashboards_read"])).expect(201);
}
