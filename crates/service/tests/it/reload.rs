//! SIGHUP: the certificate and the scopes are reloaded while the service runs.

use crate::database::Database;
use crate::network::{TlsFiles, check_over_tls, new_certificate};
use crate::server::{CHECK, Server, creation};
use crate::until;
use nix::sys::signal::Signal;

/// Sends SIGHUP and waits for a log line about it.
fn reload(server: &Server, line: &str) {
    let before = server.log().matches(line).count();
    server.signal(Signal::SIGHUP);
    until(line, || (server.log().matches(line).count() > before).then_some(()));
}

#[test]
fn sighup_reloads_scopes_and_keeps_the_old_ones_if_the_new_ones_are_invalid() {
    let database = Database::sqlite();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "user_app_keys\nold_read\nboth_read\n").unwrap();
    let (server, admin) = Server::first(&database, &["--scopes", file.path().to_str().unwrap()]);
    let create = |scope| server.call(&creation(&admin, "t", &[scope])).status;
    assert_eq!((create("old_read"), create("new_read")), (201, 400));
    std::fs::write(file.path(), "user_app_keys\nNot A Scope\n").unwrap();
    reload(&server, "reload failed");
    assert!(server.log().contains("line 2"), "{}", server.log());
    assert_eq!(create("old_read"), 201);
    std::fs::write(file.path(), "user_app_keys\nnew_read\nboth_read\n").unwrap();
    reload(&server, "reloaded the certificate");
    assert_eq!((create("old_read"), create("both_read")), (400, 201));
}

#[test]
fn sighup_reloads_the_certificate_and_keeps_the_old_one_if_the_new_one_is_invalid() {
    let files = TlsFiles::new();
    let database = Database::sqlite();
    let (server, admin) = Server::first(&database, &files.options());
    let first = std::fs::read(&files.cert).unwrap();
    let status = |pem: &[u8]| check_over_tls(server.address, &admin, Some(pem)).ok();
    // A certificate without its key.
    let other = files.dir.path().join("other.pem").display().to_string();
    new_certificate(files.dir.path(), &files.cert, &other);
    let second = std::fs::read(&files.cert).unwrap();
    reload(&server, "reload failed");
    assert_eq!((status(&first), status(&second)), (Some(200), None));
    std::fs::copy(&other, &files.key).unwrap();
    reload(&server, "reloaded the certificate");
    assert_eq!((status(&first), status(&second)), (None, Some(200)));
}

#[test]
fn sighup_loses_no_audit_event_and_does_not_stop_a_service_without_files() {
    let database = Database::sqlite();
    let (server, admin) = Server::first(&database, &[]);
    for _ in 0..10 {
        assert_eq!(server.check(&admin), 200);
        server.signal(Signal::SIGHUP);
    }
    until("every use is recorded", || {
        let events = server.events(&admin, "@evt.name:access_token.used");
        let checks = events.iter().filter(|event| event.to_string().contains(CHECK)).count();
        (checks == 10).then_some(())
    });
    server.stop();
}
