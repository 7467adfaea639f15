//! Idle and slow connections: they are closed, and they do not affect the service for other
//! clients.

use crate::PATIENCE;
use crate::database::Database;
use crate::http::Request;
use crate::network::TlsFiles;
use crate::server::{Server, ddpatrold};
use crate::until;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::thread::scope;
use std::time::{Duration, Instant};

/// Sends bytes, then one more at each interval `drip`. Returns once the server has closed the
/// connection.
#[track_caller]
fn wait_until_closed(address: SocketAddr, first: &[u8], drip: Option<Duration>) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(first).unwrap();
    stream.set_read_timeout(Some(drip.unwrap_or(Duration::from_secs(1)))).unwrap();
    let end = Instant::now() + PATIENCE;
    let mut answer = [0; 1024];
    loop {
        match stream.read(&mut answer) {
            Ok(0) => return,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return,
            other => drop(other.unwrap()),
        }
        assert!(Instant::now() < end, "still open: {:?}", String::from_utf8_lossy(first));
        if drip.is_some() && stream.write_all(b"a").is_err() {
            return;
        }
    }
}

#[test]
fn a_connection_without_a_complete_request_is_closed() {
    let database = Database::sqlite();
    let server = Server::start(&database, &[]);
    let drip = Some(Duration::from_millis(500));
    let h2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let used = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\nGET /healthz HTTP/1.1\r\nx: ";
    scope(|scope| {
        for (first, drip) in [
            (&b""[..], None),
            (b"P", None),
            (b"PRI * HT", None),
            (b"GET /healthz HTTP/1.1\r\n", None),
            (b"GET /healthz HTTP/1.1\r\nx: ", drip),
            (b"GET /", drip),
            (h2, None),
            (used, drip),
            (b"POST /leaks/v1/reports HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n", None),
            (b"POST /leaks/v1/reports HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n", drip),
        ] {
            let address = server.address;
            scope.spawn(move || wait_until_closed(address, first, drip));
        }
    });
    assert!(server.metric("ddpatrold_connections_closed_total{reason=\"headers\"}") >= 8);
    server.stop();
}

#[test]
fn a_tls_connection_without_a_handshake_or_a_request_is_closed() {
    let files = TlsFiles::new();
    let database = Database::sqlite();
    let server = Server::start(&database, &files.options());
    let mut shaken = Command::new("openssl")
        .args(["s_client", "-quiet", "-connect", &server.address.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("this test needs openssl");
    scope(|scope| {
        for first in [&b""[..], b"\x16\x03\x01\x02\0\x01"] {
            scope.spawn(|| wait_until_closed(server.address, first, None));
        }
    });
    until("the client exits", || shaken.try_wait().unwrap());
}

#[test]
fn silent_connections_do_not_block_other_clients() {
    let database = Database::sqlite();
    let mut command = Command::new("sh");
    let program = ddpatrold().get_program().to_owned();
    command.args(["-c", "ulimit -n 256 && exec \"$0\" \"$@\""]).arg(program);
    command.env_remove("DATABASE_URL").env_remove("RUST_LOG");
    let server = Server::spawn(command, &database.url(), &[]);
    let admin = server.first_token();
    let mut silent = Vec::new();
    for count in 0..400 {
        silent.push(TcpStream::connect(server.address).unwrap());
        if count % 50 == 49 {
            assert_eq!(server.check(&admin), 200);
        }
    }
    assert!(server.metric("ddpatrold_connections_closed_total{reason=\"address\"}") >= 200);
    let log = server.log();
    let lines = log.lines().filter(|line| line.contains("connection limit reached"));
    assert!((1..=4).contains(&lines.count()), "one line per limit and ten seconds: {log}");
    drop(silent);
    until("the connections are closed", || {
        (server.metric("ddpatrold_connections") <= 2).then_some(())
    });
}

/// Opens a connection with a request that waits for its body.
fn waiting_for_a_body(address: SocketAddr) -> TcpStream {
    let head = b"POST /leaks/v1/reports HTTP/1.1\r\nhost: x\r\ncontent-length: 14\r\nexpect: 100-continue\r\n\r\n";
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(head).unwrap();
    // The server asks for the body, so the request is in progress.
    let mut answer = [0; 25];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

#[test]
fn requests_whose_bodies_do_not_arrive_do_not_block_other_clients() {
    let database = Database::sqlite();
    let options = ["--max-connections", "4", "--max-connections-per-address", "3"];
    let server = Server::start(&database, &options);
    let mut idle = server.connect();
    idle.send(&Request::get("/healthz")).unwrap();
    let _slow: Vec<TcpStream> = (0..8).map(|_| waiting_for_a_body(server.address)).collect();
    let mut newest = waiting_for_a_body(server.address);
    let closed = "ddpatrold_connections_closed_total{reason=\"address\"}";
    // The connection for the metric replaces another waiting one.
    assert!(server.metric(closed) >= 7);
    newest.write_all(b"{\"reports\":[]}").unwrap();
    let mut answer = [0; 12];
    newest.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200", "the newest connection is not closed");
    idle.send(&Request::get("/healthz")).unwrap();
}

#[test]
fn connections_with_a_request_being_processed_are_not_closed_for_new_ones() {
    let database = Database::sqlite();
    let options = ["--max-connections", "4", "--max-connections-per-address", "3"];
    // Alerts wait for GitHub's keys, which never arrive.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let keys = format!("http://{}/", silent.local_addr().unwrap());
    let server = Server::start(&database, &[&options[..], &["--github-keys-url", &keys]].concat());
    let head = b"POST /leaks/v1/github HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ngithub-public-key-identifier: x\r\ngithub-public-key-signature: MAYCAQECAQE=\r\n\r\n[]";
    let open = || {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(head).unwrap();
        stream
    };
    let mut at_work = vec![open(), open(), open()];
    let (_held, _) = silent.accept().unwrap();
    until("another connection is rejected", || {
        let refused = server.connect().send(&Request::get("/healthz")).is_err();
        if !refused {
            // The connection replaced one whose request was not read yet.
            at_work.push(open());
        }
        refused.then_some(())
    });
    drop(at_work);
    until("a connection is accepted again", || {
        server.connect().send(&Request::get("/healthz")).ok()
    });
    assert!(server.metric("ddpatrold_connections_refused_total{reason=\"address\"}") >= 1);
}

#[test]
fn unread_responses_do_not_block_other_clients() {
    let database = Database::sqlite();
    let options = ["--max-connections", "8", "--max-connections-per-address", "8"];
    let server = Server::start(&database, &options);
    // HTTP/2 whose streams have no window for a response body (SETTINGS_INITIAL_WINDOW_SIZE = 0).
    let settings = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0";
    // GET http://x/, whose response is 404.
    let get = b"\0\0\x06\x01\x05\0\0\0\x01\x82\x84\x86\x41\x01x";
    let stuck: Vec<TcpStream> = (0..8)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address).unwrap();
            stream.write_all(&[&settings[..], &get[..]].concat()).unwrap();
            stream
        })
        .collect();
    until("a ninth connection is answered", || {
        server.connect().send(&Request::get("/healthz")).ok()
    });
    drop(stuck);
}

#[test]
fn a_client_that_never_reads_its_responses_is_disconnected() {
    let database = Database::sqlite();
    let server = Server::start(&database, &[]);
    let body = format!("{{\"reports\":[{}0]}}", "0,".repeat(9_999));
    let request = format!(
        "POST /leaks/v1/reports HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    // More data than the buffers of a connection, so that the server cannot write everything.
    while stream.write_all(request.as_bytes()).is_ok() {}
    until("the connection is closed", || {
        let closed = server.metric("ddpatrold_connections_closed_total{reason=\"answer\"}");
        (closed == 1).then_some(())
    });
}

#[test]
fn more_connections_than_file_descriptors_are_rejected_at_startup() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("x.db").display());
    let program = ddpatrold().get_program().to_owned();
    let output = Command::new("sh")
        .args(["-c", "ulimit -n 200 && exec \"$0\" \"$@\""])
        .arg(program)
        .args(["serve", "--listen", "127.0.0.1:0", "--database", &url])
        .args(["--max-connections", "200"])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("--max-connections") && errors.contains("200"), "{errors}");
    assert!(!dir.path().join("x.db").exists(), "no database is created");
}
