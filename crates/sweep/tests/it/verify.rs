//! `run --verify` with the real scanner, repositories on this machine, and a server that answers like an issuer.

use crate::server::{Response, Server};
use ddpatrol_test_mint::{Random, datadog};
use ddpatrol_test_repo::Repo;
use serde_json::Value;
use std::collections::HashMap;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// A store and a list of repositories.
pub(crate) struct Sweeps {
    pub(crate) folder: TempDir,
    pub(crate) repositories: Vec<Repo>,
}

/// An issuer whose answers can be changed.
pub(crate) struct Issuer {
    pub(crate) server: Server,
    answers: Arc<Mutex<HashMap<String, u16>>>,
}

impl Issuer {
    /// Starts an issuer that accepts all tokens.
    pub(crate) fn start() -> Self {
        Self::slow(Duration::ZERO)
    }

    /// Starts an issuer that needs some time for each answer.
    pub(crate) fn slow(time: Duration) -> Self {
        let answers = Arc::new(Mutex::new(HashMap::new()));
        let known = Arc::clone(&answers);
        let server = Server::start(move |request, _, _| {
            std::thread::sleep(time);
            let token = request.header("authorization").unwrap_or_default();
            let token = token.strip_prefix("Bearer ").unwrap_or_default();
            match known.lock().unwrap().get(token).copied().unwrap_or(200) {
                200 => Response::json(r#"{"status":"ok"}"#),
                status => Response::new(status, r#"{"errors":["Unauthorized"]}"#)
                    .with("x-token-state", "revoked"),
            }
        });
        Self { server, answers }
    }

    /// Sets the status of the answers about a token.
    pub(crate) fn answer(&self, token: &str, status: u16) {
        self.answers.lock().unwrap().insert(token.to_owned(), status);
    }

    /// Returns how often the issuer was asked about a token.
    pub(crate) fn asked(&self, token: &str) -> usize {
        let bearer = format!("Bearer {token}");
        let requests = self.server.requests();
        requests.iter().filter(|it| it.header("authorization") == Some(&bearer)).count()
    }
}

pub(crate) fn token(seed: u64) -> String {
    datadog(&mut Random(seed), "ddpat_", 43, 0)
}

/// The scanner beside the program under test.
fn scanner() -> PathBuf {
    let path = PathBuf::from(env!("CARGO_BIN_EXE_ddpatrol-sweep")).with_file_name("ddpatrol");
    assert!(path.is_file(), "build the scanner first: cargo build -p ddpatrol");
    path
}

impl Sweeps {
    /// Creates one repository for each text.
    pub(crate) fn new(contents: &[&str]) -> Self {
        let repositories = contents.iter().map(|it| Repo::with_files(&[("config", it)]));
        Self { folder: TempDir::new().unwrap(), repositories: repositories.collect() }
    }

    /// Replaces the scanner by one that cannot verify tokens of a repository.
    fn break_verification(&self) {
        let path = self.folder.path().join("scanner");
        let real = scanner();
        let script = format!(
            "#!/bin/sh\ncase \"$*\" in *--known-verdicts*) echo broken >&2; exit 2;; esac\nexec '{}' \"$@\"\n",
            real.display()
        );
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn scanner(&self) -> PathBuf {
        let broken = self.folder.path().join("scanner");
        if broken.exists() { broken } else { scanner() }
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// Prepares a sweep with verification.
    pub(crate) fn command(&self, sweep: &str, issuer: &Issuer, args: &[&str]) -> Command {
        let list = self.folder.path().join("list");
        let lines: Vec<String> =
            self.repositories.iter().map(|it| it.path().display().to_string()).collect();
        std::fs::write(&list, lines.join("\n")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_ddpatrol-sweep"));
        command.arg("run").arg(&list).arg("--store").arg(self.store()).args(["--sweep", sweep]);
        command.arg("--scanner").arg(self.scanner()).args(["--verify", "--verify-pause", "2"]);
        command.args(["--issuer", &issuer.server.url, "--jobs", "3"]).args(args);
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        command
    }

    pub(crate) fn run(&self, sweep: &str, issuer: &Issuer, args: &[&str]) -> Output {
        self.command(sweep, issuer, args).output().unwrap()
    }

    /// Returns the merged report of a sweep.
    pub(crate) fn report(&self, sweep: &str) -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ddpatrol-sweep"));
        command.args(["report", "--format", "json", "--sweep", sweep]);
        let output = command.arg("--store").arg(self.store()).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Returns the verdicts of a report, sorted.
    pub(crate) fn verdicts(&self, sweep: &str) -> Vec<String> {
        let report = self.report(sweep);
        let tokens = report["tokens"].as_array().unwrap();
        let verdicts = tokens.iter().map(|it| it["verdict"].as_str().unwrap().to_owned());
        let mut verdicts: Vec<String> = verdicts.collect();
        verdicts.sort();
        verdicts
    }

    /// Makes all cached verdicts older.
    pub(crate) fn age_verdicts(&self) {
        for entry in std::fs::read_dir(self.store().join("verdicts")).unwrap() {
            let path = entry.unwrap().path();
            let mut verdict: Value =
                serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            verdict["verified_at"] = "2026-01-01T00:00:00Z".into();
            std::fs::write(path, verdict.to_string()).unwrap();
        }
    }
}

pub(crate) fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_token_in_many_repositories_is_verified_once() {
    let (shared, single) = (token(1), token(2));
    let both = format!("{shared}\n{single}\n");
    let sweeps = Sweeps::new(&[&shared, &shared, &both, &shared, "nothing"]);
    let issuer = Issuer::start();
    let output = sweeps.run("w1", &issuer, &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!((issuer.asked(&shared), issuer.asked(&single)), (1, 1), "{output:?}");
    assert_eq!(sweeps.verdicts("w1"), ["live", "live"]);
    for path in walk(sweeps.folder.path().to_owned()) {
        let content = std::fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&content);
        assert!(!text.contains(&shared[30..]), "{}", path.display());
    }
    assert!(!errors(&output).contains(&shared[30..]));
    assert!(!sweeps.report("w1").to_string().contains(&shared[30..]));
}

fn walk(path: PathBuf) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path];
    }
    std::fs::read_dir(path).unwrap().flat_map(|it| walk(it.unwrap().path())).collect()
}

#[test]
fn tokens_of_unchanged_repositories_are_verified_again_when_the_verdict_is_old() {
    let (kept, revoked) = (token(3), token(4));
    let sweeps = Sweeps::new(&[&kept, &revoked]);
    let issuer = Issuer::start();
    let cache = sweeps.folder.path().join("cache");
    let cache = ["--cache", cache.to_str().unwrap(), "--verbose"];
    assert_eq!(sweeps.run("w1", &issuer, &cache).status.code(), Some(0));
    issuer.answer(&revoked, 401);

    let output = sweeps.run("w2", &issuer, &cache);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(errors(&output).contains("unchanged"), "{output:?}");
    assert_eq!((issuer.asked(&kept), issuer.asked(&revoked)), (1, 1), "the verdicts are fresh");

    sweeps.age_verdicts();
    let output = sweeps.run("w3", &issuer, &cache);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(errors(&output).contains("unchanged"), "{output:?}");
    assert_eq!((issuer.asked(&kept), issuer.asked(&revoked)), (2, 3), "rejections are repeated");
    assert_eq!(sweeps.verdicts("w3"), ["dead", "live"]);

    // Without a cache, the mirror is cloned again.
    sweeps.age_verdicts();
    issuer.answer(&kept, 401);
    let output = sweeps.run("w4", &issuer, &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(sweeps.verdicts("w4"), ["dead", "dead"]);
    assert_eq!(sweeps.verdicts("w1"), ["dead", "dead"], "a report has the latest verdicts");
}

#[test]
fn a_new_commit_asks_about_new_tokens_only() {
    let (old, new) = (token(5), token(6));
    let sweeps = Sweeps::new(&[&old]);
    let issuer = Issuer::start();
    assert_eq!(sweeps.run("w1", &issuer, &[]).status.code(), Some(0));
    sweeps.repositories[0].commit_file("other", &new);
    let output = sweeps.run("w2", &issuer, &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!((issuer.asked(&old), issuer.asked(&new)), (1, 1));
    assert_eq!(sweeps.verdicts("w2"), ["live", "live"]);
}

#[test]
fn a_verdict_of_one_host_is_not_used_for_another() {
    let token = token(9);
    let sweeps = Sweeps::new(&[&token]);
    let (one, two) = (Issuer::start(), Issuer::start());
    two.answer(&token, 401);
    assert_eq!(sweeps.run("w1", &one, &[]).status.code(), Some(0));
    assert_eq!(sweeps.verdicts("w1"), ["live"]);
    let output = sweeps.run("w2", &two, &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!((one.asked(&token), two.asked(&token)), (1, 2), "{output:?}");
    assert_eq!(sweeps.verdicts("w2"), ["dead"]);
    // The same hosts, in another order: the verdict is fresh.
    let both = ["--issuer", &one.server.url];
    assert_eq!(sweeps.run("w3", &two, &both).status.code(), Some(0));
    let both = ["--issuer", &two.server.url];
    assert_eq!(sweeps.run("w4", &one, &both).status.code(), Some(0));
    assert_eq!((one.asked(&token), two.asked(&token)), (2, 3));
    assert_eq!(sweeps.verdicts("w4"), ["live"]);
}

#[test]
fn options_of_single_issuers_reach_the_scanner() {
    let token = ddpatrol_test_mint::classic(&mut Random(10), "npm_", 30);
    let sweeps = Sweeps::new(&[&token]);
    let issuer = Issuer::start();
    let registry = Server::start(|_, _, _| Response::json(r#"{"username":"ada"}"#));
    let output = sweeps.run("w1", &issuer, &["--npm-registry", &registry.url]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(sweeps.verdicts("w1"), ["live"], "{output:?}");
    assert_eq!((registry.requests().len(), issuer.server.requests().len()), (1, 0));
}

#[test]
fn an_inconclusive_answer_is_unknown_and_not_repeated_for_each_repository() {
    let token = token(7);
    let sweeps = Sweeps::new(&[&token, &token]);
    let issuer = Issuer::start();
    issuer.answer(&token, 404);
    let output = sweeps.run("w1", &issuer, &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!((sweeps.verdicts("w1"), issuer.asked(&token)), (vec!["unknown".to_owned()], 1));
}

#[test]
fn a_verification_that_fails_keeps_the_findings_and_is_reported() {
    let token = token(8);
    let sweeps = Sweeps::new(&[&token]);
    sweeps.break_verification();
    let issuer = Issuer::start();
    let output = sweeps.run("w1", &issuer, &[]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(errors(&output).contains("not verified"), "{output:?}");
    assert_eq!(sweeps.verdicts("w1"), ["unknown"]);
}

/// Runs `task` with verification on the repositories, and returns its lines.
fn task(sweeps: &Sweeps, issuer: &Issuer, args: &[&str]) -> Vec<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ddpatrol-sweep"));
    command.args(["task", "--sweep", "w1", "--store"]).arg(sweeps.store());
    command.arg("--scanner").arg(sweeps.scanner()).args(["--verify", "--verify-pause", "2"]);
    command.args(["--issuer", &issuer.server.url]).args(args);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    for repository in &sweeps.repositories {
        writeln!(input, "{}", repository.path().display()).unwrap();
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn tasks_verify_a_token_once_and_repeat_nothing_that_is_done() {
    let (shared, dead) = (token(30), token(31));
    let sweeps = Sweeps::new(&[&shared, &dead, &shared]);
    let issuer = Issuer::start();
    issuer.answer(&dead, 401);
    let lines = task(&sweeps, &issuer, &[]);
    assert_eq!(lines.len(), 3);
    for line in &lines {
        assert_eq!((&line["status"], &line["effort"]), (&"complete".into(), &"scanned".into()));
        assert_eq!((&line["tokens"], &line["unverified"]), (&1.into(), &Value::Null), "{line}");
        assert!(!line.to_string().contains(&shared[30..]), "{line}");
    }
    assert_eq!((issuer.asked(&shared), issuer.asked(&dead)), (1, 2), "rejections are repeated");
    assert_eq!(sweeps.verdicts("w1"), ["dead", "live"]);
    let again = task(&sweeps, &issuer, &[]);
    assert!(again.iter().all(|it| it["effort"] == "already-done"), "{again:?}");
    assert_eq!(issuer.asked(&shared), 1);
}

#[test]
fn a_task_reports_tokens_that_could_not_be_verified_and_keeps_its_result() {
    let sweeps = Sweeps::new(&[&token(32)]);
    sweeps.break_verification();
    let issuer = Issuer::start();
    let lines = task(&sweeps, &issuer, &[]);
    assert_eq!(lines[0]["status"], "complete", "{lines:?}");
    assert!(lines[0]["unverified"].is_string(), "{lines:?}");
    assert_eq!(sweeps.verdicts("w1"), ["unknown"]);
}
