//! Mints tokens of any format, for `rules check` and tests.
//!
//! Input: a choice and random bytes. Output: a token. The caller supplies the random bytes, so that samples
//! are reproducible from a seed; an issuer passes [`system_random`]. Characters are drawn without bias.

use crate::checksum::TemplateItem;
use crate::format::{Format, Kind, Piece, Segment};
use crate::{Secret, Uuid};

/// The system could not supply random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system's random source failed: {0}")]
pub struct RandomError(#[from] getrandom::Error);

/// Fills `bytes` from the system's random source.
///
/// # Errors
/// [`RandomError`] where the system has no working source.
pub fn system_random(bytes: &mut [u8]) -> Result<(), RandomError> {
    Ok(getrandom::fill(bytes)?)
}

/// The layout, length and coverage of a token to mint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The index into [`Format::layouts`].
    pub layout: usize,
    /// The length of the variable segment, if the layout has one.
    pub variable_len: Option<usize>,
    /// The index into [`crate::Checksum::over`], if the format has a checksum.
    pub coverage: Option<usize>,
}

impl Format {
    /// Lists the choices for minting: all layouts, minimum and maximum length of the variable segment, all
    /// coverages.
    #[must_use]
    pub fn choices(&self) -> Vec<Choice> {
        let coverages: Vec<Option<usize>> = match self.checksum() {
            Some(checksum) => (0..checksum.over.len()).map(Some).collect(),
            None => vec![None],
        };
        let mut choices = Vec::new();
        for (index, layout) in self.layouts().iter().enumerate() {
            let lens = match layout.variable() {
                Some(range) => vec![Some(range.min), Some(range.max)],
                None => vec![None],
            };
            for variable_len in lens {
                let choice = |&coverage| Choice { layout: index, variable_len, coverage };
                choices.extend(coverages.iter().map(choice));
            }
        }
        choices
    }

    /// Mints the token that `choice` describes, from the system's random source.
    ///
    /// # Errors
    /// [`RandomError`] where the source fails.
    pub fn mint_random(&self, choice: Choice) -> Result<Secret, RandomError> {
        let mut failed = None;
        let mut fill = |bytes: &mut [u8]| {
            if failed.is_none() {
                failed = system_random(bytes).err();
            }
            if failed.is_some() {
                // Any bytes end the drawing of characters. The error is returned below.
                bytes.fill(0);
            }
        };
        let token = self.mint(choice, &mut fill);
        failed.map_or(Ok(token), Err)
    }

    /// Mints the token that `choice` describes, from random bytes that `fill` supplies.
    pub fn mint(&self, choice: Choice, fill: &mut dyn FnMut(&mut [u8])) -> Secret {
        let layout = &self.layouts()[choice.layout];
        let mut texts: Vec<Vec<u8>> = vec![Vec::new(); self.segments().len()];
        for piece in layout.pieces() {
            if let Piece::Segment { index, len } = piece {
                let segment = &self.segments()[*index];
                texts[*index] = draw(segment, len.or(choice.variable_len).unwrap_or(0), fill);
            }
        }
        for (index, segment) in self.segments().iter().enumerate() {
            let (Kind::Checksum(checksum), Some(coverage)) = (&segment.kind, choice.coverage)
            else {
                continue;
            };
            let coverage = &checksum.over[coverage];
            let pieces = coverage.items.iter().map(|item| match item {
                TemplateItem::Literal(bytes) => &**bytes,
                TemplateItem::Segment(at) => &*texts[*at],
            });
            texts[index] = checksum.encode(coverage.seed, pieces).as_bytes().to_vec();
        }
        let mut token = Vec::with_capacity(layout.max_len());
        for piece in layout.pieces() {
            match piece {
                Piece::Literal(bytes) => token.extend_from_slice(bytes),
                Piece::Segment { index, .. } => token.extend_from_slice(&texts[*index]),
            }
        }
        Secret::new(&token)
    }
}

/// Draws the characters of one segment; a checksum is computed afterwards.
fn draw(segment: &Segment, len: usize, fill: &mut dyn FnMut(&mut [u8])) -> Vec<u8> {
    match segment.kind {
        Kind::Checksum(_) => Vec::new(),
        Kind::Uuid => {
            let mut bytes = [0; 16];
            fill(&mut bytes);
            Uuid::from_random(bytes).alias().to_vec()
        }
        Kind::Text => {
            let members: Vec<u8> = segment.set.iter().collect();
            // Bytes from the largest multiple of the alphabet's size on would favour the first characters.
            let limit = 256 / members.len() * members.len();
            let mut text = Vec::with_capacity(len);
            let mut byte = [0];
            while text.len() < len {
                fill(&mut byte);
                if usize::from(byte[0]) < limit {
                    text.push(members[usize::from(byte[0]) % members.len()]);
                }
            }
            text
        }
    }
}
