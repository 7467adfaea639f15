//! `kill -9` during creations, and during checks mixed with updates and revocations: no
//! acknowledged change is lost, and no token is accepted after the acknowledgement of its
//! revocation.
//!
//! Runs the real program on SQLite and on PostgreSQL (`DDPATROL_TEST_POSTGRES`, set by
//! `scripts/postgres.sh`; requires `psql`) with its own HTTP client, and shares no code with the
//! product. The default size is small; the full size, with a summary:
//!
//! ```sh
//! DDPATROL_CRASH_CREATIONS=10000 DDPATROL_CRASH_CHECKS=1000000 DDPATROL_CRASH_SUMMARY=crash.txt \
//!   scripts/postgres.sh run cargo test --release -p ddpatrol-service --test crash
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by a panic, and its summary is for whoever runs it with --nocapture"
)]

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, RwLock};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{env, fs, io};

const TOKENS: &str = "/api/v2/personal_access_tokens";
const CHECK: &str = "/api/v2/validate_keys";
/// Maximum duration of one request or one restart.
const PATIENCE: Duration = Duration::from_secs(30);

/// The size of the test.
#[derive(Clone, Copy)]
struct Sizes {
    creations: usize,
    checks: usize,
    /// The number of kills in each of the two phases.
    kills: usize,
    connections: usize,
}

impl Sizes {
    fn from_environment() -> Self {
        let number = |name: &str, default: usize| {
            env::var(format!("DDPATROL_CRASH_{name}"))
                .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}: {text}")))
        };
        Self {
            creations: number("CREATIONS", 200),
            checks: number("CHECKS", 5_000),
            kills: number("KILLS", 3),
            connections: number("CONNECTIONS", 4),
        }
    }
}

/// The program with a fixed port and database, across restarts.
struct Server {
    child: Mutex<Child>,
    address: SocketAddr,
    database: String,
    admin: String,
}

impl Server {
    fn start(database: String) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).unwrap();
        let (child, first) = Self::run(port, &database);
        let admin = first.expect("the administrator's token on standard output");
        Self { child: Mutex::new(child), address: port, database, admin }
    }

    /// Starts the program. Returns its first line of standard output, if any.
    fn run(address: SocketAddr, database: &str) -> (Child, Option<String>) {
        let end = Instant::now() + PATIENCE;
        loop {
            let mut child = Command::new(env!("CARGO_BIN_EXE_ddpatrold"))
                .args(["serve", "--no-rate-limit", "--print-admin-token"])
                .args(["--listen", &address.to_string()])
                .args(["--database", database])
                .env_remove("DATABASE_URL")
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut errors = BufReader::new(child.stderr.take().unwrap());
            let mut log = String::new();
            while errors.read_line(&mut log).unwrap() > 0 && !log.contains("listening on ") {}
            if log.contains("listening on ") {
                let mut output = BufReader::new(child.stdout.take().unwrap());
                std::thread::spawn(move || io::copy(&mut errors, &mut io::sink()));
                let first = log.contains("administrator").then(|| {
                    let mut line = String::new();
                    output.read_line(&mut line).unwrap();
                    line.trim().to_owned()
                });
                std::thread::spawn(move || io::copy(&mut output, &mut io::sink()));
                return (child, first);
            }
            let _ = child.wait();
            assert!(Instant::now() < end, "ddpatrold did not start: {log}");
            sleep(Duration::from_millis(100));
        }
    }

    /// Kills the process, which to the process is like a power failure, and starts it again.
    fn kill_and_restart(&self) {
        let mut child = self.child.lock().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        (*child, _) = Self::run(self.address, &self.database);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// One persistent connection, which is reopened after a failure.
struct Connection<'a> {
    server: &'a Server,
    stream: Option<BufReader<TcpStream>>,
}

impl<'a> Connection<'a> {
    fn new(server: &'a Server) -> Self {
        Self { server, stream: None }
    }

    /// Sends a request and reads the complete response. After an error, it is unknown whether the
    /// request was carried out.
    fn request(&mut self, method: &str, path: &str, token: &str, body: &str) -> io::Result<Answer> {
        let answer = self.try_request(method, path, token, body);
        if answer.is_err() {
            self.stream = None;
        }
        answer
    }

    fn try_request(
        &mut self,
        method: &str,
        path: &str,
        token: &str,
        body: &str,
    ) -> io::Result<Answer> {
        if self.stream.is_none() {
            let stream = TcpStream::connect_timeout(&self.server.address, PATIENCE)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            self.stream = Some(BufReader::new(stream));
        }
        let stream = self.stream.as_mut().unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.get_mut().write_all(request.as_bytes())?;
        read_answer(stream)
    }

    /// Repeats a request until it is answered; only for requests that can be repeated.
    fn ask(&mut self, method: &str, path: &str, token: &str) -> Answer {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.request(method, path, token, "") {
                Ok(answer) => return answer,
                Err(error) => assert!(Instant::now() < end, "no answer: {error}"),
            }
            sleep(Duration::from_millis(5));
        }
    }
}

struct Answer {
    status: u16,
    body: String,
}

impl Answer {
    /// Returns the first string with this name in the body. Names and identifiers need no
    /// unescaping here.
    fn text(&self, name: &str) -> &str {
        let key = format!("\"{name}\":\"");
        let (_, rest) = self.body.split_once(&key).unwrap_or_else(|| panic!("{}", self.body));
        rest.split_once('"').unwrap().0
    }
}

fn read_answer(stream: &mut impl BufRead) -> io::Result<Answer> {
    let mut line = String::new();
    let cut_off = || io::Error::from(io::ErrorKind::UnexpectedEof);
    if stream.read_line(&mut line)? == 0 {
        return Err(cut_off());
    }
    let status = line.get(9..12).and_then(|code| code.parse().ok()).ok_or_else(cut_off)?;
    let mut length = 0;
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Err(cut_off());
        }
        let header = line.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        assert!(!header.starts_with("transfer-encoding"), "answers have a length");
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(|_| cut_off())?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(Answer { status, body: String::from_utf8(body).map_err(|_| cut_off())? })
}

/// The state of a token's revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Revocation {
    /// No revocation was requested.
    None,
    /// A revocation was requested but not answered.
    Asked,
    /// A revocation was acknowledged.
    Done,
}

/// The acknowledged state of a token.
#[derive(Clone)]
struct Known {
    id: String,
    token: String,
    name: String,
    /// The requested names without a response.
    asked_names: Vec<String>,
    revocation: Revocation,
}

/// A small pseudo-random generator (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }
}

/// The number of responses of each kind.
#[derive(Default)]
struct Tally {
    live: AtomicUsize,
    refused: AtomicUsize,
    updates: AtomicUsize,
    revocations: AtomicUsize,
    unanswered: AtomicUsize,
    kills: AtomicUsize,
    slowest_restart_millis: AtomicU64,
}

/// The state that the workers, the killer and the verification share.
struct Run {
    server: Server,
    sizes: Sizes,
    known: Mutex<Vec<Known>>,
    tally: Tally,
    expires_at: String,
    /// Held for reading during a request, and for writing while no request may be in progress.
    gate: RwLock<()>,
}

impl Run {
    fn new(database: String, sizes: Sizes) -> Self {
        Self {
            server: Server::start(database),
            sizes,
            known: Mutex::default(),
            tally: Tally::default(),
            expires_at: in_days(30),
            gate: RwLock::default(),
        }
    }

    /// Kills and restarts the server at equal shares of `total`, and verifies everything after each
    /// restart. Returns when the work is done.
    fn kill_at_shares(&self, done: &AtomicUsize, total: usize, failed: &AtomicBool) {
        for kill in 1..=self.sizes.kills {
            let share = total * kill / (self.sizes.kills + 1);
            while done.load(SeqCst) < share {
                if failed.load(SeqCst) {
                    return;
                }
                sleep(Duration::from_micros(200));
            }
            let begun = Instant::now();
            self.server.kill_and_restart();
            let millis = u64::try_from(begun.elapsed().as_millis()).unwrap();
            self.tally.slowest_restart_millis.fetch_max(millis, SeqCst);
            self.tally.kills.fetch_add(1, SeqCst);
            let _nothing_under_way = self.gate.write().unwrap();
            self.verify();
        }
    }

    /// Runs `work` on every connection in parallel with the kills, until `total` is done.
    fn beside_kills(
        &self,
        total: usize,
        work: impl Fn(&mut Connection<'_>, usize, &AtomicUsize) + Sync,
    ) {
        let (done, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
        scope(|scope| {
            for number in 0..self.sizes.connections {
                let (work, done, failed) = (&work, &done, &failed);
                scope.spawn(move || {
                    let _guard = FailureGuard(failed);
                    let mut connection = Connection::new(&self.server);
                    while done.load(SeqCst) < total && !failed.load(SeqCst) {
                        {
                            let _under_way = self.gate.read().unwrap();
                            work(&mut connection, number, done);
                        }
                        if connection.stream.is_none() {
                            sleep(Duration::from_millis(2));
                        }
                    }
                });
            }
            let _guard = FailureGuard(&failed);
            self.kill_at_shares(&done, total, &failed);
        });
    }

    fn create_all(&self) {
        let numbers = AtomicUsize::new(0);
        self.beside_kills(self.sizes.creations, |connection, _, done| {
            let name = format!("crash {}", numbers.fetch_add(1, SeqCst));
            let body = format!(
                "{{\"data\":{{\"type\":\"personal_access_tokens\",\"attributes\":{{\"name\":\"{name}\",\
                 \"scopes\":[\"dashboards_read\"],\"expires_at\":\"{}\"}}}}}}",
                self.expires_at
            );
            match connection.request("POST", TOKENS, &self.server.admin, &body) {
                Ok(answer) => {
                    assert_eq!(answer.status, 201, "{}", answer.body);
                    let (id, token) = (answer.text("id").to_owned(), answer.text("key").to_owned());
                    self.known.lock().unwrap().push(Known {
                        id,
                        token,
                        name,
                        asked_names: Vec::new(),
                        revocation: Revocation::None,
                    });
                    done.fetch_add(1, SeqCst);
                }
                Err(_) => self.unanswered(),
            }
        });
    }

    /// Checks tokens, and updates and revokes some of them. Each token is changed by only one
    /// connection (N modulo their number), so that acknowledgements are ordered.
    fn check_all(&self) {
        let randoms: Vec<_> =
            (0..self.sizes.connections).map(|seed| Mutex::new(Random(seed as u64))).collect();
        // Half of the tokens are revoked during the checks.
        let rare = (2 * self.sizes.checks / self.sizes.creations.max(1)).max(2);
        self.beside_kills(self.sizes.checks, |connection, worker, done| {
            let mut random = randoms[worker].lock().unwrap();
            let count = self.known.lock().unwrap().len();
            let any = random.below(count);
            let own =
                (any / self.sizes.connections * self.sizes.connections + worker).min(count - 1);
            let is_own = own % self.sizes.connections == worker;
            match random.below(rare * 2) {
                0 | 1 if is_own => self.revoke(connection, own),
                2..4 if is_own => self.rename(connection, own, random.below(1_000_000)),
                _ => self.check(connection, any, done),
            }
        });
    }

    fn known(&self, index: usize) -> Known {
        self.known.lock().unwrap()[index].clone()
    }

    fn change(&self, index: usize, change: impl FnOnce(&mut Known)) {
        change(&mut self.known.lock().unwrap()[index]);
    }

    fn unanswered(&self) {
        self.tally.unanswered.fetch_add(1, SeqCst);
    }

    fn check(&self, connection: &mut Connection<'_>, index: usize, done: &AtomicUsize) {
        let before = self.known(index);
        let Ok(answer) = connection.request("GET", CHECK, &before.token, "") else {
            return self.unanswered();
        };
        let after = self.known(index);
        match answer.status {
            200 => {
                let gone = before.revocation == Revocation::Done;
                assert!(
                    !gone,
                    "{} was accepted after the acknowledgement of its revocation",
                    before.id
                );
                self.tally.live.fetch_add(1, SeqCst);
            }
            401 => {
                let live = after.revocation == Revocation::None;
                assert!(!live, "{} was rejected without a revocation", before.id);
                self.tally.refused.fetch_add(1, SeqCst);
            }
            status => panic!("a check was answered {status}: {}", answer.body),
        }
        done.fetch_add(1, SeqCst);
    }

    fn revoke(&self, connection: &mut Connection<'_>, index: usize) {
        let known = self.known(index);
        if known.revocation == Revocation::None {
            self.change(index, |known| known.revocation = Revocation::Asked);
        }
        let path = format!("{TOKENS}/{}", known.id);
        match connection.request("DELETE", &path, &self.server.admin, "") {
            Ok(answer) => {
                assert_eq!(answer.status, 204, "{}", answer.body);
                self.change(index, |known| known.revocation = Revocation::Done);
                self.tally.revocations.fetch_add(1, SeqCst);
            }
            Err(_) => self.unanswered(),
        }
    }

    fn rename(&self, connection: &mut Connection<'_>, index: usize, number: usize) {
        let known = self.known(index);
        if known.revocation != Revocation::None {
            return;
        }
        let name = format!("renamed {number}");
        let body = format!(
            "{{\"data\":{{\"type\":\"personal_access_tokens\",\"id\":\"{}\",\
             \"attributes\":{{\"name\":\"{name}\"}}}}}}",
            known.id
        );
        self.change(index, |known| known.asked_names.push(name.clone()));
        let path = format!("{TOKENS}/{}", known.id);
        match connection.request("PATCH", &path, &self.server.admin, &body) {
            Ok(answer) => {
                assert_eq!(answer.status, 200, "{}", answer.body);
                assert_eq!(answer.text("name"), name);
                self.change(index, |known| {
                    known.name = name;
                    known.asked_names.clear();
                });
                self.tally.updates.fetch_add(1, SeqCst);
            }
            Err(_) => self.unanswered(),
        }
    }

    /// Checks every acknowledged token while no request is in progress, and resolves unanswered
    /// changes: the state found must persist from then on.
    fn verify(&self) {
        let mut known = self.known.lock().unwrap();
        let share = known.len().div_ceil(self.sizes.connections).max(1);
        scope(|scope| {
            for tokens in known.chunks_mut(share) {
                scope.spawn(|| {
                    let mut connection = Connection::new(&self.server);
                    for token in tokens {
                        self.settle(&mut connection, token);
                    }
                });
            }
        });
    }

    fn settle(&self, connection: &mut Connection<'_>, known: &mut Known) {
        let id = &known.id;
        let live = match connection.ask("GET", CHECK, &known.token).status {
            200 => true,
            401 => false,
            status => panic!("a check of {id} was answered {status}"),
        };
        match known.revocation {
            Revocation::None => assert!(live, "the acknowledged token {id} is lost"),
            Revocation::Done => assert!(!live, "the acknowledged revocation of {id} is lost"),
            Revocation::Asked if live => known.revocation = Revocation::None,
            Revocation::Asked => known.revocation = Revocation::Done,
        }
        if !live {
            return;
        }
        let seen = connection.ask("GET", &format!("{TOKENS}/{id}"), &self.server.admin);
        assert_eq!(seen.status, 200, "{}", seen.body);
        let name = seen.text("name");
        let asked = std::mem::take(&mut known.asked_names);
        assert!(
            name == known.name || asked.iter().any(|asked| asked == name),
            "{id} is called {name:?}; acknowledged was {:?}, asked for {asked:?}",
            known.name
        );
        known.name = name.to_owned();
    }

    fn summary(&self, kind: &str, seconds: f64) -> String {
        let tally = &self.tally;
        let mut text = String::new();
        let known = self.known.lock().unwrap();
        let revoked = known.iter().filter(|known| known.revocation == Revocation::Done).count();
        let count = |number: &AtomicUsize| number.load(SeqCst);
        writeln!(text, "{kind}: {seconds:.1} s, {} connections", self.sizes.connections).unwrap();
        writeln!(text, "  creations acknowledged  {}", known.len()).unwrap();
        writeln!(text, "  checks answered         {}", count(&tally.live) + count(&tally.refused))
            .unwrap();
        writeln!(text, "    of them refused       {}", count(&tally.refused)).unwrap();
        writeln!(text, "  updates acknowledged    {}", count(&tally.updates)).unwrap();
        writeln!(text, "  tokens revoked          {revoked}").unwrap();
        writeln!(text, "  kill -9 and restart     {}", count(&tally.kills)).unwrap();
        writeln!(text, "  requests without answer {}", count(&tally.unanswered)).unwrap();
        let slowest = tally.slowest_restart_millis.load(SeqCst);
        writeln!(text, "  slowest restart         {slowest} ms").unwrap();
        writeln!(text, "  acknowledged and lost   0").unwrap();
        writeln!(text, "  accepted though revoked 0").unwrap();
        text
    }
}

/// Signals the panic of a thread to the other threads, so that none waits for its work.
struct FailureGuard<'a>(&'a AtomicBool);

impl Drop for FailureGuard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, SeqCst);
        }
    }
}

/// Returns the time in a number of days, in RFC 3339.
fn in_days(days: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let (mut left, mut year) = (now / 86_400 + days, 1970);
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    while left >= 365 + u64::from(leap(year)) {
        left -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    format!("{year:04}-{month:02}-{:02}T00:00:00Z", left + 1)
}

fn run(kind: &str, database: String) {
    let begun = Instant::now();
    let run = Run::new(database, Sizes::from_environment());
    run.create_all();
    run.verify();
    run.check_all();
    run.server.kill_and_restart();
    run.tally.kills.fetch_add(1, SeqCst);
    run.verify();
    let known = run.known.lock().unwrap().len();
    assert!(known >= run.sizes.creations);
    let summary = run.summary(kind, begun.elapsed().as_secs_f64());
    println!("{summary}");
    if let Ok(path) = env::var("DDPATROL_CRASH_SUMMARY") {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(summary.as_bytes()).unwrap();
    }
}

#[test]
fn no_acknowledged_change_is_lost_to_kill_9_on_sqlite() {
    let directory =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("crash-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    run("SQLite", format!("sqlite:{}", directory.join("ddpatrol.db").display()));
    fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn no_acknowledged_change_is_lost_to_kill_9_on_postgresql() {
    let cluster = env::var("DDPATROL_TEST_POSTGRES")
        .expect("DDPATROL_TEST_POSTGRES: run under scripts/postgres.sh run");
    let name = format!("crash_{}", std::process::id());
    let psql = |statement: String| {
        let done = Command::new("psql").args(["-qX", "-c", &statement, &cluster]).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    psql(format!("CREATE DATABASE {name}"));
    let (server, _) = cluster.rsplit_once('/').unwrap();
    run("PostgreSQL", format!("{server}/{name}"));
    psql(format!("DROP DATABASE {name} WITH (FORCE)"));
}
