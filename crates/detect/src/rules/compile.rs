//! Compiles rule files.
//!
//! Input: a rule file's text. Output: rules, or an error with line, column and what would be right. It
//! reads no files.

use super::error::RuleError;
use super::file::{Length, RuleFile, SegmentTable, TokenTable, VectorTable};
use super::place::{self, Place};
use super::rule::{Rule, Vector};
use ddpatrol_token::format::Place as FormatPlace;
use ddpatrol_token::{Algorithm, ByteSet, Encoding, Format, FormatError, Lengths, Segment, Uuid};
use std::ops::Range;
use std::path::Path;
use toml::Spanned;

/// The text of one rule file and its name, for errors.
struct Text<'a> {
    path: &'a Path,
    text: &'a str,
}

type Result<T> = std::result::Result<T, RuleError>;

/// Compiles the rules of one file.
///
/// # Errors
/// The first fault, with file, line, column and what would be right.
pub(super) fn compile(path: &Path, text: &str) -> Result<Vec<Rule>> {
    let source = Text { path, text };
    let file: RuleFile = toml::from_str(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        source.error(span, place::with_suggestion(error.message()))
    })?;
    if file.token.is_empty() {
        return Err(
            source.error(0..0, "there is no rule in this file; write a [[token]]".to_owned())
        );
    }
    file.token.iter().map(|token| source.rule(&file.issuer, token)).collect()
}

impl Text<'_> {
    fn error(&self, span: Range<usize>, message: String) -> RuleError {
        let Place { line, column } = place::of(self.text, span.start);
        RuleError::Fault { path: self.path.to_owned(), line, column, message }
    }

    fn rule(&self, issuer: &str, token: &Spanned<TokenTable>) -> Result<Rule> {
        let table = token.get_ref();
        let id = table.id.get_ref();
        let valid_id = id.starts_with(|c: char| c.is_ascii_lowercase())
            && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !valid_id {
            let message = format!("`{id}` is no rule id; use lower-case letters, digits and `-`");
            return Err(self.error(table.id.span(), message));
        }
        let segments: Vec<Segment> = table
            .segments
            .iter()
            .map(|(name, segment)| self.segment(name, segment))
            .collect::<Result<_>>()?;
        let format = Format::new(table.format.get_ref(), segments)
            .map_err(|error| self.error(span_of(&error, table), error.to_string()))?;
        let vectors: Vec<Vector> = table
            .vectors
            .iter()
            .map(|vector| self.vector(&format, vector))
            .collect::<Result<_>>()?;
        let provable = self.provable(table, &format, &vectors)?;
        Ok(Rule {
            id: id.clone(),
            name: table.name.clone(),
            issuer: issuer.to_owned(),
            documentation: table.documentation.clone(),
            advice: table.advice.clone(),
            format,
            provable,
            vectors,
        })
    }

    /// Decides whether the rule may call its matches proven.
    fn provable(&self, table: &TokenTable, format: &Format, vectors: &[Vector]) -> Result<bool> {
        if let Some(evidence) = &table.evidence {
            if evidence.get_ref() != "shaped" {
                let message = format!(
                    "`{}` is no evidence; leave it out, or write \"shaped\"",
                    evidence.get_ref()
                );
                return Err(self.error(evidence.span(), message));
            }
            return Ok(false);
        }
        let shows_checksum = |vector: &Vector| !matches!(vector, Vector::Alias { .. });
        if format.checksum().is_some() && !vectors.iter().any(shows_checksum) {
            let message = "the checksum is claimed but not shown: add [[token.vectors]] with a \
                           `token` published by someone else, or write evidence = \"shaped\"";
            return Err(self.error(table.format.span(), message.to_owned()));
        }
        Ok(format.checksum().is_some())
    }

    fn segment(&self, name: &str, spanned: &Spanned<SegmentTable>) -> Result<Segment> {
        let table = spanned.get_ref();
        if table.algorithm.is_some() {
            return self.checksum(name, spanned);
        }
        if let Some(over) = table.over.as_ref().and_then(|over| over.first()) {
            let message = "`over` belongs to a checksum; add `algorithm`, or remove it";
            return Err(self.error(over.span(), message.to_owned()));
        }
        if let Some(target) = &table.decodes_to {
            if target.get_ref() != "uuid" {
                let message = format!("`{}` is not known; use \"uuid\"", target.get_ref());
                return Err(self.error(target.span(), message));
            }
            let encoding = table.encoding.as_ref().map(|encoding| encoding.get_ref().as_str());
            if encoding != Some("base62") || table.alphabet.is_some() || table.length.is_some() {
                let message = "a segment that decodes to a uuid has encoding = \"base62\", \
                               and its alphabet and length follow from that";
                return Err(self.error(spanned.span(), message.to_owned()));
            }
            return Ok(Segment::uuid(name));
        }
        if let Some(encoding) = &table.encoding {
            let message = "`encoding` goes with `decodes_to` or `algorithm`; \
                           for plain characters write `alphabet`";
            return Err(self.error(encoding.span(), message.to_owned()));
        }
        let (Some(alphabet), Some(length)) = (&table.alphabet, &table.length) else {
            let message = format!("segment `{name}` needs `alphabet` and `length`");
            return Err(self.error(spanned.span(), message));
        };
        let set = ByteSet::parse(alphabet.get_ref()).ok_or_else(|| {
            let message = format!(
                "`{}` is no alphabet; use base62, base36, base32, base64url, hex, hex-upper \
                 or a class such as [A-Za-z0-9._-]",
                alphabet.get_ref()
            );
            self.error(alphabet.span(), message)
        })?;
        let lengths = match length.get_ref().clone() {
            Length::OneOf(lens) => Lengths::OneOf(lens),
            Length::Range { min, max } => Lengths::Range { min, max },
        };
        let mut segment = Segment::text(name, set, lengths);
        segment.public = table.public.unwrap_or(false);
        Ok(segment)
    }

    fn checksum(&self, name: &str, spanned: &Spanned<SegmentTable>) -> Result<Segment> {
        let table = spanned.get_ref();
        let need =
            |what: &str| self.error(spanned.span(), format!("checksum `{name}` needs `{what}`"));
        let algorithm = table.algorithm.as_ref().ok_or_else(|| need("algorithm"))?;
        let encoding = table.encoding.as_ref().ok_or_else(|| need("encoding"))?;
        let length = table.length.as_ref().ok_or_else(|| need("length"))?;
        let over = table.over.as_ref().ok_or_else(|| need("over"))?;
        if table.alphabet.is_some() || table.decodes_to.is_some() || table.public.is_some() {
            let message = "a checksum has `algorithm`, `encoding`, `length` and `over` only";
            return Err(self.error(spanned.span(), message.to_owned()));
        }
        let width = match length.get_ref() {
            Length::OneOf(lens) if lens.len() == 1 => lens[0],
            _ => {
                let message = "a checksum has one length".to_owned();
                return Err(self.error(length.span(), message));
            }
        };
        let known_algorithm = Algorithm::parse(algorithm.get_ref()).ok_or_else(|| {
            let message = format!("`{}` is not known; use crc32 or sha256", algorithm.get_ref());
            self.error(algorithm.span(), message)
        })?;
        let known_encoding = Encoding::parse(encoding.get_ref()).ok_or_else(|| {
            let message = format!(
                "`{}` is not known; use base62, base36, base32, hex or hex-upper",
                encoding.get_ref()
            );
            self.error(encoding.span(), message)
        })?;
        let over: Vec<&str> = over.iter().map(|coverage| coverage.get_ref().as_str()).collect();
        Ok(Segment::checksum(name, known_algorithm, known_encoding, width, &over))
    }

    fn vector(&self, format: &Format, spanned: &Spanned<VectorTable>) -> Result<Vector> {
        let table = spanned.get_ref();
        let source = table.source.clone();
        let vector = match table {
            VectorTable {
                token: Some(parts),
                uuid: None,
                alias: None,
                checksum_of: None,
                checksum: None,
                ..
            } => Vector::Token { token: parts.concat().into_bytes(), source },
            VectorTable {
                token: None,
                uuid: Some(uuid),
                alias: Some(alias),
                checksum_of: None,
                checksum: None,
                ..
            } => {
                let uuid = Uuid::parse(uuid)
                    .ok_or_else(|| self.error(spanned.span(), format!("`{uuid}` is no UUID")))?;
                Vector::Alias { uuid, alias: alias.clone(), source }
            }
            VectorTable {
                token: None,
                uuid: None,
                alias: None,
                checksum_of: Some(of),
                checksum: Some(checksum),
                ..
            } => Vector::Checksum { of: of.clone(), checksum: checksum.clone(), source },
            _ => {
                let message = "a vector is a `token` in pieces, or `uuid` with `alias`, \
                               or `checksum_of` with `checksum`";
                return Err(self.error(spanned.span(), message.to_owned()));
            }
        };
        vector.verify(format).map_err(|what| {
            self.error(spanned.span(), format!("the vector does not hold: {what}"))
        })?;
        Ok(vector)
    }
}

/// Finds the span that a format error is about.
fn span_of(error: &FormatError, table: &TokenTable) -> Range<usize> {
    let pattern = table.format.span();
    match &error.place {
        FormatPlace::Pattern => pattern,
        FormatPlace::Segment(name) => table.segments.get(name).map_or(pattern, Spanned::span),
        FormatPlace::Coverage { segment: name, index } => table
            .segments
            .get(name)
            .and_then(|segment| segment.get_ref().over.as_ref()?.get(*index).map(Spanned::span))
            .unwrap_or(pattern),
    }
}
