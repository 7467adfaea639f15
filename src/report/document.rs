//! The outcome of a scan as it may be told: what every format spells.

use super::redact::{Clean, Redactor};
use super::response::{RevocationRecord, VerificationRecord};
use super::trace::{GitPlace, ObjectRecord};
use crate::detect::Evidence;
use crate::finding::{Finding, Fingerprint, Location, Occurrence, Standing, TokenId, plain};
use crate::rules::{Rule, RuleSet};
use crate::scan::{Counts, Outcome};
use crate::source::{Diagnostic, Gap, Scanned};
use ddpatrol_token::Secret;
use serde::Serialize;
use std::path::Path;

/// The name and version of the JSON form; the number changes when a field changes its meaning.
pub const SCHEMA: &str = "ddpatrol-report/1";

/// A whole report.
#[derive(Clone, Debug, Serialize)]
pub struct Document {
    /// The form of this document: [`SCHEMA`].
    pub schema: &'static str,
    /// What made it.
    pub tool: Tool,
    /// Whether everything that was to be looked at was.
    pub complete: bool,
    /// Whether the scan was interrupted before its end.
    pub interrupted: bool,
    /// The counts.
    pub summary: Summary,
    /// What the user should know of how the scan was understood.
    pub notes: Vec<Clean>,
    /// The repositories whose history was read.
    pub repositories: Vec<RepositoryRecord>,
    /// The findings: proven before shaped, then by place.
    pub findings: Vec<Record>,
    /// What was not looked at.
    pub diagnostics: Vec<Note>,
    /// What the rules are, for formats that describe them.
    #[serde(skip)]
    pub rules: Vec<RuleRecord>,
}

/// What made a report.
#[derive(Clone, Debug, Serialize)]
pub struct Tool {
    /// `ddpatrol`.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

impl Default for Tool {
    fn default() -> Self {
        Self { name: "ddpatrol", version: env!("CARGO_PKG_VERSION") }
    }
}

/// A repository whose history was read.
#[derive(Clone, Debug, Serialize)]
pub struct RepositoryRecord {
    /// The folder that it was reached by.
    pub path: Clean,
    /// The commit that is checked out.
    pub head: Option<String>,
    /// The path as a URI reference.
    #[serde(skip)]
    pub uri: String,
    /// The path as a URI.
    #[serde(skip)]
    pub absolute_uri: String,
}

/// The counts of a report.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Summary {
    /// Tokens that are proven.
    pub proven: usize,
    /// Places where proven tokens stand.
    pub proven_locations: usize,
    /// Tokens in a change that its base has at the same path; they are not among the findings.
    pub already_there: u64,
    /// Places where something has the shape of a token and fails its checksum, or has none.
    pub shaped_candidates: u64,
    /// Files read, standard input included.
    pub files: u64,
    /// Objects of git repositories read.
    pub objects: u64,
    /// Bytes read.
    pub bytes: u64,
    /// What was left out.
    pub left_out: LeftOut,
}

/// What was left out on purpose.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LeftOut {
    /// Files that `.gitignore` and its kin exclude.
    pub ignored_files: u64,
    /// Files and folders that `--exclude` names.
    pub excluded: u64,
    /// Files above `--max-file-size`.
    pub too_large: u64,
    /// Symbolic links.
    pub symlinks: u64,
    /// Devices, sockets and pipes.
    pub special: u64,
    /// `.git` folders.
    pub git_folders: u64,
}

/// One finding.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// The rule's identifier.
    pub rule: String,
    /// What people call the token.
    pub name: String,
    /// Who issues it.
    pub issuer: String,
    /// `proven` or `shaped`.
    pub evidence: &'static str,
    /// The token's fingerprint: 32 hexadecimal digits.
    pub fingerprint: String,
    /// The token's identity.
    pub token: TokenRecord,
    /// How to revoke it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// The token itself, only where secrets are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Whether it is live, where that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification: Option<VerificationRecord>,
    /// How its revocation ended, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revocation: Option<RevocationRecord>,
    /// Every place where it stands: where it came into a repository first, the earliest leading;
    /// never empty.
    pub locations: Vec<Place>,
    /// Every git object that holds it.
    pub objects: Vec<ObjectRecord>,
}

/// A token's identity, as far as it may be told.
#[derive(Clone, Debug, Serialize)]
pub struct TokenRecord {
    /// The token with its secret masked.
    pub redacted: String,
    /// Its alias, where the format has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The identifier that the alias spells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
}

/// One place.
#[derive(Clone, Debug, Serialize)]
pub struct Place {
    /// The path; `null` is standard input, or a git object that has none. Bytes that are no UTF-8
    /// are spelled `\xNN`.
    pub path: Option<Clean>,
    /// The path's bytes in hexadecimal, only where they are no UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_hex: Option<String>,
    /// `content`; `name` where the token stands in the last component of the path; `commit` or `tag`
    /// in the text of such an object; `ref` in the name of a reference of the repository at `path`.
    pub part: &'static str,
    /// The line, from 1.
    pub line: u64,
    /// The column in UTF-16 code units, from 1.
    pub column: u64,
    /// The line of the end.
    pub end_line: u64,
    /// The column after the last character.
    pub end_column: u64,
    /// The offset in bytes, from 0.
    pub offset: u64,
    /// The length in bytes.
    pub length: u64,
    /// The line around it, masked and cut.
    pub snippet: Clean,
    /// How it came in, for a place in a repository's history.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git: Option<GitPlace>,
    /// For a place in a change: `new`, `moved` or `already-there`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standing: Option<&'static str>,
    /// The path that the base has it at, where it moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_from: Option<Clean>,
    /// The path as a URI reference.
    #[serde(skip)]
    pub uri: String,
}

/// Something that was not looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Note {
    /// `unread`: should have been read; `opaque`: cannot be, or was left out by a limit.
    pub kind: &'static str,
    /// Where, if it has a path.
    pub path: Option<Clean>,
    /// What happened.
    pub message: Clean,
    /// The path as a URI reference.
    #[serde(skip)]
    pub uri: Option<String>,
}

/// One rule.
#[derive(Clone, Debug)]
pub struct RuleRecord {
    /// Its identifier.
    pub id: String,
    /// What people call the token.
    pub name: String,
    /// Who issues it.
    pub issuer: String,
    /// Its format.
    pub format: String,
    /// Where it is described.
    pub documentation: Option<String>,
    /// How the token is revoked.
    pub advice: Option<String>,
}

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
}

impl DocumentOptions<'_> {
    /// Tells an outcome.
    #[must_use]
    pub fn document(&self, outcome: &Outcome) -> Document {
        let findings: Vec<Record> = outcome.findings.iter().map(|it| self.record(it)).collect();
        let proven = || findings.iter().filter(|it| it.evidence == "proven");
        let summary = Summary {
            proven: proven().count(),
            proven_locations: proven().map(|it| it.locations.len()).sum(),
            already_there: outcome.counts.already_there,
            shaped_candidates: outcome.counts.shaped,
            files: outcome.counts.files,
            objects: outcome.counts.objects,
            bytes: outcome.counts.bytes,
            left_out: LeftOut::new(&outcome.counts),
        };
        Document {
            schema: SCHEMA,
            tool: Tool::default(),
            complete: outcome.is_complete(self.strict),
            interrupted: outcome.interrupted,
            summary,
            notes: outcome.notes.iter().map(|it| self.redactor.clean(it.as_bytes())).collect(),
            repositories: outcome.repositories.iter().map(|it| self.repository(it)).collect(),
            findings,
            diagnostics: outcome.diagnostics.iter().map(|it| self.note(it)).collect(),
            rules: self.rules.rules().iter().map(RuleRecord::new).collect(),
        }
    }

    /// Tells one match while the scan still runs.
    #[must_use]
    pub fn occurrence(&self, found: &Occurrence) -> Record {
        let places = vec![self.place(&found.location)];
        let token = &found.token;
        let kind = (token.rule, token.evidence, token.fingerprint);
        self.spell(kind, &found.token.id, &found.token.secret, places)
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
            kind: diagnostic.kind.name(),
            path: path.map(|path| self.path(path)),
            message: self.redactor.clean(diagnostic.message.as_bytes()),
            uri: path.map(|path| self.uri(path)),
        }
    }

    fn record(&self, finding: &Finding) -> Record {
        let places = finding.locations.iter().map(|it| self.place(it)).collect();
        let kind = (finding.rule, finding.evidence, finding.fingerprint);
        let objects = finding.objects.iter().map(ObjectRecord::new).collect();
        Record { objects, ..self.spell(kind, &finding.token, &finding.secret, places) }
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
            evidence: evidence.name(),
            fingerprint: fingerprint.to_string(),
            token: TokenRecord {
                redacted: token.redacted.clone(),
                alias: token.alias.clone(),
                uuid: token.uuid.map(|uuid| uuid.to_string()),
            },
            advice: rule.advice_for(token.uuid),
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
            part: location.part.name(),
            line: location.start.line,
            column: location.start.column,
            end_line: location.end.line,
            end_column: location.end.column,
            offset: location.offset,
            length: location.len,
            snippet: location.snippet.clone(),
            uri: match (location.path.as_deref(), location.trace.as_deref()) {
                (Some(path), _) => self.uri(path),
                (None, Some(trace)) => format!("git/{}/{}", trace.kind.name(), trace.object),
                (None, None) => "stdin".to_owned(),
            },
            standing: location.standing.as_ref().map(Standing::name),
            moved_from: match &location.standing {
                Some(Standing::Moved(path)) => Some(self.path(path)),
                _ => None,
            },
            git: location.trace.as_deref().map(|trace| self.trace(trace)),
        }
    }

    pub(super) fn path(&self, path: &Path) -> Clean {
        let path = plain(path);
        let bytes = path.as_os_str().as_encoded_bytes();
        self.redactor.clean(if bytes.is_empty() { b"." } else { bytes })
    }

    fn absolute_uri(&self, path: &Path) -> String {
        let path = self.root.map_or_else(|| path.to_owned(), |root| root.join(plain(path)));
        let clean = self.redactor.clean(path.as_os_str().as_encoded_bytes());
        let encoded = super::escape::uri_path(clean.as_bytes());
        let encoded = encoded.strip_suffix('/').unwrap_or(&encoded);
        format!("file:///{}", encoded.trim_start_matches('/'))
    }

    fn uri(&self, path: &Path) -> String {
        let below = self.root.and_then(|root| path.strip_prefix(root).ok()).unwrap_or(path);
        let below = plain(below);
        let parts: Vec<&[u8]> = below.iter().map(|part| part.as_encoded_bytes()).collect();
        let clean = self.redactor.clean(&parts.join(&b'/'));
        let encoded = super::escape::uri_path(clean.as_bytes());
        match encoded.strip_prefix("//") {
            Some(absolute) => format!("file:///{absolute}"),
            None if encoded.is_empty() => ".".to_owned(),
            None => encoded,
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

impl RuleRecord {
    fn new(rule: &Rule) -> Self {
        Self {
            id: rule.id.clone(),
            name: rule.name.clone(),
            issuer: rule.issuer.clone(),
            format: rule.format.pattern().to_owned(),
            documentation: rule.documentation.clone(),
            advice: rule.advice.clone(),
        }
    }
}

impl Note {
    /// Tells whether it makes a result incomplete.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        self.kind == Gap::Unread.name()
    }
}
