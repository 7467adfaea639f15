//! PostgreSQL with lost responses to commits: no event is written twice.

use crate::database::Database;
use crate::server::{Server, ddpatrold};
use crate::until;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread::spawn;

/// A simple query in PostgreSQL's protocol.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// Relays requests one by one. Drops the connection instead of the response to a commit, `losses`
/// times.
fn relay(mut client: TcpStream, mut upstream: TcpStream, losses: &AtomicUsize) {
    let mut answers = (upstream.try_clone().unwrap(), client.try_clone().unwrap());
    let lost = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_lost = Arc::clone(&lost);
    spawn(move || {
        let mut buffer = [0; 65_536];
        while let Ok(length @ 1..) = answers.0.read(&mut buffer) {
            if is_lost.load(SeqCst) || answers.1.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        let _ = answers.1.shutdown(Shutdown::Both);
        let _ = answers.0.shutdown(Shutdown::Both);
    });
    let mut buffer = [0; 65_536];
    while let Ok(length @ 1..) = client.read(&mut buffer) {
        let request = &buffer[..length];
        let take = |left: usize| left.checked_sub(1);
        if request.ends_with(COMMIT) && losses.fetch_update(SeqCst, SeqCst, take).is_ok() {
            lost.store(true, SeqCst);
        }
        if upstream.write_all(request).is_err() {
            break;
        }
    }
    let _ = upstream.shutdown(Shutdown::Write);
}

/// Starts a proxy in front of PostgreSQL.
fn proxy(server: String, losses: Arc<AtomicUsize>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let upstream = TcpStream::connect(&server).unwrap();
            let losses = Arc::clone(&losses);
            spawn(move || relay(client, upstream, &losses));
        }
    });
    address
}

#[test]
fn events_are_written_once_although_responses_to_commits_are_lost() {
    let database = Database::postgres();
    let losses = Arc::<AtomicUsize>::default();
    let address = proxy(database.server_address(), Arc::clone(&losses));
    let url = database.url_through(address);
    let server = Server::spawn(ddpatrold(), &url, &["--no-rate-limit"]);
    let with = server.first_token();
    for round in 1..=3 {
        losses.store(1, SeqCst);
        for _ in 0..20 {
            assert_eq!(server.check(&with), 200);
        }
        until("the response is lost", || (losses.load(SeqCst) == 0).then_some(()));
        let sql = "SELECT CONCAT(COUNT(*), ' ', COUNT(DISTINCT id)) FROM audit_events WHERE name = 'access_token.used'";
        let uses = 20 * round;
        let expected = format!("{uses} {uses}");
        until("every use is written", || {
            let written = database.texts(sql).remove(0);
            let count: usize = written.split(' ').next().unwrap().parse().unwrap();
            (count >= uses).then(|| assert_eq!(written, expected))
        });
        // A second copy would follow within a second.
        std::thread::sleep(std::time::Duration::from_secs(1));
        assert_eq!(database.texts(sql), [expected]);
    }
}
