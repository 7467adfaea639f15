//! `admin backup` and `admin restore`: a backup of a service in use is consistent, and it can be
//! restored to either database.

use crate::database::Database;
use crate::server::{
    Server, Token, admin, creation, ddpatrold, event_name, minted, permissive, try_admin,
};
use ddpatrol_service::expiry::Expiry;
use ddpatrol_service::service::{Minted, TokenRequest, mint};
use ddpatrol_service::token_kind::TokenKind;
use ddpatrol_token::Uuid;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

/// A backup in its own folder.
#[derive(Debug)]
struct Backup {
    dir: TempDir,
    file: PathBuf,
}

impl Backup {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("backup.db");
        Self { dir, file }
    }

    fn path(&self) -> &str {
        self.file.to_str().unwrap()
    }
}

/// Returns the error of a command that must fail.
#[track_caller]
fn refused(database: &Database, args: &[&str]) -> String {
    let output = try_admin(database, args);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{args:?}: {errors}");
    errors
}

/// The acknowledged changes of clients that mint and revoke during a backup.
#[derive(Debug, Default)]
struct Changes {
    minted: Mutex<Vec<Token>>,
    revoked: Mutex<Vec<Token>>,
}

impl Changes {
    /// Mints tokens and revokes every other one until stopped.
    fn run(&self, server: &Server, with: &str, stop: &AtomicBool) {
        let mut connection = server.connect();
        for number in 0.. {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let request = creation(with, "under load", &["user_app_keys"]);
            let token = minted(&connection.send(&request).unwrap().expect(201));
            self.minted.lock().unwrap().push(token.clone());
            if number % 2 == 0 {
                server.revoke(with, &token.id);
                self.revoked.lock().unwrap().push(token);
            }
        }
    }

    fn counts(&self) -> (usize, usize) {
        (self.minted.lock().unwrap().len(), self.revoked.lock().unwrap().len())
    }
}

fn a_backup_of_a_service_in_use_restores_everything_acknowledged(from: &Database, to: &Database) {
    let (server, with) = Server::first(from, &[]);
    let (backup, changes, stop) = (Backup::new(), Changes::default(), AtomicBool::new(false));
    let before = std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| changes.run(&server, &with, &stop));
        }
        crate::until("changes", || (changes.counts().1 > 20).then_some(()));
        let before = changes.counts();
        admin(from, &["backup", backup.path()]);
        let minted = changes.counts().0;
        crate::until("later changes", || (changes.counts().0 > minted).then_some(()));
        stop.store(true, Ordering::Relaxed);
        before
    });
    server.stop();
    admin(to, &["restore", backup.path()]);
    let server = Server::start(to, &[]);
    let (minted, revoked) = (changes.minted.lock().unwrap(), changes.revoked.lock().unwrap());
    for token in &revoked[..before.1] {
        assert_eq!(server.check(&token.key), 401, "a revocation before the backup");
    }
    let is_revoked = |token: &&Token| revoked.iter().any(|other| other.id == token.id);
    for token in minted[..before.0].iter().filter(|token| !is_revoked(token)) {
        assert_eq!(server.check(&token.key), 200, "a token from before the backup");
    }
    let last = minted.last().unwrap();
    assert_eq!(server.check(&last.key), 401, "a token from after the backup");
    assert_eq!(server.check(&with), 200);
    // Each token and its event are in one transaction.
    let tokens = to.texts("SELECT CAST(COUNT(*) AS TEXT) FROM tokens");
    let events = to.texts(
        "SELECT CAST(COUNT(*) AS TEXT) FROM tokens JOIN audit_events ON asset_id = tokens.id AND audit_events.name = 'access_token.created'",
    );
    assert_eq!(tokens, events);
    // The service continues: new rows get new numbers.
    let new = server.mint(&with, "new", &["user_app_keys"]);
    assert_eq!(server.check(&new.key), 200);
    let restored = server.events(&with, "@evt.name:database.restored");
    assert_eq!(restored.len(), 1);
    assert_eq!(event_name(&restored[0]), "database.restored");
}

#[test]
fn a_backup_of_sqlite_in_use_restores_everything_acknowledged_to_sqlite() {
    a_backup_of_a_service_in_use_restores_everything_acknowledged(
        &Database::sqlite(),
        &Database::sqlite(),
    );
}

#[test]
fn a_backup_of_postgres_in_use_restores_everything_acknowledged_to_postgres() {
    a_backup_of_a_service_in_use_restores_everything_acknowledged(
        &Database::postgres(),
        &Database::postgres(),
    );
}

#[test]
fn a_backup_of_sqlite_in_use_restores_everything_acknowledged_to_postgres() {
    a_backup_of_a_service_in_use_restores_everything_acknowledged(
        &Database::sqlite(),
        &Database::postgres(),
    );
}

#[test]
fn a_backup_of_postgres_in_use_restores_everything_acknowledged_to_sqlite() {
    a_backup_of_a_service_in_use_restores_everything_acknowledged(
        &Database::postgres(),
        &Database::sqlite(),
    );
}

#[test]
fn revocations_after_a_backup_are_lost_and_a_bulk_revocation_repeats_them() {
    let (from, to, backup) = (Database::sqlite(), Database::sqlite(), Backup::new());
    let (server, with) = Server::first(&from, &[]);
    let token = server.mint(&with, "t", &["user_app_keys"]);
    admin(&from, &["backup", backup.path()]);
    server.revoke(&with, &token.id);
    let restored = try_admin(&to, &["restore", backup.path()]);
    let warning = String::from_utf8_lossy(&restored.stderr).into_owned();
    assert!(restored.status.success() && warning.contains("are lost"), "{warning}");
    let command = warning.split('`').find(|part| part.starts_with("ddpatrold ")).unwrap();
    let words = command.strip_prefix("ddpatrold admin --database ").unwrap();
    let (database, words) = words.split_once(' ').unwrap();
    assert_eq!(database, format!("'{}'", to.url()));
    let recovery: Vec<_> = words.split(' ').collect();
    let server = Server::start(&to, &[]);
    assert_eq!(server.check(&token.key), 200, "the revocation is lost");
    admin(&to, &recovery);
    let issue = ["token", "issue", "--user", "admin@localhost", "--name", "n", "--all-scopes"];
    let fresh = admin(&to, &issue);
    crate::until("the revocation holds", || (server.check(&token.key) == 401).then_some(()));
    assert_eq!((server.check(&with), server.check(&fresh)), (401, 200));
}

#[test]
fn a_backup_is_private_and_neither_command_overwrites_anything() {
    let (database, backup) = (Database::sqlite(), Backup::new());
    Server::start(&database, &[]).stop();
    let mut command = permissive();
    command.args(["admin", "--database", &database.url(), "backup", backup.path()]);
    assert!(command.output().unwrap().status.success());
    let mode = std::fs::metadata(&backup.file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let content = std::fs::read(&backup.file).unwrap();
    assert!(refused(&database, &["backup", backup.path()]).contains("exists already"));
    let running = Server::start(&database, &[]);
    let url = database.url();
    let file = url.strip_prefix("sqlite:").unwrap().trim_start_matches("//");
    let message = refused(&database, &["restore", backup.path()]);
    assert!(message.contains(&format!("{file} exists already")), "{message}");
    assert!(message.contains("name a new file with `--database"), "{message}");
    running.stop();
    let postgres = Database::postgres();
    let (server, with) = Server::first(&postgres, &[]);
    assert!(refused(&postgres, &["restore", backup.path()]).contains("not empty"));
    assert_eq!(server.check(&with), 200);
    assert_eq!(std::fs::read(&backup.file).unwrap(), content, "the backup is unchanged");
    let files = std::fs::read_dir(backup.dir.path()).unwrap().count();
    assert_eq!(files, 1, "no partial files");
}

#[test]
fn a_failed_backup_leaves_no_file() {
    let (empty, backup) = (Database::postgres(), Backup::new());
    assert!(refused(&empty, &["backup", backup.path()]).contains("empty"));
    let missing = Database::sqlite();
    refused(&missing, &["backup", backup.path()]);
    assert!(refused(&empty, &["backup", "/nowhere/backup.db"]).contains("/nowhere/backup.db"));
    assert_eq!(std::fs::read_dir(backup.dir.path()).unwrap().count(), 0);
}

#[test]
fn a_damaged_backup_and_other_files_are_refused() {
    let (database, backup) = (Database::sqlite(), Backup::new());
    let (server, with) = Server::first(&database, &[]);
    server.mint(&with, "a name to be changed", &["user_app_keys"]);
    server.stop();
    admin(&database, &["backup", backup.path()]);
    admin(&database, &["restore", "--check", backup.path()]);
    let whole = std::fs::read(&backup.file).unwrap();
    let target = Database::sqlite();
    let check = |bytes: &[u8], problem: &str| {
        std::fs::write(&backup.file, bytes).unwrap();
        for args in [&["restore", backup.path()][..], &["restore", "--check", backup.path()]] {
            let errors = refused(&target, args);
            assert!(errors.contains(problem), "{problem}: {errors}");
        }
        assert!(!Path::new(target.url().strip_prefix("sqlite:").unwrap()).exists());
    };
    // SQLite's own check does not see a changed value.
    let name = b"a name to be changed";
    let at = whole.windows(name.len()).position(|window| window == name).unwrap();
    let mut changed = whole.clone();
    changed[at] = b'A';
    check(&changed, "damaged");
    check(&whole[..whole.len() - 8_192], "damaged");
    check(&whole[..100], "backup");
    check(b"", "not a backup");
    check(b"no database at all", "not a backup");
    let Database::Sqlite(dir) = &database else { panic!("not SQLite") };
    check(&std::fs::read(dir.path().join("it.db")).unwrap(), "not a backup");
    std::fs::remove_file(&backup.file).unwrap();
    assert!(refused(&target, &["restore", backup.path()]).contains("cannot read the backup"));
}

fn a_database_of_a_newer_version_is_refused(database: &Database) {
    let backup = Backup::new();
    Server::start(database, &[]).stop();
    database.execute(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', TRUE, '', 0)",
    );
    for args in [&["backup", backup.path()][..], &["user", "list"], &["migrate"]] {
        let errors = refused(database, args);
        assert!(errors.contains("9999") && errors.contains("newer ddpatrold"), "{errors}");
    }
    let mut serve = ddpatrold();
    serve.args(["serve", "--listen", "127.0.0.1:0", "--database", &database.url()]);
    let output = serve.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("newer ddpatrold"));
}

#[test]
fn a_sqlite_database_of_a_newer_version_is_refused() {
    a_database_of_a_newer_version_is_refused(&Database::sqlite());
}

#[test]
fn a_postgres_database_of_a_newer_version_is_refused() {
    a_database_of_a_newer_version_is_refused(&Database::postgres());
}

#[test]
fn a_backup_of_a_newer_version_is_refused() {
    let (database, backup, target) = (Database::sqlite(), Backup::new(), Database::sqlite());
    Server::start(&database, &[]).stop();
    admin(&database, &["backup", backup.path()]);
    Database::execute_in(
        &backup.file,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', TRUE, '', 0)",
    );
    assert!(refused(&target, &["restore", backup.path()]).contains("newer ddpatrold"));
}

/// Fills a database of the version before users had folded addresses. Returns a live token.
fn old_database(database: &Database) -> String {
    database.migrate(4);
    let owner = Uuid::from_bytes([7; 16]);
    let expires_at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(30 * 24);
    let Minted { token, secret } = mint(TokenRequest {
        kind: TokenKind::Personal,
        owner,
        name: "old".to_owned(),
        scopes: vec!["user_app_keys".to_owned()],
        expires_at: Expiry::At(expires_at),
    })
    .unwrap();
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let blob = |bytes: &[u8]| match database {
        Database::Sqlite(_) => format!("x'{}'", hex(bytes)),
        Database::Postgres(_) => format!("'\\x{}'::bytea", hex(bytes)),
    };
    let user = blob(owner.as_bytes());
    let (id, digest) = (blob(token.id.as_bytes()), blob(&token.digest));
    let (created, expires) = (token.created_at.as_microsecond(), expires_at.as_microsecond());
    for statement in [
        format!("INSERT INTO organization VALUES (1, {user}, 'Default', {created})"),
        format!("INSERT INTO users VALUES ({user}, 'Old@example.com', 'Old', 31, {created}, NULL)"),
        format!(
            "INSERT INTO tokens (id, digest, owner, name, folded_name, scopes, created_at, expires_at) VALUES ({id}, {digest}, {user}, 'old', 'old', '[\"user_app_keys\"]', {created}, {expires})"
        ),
    ] {
        database.execute(&statement);
    }
    String::from_utf8(secret.expose().to_vec()).unwrap()
}

fn a_backup_of_an_older_version_is_migrated_when_it_is_restored(from: &Database) {
    let (backup, token) = (Backup::new(), old_database(from));
    admin(from, &["backup", backup.path()]);
    let version = from.texts("SELECT CAST(MAX(version) AS TEXT) FROM _sqlx_migrations");
    assert_eq!(version, ["4"], "a backup before an upgrade does not upgrade");
    for to in [Database::sqlite(), Database::postgres()] {
        admin(&to, &["restore", backup.path()]);
        let server = Server::start(&to, &[]);
        assert_eq!(server.check(&token), 200);
        // Without case, as the newest version compares addresses.
        let listed = admin(&to, &["token", "list", "--owner", "old@EXAMPLE.com"]);
        assert_eq!(listed.lines().count(), 1);
    }
    // The original is upgraded by a start.
    let server = Server::start(from, &[]);
    assert_eq!(server.check(&token), 200);
}

#[test]
fn a_backup_of_an_older_sqlite_is_migrated_when_it_is_restored() {
    a_backup_of_an_older_version_is_migrated_when_it_is_restored(&Database::sqlite());
}

#[test]
fn a_backup_of_an_older_postgres_is_migrated_when_it_is_restored() {
    a_backup_of_an_older_version_is_migrated_when_it_is_restored(&Database::postgres());
}

#[test]
fn both_databases_have_the_same_tables_with_types_that_a_backup_can_copy() {
    let (sqlite, postgres) = (Database::sqlite(), Database::postgres());
    for database in [&sqlite, &postgres] {
        Server::start(database, &[]).stop();
    }
    let mut left = sqlite.texts(
        "SELECT m.name || '.' || c.name || ' ' || CASE c.type WHEN 'INTEGER' THEN 'bigint' WHEN 'BLOB' THEN 'bytea' ELSE LOWER(c.type) END FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name <> '_sqlx_migrations'",
    );
    let mut right = postgres.texts(
        "SELECT table_name || '.' || column_name || ' ' || data_type FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations'",
    );
    left.sort();
    right.sort();
    assert_eq!(left, right);
    assert!(left.len() > 40);
}
