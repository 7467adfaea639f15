//! The program as a process: `serve` and the `admin` commands, and common requests of the tests.

use crate::database::Database;
use crate::http::{Answer, Connection, Request};
use crate::until;
use crate::wall_clock::WallClock;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

pub(crate) const TOKENS: &str = "/api/v2/personal_access_tokens";
pub(crate) const CHECK: &str = "/api/v2/validate_keys";
pub(crate) const EVENTS: &str = "/api/v2/audit/events";

/// The scopes that grant a token every permission of the service.
pub(crate) const PERMISSIONS: [&str; 7] = [
    "user_app_keys",
    "org_app_keys_read",
    "org_app_keys_write",
    "audit_logs_read",
    "tokens_introspect",
    "user_access_read",
    "service_account_write",
];

/// Returns the program without the variables of the test environment that it reads.
pub(crate) fn ddpatrold() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ddpatrold"));
    without_variables(&mut command);
    command
}

/// Removes the variables that the program reads from the environment of a command.
pub(crate) fn without_variables(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("DDPATROLD_") {
            command.env_remove(name);
        }
    }
    command.env_remove("DATABASE_URL").env_remove("RUST_LOG");
}

/// Returns the program under a umask that grants every permission.
pub(crate) fn permissive() -> Command {
    let mut command = Command::new("sh");
    let program = ddpatrold().get_program().to_owned();
    command.args(["-c", "umask 000 && exec \"$0\" \"$@\""]).arg(program);
    without_variables(&mut command);
    command
}

/// Runs an `admin` command.
pub(crate) fn try_admin(database: &Database, args: &[&str]) -> Output {
    let mut command = ddpatrold();
    command.args(["admin", "--database", &database.url()]).args(args).output().unwrap()
}

/// Runs an `admin` command that must succeed. Returns its standard output.
#[track_caller]
pub(crate) fn admin(database: &Database, args: &[&str]) -> String {
    let output = try_admin(database, args);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "admin {args:?}: {errors}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// The output of a process so far.
type Written = Arc<Mutex<String>>;

fn collect(from: impl Read + Send + 'static) -> (Written, JoinHandle<()>) {
    let written = Written::default();
    let into = Arc::clone(&written);
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            into.lock().unwrap().push_str(&(line + "\n"));
        }
    });
    (written, reader)
}

/// A token used by a test.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) id: String,
    pub(crate) key: String,
}

/// A running `ddpatrold serve`; killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    output: Written,
    errors: Written,
    readers: Vec<JoinHandle<()>>,
}

impl Server {
    /// Starts a server without rate limits.
    #[track_caller]
    pub(crate) fn start(database: &Database, options: &[&str]) -> Self {
        Self::start_limited(database, &[&["--no-rate-limit"], options].concat())
    }

    /// Starts a server with exactly these options.
    #[track_caller]
    pub(crate) fn start_limited(database: &Database, options: &[&str]) -> Self {
        Self::spawn(ddpatrold(), &database.url(), options)
    }

    /// Starts a server without rate limits and with a given wall clock.
    #[track_caller]
    pub(crate) fn start_under(clock: &WallClock, database: &Database, options: &[&str]) -> Self {
        let mut command = ddpatrold();
        command.envs(clock.variables());
        Self::spawn(command, &database.url(), &[&["--no-rate-limit"], options].concat())
    }

    /// Starts a server with a prepared command.
    #[track_caller]
    pub(crate) fn spawn(mut command: Command, url: &str, options: &[&str]) -> Self {
        command.args(["serve", "--print-admin-token", "--database", url]).args(options);
        Self::spawn_plain(command)
    }

    /// Starts a prepared `serve` command on a free port.
    #[track_caller]
    pub(crate) fn spawn_plain(mut command: Command) -> Self {
        let mut child = command
            .args(["--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (output, first) = collect(child.stdout.take().unwrap());
        let (errors, second) = collect(child.stderr.take().unwrap());
        let errors_so_far = Arc::clone(&errors);
        let address = until("the server serves", || {
            let errors_so_far = errors_so_far.lock().unwrap();
            if let Some(status) = child.try_wait().unwrap() {
                panic!("the server ended ({status}): {errors_so_far}");
            }
            // As text, or in the message of a JSON object.
            let (_, url) = errors_so_far.split_once("listening on ")?;
            let (address, _) = url.split_once("://")?.1.split_once(['\n', '"'])?;
            Some(address.parse().unwrap())
        });
        Self { child, address, output, errors, readers: vec![first, second] }
    }

    /// Starts the first server on an empty database. Also returns the administrator's token.
    #[track_caller]
    pub(crate) fn first(database: &Database, options: &[&str]) -> (Self, String) {
        let server = Self::start(database, options);
        let admin = server.first_token();
        (server, admin)
    }

    /// Waits for the administrator's token on standard output.
    pub(crate) fn first_token(&self) -> String {
        until("the administrator's token", || {
            let output = self.output.lock().unwrap();
            output.strip_suffix('\n').map(str::to_owned)
        })
    }

    /// Stops the server gracefully. Returns everything that it wrote to standard output and
    /// standard error.
    #[track_caller]
    pub(crate) fn stop(mut self) -> (String, String) {
        self.signal(Signal::SIGTERM);
        let status = self.wait();
        let written = self.written();
        assert!(status.success(), "{status}: {}", written.1);
        written
    }

    /// Kills the server as `kill -9` does. Returns everything that it wrote.
    pub(crate) fn kill(mut self) -> (String, String) {
        self.child.kill().unwrap();
        self.wait();
        self.written()
    }

    /// Returns what the server has written to standard error so far.
    pub(crate) fn log(&self) -> String {
        self.errors.lock().unwrap().clone()
    }

    /// Returns the value of a metric, or 0 if it is missing; `name` includes the labels.
    #[track_caller]
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let text = self.call(&Request::get("/metrics")).expect(200).text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0, |value| value.parse().unwrap())
    }

    /// Returns a line of `/proc/PID/status` in MiB.
    pub(crate) fn memory(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap().trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap());
        kill(pid, signal).unwrap();
    }

    fn wait(&mut self) -> ExitStatus {
        until("the server ends", || self.child.try_wait().unwrap())
    }

    fn written(&mut self) -> (String, String) {
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        (self.output.lock().unwrap().clone(), self.errors.lock().unwrap().clone())
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::new(self.address)
    }

    /// Sends a request on its own connection.
    #[track_caller]
    pub(crate) fn call(&self, request: &Request) -> Answer {
        self.connect().send(request).unwrap()
    }

    /// Returns the status of a check of a token.
    #[track_caller]
    pub(crate) fn check(&self, token: &str) -> u16 {
        self.call(&check(token)).status
    }

    /// Mints a token through the API.
    #[track_caller]
    pub(crate) fn mint(&self, with: &str, name: &str, scopes: &[&str]) -> Token {
        minted(&self.call(&creation(with, name, scopes)).expect(201))
    }

    /// Revokes a token through the API.
    #[track_caller]
    pub(crate) fn revoke(&self, with: &str, id: &str) {
        self.call(&Request::delete(format!("{TOKENS}/{id}")).bearer(with)).expect(204);
    }

    /// Reports leaked tokens. Returns the status of each.
    #[track_caller]
    pub(crate) fn report(&self, entries: &Value) -> Vec<String> {
        let request = Request::post("/leaks/v1/reports").json(&json!({"reports": entries}));
        let answer = self.call(&request).expect(200).json();
        let results = answer["results"].as_array().unwrap();
        results.iter().map(|result| result["status"].as_str().unwrap().to_owned()).collect()
    }

    /// Returns all events that match a query, in order; they must fit on one page.
    #[track_caller]
    pub(crate) fn events(&self, with: &str, query: &str) -> Vec<Value> {
        let request = Request::get(EVENTS)
            .query(&[("filter[query]", query), ("page[limit]", "1000")])
            .bearer(with);
        let answer = self.call(&request).expect(200).json();
        assert_eq!(answer["meta"]["page"]["after"], Value::Null, "more than one page");
        answer["data"].as_array().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The process may already have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the request that checks a token.
pub(crate) fn check(token: &str) -> Request {
    Request::get(CHECK).bearer(token)
}

/// Returns the request that mints a token for a month.
pub(crate) fn creation(with: &str, name: &str, scopes: &[&str]) -> Request {
    let end = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(30 * 24)).to_string();
    creation_until(with, name, scopes, &end)
}

/// Returns the request that mints a token until a given time.
pub(crate) fn creation_until(with: &str, name: &str, scopes: &[&str], end: &str) -> Request {
    let attributes = json!({"name": name, "scopes": scopes, "expires_at": end});
    let data = json!({"type": "personal_access_tokens", "attributes": attributes});
    Request::post(TOKENS).bearer(with).json(&json!({"data": data}))
}

/// Returns the token in the response to its creation.
pub(crate) fn minted(answer: &Answer) -> Token {
    let text = |at| answer.json().pointer(at).unwrap().as_str().unwrap().to_owned();
    Token { id: text("/data/id"), key: text("/data/attributes/key") }
}

/// Returns the name of an event.
pub(crate) fn event_name(event: &Value) -> &str {
    event["attributes"]["attributes"]["evt"]["name"].as_str().unwrap()
}
