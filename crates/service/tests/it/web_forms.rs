//! Forms of the web pages: where they come from, and what sending them again does.

use crate::database::Database;
use crate::http::Request;
use crate::server::{Server, TOKENS, admin, event_name};
use crate::web::{ADMINISTRATOR, Browser, CREATION, Hidden, link_code, shown_token};

#[test]
fn a_form_of_another_page_changes_nothing() {
    let database = Database::sqlite();
    let (server, root) = Server::first(&database, &[]);
    let mut browser = Browser::signed_in(&server, &database, ADMINISTRATOR);
    let mut other = Browser::signed_in(&server, &database, ADMINISTRATOR);
    let hidden = Hidden::of(&browser.open("/tokens/new"));
    let foreign = Hidden::of(&other.open("/tokens/new"));
    let fields = hidden.with(&CREATION);
    let sources: [&[(&'static str, &str)]; 7] = [
        &[],
        &[("origin", "null")],
        &[("origin", "https://evil.example")],
        &[("origin", "http://127.0.0.1:1")],
        &[("origin", "null"), ("sec-fetch-site", "cross-site")],
        &[("origin", "null"), ("sec-fetch-site", "same-site")],
        &[("origin", "null"), ("sec-fetch-site", "none")],
    ];
    for headers in sources {
        browser.send_from("/tokens", &fields, headers).expect(403);
    }
    let wrong = [
        foreign.with(&CREATION),
        CREATION.to_vec(),
        [&[("form_token", hidden.token.as_str())], CREATION.as_slice()].concat(),
    ];
    for fields in &wrong {
        browser.send("/tokens", fields).expect(403);
    }
    assert_eq!(server.events(&root, "@evt.name:access_token.created").len(), 1, "the first token");
    let get = browser.open(&format!("/tokens/{}/revoke", own_id(&server, &root)));
    assert!(get.expect(200).text().contains("Revoke this token?"));
    assert_eq!(server.check(&root), 200, "opening a page changes nothing");
    browser.send("/tokens", &fields).expect(201);
}

fn own_id(server: &Server, token: &str) -> String {
    let list = server.call(&Request::get(TOKENS).bearer(token)).expect(200).json();
    list["data"][0]["id"].as_str().unwrap().to_owned()
}

fn a_created_token_is_shown_once(database: &Database) {
    let (server, root) = Server::first(database, &[]);
    let mut browser = Browser::signed_in(&server, database, ADMINISTRATOR);
    let hidden = Hidden::of(&browser.open("/tokens/new"));
    let panel = browser.send("/tokens", &hidden.with(&CREATION)).expect(201);
    let token = shown_token(&panel);
    assert_eq!(server.check(&token), 200);
    assert!(panel.text().contains(&format!("Authorization: Bearer {token}")));
    assert!(panel.text().contains(&format!("dd-application-key: {token}")));

    let again = browser.send("/tokens", &hidden.with(&CREATION)).expect(200).text();
    assert!(!again.contains(&token) && again.contains("no second token"), "{again}");
    let id = own_token(&server, &root, "from a page");
    for path in ["/tokens".to_owned(), format!("/tokens/{id}"), "/security/audit".to_owned()] {
        assert!(!browser.open(&path).expect(200).text().contains(&token), "{path}");
    }
    let secret = token.rsplit_once('_').unwrap().1.as_bytes().to_vec();
    assert!(!database.dump().windows(secret.len()).any(|part| part == secret));

    let events = server.events(&root, "@auth_method:session");
    assert_eq!(events.iter().map(event_name).collect::<Vec<_>>(), ["access_token.created"]);
    let edit = format!("/tokens/{id}/edit");
    let renamed = [("name", "renamed"), ("scope", "dashboards_read"), ("scope", "monitors_read")];
    browser.submit(&edit, &edit, &renamed).expect(303);
    browser.submit("/tokens", &format!("/tokens/{id}/revoke"), &[]).expect(303);
    assert_eq!(server.check(&token), 401);
    let names = server.events(&root, "@auth_method:session");
    let names: Vec<_> = names.iter().map(event_name).collect();
    assert_eq!(names, ["access_token.created", "access_token.updated", "access_token.revoked"]);
}

fn own_token(server: &Server, with: &str, name: &str) -> String {
    let list = Request::get(TOKENS).query(&[("filter", name)]).bearer(with);
    let list = server.call(&list).expect(200).json();
    list["data"][0]["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_created_token_is_shown_once_on_sqlite() {
    a_created_token_is_shown_once(&Database::sqlite());
}

#[test]
fn a_created_token_is_shown_once_on_postgres() {
    a_created_token_is_shown_once(&Database::postgres());
}

#[test]
fn a_faulty_form_keeps_what_was_typed_and_can_be_sent_again() {
    let database = Database::sqlite();
    let (server, _) = Server::first(&database, &[]);
    let mut browser = Browser::signed_in(&server, &database, ADMINISTRATOR);
    let hidden = Hidden::of(&browser.open("/tokens/new"));
    let faulty = [("name", "a <b> & \"c\""), ("lifetime", "date"), ("date", "2020-01-01")];
    let page = browser.send("/tokens", &hidden.with(&faulty)).expect(422).text();
    assert!(page.contains("value=\"a &lt;b&gt; &amp; &quot;c&quot;\""), "{page}");
    assert!(page.contains("2020-01-01") && page.contains("Choose at least one scope."));
    assert!(page.contains("Choose a date from"));
    let owner = [("owner", "nobody@example.com")];
    let page = browser.send("/tokens", &hidden.with(&[&CREATION[..], &owner[..]].concat()));
    assert!(page.expect(422).text().contains("no user with this email address"));
    browser.send("/tokens", &hidden.with(&CREATION)).expect(201);
}

#[test]
fn many_tokens_are_revoked_after_a_confirmation() {
    let database = Database::sqlite();
    let (server, root) = Server::first(&database, &[]);
    let tokens: Vec<_> =
        ["one", "two"].iter().map(|name| server.mint(&root, name, &["dashboards_read"])).collect();
    let mut browser = Browser::signed_in(&server, &database, ADMINISTRATOR);
    let list = "/organization/tokens";
    let path = "/organization/tokens/revoke";
    let selected: Vec<_> = tokens.iter().map(|token| ("token", token.id.as_str())).collect();
    let asked = browser.submit(list, path, &selected).expect(200);
    assert!(asked.text().contains("Revoke 2 tokens?"), "{}", asked.text());
    assert_eq!(server.check(&tokens[0].key), 200);
    let confirmed = [&selected[..], &[("confirmed", "yes")]].concat();
    browser.submit(list, path, &confirmed).expect(303);
    for token in &tokens {
        assert_eq!(server.check(&token.key), 401);
    }
    browser.submit(list, path, &[]).expect(400);
}

#[test]
fn a_token_for_another_person_is_created_by_administrators_only() {
    let database = Database::sqlite();
    let (server, _) = Server::first(&database, &[]);
    admin(&database, &["user", "add", "ada@example.com", "--permission", "user_app_keys"]);
    let mut browser = Browser::signed_in(&server, &database, ADMINISTRATOR);
    let owned = [&CREATION[..], &[("owner", "Ada@example.com")]].concat();
    let panel = browser.submit("/tokens/new", "/tokens", &owned).expect(201);
    assert!(panel.text().contains("ada@example.com"));
    let mut ada = Browser::signed_in(&server, &database, "ada@example.com");
    let foreign = [&CREATION[..], &[("owner", ADMINISTRATOR)]].concat();
    ada.submit("/tokens/new", "/tokens", &foreign).expect(422);
    assert!(ada.open("/tokens").text().contains("from a page"));
}

fn a_token_is_replaced_after_an_overlap(database: &Database) {
    let (server, root) = Server::first(database, &[]);
    let old = server.mint(&root, "to replace", &["dashboards_read"]);
    let mut browser = Browser::signed_in(&server, database, ADMINISTRATOR);
    let path = format!("/tokens/{}/replace", old.id);
    let hidden = Hidden::of(&browser.open(&path).expect(200));
    let panel = browser.send(&path, &hidden.with(&[("overlap", "1")])).expect(201);
    let new = shown_token(&panel);
    assert_eq!((server.check(&old.key), server.check(&new)), (200, 200));
    let again = browser.send(&path, &hidden.with(&[("overlap", "1")])).expect(200).text();
    assert!(!again.contains(&new), "shown once");
    let details = browser.open(&format!("/tokens/{}", old.id)).text();
    assert!(details.contains("replaced by"), "{details}");
    assert!(browser.submit("/tokens", &path, &[]).expect(409).text().contains("rotated before"));
    let other = server.mint(&root, "at once", &["dashboards_read"]);
    let path = format!("/tokens/{}/replace", other.id);
    browser.submit(&path, &path, &[("overlap", "0")]).expect(201);
    assert_eq!(server.check(&other.key), 401);
}

#[test]
fn a_token_is_replaced_after_an_overlap_on_sqlite() {
    a_token_is_replaced_after_an_overlap(&Database::sqlite());
}

#[test]
fn a_token_is_replaced_after_an_overlap_on_postgres() {
    a_token_is_replaced_after_an_overlap(&Database::postgres());
}

fn service_accounts_have_tokens_without_an_end(database: &Database) {
    let (server, _) = Server::first(database, &[]);
    let mut browser = Browser::signed_in(&server, database, ADMINISTRATOR);
    let list = "/organization/service-accounts";
    assert!(browser.open(list).expect(200).text().contains("There are no service accounts"));
    let new = format!("{list}/new");
    browser.submit(&new, &new, &[("name", "robot"), ("email", "x")]).expect(422);
    let fields = [("name", "robot"), ("email", "Robots@example.com"), ("title", "CI")];
    let added = browser.submit(&new, &new, &fields).expect(303);
    let path = added.header("location").unwrap().split('?').next().unwrap().to_owned();
    assert!(browser.submit(&new, &new, &fields).expect(422).text().contains("already exists"));
    let (form, send) = (format!("{path}/tokens/new"), format!("{path}/tokens"));
    let endless = [("name", "for robots"), ("lifetime", "never"), ("scope", "dashboards_read")];
    let panel = browser.submit(&form, &send, &endless).expect(201).text();
    let (_, rest) = panel.split_once("value=\"ddsat_").expect("a token");
    let token = format!("ddsat_{}", rest.split('"').next().unwrap());
    assert_eq!(server.check(&token), 200);
    browser.submit(&form, "/tokens", &endless).expect(422);
    let page = browser.open(&path).text();
    assert!(page.contains("for robots") && page.contains("never"), "{page}");
    Browser::new(&server).send("/sign-in/token", &[("token", &token)]).expect(403);
    let (_, rest) = page.split_once("href=\"/tokens/").unwrap();
    let id = rest.split(['"', '/']).next().unwrap().to_owned();
    browser.open(&format!("/tokens/{id}")).expect(200);
    browser.open(&format!("/tokens/{id}/edit")).expect(200);
    browser.submit("/tokens", &format!("{path}/state"), &[("state", "disabled")]).expect(303);
    assert_eq!(server.check(&token), 401);
    browser.submit("/tokens", &format!("{path}/state"), &[("state", "enabled")]).expect(303);
    assert_eq!(server.check(&token), 200);
    browser.submit("/tokens", &format!("/tokens/{id}/revoke"), &[]).expect(303);
    assert_eq!(server.check(&token), 401);
}

#[test]
fn service_accounts_have_tokens_without_an_end_on_sqlite() {
    service_accounts_have_tokens_without_an_end(&Database::sqlite());
}

#[test]
fn service_accounts_have_tokens_without_an_end_on_postgres() {
    service_accounts_have_tokens_without_an_end(&Database::postgres());
}

#[test]
fn repeated_attempts_to_sign_in_are_limited() {
    let database = Database::sqlite();
    let server = Server::start_limited(&database, &["--rate-limit", "authentication=3/60"]);
    server.first_token();
    let mut browser = Browser::new(&server);
    let statuses: Vec<_> = (0..5)
        .map(|_| browser.send("/sign-in/token", &[("token", "ddpat_wrong")]).status)
        .collect();
    assert_eq!(statuses, [403, 403, 403, 429, 429]);
    let code = link_code(&database, ADMINISTRATOR);
    browser.send("/sign-in/link", &[("code", &code)]).expect(303);
}

#[test]
fn a_pasted_token_is_in_no_page_and_no_address() {
    let database = Database::sqlite();
    let (server, root) = Server::first(&database, &[]);
    let mut browser = Browser::signed_in(&server, &database, ADMINISTRATOR);
    let token = shown_token(&browser.submit("/tokens/new", "/tokens", &CREATION).expect(201));
    let alias = token.split('_').nth(1).unwrap();
    for (path, name) in [
        ("/tokens", "q"),
        ("/organization/tokens", "q"),
        ("/organization/tokens", "owner"),
        ("/organization/users", "q"),
        ("/security/audit", "q"),
        ("/security/audit", "token"),
        ("/security/audit", "person"),
    ] {
        let answer = browser.open(&format!("{path}?{name}=+{token}&sort=name")).expect(303);
        let location = answer.header("location").unwrap().to_owned();
        assert_eq!(location, format!("{path}?{name}={alias}&sort=name"));
        let page = browser.open(&location).text();
        assert!(!page.contains(&token), "{path}?{name}");
    }
    let found = browser.open(&format!("/tokens?q={alias}")).expect(200).text();
    assert!(found.contains("from a page"), "{found}");
    let misspelled = format!("/tokens?q=x{}", &token[..token.len() - 1]);
    let answer = browser.open(&misspelled).expect(303);
    assert_eq!(answer.header("location").unwrap(), "/tokens?q=xddpat_%5Bredacted%5D");

    let id = own_token(&server, &root, "from a page");
    let edit = format!("/tokens/{id}/edit");
    let users = "/organization/users/new";
    let named = [("name", token.as_str()), ("lifetime", "30"), ("scope", "dashboards_read")];
    for (page, path, fields) in [
        (&*edit, &*edit, &named[..]),
        ("/tokens/new", "/tokens", &named[..]),
        (users, users, &[("email", token.as_str()), ("name", token.as_str())]),
    ] {
        let answer = browser.submit(page, path, fields);
        assert!(!answer.text().contains(&token), "{path}: {}", answer.text());
    }
}
