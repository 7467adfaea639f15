//! Builds the document of a scan's outcome.
//!
//! Input: the outcome of a scan, and the rules and paths that it refers to. Output: a document with redacted
//! text. This file formats nothing.

use super::links::{self, Linker, TracedLocation};
use super::paths::{self, Base, Within};
use super::{
    AcknowledgmentRecord, ChangeStatusWord, Document, InlineRecord, LocationRecord, Note, Paths,
    Record, RepositoryRecord, RuleRecord, SCHEMA, SkippedCounts, Summary, SuppressedCounts,
    SuppressionRecord, TokenRecord, Tool, UnusedAcknowledgmentRecord, UnusedRecord, uris,
};
use crate::advice;
use crate::places::proven_places;
use crate::steps_context::NextStepsContext;
use crate::trace::{ObjectRecord, TraceRecord};
use ddpatrol_detect::Evidence;
use ddpatrol_detect::redact::{Clean, Masker, Redactor};
use ddpatrol_detect::rules::RuleSet;
use ddpatrol_engine::scan::Outcome;
use ddpatrol_engine::source::repositories::root_of;
use ddpatrol_engine::source::{Diagnostic, ScannedRepo};
use ddpatrol_engine::{IssueTarget, UnusedAcknowledgment};
use ddpatrol_scan::finding::suppression::{Suppression, UnusedSuppression};
use ddpatrol_scan::finding::{ChangeStatus, Finding, Location};
use ddpatrol_scan::place::Place;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Options for building a document.
#[derive(Clone, Copy, Debug)]
pub struct DocumentOptions<'a> {
    /// The rules that the findings refer to.
    pub rules: &'a RuleSet,
    /// Masks secrets in text.
    pub redactor: &'a Redactor,
    /// Whether opaque content makes the result incomplete.
    pub strict: bool,
    /// Whether the tokens themselves are shown.
    pub show_secrets: bool,
    /// The context of the steps.
    pub context: &'a NextStepsContext,
    /// The rules that the document describes.
    pub described: DescribedRules,
}

/// The rules that a document describes. To describe all takes longer than to write a report without findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DescribedRules {
    /// All, for SARIF.
    All,
    /// Those of the findings.
    Found,
}

/// Builds documents and records. Each worker has its own, because it caches masking and paths.
#[derive(Debug)]
pub struct DocumentBuilder<'a> {
    options: DocumentOptions<'a>,
    masker: Masker<'a>,
    paths: Paths,
    linker: Linker,
    /// The repositories whose history was read.
    read: Vec<ReadRepository>,
}

/// A repository whose history was read: its absolute path, and its path in the report.
#[derive(Debug)]
struct ReadRepository {
    whole: PathBuf,
    path: Clean,
}

impl<'a> DocumentBuilder<'a> {
    /// Creates a builder; `paths` relates the paths of the scan to repositories.
    #[must_use]
    pub fn new(options: DocumentOptions<'a>, paths: Paths) -> Self {
        Self {
            options,
            masker: options.redactor.masker(),
            paths,
            linker: Linker::default(),
            read: Vec::new(),
        }
    }

    /// Returns the masker, for decisions about findings.
    pub fn masker(&mut self) -> &mut Masker<'a> {
        &mut self.masker
    }

    /// Describes the rules that the options select.
    fn described(&self, outcome: &Outcome) -> Vec<RuleRecord> {
        let rules = self.options.rules;
        if self.options.described == DescribedRules::All {
            return rules.rules().iter().map(RuleRecord::new).collect();
        }
        let found: BTreeSet<&str> = outcome.findings.iter().map(|it| &*rules[it.rule].id).collect();
        found.into_iter().filter_map(|id| rules.get(id)).map(RuleRecord::new).collect()
    }

    /// Builds the document of an outcome.
    #[must_use]
    pub fn document(&mut self, outcome: &Outcome) -> Document {
        let base = self.paths.base(outcome);
        self.read = outcome.repositories.iter().map(|it| self.scanned(it)).collect();
        let base = Base::new(&base);
        let record = |it| self.record(it, base);
        let findings: Vec<Record> = outcome.findings.iter().map(record).collect();
        let is_unsuppressed = |it: &&Record| it.suppression.is_none();
        let proven =
            || findings.iter().filter(is_unsuppressed).filter(|it| it.evidence == Evidence::Proven);
        let acknowledged = outcome.diagnostics.iter().filter(|it| it.acknowledged.is_some());
        let summary = Summary {
            proven: proven().count(),
            proven_locations: proven().map(Record::count).sum(),
            proven_places: proven_places(&findings),
            verified: None,
            already_there: outcome.counts.already_there,
            suppressed: SuppressedCounts::new(&findings),
            acknowledged: acknowledged.count(),
            shaped_candidates: outcome.counts.shaped,
            files: outcome.counts.files,
            git_files: outcome.counts.git_files,
            objects: outcome.counts.objects,
            bytes: outcome.counts.bytes,
            archives: outcome.counts.archives,
            members: outcome.counts.members,
            unpacked: outcome.counts.unpacked,
            left_out: SkippedCounts::new(&outcome.counts),
        };
        Document {
            schema: SCHEMA.to_owned(),
            tool: Tool::default(),
            complete: outcome.is_complete(self.options.strict.into()),
            interrupted: outcome.interrupted,
            start_time: None,
            end_time: None,
            summary,
            notes: outcome.notes.iter().map(|it| self.masker.clean(it.as_bytes())).collect(),
            repositories: outcome.repositories.iter().map(|it| self.repository(it, base)).collect(),
            findings,
            diagnostics: outcome.diagnostics.iter().map(|it| self.note(it, base)).collect(),
            unused: outcome.unused.iter().map(|it| self.unused(it)).collect(),
            unused_acknowledgments: outcome
                .unused_acknowledgments
                .iter()
                .map(|it| self.unused_acknowledgment(it))
                .collect(),
            rules: self.described(outcome),
        }
    }

    /// Builds the record of one match while the scan is running. The base of URIs is not known yet.
    #[must_use]
    pub fn occurrence(&mut self, found: &Finding) -> Record {
        let places = found.locations.iter().map(|it| self.place(it, None)).collect();
        Record {
            suppression: found.suppression.as_ref().map(|it| self.suppression(it)),
            ..self.identity(found, places)
        }
    }

    fn repository(&mut self, scanned: &ScannedRepo, base: Base<'_>) -> RepositoryRecord {
        let path = self.path(&scanned.root);
        let top = scanned.root.top_of_git_dir();
        let whole = self.paths.whole(&top.path());
        let is_on_disk = top.as_file().is_some();
        RepositoryRecord {
            url: is_on_disk.then(|| self.linker.page(&whole, &mut self.masker)).flatten(),
            head: scanned.head.map(|id| id.to_string()),
            uri: self.uri(&top, base, &path),
            absolute_uri: uris::uri(&self.clean_path(&whole)),
            path,
        }
    }

    fn scanned(&mut self, scanned: &ScannedRepo) -> ReadRepository {
        let whole = self.paths.whole(&scanned.root.top_of_git_dir().path());
        ReadRepository { whole, path: self.path(&scanned.root) }
    }

    /// Returns the repository that contains a path, as the list of repositories names it.
    fn repository_of(&self, place: &Place) -> Option<Clean> {
        let whole = self.paths.whole(&place.path());
        let around = self.read.iter().filter(|it| whole.starts_with(&it.whole));
        around.max_by_key(|it| it.whole.as_os_str().len()).map(|it| it.path.clone())
    }

    fn unused_acknowledgment(
        &mut self,
        unused: &UnusedAcknowledgment,
    ) -> UnusedAcknowledgmentRecord {
        let UnusedAcknowledgment { entry, has_expired } = unused;
        let (path, object) = match &entry.target {
            IssueTarget::Path(path) => (Some(self.masker.clean(path.as_bytes())), None),
            IssueTarget::Object(id) => (None, Some(id.clone())),
        };
        UnusedAcknowledgmentRecord {
            code: entry.code.name().to_owned(),
            path,
            object,
            reason: self.masker.clean(entry.reason.as_bytes()),
            expired: has_expired.then(|| entry.expires.to_string()),
        }
    }

    fn note(&mut self, diagnostic: &Diagnostic, base: Base<'_>) -> Note {
        let place = diagnostic.path.as_ref();
        let object = diagnostic.git.as_deref();
        let trace = object.and_then(|object| object.trace.as_ref());
        // A path in a history need not exist in the work tree.
        let traced = trace.and_then(|trace| self.paths.traced_within(place?, trace));
        let within = traced.or_else(|| self.paths.file_within(place?));
        let repository_path = within.map(|it| self.clean_path(&it.below));
        let path = place.map(|place| self.path(place));
        let default = repository_path.as_ref().or(path.as_ref());
        Note {
            kind: diagnostic.severity(),
            code: Some(diagnostic.code()),
            message: self.masker.clean(diagnostic.message().as_bytes()),
            uri: place.zip(default).and_then(|(place, default)| self.uri(place, base, default)),
            path,
            repository_path,
            repository: trace
                .and_then(|trace| self.repository_of(&trace.repository.top_of_git_dir()))
                .or_else(|| self.repository_of(place?)),
            commit: diagnostic.commit().map(|id| id.to_string()),
            git: trace.map(|trace| TraceRecord::new(trace, &mut self.masker)),
            other_paths: diagnostic.places().skip(1).map(|place| self.path(place)).collect(),
            object: diagnostic.object().map(|object| object.to_string()),
            acknowledged: diagnostic.acknowledged.as_ref().map(|it| AcknowledgmentRecord {
                reason: self.masker.clean(it.reason.as_bytes()),
                expires: Some(it.expires.to_string()),
            }),
        }
    }

    fn record(&mut self, finding: &Finding, base: Base<'_>) -> Record {
        let places = finding.locations.iter().map(|it| self.place(it, Some(base)));
        let mut places: Vec<LocationRecord> = places.collect();
        links::link_work_tree(&mut places);
        let objects = finding.objects.iter().map(ObjectRecord::new).collect();
        let rule = &self.options.rules[finding.rule];
        Record {
            objects,
            steps: advice::steps(
                finding,
                rule,
                &mut self.masker,
                &mut self.paths,
                self.options.context,
            ),
            suppression: finding.suppression.as_ref().map(|it| self.suppression(it)),
            ..self.identity(finding, places)
        }
    }

    fn suppression(&mut self, suppression: &Suppression) -> SuppressionRecord {
        let reason = suppression.reason.as_ref().map(|it| self.masker.clean(it.as_bytes()));
        let expires = suppression.expires.map(|day| day.to_string());
        SuppressionRecord { by: suppression.by, reason, expires }
    }

    fn unused(&mut self, unused: &UnusedSuppression) -> UnusedRecord {
        UnusedRecord {
            by: unused.by,
            fingerprint: unused.fingerprint.to_string(),
            what: self.masker.clean(unused.what.as_bytes()),
            expired: unused.expired.map(|day| day.to_string()),
            candidates: unused.candidates.iter().map(ToString::to_string).collect(),
        }
    }

    /// Builds the record of a finding from its rule, token and locations.
    fn identity(&self, finding: &Finding, locations: Vec<LocationRecord>) -> Record {
        let Finding { evidence, fingerprint, token, secret, .. } = finding;
        let rule = &self.options.rules[finding.rule];
        let shown = || String::from_utf8_lossy(secret.expose()).into_owned();
        Record {
            rule: rule.id.clone(),
            name: rule.name.clone(),
            issuer: rule.issuer.clone(),
            evidence: *evidence,
            fingerprint: fingerprint.to_string(),
            token: TokenRecord {
                redacted: token.redacted.clone(),
                alias: token.alias.clone(),
                uuid: token.uuid.map(|uuid| uuid.to_string()),
            },
            advice: rule.advice_for(token.uuid),
            steps: Vec::new(),
            suppression: None,
            secret: self.options.show_secrets.then(shown),
            verification: None,
            revocation: None,
            locations,
            objects: Vec::new(),
        }
    }

    fn place(&mut self, location: &Location, base: Option<Base<'_>>) -> LocationRecord {
        let path = location.path.as_ref().map(|place| self.path(place));
        let within = self.paths.within(location);
        let repository_path = within.as_ref().map(|it| self.clean_path(&it.below));
        let uri = location.path.as_ref().zip(base).and_then(|(reached, base)| {
            let default = repository_path.as_ref().or(path.as_ref())?;
            match &within {
                Some(within) if default.is_utf8() && within.is_at(base) => None,
                Some(within) => self.uri(&within.top.join(&within.below).into(), base, default),
                None => self.uri(reached, base, default),
            }
        });
        let mut git =
            location.trace.as_deref().map(|trace| TraceRecord::new(trace, &mut self.masker));
        let url = git.as_mut().and_then(|git| self.link(location, within.as_ref(), git));
        let archive = paths::archive(location);
        let members = archive.map_or_else(Vec::new, |_| self.members(location));
        let archive = archive.map(|archive| self.path(archive));
        let owners = within.as_ref().map(|it| self.linker.owners(it, &mut self.masker));
        LocationRecord {
            path_hex: path
                .as_ref()
                .filter(|path| !path.is_utf8())
                .map(|it| hex::encode(it.as_bytes())),
            path,
            part: location.part,
            line: location.start.line,
            column: location.start.column,
            end_line: location.end.line,
            end_column: location.end.column,
            offset: location.offset,
            length: location.len,
            object_line: location
                .message
                .map(|it| it.object_line(location.start.line, location.offset)),
            message: location.message,
            snippet: location.snippet.clone(),
            encoding: (!location.encoding.is_plain()).then(|| location.encoding.to_string()),
            repository_path,
            uri,
            archive,
            members,
            owners: owners.unwrap_or_default(),
            url,
            change_status: location.change_status.as_ref().map(ChangeStatusWord::new),
            moved_from: match &location.change_status {
                Some(ChangeStatus::Moved(path)) => Some(uris::clean(path, &mut self.masker)),
                _ => None,
            },
            inline: location
                .inline
                .as_ref()
                .map(|it| InlineRecord { counts: it.counts, reason: it.reason.clone() }),
            new_place: location.is_new_place,
            layer: location.layer.as_ref().map(|it| self.masker.clean(it.as_bytes())),
            git,
            further: location.further.clone(),
        }
    }

    /// Adds links to the commits of a location in the history; returns the link to the location.
    fn link(
        &mut self,
        location: &Location,
        within: Option<&Within>,
        git: &mut TraceRecord,
    ) -> Option<String> {
        let trace = location.trace.as_deref()?;
        // The commits of a repository in an archive are not on the forge of the repository around it.
        let git_dir = trace.repository.as_file()?;
        let top = self.paths.whole(root_of(git_dir));
        let traced = TracedLocation { location, trace, top: &top, within };
        self.linker.link(&traced, git, &mut self.masker)
    }

    fn path(&mut self, place: &Place) -> Clean {
        uris::clean(&place.path(), &mut self.masker)
    }

    /// Returns the names of the members that lead to a location, if there are several.
    fn members(&mut self, location: &Location) -> Vec<Clean> {
        let names = location.path.as_ref().map(Place::members).unwrap_or_default();
        if names.len() < 2 {
            return Vec::new();
        }
        names.into_iter().map(|name| self.clean_path(name)).collect()
    }

    /// Masks secrets in a path with `/` between its components.
    fn clean_path(&mut self, path: &Path) -> Clean {
        self.masker.clean(&uris::bytes(path))
    }

    /// Returns the URI reference of a place, or `None` if it follows from `default`.
    fn uri(&mut self, place: &Place, base: Base<'_>, default: &Clean) -> Option<String> {
        let below = self.paths.below(place, base);
        let below = below.unwrap_or_else(|| self.paths.whole(&place.path()));
        let uri = uris::uri(&self.clean_path(&below));
        (uri != uris::uri(default) || !default.is_utf8()).then_some(uri)
    }
}

impl ChangeStatusWord {
    fn new(change_status: &ChangeStatus) -> Self {
        match change_status {
            ChangeStatus::New => Self::New,
            ChangeStatus::Moved(_) => Self::Moved,
            ChangeStatus::Preexisting => Self::Preexisting,
            ChangeStatus::AlsoUnpushed => Self::AlsoUnpushed,
        }
    }
}

#[cfg(test)]
mod tests;
