//! Explains a token part by part.
//!
//! Input: any bytes, also if they are not a token. Output: for each part of the format whether it is valid,
//! and why. Public parts are shown, secret parts never.

use crate::checksum::Checksum;
use crate::format::{Check, Format, Kind, Layout, Piece, Segment};
use crate::{Uuid, secret::MASK};

/// The explanation of one candidate under one format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The parts, in order.
    pub parts: Vec<PartReport>,
    /// Whether the candidate is proven.
    pub proven: bool,
}

/// The explanation of one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartReport {
    /// The segment's name, or `literal`.
    pub name: String,
    /// The part for display: public text, or the mask and the number of characters.
    pub shown: String,
    /// The reason why it is valid or not.
    pub note: String,
    /// Whether it is valid.
    pub holds: bool,
}

impl Format {
    /// Explains `candidate` by the layout whose length comes nearest to it.
    #[must_use]
    pub fn explain(&self, candidate: &[u8]) -> Explanation {
        let check = self.check(candidate);
        let layout = match check {
            Check::Proven { split, .. } | Check::Shaped { split } => self.layout_of(split),
            Check::NoMatch => self.nearest(candidate.len()),
        };
        let mut parts = Vec::new();
        let mut rest = candidate;
        let surplus = candidate.len().saturating_sub(layout.fixed_len());
        for piece in layout.pieces() {
            let explained = match piece {
                Piece::Literal(literal) => explain_literal(literal, rest),
                Piece::Segment { index, len } => {
                    let segment = &self.segments()[*index];
                    let range = layout.lengths(*len);
                    explain_segment(segment, surplus.clamp(range.min, range.max), rest)
                }
            };
            parts.push(explained.part);
            rest = &rest[explained.len..];
        }
        if !rest.is_empty() {
            let lens: Vec<String> = self.layouts().iter().map(describe_len).collect();
            parts.push(PartReport {
                name: "rest".to_owned(),
                shown: count(rest.len()),
                note: format!("too long: a token has {} characters", lens.join(" or ")),
                holds: false,
            });
        }
        // If a literal is wrong, the positions of the other parts are unknown, so none is shown as public.
        if parts.iter().any(|part| part.name == "literal" && !part.holds) {
            let secrets = parts.iter_mut().filter(|part| part.name != "literal");
            secrets.filter(|part| !part.shown.starts_with(MASK)).for_each(|part| {
                part.shown = count(part.shown.len());
                if part.holds {
                    part.note = "unknown".to_owned();
                }
            });
        }
        if parts.iter().all(|part| part.holds) {
            self.explain_checksum(check, &mut parts);
        }
        Explanation { parts, proven: matches!(check, Check::Proven { .. }) }
    }

    /// Adds the result of the comparison to the part of the checksum.
    fn explain_checksum(&self, check: Check, parts: &mut [PartReport]) {
        let Some(checksum) = self.checksum() else {
            return;
        };
        let name = self.segments().iter().find(|segment| matches!(segment.kind, Kind::Checksum(_)));
        let Some(part) = name.and_then(|s| parts.iter_mut().find(|part| part.name == s.name))
        else {
            return;
        };
        let algorithm = checksum.algorithm.name();
        if let Check::Proven { coverage, .. } = check {
            part.note = format!("{algorithm} over {} matches", checksum.over[coverage].source);
        } else {
            let mut over: Vec<&str> = checksum.over.iter().map(|c| &*c.source).collect();
            over.dedup();
            part.note = format!("{algorithm} does not match over {}", over.join(", over "));
            part.holds = false;
        }
    }

    fn nearest(&self, len: usize) -> &Layout {
        let distance = |layout: &&Layout| {
            len.saturating_sub(layout.max_len()).max(layout.min_len().saturating_sub(len))
        };
        self.layouts().iter().min_by_key(distance).unwrap_or(&self.layouts()[0])
    }
}

/// One part of a candidate, explained.
struct ExplainedPart {
    part: PartReport,
    /// The length of the part in the candidate.
    len: usize,
}

/// The result of the check of one segment.
struct Note {
    text: String,
    holds: bool,
}

impl Note {
    fn holds(text: String) -> Self {
        Self { text, holds: true }
    }

    fn fails(text: String) -> Self {
        Self { text, holds: false }
    }
}

fn explain_literal(literal: &[u8], rest: &[u8]) -> ExplainedPart {
    let same = literal.iter().zip(rest).take_while(|(a, b)| a == b).count();
    let holds = same == literal.len();
    let note = if holds {
        "matches the format".to_owned()
    } else {
        format!("expected `{}`", literal.escape_ascii())
    };
    let part = PartReport {
        name: "literal".to_owned(),
        shown: literal[..same].escape_ascii().to_string(),
        note,
        holds,
    };
    ExplainedPart { part, len: literal.len().min(rest.len()) }
}

fn explain_segment(segment: &Segment, wanted: usize, rest: &[u8]) -> ExplainedPart {
    let text = &rest[..wanted.min(rest.len())];
    let fault = text.iter().position(|&byte| !segment.set.contains(byte));
    let note = if let Some(at) = fault {
        Note::fails(format!("character {} is not one of {}", at + 1, segment.set))
    } else if text.len() < wanted {
        Note::fails(format!("too short: {} of {wanted} characters", text.len()))
    } else {
        match &segment.kind {
            Kind::Text => Note::holds(format!("{wanted} characters of {}", segment.set)),
            Kind::Uuid => explain_uuid(text),
            Kind::Checksum(checksum) => explain_range(checksum, text),
        }
    };
    let shown = if segment.public && fault.is_none() {
        text.escape_ascii().to_string()
    } else {
        count(text.len())
    };
    let Note { text: note, holds } = note;
    let part = PartReport { name: segment.name.clone(), shown, note, holds };
    ExplainedPart { part, len: text.len() }
}

fn explain_uuid(text: &[u8]) -> Note {
    let Some(uuid) = Uuid::from_alias(text) else {
        return Note::fails("encodes a number of 2^128 or more, which is not a UUID".to_owned());
    };
    let variant = if uuid.is_rfc_variant() { "RFC 9562 variant" } else { "another variant" };
    Note::holds(format!("UUID {uuid} (version {}, {variant})", uuid.version()))
}

fn explain_range(checksum: &Checksum, text: &[u8]) -> Note {
    if checksum.is_in_range(text) {
        Note::holds(format!("{} characters of {}", text.len(), checksum.encoding.set()))
    } else {
        Note::fails(format!("does not encode a {} value", checksum.algorithm.name()))
    }
}

fn describe_len(layout: &Layout) -> String {
    match layout.variable() {
        Some(_) => format!("{} to {}", layout.min_len(), layout.max_len()),
        None => layout.min_len().to_string(),
    }
}

fn count(len: usize) -> String {
    format!("{MASK} ({len} character{})", if len == 1 { "" } else { "s" })
}
