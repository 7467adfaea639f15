//! `ddpatrold admin`: users are disabled and enabled, and tokens listed and revoked in bulk.

use crate::database::Database;
use crate::http::Request;
use crate::people::person;
use crate::server::{Server, TOKENS, admin, check, ddpatrold, try_admin};
use crate::until;
use serde_json::Value;

fn wait_for(server: &Server, token: &str, status: u16) {
    until("the change takes effect", || (server.check(token) == status).then_some(()));
}

fn a_disabled_user_is_enabled_again(database: &Database) {
    let (server, root) = Server::first(database, &[]);
    let ada = person("ada@example.com").add(database);
    let token = ada.token(&["dashboards_read"]).key;
    assert_eq!(server.check(&token), 200);
    ada.disable();
    wait_for(&server, &token, 401);
    ada.enable();
    ada.enable();
    wait_for(&server, &token, 200);
    assert_eq!(server.events(&root, "@evt.name:user.enabled").len(), 1);
}

#[test]
fn a_disabled_user_is_enabled_again_on_sqlite() {
    a_disabled_user_is_enabled_again(&Database::sqlite());
}

#[test]
fn a_disabled_user_is_enabled_again_on_postgres() {
    a_disabled_user_is_enabled_again(&Database::postgres());
}

#[test]
fn a_list_ends_silently_when_its_reader_does() {
    let database = Database::sqlite();
    let (_server, _) = Server::first(&database, &[]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = ddpatrold();
    command.args(["admin", "--database", &database.url(), "token", "list"]).stdout(writer);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = ddpatrold();
    let issue = ["token", "issue", "--user", "admin@localhost", "--name", "x", "--all-scopes"];
    command.args(["admin", "--database", &database.url()]).args(issue).stdout(writer);
    let errors = String::from_utf8(command.output().unwrap().stderr).unwrap();
    assert!(errors.contains("the token, which is live: revoke it with"), "{errors}");
}

#[test]
fn errors_of_commands_explain_what_to_correct() {
    let database = Database::sqlite();
    let refused = |args: &[&str], expected: &str| {
        let output = try_admin(&database, args);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains(expected), "{errors}");
    };
    refused(&["user", "list"], "does not exist; `ddpatrold serve` creates it");
    let (_server, _) = Server::first(&database, &[]);
    let issue = |name: &str, scope: &str, expected: &str| {
        let user = ["token", "issue", "--user", "admin@localhost", "--name", name];
        refused(&[&user[..], &["--scope", scope]].concat(), expected);
    };
    refused(
        &["token", "revoke", "0000000000000000000001"],
        "unknown token 0000000000000000000001 (00000000-0000-0000-0000-000000000001)",
    );
    let token = format!("ddpat_{}_{}", "A".repeat(22), "b".repeat(49));
    for words in [&["token", "list", &token][..], &["token", "revoke", "--issued-before", &token]] {
        let output = try_admin(&database, words);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains("ddpat_") && !errors.contains(&token[30..]), "{errors}");
    }
    issue("x", "nope", "unknown scope \"nope\"; use the scope names from the documentation");
    issue("x", "user_app_key", "similar scopes: user_access_invite");
    issue(" ", "user_app_keys", "--name: must not be blank");
    issue("", "user_app_keys", "--name: must be a string of 1 to 255 characters");
}

fn the_last_administrator_remains(database: &Database) {
    let (server, root) = Server::first(database, &[]);
    let refused = |args: &[&str]| {
        let output = try_admin(database, args);
        assert!(!output.status.success(), "{args:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("last administrator"));
    };
    let remove = ["user", "grant", "admin@localhost", "org_app_keys_write", "--remove"];
    refused(&["user", "disable", "admin@localhost"]);
    refused(&remove);
    admin(database, &["user", "grant", "admin@localhost", "audit_logs_read", "--remove"]);
    let two = person("two@example.com").with(&["org_app_keys_write"]).add(database);
    two.disable();
    refused(&["user", "disable", "admin@localhost"]);
    two.enable();
    admin(database, &remove);
    refused(&["user", "disable", "two@example.com"]);
    admin(database, &["user", "disable", "admin@localhost"]);
    wait_for(&server, &root, 401);
}

#[test]
fn the_last_administrator_remains_on_sqlite() {
    the_last_administrator_remains(&Database::sqlite());
}

#[test]
fn the_last_administrator_remains_on_postgres() {
    the_last_administrator_remains(&Database::postgres());
}

fn tokens_are_listed_and_revoked_by_state_owner_and_use(database: &Database) {
    let (server, root) = Server::first(database, &[]);
    let ada = person("ada@example.com").add(database);
    let issue = |name: &str, lifetime: &str| ada.issue(name, lifetime, &["dashboards_read"]).key;
    let (used, _unused) = (issue("used", "300d"), issue("unused", "2d"));
    let (leaked, _short) = (issue("leaked", "300d"), issue("short", "1s"));
    server.report(&serde_json::json!([{"token": leaked}]));
    until("the short token expires", || {
        let list = admin(database, &["token", "list", "--state", "expired"]);
        list.contains("\texpired\t").then_some(())
    });
    until("the use is recorded", || {
        server.call(&check(&used)).expect(200);
        let list = admin(database, &["token", "list", "--owner", "ada@example.com"]);
        let line = list.lines().find(|line| line.ends_with("\tused")).unwrap();
        (!line.ends_with("\t-\tused")).then_some(())
    });
    for (state, name) in [("expiring", "unused"), ("revoked", "leaked"), ("leaked", "leaked")] {
        let list = admin(database, &["token", "list", "--state", state]);
        assert!(list.lines().count() == 1 && list.ends_with(&format!("\t{name}")), "{list}");
        let query = [("filter[state]", state)];
        let answer = server.call(&Request::get(TOKENS).query(&query).bearer(&root)).expect(200);
        let data = answer.json()["data"].clone();
        assert_eq!(data.as_array().unwrap().len(), 1, "{state}: {data}");
        let shown = &data[0]["attributes"];
        let expected = if state == "expiring" { "expiring" } else { "revoked" };
        assert_eq!((&shown["name"], &shown["state"]), (&Value::from(name), &expected.into()));
    }
    let wrong = Request::get(TOKENS).query(&[("filter[state]", "odd")]).bearer(&root);
    assert!(server.call(&wrong).expect(400).text().contains("filter[state]"));

    assert!(!try_admin(database, &["token", "revoke"]).status.success());
    let unused = ["token", "revoke", "--owner", "ada@example.com", "--unused-since"];
    let none = admin(database, &[&unused[..], &["1h"]].concat());
    assert_eq!(none, "", "every token is younger than an hour");
    let later = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1)).to_string();
    let revoke = ["token", "revoke", "--owner", "ada@example.com", "--issued-before", &later];
    let planned = admin(database, &[&revoke[..], &["--dry-run"]].concat());
    assert_eq!(planned.lines().count(), 2);
    assert_eq!(server.check(&used), 200);
    assert_eq!(admin(database, &revoke).lines().count(), 2);
    wait_for(&server, &used, 401);
    assert_eq!(server.check(&root), 200);
    let query = "@evt.name:access_token.revoked @auth_method:command_line";
    assert_eq!(server.events(&root, query).len(), 2);
}

#[test]
fn events_of_commands_name_the_user_of_the_operating_system() {
    let database = Database::sqlite();
    let (server, with) = Server::first(&database, &[]);
    let mut command = ddpatrold();
    command
        .args(["admin", "--database", &database.url(), "user", "add", "ada@example.com"])
        .env("SUDO_USER", format!("eve {with}"));
    assert!(command.output().unwrap().status.success());
    server.mint(&with, "t", &["user_app_keys"]);
    let events = server.events(&with, "@evt.name:(user.created OR access_token.created)");
    let operators: Vec<_> = events
        .iter()
        .map(|event| {
            (
                &event["attributes"]["attributes"]["auth_method"],
                &event["attributes"]["attributes"]["metadata"]["operator"],
            )
        })
        .collect();
    let by_command: Vec<_> =
        operators.iter().filter(|(method, _)| *method == "command_line").collect();
    assert_eq!(by_command.len(), 1, "{events:?}");
    let operator = by_command[0].1;
    assert_eq!(operator["uid"], nix::unistd::getuid().as_raw());
    let name = std::process::Command::new("id").arg("-un").output().unwrap().stdout;
    assert_eq!(operator["user"], String::from_utf8(name).unwrap().trim());
    assert!(operator["sudo_user"].as_str().unwrap().starts_with("eve ddpat_"));
    assert!(!operator.to_string().contains(&with[30..]), "{operator}");
    let others = operators.iter().filter(|(_, operator)| operator.is_null()).count();
    assert_eq!(others, events.len() - 1);
}

#[test]
fn tokens_are_listed_and_revoked_by_state_owner_and_use_on_sqlite() {
    tokens_are_listed_and_revoked_by_state_owner_and_use(&Database::sqlite());
}

#[test]
fn tokens_are_listed_and_revoked_by_state_owner_and_use_on_postgres() {
    tokens_are_listed_and_revoked_by_state_owner_and_use(&Database::postgres());
}
