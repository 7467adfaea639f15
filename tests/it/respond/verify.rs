//! Verdicts: live, dead, unknown.

use super::stub_issuer::Issuer;
use super::{LIVE, REFUSED, REVOKED, datadog, github, only, scan, tree_with};
use crate::support::mint::{self, Random, classic};
use crate::support::tree::Tree;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::process::Stdio;
use std::time::Duration;

const PAUSE: [&str; 2] = ["--verify-pause", "2"];

#[test]
fn a_token_accepted_by_its_issuer_is_live_and_sent_nowhere_else() {
    let issuer = Issuer::always(200, "", LIVE);
    let token = datadog(1);
    let tree = tree_with(&token);
    let ran = scan(&tree, &["--verify", "--datadog-site", &issuer.url]);
    assert_eq!(ran.code(), Some(1), "{ran:?}");
    assert_eq!(only(&ran, "verification")["verdict"], "live", "{ran:?}");
    let asked = issuer.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!((&*asked[0].method, &*asked[0].path), ("GET", "/api/v2/validate_keys"));
    assert_eq!(asked[0].bearer.as_deref(), Some(&*token));
    assert!(!ran.stdout().contains(&token) && !ran.stderr().contains(&token));
}

#[test]
fn dead_requires_two_rejections_from_every_site_with_a_pause() {
    let (one, two) =
        (Issuer::always(401, "", REFUSED), Issuer::always(403, "", r#"{"errors":["Forbidden"]}"#));
    let tree = tree_with(&datadog(2));
    let sites = ["--verify", "--datadog-site", &one.url, "--datadog-site", &two.url];
    let ran = scan(&tree, &[&sites[..], &PAUSE].concat());
    assert_eq!(only(&ran, "verification")["verdict"], "dead", "{ran:?}");
    for issuer in [one, two] {
        let asked = issuer.asked();
        assert_eq!(asked.len(), 2);
        assert!(asked[1].at - asked[0].at >= Duration::from_secs(2));
    }
}

#[test]
fn a_token_accepted_on_the_second_request_is_live() {
    let issuer = Issuer::start(|_, before| match before {
        0 => (401, REVOKED, REFUSED.to_owned()),
        _ => (200, "", LIVE.to_owned()),
    });
    let tree = tree_with(&datadog(3));
    let ran = scan(&tree, &[&["--verify", "--issuer", &issuer.url][..], &PAUSE].concat());
    assert_eq!(only(&ran, "verification")["verdict"], "live", "{ran:?}");
}

#[test]
fn any_other_response_is_unknown_and_names_its_site() {
    for (status, headers, body) in [
        (403, "content-type: text/html\r\n", "<h1>Forbidden</h1>"),
        (403, "", r#"{"errors":["Your address is not allowed"]}"#),
        (401, "", r#"{"error":"no"}"#),
        (200, "", "ok"),
        (200, "", "{}"),
        (404, "", REFUSED),
        (500, "", REFUSED),
        (302, "location: http://127.0.0.1:1/\r\n", ""),
    ] {
        let (odd, refusing) =
            (Issuer::always(status, headers, body), Issuer::always(401, "", REFUSED));
        let tree = tree_with(&datadog(4));
        let sites = ["--verify", "--datadog-site", &odd.url, "--datadog-site", &refusing.url];
        let ran = scan(&tree, &[&sites[..], &PAUSE].concat());
        let printed = only(&ran, "verification");
        assert_eq!(printed["verdict"], "unknown", "{status} {body}: {printed}");
        let host = odd.url.trim_start_matches("http://");
        assert!(printed["reason"].as_str().is_some_and(|it| it.contains(host)), "{printed}");
        assert!(
            !printed.to_string().contains(refusing.url.trim_start_matches("http://")),
            "{printed}"
        );
        assert_eq!(odd.asked().len(), 1, "{status} {body}");
    }
}

#[test]
fn a_redirect_is_not_followed_with_a_credential() {
    let thief = Issuer::always(200, "", LIVE);
    let location: &'static str =
        Box::leak(format!("location: {}/\r\n", thief.url).into_boxed_str());
    let issuer = Issuer::always(307, location, "");
    let ran = scan(&tree_with(&datadog(5)), &["--verify", "--issuer", &issuer.url]);
    assert_eq!(only(&ran, "verification")["verdict"], "unknown");
    assert!(thief.asked().is_empty());
}

#[test]
fn an_unreachable_issuer_is_retried_and_then_unknown() {
    let ran = scan(&tree_with(&datadog(6)), &["--verify", "--issuer", "http://127.0.0.1:1"]);
    let printed = only(&ran, "verification");
    assert_eq!(printed["verdict"], "unknown");
    assert!(printed["reason"].as_str().is_some_and(|it| it.contains("127.0.0.1:1")), "{printed}");
    assert_eq!(ran.code(), Some(1), "the finding determines the exit code");
}

#[test]
fn the_retry_delay_of_a_busy_issuer_is_respected() {
    for (header, seconds) in [("retry-after: 2\r\n", 2), ("x-ratelimit-reset: 3\r\n", 3)] {
        let issuer = Issuer::start(move |_, before| match before {
            0 => (429, header, REFUSED.to_owned()),
            _ => (200, "", LIVE.to_owned()),
        });
        let ran = scan(&tree_with(&datadog(7)), &["--verify", "--issuer", &issuer.url]);
        assert_eq!(only(&ran, "verification")["verdict"], "live", "{ran:?}");
        let asked = issuer.asked();
        assert!(asked[1].at - asked[0].at >= Duration::from_secs(seconds), "{asked:?}");
    }
    let issuer = Issuer::always(429, "retry-after: 3600\r\n", REFUSED);
    let ran = scan(&tree_with(&datadog(7)), &["--verify", "--issuer", &issuer.url]);
    assert_eq!(only(&ran, "verification")["verdict"], "unknown");
    assert_eq!(issuer.asked().len(), 1, "the request is not retried");
}

#[test]
fn an_endless_response_is_cut_off() {
    let issuer = Issuer::start(|_, _| (200, "", "x".repeat(5 * 1024 * 1024)));
    let ran = scan(&tree_with(&datadog(8)), &["--verify", "--issuer", &issuer.url]);
    assert_eq!(only(&ran, "verification")["verdict"], "unknown");
}

#[test]
fn a_token_with_many_locations_is_verified_once() {
    let issuer = Issuer::always(200, "", LIVE);
    let tree = Tree::new();
    for name in ["a", "b", "c/d"] {
        tree.write(name, datadog(9));
    }
    let ran = scan(&tree, &["--verify", "--issuer", &issuer.url]);
    assert_eq!(only(&ran, "verification")["verdict"], "live");
    assert_eq!(issuer.asked().len(), 1);
}

#[test]
fn github_error_messages_determine_the_verdict() {
    for (status, body, verdict) in [
        (200, r#"{"login":"ada"}"#, "live"),
        (401, r#"{"message":"Bad credentials"}"#, "dead"),
        (401, r#"{"message":"Requires authentication"}"#, "unknown"),
        (403, r#"{"message":"Forbidden"}"#, "unknown"),
        (200, "[]", "unknown"),
    ] {
        let (api, other) = (Issuer::always(status, "", body), Issuer::always(200, "", LIVE));
        let args = ["--verify", "--github-api", &api.url, "--issuer", &other.url];
        let ran = scan(&tree_with(&github(1)), &[&args[..], &PAUSE].concat());
        assert_eq!(only(&ran, "verification")["verdict"], verdict, "{status} {body}");
        assert!(api.asked().iter().all(|it| it.path == "/user"));
        assert!(other.asked().is_empty(), "a token is sent only to its own issuer");
    }
}

#[test]
fn tokens_without_an_issuer_api_are_unknown() {
    let issuer = Issuer::always(200, "", LIVE);
    for token in [classic(&mut Random(1), "vcr_", 50), classic(&mut Random(2), "ghr_", 30)] {
        let options = ["--issuer", "--github-api", "--vercel-api", "--npm-registry"];
        let args = options.iter().flat_map(|it| [*it, &issuer.url]);
        let args: Vec<&str> = ["--verify"].into_iter().chain(args).collect();
        let ran = scan(&tree_with(&token), &args);
        assert_eq!(only(&ran, "verification")["verdict"], "unknown", "{ran:?}");
    }
    let mut fake = datadog(10);
    fake.replace_range(fake.len() - 6.., "000000");
    let args = ["--verify", "--show-shaped", "--issuer", &issuer.url];
    let ran = scan(&tree_with(&fake), &args);
    assert!(only(&ran, "verification").is_null(), "a failed candidate is not sent");
    assert!(issuer.asked().is_empty());
}

#[test]
fn tokens_are_not_sent_unencrypted_to_other_hosts() {
    let tree = tree_with(&datadog(11));
    for args in [
        ["--issuer", "http://example.com"],
        ["--datadog-site", "http://example.com"],
        ["--github-api", "http://example.com"],
        ["--gitlab-url", "http://example.com"],
        ["--npm-registry", "http://registry.npmjs.org"],
        ["--cloudflare-api", "http://example.com"],
        ["--vercel-api", "http://example.com"],
        ["--bitbucket-api", "http://example.com"],
        ["--atlassian-url", "http://example.atlassian.net"],
        ["--grafana-url", "http://grafana.example.com"],
        ["--wandb-url", "http://example.com"],
        ["--cloudflare-account", "../../user"],
        ["--atlassian-email", "a:b@example.com"],
        ["--issuer", "https://user:word@example.com"],
        ["--datadog-site", "nowhere"],
    ] {
        let ran = scan(&tree, &[&["--verify"][..], &args].concat());
        assert_eq!(ran.code(), Some(2), "{ran:?}");
        assert!(ran.stderr().contains(args[0]), "{ran:?}");
    }
}

#[test]
fn every_format_shows_the_verdict() {
    let issuer = Issuer::always(200, "", LIVE);
    let tree = tree_with(&datadog(12));
    let run = |format| {
        tree.run(&["scan", "--verify", "--issuer", &issuer.url, "--report", format]).stdout()
    };
    assert!(run("text").contains("    verified live: 127.0.0.1:"), "{}", run("text"));
    assert!(run("text").contains("Verified: 1 live.\n"));
    assert!(run("jsonl").lines().any(|line| {
        line.starts_with(r#"{"type":"response","fingerprint":""#)
            && line.contains(r#""verification":{"verdict":"live""#)
    }));
    let sarif: serde_json::Value = serde_json::from_str(&run("sarif")).expect("JSON");
    let properties = &sarif["runs"][0]["results"][0]["properties"];
    assert_eq!(properties["verification"]["verdict"], "live");
}

#[test]
fn a_proxy_is_used_except_for_localhost_and_sees_no_token() {
    let (proxy, local) = (Issuer::always(502, "", "{}"), Issuer::always(200, "", LIVE));
    let tree = tree_with(&datadog(13));
    let verdict = |site: &str, no_proxy: &str| {
        let args = ["scan", "--report", "json", "--verify", "--datadog-site", site];
        let mut command = tree.command(&args);
        command.env("HTTPS_PROXY", &proxy.url).env("HTTP_PROXY", &proxy.url);
        command.env("NO_PROXY", no_proxy);
        let ran = crate::support::tree::RunOutput(command.output().expect("the program runs"));
        only(&ran, "verification")["verdict"].clone()
    };
    assert_eq!(verdict(&local.url, ""), "live");
    assert!(proxy.asked().is_empty());
    assert_eq!(verdict("https://tokens.invalid", ""), "unknown");
    let asked = proxy.asked();
    assert!(!asked.is_empty());
    for asked in &asked {
        assert_eq!((&*asked.method, &*asked.path), ("CONNECT", "tokens.invalid:443"));
        assert_eq!(asked.bearer, None);
    }
    assert_eq!(verdict("https://tokens.invalid", "tokens.invalid"), "unknown");
    assert_eq!(proxy.asked().len(), asked.len(), "NO_PROXY passes it by");
}

#[test]
fn an_interrupt_ends_the_pause_and_no_token_is_dead() {
    let issuer = Issuer::always(401, REVOKED, REFUSED);
    let tree = tree_with(&datadog(14));
    let args = ["scan", "--report", "json", "--verify", "--verify-pause", "600"];
    let mut command = tree.command(&[&args[..], &["--issuer", &issuer.url]].concat());
    let child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs");
    while issuer.asked().is_empty() {
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(300));
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    kill(pid, Signal::SIGINT).expect("it lives");
    let ran = crate::support::tree::RunOutput(child.wait_with_output().expect("the program ends"));
    assert_eq!(ran.code(), Some(130), "{ran:?}");
    assert_eq!(only(&ran, "verification")["verdict"], "unknown");
    assert_eq!(issuer.asked().len(), 1);
}

#[test]
fn a_service_account_token_is_sent_to_every_configured_issuer() {
    let (own, site) = (Issuer::always(401, "", REFUSED), Issuer::always(200, "", LIVE));
    let tree = tree_with(&mint::datadog(&mut Random(15), "ddsat_", 43, 0));
    let issuer = ["--verify", "--issuer", &own.url];
    let printed = only(&scan(&tree, &[&issuer[..], &PAUSE].concat()), "verification");
    assert_eq!(printed["verdict"], "unknown", "the service does not state that it issued it");
    let ran = scan(&tree, &[&issuer[..], &["--datadog-site", &site.url]].concat());
    assert_eq!(only(&ran, "verification")["verdict"], "live");
    assert!(!own.asked().is_empty() && site.asked().len() == 1);
}

#[test]
fn a_custom_service_rejects_as_dead_only_tokens_that_it_issued() {
    let forbidden = r#"{"errors":["Forbidden"]}"#;
    for (status, header, body, verdict, reason) in [
        (401, REVOKED, REFUSED, "dead", "revoked at HOST"),
        (401, "x-token-state: expired\r\n", REFUSED, "dead", "expired at HOST"),
        (401, "", REFUSED, "unknown", "HOST does not accept it and does not say that it issued it"),
        (
            401,
            "x-token-state: odd\r\n",
            REFUSED,
            "unknown",
            "HOST does not accept it and does not say that it issued it",
        ),
        (401, "x-token-state: revoked\r\nx-token-state: revoked\r\n", REFUSED, "unknown", ""),
        (403, REVOKED, forbidden, "unknown", "HOST: status 403"),
        (401, REVOKED, "{}", "unknown", "HOST: status 401"),
    ] {
        let issuer = Issuer::always(status, header, body);
        let args = [&["--verify", "--issuer", &issuer.url][..], &PAUSE].concat();
        let printed = only(&scan(&tree_with(&datadog(16)), &args), "verification");
        assert_eq!(printed["verdict"], verdict, "{status} {header}");
        let reason = reason.replace("HOST", issuer.url.trim_start_matches("http://"));
        assert!(printed["reason"].as_str().is_some_and(|it| it.contains(&reason)), "{printed}");
    }
}

#[test]
fn a_foreign_token_is_dead_if_the_sites_reject_it() {
    let (own, site) = (Issuer::always(401, "", REFUSED), Issuer::always(401, "", REFUSED));
    let args = ["--verify", "--issuer", &own.url, "--datadog-site", &site.url];
    let ran = scan(&tree_with(&datadog(20)), &[&args[..], &PAUSE].concat());
    let printed = only(&ran, "verification");
    assert_eq!(printed["verdict"], "dead", "{printed}");
    assert!(!printed.to_string().contains(own.url.trim_start_matches("http://")), "{printed}");
}

#[test]
fn the_end_of_a_token_does_not_hide_an_unreachable_site() {
    let own = Issuer::always(401, REVOKED, REFUSED);
    let args = ["--verify", "--issuer", &own.url, "--datadog-site", "http://127.0.0.1:1"];
    let ran = scan(&tree_with(&datadog(21)), &args);
    assert_eq!(only(&ran, "verification")["verdict"], "unknown", "{ran:?}");
}

const GRANT: &str = "x-oauth-scopes: repo, gist\r\ngithub-authentication-token-expiration: 2030-01-02 03:04:05 UTC\r\n";

#[test]
fn login_scopes_and_expiry_of_a_github_token_are_reported_in_every_format() {
    let secret = github(30);
    let body = serde_json::json!({"login": format!("<b>ada\u{1b}[31m {secret}")}).to_string();
    let api = Issuer::start(move |_, _| (200, GRANT, body.clone()));
    let tree = tree_with(&github(30));
    let run = |format| {
        tree.run(&["scan", "--verify", "--github-api", &api.url, "--report", format]).stdout()
    };
    let document: serde_json::Value = serde_json::from_str(&run("json")).expect("JSON");
    let printed = &document["findings"][0]["verification"];
    assert_eq!(printed["scopes"], serde_json::json!(["repo", "gist"]), "{printed}");
    assert_eq!(printed["expires_at"], "2030-01-02T03:04:05Z", "{printed}");
    assert!(printed["login"].as_str().is_some_and(|it| it.contains("ada")), "{printed}");
    let counts = serde_json::json!({"live": 1, "dead": 0, "unknown": 0});
    assert_eq!(document["summary"]["verified"], counts);
    let sarif: serde_json::Value = serde_json::from_str(&run("sarif")).expect("JSON");
    let properties = &sarif["runs"][0]["results"][0]["properties"];
    assert_eq!(properties["verification"]["scopes"][1], "gist");
    for format in ["text", "html", "markdown", "json", "jsonl", "sarif"] {
        let shown = run(format);
        assert!(shown.contains("ada") && shown.contains("2030-01-02T03:04:05Z"), "{format}");
        assert!(!shown.contains(&secret) && !shown.contains('\u{1b}'), "{format}: {shown}");
    }
    assert!(!run("html").contains("<b>ada") && !run("markdown").contains("<b>ada"));
}

#[test]
fn a_token_without_scopes_differs_from_one_whose_scopes_are_unknown() {
    for (header, expected) in
        [("x-oauth-scopes: \r\n", serde_json::json!([])), ("", serde_json::Value::Null)]
    {
        let api = Issuer::always(200, header, r#"{"login":"ada"}"#);
        let ran = scan(&tree_with(&github(31)), &["--verify", "--github-api", &api.url]);
        assert_eq!(only(&ran, "verification")["scopes"], expected, "{header}");
    }
}

#[test]
fn the_fail_level_live_depends_on_the_verdict() {
    for (status, header, body, code) in
        [(200, "", LIVE, 1), (401, REVOKED, REFUSED, 0), (401, "", REFUSED, 2), (500, "", "{}", 2)]
    {
        let issuer = Issuer::always(status, header, body);
        let args = ["--verify", "--fail-on", "live", "--issuer", &issuer.url];
        let ran = scan(&tree_with(&datadog(22)), &[&args[..], &PAUSE].concat());
        assert_eq!(ran.code(), Some(code), "{status} {header}: {ran:?}");
        assert_eq!(ran.stderr().contains("may be live"), code == 2, "{ran:?}");
    }
    let tree = tree_with(&datadog(22));
    let ran = scan(&tree, &["--fail-on", "live"]);
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    assert!(ran.stderr().contains("--fail-on live requires --verify"), "{ran:?}");
    let ran = scan(&tree_with("clean"), &["--verify", "--fail-on", "live"]);
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    let counts = serde_json::json!({"live": 0, "dead": 0, "unknown": 0});
    assert_eq!(ran.json()["summary"]["verified"], counts);
}

#[test]
fn a_configured_fail_level_live_without_verification_is_proven() {
    let issuer = Issuer::always(401, REVOKED, REFUSED);
    let tree = tree_with(&datadog(23));
    tree.write(".ddpatrol.toml", "fail_on = \"live\"\n");
    let ran = scan(&tree, &[]);
    assert_eq!(ran.code(), Some(1), "{ran:?}");
    assert!(ran.json()["notes"].to_string().contains("applies with --verify only"), "{ran:?}");
    let ran = scan(&tree, &[&["--verify", "--issuer", &issuer.url][..], &PAUSE].concat());
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    assert!(!ran.json()["notes"].to_string().contains("--verify"), "{ran:?}");
}

#[test]
fn the_heading_of_live_tokens_is_printed_bold() {
    let issuer = Issuer::always(200, "", LIVE);
    let tree = tree_with(&datadog(24));
    let args = ["scan", "--verify", "--issuer", &issuer.url, "--color", "always"];
    let shown = tree.run(&args).stdout();
    let line = shown.lines().find(|it| it.contains("LIVE")).expect("the heading");
    assert!(line.contains("\u{1b}[1m") && !line.contains("\u{1b}[2m"), "{line:?}");
}

#[test]
fn json_quoted_in_a_page_is_not_a_verdict() {
    for (status, body) in [(401, REFUSED), (403, r#"{"errors":["Forbidden"]}"#), (200, LIVE)] {
        let page = "content-type: text/html\r\n";
        let issuer = Issuer::always(status, page, body);
        let args = [&["--verify", "--datadog-site", &issuer.url][..], &PAUSE].concat();
        let ran = scan(&tree_with(&datadog(17)), &args);
        assert_eq!(only(&ran, "verification")["verdict"], "unknown", "{status}");
    }
}

fn verdicts(ran: &crate::support::tree::RunOutput) -> Vec<String> {
    let findings = ran.json()["findings"].as_array().expect("a list").clone();
    let verdict = |it: &serde_json::Value| it["verification"]["verdict"].to_string();
    findings.iter().map(verdict).collect()
}

fn tree_of(tokens: u64) -> Tree {
    let tree = Tree::new();
    for seed in 0..tokens {
        tree.write(seed.to_string(), datadog(seed));
    }
    tree
}

#[test]
fn a_retry_delay_applies_to_all_tokens() {
    let issuer = Issuer::start(|_, before| match before {
        0 => (429, "retry-after: 2\r\n", "{}".to_owned()),
        _ => (200, "", LIVE.to_owned()),
    });
    let ran = scan(&tree_of(8), &["--verify", "--issuer", &issuer.url]);
    assert_eq!(verdicts(&ran), [r#""live""#; 8]);
    let asked = issuer.asked();
    let soon =
        |it: &&super::stub_issuer::Request| it.at - asked[0].at < Duration::from_millis(1_900);
    // A request may have been in flight when the response arrived.
    assert!(asked.iter().skip(1).filter(soon).count() <= 1, "{asked:?}");
}

#[test]
fn a_retry_delay_of_an_hour_ends_the_requests() {
    let issuer = Issuer::always(429, "retry-after: 3600\r\n", "{}");
    let ran = scan(&tree_of(20), &["--verify", "--issuer", &issuer.url]);
    assert_eq!(verdicts(&ran), [r#""unknown""#; 20]);
    assert!(issuer.asked().len() <= 4, "one a worker at most: {}", issuer.asked().len());
}

#[test]
fn an_unreachable_issuer_is_tried_once_and_revocation_is_still_attempted() {
    let issuer = Issuer::start(|asked, _| match asked.method.as_str() {
        "GET" => (503, "retry-after: 3600\r\n", "{}".to_owned()),
        _ => (200, "", r#"{"results":[{"status":"revoked"}]}"#.to_owned()),
    });
    let args = ["--verify", "--revoke", "--yes", "--issuer", &issuer.url];
    let ran = scan(&tree_of(1), &args);
    assert_eq!(verdicts(&ran), [r#""unknown""#]);
    assert_eq!(only(&ran, "revocation")["outcome"], "revoked");
}

#[test]
fn a_site_listed_twice_is_asked_once() {
    let issuer = Issuer::always(200, "", "{}");
    let again = format!("{}/", issuer.url);
    let ran =
        scan(&tree_with(&datadog(18)), &["--verify", "--issuer", &issuer.url, "--issuer", &again]);
    assert_eq!(only(&ran, "verification")["verdict"], "unknown");
    assert_eq!(issuer.asked().len(), 1);
}

#[test]
fn a_password_in_a_url_is_not_printed() {
    for option in ["--issuer", "--datadog-site", "--github-api", "--gitlab-url", "--grafana-url"] {
        let address = "https://admin:hunter2@example.com";
        let ran = scan(&tree_with("clean"), &["--verify", option, address]);
        assert_eq!(ran.code(), Some(2));
        assert!(ran.stderr().contains(option) && !ran.stderr().contains("hunter2"), "{ran:?}");
    }
}

#[test]
fn a_github_token_without_a_permission_is_live() {
    let body = r#"{"message":"Resource not accessible by personal access token"}"#;
    let api = Issuer::always(403, "", body);
    let ran = scan(&tree_with(&github(19)), &["--verify", "--github-api", &api.url]);
    assert_eq!(only(&ran, "verification")["verdict"], "live");
}

#[test]
fn tokens_with_known_verdicts_are_not_sent() {
    let issuer = Issuer::always(200, "", LIVE);
    let tree = tree_with(&format!("{}\n{}\n", datadog(41), datadog(42)));
    let first = scan(&tree, &["--verify", "--datadog-site", &issuer.url]).json();
    assert_eq!(issuer.asked().len(), 2);
    let known = &first["findings"][0]["fingerprint"];
    tree.write(
        "known.json",
        format!(
            r#"{{{known}: {{"verdict": "dead", "reason": "said so", "login": "octo", "scopes": []}}}}"#
        ),
    );
    let args = ["--verify", "--datadog-site", &issuer.url, "--known-verdicts", "known.json"];
    let ran = scan(&tree, &args);
    let second = ran.json();
    assert_eq!(issuer.asked().len(), 3, "only the other token is sent: {ran:?}");
    let verified = |at: usize| second["findings"][at]["verification"].clone();
    assert_eq!(verified(0)["verdict"], "dead");
    assert_eq!(
        (&verified(0)["reason"], &verified(0)["login"]),
        (&"said so".into(), &"octo".into())
    );
    assert_eq!(verified(1)["verdict"], "live");
    for (content, text) in [("[]", "--known-verdicts"), (r#"{"x": {}}"#, "--known-verdicts")] {
        tree.write("bad.json", content);
        let ran = scan(&tree, &["--verify", "--known-verdicts", "bad.json"]);
        assert_eq!(ran.code(), Some(2));
        assert!(ran.stderr().contains(text), "{ran:?}");
    }
}
