//! A browser for the tests of the web pages, and tests of the pages' headers and permissions.

use crate::database::Database;
use crate::http::{Answer, Request};
use crate::server::{EVENTS, PERMISSIONS, Server, TOKENS, admin, ddpatrold, event_name};
use std::net::SocketAddr;

pub(crate) const ADMINISTRATOR: &str = "admin@localhost";

/// A browser with a cookie, as far as these pages need one.
#[derive(Debug)]
pub(crate) struct Browser {
    address: SocketAddr,
    pub(crate) cookie: Option<String>,
}

impl Browser {
    pub(crate) fn new(server: &Server) -> Self {
        Self::at(server.address)
    }

    pub(crate) fn at(address: SocketAddr) -> Self {
        Self { address, cookie: None }
    }

    /// Signs in with a link from the command line.
    #[track_caller]
    pub(crate) fn signed_in(server: &Server, database: &Database, user: &str) -> Self {
        let mut browser = Self::new(server);
        let code = link_code(database, user);
        browser.send("/sign-in/link", &[("code", &code)]).expect(303);
        browser
    }

    fn with_cookie(&self, request: Request) -> Request {
        match &self.cookie {
            Some(cookie) => request.header("cookie", cookie.clone()),
            None => request,
        }
    }

    fn call(&mut self, request: &Request) -> Answer {
        let mut connection = crate::http::Connection::new(self.address);
        let answer = connection.send(request).unwrap();
        for cookie in answer.headers("set-cookie") {
            let pair = cookie.split(';').next().unwrap();
            let is_removal = pair.ends_with('=');
            self.cookie = (!is_removal).then(|| pair.to_owned());
        }
        answer
    }

    pub(crate) fn open(&mut self, path: &str) -> Answer {
        let request = self.with_cookie(Request::get(path).header("sec-fetch-site", "same-origin"));
        self.call(&request)
    }

    /// Sends fields to a path, as a form of the pages does.
    pub(crate) fn send(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send_from(path, fields, &[("origin", "null"), ("sec-fetch-site", "same-origin")])
    }

    /// Sends fields to a path with given headers.
    pub(crate) fn send_from(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&'static str, &str)],
    ) -> Answer {
        let body = serde_urlencoded::to_string(fields).unwrap();
        let mut request = self
            .with_cookie(Request::post(path))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        for &(name, value) in headers {
            request = request.header(name, value);
        }
        self.call(&request)
    }

    /// Opens a page and sends its form with additional fields.
    #[track_caller]
    pub(crate) fn submit(&mut self, page: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let hidden = Hidden::of(&self.open(page).expect(200));
        self.send(path, &hidden.with(fields))
    }
}

/// The hidden fields of a form.
#[derive(Clone, Debug)]
pub(crate) struct Hidden {
    pub(crate) token: String,
    pub(crate) id: String,
}

impl Hidden {
    #[track_caller]
    pub(crate) fn of(page: &Answer) -> Self {
        let text = page.text();
        // The first form of a page is the one that signs out; its fields are as good as any.
        Self { token: field(&text, "form_token"), id: field(&text, "form_id") }
    }

    pub(crate) fn with<'a>(&'a self, fields: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let own = [("form_token", self.token.as_str()), ("form_id", self.id.as_str())];
        [&own, fields].concat()
    }
}

#[track_caller]
fn field(text: &str, name: &str) -> String {
    let (_, rest) = text.split_once(&format!("name=\"{name}\" value=\"")).expect("a form");
    rest.split('"').next().unwrap().to_owned()
}

/// Returns the code of a new sign-in link.
#[track_caller]
pub(crate) fn link_code(database: &Database, user: &str) -> String {
    let url = admin(database, &["login-link", user]);
    url.split_once("code=").unwrap().1.to_owned()
}

/// The fields of a valid creation.
pub(crate) const CREATION: [(&str, &str); 3] =
    [("name", "from a page"), ("lifetime", "30"), ("scope", "dashboards_read")];

/// Returns the token that a page shows.
#[track_caller]
pub(crate) fn shown_token(page: &Answer) -> String {
    let text = page.text();
    let (_, rest) = text.split_once("value=\"ddpat_").expect("a token");
    format!("ddpat_{}", rest.split('"').next().unwrap())
}

/// The paths of pages that need no identifier.
const PAGES: [&str; 11] = [
    "/tokens",
    "/tokens/new",
    "/organization/tokens",
    "/organization/tokens.csv",
    "/organization/users",
    "/organization/users/new",
    "/security/leaks",
    "/security/audit",
    "/security/audit.csv",
    "/security/audit.json",
    "/sessions",
];

#[test]
fn every_page_has_security_headers_and_needs_a_session() {
    let database = Database::sqlite();
    let (server, _) = Server::first(&database, &[]);
    let mut browser = Browser::signed_in(&server, &database, ADMINISTRATOR);
    for path in PAGES.into_iter().chain(["/sign-in", "/sign-in/link?code=x", "/tokens/unknown"]) {
        let page = browser.open(path);
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{path}: {policy}");
        assert_eq!(page.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(page.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(page.header("cross-origin-opener-policy"), Some("same-origin"), "{path}");
        assert_eq!(page.header("strict-transport-security"), None, "{path}");
        let status = if path.contains("sign-in/link") {
            403
        } else if path.contains("unknown") {
            404
        } else {
            200
        };
        page.expect(status);
    }
    for path in PAGES {
        let answer = Browser::new(&server).open(path).expect(303);
        assert!(answer.header("location").unwrap().starts_with("/sign-in?next="), "{path}");
    }
    let page = browser.open("/tokens").text();
    for prefix in ["/assets/style-", "/assets/script-"] {
        let (_, rest) = page.split_once(prefix).unwrap();
        let path = format!("{prefix}{}", rest.split('"').next().unwrap());
        let asset = browser.open(&path).expect(200);
        assert!(asset.header("cache-control").unwrap().contains("immutable"));
    }
    browser.open("/assets/style-0.css").expect(404);
}

#[test]
fn the_api_reads_no_cookies_and_pages_read_no_tokens() {
    let database = Database::sqlite();
    let (server, root) = Server::first(&database, &[]);
    let browser = Browser::signed_in(&server, &database, ADMINISTRATOR);
    let cookie = browser.cookie.unwrap();
    server.call(&Request::get(TOKENS).header("cookie", cookie)).expect(401);
    server.call(&Request::get("/tokens").bearer(&root)).expect(303);
    server.call(&Request::get("/no/such/path").header("accept", "text/html")).expect(404);
    let json = server.call(&Request::get("/no/such/path")).expect(404).json();
    assert_eq!(json["errors"][0], "unknown path");
}

#[test]
fn pages_show_only_what_the_permissions_allow() {
    let database = Database::sqlite();
    let (server, _) = Server::first(&database, &[]);
    admin(&database, &["user", "add", "ada@example.com", "--permission", "user_app_keys"]);
    admin(&database, &["user", "add", "max@example.com", "--permission", "audit_logs_read"]);
    let mut ada = Browser::signed_in(&server, &database, "ada@example.com");
    for path in PAGES {
        let status = match path {
            "/tokens" | "/tokens/new" | "/sessions" => 200,
            _ => 403,
        };
        ada.open(path).expect(status);
    }
    let form = ada.open("/tokens/new").text();
    assert!(form.contains("value=\"user_app_keys\"") && form.contains("dashboards_read"));
    assert!(!form.contains("value=\"org_app_keys_write\""), "nobody grants what they lack");
    let refused = ada.submit(
        "/tokens/new",
        "/tokens",
        &[CREATION[0], CREATION[1], ("scope", "org_app_keys_write")],
    );
    assert!(refused.expect(422).text().contains("org_app_keys_write"));
    let mut max = Browser::signed_in(&server, &database, "max@example.com");
    max.open("/tokens").expect(403);
    assert_eq!(max.open("/").expect(303).header("location"), Some("/security/audit"));
    max.open("/security/audit").expect(200);
}

#[test]
fn the_pages_can_be_turned_off_and_need_a_public_url_behind_a_proxy() {
    let database = Database::sqlite();
    let (server, _) = Server::first(&database, &["--no-web"]);
    server.call(&Request::get("/sign-in")).expect(404);
    server.stop();
    let server = Server::start(&database, &["--behind-proxy"]);
    server.call(&Request::get("/sign-in")).expect(404);
    assert!(server.log().contains("--public-url"), "{}", server.log());
    server.stop();
    let options = ["--behind-proxy", "--public-url", "https://tokens.example.com"];
    let server = Server::start(&database, &options);
    let page = server.call(&Request::get("/sign-in")).expect(200);
    assert!(page.header("strict-transport-security").is_some());
    let mut browser = Browser::new(&server);
    let code = link_code(&database, ADMINISTRATOR);
    let fields = [("code", code.as_str())];
    browser.send_from("/sign-in/link", &fields, &[("origin", "http://localhost")]).expect(403);
    let own = [("origin", "https://tokens.example.com")];
    let answer = browser.send_from("/sign-in/link", &fields, &own).expect(303);
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-session="), "{cookie}");
    for attribute in ["HttpOnly", "SameSite=Strict", "Secure", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    let faulty = ddpatrold()
        .args(["serve", "--database", &database.url(), "--public-url", "https://a.example/path"])
        .output()
        .unwrap();
    assert_eq!(faulty.status.code(), Some(2));
}

#[test]
fn a_request_for_another_host_gets_no_page_on_loopback() {
    let database = Database::sqlite();
    let (server, _) = Server::first(&database, &[]);
    let text = "GET /sign-in HTTP/1.1\r\nhost: rebound.example\r\nconnection: close\r\n\r\n";
    let mut stream = std::net::TcpStream::connect(server.address).unwrap();
    std::io::Write::write_all(&mut stream, text.as_bytes()).unwrap();
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
}

#[test]
fn pages_list_users_for_the_permissions_of_the_api() {
    let database = Database::sqlite();
    let (server, _) = Server::first(&database, &[]);
    for (permission, status) in [
        ("user_access_read", 200),
        ("org_app_keys_read", 200),
        ("org_app_keys_write", 403),
        ("user_app_keys", 403),
    ] {
        let email = format!("{permission}@example.com");
        let person = crate::people::person(&email).with(&[permission]).add(&database);
        let token = person.issue("all", "300d", &[permission]).key;
        server.call(&Request::get("/api/v2/users").bearer(&token)).expect(status);
        let mut browser = Browser::signed_in(&server, &database, &email);
        browser.open("/organization/users").expect(status);
    }
}

#[test]
fn administrators_manage_people_within_their_own_permissions() {
    let database = Database::sqlite();
    let (server, root) = Server::first(&database, &[]);
    let own = ["user_app_keys", "org_app_keys_read", "org_app_keys_write"];
    let granted = own.iter().flat_map(|&it| ["--permission", it]);
    let add: Vec<_> = ["user", "add", "lead@example.com"].into_iter().chain(granted).collect();
    admin(&database, &add);
    let mut lead = Browser::signed_in(&server, &database, "lead@example.com");
    let page = "/organization/users/new";
    let more = [("email", "eve@example.com"), ("permission", "audit_logs_read")];
    assert!(lead.submit(page, page, &more).expect(422).text().contains("audit_logs_read"));
    let fields = [("email", "eve@example.com"), ("permission", "user_app_keys")];
    let added = lead.submit(page, page, &fields).expect(303);
    let eve = added.header("location").unwrap().split('?').next().unwrap().to_owned();
    assert!(lead.submit(page, page, &fields).expect(422).text().contains("already exists"));

    let permissions = format!("{eve}/permissions");
    lead.submit(&eve, &permissions, &[("permission", "tokens_introspect")]).expect(403);
    lead.submit(&eve, &permissions, &[("permission", "org_app_keys_read")]).expect(303);
    let mut administrator = Browser::signed_in(&server, &database, ADMINISTRATOR);
    let list = administrator.open("/organization/users?q=admin").text();
    let (_, rest) = list.split_once("/organization/users/").unwrap();
    let (_, rest) = rest.split_once("<td data-label=\"User\">").unwrap();
    let (_, rest) = rest.split_once("/organization/users/").unwrap();
    let first = format!("/organization/users/{}", rest.split('"').next().unwrap());
    lead.submit("/sessions", &format!("{first}/state"), &[("state", "disabled")]).expect(403);
    lead.submit("/sessions", &format!("{first}/link"), &[]).expect(403);

    let shown = lead.submit(&eve, &format!("{eve}/link"), &[]).expect(201).text();
    let (_, rest) = shown.split_once("/sign-in/link?code=").unwrap();
    let code = rest.split('"').next().unwrap().to_owned();
    let mut guest = Browser::new(&server);
    guest.send("/sign-in/link", &[("code", &code)]).expect(303);
    guest.open("/organization/tokens").expect(200);
    lead.submit(&eve, &format!("{eve}/state"), &[("state", "disabled")]).expect(303);
    guest.open("/organization/tokens").expect(303);

    let names = server.events(&root, "@auth_method:session");
    let names: Vec<_> = names.iter().map(event_name).collect();
    assert_eq!(
        names,
        ["user.created", "user.updated", "sign_in_link.created", "user.disabled"],
        "each with the method session"
    );
    let changed = &server.events(&root, "@evt.name:user.updated")[0]["attributes"]["attributes"];
    assert_eq!(changed["metadata"]["previous_permissions"][0], "user_app_keys");
    assert_eq!(changed["metadata"]["permissions"][0], "org_app_keys_read");
}

fn exports_hold_what_the_filter_shows(database: &Database) {
    let (server, root) = Server::first(database, &[]);
    for number in 0..30 {
        server.mint(&root, &format!("=token {number}"), &["dashboards_read"]);
    }
    let mut browser = Browser::signed_in(&server, database, ADMINISTRATOR);
    let query = "?event=access_token.created&method=personal_access_token&range=all";
    let json = browser.open(&format!("/security/audit.json{query}")).expect(200).json();
    let filter = "@evt.name:access_token.created @auth_method:personal_access_token";
    let mut expected = server.events(&root, filter);
    expected.reverse();
    assert_eq!(json.as_array().unwrap(), &expected);
    let csv = browser.open(&format!("/security/audit.csv{query}")).expect(200).text();
    assert_eq!(csv.lines().count(), 31);
    let all = server
        .call(&Request::get(EVENTS).query(&[("page[limit]", "1000")]).bearer(&root))
        .expect(200);
    assert!(all.json()["data"].as_array().unwrap().len() > 31, "the filter narrows");

    let tokens = browser.open("/organization/tokens.csv?q=token").expect(200).text();
    assert_eq!(tokens.lines().count(), 32, "{tokens}");
    assert!(tokens.contains("\"'=token 7\""), "a formula is text");
    browser.open("/security/audit.csv?q=@unknown:1").expect(400);
}

#[test]
fn exports_hold_what_the_filter_shows_on_sqlite() {
    exports_hold_what_the_filter_shows(&Database::sqlite());
}

#[test]
fn exports_hold_what_the_filter_shows_on_postgres() {
    exports_hold_what_the_filter_shows(&Database::postgres());
}

/// Returns the names of the tokens on a page, in order.
fn names(page: &str) -> Vec<String> {
    let cells = page.split("<bdi class=\"clip\" title=\"").skip(1);
    cells.map(|cell| cell.split('"').next().unwrap().to_owned()).collect()
}

/// Returns the address of a link of a page.
fn link(page: &str, relation: &str) -> Option<String> {
    let (before, _) = page.split_once(&format!("\" rel=\"{relation}\""))?;
    Some(before.rsplit_once("href=\"")?.1.replace("&amp;", "&"))
}

fn pages_of_tokens_follow_each_other(database: &Database) {
    let (server, root) = Server::first(database, &[]);
    for number in 0..60 {
        server.mint(&root, &format!("item {number:02}"), &["dashboards_read"]);
    }
    let mut browser = Browser::signed_in(&server, database, ADMINISTRATOR);
    for sort in ["name", "-name", "created", "-created", "expires", "-expires", "used", "-used"] {
        let path = format!("/tokens?q=item&sort={sort}");
        let mut page = browser.open(&path).expect(200).text();
        let first = names(&page);
        let mut seen = first.clone();
        let mut pages = 1;
        while let Some(next) = link(&page, "next") {
            page = browser.open(&next).expect(200).text();
            seen.extend(names(&page));
            pages += 1;
        }
        assert_eq!((seen.len(), pages), (60, 3), "{sort}");
        let mut distinct = seen.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), 60, "{sort}");
        for _ in 0..2 {
            page = browser.open(&link(&page, "prev").unwrap()).expect(200).text();
        }
        assert_eq!(names(&page), first, "{sort}");
        assert_eq!(link(&page, "prev"), None, "{sort}");
    }
    let scoped = browser.open("/organization/tokens?scope=dashboards_read&use=never").text();
    assert_eq!(names(&scoped).len(), 25);
    let nobody = browser.open("/organization/tokens?owner=nobody@example.com").text();
    assert!(names(&nobody).is_empty());
}

#[test]
fn pages_of_tokens_follow_each_other_on_sqlite() {
    pages_of_tokens_follow_each_other(&Database::sqlite());
}

#[test]
fn pages_of_tokens_follow_each_other_on_postgres() {
    pages_of_tokens_follow_each_other(&Database::postgres());
}

fn the_owner_of_a_token_is_marked_as_disabled(database: &Database) {
    let (server, _) = Server::first(database, &["--on-leak", "flag"]);
    let ada = crate::people::person("ada@example.com").add(database);
    let token = ada.token(&["dashboards_read"]);
    assert_eq!(server.report(&serde_json::json!([{"token": token.key}])), ["flagged"]);
    let mut browser = Browser::signed_in(&server, database, ADMINISTRATOR);
    let details = format!("/tokens/{}", token.id);
    let revoke = format!("{details}/revoke");
    let pages = ["/organization/tokens", "/security/leaks", &details, &revoke];
    let mark = "tokens of a disabled user are rejected";
    let export = "/organization/tokens.csv";
    for page in pages {
        assert!(!browser.open(page).expect(200).text().contains(mark), "{page}");
    }
    assert!(browser.open(export).text().lines().all(|line| !line.ends_with(",yes")));
    ada.disable();
    for page in pages {
        assert!(browser.open(page).expect(200).text().contains(mark), "{page}");
    }
    assert!(browser.open(export).text().lines().any(|line| line.ends_with(",yes")));
    assert!(browser.open(&details).text().contains("accepted again when its owner is enabled"));
}

#[test]
fn the_owner_of_a_token_is_marked_as_disabled_on_sqlite() {
    the_owner_of_a_token_is_marked_as_disabled(&Database::sqlite());
}

#[test]
fn the_owner_of_a_token_is_marked_as_disabled_on_postgres() {
    the_owner_of_a_token_is_marked_as_disabled(&Database::postgres());
}

fn leaks_are_listed_and_acknowledged(database: &Database) {
    let (server, root) = Server::first(database, &[]);
    let token = server.mint(&root, "leaky", &["dashboards_read"]);
    let entry = serde_json::json!([{"token": token.key, "url": "https://git.example/x", "location": ".env:2"}]);
    assert_eq!(server.report(&entry), ["revoked"]);
    let mut browser = Browser::signed_in(&server, database, ADMINISTRATOR);
    let page = browser.open("/security/leaks?show=open").text();
    for part in ["leaky", ".env:2", "at once", "rel=\"noreferrer noopener\""] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let path = format!("/security/leaks/{}/acknowledge", token.id);
    browser.submit("/security/leaks", &path, &[]).expect(303);
    assert!(browser.open("/security/leaks").text().contains("acknowledged"));
    assert!(browser.open("/security/leaks?show=open").text().contains("Nothing is open"));
    let events = server.events(&root, "@evt.name:access_token.leak_acknowledged");
    assert_eq!(events.len(), 1);
}

#[test]
fn leaks_are_listed_and_acknowledged_on_sqlite() {
    leaks_are_listed_and_acknowledged(&Database::sqlite());
}

#[test]
fn leaks_are_listed_and_acknowledged_on_postgres() {
    leaks_are_listed_and_acknowledged(&Database::postgres());
}

#[test]
fn the_permissions_of_the_pages_are_those_of_the_service() {
    let database = Database::sqlite();
    let (server, _) = Server::first(&database, &[]);
    let mut browser = Browser::signed_in(&server, &database, ADMINISTRATOR);
    let page = browser.open("/organization/users/new").text();
    for permission in PERMISSIONS {
        assert!(page.contains(&format!("value=\"{permission}\"")), "{permission}");
    }
}
