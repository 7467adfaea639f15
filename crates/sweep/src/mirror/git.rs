//! Runs git: `ls-remote`, `clone --mirror` and `fetch`, and classifies their failures.

use super::cache::Lock;
use crate::child::{self, Ended, Limits};
use crate::digest::PartsDigest;
use crate::repository::CloneUrl;
use crate::result::Status;
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// The git program and the limits of its processes.
#[derive(Clone, Debug)]
pub struct Git {
    program: PathBuf,
}

/// The references of a remote repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Digest of the names and objects of all references.
    pub digest: String,
    /// The reference that `HEAD` points to.
    pub head: Option<String>,
}

/// Why a repository could not be fetched or scanned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The status of the repository.
    pub status: Status,
    /// The reason for people. It may contain text of git and of the remote host.
    pub reason: String,
}

impl Failure {
    /// Creates a failure.
    pub fn new(status: Status, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into() }
    }

    /// The failure of a job whose time limit has passed.
    pub fn timed_out(step: &str) -> Self {
        Self::new(Status::TimedOut, format!("the time limit passed during `{step}`"))
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Status::Failed, format!("{error:#}"))
    }
}

/// Texts of git, curl and ssh for a refused access.
const DENIED: &[&str] = &[
    "authentication failed",
    "could not read username",
    "could not read password",
    "permission denied",
    "access denied",
    "http 401",
    "http 403",
    "returned error: 401",
    "returned error: 403",
    "terminal prompts disabled",
    "user interactivity has been disabled",
    "unable to get password",
    "host key verification failed",
    "you don't have permission",
];

/// Texts of git, curl and ssh for a repository or host that cannot be reached.
const UNREACHABLE: &[&str] = &[
    "repository not found",
    "not found",
    "does not exist",
    "does not appear to be a git repository",
    "could not resolve host",
    "couldn't connect to server",
    "failed to connect",
    "connection refused",
    "connection reset",
    "connection timed out",
    "connection closed",
    "operation timed out",
    "operation too slow",
    "network is unreachable",
    "no route to host",
    "could not read from remote repository",
    "returned error: 404",
    "returned error: 5",
    "the remote end hung up",
    "unable to access",
    "ssl",
    "unable to look up",
];

impl Git {
    /// Uses the `git` of the search path.
    pub fn new() -> Self {
        Self { program: PathBuf::from("git") }
    }

    /// Returns a command that never prompts, ignores hooks and background maintenance, and uses only
    /// protocols that run no program of the URL's choice.
    fn command(&self, folder: Option<&Path>) -> Command {
        let mut command = Command::new(&self.program);
        for setting in [
            "gc.auto=0",
            "maintenance.auto=false",
            "core.hooksPath=/dev/null",
            "credential.interactive=false",
            "protocol.allow=never",
            "protocol.https.allow=always",
            "protocol.http.allow=always",
            "protocol.ssh.allow=always",
            "protocol.git.allow=always",
            "protocol.file.allow=always",
            "http.lowSpeedLimit=1",
            "http.lowSpeedTime=120",
            "fetch.recurseSubmodules=false",
        ] {
            command.args(["-c", setting]);
        }
        if let Some(folder) = folder {
            command.arg("--git-dir").arg(folder);
        }
        for name in
            ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ASKPASS"]
        {
            command.env_remove(name);
        }
        // The texts of failures are compared in English.
        command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0").env("SSH_ASKPASS", "");
        if std::env::var_os("GIT_SSH_COMMAND").is_none() {
            command.env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o ConnectTimeout=30");
        }
        command
    }

    /// Asks the remote for its references.
    ///
    /// # Errors
    /// Returns the failure if the remote does not answer or refuses.
    pub async fn ls_remote(&self, url: &CloneUrl, limits: Limits) -> Result<Remote, Failure> {
        let mut command = self.command(None);
        command.args(["ls-remote", "--quiet", "--symref", "--", url.as_str()]);
        let output = finish("git ls-remote", child::run(command, limits, None).await?)?;
        let mut head = None;
        let mut lines: Vec<&[u8]> = output.split(|&it| it == b'\n').collect();
        lines.retain(|line| !line.is_empty());
        for line in &lines {
            let target = line.strip_prefix(b"ref: ").and_then(|it| it.strip_suffix(b"\tHEAD"));
            head = head.or(target.map(|it| String::from_utf8_lossy(it).into_owned()));
        }
        lines.sort_unstable();
        let mut digest = PartsDigest::default();
        lines.iter().for_each(|line| digest.add(line));
        Ok(Remote { digest: digest.finish(), head })
    }

    /// Clones a bare mirror into the partial folder of a lock, which must not exist.
    ///
    /// # Errors
    /// Returns the failure.
    pub async fn clone_mirror(
        &self,
        url: &CloneUrl,
        lock: &Lock,
        limits: Limits,
    ) -> Result<(), Failure> {
        let mut command = self.command(None);
        command.args(["clone", "--mirror", "--quiet", "--no-hardlinks", "--", url.as_str()]);
        command.arg(lock.partial());
        finish("git clone", child::run(command, limits, Some(lock.file())).await?).map(drop)
    }

    /// Fetches all references into the mirror, removes those that the remote has no more, and points `HEAD`
    /// where the remote's points.
    ///
    /// # Errors
    /// Returns the failure.
    pub async fn fetch(
        &self,
        lock: &Lock,
        url: &CloneUrl,
        remote: &Remote,
        limits: Limits,
    ) -> Result<(), Failure> {
        let mut command = self.command(Some(lock.mirror()));
        command.args(["fetch", "--prune", "--quiet", "--force", "--no-write-fetch-head", "--"]);
        command.args([url.as_str(), "+refs/*:refs/*"]);
        finish("git fetch", child::run(command, limits, Some(lock.file())).await?)?;
        if let Some(head) = &remote.head {
            let mut command = self.command(Some(lock.mirror()));
            command.args(["symbolic-ref", "HEAD", head]);
            finish("git symbolic-ref", child::run(command, limits, Some(lock.file())).await?)?;
        }
        Ok(())
    }

    /// Returns `true` if git can read the objects of all references of the mirror.
    pub async fn is_intact(&self, lock: &Lock, limits: Limits) -> bool {
        let mut command = self.command(Some(lock.mirror()));
        command.args(["rev-list", "--all", "--max-count=1", "--objects", "--quiet"]);
        let ended = child::run(command, limits, Some(lock.file())).await;
        matches!(ended, Ok(Ended::Exited { status, .. }) if status.success())
    }
}

impl Default for Git {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns the output of a command that succeeded.
fn finish(step: &str, ended: Ended) -> Result<Vec<u8>, Failure> {
    match ended {
        Ended::TimedOut => Err(Failure::timed_out(step)),
        Ended::Exited { status, output, .. } if status.success() => Ok(output),
        Ended::Exited { status, errors, .. } => {
            let errors = errors.trim();
            let errors = if errors.is_empty() { status.to_string() } else { errors.to_owned() };
            Err(Failure::new(classify(&errors), format!("{step}: {}", shorten(&errors))))
        }
    }
}

/// Returns the status for the error output of git.
fn classify(errors: &str) -> Status {
    let errors = errors.to_ascii_lowercase();
    if DENIED.iter().any(|it| errors.contains(it)) {
        Status::Denied
    } else if UNREACHABLE.iter().any(|it| errors.contains(it)) {
        Status::Unreachable
    } else {
        Status::Failed
    }
}

/// Joins lines, and keeps at most 500 characters: the end of an error output has the cause.
fn shorten(text: &str) -> String {
    let joined: Vec<&str> = text.lines().map(str::trim).filter(|it| !it.is_empty()).collect();
    let joined = joined.join(" ");
    let len = joined.chars().count();
    if len <= 500 { joined } else { joined.chars().skip(len - 500).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_of_git_are_classified() {
        for (errors, status) in [
            ("fatal: Authentication failed for 'https://h/r/'", Status::Denied),
            (
                "fatal: could not read Username for 'https://h': terminal prompts disabled",
                Status::Denied,
            ),
            (
                "git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.",
                Status::Denied,
            ),
            (
                "remote: Repository not found.\nfatal: repository 'https://h/r/' not found",
                Status::Unreachable,
            ),
            (
                "fatal: unable to access 'https://h/': Could not resolve host: h",
                Status::Unreachable,
            ),
            ("fatal: '/srv/gone' does not appear to be a git repository", Status::Unreachable),
            ("error: inflate: data stream error\nfatal: index-pack failed", Status::Failed),
        ] {
            assert_eq!(classify(errors), status, "{errors}");
        }
    }

    #[test]
    fn long_error_outputs_keep_their_end() {
        let text = shorten(&format!("{}\nfatal: the cause", "progress\n".repeat(200)));
        assert!(text.ends_with("fatal: the cause") && text.chars().count() == 500);
    }
}
