//! Mints tokens: samples of any format, for `rules check` and tests.
//!
//! Random bytes come from the caller, so that samples can be repeated from a seed; an issuer
//! passes [`system_random`]. Characters are drawn without bias.

use crate::checksum::Item;
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

/// One way to spell a token of a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The index into [`Format::layouts`].
    pub layout: usize,
    /// The length of the variable segment; 0 where there is none.
    pub variable_len: usize,
    /// The index into [`crate::Checksum::over`]; 0 where there is no checksum.
    pub coverage: usize,
}

impl Format {
    /// Lists every way to spell a token: all layouts, the shortest and the longest variable
    /// segment, all coverages.
    #[must_use]
    pub fn choices(&self) -> Vec<Choice> {
        let coverages = self.checksum().map_or(1, |checksum| checksum.over.len());
        let mut choices = Vec::new();
        for (index, layout) in self.layouts().iter().enumerate() {
            let (min, max) = layout.variable().unwrap_or((0, 0));
            let lens = if min == max { vec![min] } else { vec![min, max] };
            for variable_len in lens {
                choices.extend((0..coverages).map(|coverage| Choice {
                    layout: index,
                    variable_len,
                    coverage,
                }));
            }
        }
        choices
    }

    /// Mints a token spelled as `choice` says, from random bytes that `fill` supplies.
    pub fn mint(&self, choice: Choice, fill: &mut dyn FnMut(&mut [u8])) -> Secret {
        let layout = &self.layouts()[choice.layout];
        let mut texts: Vec<Vec<u8>> = vec![Vec::new(); self.segments().len()];
        for piece in layout.pieces() {
            if let Piece::Segment(index, len) = piece {
                let segment = &self.segments()[*index];
                texts[*index] = draw(segment, len.unwrap_or(choice.variable_len), fill);
            }
        }
        for (index, segment) in self.segments().iter().enumerate() {
            let Kind::Checksum(checksum) = &segment.kind else {
                continue;
            };
            let pieces = checksum.over[choice.coverage].items.iter().map(|item| match item {
                Item::Literal(bytes) => &**bytes,
                Item::Segment(at) => &*texts[*at],
            });
            texts[index] = checksum.spell(pieces).as_bytes().to_vec();
        }
        let mut token = Vec::with_capacity(layout.max_len());
        for piece in layout.pieces() {
            match piece {
                Piece::Literal(bytes) => token.extend_from_slice(bytes),
                Piece::Segment(index, _) => token.extend_from_slice(&texts[*index]),
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
            // Bytes at or above the largest multiple of the alphabet's size would favour its
            // first characters.
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
