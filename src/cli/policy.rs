//! The policy of a scan: rules, exclusions, fail level, baseline and allowlist.
//!
//! Input: flags and the configuration; flags take precedence. The configuration is searched from the
//! scanned folder upwards. For a change it is read from the base of the change: a change is judged by its
//! base's policy, never by its own. Does not scan.

mod folders;

pub(super) use folders::repository_top;

use super::args::SharedArgs;
use crate::config::{Acknowledgments, BASELINE_NAME, Config, Exclude, FailLevel, NAME};
use crate::decode;
use crate::rules::{self, RuleFileError, RuleSet};
use crate::source::git::changes::Snapshot;
use anyhow::{Context, bail};
use ddpatrol_scan::finding::InlineAllow;
use ddpatrol_scan::finding::baseline::{Baseline, Coverage, Roots, lexical};
use ddpatrol_scan::finding::suppressor::Suppressor;
use ddpatrol_scan::regular::{self, Links, MAX_TEXT};
use folders::{baseline_folder, find};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::path::{Path, PathBuf};

/// The place from which a command reads its policy.
#[derive(Debug)]
pub(super) enum PolicySource {
    /// A folder, and the folders above it up to the top of its work tree.
    Folder(PathBuf),
    /// The files of a commit, for paths below `top`.
    Commit {
        /// The commit from which the policy is read.
        base: Box<Snapshot>,
        /// The commit that is scanned.
        head: Option<Box<Snapshot>>,
        /// The top of the work tree.
        top: PathBuf,
    },
    /// No commit: the change has no base. Files below `top` are not read.
    NoBase {
        /// The commit that is scanned.
        head: Option<Box<Snapshot>>,
        /// The top of the work tree.
        top: PathBuf,
    },
}

/// The policy of a scan.
#[derive(Debug)]
pub(super) struct Policy {
    /// All rules, for the redactor.
    pub(super) known: RuleSet,
    /// The rules for the detector: all but those that the configuration leaves out.
    pub(super) rules: RuleSet,
    pub(super) exclude: Exclude,
    pub(super) fail_on: FailLevel,
    pub(super) decisions: Suppressor,
    /// Acknowledged issues.
    pub(super) acknowledgments: Acknowledgments,
    pub(super) inline: InlineAllow,
    /// Notes for the user on how the policy was found.
    pub(super) notes: Vec<String>,
    /// The path of the baseline that the flags or the configuration name.
    pub(super) baseline: Option<PathBuf>,
    /// The path of the baseline that is used without a name.
    pub(super) default_baseline: PathBuf,
}

/// Whether a command applies the baseline, or ignores it because it writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BaselineMode {
    Apply,
    Ignore,
}

impl Policy {
    /// Reads the configuration and the files that it names.
    pub(super) fn read(
        shared: &SharedArgs,
        source: &PolicySource,
        roots: Roots,
        baseline_mode: BaselineMode,
    ) -> anyhow::Result<Self> {
        let mut loader = PolicyLoader { source, notes: Vec::new() };
        let (config, path) = loader.config(shared)?;
        let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        let mut rules = rules::builtin().context("the built-in rules are invalid")?;
        let here = std::env::current_dir().context("cannot read the current folder")?;
        for added in &shared.rules.added {
            loader.add_rules(&mut rules, &PolicyFile::by_user(here.join(added)))?;
        }
        for named in &config.rules {
            loader.add_rules(&mut rules, &PolicyFile::by_configuration(&folder, named))?;
        }
        let all = rules.clone();
        for out in &config.leave_out {
            let place = || format!("{}:{}:{}", path.display(), out.line, out.column);
            rules.remove(&out.name).with_context(place)?;
        }
        let exclude = Exclude::new(folder.clone(), &config.exclude)
            .with_context(|| path.display().to_string())?;
        let acknowledgments = Acknowledgments::new(&folder, config.acknowledged)
            .map_err(|error| anyhow::anyhow!("invalid `path` of an acknowledgment: {error}"))
            .with_context(|| path.display().to_string())?;
        let flag = shared.baseline.as_ref().map(|it| PolicyFile::by_user(here.join(it)).baseline());
        let configured = || {
            let name = config.baseline.as_ref()?;
            Some(PolicyFile::by_configuration(&folder, name).baseline())
        };
        let baseline = flag.or_else(configured);
        let default = loader.default_baseline();
        let known = match (&baseline, baseline_mode) {
            (_, BaselineMode::Ignore) => None,
            (Some(file), BaselineMode::Apply) => loader.baseline(file)?,
            (None, BaselineMode::Apply) if shared.no_config => None,
            (None, BaselineMode::Apply) => loader.found_baseline(&default)?,
        };
        let inline = match (shared.no_inline_allow, source) {
            (true, _) => InlineAllow::Ignored,
            (false, PolicySource::Folder(_)) => InlineAllow::Counts,
            (false, PolicySource::Commit { .. } | PolicySource::NoBase { .. }) => {
                InlineAllow::Shown
            }
        };
        Ok(Self {
            known: all,
            rules,
            exclude,
            fail_on: loader.fail_level(shared, config.fail_on)?,
            decisions: Suppressor {
                allowed: config.allowed,
                baseline: known,
                roots,
                coverage: Coverage::default(),
                today: today(),
            },
            acknowledgments,
            inline,
            notes: loader.notes,
            baseline: baseline.map(|file| file.path),
            default_baseline: default.path,
        })
    }
}

/// A file that is part of the policy, and whether its path is trusted.
struct PolicyFile {
    path: PathBuf,
    /// The kind of file, for messages.
    what: &'static str,
    /// The folder of the scanned tree below which the path may not lead through a symbolic link;
    /// `None` for a path that the user names.
    tree: Option<PathBuf>,
}

impl PolicyFile {
    fn by_user(path: PathBuf) -> Self {
        Self { path, what: "rules", tree: None }
    }

    fn by_configuration(folder: &Path, name: &Path) -> Self {
        Self { path: folder.join(name), what: "rules", tree: Some(folder.to_owned()) }
    }

    fn baseline(self) -> Self {
        Self { what: "baseline", ..self }
    }

    fn configuration(self) -> Self {
        Self { what: "configuration", ..self }
    }

    /// Returns how to treat links.
    ///
    /// # Errors
    /// The path leads through a link in the scanned tree.
    fn links(&self) -> anyhow::Result<Links> {
        let Some(tree) = &self.tree else { return Ok(Links::Follow) };
        let below = self.path.strip_prefix(tree).unwrap_or(Path::new(""));
        let mut path = tree.clone();
        for part in below {
            path.push(part);
            if path.is_symlink() {
                bail!("{} is a symbolic link, and {NO_LINKS}", shown(&path));
            }
        }
        Ok(Links::Refuse)
    }
}

/// Advice for a policy file in the scanned tree that is a link.
const NO_LINKS: &str = "links in a scanned tree are not followed: name the file with --config, \
                        --baseline or --rules";

/// Returns the current date in UTC.
fn today() -> Date {
    TimeZone::UTC.to_datetime(Timestamp::now()).date()
}

/// Reads policy files from their source.
struct PolicyLoader<'a> {
    source: &'a PolicySource,
    notes: Vec<String>,
}

impl PolicyLoader<'_> {
    /// Returns the fail level. Without `--verify` no token is known to be live: the flag `live` is then an
    /// error, and a configured `live` is replaced by the stricter `proven`, so that hooks still work.
    fn fail_level(
        &mut self,
        shared: &SharedArgs,
        configured: Option<FailLevel>,
    ) -> anyhow::Result<FailLevel> {
        let is_verified = shared.responding.verify;
        match (shared.fail_on, configured) {
            (Some(FailLevel::Live), _) if !is_verified => {
                bail!("--fail-on live requires --verify")
            }
            (Some(level), _) => Ok(level),
            (None, Some(FailLevel::Live)) if !is_verified => {
                let note =
                    "fail_on = \"live\" applies with --verify only: every proven token fails";
                self.notes.push(note.to_owned());
                Ok(FailLevel::Proven)
            }
            (None, level) => Ok(level.unwrap_or(FailLevel::Proven)),
        }
    }

    /// Finds and reads the configuration; returns it with its path. Without a configuration, returns the
    /// default and the path where a configuration would be.
    fn config(&mut self, shared: &SharedArgs) -> anyhow::Result<(Config, PathBuf)> {
        if shared.no_config {
            return Ok((Config::default(), self.top().join(NAME)));
        }
        let by_tree =
            |folder: &Path| PolicyFile::by_configuration(folder, Path::new(NAME)).configuration();
        let file = match (&shared.config, self.source) {
            (Some(path), _) => {
                let path = std::path::absolute(path);
                PolicyFile::by_user(path.context("cannot read the current folder")?).configuration()
            }
            (None, PolicySource::Folder(folder)) => match find(folder) {
                Some(folder) => by_tree(folder),
                None => return Ok((Config::default(), folder.join(NAME))),
            },
            (None, _) => by_tree(&self.top()),
        };
        let path = file.path.clone();
        self.warn_of_edits(&path)?;
        match self.text(&file)? {
            Some((text, place)) => {
                self.notes.push(format!("using configuration {place}"));
                let config = Config::parse(Path::new(&place), &text)?;
                let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
                for file in &config.rules {
                    self.warn_of_edits(&folder.join(file))?;
                }
                Ok((config, path))
            }
            None if file.tree.is_none() && !self.is_added(&path)? => {
                bail!("{}", self.missing(&path, "configuration"))
            }
            None => Ok((Config::default(), path)),
        }
    }

    fn top(&self) -> PathBuf {
        match self.source {
            PolicySource::Folder(folder) => folder.clone(),
            PolicySource::Commit { top, .. } | PolicySource::NoBase { top, .. } => top.clone(),
        }
    }

    /// Returns a path relative to the files of a commit, if it is below their top.
    fn inside(&self, path: &Path) -> Option<PathBuf> {
        let (PolicySource::Commit { top, .. } | PolicySource::NoBase { top, .. }) = self.source
        else {
            return None;
        };
        let path = lexical(path);
        // A link within the work tree must not lead out of it, because the author of the change could
        // create one. So only links to the top itself are resolved, not links below it.
        let is_top = |folder: &&Path| std::fs::canonicalize(folder).is_ok_and(|it| it == *top);
        if let Some(folder) = path.ancestors().skip(1).find(is_top) {
            return path.strip_prefix(folder).ok().map(Path::to_owned);
        }
        let whole = std::fs::canonicalize(&path).ok()?;
        whole.strip_prefix(top).ok().map(Path::to_owned)
    }

    /// Reads a file from its source; returns its text and its name for messages, or `None` if there is
    /// no such file.
    fn text(&self, file: &PolicyFile) -> anyhow::Result<Option<(String, String)>> {
        let path = &file.path;
        if let Some(below) = self.inside(path) {
            let PolicySource::Commit { base, .. } = self.source else { return Ok(None) };
            let place = format!("{} of {}", below.display(), short(base));
            let unread = || format!("cannot read {} {place}", file.what);
            let bytes = base.read(&below).with_context(unread)?;
            let Some(bytes) = bytes else { return Ok(None) };
            let text = decode::text(bytes).with_context(unread)?;
            return Ok(Some((text, place)));
        }
        let place = shown(path);
        let unread = || format!("cannot read {} {place}", file.what);
        match regular::read(path, file.links()?, MAX_TEXT) {
            Ok(bytes) => {
                let text = decode::text(bytes).with_context(unread)?;
                Ok(Some((text, place)))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(unread),
        }
    }

    fn missing(&self, path: &Path, what: &str) -> String {
        match (self.inside(path), self.source) {
            (Some(below), PolicySource::Commit { base, .. }) => format!(
                "{what} {} is not in the base {}, by whose policy the change is judged; use \
                 --trust-head to read it from the work tree",
                below.display(),
                short(base),
            ),
            (Some(below), _) => format!(
                "cannot read {what} {}: the change has no base to read it from; use --trust-head \
                 to read it from the work tree",
                below.display()
            ),
            (None, _) => format!("{what} {} does not exist", shown(path)),
        }
    }

    /// Adds a note if the change adds or edits a policy file.
    fn warn_of_edits(&mut self, path: &Path) -> anyhow::Result<()> {
        let Some(below) = self.inside(path) else { return Ok(()) };
        if self.is_added(path)? {
            self.notes.push(format!(
                "`{}` is added by this change: it takes effect after the merge",
                below.display()
            ));
            return Ok(());
        }
        let PolicySource::Commit { base, head: Some(head), .. } = self.source else {
            return Ok(());
        };
        if base.id(&below)? != head.id(&below)? {
            self.notes.push(format!(
                "the change edits {}: the edit applies once merged; using the version of {}",
                below.display(),
                short(base),
            ));
        }
        Ok(())
    }

    /// Returns `true` if the scanned commit contains a policy file that its base does not contain.
    fn is_added(&self, path: &Path) -> anyhow::Result<bool> {
        let Some(below) = self.inside(path) else { return Ok(false) };
        let (base, head) = match self.source {
            PolicySource::Commit { base, head: Some(head), .. } => (Some(base), head),
            PolicySource::NoBase { head: Some(head), .. } => (None, head),
            _ => return Ok(false),
        };
        let is_in_base = match base {
            Some(base) => base.id(&below)?.is_some(),
            None => false,
        };
        Ok(!is_in_base && head.id(&below)?.is_some())
    }

    fn add_rules(&self, rules: &mut RuleSet, file: &PolicyFile) -> anyhow::Result<()> {
        let path = &file.path;
        let Some(below) = self.inside(path) else {
            return Ok(rules::add_path(rules, path, file.links()?)?);
        };
        let PolicySource::Commit { base, .. } = self.source else {
            bail!("{}", self.missing(path, "rules"));
        };
        let listed = base.list(&below)?;
        let files: Vec<PathBuf> = match listed {
            Some(names) => {
                let names = names.into_iter().filter_map(|name| String::from_utf8(name).ok());
                names.filter(|it| it.ends_with(".toml")).map(|name| path.join(name)).collect()
            }
            None => vec![path.to_owned()],
        };
        if files.is_empty() {
            return Err(RuleFileError::NoRules(below).into());
        }
        for file in files {
            let file = PolicyFile::by_user(file);
            let Some((text, place)) = self.text(&file)? else {
                bail!("{}", self.missing(&file.path, "rule file"));
            };
            rules.add_text(Path::new(&place), &text)?;
        }
        Ok(())
    }

    /// Reads a baseline that the flags or the configuration name. Returns `None` if the change adds it.
    fn baseline(&mut self, file: &PolicyFile) -> anyhow::Result<Option<Baseline>> {
        self.warn_of_edits(&file.path)?;
        let Some((text, place)) = self.text(file)? else {
            if self.is_added(&file.path)? {
                return Ok(None);
            }
            let missing = self.missing(&file.path, "baseline");
            bail!("{missing}; `ddpatrol baseline create` writes one");
        };
        let baseline = Baseline::parse(&text);
        baseline.map(Some).with_context(|| format!("invalid baseline {place}"))
    }

    /// Returns the baseline that is used without a name.
    fn default_baseline(&self) -> PolicyFile {
        let folder = match self.source {
            PolicySource::Folder(folder) => baseline_folder(folder),
            PolicySource::Commit { .. } | PolicySource::NoBase { .. } => self.top(),
        };
        PolicyFile::by_configuration(&folder, Path::new(BASELINE_NAME)).baseline()
    }

    /// Reads the baseline that is used without a name, if it exists.
    fn found_baseline(&mut self, file: &PolicyFile) -> anyhow::Result<Option<Baseline>> {
        self.warn_of_edits(&file.path)?;
        let Some((text, place)) = self.text(file)? else { return Ok(None) };
        let baseline = Baseline::parse(&text)
            .with_context(|| format!("invalid baseline {place}; --no-config ignores it"))?;
        self.notes.push(format!("using baseline {place}"));
        Ok(Some(baseline))
    }
}

/// Returns the abbreviated id of a commit.
fn short(base: &Snapshot) -> String {
    base.commit().to_string()[..12].to_owned()
}

/// Returns the baseline that scans of the current folder use: the one that the configuration names, or the
/// default one.
pub(super) fn current_baseline() -> anyhow::Result<PathBuf> {
    let here = std::env::current_dir().context("cannot read the current folder")?;
    let default = repository_top(&here).join(BASELINE_NAME);
    let Some(folder) = find(&here) else { return Ok(default) };
    let file = PolicyFile::by_configuration(folder, Path::new(NAME)).configuration();
    let source = PolicySource::Folder(folder.to_owned());
    let loader = PolicyLoader { source: &source, notes: Vec::new() };
    let Some((text, place)) = loader.text(&file)? else { return Ok(default) };
    let config = Config::parse(Path::new(&place), &text)?;
    Ok(config.baseline.map_or(default, |baseline| folder.join(baseline)))
}

/// Formats a path relative to the current folder.
pub(super) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let below = path.strip_prefix(here).unwrap_or(path);
    if below.as_os_str().is_empty() { ".".to_owned() } else { below.display().to_string() }
}

#[cfg(test)]
mod tests;
