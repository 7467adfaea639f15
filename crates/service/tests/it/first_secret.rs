//! The first token of a database reaches the operator, and nobody else: it is in no log, and all
//! files are for their owner alone.

use crate::database::Database;
use crate::server::{Server, admin, check, ddpatrold, permissive, try_admin};
use crate::until;
use crate::web::{ADMINISTRATOR, Browser};
use nix::pty::openpty;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

fn folder(database: &Database) -> &Path {
    let Database::Sqlite(dir) = database else { panic!("not SQLite") };
    dir.path()
}

fn mode(file: &Path) -> u32 {
    std::fs::metadata(file).unwrap().permissions().mode() & 0o777
}

#[track_caller]
fn read_token(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap();
    let token = text.strip_suffix('\n').unwrap();
    assert!(token.starts_with("ddpat_") && !token.contains('\n'), "one line with a token");
    token.to_owned()
}

#[test]
fn without_a_terminal_the_first_token_is_in_a_private_file_and_in_no_output() {
    let database = Database::sqlite();
    let mut command = permissive();
    command.args(["serve", "--database", &database.url()]);
    let server = Server::spawn_plain(command);
    let file = folder(&database).join("admin-token");
    let token = read_token(&file);
    server.call(&check(&token)).expect(200);
    for entry in std::fs::read_dir(folder(&database)).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    let names = ["it.db", "it.db-wal", "it.db-shm"].map(|name| folder(&database).join(name));
    assert!(names.iter().all(|name| name.exists()));
    let (output, errors) = server.stop();
    assert_eq!(output, "");
    assert!(!errors.contains(&token[..20]), "{errors}");
    assert!(errors.contains(&file.display().to_string()), "{errors}");
    // The next start has no secret to hand over.
    std::fs::remove_file(&file).unwrap();
    let mut command = ddpatrold();
    command.args(["serve", "--database", &database.url()]);
    let server = Server::spawn_plain(command);
    server.call(&check(&token)).expect(200);
    assert!(!file.exists());
}

#[test]
fn the_first_token_of_a_postgres_database_is_in_the_current_folder() {
    let (database, dir) = (Database::postgres(), tempfile::tempdir().unwrap());
    let mut command = permissive();
    command.current_dir(dir.path()).args(["serve", "--database", &database.url()]);
    let server = Server::spawn_plain(command);
    let file = dir.path().join("admin-token");
    server.call(&check(&read_token(&file))).expect(200);
    assert_eq!(mode(&file), 0o600);
}

#[test]
fn a_file_that_exists_is_neither_overwritten_nor_followed_and_no_administrator_is_created() {
    let (database, other) = (Database::sqlite(), tempfile::tempdir().unwrap());
    let serve = |file: &Path| {
        let mut command = ddpatrold();
        command.args(["serve", "--database", &database.url(), "--admin-token-file"]).arg(file);
        command
    };
    let kept = folder(&database).join("kept");
    std::fs::write(&kept, "another secret").unwrap();
    let link = folder(&database).join("link");
    std::os::unix::fs::symlink(other.path().join("target"), &link).unwrap();
    for file in [&kept, &link, &PathBuf::from("/nowhere/token")] {
        let mut command = serve(file);
        let output = command.args(["--listen", "127.0.0.1:0"]).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains("--admin-token-file"), "{errors}");
        assert!(errors.contains(&file.display().to_string()), "{errors}");
    }
    let output = serve(&kept).args(["--listen", "127.0.0.1:0"]).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("kept already exists"), "{errors}");
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "another secret");
    assert_eq!(std::fs::read_dir(other.path()).unwrap().count(), 0);
    assert!(database.texts("SELECT email FROM users").is_empty());
    let file = folder(&database).join("token");
    let server = Server::spawn_plain(serve(&file));
    server.call(&check(&read_token(&file))).expect(200);
}

/// The lines of a terminal that a service writes its messages to.
struct Terminal {
    service: Child,
    lines: Box<dyn Iterator<Item = String>>,
}

impl Terminal {
    /// Starts the service on a database, with a terminal as standard error.
    fn of_service(database: &Database) -> Self {
        let terminal = openpty(None, None).unwrap();
        let mut command = ddpatrold();
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--database", &database.url()])
            .stdout(Stdio::piped())
            .stderr(terminal.slave);
        let service = command.spawn().unwrap();
        // The command holds the terminal's other side open.
        drop(command);
        let lines = BufReader::new(File::from(terminal.master)).lines().map_while(Result::ok);
        let lines = lines.map(|line| line.trim_end().to_owned());
        Self { service, lines: Box::new(lines) }
    }

    /// Returns the next line with a text.
    #[track_caller]
    fn line(&mut self, text: &str) -> String {
        self.lines.find(|line| line.contains(text)).unwrap()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.service.id().try_into().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        until("the server ends", || self.service.try_wait().unwrap());
    }
}

#[test]
fn on_a_terminal_the_first_sign_in_link_is_printed_there_and_signs_in_once() {
    let database = Database::sqlite();
    let mut terminal = Terminal::of_service(&database);
    terminal.line("sign-in link");
    let link = terminal.line("/sign-in/link?code=");
    let line = terminal.line("listening on ");
    let address = line.split_once("http://").unwrap().1;
    let path = link.strip_prefix(&format!("http://{address}")).expect("the service's address");
    let mut browser = Browser::at(address.parse().unwrap());
    assert!(browser.open(path).expect(200).text().contains(ADMINISTRATOR));
    let code = path.split_once("code=").unwrap().1;
    browser.send("/sign-in/link", &[("code", code)]).expect(303);
    assert!(browser.open("/tokens").expect(200).text().contains(ADMINISTRATOR));
    Browser::at(address.parse().unwrap()).send("/sign-in/link", &[("code", code)]).expect(403);
    assert!(!folder(&database).join("sign-in-link").exists());
}

#[test]
fn on_a_terminal_the_first_token_is_printed_there_and_not_written_to_a_file() {
    let database = Database::sqlite();
    let mut terminal = Terminal::of_service(&database);
    let token = terminal.line("ddpat_");
    terminal.line("listening on ");
    drop(terminal);
    assert!(!folder(&database).join("admin-token").exists());
    let server = Server::start(&database, &[]);
    assert_eq!(server.check(&token), 200);
}

#[test]
fn a_database_of_an_older_version_becomes_private() {
    let database = Database::sqlite();
    Server::start(&database, &[]).stop();
    let file = folder(&database).join("it.db");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    admin(&database, &["user", "list"]);
    assert_eq!(mode(&file), 0o600);
}

#[test]
fn an_issued_token_is_written_to_a_new_private_file() {
    let database = Database::sqlite();
    let server = Server::start(&database, &[]);
    let file = folder(&database).join("issued");
    let path = file.to_str().unwrap();
    let issue = ["token", "issue", "--user", "admin@localhost", "--name", "n", "--all-scopes"];
    let issue = [&issue[..], &["--token-file", path]].concat();
    assert_eq!(admin(&database, &issue), "");
    let token = read_token(&file);
    server.call(&check(&token)).expect(200);
    assert_eq!(mode(&file), 0o600);
    let again = try_admin(&database, &issue);
    assert_eq!(again.status.code(), Some(2));
    assert_eq!(read_token(&file), token);
    let tokens = database.texts("SELECT name FROM tokens");
    assert_eq!(tokens.len(), 2, "no token that nobody has: {tokens:?}");
}
