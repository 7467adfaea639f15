//! Collects matches into findings: one per token, however many places and workers found it.

use super::{
    Finding, Fingerprint, HeldObject, InlineAllow, Location, Part, TokenId, inline, members,
    snippet,
};
use crate::blob::{Blob, Position};
use crate::detect::encoding::{Encoding, Layer};
use crate::detect::{Detector, Evidence, Match};
use crate::report::redact::Redactor;
use crate::source::window::Context;
use ddpatrol_token::{Check, Secret};
use std::collections::HashMap;
use std::sync::Mutex;

/// A token without its places.
#[derive(Clone, Debug)]
pub struct Token {
    /// The index of its rule.
    pub rule: usize,
    /// How sure it is.
    pub evidence: Evidence,
    /// Its identity, as far as it may be told.
    pub id: TokenId,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// The token itself.
    pub secret: Secret,
}

impl Token {
    /// Describes what was matched: `token` are its bytes.
    #[must_use]
    pub fn new(detector: &Detector, found: Match, token: &[u8]) -> Self {
        let format = &detector.rules().rules()[found.rule].format;
        let uuid = match format.check(token) {
            Check::Proven { split, .. } | Check::Shaped { split } => format.uuid(split, token),
            Check::Unlike => None,
        };
        Self {
            rule: found.rule,
            evidence: found.evidence,
            id: TokenId {
                redacted: format.redact(token),
                alias: uuid.map(|(_, alias)| alias.escape_ascii().to_string()),
                uuid: uuid.map(|(uuid, _)| uuid),
            },
            fingerprint: Fingerprint::of(token),
            secret: Secret::new(token),
        }
    }
}

/// A token at one place.
#[derive(Clone, Debug)]
pub struct Occurrence {
    /// The token.
    pub token: Token,
    /// Where it stands.
    pub location: Location,
}

impl From<Occurrence> for Finding {
    fn from(occurrence: Occurrence) -> Self {
        let Occurrence { token, location } = occurrence;
        let mut finding = Self::from(&token);
        finding.locations.push(location);
        finding
    }
}

impl From<&Token> for Finding {
    /// A finding that has no place yet.
    fn from(token: &Token) -> Self {
        Self {
            rule: token.rule,
            evidence: token.evidence,
            token: token.id.clone(),
            fingerprint: token.fingerprint,
            secret: token.secret.clone(),
            locations: Vec::new(),
            objects: Vec::new(),
            suppression: None,
        }
    }
}

impl Location {
    /// Returns `true` if this is the place of a match in a window of the same blob.
    pub(crate) fn is_of(&self, blob: &Blob<'_>, found: &Match) -> bool {
        self.offset == blob.offset + found.start as u64
            && self.len == (found.end - found.start) as u64
            && self.encoding == found.encoding
    }
}

impl Occurrence {
    /// Describes a match in a blob that begins at `start`, of a token with these bytes.
    #[must_use]
    pub fn new(
        told: Told<'_>,
        blob: &Blob<'_>,
        (found, token): (Match, &[u8]),
        start: Position,
    ) -> Self {
        let spelled = &blob.bytes[found.start..found.end];
        let mut end = start;
        end.advance(spelled);
        let (start, end) = match found.encoding.is_utf16() {
            true => {
                let place = (blob.bytes, found.start, blob.offset);
                wide((start, end), place, (spelled.len(), found.encoding))
            }
            false => (start, end),
        };
        let (path, part) = Location::place(blob.origin);
        let matched = found.start..found.end;
        Self {
            token: Token::new(told.detector, found, token),
            location: Location {
                path,
                part,
                offset: blob.offset + found.start as u64,
                len: spelled.len() as u64,
                start,
                end,
                snippet: snippet::around(
                    told.redactor,
                    blob.bytes,
                    matched.clone(),
                    found.encoding,
                ),
                encoding: found.encoding,
                trace: None,
                standing: None,
                inline: told.inline(part, blob.bytes, (matched, found.encoding)),
                is_new_place: false,
                layer: blob.layer.cloned(),
            },
        }
    }
}

/// Counts the columns of UTF-16 by its own units, if the line begins within `bytes`, before which so
/// many bytes come; and the lines, too, if all of it is UTF-16.
pub(crate) fn wide(
    (start, end): (Position, Position),
    (bytes, at, offset): (&[u8], usize, u64),
    (len, encoding): (usize, Encoding),
) -> (Position, Position) {
    let is_marked = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    let (mut line, mut line_start) = (start.line, memchr::memrchr(b'\n', &bytes[..at]));
    if offset == 0 && is_marked {
        // A newline is a character of two bytes; its one byte is part of others, too.
        let newline = match encoding.outermost() {
            Some(Layer::Utf16Be) => [0, b'\n'],
            _ => [b'\n', 0],
        };
        let units = bytes[..at].chunks_exact(2).enumerate();
        let newlines = units.filter(|(_, unit)| *unit == newline);
        let (count, last) =
            newlines.fold((0, None), |(count, _), (unit, _)| (count + 1, Some(unit)));
        (line, line_start) = (1 + count, last.map(|unit| 2 * unit + 1));
    }
    let line_start = match line_start {
        Some(newline) => newline + 1,
        None if offset == 0 => usize::from(is_marked) * 2,
        None => return (start, end),
    };
    let column = (at.saturating_sub(line_start) / 2 + 1) as u64;
    let end = match end.line == start.line {
        true => Position { line, column: column + (len / 2) as u64 },
        false => Position { line: end.line - start.line + line, ..end },
    };
    (Position { line, column }, end)
}

/// What is told of a match: its identity, the line around it, what the line says about it.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// What found it.
    pub detector: &'a Detector,
    /// What masks it.
    pub redactor: &'a Redactor,
    /// Whether its own line may allow it.
    pub inline: InlineAllow,
}

impl Told<'_> {
    /// Reads what the line of a token says about it; a message or a name says nothing.
    pub(crate) fn inline(
        self,
        part: Part,
        bytes: &[u8],
        token: (std::ops::Range<usize>, Encoding),
    ) -> Option<super::Inline> {
        let is_content = part == Part::Content;
        is_content.then(|| inline::read(self.inline, self.redactor, bytes, token)).flatten()
    }
}

/// Returns the context that a window needs for what is collected from it.
#[must_use]
pub(crate) fn context(detector: &Detector, redactor: &Redactor) -> Context {
    let shown = (snippet::REACH + redactor.reach()).max(inline::REACH);
    Context { before: shown + detector.lookbehind(), after: detector.lookahead() + shown }
}

/// Gathers occurrences from all workers.
#[derive(Debug, Default)]
pub struct Collector(Mutex<HashMap<(Fingerprint, usize), Finding>>);

impl Collector {
    /// Adds a token at one place.
    pub fn add(&self, occurrence: Occurrence) {
        let Occurrence { token, location } = occurrence;
        self.with(&token, |finding| finding.locations.push(location));
    }

    /// Adds a git object that holds a token.
    pub fn add_object(&self, token: &Token, object: HeldObject) {
        self.with(token, |finding| finding.objects.push(object));
    }

    fn with(&self, token: &Token, change: impl FnOnce(&mut Finding)) {
        let mut findings = self.0.lock().unwrap_or_else(|poison| poison.into_inner());
        let key = (token.fingerprint, token.rule);
        change(findings.entry(key).or_insert_with(|| Finding::from(token)));
    }

    /// Returns the findings: sorted by evidence, then by their first place; each place once.
    #[must_use]
    pub fn finish(self) -> Vec<Finding> {
        let findings = self.0.into_inner().unwrap_or_else(|poison| poison.into_inner());
        let mut findings: Vec<Finding> = findings.into_values().collect();
        // An interrupted scan may know of objects whose places it did not get to.
        findings.retain(|finding| !finding.locations.is_empty());
        for finding in &mut findings {
            members::lead(&mut finding.locations);
            members::drop_passing(&mut finding.locations);
            finding.locations.sort_by(|a, b| leading(a).cmp(&leading(b)).then_with(|| a.cmp(b)));
            finding.locations.dedup();
            finding.objects.sort();
            finding.objects.dedup();
        }
        findings.sort_by(|a, b| {
            // What has a path comes before what has none.
            let first = |finding: &Finding| {
                finding.locations.first().map(|it| (it.path.is_none(), it.clone()))
            };
            (b.evidence, first(a), a.rule, a.fingerprint).cmp(&(
                a.evidence,
                first(b),
                b.rule,
                b.fingerprint,
            ))
        });
        findings
    }
}

/// By what places are ordered: where a token came into history, what can be reached, the earliest;
/// then what no commit holds; then files.
fn leading(location: &Location) -> (u8, i64) {
    match location.trace.as_deref() {
        Some(trace) if trace.introduced.is_some() => (u8::from(!trace.reachable), trace.date),
        Some(trace) => (2, trace.date),
        None => (3, 0),
    }
}
