//! Request bodies: their memory, their time, and responses that are sent before they are read.

use crate::database::Database;
use crate::http::Request;
use crate::people::person;
use crate::server::{Server, TOKENS};
use crate::until;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread::scope;

/// Maximum memory of requests without a token, in MiB.
const ALLOWED: u64 = 64;
const MIB: usize = 1024 * 1024;

fn report(body: impl Into<Vec<u8>>) -> Request {
    Request::post("/leaks/v1/reports").body(body).header("content-type", "application/json")
}

/// Returns a report that repeats an entry up to a length.
fn repeated(entry: &str, length: usize) -> String {
    let (start, end) = (r#"{"reports":["#, "]}");
    let count = (length - start.len() - end.len()) / (entry.len() + 1);
    format!("{start}{}{end}", vec![entry; count].join(","))
}

#[test]
fn requests_without_a_token_use_a_limited_amount_of_memory() {
    let database = Database::sqlite();
    let server = Server::start(&database, &[]);
    let idle = server.memory("VmHWM");
    let long = "x".repeat(800);
    let bodies = [
        repeated(r#"{"":0}"#, 8 * MIB),
        repeated("[0]", 8 * MIB),
        repeated("0", 8 * MIB),
        format!(r#"{{"x":[{}]}}"#, vec![r#"{"":0}"#; MIB].join(",")),
        format!(r#"{{"reports":[{{"token":"{}"}}]}}"#, "\\u0061".repeat(8 * MIB / 6 - 10)),
        format!(r#"{{"reports":[{}]}}"#, vec![format!(r#"{{"url":"{long}"}}"#); 9_999].join(",")),
    ];
    for body in &bodies {
        scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let status = server.call(&report(body.as_str())).status;
                    assert!([200, 400, 413, 503].contains(&status), "{status}");
                });
            }
        });
    }
    // Stalled requests: everything but the last byte is sent.
    let held: Vec<TcpStream> = (0..60)
        .filter_map(|index| {
            let path = if index % 2 == 0 { "/leaks/v1/reports" } else { "/oauth2/revoke" };
            let length = if index % 2 == 0 { 8 * MIB } else { 64 * 1024 };
            let mut stream = TcpStream::connect(server.address).ok()?;
            stream.set_write_timeout(Some(std::time::Duration::from_millis(200))).ok()?;
            let head =
                format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
            stream.write_all(head.as_bytes()).ok()?;
            // The server stops reading when it has no memory left.
            let _ = stream.write_all(&vec![b' '; length - 1]);
            Some(stream)
        })
        .collect();
    // A small report succeeds meanwhile.
    server.call(&report(r#"{"reports":[]}"#)).expect(200);
    drop(held);
    let peak = server.memory("VmHWM");
    assert!(peak <= idle + ALLOWED, "{peak} MiB, idle {idle} MiB");
    until("the memory is free again", || {
        let answer = server.call(&report(vec![b' '; 8 * MIB]));
        (answer.status == 400).then_some(())
    });
}

#[test]
fn many_concurrent_entries_are_answered_within_the_memory_limit() {
    let database = Database::sqlite();
    let server = Server::start(&database, &[]);
    let idle = server.memory("VmHWM");
    let body = repeated(r#"{"token":"x"}"#, 9_999 * 14);
    scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let answer = server.call(&report(body.as_str())).expect(200);
                assert!(answer.json()["results"].as_array().unwrap().len() > 9_000);
            });
        }
    });
    let peak = server.memory("VmHWM");
    assert!(peak <= idle + ALLOWED, "{peak} MiB, idle {idle} MiB");
}

#[test]
fn an_entry_with_a_repeated_member_is_invalid() {
    let database = Database::sqlite();
    let (server, admin) = Server::first(&database, &[]);
    let token = server.mint(&admin, "twice", &["user_app_keys"]);
    let body = format!(r#"{{"reports":[{{"token":"x","token":"{}"}}]}}"#, token.key);
    let answer = server.call(&report(body)).expect(200).json();
    assert_eq!(answer["results"][0]["status"], "invalid", "{answer}");
    assert_eq!(server.check(&token.key), 200);
}

/// Sends a request's head and one byte of its body. Returns the response.
fn answer_to_head(server: &Server, head: &str) -> String {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(crate::PATIENCE)).unwrap();
    stream.write_all(format!("{head}host: x\r\nconnection: close\r\n\r\n{{").as_bytes()).unwrap();
    let mut answer = Vec::new();
    // The connection may be reset, since the rest of the body is not read.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

#[test]
fn an_alert_without_a_known_key_and_a_signature_is_rejected_before_its_body_is_read() {
    let database = Database::sqlite();
    let server = Server::start_limited(&database, &["--rate-limit", "leaks=3/1000000000"]);
    let head = "POST /leaks/v1/github HTTP/1.1\r\ncontent-length: 8388608\r\n";
    for headers in [
        "",
        "github-public-key-identifier: x\r\n",
        "github-public-key-identifier: x\r\ngithub-public-key-signature: !\r\n",
    ] {
        let answer = answer_to_head(&server, &format!("{head}{headers}"));
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    }
    let answer = answer_to_head(&server, head);
    assert!(answer.starts_with("HTTP/1.1 429"), "{answer}");
    assert_eq!(server.metric("ddpatrold_answers_total{class=\"leaks\",status=\"401\"}"), 3);
}

#[test]
fn a_request_beyond_its_time_limit_is_answered_counted_audited_and_logged() {
    let database = Database::sqlite();
    let (server, admin) = Server::first(&database, &[]);
    let head = format!(
        "POST {TOKENS} HTTP/1.1\r\nauthorization: Bearer {admin}\r\ncontent-length: 99\r\n"
    );
    let answer = answer_to_head(&server, &head);
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert!(body["errors"][0].as_str().unwrap().contains("seconds"), "{body}");
    assert_eq!(server.metric("ddpatrold_answers_total{class=\"tokens_write\",status=\"503\"}"), 1);
    assert!(server.log().contains("the body was not received"), "{}", server.log());
    until("the use is recorded", || {
        let events = server.events(&admin, "@evt.name:access_token.used");
        events.iter().any(|event| event.to_string().contains("503")).then_some(())
    });
}

#[test]
fn slow_bodies_do_not_prevent_other_reports() {
    let database = Database::sqlite();
    let server = Server::start(&database, &[]);
    let slow: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address).unwrap();
            let head =
                "POST /leaks/v1/reports HTTP/1.1\r\nhost: x\r\ncontent-length: 8388608\r\n\r\n{";
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    let entries = json!({"reports": vec![json!({"token": "x"}); 10_000]});
    server.call(&report(entries.to_string())).expect(200);
    server.call(&report(vec![b' '; 8 * MIB])).expect(400);
    drop(slow);
}

/// Sends a request's head and a part of its body, and then stalls.
fn stalled(server: &Server, head: &str, length: usize, sent: usize) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_write_timeout(Some(std::time::Duration::from_millis(500))).unwrap();
    let head = format!("{head}host: x\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    // The server may stop reading.
    let _ = stream.write_all(&vec![b' '; sent]);
    stream
}

#[test]
fn two_addresses_with_stalled_bodies_do_not_prevent_other_reports() {
    let database = Database::sqlite();
    let server = Server::start(&database, &["--trusted-proxy", "127.0.0.1"]);
    let _stalled: Vec<TcpStream> = [8 * MIB, MIB]
        .into_iter()
        .flat_map(|length| [("192.0.2.1", length), ("192.0.2.2", length)])
        .map(|(address, length)| {
            let head = format!("POST /leaks/v1/reports HTTP/1.1\r\nx-forwarded-for: {address}\r\n");
            stalled(&server, &head, length, length - 1)
        })
        .collect();
    let other = |body: Vec<u8>| report(body).header("x-forwarded-for", "192.0.2.3");
    let entries = json!({"reports": vec![json!({"token": "x"}); 100]});
    server.call(&other(entries.to_string().into_bytes())).expect(200);
    server.call(&other(vec![b' '; 8 * MIB])).expect(400);
}

#[test]
fn concurrent_slow_bodies_of_one_address_are_limited() {
    let database = Database::sqlite();
    let server = Server::start(&database, &[]);
    let slow: Vec<TcpStream> =
        (0..12).map(|_| stalled(&server, "POST /oauth2/revoke HTTP/1.1\r\n", 99, 1)).collect();
    until("four are rejected for lack of memory", || {
        let refused = server.metric("ddpatrold_bodies_refused_total{reason=\"no_memory\"}");
        (refused == 4).then_some(())
    });
    // A body that arrives at once is read nevertheless.
    server.call(&report(r#"{"reports":[]}"#)).expect(200);
    drop(slow);
}

#[test]
fn a_user_with_stalled_bodies_does_not_prevent_others_from_creating_tokens() {
    let database = Database::sqlite();
    let (server, admin) = Server::first(&database, &["--trusted-proxy", "127.0.0.1"]);
    let ada = person("ada@example.com").with(&["user_app_keys"]).add(&database);
    let token = ada.token(&["user_app_keys"]).key;
    let _stalled: Vec<TcpStream> = (0..130)
        .map(|index| {
            let head = format!(
                "POST {TOKENS} HTTP/1.1\r\nauthorization: Bearer {}\r\nx-forwarded-for: 192.0.2.{}\r\n",
                token,
                1 + index % 2
            );
            stalled(&server, &head, 64 * 1024, 63 * 1024)
        })
        .collect();
    server.mint(&admin, "mine", &["user_app_keys"]);
}

#[test]
fn an_introspection_without_the_permission_is_rejected_before_its_body_is_read() {
    let database = Database::sqlite();
    let (server, admin) = Server::first(&database, &[]);
    let token = server.mint(&admin, "t", &["user_app_keys"]);
    let head = format!(
        "POST /oauth2/introspect HTTP/1.1\r\nauthorization: Bearer {}\r\ncontent-length: 99\r\n",
        token.key
    );
    let answer = answer_to_head(&server, &head);
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
}
