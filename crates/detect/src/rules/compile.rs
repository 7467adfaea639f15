//! Compiles rule files.
//!
//! Input: the text of a rule file. Output: rules, or an error with line, column and remedy. It reads no
//! files.

use super::error::RuleError;
use super::file::{Length, RuleFile, SegmentTable, TokenTable, VectorTable};
use super::line_column::{self, LineColumn};
use super::quote::{abbreviated, without_values};
use super::rule::{Rule, Vector};
use super::verifier::Verifier;
use crate::encoded::runs::RUN_LOOKAHEAD;
use crate::encoded::{MIN_RUN, is_text};
use ddpatrol_token::format::FormatPart;
use ddpatrol_token::{
    Algorithm, ByteSet, Codec, Encoding, EvidenceBits, Format, FormatError, Lengths, Segment, Uuid,
};
use std::ops::Range;
use std::path::Path;
use toml::Spanned;

/// When vectors are compared with the format of their rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VectorCheck {
    /// A vector that does not match is an error.
    AtOnce,
    /// Tests compare them.
    InTests,
}

/// The text of one rule file, and its path for errors.
struct RuleText<'a> {
    path: &'a Path,
    text: &'a str,
    vectors: VectorCheck,
}

type Result<T> = std::result::Result<T, RuleError>;

/// Compiles the rules of one file.
///
/// # Errors
/// The first error, with file, line, column and remedy.
pub(super) fn compile(path: &Path, text: &str, vectors: VectorCheck) -> Result<Vec<Rule>> {
    let source = RuleText { path, text, vectors };
    let file: RuleFile = toml::from_str(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        source.error(span, line_column::explained(error.message()))
    })?;
    if file.token.is_empty() {
        return Err(source.error(0..0, "no rules in this file; add a [[token]] table".to_owned()));
    }
    file.token.iter().map(|token| source.rule(&file.issuer, token)).collect()
}

impl RuleText<'_> {
    fn error(&self, span: Range<usize>, message: String) -> RuleError {
        let LineColumn { line, column } = line_column::of(self.text, span.start);
        RuleError::Fault { path: self.path.to_owned(), line, column, message }
    }

    fn rule(&self, issuer: &str, token: &Spanned<TokenTable>) -> Result<Rule> {
        let table = token.get_ref();
        let id = table.id.get_ref();
        let valid_id = id.starts_with(|c: char| c.is_ascii_lowercase())
            && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !valid_id {
            let id = abbreviated(id);
            let message = format!("invalid rule id `{id}`; use lower-case letters, digits and `-`");
            return Err(self.error(table.id.span(), message));
        }
        let segments: Vec<Segment> = table
            .segments
            .iter()
            .map(|(name, segment)| self.segment(name, segment))
            .collect::<Result<_>>()?;
        let build = match &table.found_by {
            None => Format::new,
            Some(words) if words.get_ref() == "words" => Format::of_words,
            Some(other) => {
                let message =
                    format!("unknown value `{}`; use \"words\"", abbreviated(other.get_ref()));
                return Err(self.error(other.span(), message));
            }
        };
        let format = build(table.format.get_ref(), segments).map_err(|error| {
            self.error(span_of(&error, table), without_values(&error.to_string()))
        })?;
        if format.has_middle() && !is_long_run(&format) {
            let message = format!(
                "tokens that do not begin with fixed text must have {MIN_RUN} to {RUN_LOOKAHEAD} letters, \
                 digits and characters of +/-_=.#;{{}}%&\\; begin the format with a literal, or write \
                 found_by = \"words\""
            );
            return Err(self.error(table.format.span(), message));
        }
        let format = format.except(table.except.iter().map(|text| text.as_bytes().into()));
        let verifier = table.verifier.as_ref().map(|name| self.verifier(name)).transpose()?;
        let vectors: Vec<Vector> = table
            .vectors
            .iter()
            .map(|vector| self.vector(&format, verifier, vector))
            .collect::<Result<_>>()?;
        let confirmed = self.is_confirmed(table, &format, &vectors)?;
        let is_proof = format.evidence_bits().is_some_and(EvidenceBits::is_proof);
        Ok(Rule {
            id: id.clone(),
            name: table.name.clone(),
            issuer: issuer.to_owned(),
            documentation: table.documentation.clone(),
            advice: table.advice.clone(),
            format,
            provable: confirmed && is_proof,
            weak: confirmed && !is_proof,
            vectors,
            verifier,
            group: table.group.clone(),
        })
    }

    fn verifier(&self, name: &Spanned<String>) -> Result<Verifier> {
        Verifier::parse(name.get_ref()).ok_or_else(|| {
            let value = abbreviated(name.get_ref());
            let known = Verifier::PrivateKey.name();
            self.error(name.span(), format!("unknown verifier `{value}`; use \"{known}\""))
        })
    }

    /// Returns `true` if the rule has a checksum that decides about matches.
    fn is_confirmed(
        &self,
        table: &TokenTable,
        format: &Format,
        vectors: &[Vector],
    ) -> Result<bool> {
        if let Some(evidence) = &table.evidence {
            if evidence.get_ref() != "shaped" {
                let message = format!(
                    "unknown evidence `{}`; remove it, or write \"shaped\"",
                    abbreviated(evidence.get_ref())
                );
                return Err(self.error(evidence.span(), message));
            }
            return Ok(false);
        }
        if format.checksum().is_some() && !vectors.iter().any(Vector::confirms_checksum) {
            let message = "no vector confirms the checksum: add [[token.vectors]] with a \
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
        let first = |list: &Option<Vec<Spanned<String>>>| Some(list.as_ref()?.first()?.span());
        let decode = table.decode.as_ref().map(Spanned::span);
        for (key, span) in
            [("over", first(&table.over)), ("seeds", first(&table.seeds)), ("decode", decode)]
        {
            if let Some(span) = span {
                let message = format!(
                    "`{key}` is only valid for a checksum; add `algorithm`, or remove `{key}`"
                );
                return Err(self.error(span, message));
            }
        }
        if let Some(target) = &table.decodes_to {
            if target.get_ref() != "uuid" {
                let value = abbreviated(target.get_ref());
                let message = format!("unknown value `{value}`; use \"uuid\"");
                return Err(self.error(target.span(), message));
            }
            let encoding = table.encoding.as_ref().map(|encoding| encoding.get_ref().as_str());
            if encoding != Some("base62") || table.alphabet.is_some() || table.length.is_some() {
                let message = "a segment that decodes to a uuid needs encoding = \"base62\" \
                               and neither `alphabet` nor `length`";
                return Err(self.error(spanned.span(), message.to_owned()));
            }
            return Ok(Segment::uuid(name));
        }
        if let Some(encoding) = &table.encoding {
            let message = "`encoding` is only valid with `decodes_to` or `algorithm`; \
                           for plain characters use `alphabet`";
            return Err(self.error(encoding.span(), message.to_owned()));
        }
        let (Some(alphabet), Some(length)) = (&table.alphabet, &table.length) else {
            let message = format!("segment `{name}` needs `alphabet` and `length`");
            return Err(self.error(spanned.span(), message));
        };
        let set = ByteSet::parse(alphabet.get_ref()).ok_or_else(|| {
            let message = format!(
                "unknown alphabet `{}`; use {} or a class such as [A-Za-z0-9._-]",
                abbreviated(alphabet.get_ref()),
                ByteSet::NAMES.join(", ")
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
            let message = "a checksum accepts only `algorithm`, `seeds`, `encoding`, `length`, \
                           `over` and `decode`";
            return Err(self.error(spanned.span(), message.to_owned()));
        }
        let width = match length.get_ref() {
            Length::OneOf(lens) if lens.len() == 1 => lens[0],
            _ => {
                let message = "a checksum must have exactly one length".to_owned();
                return Err(self.error(length.span(), message));
            }
        };
        let known_algorithm = Algorithm::parse(algorithm.get_ref()).ok_or_else(|| {
            let names = Algorithm::ALL.map(Algorithm::name).join(", ");
            let message =
                format!("unknown algorithm `{}`; use {names}", abbreviated(algorithm.get_ref()));
            self.error(algorithm.span(), message)
        })?;
        let known_encoding = Encoding::parse(encoding.get_ref()).ok_or_else(|| {
            let message = format!(
                "unknown encoding `{}`; use {}",
                abbreviated(encoding.get_ref()),
                Encoding::names().collect::<Vec<_>>().join(", ")
            );
            self.error(encoding.span(), message)
        })?;
        let over: Vec<&str> = over.iter().map(|coverage| coverage.get_ref().as_str()).collect();
        let mut segment = Segment::checksum(name, known_algorithm, known_encoding, width, &over);
        if let Some(decode) = &table.decode {
            let codec = Codec::parse(decode.get_ref()).ok_or_else(|| {
                let names = Codec::ALL.map(Codec::name).join(" or ");
                let message =
                    format!("unknown value `{}`; use {names}", abbreviated(decode.get_ref()));
                self.error(decode.span(), message)
            })?;
            segment = segment.over_decoded(codec);
        }
        match (&table.seeds, known_algorithm) {
            (Some(seeds), Algorithm::Marvin32) if !seeds.is_empty() => {
                let seeds: Vec<u64> =
                    seeds.iter().map(|seed| self.seed(seed)).collect::<Result<_>>()?;
                Ok(segment.with_seeds(&seeds))
            }
            (None, Algorithm::Marvin32) | (Some(_), _) => {
                let message = "`seeds` belongs to the algorithm marvin32, which needs one or more";
                Err(self.error(spanned.span(), message.to_owned()))
            }
            (None, _) => Ok(segment),
        }
    }

    /// Reads a seed: eight characters, the bytes of a number, the most significant byte first.
    fn seed(&self, seed: &Spanned<String>) -> Result<u64> {
        let bytes = seed.get_ref().as_bytes().try_into().map_err(|_| {
            let message = format!("invalid seed `{}`; use eight characters", seed.get_ref());
            self.error(seed.span(), message)
        })?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn vector(
        &self,
        format: &Format,
        verifier: Option<Verifier>,
        spanned: &Spanned<VectorTable>,
    ) -> Result<Vector> {
        let table = spanned.get_ref();
        let source = table.source.clone();
        let is_valid = table.valid.unwrap_or(true);
        let vector = match table {
            VectorTable {
                token: Some(parts),
                uuid: None,
                alias: None,
                checksum_of: None,
                checksum: None,
                ..
            } => {
                let token = parts.concat().into_bytes();
                match is_valid {
                    true => Vector::Token { token, source },
                    false => Vector::Counterexample { token, source },
                }
            }
            _ if !is_valid => {
                let message = "`valid = false` is only allowed with `token`";
                return Err(self.error(spanned.span(), message.to_owned()));
            }
            VectorTable {
                token: None,
                uuid: Some(uuid),
                alias: Some(alias),
                checksum_of: None,
                checksum: None,
                ..
            } => {
                let uuid = Uuid::parse(uuid).ok_or_else(|| {
                    let message = format!("invalid UUID `{}`", abbreviated(uuid));
                    self.error(spanned.span(), message)
                })?;
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
                let message = "a vector needs `token` (in pieces), or `uuid` and `alias`, \
                               or `checksum_of` and `checksum`";
                return Err(self.error(spanned.span(), message.to_owned()));
            }
        };
        if self.vectors == VectorCheck::AtOnce {
            vector.verify(format, verifier).map_err(|what| {
                self.error(spanned.span(), format!("the vector does not match: {what}"))
            })?;
        }
        Ok(vector)
    }
}

/// Returns `true` if the tokens of a format are long runs, which are searched for anchors in the middle of tokens.
fn is_long_run(format: &Format) -> bool {
    format.min_len() >= MIN_RUN && format.max_len() <= RUN_LOOKAHEAD && format.consists_of(is_text)
}

/// Returns the span of a format error.
fn span_of(error: &FormatError, table: &TokenTable) -> Range<usize> {
    let pattern = table.format.span();
    match &error.place {
        FormatPart::Pattern => pattern,
        FormatPart::Segment(name) => table.segments.get(name).map_or(pattern, Spanned::span),
        FormatPart::Coverage { segment: name, index } => table
            .segments
            .get(name)
            .and_then(|segment| {
                // The coverages are repeated for each seed.
                let over = segment.get_ref().over.as_ref()?;
                over.get(index.checked_rem(over.len())?).map(Spanned::span)
            })
            .unwrap_or(pattern),
    }
}
