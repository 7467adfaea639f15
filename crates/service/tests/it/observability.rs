//! Operation: the request log, metrics, the separate listener, variables, security headers, and
//! notifications of systemd.

use crate::database::Database;
use crate::http::{Connection, Request};
use crate::network::TlsFiles;
use crate::server::{CHECK, Server, TOKENS, check, creation, ddpatrold};
use crate::until;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;

/// Returns the lines of a JSON log.
fn lines(log: &str) -> Vec<Value> {
    log.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect()
}

/// Starts a server whose log is JSON.
fn logging(database: &Database, options: &[&str]) -> Server {
    let mut command = ddpatrold();
    command.env("DDPATROLD_LOG_FORMAT", "json");
    Server::spawn(command, &database.url(), &[&["--no-rate-limit"], options].concat())
}

#[test]
fn every_request_is_logged_with_its_identifier_and_without_a_token() {
    let database = Database::sqlite();
    let server = logging(&database, &["--request-log"]);
    let with = server.first_token();
    let answer = server.call(&Request::get(format!("{TOKENS}/{with}?token={with}")).bearer(&with));
    let id = answer.header("x-request-id").unwrap().to_owned();
    let unknown = server.call(&Request::get("/nowhere").bearer(&with));
    assert_eq!(unknown.status, 404);
    let log = server.stop().1;
    assert!(!log.contains(&with[..40]), "{log}");
    let lines = lines(&log);
    let line = lines.iter().find(|line| line["span"]["id"] == id.as_str()).expect("a line");
    assert_eq!(line["message"], "request");
    assert_eq!(line["status"], answer.status);
    assert_eq!(line["span"]["method"], "GET");
    assert_eq!(line["address"], "127.0.0.1");
    assert!(line["milliseconds"].as_f64().unwrap() > 0.0);
    let path = line["span"]["path"].as_str().unwrap();
    assert!(path.starts_with("/api/v2/personal_access_tokens/ddpat_"), "{path}");
    assert!(lines.iter().any(|line| line["span"]["path"] == "/nowhere"), "{log}");
    for text in ["listening on ", "stopping"] {
        let is_it = |line: &&Value| line["message"].as_str().is_some_and(|it| it.starts_with(text));
        assert_eq!(lines.iter().find(is_it).expect(text)["level"], "INFO");
    }
}

#[test]
fn without_the_option_only_failures_are_logged_with_path_and_identifier() {
    let database = Database::sqlite();
    let server = logging(&database, &[]);
    let with = server.first_token();
    server.call(&check(&with)).expect(200);
    let mut id = String::new();
    database.locked(|| {
        let answer = server.call(&creation(&with, "t", &["user_app_keys"])).expect(503);
        id = answer.header("x-request-id").unwrap().to_owned();
    });
    let log = server.stop().1;
    let lines = lines(&log);
    assert!(!lines.iter().any(|line| line["message"] == "request"), "{log}");
    let line = lines.iter().find(|line| line["span"]["id"] == id.as_str()).expect("a line");
    assert_eq!((&line["level"], &line["message"]), (&"ERROR".into(), &"request failed".into()));
    assert_eq!((&line["span"]["path"], &line["span"]["method"]), (&TOKENS.into(), &"POST".into()));
}

#[test]
fn an_identifier_is_taken_only_from_a_trusted_proxy_and_only_if_it_is_harmless() {
    let database = Database::sqlite();
    let id_of = |server: &Server, id: &str| {
        let answer = server.call(&Request::get("/healthz").header("x-request-id", id));
        answer.header("x-request-id").unwrap().to_owned()
    };
    let server = Server::start(&database, &[]);
    assert_ne!(id_of(&server, "from-a-client"), "from-a-client");
    assert_ne!(id_of(&server, "a"), id_of(&server, "a"));
    let with = server.first_token();
    server.stop();
    let server = Server::start(&database, &["--trusted-proxy", "127.0.0.1"]);
    assert_eq!(id_of(&server, "from-a_proxy.1"), "from-a_proxy.1");
    for id in ["", "two words", "a\"b", &"x".repeat(65), &with] {
        assert_ne!(id_of(&server, id), id);
    }
}

#[test]
fn metrics_have_durations_queues_pools_and_the_program() {
    for database in [Database::sqlite(), Database::postgres()] {
        let (server, with) = Server::first(&database, &[]);
        for _ in 0..3 {
            server.call(&check(&with)).expect(200);
        }
        server.call(&Request::get(format!("{TOKENS}/{with}")).bearer(&with));
        server.call(&Request::get("/unknown/path"));
        let count = |labels: &str| {
            server.metric(&format!("ddpatrold_request_duration_seconds_count{{{labels}}}"))
        };
        assert_eq!(count(&format!("method=\"GET\",route=\"{CHECK}\"")), 3);
        let one = "method=\"GET\",route=\"/api/v2/personal_access_tokens/{token_id}\"";
        assert_eq!(count(one), 1);
        assert_eq!(count("method=\"GET\",route=\"none\""), 1);
        let text = server.call(&Request::get("/metrics")).expect(200).text();
        for part in [
            "ddpatrold_build_info{version=\"",
            "ddpatrold_request_duration_seconds_bucket{le=\"0.0005\"",
            "ddpatrold_audit_queue_events ",
            "ddpatrold_audit_queue_oldest_seconds ",
            "ddpatrold_start_time_seconds ",
            "ddpatrold_sqlite_wal_bytes ",
            "ddpatrold_pool_connections_max{pool=\"search\"} 5",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        // A connection returns to its pool only after the response.
        let connections = ["used", "idle"].map(|state| {
            let labels = format!("pool=\"credentials\",state=\"{state}\"");
            server.metric(&format!("ddpatrold_pool_connections{{{labels}}}"))
        });
        assert_eq!(connections.iter().sum::<u64>(), 1);
        assert!(!text.contains(&with[6..28]), "no identifier of a token");
    }
}

#[test]
fn metrics_and_readiness_are_on_a_separate_listener_by_option() {
    let database = Database::sqlite();
    let server = Server::start(&database, &["--operations-listen", "127.0.0.1:0"]);
    let address: SocketAddr = until("the listener", || {
        let log = server.log();
        let line = log.lines().find_map(|line| line.strip_prefix("ddpatrold: operations on "))?;
        line.strip_prefix("http://")?.parse().ok()
    });
    let status = |address, path| Connection::new(address).send(&Request::get(path)).unwrap().status;
    for (path, at_api, at_operations) in [
        ("/metrics", 404, 200),
        ("/readyz", 404, 200),
        ("/healthz", 200, 200),
        (CHECK, 401, 404),
        ("/leaks/v1/reports", 405, 404),
    ] {
        assert_eq!((status(server.address, path), status(address, path)), (at_api, at_operations));
    }
    let document = server.call(&Request::get("/api/v2/openapi.json")).expect(200).json();
    assert!(document["paths"]["/metrics"].is_null() && document["paths"]["/healthz"].is_object());
    let metrics = Connection::new(address).send(&Request::get("/metrics")).unwrap().text();
    assert!(metrics.contains("ddpatrold_connections "), "the service's own metrics");
    server.stop();
}

#[test]
fn every_option_of_serve_has_a_variable_and_help_shows_no_secret() {
    let mut help = ddpatrold();
    help.args(["serve", "--help"])
        .env("DDPATROLD_DATABASE", "postgres://me:hidden1@db/x")
        .env("DATABASE_URL", "postgres://me:hidden2@db/x");
    let text = String::from_utf8(help.output().unwrap().stdout).unwrap();
    assert!(!text.contains("hidden"), "{text}");
    let options: Vec<_> = text.lines().filter(|line| line.trim().starts_with("--")).collect();
    assert!(options.len() > 18, "{text}");
    for line in options {
        let option = line.trim().trim_start_matches("--").split([' ', '\n']).next().unwrap();
        let variable = format!("[env: DDPATROLD_{}", option.replace('-', "_").to_uppercase());
        assert!(text.contains(&variable), "{variable}: {text}");
    }
}

#[test]
fn a_service_is_configured_by_variables_alone() {
    let (database, files) = (Database::sqlite(), TlsFiles::new());
    let mut command = ddpatrold();
    command
        .arg("serve")
        .env("DDPATROLD_DATABASE", database.url())
        .env("DATABASE_URL", "postgres://nobody@192.0.2.9/unused")
        .env("DDPATROLD_TLS_CERT", &files.cert)
        .env("DDPATROLD_TLS_KEY", &files.key)
        .env("DDPATROLD_BEHIND_PROXY", "false")
        .env("DDPATROLD_PRINT_ADMIN_TOKEN", "1")
        .env("DDPATROLD_TRUSTED_PROXY", "10.0.0.0/8,127.0.0.1")
        .env("DDPATROLD_RATE_LIMIT", "validate=2/1000000,audit=1/60");
    let server = Server::spawn_plain(command);
    let with = server.first_token();
    let pem = std::fs::read(&files.cert).unwrap();
    let status = || crate::network::check_over_tls(server.address, &with, Some(&pem)).ok();
    // The client reports the 429 as an error.
    assert_eq!((status(), status(), status()), (Some(200), Some(200), None));
    // A flag that is on conflicts.
    let mut command = ddpatrold();
    command
        .args(["serve", "--tls-cert", &files.cert, "--tls-key", &files.key])
        .args(["--database", &database.url()])
        .env("DDPATROLD_BEHIND_PROXY", "true");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot be used with"));
}

#[test]
fn every_response_has_security_headers_and_hsts_only_over_tls() {
    let database = Database::sqlite();
    let (server, with) = Server::first(&database, &[]);
    for request in [
        Request::get("/healthz"),
        Request::get("/nowhere"),
        Request::get(CHECK),
        check(&with),
        Request::get("/leaks/v1/reports"),
        Request::post("/leaks/v1/reports").body("x"),
        Request::get("/metrics"),
    ] {
        let answer = server.call(&request);
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{request:?}");
        }
        assert_eq!(answer.header("strict-transport-security"), None);
    }
    server.stop();
    let files = TlsFiles::new();
    let server = Server::start(&database, &files.options());
    let curl = Command::new("curl")
        .args(["-sS", "--noproxy", "*", "-D", "-", "--cacert", &files.cert])
        .arg(format!("https://{}/healthz", server.address))
        .output()
        .expect("this test needs curl");
    let headers = String::from_utf8_lossy(&curl.stdout).to_lowercase();
    assert!(headers.contains("strict-transport-security: max-age=31536000"), "{headers}");
}

#[test]
fn systemd_is_notified_of_the_services_state() {
    let (database, dir) = (Database::sqlite(), tempfile::tempdir().unwrap());
    let socket = dir.path().join("notify");
    let receiver = UnixDatagram::bind(&socket).unwrap();
    receiver.set_read_timeout(Some(crate::PATIENCE)).unwrap();
    let receive = || {
        let mut buffer = [0; 256];
        let length = receiver.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    let mut command = ddpatrold();
    command.env("NOTIFY_SOCKET", &socket);
    let server = Server::spawn(command, &database.url(), &[]);
    assert_eq!(receive(), "READY=1");
    server.signal(Signal::SIGHUP);
    let reloading = receive();
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert_eq!(receive(), "READY=1");
    server.stop();
    assert_eq!(receive(), "STOPPING=1");
}

#[test]
fn the_settings_of_the_compose_file_start_the_service() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/compose/compose.yaml");
    let text = std::fs::read_to_string(file).unwrap();
    let help = ddpatrold().args(["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let database = Database::postgres();
    let mut command = ddpatrold();
    command.arg("serve").env("DDPATROLD_PRINT_ADMIN_TOKEN", "true");
    let mut names = Vec::new();
    for line in text.lines() {
        let Some((name, value)) = line.trim().split_once(": ") else { continue };
        if !name.starts_with("DDPATROLD_") {
            continue;
        }
        let is_variable = |end| help.contains(&format!("[env: {name}{end}"));
        assert!(is_variable('=') || is_variable(']'), "{name}: {help}");
        let value = match name {
            "DDPATROLD_DATABASE" => database.url(),
            "DDPATROLD_OPERATIONS_LISTEN" => "127.0.0.1:0".to_owned(),
            _ => value.trim_matches('"').to_owned(),
        };
        command.env(name, value);
        names.push(name);
    }
    // The option of `spawn_plain` takes precedence.
    assert!(names.contains(&"DDPATROLD_LISTEN") && names.len() == 5, "{names:?}");
    let server = Server::spawn_plain(command);
    server.call(&check(&server.first_token())).expect(200);
    assert!(lines(&server.stop().1).iter().any(|line| line["message"] == "stopping"));
}

#[test]
fn the_systemd_unit_is_valid() {
    let unit =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/systemd/ddpatrold.service");
    let text = std::fs::read_to_string(unit).unwrap();
    for line in ["Type=notify", "NoNewPrivileges=yes", "ProtectSystem=strict"] {
        assert!(text.lines().any(|it| it == line), "{line}");
    }
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("ddpatrold.service");
    let text = text.replace("/usr/bin/ddpatrold", env!("CARGO_BIN_EXE_ddpatrold"));
    std::fs::write(&copy, text).unwrap();
    // Only systems with systemd have the program.
    if let Ok(output) = Command::new("systemd-analyze").arg("verify").arg(&copy).output() {
        let problems = String::from_utf8_lossy(&output.stderr);
        let of_unit = problems.lines().find(|line| line.contains("ddpatrold.service"));
        assert!(output.status.success() && of_unit.is_none(), "{problems}");
    }
}
