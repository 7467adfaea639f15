//! Verification with the APIs of single issuers: requests, live tokens and what is reported about them.

use super::sample::Sample;
use super::stub_issuer::{Issuer, Request};
use serde_json::{Value, json};

const GITLAB: &str = r#"{"id":4,"name":"Test Token","revoked":false,"active":true,"scopes":["api","read_user"],"user_id":24,"expires_at":"2027-02-01"}"#;
const CLOUDFLARE: &str = r#"{"success":true,"errors":[],"messages":[],"result":{"id":"ed17574386854bf78a67040be0a770b0","status":"active","not_before":"2018-07-01T05:20:00Z","expires_on":"2027-01-01T00:00:00Z"}}"#;
const BITBUCKET_SCOPES: &str = r#"{"type":"error","error":{"message":"Your credentials lack one or more required privilege scopes.","detail":{"required":["account"],"granted":["repository"]}}}"#;
const GRAFANA_DENIED: &str = r#"{"accessErrorId":"ACE0947587429","message":"You'll need additional permissions to perform this action. Permissions needed: orgs:read","title":"Access denied"}"#;
pub(super) const ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";

/// A live token: its rule, the options with `URL` for the issuer, the response, and what is expected.
struct Case {
    rule: &'static str,
    options: &'static [&'static str],
    status: u16,
    body: &'static str,
    request: &'static str,
    /// Login, scopes and expiry.
    facts: &'static str,
}

const fn case(rule: &'static str, options: &'static [&'static str], request: &'static str) -> Case {
    Case { rule, options, status: 200, body: "{}", request, facts: "{}" }
}

const CASES: &[Case] = &[
    Case {
        body: GITLAB,
        facts: r#"{"login":"user id 24","scopes":["api","read_user"],"expires_at":"2027-02-01"}"#,
        ..case("gitlab-pat", &["--gitlab-url", "URL"], "GET /api/v4/personal_access_tokens/self")
    },
    Case {
        status: 403,
        body: r#"{"error":"insufficient_scope","error_description":"x","scope":"api"}"#,
        ..case(
            "gitlab-pat-unversioned",
            &["--gitlab-url", "URL"],
            "GET /api/v4/personal_access_tokens/self",
        )
    },
    Case {
        body: r#"{"username":"ada"}"#,
        facts: r#"{"login":"ada"}"#,
        ..case("npm-token", &["--npm-registry", "URL"], "GET /-/whoami")
    },
    Case {
        body: CLOUDFLARE,
        facts: r#"{"expires_at":"2027-01-01T00:00:00Z"}"#,
        ..case(
            "cloudflare-user-token",
            &["--cloudflare-api", "URL/client/v4"],
            "GET /client/v4/user/tokens/verify",
        )
    },
    Case {
        body: CLOUDFLARE,
        facts: r#"{"expires_at":"2027-01-01T00:00:00Z"}"#,
        ..case(
            "cloudflare-account-token",
            &["--cloudflare-api", "URL", "--cloudflare-account", ACCOUNT],
            "GET /accounts/023e105f4ecef8ad9ca31a8372d0c353/tokens/verify",
        )
    },
    Case {
        body: r#"{"success":true,"errors":[],"result":{"id":"x","email":"ada@example.com"}}"#,
        facts: r#"{"login":"ada@example.com"}"#,
        ..case(
            "cloudflare-global-key",
            &["--cloudflare-api", "URL", "--cloudflare-email", "ada@example.com"],
            "GET /user",
        )
    },
    Case {
        body: r#"{"user":{"id":"x","username":"ada","email":"ada@example.com"},"token":{"id":"y","scopes":[{"type":"user"},{"type":"team","teamId":"team_1"}],"expiresAt":1632816536000}}"#,
        facts: r#"{"login":"ada","scopes":["user","team team_1"],"expires_at":"2021-09-28T08:08:56Z"}"#,
        ..case("vercel-pat", &["--vercel-api", "URL"], "GET /v2/user")
    },
    Case {
        body: r#"{"user":{"id":"x","limited":true,"email":"ada@example.com"}}"#,
        facts: r#"{"login":"ada@example.com"}"#,
        ..case("vercel-integration", &["--vercel-api", "URL"], "GET /v2/user")
    },
    Case {
        body: r#"{"type":"user","username":"ada","display_name":"Ada"}"#,
        facts: r#"{"login":"ada"}"#,
        ..case(
            "atlassian-api-token",
            &["--bitbucket-api", "URL", "--atlassian-email", "ada@example.com"],
            "GET /2.0/user",
        )
    },
    Case {
        body: r#"{"accountId":"5b10","emailAddress":"ada@example.com","displayName":"Ada"}"#,
        facts: r#"{"login":"ada@example.com"}"#,
        ..case(
            "atlassian-api-token",
            &["--atlassian-url", "URL", "--atlassian-email", "ada@example.com"],
            "GET /rest/api/3/myself",
        )
    },
    Case {
        status: 403,
        body: BITBUCKET_SCOPES,
        facts: r#"{"scopes":["repository"]}"#,
        ..case("bitbucket-access-token", &["--bitbucket-api", "URL"], "GET /2.0/user")
    },
    Case {
        body: r#"{"type":"user","username":"ada"}"#,
        facts: r#"{"login":"ada"}"#,
        ..case(
            "bitbucket-app-password",
            &["--bitbucket-api", "URL", "--bitbucket-user", "ada"],
            "GET /2.0/user",
        )
    },
    Case {
        body: r#"{"id":1,"name":"Main Org."}"#,
        facts: r#"{"login":"Main Org."}"#,
        ..case("grafana-service-account-token", &["--grafana-url", "URL"], "GET /api/org")
    },
    Case {
        status: 403,
        body: GRAFANA_DENIED,
        ..case("grafana-service-account-token", &["--grafana-url", "URL"], "GET /api/org")
    },
    Case {
        body: r#"{"data":{"viewer":{"username":"ada","entity":"team"}}}"#,
        facts: r#"{"login":"ada"}"#,
        ..case("wandb-api-key", &["--wandb-url", "URL"], "POST /graphql")
    },
];

/// Returns the options with the issuer's address.
pub(super) fn with_url(options: &[&str], issuer: &Issuer) -> Vec<String> {
    options.iter().map(|it| it.replace("URL", &issuer.url)).collect()
}

/// Verifies a sample; returns the verification.
pub(super) fn verified(sample: &Sample, options: &[String]) -> Value {
    let args = ["--verify", "--verify-pause", "2"].into_iter();
    let args: Vec<&str> = args.chain(options.iter().map(String::as_str)).collect();
    let ran = sample.scan(&args);
    let shown = format!("{ran:?}");
    assert!(!shown.contains(&sample.token), "{shown}");
    super::only(&ran, "verification")
}

#[test]
fn issuers_are_asked_as_documented_and_report_what_they_know() {
    for (seed, case) in CASES.iter().enumerate() {
        let Case { rule, options, status, body, request, facts } = *case;
        let sample = Sample::of(rule, seed as u64);
        let issuer = Issuer::always(status, "", body);
        let printed = verified(&sample, &with_url(options, &issuer));
        assert_eq!(printed["verdict"], "live", "{rule}: {printed}");
        let facts: Value = serde_json::from_str(facts).expect("JSON");
        for name in ["login", "scopes", "expires_at"] {
            assert_eq!(printed[name], facts[name], "{rule}: {name}: {printed}");
        }
        let asked = issuer.asked();
        assert_eq!(format!("{} {}", asked[0].method, asked[0].path), request, "{rule}");
        assert!(asked.iter().all(|it| presents(it, rule, &sample.token)), "{rule}: {asked:?}");
        assert!(asked.iter().all(|it| !it.path.contains(&sample.token)), "{rule}: {asked:?}");
    }
}

/// Returns `true` if a request presents a token as its issuer documents it.
fn presents(request: &Request, rule: &str, token: &str) -> bool {
    let header = |name| request.header(name).unwrap_or_default().to_owned();
    let basic = |user: &str| {
        use base64::Engine;
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{token}"));
        header("authorization") == format!("Basic {pair}")
    };
    match rule {
        "gitlab-pat" | "gitlab-pat-unversioned" => header("private-token") == token,
        "cloudflare-global-key" => {
            header("x-auth-key") == token && header("x-auth-email") == "ada@example.com"
        }
        "atlassian-api-token" => basic("ada@example.com"),
        "bitbucket-app-password" => basic("ada"),
        "wandb-api-key" => {
            let query = request.body["query"].as_str().unwrap_or_default();
            basic("api") && query.contains("viewer") && !query.contains("mutation")
        }
        _ => request.bearer.as_deref() == Some(token),
    }
}

#[test]
fn a_token_is_sent_to_its_own_issuer_only() {
    let (own, other) = (Issuer::always(200, "", "{}"), Issuer::always(200, "", "{}"));
    let addresses = [
        "--issuer",
        "--datadog-site",
        "--github-api",
        "--gitlab-url",
        "--npm-registry",
        "--cloudflare-api",
        "--vercel-api",
        "--bitbucket-api",
        "--atlassian-url",
        "--grafana-url",
        "--wandb-url",
    ];
    let owners = [
        ["--cloudflare-account", ACCOUNT],
        ["--cloudflare-email", "ada@example.com"],
        ["--atlassian-email", "ada@example.com"],
        ["--bitbucket-user", "ada"],
    ];
    for (rule, option) in [
        ("gitlab-pat", "--gitlab-url"),
        ("npm-token", "--npm-registry"),
        ("cloudflare-user-token", "--cloudflare-api"),
        ("cloudflare-account-token", "--cloudflare-api"),
        ("cloudflare-global-key", "--cloudflare-api"),
        ("vercel-pat", "--vercel-api"),
        ("bitbucket-access-token", "--bitbucket-api"),
        ("bitbucket-app-password", "--bitbucket-api"),
        ("grafana-service-account-token", "--grafana-url"),
        ("wandb-api-key", "--wandb-url"),
    ] {
        let before = own.asked().len();
        let mut options: Vec<String> = owners.concat().iter().map(|it| (*it).to_owned()).collect();
        for address in addresses {
            let issuer = if address == option { &own } else { &other };
            options.extend([address.to_owned(), issuer.url.clone()]);
        }
        let printed = verified(&Sample::of(rule, 90), &options);
        assert_eq!(printed["verdict"], "unknown", "{rule}: {printed}");
        assert_eq!(own.asked().len(), before + 1, "{rule}");
        assert!(other.asked().is_empty(), "{rule}");
    }
}

#[test]
fn a_redirect_to_another_host_is_not_followed() {
    let thief = Issuer::always(200, "", r#"{"username":"ada","id":1,"active":true}"#);
    let location = format!("location: {}/\r\n", thief.url);
    let location: &'static str = Box::leak(location.into_boxed_str());
    for (rule, options) in [
        ("gitlab-pat", ["--gitlab-url", "URL"]),
        ("npm-token", ["--npm-registry", "URL"]),
        ("cloudflare-user-token", ["--cloudflare-api", "URL"]),
        ("vercel-pat", ["--vercel-api", "URL"]),
        ("grafana-service-account-token", ["--grafana-url", "URL"]),
        ("wandb-api-key", ["--wandb-url", "URL"]),
    ] {
        for status in [301, 307] {
            let issuer = Issuer::always(status, location, "{}");
            let printed = verified(&Sample::of(rule, 91), &with_url(&options, &issuer));
            assert_eq!(printed["verdict"], "unknown", "{rule} {status}: {printed}");
        }
    }
    assert!(thief.asked().is_empty());
}

#[test]
fn without_a_required_option_nothing_is_sent_and_the_option_is_named() {
    let issuer = Issuer::always(200, "", "{}");
    for (rule, options, missing) in [
        ("cloudflare-account-token", vec!["--cloudflare-api", "URL"], "--cloudflare-account"),
        ("cloudflare-global-key", vec!["--cloudflare-api", "URL"], "--cloudflare-email"),
        ("atlassian-api-token", vec!["--bitbucket-api", "URL"], "--atlassian-email"),
        ("bitbucket-app-password", vec!["--bitbucket-api", "URL"], "--bitbucket-user"),
        ("grafana-service-account-token", vec![], "--grafana-url"),
    ] {
        let printed = verified(&Sample::of(rule, 92), &with_url(&options, &issuer));
        assert_eq!(printed["verdict"], "unknown", "{rule}: {printed}");
        let reason = printed["reason"].as_str().unwrap_or_default().to_owned();
        assert!(reason.contains(missing), "{rule}: {reason}");
    }
    assert!(issuer.asked().is_empty());
}

#[test]
fn the_text_of_an_issuer_is_redacted_and_escaped() {
    let sample = Sample::of("npm-token", 93);
    let body = json!({"username": format!("ada\u{1b}[31m {}", sample.token)}).to_string();
    let issuer = Issuer::start(move |_, _| (200, "", body.clone()));
    let options = with_url(&["--npm-registry", "URL"], &issuer);
    let printed = verified(&sample, &options);
    assert_eq!(printed["verdict"], "live", "{printed}");
    assert!(printed["login"].as_str().is_some_and(|it| it.starts_with("ada")), "{printed}");
    let ran = sample.tree.run(&["scan", "x", "--verify", "--npm-registry", &issuer.url]);
    let shown = format!("{}{}", ran.stdout(), ran.stderr());
    assert!(shown.contains("login ada"), "{shown}");
    assert!(!shown.contains(&sample.token) && !shown.contains('\u{1b}'), "{shown}");
}
