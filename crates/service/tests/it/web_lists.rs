//! Lists of the web pages: pages continue from the last row, in both directions, and show every row
//! exactly once.

use crate::database::Database;
use crate::http::Answer;
use crate::server::{Server, event_name};
use crate::web::{ADMINISTRATOR, Browser};

/// Inserts users, every third of them disabled.
fn crowd(database: &Database, count: usize, service_account: u8) {
    for number in 0..count {
        let (id, disabled) = (user_id(number, service_account), number % 3 == 0);
        let (id, at) = match database {
            Database::Sqlite(_) => (format!("x'{id}'"), if disabled { "1" } else { "NULL" }),
            Database::Postgres(_) => {
                (format!("'\\x{id}'::bytea"), if disabled { "1" } else { "NULL" })
            }
        };
        let email = format!("u{number:04}.{service_account}@example.com");
        database.execute(&format!(
            "INSERT INTO users (id, email, folded_email, name, permissions, created_at, disabled_at, service_account) VALUES ({id}, '{email}', '{email}', 'Name', 0, 1, {at}, {service_account})"
        ));
    }
}

fn user_id(number: usize, kind: u8) -> String {
    // The order of identifiers is not that of addresses.
    format!("{:08x}{:022x}{kind:02x}", 0xffff - number * 7 % 1_000, number)
}

/// Returns the address of a link between pages.
fn link(page: &Answer, relation: &str) -> Option<String> {
    let text = page.text();
    let (before, _) = text.split_once(&format!("\" rel=\"{relation}\""))?;
    Some(before.rsplit_once("href=\"")?.1.replace("&amp;", "&"))
}

/// Returns the users of a page.
fn addresses(page: &Answer) -> Vec<String> {
    let text = page.text();
    let parts = text.split("@example.com</bdi>").filter_map(|part| part.rsplit_once("<bdi>"));
    parts.map(|(_, name)| name.to_owned()).filter(|name| name.starts_with('u')).collect()
}

fn walk(browser: &mut Browser, start: &str, kind: u8, expected: usize) {
    let (mut path, mut pages, mut last) = (start.to_owned(), Vec::new(), String::new());
    loop {
        let page = browser.open(&path).expect(200);
        pages.push(addresses(&page));
        last.clone_from(&path);
        let Some(next) = link(&page, "next") else { break };
        path = next;
    }
    let all: Vec<_> = pages.concat();
    let mut sorted = all.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(all, sorted, "in order, each once");
    assert_eq!(all.len(), expected);
    assert!(all.iter().all(|name| name.ends_with(&format!(".{kind}"))));
    // Back to the first page.
    let mut back = Vec::new();
    let mut path = Some(last);
    while let Some(at) = path {
        let page = browser.open(&at).expect(200);
        back.insert(0, addresses(&page));
        path = link(&page, "prev");
    }
    assert_eq!(back.concat(), all);
}

fn lists_of_users_are_complete_in_both_directions(database: &Database) {
    let (server, _) = Server::first(database, &[]);
    crowd(database, 130, 0);
    crowd(database, 101, 1);
    let mut browser = Browser::signed_in(&server, database, ADMINISTRATOR);
    walk(&mut browser, "/organization/users?q=u0", 0, 130);
    walk(&mut browser, "/organization/users?q=u0&state=disabled", 0, 44);
    walk(&mut browser, "/organization/service-accounts", 1, 101);
    // A position that does not exist is not an error.
    let nobody = "/organization/users?after=11111111-2222-4333-8444-555555555555";
    browser.open(nobody).expect(200);
    browser.open("/organization/users?after=x&before=y").expect(200);
}

#[test]
fn lists_of_users_are_complete_in_both_directions_on_sqlite() {
    lists_of_users_are_complete_in_both_directions(&Database::sqlite());
}

#[test]
fn lists_of_users_are_complete_in_both_directions_on_postgres() {
    lists_of_users_are_complete_in_both_directions(&Database::postgres());
}

#[test]
fn every_session_of_a_person_is_listed() {
    let database = Database::sqlite();
    let (server, _) = Server::first(&database, &[]);
    let mut browser = Browser::signed_in(&server, &database, ADMINISTRATOR);
    database.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 119) INSERT INTO sessions (id, digest, user_id, method, created_at, used_at, ip, user_agent) SELECT randomblob(16), randomblob(32), user_id, method, created_at - i / 3, used_at, ip, user_agent FROM sessions, n",
    );
    let mut ids = Vec::new();
    let mut path = Some("/sessions".to_owned());
    while let Some(at) = path {
        let page = browser.open(&at).expect(200);
        let text = page.text();
        let parts = text.split("/sessions/").skip(1).filter_map(|part| part.split_once("/end"));
        ids.extend(parts.map(|(id, _)| id.to_owned()));
        path = link(&page, "next");
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 120);
}

#[test]
fn events_of_pages_name_the_session() {
    let database = Database::sqlite();
    let (server, root) = Server::first(&database, &[]);
    let mut browser = Browser::signed_in(&server, &database, ADMINISTRATOR);
    browser.submit("/tokens/new", "/tokens", &crate::web::CREATION).expect(201);
    let mut by_token = Browser::new(&server);
    by_token.send("/sign-in/token", &[("token", &root)]).expect(303);
    by_token.submit("/tokens/new", "/tokens", &crate::web::CREATION).expect(201);
    let sessions = server.events(&root, "@evt.name:session.started");
    let created = server.events(&root, "@evt.name:access_token.created @auth_method:session");
    assert_eq!((sessions.len(), created.len()), (2, 2), "{created:?}");
    for (started, event) in sessions.iter().zip(&created) {
        let attributes = |event: &serde_json::Value| event["attributes"]["attributes"].clone();
        let session = attributes(started)["asset"]["id"].clone();
        assert!(session.is_string(), "{}", event_name(started));
        assert_eq!(attributes(event)["metadata"]["session"], session);
    }
    let used = |number: usize| created[number]["attributes"]["attributes"]["metadata"].clone();
    assert!(used(0)["used_token"].is_null());
    assert!(used(1)["used_token"]["id"].is_string());
}

fn a_search_continues_in_older_events(database: &Database) {
    let (server, _) = Server::first(database, &[]);
    let mut browser = Browser::signed_in(&server, database, ADMINISTRATOR);
    let now = jiff::Timestamp::now().as_microsecond();
    // The only match is older than 45,000 other events.
    let (numbers, id) = match database {
        Database::Sqlite(_) => (
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 45001) ",
            "randomblob(16)",
        ),
        Database::Postgres(_) => {
            ("WITH n (i) AS (SELECT generate_series(1, 45001)) ", "decode(md5(i::text), 'hex')")
        }
    };
    let columns = "(id, at, name, action, actor, auth_method, asset_type)";
    let values = format!(
        "{id}, {now} - i * 1000, CASE WHEN i = 45001 THEN 'test.needle' ELSE 'access_token.used' END, 'accessed', 'USER', 'bearer', 'x'"
    );
    // SQLite accepts the common table expression after INSERT as well.
    database
        .execute(&format!("INSERT INTO audit_events {columns} {numbers} SELECT {values} FROM n"));
    let link_to_older = |page: &Answer| {
        let text = page.text();
        let (before, _) = text.split_once("\">Search older events")?;
        Some(before.rsplit_once("href=\"")?.1.replace("&amp;", "&"))
    };
    let first = browser.open("/security/audit?q=needle&range=7d").expect(200);
    assert!(first.text().contains("No event matches since "), "{}", first.text());
    let older = link_to_older(&first).expect("a link to older events");
    let second = browser.open(&older).expect(200);
    assert!(second.text().contains("test.needle"), "{older}");
    assert_eq!(link_to_older(&second), None, "the range ends");
    // A page that is full needs no such link, and neither has a range that was searched whole.
    for path in [
        "/security/audit",
        "/security/audit?q=access_token.used",
        "/security/audit?event=test.needle",
        "/security/audit?q=nothing-like-this&event=user.created",
    ] {
        let page = browser.open(path).expect(200);
        assert_eq!(link_to_older(&page), None, "{path}");
    }
}

#[test]
fn a_search_continues_in_older_events_on_sqlite() {
    a_search_continues_in_older_events(&Database::sqlite());
}

#[test]
fn a_search_continues_in_older_events_on_postgres() {
    a_search_continues_in_older_events(&Database::postgres());
}
