//! Storage failures: a full disk and failing writes. The service reports them, keeps every change that it
//! acknowledged, and recovers without a restart.

use crate::database::Database;
use crate::http::Request;
use crate::server::{Server, TOKENS, Token, check, creation, ddpatrold, minted};
use crate::until;
use serde_json::json;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Maximum time until everything works again after storage works again.
const RECOVERY: Duration = Duration::from_secs(5);

fn own_uid() -> u32 {
    std::fs::metadata("/proc/self").unwrap().uid()
}

/// Runs a command as root.
#[track_caller]
fn as_root(args: &[&str]) {
    let mut command = if own_uid() == 0 {
        Command::new(args[0])
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", args[0]]);
        sudo
    };
    let output = command.args(&args[1..]).output().unwrap();
    assert!(
        output.status.success(),
        "this test mounts a tmpfs, as root or with sudo without a password: {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A small tmpfs on a directory, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    #[track_caller]
    fn mount(dir: &Path, mebibytes: u32, owner: u32) -> Self {
        let options = format!("size={mebibytes}m,uid={owner},mode=0700");
        as_root(&["mount", "-t", "tmpfs", "-o", &options, "tmpfs", dir.to_str().unwrap()]);
        Self(dir.to_owned())
    }

    /// Fills the remaining space, which is too small for a creation.
    fn take_rest(&self) {
        let mut filler = std::fs::File::create(self.0.join("filler")).unwrap();
        while filler.write_all(&[0; 4_096]).is_ok() {}
    }

    fn grow(&self, mebibytes: u32) {
        let options = format!("remount,size={mebibytes}m");
        as_root(&["mount", "-o", &options, self.0.to_str().unwrap()]);
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        as_root(&["umount", "--lazy", self.0.to_str().unwrap()]);
    }
}

/// The changes that a server has acknowledged.
struct Acknowledged {
    admin: String,
    live: Vec<Token>,
    revoked: Vec<Token>,
}

impl Acknowledged {
    fn new(server: &Server, admin: String) -> Self {
        let mut live = mint_some(server, &admin);
        let revoked = live.split_off(2);
        for token in &revoked {
            server.revoke(&admin, &token.id);
        }
        Self { admin, live, revoked }
    }

    #[track_caller]
    fn assert_kept(&self, server: &Server) {
        for token in &self.live {
            assert_eq!(server.check(&token.key), 200, "{}", token.id);
        }
        for token in &self.revoked {
            assert_eq!(server.check(&token.key), 401, "{}", token.id);
        }
    }

    /// Waits until the server reports both of its problems.
    fn wait_for_problems(&self, server: &Server) {
        until("readiness names the database and the audit queue", || {
            let answer = server.call(&Request::get("/readyz"));
            let text = answer.text();
            let is_queue_named = text.contains("audit queue: ");
            if !is_queue_named {
                // A use that waits to be audited. Space that was left before may suffice for some, and
                // after them for some of the smaller writes that readiness tries, once per second.
                server.call(&check(&self.admin));
            }
            (answer.status == 503 && text.contains("database: ") && is_queue_named).then_some(())
        });
    }

    /// Checks that a token check, a revocation, a leak report and readiness succeed in time.
    #[track_caller]
    fn assert_recovers(&mut self, server: &Server) {
        let recovered = Instant::now();
        let ready = Request::get("/readyz");
        until("the server is ready", || (server.call(&ready).status == 200).then_some(()));
        assert_eq!(server.check(&self.admin), 200);
        let token = server.mint(&self.admin, "after", &["user_app_keys"]);
        server.revoke(&self.admin, &token.id);
        self.revoked.push(token);
        let leaked = self.live.pop().unwrap();
        assert_eq!(server.report(&json!([{"token": leaked.key}])), ["revoked"]);
        self.revoked.push(leaked);
        let took = recovered.elapsed();
        assert!(took < RECOVERY, "{took:?}");
        self.assert_kept(server);
    }
}

fn mint_some(server: &Server, admin: &str) -> Vec<Token> {
    (0..4).map(|number| server.mint(admin, &format!("t{number}"), &["user_app_keys"])).collect()
}

/// Creates tokens until the disk is full. Returns the acknowledged ones.
fn fill(server: &Server, admin: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    loop {
        let answer = server.call(&creation(admin, &"n".repeat(255), &["user_app_keys"]));
        if answer.status != 201 {
            assert_eq!(answer.status, 503, "{}", answer.text());
            return tokens;
        }
        tokens.push(minted(&answer));
    }
}

fn assert_intact(database: &Database) {
    assert_eq!(database.texts("PRAGMA integrity_check"), ["ok"]);
}

#[test]
fn a_full_disk_is_reported_and_sqlite_recovers_when_there_is_space() {
    let database = Database::sqlite();
    let Database::Sqlite(dir) = &database else { panic!() };
    let disk = SmallDisk::mount(dir.path(), 4, own_uid());
    let (server, admin) = Server::first(&database, &[]);
    let mut acknowledged = Acknowledged::new(&server, admin);
    acknowledged.live.extend(fill(&server, &acknowledged.admin));
    disk.take_rest();
    acknowledged.wait_for_problems(&server);
    let list = Request::get(TOKENS).bearer(&acknowledged.admin);
    server.call(&list).expect(503);
    disk.grow(64);
    acknowledged.assert_recovers(&server);
    server.stop();
    assert_intact(&database);
    let server = Server::start(&database, &[]);
    acknowledged.assert_kept(&server);
    server.stop();
}

#[test]
fn failing_writes_are_reported_and_sqlite_recovers_when_they_succeed_again() {
    let database = Database::sqlite();
    let dir = tempfile::tempdir().unwrap();
    let (library, flag) = (dir.path().join("io_error.so"), dir.path().join("fail"));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/io_error.c");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([library.as_path(), Path::new(source)])
        .arg("-ldl")
        .status()
        .expect("this test needs a C compiler, `cc`");
    assert!(compiled.success());
    let mut command = ddpatrold();
    command.env("LD_PRELOAD", &library).env("IO_ERROR_WHILE", &flag);
    let server = Server::spawn(command, &database.url(), &["--no-rate-limit"]);
    let mut acknowledged = Acknowledged::new(&server, server.first_token());
    for _ in 0..3 {
        std::fs::write(&flag, "").unwrap();
        let refused = creation(&acknowledged.admin, "lost", &["user_app_keys"]);
        server.call(&refused).expect(503);
        acknowledged.wait_for_problems(&server);
        std::fs::remove_file(&flag).unwrap();
        acknowledged.live.extend(mint_some(&server, &acknowledged.admin));
        acknowledged.assert_recovers(&server);
    }
    server.stop();
    assert_intact(&database);
    let server = Server::start(&database, &[]);
    acknowledged.assert_kept(&server);
    server.stop();
}

/// A tablespace of PostgreSQL on a small disk; dropped together with it.
struct Tablespace {
    name: String,
    disk: SmallDisk,
    _dir: tempfile::TempDir,
}

impl Tablespace {
    fn new(mebibytes: u32) -> Self {
        let data = Database::on_server("SELECT current_setting('data_directory')");
        let owner = std::fs::metadata(&data[0]).expect("PostgreSQL is on this machine").uid();
        let dir = tempfile::tempdir().unwrap();
        let disk = SmallDisk::mount(dir.path(), mebibytes, owner);
        let name = format!("small_{}", std::process::id());
        let place = dir.path().display();
        Database::on_server(&format!("CREATE TABLESPACE {name} LOCATION '{place}'"));
        Self { name, disk, _dir: dir }
    }

    /// Fills the disk except for the space that tables have allocated.
    fn fill(&self, database: &Database) {
        database.texts("CREATE TABLE filler (text TEXT)");
        for rows in [1_000, 1] {
            let insert = format!(
                "INSERT INTO filler SELECT repeat(md5(i::text), 60) FROM generate_series(1, {rows}) AS i"
            );
            let full = until_full(database, &insert);
            assert!(full.contains("No space left"), "{full}");
        }
    }
}

impl Drop for Tablespace {
    fn drop(&mut self) {
        Database::on_server(&format!("DROP TABLESPACE {}", self.name));
    }
}

/// Repeats a statement until it fails. Returns the error.
fn until_full(database: &Database, sql: &str) -> String {
    loop {
        if let Err(error) = database.try_texts(sql) {
            return error.to_string();
        }
    }
}

#[test]
fn a_full_disk_is_reported_and_postgres_recovers_when_there_is_space() {
    // Declared first, so that it is dropped last.
    let tablespace = Tablespace::new(24);
    let database = Database::postgres();
    let (name, space) = (database.name(), &tablespace.name);
    Database::on_server(&format!("ALTER DATABASE {name} SET TABLESPACE {space}"));
    let (server, admin) = Server::first(&database, &[]);
    let mut acknowledged = Acknowledged::new(&server, admin);
    tablespace.fill(&database);
    let request = creation(&acknowledged.admin, &"n".repeat(255), &["user_app_keys"]);
    let refused = loop {
        let answer = server.call(&request);
        if answer.status != 201 {
            break answer;
        }
        acknowledged.live.push(minted(&answer));
    };
    assert_eq!(refused.status, 503, "{}", refused.text());
    until("uses cannot be audited", || {
        (server.call(&Request::get("/readyz")).status == 503
            || server.check(&acknowledged.admin) == 503)
            .then_some(())
    });
    tablespace.disk.grow(128);
    acknowledged.assert_recovers(&server);
    server.stop();
    let server = Server::start(&database, &[]);
    acknowledged.assert_kept(&server);
    server.stop();
}
