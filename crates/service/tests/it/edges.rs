//! Edge cases: limits, an unavailable database, concurrent first starts, and redaction of callers'
//! texts in the audit trail.

use crate::database::Database;
use crate::http::Request;
use crate::server::{EVENTS, Server, TOKENS, check, creation, ddpatrold, try_admin};
use crate::until;
use serde_json::json;
use std::process::Command;
use std::thread::scope;

#[test]
fn without_a_database_a_wrong_checksum_is_401_and_a_valid_token_503() {
    let database = Database::postgres();
    let (server, admin) = Server::first(&database, &[]);
    let last = if admin.ends_with('0') { '1' } else { '0' };
    let wrong = format!("{}{last}", &admin[..admin.len() - 1]);
    assert_eq!((server.check(&admin), server.check(&wrong)), (200, 401));
    let name = database.name();
    Database::on_server(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"));
    let kill = format!(
        "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity WHERE datname = '{name}'"
    );
    Database::on_server(&kill);
    let refused = until("a valid token cannot be verified", || {
        assert_eq!(server.check(&wrong), 401);
        Some(server.call(&check(&admin))).filter(|answer| answer.status == 503)
    });
    assert_eq!(refused.header("content-type"), Some("application/vnd.api+json"));
    server.call(&Request::get("/readyz")).expect(503);
    server.call(&Request::get("/healthz")).expect(200);
    Database::on_server(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"));
    until("the service recovers", || (server.check(&admin) == 200).then_some(()));
    let ready = Request::get("/readyz");
    until("the service is ready", || (server.call(&ready).status == 200).then_some(()));
}

#[test]
fn two_concurrent_first_starts_create_one_administrator() {
    let database = Database::postgres();
    let (a, b) = scope(|scope| {
        let [a, b] = [(); 2].map(|()| scope.spawn(|| Server::start(&database, &[])));
        (a.join().unwrap(), b.join().unwrap())
    });
    let (out_a, out_b) = (a.stop().0, b.stop().0);
    assert_eq!(out_a.lines().count() + out_b.lines().count(), 1, "exactly one token");
    let admin = format!("{out_a}{out_b}").trim().to_owned();
    let third = Server::start(&database, &[]);
    assert_eq!(third.check(&admin), 200);
    assert_eq!(third.stop().0, "", "no later start prints a token");
}

#[test]
fn a_rate_limit_is_reported_in_headers_and_enforced_by_429() {
    let database = Database::sqlite();
    // A window of this length does not end during the test.
    let server = Server::start_limited(&database, &["--rate-limit", "tokens_read=2/1000000000"]);
    let list = Request::get(TOKENS).bearer(&server.first_token());
    for left in [1, 0] {
        let answer = server.call(&list).expect(200);
        assert_eq!(answer.number("x-ratelimit-remaining"), left);
        assert_eq!(answer.number("x-ratelimit-limit"), 2);
        assert_eq!(answer.number("x-ratelimit-period"), 1_000_000_000);
        assert_eq!(answer.header("x-ratelimit-name"), Some("tokens_read"));
    }
    let refused = server.call(&list).expect(429);
    assert!(refused.number("x-ratelimit-reset") > 0);
    assert!(refused.json()["errors"][0].is_string());
    server.call(&check(&server.first_token())).expect(200);
}

#[test]
fn leak_reports_beyond_their_limit_are_answered_with_retry_after() {
    let database = Database::sqlite();
    let server = Server::start_limited(&database, &["--rate-limit", "leaks=1/1000000000"]);
    let report = Request::post("/leaks/v1/reports").json(&json!({"reports": []}));
    server.call(&report).expect(200);
    let refused = server.call(&report).expect(429);
    assert_eq!(refused.number("retry-after"), refused.number("x-ratelimit-reset"));
    assert_eq!(refused.header("x-ratelimit-name"), Some("leaks"));
}

#[test]
fn bodies_beyond_their_limit_are_413() {
    let database = Database::sqlite();
    let (server, admin) = Server::first(&database, &[]);
    let json = |request: Request| request.header("content-type", "application/json");
    let post = json(Request::post(TOKENS).bearer(&admin));
    server.call(&post.clone().body(vec![b' '; 64 * 1024])).expect(400);
    let refused = server.call(&post.body(vec![b' '; 64 * 1024 + 1])).expect(413);
    assert_eq!(refused.json()["errors"][0], "the body is longer than 65536 bytes");
    let report = json(Request::post("/leaks/v1/reports"));
    server.call(&report.clone().body(vec![b' '; 8 * 1024 * 1024])).expect(400);
    server.call(&report.body(vec![b' '; 8 * 1024 * 1024 + 1])).expect(413);
    let entries = |count| json!({"reports": vec![json!({"token": "x"}); count]});
    let post = |count| server.call(&Request::post("/leaks/v1/reports").json(&entries(count)));
    assert_eq!(post(10_000).expect(200).json()["results"].as_array().unwrap().len(), 10_000);
    post(10_001).expect(413);
}

#[test]
fn only_the_scopes_of_a_scopes_file_are_known() {
    let database = Database::sqlite();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "# ours\nuser_app_keys\nours_read\n").unwrap();
    let path = file.path().to_str().unwrap();
    let (server, admin) = Server::first(&database, &["--scopes", path]);
    server.mint(&admin, "ours", &["ours_read"]);
    let refused = server.call(&creation(&admin, "theirs", &["dashboards_read"])).expect(400);
    assert!(refused.text().contains("dashboards_read"), "{}", refused.text());
}

#[test]
fn metrics_count_responses_uses_and_revocations() {
    let database = Database::sqlite();
    let (server, admin) = Server::first(&database, &[]);
    let token = server.mint(&admin, "counted", &["user_app_keys"]);
    for _ in 0..4 {
        server.check(&admin);
    }
    server.check("nonsense");
    server.revoke(&admin, &token.id);
    let text = server.call(&Request::get("/metrics")).expect(200).text();
    for line in [
        "ddpatrold_token_uses_total 6",
        "ddpatrold_answers_total{class=\"validate\",status=\"200\"} 4",
        "ddpatrold_answers_total{class=\"authentication\",status=\"401\"} 1",
        "ddpatrold_revocations_total{kind=\"api\"} 1",
    ] {
        assert!(text.lines().any(|known| known == line), "{line}\n{text}");
    }
}

/// Runs a command on a database that cannot be opened and whose password is `hunter2`.
fn fails_without_showing_the_password(mut command: Command) {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("database"), "{errors}");
    assert!(!errors.contains("hunter2"), "{errors}");
}

#[test]
fn errors_never_show_a_databases_password() {
    // In parallel, since each URL with a server is tried for ten seconds.
    scope(|scope| {
        for url in [
            "mysql://me:hunter2@127.0.0.1/x",
            "mysql://127.0.0.1:1/x?password=hunter2",
            "postgres://me:hunter2@127.0.0.1:1/x",
            "postgres://me:hunter2@127.0.0.1:port/x",
            "postgres://127.0.0.1:1/x?user=me&password=hunter2",
            "postgres:me:hunter2@127.0.0.1/x",
        ] {
            let mut serve = ddpatrold();
            serve.args(["serve", "--listen", "127.0.0.1:0"]).env("DATABASE_URL", url);
            scope.spawn(|| fails_without_showing_the_password(serve));
            let mut list = ddpatrold();
            list.args(["admin", "--database", url, "user", "list"]);
            scope.spawn(|| fails_without_showing_the_password(list));
        }
    });
}

#[test]
fn every_operation_of_the_document_has_its_own_identifier_and_the_licence_is_ours() {
    let database = Database::sqlite();
    let (server, _) = Server::first(&database, &[]);
    let document = server.call(&Request::get("/api/v2/openapi.json")).expect(200).json();
    let paths = document["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|path| path.as_object().unwrap().values());
    let mut ids: Vec<_> = operations.map(|it| it["operationId"].as_str().unwrap()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "{ids:?}");
    assert_eq!(document["info"]["license"]["identifier"], "MIT OR Apache-2.0");
    let contact = document["info"]["contact"]["url"].as_str().unwrap();
    assert!(contact.ends_with("/ddpatrol/ddpatrol"), "{contact}");
}

#[test]
fn deceptive_names_sources_and_urls_are_not_stored() {
    let database = Database::sqlite();
    let (server, admin) = Server::first(&database, &[]);
    for c in ['\u{7}', '\u{200b}', '\u{202e}', '\u{2066}', '\u{feff}'] {
        let text = server.call(&creation(&admin, &format!("a{c}b"), &["dashboards_read"]));
        assert!(text.expect(400).text().contains("data.attributes.name"), "{c:?}");
        let email = format!("a{c}@example.com");
        assert!(!try_admin(&database, &["user", "add", &email]).status.success(), "{c:?}");
    }
    let token = server.mint(&admin, "leaky", &["dashboards_read"]);
    let entry = json!({"token": token.key, "source": "GitHub", "url": "javascript:alert(1)"});
    assert_eq!(server.report(&json!([entry])), ["revoked"]);
    let events = server.events(&admin, &format!("@asset.id:{} -@action:created", token.id));
    assert_eq!(events.len(), 2);
    for event in events {
        let metadata = &event["attributes"]["attributes"]["metadata"];
        assert_eq!(metadata["leak_source"], "GitHub (unverified)");
        assert!(metadata.get("leak_url").is_none(), "{metadata}");
    }
    let query = [("filter[leaked]", "true")];
    let list = server.call(&Request::get(TOKENS).query(&query).bearer(&admin)).expect(200).json();
    assert_eq!(list["data"][0]["attributes"]["state"], "revoked");
}

/// Sends a form of a token in every text that a caller can send. `redacted` is what is stored.
fn redacted_everywhere(form: fn(&str) -> String, redacted: &str) {
    let database = Database::sqlite();
    let (server, admin) = Server::first(&database, &[]);
    let token = server.mint(&admin, "leaky", &["user_app_keys", "org_app_keys_read"]);
    let secret = &token.key[29..];
    let text = form(&token.key);
    let agent = check(&token.key).header("user-agent", format!("curl {text}"));
    server.call(&agent).expect(200);
    let missing = server.call(&Request::get(format!("{TOKENS}/{text}")).bearer(&admin));
    assert!(!missing.expect(404).text().contains(secret));
    for name in [text.clone(), format!("x {text}"), format!("x{text}y")] {
        let named = server.call(&creation(&admin, &name, &["user_app_keys"]));
        assert!(!named.expect(400).text().contains(secret));
        let renamed = json!({"data": {"type": "personal_access_tokens", "id": token.id,
            "attributes": {"name": name}}});
        let path = format!("{TOKENS}/{}", token.id);
        let renamed = server.call(&Request::patch(path).bearer(&admin).json(&renamed));
        assert!(!renamed.expect(400).text().contains(secret));
        let email = format!("{text}@example.com");
        for args in
            [["user", "add", &email, "--name", "x"], ["user", "add", "x@y", "--name", &name]]
        {
            let refused = try_admin(&database, &args);
            assert!(!refused.status.success());
            assert!(!String::from_utf8_lossy(&refused.stderr).contains(secret));
        }
    }
    let query = Request::get(EVENTS).query(&[("filter[query]", &format!("@x:{text}"))]);
    assert!(!server.call(&query.bearer(&admin)).expect(400).text().contains(secret));
    let place = format!("https://example.com/?key={text}");
    let entry = json!({"token": token.key, "url": place, "source": text, "location": place});
    assert_eq!(server.report(&json!([entry])), ["revoked"]);
    let refused = try_admin(&database, &["token", "revoke", &text]);
    assert!(!String::from_utf8_lossy(&refused.stderr).contains(secret));
    let all = until("the uses are recorded", || {
        let text = json!(server.events(&admin, "*")).to_string();
        (text.contains(&format!("curl {redacted}"))
            && text.contains(&format!("{TOKENS}/{redacted}")))
        .then_some(text)
    });
    assert!(all.contains(&format!("?key={redacted}")), "{all}");
    assert!(!all.contains(secret));
    let (_, log) = server.stop();
    assert!(!log.contains(secret), "{log}");
    let dump = database.dump();
    assert!(!dump.windows(secret.len()).any(|part| part == secret.as_bytes()));
}

#[test]
fn a_token_in_a_callers_text_is_redacted() {
    redacted_everywhere(str::to_owned, "ddpat_[redacted]");
}

#[test]
fn a_secret_without_its_prefix_in_a_callers_text_is_redacted() {
    redacted_everywhere(|token| token[29..].to_owned(), "[redacted]");
}
