//! Sessions of the web pages: how they start, what they may do, and when they end.

use crate::database::Database;
use crate::server::{Server, admin, ddpatrold, event_name};
use crate::until;
use crate::web::{ADMINISTRATOR, Browser, CREATION, link_code};
use std::os::unix::fs::PermissionsExt as _;

#[test]
fn a_link_signs_in_once_and_opening_it_changes_nothing() {
    let database = Database::sqlite();
    let (server, root) = Server::first(&database, &[]);
    let code = link_code(&database, ADMINISTRATOR);
    let mut browser = Browser::new(&server);
    let path = format!("/sign-in/link?code={code}");
    for _ in 0..2 {
        assert!(browser.open(&path).expect(200).text().contains(ADMINISTRATOR));
    }
    let answer = browser.send("/sign-in/link", &[("code", &code)]).expect(303);
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with("session=") && cookie.contains("HttpOnly"), "{cookie}");
    assert!(cookie.contains("SameSite=Strict") && cookie.contains("Path=/"), "{cookie}");
    assert!(!cookie.contains("Max-Age") && !cookie.contains("Expires"), "{cookie}");
    browser.open("/tokens").expect(200);
    Browser::new(&server).send("/sign-in/link", &[("code", &code)]).expect(403);
    let value = cookie.split(['=', ';']).nth(1).unwrap().as_bytes().to_vec();
    for secret in [value.as_slice(), code.as_bytes()] {
        assert!(!database.dump().windows(secret.len()).any(|part| part == secret));
    }
    let events = server.events(&root, "@asset.type:sessions OR @evt.name:sign_in_link.created");
    let names: Vec<_> = events.iter().map(event_name).collect();
    assert_eq!(names, ["sign_in_link.created", "session.started"]);
}

#[test]
fn a_sign_in_never_adopts_a_given_cookie_and_ends_the_previous_session() {
    let database = Database::sqlite();
    let (server, _) = Server::first(&database, &[]);
    let mut browser = Browser::new(&server);
    let planted = format!("session={}", "A".repeat(43));
    browser.cookie = Some(planted.clone());
    let code = link_code(&database, ADMINISTRATOR);
    browser.send("/sign-in/link", &[("code", &code)]).expect(303);
    let first = browser.cookie.clone().unwrap();
    assert_ne!(first, planted);
    let mut attacker = Browser::new(&server);
    attacker.cookie = Some(planted);
    attacker.open("/tokens").expect(303);
    let code = link_code(&database, ADMINISTRATOR);
    browser.send("/sign-in/link", &[("code", &code)]).expect(303);
    assert_ne!(browser.cookie.clone().unwrap(), first);
    attacker.cookie = Some(first);
    attacker.open("/tokens").expect(303);
}

#[test]
fn a_session_is_rejected_after_sign_out_and_when_it_ends_elsewhere() {
    let database = Database::sqlite();
    let (server, root) = Server::first(&database, &[]);
    let mut browser = Browser::signed_in(&server, &database, ADMINISTRATOR);
    let mut stolen = Browser::new(&server);
    stolen.cookie.clone_from(&browser.cookie);
    stolen.open("/tokens").expect(200);
    browser.submit("/tokens", "/sign-out", &[]).expect(303);
    assert_eq!(browser.cookie, None);
    stolen.open("/tokens").expect(303);

    let mut one = Browser::signed_in(&server, &database, ADMINISTRATOR);
    let mut other = Browser::signed_in(&server, &database, ADMINISTRATOR);
    let page = one.open("/sessions").text();
    let ids: Vec<_> =
        page.split("/sessions/").skip(1).filter_map(|it| it.split_once("/end")).collect();
    assert_eq!(ids.len(), 2, "{page}");
    // The newest session, which is the other browser's, is listed first.
    one.submit("/sessions", &format!("/sessions/{}/end", ids[0].0), &[]).expect(303);
    other.open("/tokens").expect(303);
    one.open("/tokens").expect(200);
    let ended = server.events(&root, "@evt.name:session.ended");
    assert_eq!(ended.len(), 2);
}

fn a_session_ends_with_its_token_on_every_replica(database: &Database) {
    let (server, root) = Server::first(database, &[]);
    let second = Server::start(database, &[]);
    let token = server.mint(&root, "for the pages", &["user_app_keys", "dashboards_read"]);
    let mut browser = Browser::new(&second);
    browser.send("/sign-in/token", &[("token", &token.key)]).expect(303);
    let page = browser.open("/tokens/new").expect(200).text();
    assert!(
        page.contains("value=\"dashboards_read\"") && !page.contains("value=\"monitors_read\"")
    );
    browser.open("/organization/tokens").expect(403);
    let wider = [CREATION[0], CREATION[1], ("scope", "monitors_read")];
    browser.submit("/tokens/new", "/tokens", &wider).expect(422);
    let longer = [CREATION[0], ("lifetime", "365"), CREATION[2]];
    browser.submit("/tokens/new", "/tokens", &longer).expect(422);
    let within = [CREATION[0], ("lifetime", "1"), CREATION[2]];
    browser.submit("/tokens/new", "/tokens", &within).expect(201);
    server.revoke(&root, &token.id);
    browser.open("/tokens").expect(303);
    until("the token cannot start another session", || {
        let answer = browser.send("/sign-in/token", &[("token", &token.key)]);
        (answer.status == 403).then_some(())
    });
}

#[test]
fn a_session_ends_with_its_token_on_sqlite() {
    a_session_ends_with_its_token_on_every_replica(&Database::sqlite());
}

#[test]
fn a_session_ends_with_its_token_on_every_replica_on_postgres() {
    a_session_ends_with_its_token_on_every_replica(&Database::postgres());
}

#[test]
fn a_session_ends_when_its_user_is_disabled_or_loses_a_permission() {
    let database = Database::sqlite();
    let (server, _) = Server::first(&database, &[]);
    let user = "ada@example.com";
    admin(&database, &["user", "add", user, "--permission", "audit_logs_read"]);
    let mut browser = Browser::signed_in(&server, &database, user);
    browser.open("/security/audit").expect(200);
    admin(&database, &["user", "grant", user, "audit_logs_read", "--remove"]);
    browser.open("/security/audit").expect(403);
    admin(&database, &["user", "disable", user]);
    browser.open("/sessions").expect(303);
}

fn a_session_ends_without_use_and_after_its_longest_time(database: &Database) {
    let (server, root) = Server::first(database, &[]);
    let minute = 60_000_000_i64;
    let set = |column: &str, minutes: i64| {
        let ago = jiff::Timestamp::now().as_microsecond() - minutes * minute;
        database.texts(&format!(
            "UPDATE sessions SET {column} = {ago} WHERE ended_at IS NULL RETURNING 'done'"
        ));
    };
    let mut browser = Browser::signed_in(&server, database, ADMINISTRATOR);
    set("used_at", 29);
    browser.open("/sessions").expect(200);
    browser.open("/sessions").expect(200);
    set("used_at", 31);
    browser.open("/sessions").expect(303);
    let mut browser = Browser::signed_in(&server, database, ADMINISTRATOR);
    set("created_at", 12 * 60 - 1);
    browser.open("/sessions").expect(200);
    set("created_at", 12 * 60 + 1);
    browser.open("/sessions").expect(303);
    // A restarted server ends them at once, with an event.
    server.stop();
    let server = Server::start(database, &[]);
    until("the sessions end", || {
        (server.events(&root, "@evt.name:session.ended").len() == 2).then_some(())
    });
}

#[test]
fn a_session_ends_without_use_on_sqlite() {
    a_session_ends_without_use_and_after_its_longest_time(&Database::sqlite());
}

#[test]
fn a_session_ends_without_use_on_postgres() {
    a_session_ends_without_use_and_after_its_longest_time(&Database::postgres());
}

#[test]
fn a_page_that_another_site_links_to_is_opened_with_the_cookie() {
    let database = Database::sqlite();
    let (server, _) = Server::first(&database, &[]);
    let request = crate::http::Request::get("/tokens?q=a").header("sec-fetch-site", "cross-site");
    let page = server.call(&request).expect(200);
    assert_eq!(page.header("refresh"), Some("0; url=/tokens?q=a"));
    let mut browser = Browser::new(&server);
    let code = link_code(&database, ADMINISTRATOR);
    browser.send("/sign-in/link", &[("code", &code)]).expect(303);
    let token = admin(
        &database,
        &["token", "issue", "--user", ADMINISTRATOR, "--name", "x", "--all-scopes"],
    );
    for (next, location) in [("/security/audit", "/security/audit"), ("//evil.example", "/")] {
        let answer = browser.send("/sign-in/token", &[("token", &token), ("next", next)]);
        assert_eq!(answer.expect(303).header("location"), Some(location));
    }
}

#[test]
fn the_first_start_leaves_a_link_that_only_its_owner_can_read() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("it.db").display());
    let start = || {
        let mut command = ddpatrold();
        command.args(["serve", "--no-rate-limit", "--database", &url]);
        Server::spawn_plain(command)
    };
    let server = start();
    let file = dir.path().join("sign-in-link");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let link = std::fs::read_to_string(&file).unwrap();
    let (origin, code) = link.trim_end().split_once("/sign-in/link?code=").unwrap();
    assert_eq!(origin, format!("http://{}", server.address));
    assert!(server.log().contains(&format!("is in the file {}", file.display())));
    assert!(!server.log().contains(code), "logs are read by others");
    let mut browser = Browser::new(&server);
    browser.send("/sign-in/link", &[("code", code)]).expect(303);
    browser.open("/organization/users").expect(200);
    server.stop();
    std::fs::remove_file(&file).unwrap();
    start().stop();
    assert!(!file.exists(), "only the first start creates a link");
}

#[test]
fn a_restored_backup_continues_no_session() {
    let (database, restored) = (Database::sqlite(), Database::sqlite());
    let (server, _) = Server::first(&database, &[]);
    let browser = Browser::signed_in(&server, &database, ADMINISTRATOR);
    let code = link_code(&database, ADMINISTRATOR);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backup");
    admin(&database, &["backup", file.to_str().unwrap()]);
    admin(&restored, &["restore", file.to_str().unwrap()]);
    let server = Server::start(&restored, &[]);
    let mut other = Browser::new(&server);
    other.cookie = browser.cookie;
    other.open("/tokens").expect(303);
    other.send("/sign-in/link", &[("code", &code)]).expect(403);
}
