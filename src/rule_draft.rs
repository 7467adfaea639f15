//! Drafts of rule files: the description of a token format, made from answers and sample tokens.
//!
//! Input: a prefix, an alphabet, lengths and a checksum, or sample tokens from which they are derived. Output:
//! the text of a rule file. Sample tokens are not part of the text unless the caller passes one as the vector.

mod detect;

pub use detect::{Samples, SamplesError};

use ddpatrol_token::mint::RandomError;
use ddpatrol_token::{Algorithm, ByteSet, Encoding, Format, FormatError, Lengths, Secret, Segment};
use std::fmt::Write as _;

/// The name of the secret part in the format.
const SECRET: &str = "SECRET";
/// The name of the checksum in the format.
const CHECKSUM: &str = "CHECKSUM";

/// A token format that is described by a few answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleDraft {
    /// The characters that every token begins with.
    pub prefix: String,
    /// The name of the alphabet of the secret part, as in rule files.
    pub alphabet: String,
    /// The possible lengths of the secret part.
    pub lengths: Vec<usize>,
    /// The checksum after the secret part, if there is one.
    pub checksum: Option<ChecksumDraft>,
}

/// The checksum of a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChecksumDraft {
    /// The characters between the secret part and the checksum.
    pub separator: String,
    /// How it is computed.
    pub algorithm: Algorithm,
    /// The name of its encoding, as in rule files.
    pub encoding: String,
    /// Its number of characters.
    pub length: usize,
    /// The covered part of the token.
    pub coverage: CoverageDraft,
}

/// The part of a token that a checksum covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoverageDraft {
    /// The secret part.
    Secret,
    /// Everything before the checksum.
    All,
    /// The prefix and the secret part, without the separator.
    PrefixAndSecret,
}

/// The names in a rule file that do not affect the format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleNames {
    /// The id of the rule.
    pub id: String,
    /// The display name.
    pub name: String,
    /// The issuer.
    pub issuer: String,
}

/// The origin of the vector of a rule file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VectorOrigin {
    /// A token of the user, which must be revoked.
    OwnToken,
    /// A token that was minted from the description. The number of sample tokens that the description
    /// verifies.
    Minted {
        /// The number of sample tokens.
        samples: usize,
    },
}

/// A token for the vector of a rule file.
#[derive(Debug)]
pub struct DraftVector<'a> {
    /// The token.
    pub token: &'a Secret,
    /// Its origin.
    pub origin: VectorOrigin,
}

impl VectorOrigin {
    /// Describes the origin in the rule file: the token is not published by somebody else.
    fn source(self) -> String {
        match self {
            Self::OwnToken => "our own token, which is revoked".to_owned(),
            Self::Minted { samples: 0 } => {
                "our own: minted from this description, no token of the issuer was compared"
                    .to_owned()
            }
            Self::Minted { samples: 1 } => {
                "our own: minted from this description, which verified a token of the issuer"
                    .to_owned()
            }
            Self::Minted { samples } => format!(
                "our own: minted from this description, which verified {samples} tokens of the issuer"
            ),
        }
    }
}

impl ChecksumDraft {
    /// Returns the coverage as in rule files.
    fn over(&self, prefix: &str) -> String {
        match self.coverage {
            CoverageDraft::Secret => format!("<{SECRET}>"),
            CoverageDraft::PrefixAndSecret => format!("{prefix}<{SECRET}>"),
            CoverageDraft::All => format!("{prefix}<{SECRET}>{}", self.separator),
        }
    }
}

impl RuleDraft {
    /// Returns the pattern of the format.
    #[must_use]
    pub fn pattern(&self) -> String {
        let Self { prefix, checksum, .. } = self;
        match checksum {
            Some(checksum) => format!("{prefix}<{SECRET}>{}<{CHECKSUM}>", checksum.separator),
            None => format!("{prefix}<{SECRET}>"),
        }
    }

    /// Builds the format.
    ///
    /// # Errors
    /// [`FormatError`] with the remedy. Unknown names of an alphabet or encoding are errors, too.
    pub fn format(&self) -> Result<Format, FormatError> {
        let set = ByteSet::parse(&self.alphabet).unwrap_or(ByteSet::EMPTY);
        let lengths = Lengths::OneOf(self.lengths.clone());
        let mut segments = vec![Segment::text(SECRET, set, lengths)];
        if let Some(checksum) = &self.checksum {
            let encoding = Encoding::parse(&checksum.encoding).unwrap_or(Encoding::Base62);
            let over = checksum.over(&self.prefix);
            let ChecksumDraft { algorithm, length, .. } = *checksum;
            segments.push(Segment::checksum(CHECKSUM, algorithm, encoding, length, &[&over]));
        }
        Format::new(&self.pattern(), segments)
    }

    /// Mints a token of the format.
    ///
    /// # Errors
    /// [`RandomError`] where the system's random source fails.
    pub fn mint(&self, format: &Format) -> Result<Secret, RandomError> {
        format.mint_random(format.choices()[0])
    }

    /// Formats the rule file. Without a vector, a rule with a checksum would not be accepted.
    #[must_use]
    pub fn to_toml(&self, names: &RuleNames, vector: Option<&DraftVector<'_>>) -> String {
        let RuleNames { id, name, issuer } = names;
        let mut text = format!(
            "# Written by `ddpatrol rules new`; docs/rules.md explains the keys.\nissuer = {}\n\n\
             [[token]]\nid = {}\nname = {}\nformat = {}\n",
            quoted(issuer),
            quoted(id),
            quoted(name),
            quoted(&self.pattern()),
        );
        if self.checksum.is_none() {
            text.push_str("evidence = \"shaped\"\n");
        }
        text.push_str(
            "#documentation = \"https://…\"\n#advice = \"How to revoke a token, in a sentence.\"\n",
        );
        let lengths: Vec<String> = self.lengths.iter().map(ToString::to_string).collect();
        let length = match &lengths[..] {
            [length] => length.clone(),
            lengths => format!("[{}]", lengths.join(", ")),
        };
        let alphabet = quoted(&self.alphabet);
        // Writing to a string does not fail.
        let _ =
            write!(text, "\n[token.segments.{SECRET}]\nalphabet = {alphabet}\nlength = {length}\n");
        if let Some(checksum) = &self.checksum {
            let _ = write!(
                text,
                "\n[token.segments.{CHECKSUM}]\nalgorithm = {}\nencoding = {}\nlength = {}\nover = [{}]\n",
                quoted(checksum.algorithm.name()),
                quoted(&checksum.encoding),
                checksum.length,
                quoted(&checksum.over(&self.prefix)),
            );
        }
        if let Some(DraftVector { token, origin }) = vector {
            let token = String::from_utf8_lossy(token.expose());
            // In two pieces, so that scanners do not find it.
            let (start, end) = token.split_at(token.len() / 2);
            let _ = write!(
                text,
                "\n[[token.vectors]]\ntoken = [{}, {}]\nsource = {}\n",
                quoted(start),
                quoted(end),
                quoted(&origin.source()),
            );
        }
        text
    }
}

/// Quotes a string for TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if character.is_control() => {
                // Writing to a string does not fail.
                let _ = write!(quoted, "\\u{:04x}", u32::from(character));
            }
            _ => quoted.push(character),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests;
