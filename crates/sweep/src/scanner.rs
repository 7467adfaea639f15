//! Runs the `ddpatrol` program on a mirror, and reads its report.

use crate::child::{self, Ended, Limits};
use crate::digest::PartsDigest;
use crate::mirror::Failure;
use crate::result::{Finding, Issue, ScanSummary, State, Status, Verification};
use anyhow::{Context, bail};
use ddpatrol::rules;
use ddpatrol_scan::regular::Links;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command as StdCommand;
use tokio::process::Command;

/// The scanner: its program and its options.
#[derive(Clone, Debug)]
pub struct Scanner {
    program: PathBuf,
    options: Vec<OsString>,
    /// Digest of the program and the options that decide what is found.
    digest: String,
    version: String,
    threads: usize,
}

/// The options of a scanner.
#[derive(Clone, Debug, Default)]
pub struct ScannerOptions {
    /// The program; by default `ddpatrol` beside this program, or in the search path.
    pub program: Option<PathBuf>,
    /// Number of threads of each scan.
    pub threads: usize,
    /// Files or folders of rules.
    pub rules: Vec<PathBuf>,
    /// Further groups of rules.
    pub groups: Vec<String>,
    /// A configuration file. The configurations of the repositories are not used.
    pub config: Option<PathBuf>,
}

/// The result of a scan.
#[derive(Clone, Debug)]
pub struct Scanned {
    /// Whether everything was read.
    pub is_complete: bool,
    /// Its counts.
    pub summary: ScanSummary,
    /// The proven tokens.
    pub findings: Vec<Finding>,
    /// Content that could not be read.
    pub issues: Vec<Issue>,
    /// The state for the next scan.
    pub state: State,
}

/// A mirror that is scanned.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Its folder.
    pub mirror: &'a Path,
    /// The state of the previous scan.
    pub state: &'a State,
    /// The limits of the scanner.
    pub limits: Limits,
    /// The lock on the mirror.
    pub lock: &'a File,
}

/// The fields of the scanner's report that are used.
#[derive(Deserialize)]
struct Report {
    complete: bool,
    interrupted: bool,
    summary: ScanSummary,
    findings: Vec<ReportedFinding>,
    diagnostics: Vec<Issue>,
}

#[derive(Deserialize)]
struct ReportedFinding {
    evidence: String,
    #[serde(flatten)]
    finding: Finding,
}

impl Scanner {
    /// Finds the program and computes the digest.
    ///
    /// # Errors
    /// Returns an error if the program does not run, rules or configuration cannot be read, or no rule has a group.
    pub fn new(options: ScannerOptions) -> anyhow::Result<Self> {
        let program = options.program.map_or_else(default_program, Ok)?;
        let output = StdCommand::new(&program).arg("--version").output();
        let output = output.with_context(|| format!("cannot run `{}`", program.display()))?;
        let version = String::from_utf8_lossy(&output.stdout);
        let Some(version) = version.trim().strip_prefix("ddpatrol ") else {
            bail!("`{}` is not the ddpatrol program", program.display());
        };
        let mut digest = PartsDigest::default();
        let context = |path: &Path| format!("cannot read `{}`", path.display());
        digest.add_file(&program).with_context(|| context(&program))?;
        // Nobody with write access to a repository can hide a token from the sweep.
        let mut words: Vec<OsString> = vec!["--no-inline-allow".into()];
        match &options.config {
            Some(path) => {
                digest.add(b"config");
                digest.add_file(path).with_context(|| context(path))?;
                words.extend(["--config".into(), std::path::absolute(path)?.into()]);
            }
            None => words.push("--no-config".into()),
        }
        for path in &options.rules {
            digest.add(b"rules");
            for file in files_below(path).with_context(|| context(path))? {
                digest.add_file(&file).with_context(|| context(&file))?;
            }
            words.extend(["--rules".into(), std::path::absolute(path)?.into()]);
        }
        require_groups(&options.groups, &options.rules)?;
        for group in &options.groups {
            digest.add(b"rule-group");
            digest.add(group.as_bytes());
            words.extend(["--rule-group".into(), group.into()]);
        }
        Ok(Self {
            version: version.to_owned(),
            program,
            options: words,
            digest: digest.finish(),
            threads: options.threads.max(1),
        })
    }

    /// Returns the digest of the program, its rules and its configuration.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Returns the version of the program.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Verifies nothing, but fails if `options`, which configure the issuers, are invalid.
    ///
    /// # Errors
    /// Returns the scanner's message about the options.
    pub fn check_issuers(&self, options: &[OsString]) -> anyhow::Result<()> {
        let empty = tempfile::tempdir().context("cannot create a temporary folder")?;
        let mut command = StdCommand::new(&self.program);
        command.args(["scan", "--files-only", "--quiet", "--fail-on", "never", "--verify"]);
        let output = command.args(&self.options).args(options).arg(empty.path()).output();
        let output = output.with_context(|| format!("cannot run `{}`", self.program.display()))?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            bail!("{}", errors.trim().trim_start_matches("ddpatrol: "));
        }
        Ok(())
    }

    /// Scans the history of a mirror. `state` is that of the previous scan.
    ///
    /// # Errors
    /// Returns the failure if the scanner ends without a report.
    pub async fn scan(
        &self,
        mirror: &Path,
        state: &State,
        limits: Limits,
        lock: &File,
    ) -> Result<Scanned, Failure> {
        self.run(Target { mirror, state, limits, lock }, &[]).await
    }

    /// Scans a mirror again, and verifies its tokens but those with a known verdict; `options` configure the
    /// issuers. `state` of the target is that of a scan, so that no object is read twice.
    ///
    /// # Errors
    /// Returns the failure if the scanner ends without a report.
    pub async fn verify(
        &self,
        target: Target<'_>,
        known: &BTreeMap<String, Verification>,
        options: &[OsString],
    ) -> Result<Vec<Finding>, Failure> {
        let mut file = tempfile::NamedTempFile::new().context("cannot create a temporary file")?;
        let known = serde_json::to_vec(known).context("cannot write the known verdicts")?;
        file.write_all(&known).context("cannot write the known verdicts")?;
        let mut words: Vec<OsString> = vec!["--verify".into(), "--known-verdicts".into()];
        words.push(file.path().into());
        words.extend_from_slice(options);
        Ok(self.run(target, &words).await?.findings)
    }

    async fn run(&self, target: Target<'_>, further: &[OsString]) -> Result<Scanned, Failure> {
        let Target { mirror, state, limits, lock } = target;
        let work = tempfile::tempdir().context("cannot create a temporary folder")?;
        let report = work.path().join("report.json");
        let state_file = work.path().join("state");
        if !state.0.is_empty() {
            std::fs::write(&state_file, &state.0).context("cannot write the state")?;
        }
        let mut command = Command::new(&self.program);
        command.args(["scan", "--history-only", "--quiet", "--fail-on", "never"]);
        command.arg("--threads").arg(self.threads.to_string());
        command.arg("--format").arg("json").arg("--output").arg(&report);
        command.arg("--state").arg(&state_file).args(&self.options).args(further);
        command.arg(".").current_dir(mirror);
        let ended = child::run(command, limits, Some(lock)).await?;
        let Ended::Exited { status, errors, .. } = ended else {
            return Err(Failure::timed_out("ddpatrol scan"));
        };
        let Ok(text) = std::fs::read(&report) else {
            let errors = errors.trim();
            let errors = match errors {
                "" if status.code().is_none() => {
                    "no report was written; if it needs more memory, raise --memory"
                }
                "" => "no report was written",
                errors => errors,
            };
            return Err(Failure::new(
                Status::Failed,
                format!("ddpatrol scan ({status}): {errors}"),
            ));
        };
        let report: Report = serde_json::from_slice(&text).context("invalid report of ddpatrol")?;
        if report.interrupted {
            return Err(Failure::new(Status::Failed, "ddpatrol scan was interrupted"));
        }
        let proven = report.findings.into_iter().filter(|it| it.evidence == "proven");
        Ok(Scanned {
            is_complete: report.complete,
            summary: report.summary,
            findings: proven.map(|it| it.finding).collect(),
            issues: in_repository(report.diagnostics, mirror),
            state: State(std::fs::read(&state_file).unwrap_or_default()),
        })
    }
}

/// Removes the place of the mirror from issues, because only the repository is known to readers.
fn in_repository(mut issues: Vec<Issue>, mirror: &Path) -> Vec<Issue> {
    let folders = [Some(mirror.to_owned()), mirror.canonicalize().ok()];
    let prefixes: Vec<String> =
        folders.into_iter().flatten().map(|it| format!("{}/", it.display())).collect();
    for issue in &mut issues {
        for prefix in &prefixes {
            issue.message = issue.message.replace(prefix, "");
        }
        issue.path.take_if(|path| path == ".");
    }
    issues
}

/// Fails unless each group has a rule: the scans would fail one by one.
fn require_groups(groups: &[String], rule_files: &[PathBuf]) -> anyhow::Result<()> {
    if groups.is_empty() {
        return Ok(());
    }
    let mut known = rules::builtin()?;
    for path in rule_files {
        rules::add_path(&mut known, path, Links::Follow)?;
    }
    groups.iter().try_for_each(|group| known.require_group(group))?;
    Ok(())
}

/// Returns `ddpatrol` beside this program, else the one in the search path.
fn default_program() -> anyhow::Result<PathBuf> {
    let file = format!("ddpatrol{}", std::env::consts::EXE_SUFFIX);
    // The path of this program is unknown where /proc is not mounted.
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name(&file));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let others = std::env::split_paths(&path).map(|folder| folder.join(&file)).collect::<Vec<_>>();
    beside.into_iter().chain(others).find(|it| it.is_file()).context(
        "the program `ddpatrol` is neither beside this program nor in the search path: install it, or use --scanner",
    )
}

/// Returns the files below a path, in the order of their names.
fn files_below(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(path)?.map(|it| it.map(|it| it.path())).collect::<Result<_, _>>()?;
    entries.sort();
    let files = entries.iter().map(|it| files_below(it)).collect::<Result<Vec<_>, _>>()?;
    Ok(files.concat())
}
