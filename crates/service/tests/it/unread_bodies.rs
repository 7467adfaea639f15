//! Requests that are rejected before their body has arrived: a client that reuses the connection
//! does not fail.

use crate::PATIENCE;
use crate::database::Database;
use crate::http::{Answer, Request, read_answer};
use crate::server::Server;
use crate::until;
use std::io::{BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// The paths of requests that are rejected without their body, and the statuses.
const REJECTED: [(&str, u16); 3] =
    [("/api/v2/personal_access_tokens", 401), ("/unknown", 404), ("/leaks/v1/github", 401)];

/// A connection on which requests are sent in parts.
struct RawConnection(BufReader<TcpStream>);

impl RawConnection {
    fn new(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    fn answer(&mut self) -> Answer {
        read_answer(&mut self.0).unwrap()
    }
}

/// Sends the head of a request, and its body after a delay. Checks that the connection is usable
/// for another request unless the response announces its end, and returns `None` then.
fn is_usable_after(server: &Server, head: &str, body: &[u8], status: u16) -> Option<()> {
    let mut connection = RawConnection::new(server);
    connection.send(format!("{head}host: x\r\n\r\n").as_bytes());
    std::thread::sleep(Duration::from_millis(100));
    // Fails if the connection is closed, which the response must have announced.
    let _ = connection.0.get_mut().write_all(body);
    let answer = connection.answer().expect(status);
    if answer.header("connection") == Some("close") {
        return None;
    }
    connection.send(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n");
    connection.answer().expect(200);
    Some(())
}

#[test]
fn a_connection_is_usable_after_a_rejected_request_whose_short_body_is_late() {
    let database = Database::sqlite();
    let server = Server::start(&database, &[]);
    for (path, status) in REJECTED {
        let length = format!("POST {path} HTTP/1.1\r\ncontent-length: 14\r\n");
        let chunked = format!("POST {path} HTTP/1.1\r\ntransfer-encoding: chunked\r\n");
        for (head, body) in
            [(length, &b"{\"reports\":[]}"[..]), (chunked, b"e\r\n{\"reports\":[]}\r\n0\r\n\r\n")]
        {
            // On a slow machine, the body may be too late.
            until(&head, || is_usable_after(&server, &head, body, status));
        }
    }
}

#[test]
fn a_response_announces_the_end_of_a_connection_whose_body_does_not_arrive() {
    let database = Database::sqlite();
    let server = Server::start(&database, &[]);
    let long = format!("transfer-encoding: chunked\r\n\r\n20000\r\n{}\r\n", "a".repeat(0x20000));
    for (path, status) in REJECTED {
        for rest in [
            "content-length: 14\r\n\r\n",
            "content-length: 14\r\n\r\n{",
            "content-length: 8388608\r\n\r\n",
            "content-length: 14\r\nexpect: 100-continue\r\n\r\n",
            "transfer-encoding: chunked\r\n\r\n",
            "transfer-encoding: chunked\r\n\r\n1\r\n{",
            &long,
        ] {
            let mut connection = RawConnection::new(&server);
            connection.send(format!("POST {path} HTTP/1.1\r\nhost: x\r\n{rest}").as_bytes());
            let answer = connection.answer().expect(status);
            let head = &rest[..rest.len().min(60)];
            assert_eq!(answer.header("connection"), Some("close"), "{path} {head:?}");
        }
    }
}

#[test]
fn a_rejected_request_without_an_unread_body_keeps_its_connection() {
    let database = Database::sqlite();
    let server = Server::start(&database, &[]);
    let mut connection = RawConnection::new(&server);
    for (path, status) in REJECTED {
        for rest in ["\r\n", "content-length: 0\r\n\r\n", "content-length: 2\r\n\r\n{}"] {
            connection.send(format!("POST {path} HTTP/1.1\r\nhost: x\r\n{rest}").as_bytes());
            let answer = connection.answer().expect(status);
            assert_eq!(answer.header("connection"), None, "{path} {rest:?}");
        }
    }
    let request = Request::get("/healthz");
    assert_eq!(server.call(&request).expect(200).header("connection"), None);
}
