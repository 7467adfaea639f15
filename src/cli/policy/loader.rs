//! Reads the files of a policy, from disk or from the base of a change.
//!
//! Input: the paths that flags, the configuration or a default name. Output: their parsed content, and notes
//! about edits by the judged change. Does not decide which file applies.

use super::folders::{baseline_folder, find, shown};
use super::source::PolicySource;
use crate::cli::args::SharedArgs;
use crate::config::{BASELINE_NAME, Config, FailLevel, NAME};
use crate::decode;
use crate::rules::{self, RuleFileError, RuleSet};
use crate::source::git::changes::Snapshot;
use anyhow::{Context, bail};
use ddpatrol_scan::finding::baseline::{Baseline, lexical};
use ddpatrol_scan::regular::{self, Links, MAX_TEXT};
use std::path::{Path, PathBuf};

/// A file that is part of the policy, and whether its path is trusted.
pub(super) struct PolicyFile {
    pub(super) path: PathBuf,
    /// The kind of file, for messages.
    what: &'static str,
    /// The folder of the scanned tree below which the path may not lead through a symbolic link;
    /// `None` for a path that the user names.
    tree: Option<PathBuf>,
}

impl PolicyFile {
    pub(super) fn by_user(path: PathBuf) -> Self {
        Self { path, what: "rules", tree: None }
    }

    pub(super) fn by_configuration(folder: &Path, name: &Path) -> Self {
        Self { path: folder.join(name), what: "rules", tree: Some(folder.to_owned()) }
    }

    pub(super) fn baseline(self) -> Self {
        Self { what: "baseline", ..self }
    }

    pub(super) fn configuration(self) -> Self {
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

/// Reads policy files from their source.
pub(super) struct PolicyLoader<'a> {
    pub(super) source: &'a PolicySource,
    pub(super) notes: Vec<String>,
}

impl PolicyLoader<'_> {
    /// Returns the fail level. Without `--verify` no token is known to be live: the flag `live` is then an
    /// error, and a configured `live` is replaced by the stricter `proven`, so that hooks still work.
    pub(super) fn fail_level(
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
    pub(super) fn config(&mut self, shared: &SharedArgs) -> anyhow::Result<(Config, PathBuf)> {
        if shared.no_config {
            return Ok((Config::default(), self.top().join(NAME)));
        }
        let by_tree =
            |folder: &Path| PolicyFile::by_configuration(folder, Path::new(NAME)).configuration();
        let file = match (&shared.config, self.source) {
            (Some(path), _) => {
                let path = std::path::absolute(path);
                PolicyFile::by_user(
                    path.context("cannot read the current folder; was it removed?")?,
                )
                .configuration()
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
    pub(super) fn text(&self, file: &PolicyFile) -> anyhow::Result<Option<(String, String)>> {
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

    /// Adds the rules of a file, or of the files in a folder. Rules that only the judged change contains take
    /// effect after the merge.
    pub(super) fn add_rules(
        &mut self,
        rules: &mut RuleSet,
        file: &PolicyFile,
    ) -> anyhow::Result<()> {
        let path = &file.path;
        let Some(below) = self.inside(path) else {
            return Ok(rules::add_path(rules, path, file.links()?)?);
        };
        self.warn_of_edits(path)?;
        let PolicySource::Commit { base, head, .. } = self.source else {
            if self.is_added(path)? {
                return Ok(());
            }
            bail!("{}", self.missing(path, "rules"));
        };
        let files: Vec<PathBuf> = match rule_files(base, &below)? {
            Some(files) => files,
            None if self.is_added(path)? => return Ok(()),
            None => vec![below.clone()],
        };
        if files.is_empty() {
            let in_head = head.as_ref().map(|head| rule_files(head, &below)).transpose()?;
            if in_head.flatten().is_some_and(|files| !files.is_empty()) {
                return Ok(());
            }
            return Err(RuleFileError::NoRules(below).into());
        }
        for below in files {
            let file = PolicyFile::by_user(self.top().join(below));
            let Some((text, place)) = self.text(&file)? else {
                bail!("{}", self.missing(&file.path, "rule file"));
            };
            rules.add_text(Path::new(&place), &text)?;
        }
        Ok(())
    }

    /// Reads a baseline that the flags or the configuration name. Returns `None` if the change adds it.
    pub(super) fn baseline(&mut self, file: &PolicyFile) -> anyhow::Result<Option<Baseline>> {
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
    pub(super) fn default_baseline(&self) -> PolicyFile {
        let folder = match self.source {
            PolicySource::Folder(folder) => baseline_folder(folder),
            PolicySource::Commit { .. } | PolicySource::NoBase { .. } => self.top(),
        };
        PolicyFile::by_configuration(&folder, Path::new(BASELINE_NAME)).baseline()
    }

    /// Reads the baseline that is used without a name, if it exists.
    pub(super) fn found_baseline(&mut self, file: &PolicyFile) -> anyhow::Result<Option<Baseline>> {
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

/// Lists the rule files at a path of a commit: the file itself, or those in the folder. Returns `None` if there
/// is nothing at the path.
fn rule_files(commit: &Snapshot, path: &Path) -> anyhow::Result<Option<Vec<PathBuf>>> {
    let Some(names) = commit.list(path)? else {
        return Ok(commit.id(path)?.map(|_| vec![path.to_owned()]));
    };
    let names = names.into_iter().filter_map(|name| String::from_utf8(name).ok());
    Ok(Some(names.filter(|it| it.ends_with(".toml")).map(|name| path.join(name)).collect()))
}
