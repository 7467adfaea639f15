//! The policy of a scan: rules, exclusions, fail level, baseline and allowlist.
//!
//! Input: flags and the configuration; flags take precedence. The configuration is searched from the
//! scanned folder upwards. For a change it is read from the base of the change: a change is judged by its
//! base's policy, never by its own. Does not scan.

mod finding_parts;
mod folder_policies;
mod folders;
mod loader;
mod source;

pub(super) use folders::{note_ignored, repository_top, shown};
pub(super) use source::{BaselineMode, PolicySource};

use super::args::SharedArgs;
use crate::config::{
    Acknowledgments, BASELINE_NAME, Config, Exclude, FailLevel, Located, NAME, UnusedAcknowledgment,
};
use crate::redact::Masker;
use crate::rules::{self, RuleSet};
use crate::source::Diagnostic;
use anyhow::Context;
use ddpatrol_scan::finding::Finding;
use ddpatrol_scan::finding::InlineAllow;
use ddpatrol_scan::finding::coverage::Coverage;
use ddpatrol_scan::finding::roots::Roots;
use ddpatrol_scan::finding::suppression::UnusedSuppression;
use ddpatrol_scan::finding::suppressor::Suppressor;
use folder_policies::FolderPolicies;
use folders::find;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use loader::{PolicyFile, PolicyLoader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The policy of a scan.
#[derive(Debug)]
pub(super) struct Policy {
    /// The rules for the redactor: all but those of groups that are not used.
    pub(super) known: Arc<RuleSet>,
    /// The rules for the detector: those that the options name, or all but those that the configuration leaves
    /// out; the same [`Arc`] as `known` if these are the same rules.
    pub(super) rules: Arc<RuleSet>,
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
    /// The policies of the scanned folders, for their own content.
    folders: Option<Arc<FolderPolicies>>,
}

/// Lists the groups of rules that the options and the configuration select.
fn used_groups(
    rules: &RuleSet,
    shared: &SharedArgs,
    config: &Config,
) -> anyhow::Result<Vec<String>> {
    let mut groups = shared.rules.groups.clone();
    groups.iter().try_for_each(|group| rules.require_group(group))?;
    for Located { value: name, position } in &config.groups {
        rules.require_group(name).with_context(|| position.to_string())?;
        groups.push(name.clone());
    }
    Ok(groups)
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
        let here =
            std::env::current_dir().context("cannot read the current folder; was it removed?")?;
        for added in &shared.rules.added {
            loader.add_rules(&mut rules, &PolicyFile::by_user(here.join(added)))?;
        }
        for Located { value: name, position } in &config.rules {
            loader
                .add_rules(&mut rules, &PolicyFile::by_configuration(&folder, name))
                .with_context(|| position.to_string())?;
        }
        let groups = used_groups(&rules, shared, &config)?;
        for Located { value: id, position } in &config.leave_out {
            rules.require(id).with_context(|| position.to_string())?;
        }
        let only = &shared.rules.only;
        if only.is_empty() {
            rules.keep_groups(&groups);
        }
        let all = Arc::new(rules);
        let mut rules = Arc::clone(&all);
        let left_out = config.leave_out.iter().map(|it| it.value.as_str());
        for id in left_out.filter(|id| all.get(id).is_some()) {
            Arc::make_mut(&mut rules).remove(id)?;
        }
        if !only.is_empty() {
            rules = Arc::new(rules.restricted_to(only)?);
        }
        let exclude = Exclude::new(folder.clone(), &config.exclude)?;
        let acknowledgments = Acknowledgments::new(&folder, config.acknowledged)?;
        let flag = shared.baseline.as_ref().map(|it| PolicyFile::by_user(here.join(it)).baseline());
        let setting = config.baseline.as_ref().filter(|_| flag.is_none());
        let configured =
            setting.map(|it| PolicyFile::by_configuration(&folder, &it.value).baseline());
        let baseline = flag.or(configured);
        let default = loader.default_baseline();
        let known = match (&baseline, baseline_mode) {
            (_, BaselineMode::Ignore) => None,
            (Some(file), BaselineMode::Apply) => match setting {
                Some(it) => loader.baseline(file).with_context(|| it.position.to_string())?,
                None => loader.baseline(file)?,
            },
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
        loader.notes.extend(shared.responding.ineffective());
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
            folders: None,
        })
    }

    /// Reads the policies of the folders at `paths`, for their own content, unless the user names a
    /// configuration or requests none. Repositories below these folders follow when the scan reaches them.
    pub(super) fn read_folders(
        &mut self,
        shared: &SharedArgs,
        start: &Path,
        paths: &[PathBuf],
        baseline_mode: BaselineMode,
    ) {
        let mut paths = paths.iter().filter(|path| path.as_os_str() != "-").peekable();
        if shared.no_config || shared.config.is_some() || paths.peek().is_none() {
            return;
        }
        let baseline_mode =
            if shared.baseline.is_some() { BaselineMode::Ignore } else { baseline_mode };
        let configuration = find(start).map(|folder| folder.join(NAME));
        let applied = configuration.into_iter().chain(self.baseline.clone());
        let applied = applied.chain([self.default_baseline.clone()]).collect();
        let folders = Arc::new(FolderPolicies::new(applied, &self.decisions, baseline_mode));
        paths.for_each(|path| folders.add_named(path));
        self.exclude = std::mem::take(&mut self.exclude).with_folders(Arc::clone(&folders) as _);
        self.folders = Some(folders);
    }

    /// Returns the notes about the policies of folders that the scan has reached.
    pub(super) fn folder_notes(&self) -> Vec<String> {
        self.folders.as_ref().map(|it| it.notes()).unwrap_or_default()
    }

    /// Marks suppressed findings; returns unused entries.
    pub(super) fn suppress(
        &self,
        findings: &mut [Finding],
        masker: &mut Masker<'_>,
    ) -> Vec<UnusedSuppression> {
        let mut unused = self.decisions.apply(findings, masker);
        if let Some(folders) = &self.folders {
            unused.extend(folders.suppress(findings, masker));
        }
        unused
    }

    /// Marks acknowledged issues; returns unused entries.
    pub(super) fn acknowledge(&self, diagnostics: &mut [Diagnostic]) -> Vec<UnusedAcknowledgment> {
        let Suppressor { roots, today, coverage, .. } = &self.decisions;
        let mut all: Vec<&mut Diagnostic> = diagnostics.iter_mut().collect();
        let mut unused = self.acknowledgments.apply(&mut all, roots, *today);
        unused.retain(|it| it.has_expired || *coverage == Coverage::All);
        if let Some(folders) = &self.folders {
            unused.extend(folders.acknowledge(diagnostics));
        }
        unused
    }
}

/// Returns the current date in UTC.
fn today() -> Date {
    TimeZone::UTC.to_datetime(Timestamp::now()).date()
}

/// Returns the baseline that scans of the current folder use: the one that the configuration names, or the
/// default one.
pub(super) fn current_baseline() -> anyhow::Result<PathBuf> {
    let here =
        std::env::current_dir().context("cannot read the current folder; was it removed?")?;
    let default = repository_top(&here).join(BASELINE_NAME);
    let Some(folder) = find(&here) else { return Ok(default) };
    let file = PolicyFile::by_configuration(folder, Path::new(NAME)).configuration();
    let source = PolicySource::Folder(folder.to_owned());
    let loader = PolicyLoader { source: &source, notes: Vec::new() };
    let Some((text, place)) = loader.text(&file)? else { return Ok(default) };
    let config = Config::parse(Path::new(&place), &text)?;
    Ok(config.baseline.map_or(default, |baseline| folder.join(baseline.value)))
}

#[cfg(test)]
mod tests;
