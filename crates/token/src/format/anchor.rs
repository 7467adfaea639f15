//! The literal by which tokens of a format are found.
//!
//! Input: the parsed pattern of a format. Output: its anchor, or an error with a remedy. It searches no text.

use super::error::{FormatError, FormatPart, error};
use super::{Lengths, Segment};
use crate::checksum::TemplateItem;

/// Minimum length of an anchor at the beginning of tokens, in bytes.
pub const MIN_HEAD_LEN: usize = 3;
/// Minimum length of an anchor in the middle of tokens, in bytes.
const MIN_MIDDLE_LEN: usize = 4;

/// The literal by which tokens of a format are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The characters.
    pub text: Box<[u8]>,
    /// The distance from the start of every token.
    pub offset: usize,
}

impl Anchor {
    /// Returns `true` if bytes have the anchor where a token that begins with them has it.
    #[must_use]
    #[inline]
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        bytes.get(self.offset..).is_some_and(|rest| rest.starts_with(&self.text))
    }

    /// Returns `true` if every token begins with the anchor.
    #[must_use]
    pub const fn is_head(&self) -> bool {
        self.offset == 0
    }
}

/// Returns the literal by which tokens are found: the one that the pattern begins with, or else the first one
/// that is long enough, if all segments before it have one length.
pub(super) fn find(items: &[TemplateItem], segments: &[Segment]) -> Result<Anchor, FormatError> {
    let mut offset = 0;
    for item in items {
        match item {
            TemplateItem::Literal(text) if offset == 0 && text.len() < MIN_HEAD_LEN => {
                return error(
                    FormatPart::Pattern,
                    format!(
                        "the literal `{}` is too short to be searched for",
                        text.escape_ascii()
                    ),
                    format!("begin with {MIN_HEAD_LEN} or more fixed characters"),
                );
            }
            TemplateItem::Literal(text) if offset == 0 || text.len() >= MIN_MIDDLE_LEN => {
                return Ok(Anchor { text: text.clone(), offset });
            }
            TemplateItem::Literal(text) => offset += text.len(),
            TemplateItem::Segment(index) => match segments[*index].lengths {
                Lengths::OneOf(ref lens) if lens.len() == 1 => offset += lens[0],
                _ => break,
            },
        }
    }
    error(
        FormatPart::Pattern,
        "the format has no literal to search for",
        format!(
            "begin with {MIN_HEAD_LEN} or more fixed characters, as in `abc_<SECRET>`, or write \
             {MIN_MIDDLE_LEN} or more after segments that have one length each"
        ),
    )
}
