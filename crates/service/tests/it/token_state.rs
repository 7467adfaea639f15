//! `X-Token-State`: only the holder of a whole dead token learns that it was issued here.

use crate::database::Database;
use crate::http::Request;
use crate::server::{CHECK, Server, TOKENS, admin, check};
use crate::until;
use serde_json::json;

const STATE: &str = "x-token-state";

/// Returns the header of a rejection.
fn state(server: &Server, request: &Request) -> Option<String> {
    let answer = server.call(request).expect(401);
    assert_eq!(answer.json(), json!({"errors": ["Unauthorized"]}));
    answer.header(STATE).map(str::to_owned)
}

fn only_the_whole_token_shows_its_state(database: &Database) {
    let (server, with) = Server::first(database, &[]);
    let live = server.mint(&with, "live", &["user_app_keys"]);
    let revoked = server.mint(&with, "revoked", &["user_app_keys"]);
    let issue = ["token", "issue", "--user", "admin@localhost", "--scope", "user_app_keys"];
    let brief = admin(database, &[&issue[..], &["--name", "brief", "--expires-in", "1s"]].concat());
    server.revoke(&with, &revoked.id);
    assert_eq!(state(&server, &check(&revoked.key)).as_deref(), Some("revoked"));
    let by_key = Request::get(CHECK).header("dd-application-key", revoked.key.as_str());
    assert_eq!(state(&server, &by_key).as_deref(), Some("revoked"));
    assert_eq!(
        state(&server, &Request::get(TOKENS).bearer(&revoked.key)).as_deref(),
        Some("revoked")
    );
    let both = check(&revoked.key).header("dd-application-key", revoked.key.as_str());
    assert_eq!(state(&server, &both).as_deref(), Some("revoked"));
    until("the token expires", || (server.check(&brief) == 401).then_some(()));
    assert_eq!(state(&server, &check(&brief)).as_deref(), Some("expired"));
    let accepted = server.call(&check(&live.key)).expect(200);
    assert_eq!(accepted.header(STATE), None);

    // Another service's token with the same identifier, a wrong checksum, a part of the token.
    let elsewhere = Database::sqlite();
    let (other, other_admin) = Server::first(&elsewhere, &[]);
    let foreign = other.mint(&other_admin, "foreign", &["user_app_keys"]);
    let last = if revoked.key.ends_with('0') { "1" } else { "0" };
    let changed = format!("{}{last}", &revoked.key[..revoked.key.len() - 1]);
    for token in [foreign.key.as_str(), &changed, &revoked.key[..28], &revoked.id, "ddpat_x"] {
        assert_eq!(state(&server, &check(token)), None, "{token}");
    }
    assert_eq!(state(&server, &Request::get(CHECK)), None);
    // With two different tokens it would be ambiguous.
    let two = check(&foreign.key).header("dd-application-key", revoked.key.as_str());
    assert_eq!(state(&server, &two), None);
}

#[test]
fn only_the_whole_token_shows_its_state_on_sqlite() {
    only_the_whole_token_shows_its_state(&Database::sqlite());
}

#[test]
fn only_the_whole_token_shows_its_state_on_postgres() {
    only_the_whole_token_shows_its_state(&Database::postgres());
}

#[test]
fn a_token_with_the_identifier_of_a_dead_one_shows_no_state() {
    let database = Database::sqlite();
    let (server, with) = Server::first(&database, &[]);
    let dead = server.mint(&with, "dead", &["user_app_keys"]);
    server.revoke(&with, &dead.id);
    let minted = ddpatrol_token::datadog::mint_personal_access_token().unwrap();
    let other = String::from_utf8(minted.token.expose().to_vec()).unwrap();
    assert_eq!(state(&server, &check(&other)), None);
}
