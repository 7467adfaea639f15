//! From a scan's outcome to the document that may be told.

use super::{
    Document, InlineRecord, LeftOut, Note, Place, Record, RepositoryRecord, RuleRecord, SCHEMA,
    StandingWord, Summary, SuppressedCounts, SuppressionRecord, TokenRecord, Tool, UnusedRecord,
};
use crate::detect::Evidence;
use crate::finding::suppression::{By, Suppression, Unused};
use crate::finding::{Finding, Fingerprint, Location, Standing, TokenId, plain};
use crate::report::advice::{self, Ground};
use crate::report::escape;
use crate::report::redact::{Clean, Redactor};
use crate::report::trace::ObjectRecord;
use crate::rules::RuleSet;
use crate::scan::{Counts, Outcome};
use crate::source::{Diagnostic, Scanned};
use ddpatrol_token::Secret;
use std::path::Path;

/// How to tell an outcome.
#[derive(Clone, Copy, Debug)]
pub struct DocumentOptions<'a> {
    /// The rules that the findings refer to.
    pub rules: &'a RuleSet,
    /// The gate.
    pub redactor: &'a Redactor,
    /// Whether what is opaque makes the result incomplete.
    pub strict: bool,
    /// Whether the tokens themselves are told.
    pub show_secrets: bool,
    /// The folder that paths in URIs are relative to.
    pub root: Option<&'a Path>,
    /// The top of the work tree, if what is staged there is scanned.
    pub top: Option<&'a Path>,
}

impl DocumentOptions<'_> {
    /// Tells an outcome.
    #[must_use]
    pub fn document(&self, outcome: &Outcome) -> Document {
        let findings: Vec<Record> = outcome.findings.iter().map(|it| self.record(it)).collect();
        let counts = |it: &&Record| it.suppression.is_none();
        let proven = || findings.iter().filter(counts).filter(|it| it.evidence == Evidence::Proven);
        let summary = Summary {
            proven: proven().count(),
            proven_locations: proven().map(Record::count).sum(),
            already_there: outcome.counts.already_there,
            suppressed: SuppressedCounts::new(&findings),
            shaped_candidates: outcome.counts.shaped,
            files: outcome.counts.files,
            git_files: outcome.counts.git_files,
            objects: outcome.counts.objects,
            bytes: outcome.counts.bytes,
            archives: outcome.counts.archives,
            members: outcome.counts.members,
            unpacked: outcome.counts.unpacked,
            left_out: LeftOut::new(&outcome.counts),
        };
        Document {
            schema: SCHEMA.to_owned(),
            tool: Tool::default(),
            complete: outcome.is_complete(self.strict),
            interrupted: outcome.interrupted,
            summary,
            notes: outcome.notes.iter().map(|it| self.redactor.clean(it.as_bytes())).collect(),
            repositories: outcome.repositories.iter().map(|it| self.repository(it)).collect(),
            findings,
            diagnostics: outcome.diagnostics.iter().map(|it| self.note(it)).collect(),
            unused: outcome.unused.iter().map(|it| self.unused(it)).collect(),
            rules: self.rules.rules().iter().map(RuleRecord::new).collect(),
        }
    }

    /// Tells one match while the scan still runs.
    #[must_use]
    pub fn occurrence(&self, found: &Finding) -> Record {
        let places = found.locations.iter().map(|it| self.place(it)).collect();
        let kind = (found.rule, found.evidence, found.fingerprint);
        Record {
            suppression: found.suppression.as_ref().map(|it| self.suppression(it)),
            ..self.spell(kind, &found.token, &found.secret, places)
        }
    }

    fn repository(&self, scanned: &Scanned) -> RepositoryRecord {
        RepositoryRecord {
            path: self.path(&scanned.root),
            head: scanned.head.map(|id| id.to_string()),
            uri: self.uri(&scanned.root),
            absolute_uri: self.absolute_uri(&scanned.root),
        }
    }

    /// Tells what was not looked at.
    #[must_use]
    pub fn note(&self, diagnostic: &Diagnostic) -> Note {
        let path = diagnostic.path.as_deref();
        Note {
            kind: diagnostic.kind,
            path: path.map(|path| self.path(path)),
            message: self.redactor.clean(diagnostic.message.as_bytes()),
            uri: path.map(|path| self.uri(path)),
        }
    }

    fn record(&self, finding: &Finding) -> Record {
        let places = finding.locations.iter().map(|it| self.place(it)).collect();
        let kind = (finding.rule, finding.evidence, finding.fingerprint);
        let objects = finding.objects.iter().map(ObjectRecord::new).collect();
        let rule = &self.rules.rules()[finding.rule];
        Record {
            objects,
            steps: advice::steps(finding, rule, self.redactor, self.ground()),
            suppression: finding.suppression.as_ref().map(|it| self.suppression(it)),
            ..self.spell(kind, &finding.token, &finding.secret, places)
        }
    }

    fn ground(&self) -> Ground<'_> {
        Ground { here: self.root, top: self.top }
    }

    fn suppression(&self, suppression: &Suppression) -> SuppressionRecord {
        let reason = suppression.reason.as_ref().map(|it| self.redactor.clean(it.as_bytes()));
        let expires = suppression.expires.map(|day| day.to_string());
        SuppressionRecord { by: suppression.by, reason, expires }
    }

    fn unused(&self, unused: &Unused) -> UnusedRecord {
        UnusedRecord {
            by: unused.by,
            fingerprint: unused.fingerprint.to_string(),
            what: self.redactor.clean(unused.what.as_bytes()),
            expired: unused.expired.map(|day| day.to_string()),
        }
    }

    fn spell(
        &self,
        (rule, evidence, fingerprint): (usize, Evidence, Fingerprint),
        token: &TokenId,
        secret: &Secret,
        locations: Vec<Place>,
    ) -> Record {
        let rule = &self.rules.rules()[rule];
        let shown = || String::from_utf8_lossy(secret.expose()).into_owned();
        Record {
            rule: rule.id.clone(),
            name: rule.name.clone(),
            issuer: rule.issuer.clone(),
            evidence,
            fingerprint: fingerprint.to_string(),
            token: TokenRecord {
                redacted: token.redacted.clone(),
                alias: token.alias.clone(),
                uuid: token.uuid.map(|uuid| uuid.to_string()),
            },
            advice: rule.advice_for(token.uuid),
            steps: Vec::new(),
            suppression: None,
            secret: self.show_secrets.then(shown),
            verification: None,
            revocation: None,
            locations,
            objects: Vec::new(),
        }
    }

    fn place(&self, location: &Location) -> Place {
        let path = location.path.as_deref().map(|path| self.path(path));
        let hex = |path: &Clean| path.as_bytes().iter().map(|b| format!("{b:02x}")).collect();
        Place {
            path_hex: path.as_ref().filter(|path| !path.is_utf8()).map(hex),
            path,
            part: location.part,
            line: location.start.line,
            column: location.start.column,
            end_line: location.end.line,
            end_column: location.end.column,
            offset: location.offset,
            length: location.len,
            snippet: location.snippet.clone(),
            encoding: (!location.encoding.is_plain()).then(|| location.encoding.to_string()),
            uri: match (location.path.as_deref(), location.trace.as_deref()) {
                (Some(path), _) => self.uri(path),
                (None, Some(trace)) => format!("git/{}/{}", trace.kind.name(), trace.object),
                (None, None) => "stdin".to_owned(),
            },
            standing: location.standing.as_ref().map(StandingWord::new),
            moved_from: match &location.standing {
                Some(Standing::Moved(path)) => Some(self.path(path)),
                _ => None,
            },
            inline: location
                .inline
                .as_ref()
                .map(|it| InlineRecord { counts: it.counts, reason: it.reason.clone() }),
            new_place: location.is_new_place,
            layer: location.layer.as_ref().map(|it| self.redactor.clean(it.as_bytes())),
            git: location.trace.as_deref().map(|trace| self.trace(trace)),
            further: location.further.clone(),
        }
    }

    pub(in crate::report) fn path(&self, path: &Path) -> Clean {
        let path = plain(path);
        let bytes = path.as_os_str().as_encoded_bytes();
        self.redactor.clean(if bytes.is_empty() { b"." } else { bytes })
    }

    fn absolute_uri(&self, path: &Path) -> String {
        let path = self.root.map_or_else(|| path.to_owned(), |root| root.join(plain(path)));
        absolute_uri(self.redactor.clean(path.as_os_str().as_encoded_bytes()).as_bytes())
    }

    fn uri(&self, path: &Path) -> String {
        let below = self.root.and_then(|root| path.strip_prefix(root).ok()).unwrap_or(path);
        let below = plain(below);
        let parts: Vec<&[u8]> = below.iter().map(|part| part.as_encoded_bytes()).collect();
        relative_uri(self.redactor.clean(&parts.join(&b'/')).as_bytes())
    }
}

/// Spells the URI of a path that counts from the root of the file system.
fn absolute_uri(path: &[u8]) -> String {
    let encoded = escape::uri_path(path);
    let encoded = encoded.strip_suffix('/').unwrap_or(&encoded);
    format!("file:///{}", encoded.trim_start_matches('/'))
}

/// Spells the URI of a path whose parts were joined by `/`.
fn relative_uri(path: &[u8]) -> String {
    let encoded = escape::uri_path(path);
    match encoded.strip_prefix("//") {
        Some(absolute) => format!("file:///{absolute}"),
        None if encoded.is_empty() => ".".to_owned(),
        None => encoded,
    }
}

/// Fills in the URIs of a document that was read from a saved report.
pub(super) fn locate(document: &mut Document, root: Option<&Path>) {
    let uri = |path: &Clean, hex: Option<&String>| {
        let bytes = hex.and_then(|hex| unhex(hex)).unwrap_or_else(|| path.as_bytes().to_vec());
        let text = String::from_utf8_lossy(&bytes);
        let path = Path::new(&*text);
        match root.and_then(|root| path.strip_prefix(root).ok()) {
            Some(below) => relative_uri(below.as_os_str().as_encoded_bytes()),
            None if path.is_absolute() => absolute_uri(&bytes),
            None if bytes == b"." => ".".to_owned(),
            None => relative_uri(&bytes),
        }
    };
    for place in document.findings.iter_mut().flat_map(|it| &mut it.locations) {
        place.uri = match (&place.path, &place.git) {
            (Some(path), _) => uri(path, place.path_hex.as_ref()),
            (None, Some(git)) => format!("git/{}/{}", git.kind, git.object),
            (None, None) => "stdin".to_owned(),
        };
    }
    for note in &mut document.diagnostics {
        note.uri = note.path.as_ref().map(|path| uri(path, None));
    }
    for repository in &mut document.repositories {
        repository.uri = uri(&repository.path, None);
        let text = repository.path.text().into_owned();
        let whole =
            root.map_or_else(|| plain(Path::new(&text)), |root| root.join(plain(Path::new(&text))));
        repository.absolute_uri = absolute_uri(whole.as_os_str().as_encoded_bytes());
    }
}

/// Reads hexadecimal digits.
fn unhex(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = hex.chars().map(|c| c.to_digit(16)).collect();
    let digits = digits?;
    let pairs = digits.chunks_exact(2);
    pairs.remainder().is_empty().then(|| pairs.map(|it| (it[0] << 4 | it[1]) as u8).collect())
}

impl StandingWord {
    fn new(standing: &Standing) -> Self {
        match standing {
            Standing::New => Self::New,
            Standing::Moved(_) => Self::Moved,
            Standing::AlreadyThere => Self::AlreadyThere,
        }
    }
}

impl SuppressedCounts {
    fn new(findings: &[Record]) -> Self {
        let by = |wanted: By| {
            let all = findings.iter().filter_map(|it| it.suppression.as_ref());
            all.filter(move |it| it.by == wanted)
        };
        Self {
            inline: by(By::Inline).count(),
            allowed: by(By::Allow).count(),
            baseline: by(By::Baseline).count(),
            new_places: findings
                .iter()
                .flat_map(|it| &it.locations)
                .filter(|it| it.new_place)
                .map(Place::count)
                .sum(),
        }
    }
}

impl LeftOut {
    fn new(counts: &Counts) -> Self {
        Self {
            ignored_files: counts.ignored,
            excluded: counts.excluded,
            too_large: counts.too_large,
            symlinks: counts.symlinks,
            special: counts.special,
            git_folders: counts.git_folders,
        }
    }
}
