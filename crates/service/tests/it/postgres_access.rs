//! Access to PostgreSQL: roles that may not change tables, TLS, the number of connections, and
//! connection poolers.

use crate::database::Database;
use crate::http::Request;
use crate::network::new_certificate_for;
use crate::server::{Server, TOKENS, admin, ddpatrold, without_variables};
use crate::until;
use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// Returns the error of `serve` on a database that it must refuse.
#[track_caller]
fn refusal(url: &str) -> String {
    let mut command = ddpatrold();
    command.args(["serve", "--listen", "127.0.0.1:0", "--database", url]);
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    errors
}

/// Starts a server on a URL.
#[track_caller]
fn serve(url: &str, options: &[&str]) -> Server {
    Server::spawn(ddpatrold(), url, &[&["--no-rate-limit"], options].concat())
}

/// Creates a role that may use all tables of a database, also future ones, but change none.
/// Returns the URL of the database for it.
fn role_without_ddl(database: &Database) -> String {
    let role = format!("app_{}", database.name());
    for statement in [
        format!("CREATE ROLE {role} LOGIN"),
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC".to_owned(),
        format!("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}"),
        format!(
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}"
        ),
    ] {
        database.execute(&statement);
    }
    database.url().replace("ddpatrol@", &format!("{role}@"))
}

#[test]
fn a_role_without_ddl_runs_a_migrated_schema() {
    let database = Database::postgres();
    admin(&database, &["migrate"]);
    let url = role_without_ddl(&database);
    let server = serve(&url, &[]);
    let with = server.first_token();
    let token = server.mint(&with, "t", &["user_app_keys"]);
    assert_eq!(server.check(&token.key), 200);
    server.revoke(&with, &token.id);
    assert_eq!(server.check(&token.key), 401);
    server.call(&Request::get("/readyz")).expect(200);
    server.call(&Request::get(TOKENS).bearer(&with)).expect(200);
    let mut command = ddpatrold();
    command.args(["admin", "--database", &url, "user", "add", "ada@example.com"]);
    assert!(command.output().unwrap().status.success());
    server.stop();
    // A second start finds nothing to migrate either.
    assert_eq!(serve(&url, &[]).check(&with), 200);
}

#[test]
fn a_role_without_ddl_reports_an_outdated_schema_until_its_owner_migrates_it() {
    for version in [0, 4] {
        let database = Database::postgres();
        if version > 0 {
            database.migrate(version);
        }
        let url = role_without_ddl(&database);
        let errors = refusal(&url);
        let expected = format!("version {version} of the tables");
        assert!(errors.contains(&expected) && errors.contains("admin migrate"), "{errors}");
        admin(&database, &["migrate"]);
        let server = serve(&url, &[]);
        assert_eq!(server.check(&server.first_token()), 200);
    }
}

#[test]
fn the_number_of_connections_is_an_option() {
    let database = Database::postgres();
    let server = serve(&database.url(), &["--database-connections", "10"]);
    let with = server.first_token();
    let count = || {
        let count = format!(
            "SELECT COUNT(*)::text FROM pg_stat_activity WHERE datname = '{}'",
            database.name()
        );
        Database::on_server(&count)[0].parse::<usize>().unwrap()
    };
    std::thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(|| {
                for number in 0..20 {
                    let request = Request::get(TOKENS).query(&[("filter", "x")]).bearer(&with);
                    server.call(&request);
                    server.mint(&with, &format!("t{number}"), &["user_app_keys"]);
                }
            });
        }
        for _ in 0..20 {
            // A connection that was closed is listed until its process has ended.
            let pause = || std::thread::sleep(std::time::Duration::from_millis(50));
            let counts = std::iter::repeat_with(|| {
                pause();
                count()
            });
            let least = counts.take(5).find(|it| *it <= 10);
            assert!(least.is_some(), "{} connections", count());
        }
    });
    let mut command = ddpatrold();
    command.args(["serve", "--database-connections", "9", "--database", &database.url()]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("at least 10"));
}

/// A PostgreSQL server of its own, which also listens on this machine's address in its network.
struct TlsServer {
    child: Child,
    /// The URL of its database on that address.
    url: String,
    local: String,
}

impl TlsServer {
    fn start(address: IpAddr, files: &Path) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/postgres.sh");
        let mut command = Command::new(script);
        command
            .args(["run", "sh", "-c", "echo \"$DDPATROL_TEST_POSTGRES\" && exec cat"])
            .env("POSTGRES_ADDRESS", address.to_string())
            .env("POSTGRES_CERTIFICATE", files.join("cert.pem"))
            .env("POSTGRES_KEY", files.join("key.pem"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let local = line.trim().to_owned();
        let url = local.replace("127.0.0.1", &address.to_string());
        Self { child, url, local }
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        // The script removes the server when its command reaches the end of its input.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Returns this machine's address in its network, for which PostgreSQL counts as another machine.
fn address_in_network() -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    // Connecting a datagram socket sends nothing.
    socket.connect("192.0.2.1:9").expect("this test needs a network interface beside loopback");
    let address = socket.local_addr().unwrap().ip();
    assert!(!address.is_loopback());
    address
}

#[test]
fn a_database_on_another_machine_needs_tls_with_a_valid_certificate() {
    let (address, dir) = (address_in_network(), tempfile::tempdir().unwrap());
    let file = |name: &str| dir.path().join(name).display().to_string();
    new_certificate_for(dir.path(), &address.to_string(), &file("cert.pem"), &file("key.pem"));
    let postgres = TlsServer::start(address, dir.path());
    let encrypted = || {
        let rows = Database::query(
            &postgres.local,
            "SELECT DISTINCT ssl::text FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'ddpatrold'",
        );
        assert_eq!(rows.len(), 1);
        rows[0] == "true"
    };
    let errors = refusal(&postgres.url);
    for part in ["UnknownIssuer", "sslrootcert=FILE", "sslmode=require", "sslmode=disable"] {
        assert!(errors.contains(part), "{part}: {errors}");
    }
    let url = |options: &str| format!("{}?{options}", postgres.url);
    let verified = url(&format!("sslrootcert={}", file("cert.pem")));
    let server = serve(&verified, &[]);
    let with = server.first_token();
    assert_eq!(server.check(&with), 200);
    assert!(encrypted());
    server.stop();
    let server = serve(&url("sslmode=require"), &[]);
    assert_eq!((server.check(&with), encrypted()), (200, true));
    server.stop();
    let server = serve(&url("sslmode=disable"), &[]);
    assert_eq!((server.check(&with), encrypted()), (200, false));
    assert!(server.stop().1.contains("may be unencrypted"));
    // The certificate is valid only for the server's own name.
    let other = verified.replace(&address.to_string(), "127.0.0.1");
    assert!(refusal(&format!("{other}&sslmode=verify-full")).contains("not valid for name"));
    assert_eq!(serve(&format!("{other}&sslmode=verify-ca"), &[]).check(&with), 200);
    // A server without TLS.
    Database::query(&postgres.local, "ALTER SYSTEM SET ssl = off");
    Database::query(&postgres.local, "SELECT pg_reload_conf()::text");
    until("TLS is off", || (Database::query(&postgres.local, "SHOW ssl") == ["off"]).then_some(()));
    assert!(refusal(&verified).contains("does not support TLS"));
}

/// A running PgBouncer in front of the test server.
struct Pooler {
    child: Child,
    port: u16,
    #[expect(dead_code, reason = "removed when dropped")]
    dir: TempDir,
}

impl Pooler {
    fn start(database: &Database, ignored: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = database.server_address();
        let (host, server_port) = server.rsplit_once(':').unwrap();
        let file = dir.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host={host} port={server_port} user=ddpatrol\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\nignore_startup_parameters = {ignored}\n"
        );
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new("pgbouncer");
        without_variables(&mut command);
        if nix::unistd::geteuid().is_root() {
            // PgBouncer does not run as root.
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(dir.path(), open).unwrap();
            command.args(["-u", "nobody"]);
        }
        let child = command
            .arg(&file)
            .stderr(Stdio::null())
            .spawn()
            .expect("this test needs pgbouncer (Debian: apt-get install pgbouncer)");
        until("PgBouncer listens", || TcpStream::connect(("127.0.0.1", port)).ok());
        Self { child, port, dir }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_connection_pooler_is_detected() {
    let database = Database::postgres();
    for ignored in ["extra_float_digits", "extra_float_digits, options"] {
        let pooler = Pooler::start(&database, ignored);
        let url = database.url_through(([127, 0, 0, 1], pooler.port).into());
        let errors = refusal(&url);
        assert!(errors.contains("connection pooler such as PgBouncer"), "{ignored}: {errors}");
    }
    let tables = database.texts(
        "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'",
    );
    assert_eq!(tables, [""; 0], "nothing was created");
}
