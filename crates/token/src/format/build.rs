//! Builds a format from its written form.
//!
//! Input: a pattern and segments. Output: layouts, or an error with a remedy. It reads no rule files.

use super::anchor;
use super::error::{FormatError, FormatPart, error};
use super::layout::{CrcPlan, CrcTerm, Layout, LengthRange, MAX_PIECES, Piece};
use super::paired;
use super::segment::{Kind, Lengths, Segment};
use super::{Format, MAX_TOKEN_LEN};
use crate::checksum::{
    Algorithm, Checksum, Codec, Coverage, Encoding, MAX_WIDTH, Shift, TemplateItem,
};
use crate::{base62, byteset::ByteSet};

/// Maximum number of layouts of a format.
const MAX_LAYOUTS: usize = 64;

impl Format {
    /// Builds a format from its pattern and the segments that it names.
    ///
    /// # Errors
    /// [`FormatError`] with the pattern, segment or coverage and the remedy.
    pub fn new(pattern: &str, segments: Vec<Segment>) -> Result<Self, FormatError> {
        let mut format = Self::of_words(pattern, segments)?;
        let items = parse_template(pattern, &format.segments, &FormatPart::Pattern)?;
        format.anchor = Some(anchor::find(&items, &format.segments)?);
        Ok(format)
    }

    /// Builds a format whose tokens have no anchor: they are whole words.
    ///
    /// # Errors
    /// [`FormatError`] with the pattern, segment or coverage and the remedy.
    pub fn of_words(pattern: &str, mut segments: Vec<Segment>) -> Result<Self, FormatError> {
        if segments.len() > MAX_PIECES {
            return error(
                FormatPart::Pattern,
                format!("{} segments described", segments.len()),
                format!("a format has at most {MAX_PIECES}"),
            );
        }
        for segment in &segments {
            check_segment(segment)?;
        }
        resolve_coverages(&mut segments)?;
        let items = parse_template(pattern, &segments, &FormatPart::Pattern)?;
        check_pattern(&items, &segments)?;
        let layouts = expand(&items, &segments)?;
        let pattern = pattern.to_owned();
        Ok(Self { pattern, segments, layouts, anchor: None, excluded: Vec::new() })
    }

    /// Excludes texts that begin like this, such as public identifiers.
    #[must_use]
    pub fn except(mut self, beginnings: impl IntoIterator<Item = Box<[u8]>>) -> Self {
        self.excluded.extend(beginnings);
        self
    }
}

impl Segment {
    /// Describes a secret segment of plain characters.
    #[must_use]
    pub fn text(name: &str, set: ByteSet, lengths: Lengths) -> Self {
        Self { name: name.to_owned(), kind: Kind::Text, set, lengths, public: false }
    }

    /// Describes a public segment that encodes a UUID in 22 base62 characters.
    #[must_use]
    pub fn uuid(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: Kind::Uuid,
            set: ByteSet::BASE62,
            lengths: Lengths::OneOf(vec![base62::U128_WIDTH]),
            public: true,
        }
    }

    /// Describes the checksum, which has `width` characters and covers one of `over`.
    #[must_use]
    pub fn checksum(
        name: &str,
        algorithm: Algorithm,
        encoding: Encoding,
        width: usize,
        over: &[&str],
    ) -> Self {
        let unresolved =
            |source: &&str| Coverage { source: (*source).to_owned(), seed: 0, items: Vec::new() };
        let over = over.iter().map(unresolved).collect();
        Self {
            name: name.to_owned(),
            kind: Kind::Checksum(Checksum { algorithm, encoding, width, codec: None, over }),
            set: encoding.set(),
            lengths: Lengths::OneOf(vec![width]),
            public: false,
        }
    }

    /// Tries every coverage of the checksum with each of these seeds.
    #[must_use]
    pub fn with_seeds(mut self, seeds: &[u64]) -> Self {
        if let Kind::Checksum(Checksum { over, .. }) = &mut self.kind {
            let seeded = |seed: &u64| {
                let seed = *seed;
                over.iter().cloned().map(move |coverage| Coverage { seed, ..coverage })
            };
            *over = seeds.iter().flat_map(seeded).collect();
        }
        self
    }

    /// Computes the checksum of what the covered text decodes to.
    #[must_use]
    pub fn over_decoded(mut self, by: Codec) -> Self {
        if let Kind::Checksum(Checksum { codec, .. }) = &mut self.kind {
            *codec = Some(by);
        }
        self
    }
}

fn check_segment(segment: &Segment) -> Result<(), FormatError> {
    let place = || FormatPart::Segment(segment.name.clone());
    let valid_name = segment.name.starts_with(|c: char| c.is_ascii_uppercase())
        && segment.name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    if !valid_name {
        return error(
            place(),
            format!("invalid segment name `{}`", segment.name),
            "use upper-case letters, digits and `_`, a letter first",
        );
    }
    let lengths_hold = match &segment.lengths {
        Lengths::OneOf(lengths) => !lengths.is_empty() && lengths.iter().all(|&len| len > 0),
        Lengths::Range { min, max } => 0 < *min && min < max && *max <= MAX_TOKEN_LEN,
    };
    if !lengths_hold {
        return error(
            place(),
            format!("segment `{}` has no valid length", segment.name),
            format!("give one or more lengths above 0, or min below max, up to {MAX_TOKEN_LEN}"),
        );
    }
    let Kind::Checksum(checksum) = &segment.kind else {
        return Ok(());
    };
    let required = Checksum::required_width(checksum.algorithm, checksum.encoding);
    if required.is_some_and(|width| checksum.width < width) || checksum.width > MAX_WIDTH {
        return error(
            place(),
            format!("{} characters are too few or too many for the checksum", checksum.width),
            format!("use {} to {MAX_WIDTH} characters", required.unwrap_or(6)),
        );
    }
    if checksum.algorithm == Algorithm::Sha256 {
        if !checksum.encoding.takes_bytes() {
            return error(
                place(),
                "sha256 needs an alphabet whose size is a power of two",
                "use base32, hex or hex-upper",
            );
        }
        if checksum.width < 6 {
            return error(place(), "too few characters for a proof", "use 6 or more");
        }
    }
    paired::check(checksum, place())?;
    if checksum.over.is_empty() {
        return error(
            place(),
            "the checksum covers nothing",
            "list the covered segments in `over`",
        );
    }
    Ok(())
}

fn resolve_coverages(segments: &mut [Segment]) -> Result<(), FormatError> {
    let described = segments.to_vec();
    let mut checksums = 0;
    for segment in segments {
        let Kind::Checksum(checksum) = &mut segment.kind else {
            continue;
        };
        checksums += 1;
        if checksums > 1 {
            return error(
                FormatPart::Segment(segment.name.clone()),
                "a format has at most one checksum",
                "remove the second",
            );
        }
        for (index, coverage) in checksum.over.iter_mut().enumerate() {
            let place = FormatPart::Coverage { segment: segment.name.clone(), index };
            coverage.items = parse_template(&coverage.source, &described, &place)?;
            let is_checksum = |item: &TemplateItem| matches!(item, TemplateItem::Segment(at) if matches!(described[*at].kind, Kind::Checksum(_)));
            if coverage.items.iter().any(is_checksum) {
                return error(
                    place,
                    "a checksum cannot cover itself",
                    "name only segments other than the checksum",
                );
            }
            if !coverage.items.iter().any(|item| matches!(item, TemplateItem::Segment(_))) {
                return error(place, "the coverage names no segment", "write it as `<SECRET>`");
            }
        }
    }
    Ok(())
}

/// Parses literals and `<NAME>` references.
fn parse_template(
    text: &str,
    segments: &[Segment],
    place: &FormatPart,
) -> Result<Vec<TemplateItem>, FormatError> {
    let mut items = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(tail) = rest.strip_prefix('<') {
            let Some((name, after)) = tail.split_once('>') else {
                return error(place.clone(), format!("`<{tail}` is not closed"), "write `<NAME>`");
            };
            let Some(index) = segments.iter().position(|segment| segment.name == name) else {
                let names: Vec<&str> = segments.iter().map(|segment| &*segment.name).collect();
                return error(
                    place.clone(),
                    format!("segment `{name}` is not described"),
                    format!("describe it, or use one of: {}", names.join(", ")),
                );
            };
            items.push(TemplateItem::Segment(index));
            rest = after;
        } else {
            let len = rest.find('<').unwrap_or(rest.len());
            let literal = &rest[..len];
            if !literal.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'>') {
                return error(
                    place.clone(),
                    format!("invalid literal `{}`", literal.escape_default()),
                    "use printable ASCII without spaces, `<` and `>`",
                );
            }
            items.push(TemplateItem::Literal(literal.as_bytes().into()));
            rest = &rest[len..];
        }
    }
    Ok(items)
}

/// Checks a pattern as a whole.
fn check_pattern(items: &[TemplateItem], segments: &[Segment]) -> Result<(), FormatError> {
    if items.len() > MAX_PIECES {
        return error(
            FormatPart::Pattern,
            format!("the format has {} pieces", items.len()),
            format!("use at most {MAX_PIECES}"),
        );
    }
    let used: Vec<usize> = items
        .iter()
        .filter_map(|item| match item {
            TemplateItem::Segment(index) => Some(*index),
            TemplateItem::Literal(_) => None,
        })
        .collect();
    for (at, index) in used.iter().enumerate() {
        if used[..at].contains(index) {
            return error(
                FormatPart::Pattern,
                format!("segment `{}` occurs twice in the format", segments[*index].name),
                "describe the second one under another name",
            );
        }
    }
    let ranged = |index: &&usize| matches!(segments[**index].lengths, Lengths::Range { .. });
    if used.iter().filter(ranged).count() > 1 {
        return error(
            FormatPart::Pattern,
            "more than one segment has a range of lengths",
            "list the lengths of all but one of them",
        );
    }
    if let Some(unused) = (0..segments.len()).find(|index| !used.contains(index)) {
        let name = &segments[unused].name;
        return error(
            FormatPart::Segment(name.clone()),
            format!("segment `{name}` is described but not used"),
            format!("add <{name}> to the format or remove its description"),
        );
    }
    Ok(())
}

/// Expands the listed lengths into layouts, the first-listed lengths first.
fn expand(items: &[TemplateItem], segments: &[Segment]) -> Result<Vec<Layout>, FormatError> {
    let mut layouts =
        vec![Layout { pieces: Vec::new(), fixed_len: 0, variable: None, plans: Vec::new() }];
    for item in items {
        let mut longer = Vec::new();
        for layout in &layouts {
            let mut push = |piece, fixed, variable: Option<LengthRange>| {
                let mut next = layout.clone();
                next.pieces.push(piece);
                next.fixed_len += fixed;
                next.variable = next.variable.or(variable);
                longer.push(next);
            };
            match item {
                TemplateItem::Literal(bytes) => {
                    push(Piece::Literal(bytes.clone()), bytes.len(), None);
                }
                TemplateItem::Segment(index) => match &segments[*index].lengths {
                    Lengths::OneOf(lengths) => {
                        for &len in lengths {
                            push(Piece::Segment { index: *index, len: Some(len) }, len, None);
                        }
                    }
                    &Lengths::Range { min, max } => {
                        let piece = Piece::Segment { index: *index, len: None };
                        push(piece, 0, Some(LengthRange { min, max }));
                    }
                },
            }
        }
        layouts = longer;
        if layouts.len() > MAX_LAYOUTS {
            return error(
                FormatPart::Pattern,
                format!("the listed lengths make {} layouts", layouts.len()),
                format!("use at most {MAX_LAYOUTS}"),
            );
        }
    }
    if let Some(layout) = layouts.iter().find(|layout| layout.max_len() > MAX_TOKEN_LEN) {
        return error(
            FormatPart::Pattern,
            format!("a token could be {} bytes long", layout.max_len()),
            format!("use at most {MAX_TOKEN_LEN}"),
        );
    }
    for segment in segments {
        if let Kind::Checksum(checksum) = &segment.kind {
            layouts.iter_mut().for_each(|layout| layout.plans = plans(layout, checksum));
        }
    }
    Ok(layouts)
}

/// Plans the CRC-32 of every coverage, if all lengths are fixed.
fn plans(layout: &Layout, checksum: &Checksum) -> Vec<CrcPlan> {
    let is_plain = checksum.codec.is_none() && checksum.is_number();
    if checksum.algorithm != Algorithm::Crc32 || !is_plain || layout.variable.is_some() {
        return Vec::new();
    }
    let len = |item: &TemplateItem| match item {
        TemplateItem::Literal(bytes) => bytes.len(),
        TemplateItem::Segment(wanted) => layout
            .pieces
            .iter()
            .find_map(|piece| match piece {
                Piece::Segment { index, len } if index == wanted => *len,
                _ => None,
            })
            .unwrap_or(0),
    };
    let plan = |coverage: &Coverage| {
        let mut plan = CrcPlan { constant: 0, terms: Vec::new() };
        let mut after = 0;
        for item in coverage.items.iter().rev() {
            let shift = (after > 0).then(|| Shift::new(after));
            after += len(item);
            match item {
                TemplateItem::Literal(bytes) => {
                    let own = crc32fast::hash(bytes);
                    plan.constant ^= shift.map_or(own, |shift| shift.apply(own));
                }
                TemplateItem::Segment(segment) => {
                    plan.terms.push(CrcTerm { segment: *segment, shift });
                }
            }
        }
        plan
    };
    checksum.over.iter().map(plan).collect()
}
