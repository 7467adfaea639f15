//! A rule: the name, issuer, format and published vectors of one kind of token.
//!
//! Input: the parts of a rule, from `compile`. Output: a [`Rule`], and whether its format agrees with a
//! published [`Vector`]. This file reads no rule files.

use super::verifier::Verifier;
use ddpatrol_token::format::{Check, Format};
use ddpatrol_token::{Kind, Uuid};

/// One kind of token.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The identifier: lower-case letters, digits and `-`.
    pub id: String,
    /// The display name.
    pub name: String,
    /// The issuer.
    pub issuer: String,
    /// The URL of the issuer's documentation.
    pub documentation: Option<String>,
    /// How to revoke a token, in a sentence; `{id}` is replaced by the token's identifier.
    pub advice: Option<String>,
    /// The format.
    pub format: Format,
    /// Whether a match can be proven. If not, all matches are shaped.
    pub provable: bool,
    /// Whether the checksum has too few bits for a proof: a match of it is shaped, and a candidate whose
    /// checksum does not match is no match at all.
    pub weak: bool,
    /// Published data that the format must agree with.
    pub vectors: Vec<Vector>,
    /// The code that decides about matches instead of the format, of which only the head is searched for.
    pub verifier: Option<Verifier>,
    /// The group of a rule that is only used on request.
    pub group: Option<String>,
}

impl Rule {
    /// Returns `true` if a match can be proven, by the format or by other code.
    #[must_use]
    pub fn can_prove(&self) -> bool {
        self.provable || self.verifier.is_some()
    }

    /// Formats a token for a report, without its secret.
    #[must_use]
    pub fn redact(&self, token: &[u8]) -> String {
        match self.verifier {
            Some(verifier) => verifier.redact(token),
            None => self.format.redact(token),
        }
    }

    /// Returns how to revoke a token with this identifier.
    #[must_use]
    pub fn advice_for(&self, id: Option<Uuid>) -> Option<String> {
        let advice = self.advice.as_deref()?;
        Some(id.map_or_else(|| advice.to_owned(), |id| advice.replace("{id}", &id.to_string())))
    }
}

/// Data published by others that a rule must agree with.
#[derive(Clone, PartialEq, Eq)]
pub enum Vector {
    /// A whole token.
    Token {
        /// The token.
        token: Vec<u8>,
        /// The publisher.
        source: String,
    },
    /// A published text with the shape of a token that is none: its checksum does not match.
    Counterexample {
        /// The text.
        token: Vec<u8>,
        /// The publisher.
        source: String,
    },
    /// An identifier and its alias.
    Alias {
        /// The identifier.
        uuid: Uuid,
        /// Its alias.
        alias: String,
        /// The publisher.
        source: String,
    },
    /// A text and its checksum, encoded as in the format.
    Checksum {
        /// The covered text.
        of: String,
        /// The encoded checksum.
        checksum: String,
        /// The publisher.
        source: String,
    },
}

/// The difference between a vector and its format. Messages do not contain the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VectorError {
    /// The token has the shape, but no coverage gives its checksum.
    #[error("the checksum does not match under any coverage")]
    Checksum,
    /// A part of the token has another shape.
    #[error("{name}: {note}")]
    Part {
        /// The part.
        name: String,
        /// Its fault.
        note: String,
    },
    /// The token has another shape.
    #[error("the token has another shape")]
    Shape,
    /// The counter-example is a token.
    #[error("the checksum of a counter-example matches")]
    Counterexample,
    /// The format has no alias.
    #[error("the format has no segment that decodes to a uuid")]
    NoUuid,
    /// The identifier has another alias.
    #[error("the alias is not that of {uuid}")]
    Alias {
        /// The identifier.
        uuid: Uuid,
    },
    /// The format has no checksum.
    #[error("the format has no checksum")]
    NoChecksum,
    /// The text has another checksum. The text may be a secret, and the published checksum, too.
    #[error("the checksum is `{computed}`")]
    Computed {
        /// The checksum under the format.
        computed: String,
    },
    /// The verifier rejects a token.
    #[error("the verifier does not confirm the token")]
    Unconfirmed,
    /// The verifier accepts a counter-example.
    #[error("the verifier confirms a counter-example")]
    Confirmed,
    /// The vector is of a kind that a verifier cannot check.
    #[error("a verifier accepts only vectors with a `token`")]
    NoToken,
}

impl std::fmt::Debug for Vector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vector").field("source", &self.source()).finish_non_exhaustive()
    }
}

impl Vector {
    /// Returns `true` if the vector confirms the checksum of its format.
    #[must_use]
    pub const fn confirms_checksum(&self) -> bool {
        matches!(self, Self::Token { .. } | Self::Checksum { .. })
    }

    /// Returns the publisher.
    #[must_use]
    pub fn source(&self) -> &str {
        match self {
            Self::Token { source, .. }
            | Self::Counterexample { source, .. }
            | Self::Alias { source, .. }
            | Self::Checksum { source, .. } => source,
        }
    }

    /// Checks that `format` agrees with the vector, or `verifier`, if there is one.
    ///
    /// # Errors
    /// The difference.
    pub fn verify(&self, format: &Format, verifier: Option<Verifier>) -> Result<(), VectorError> {
        if let Some(verifier) = verifier {
            return self.verify_by(verifier);
        }
        match self {
            Self::Token { token, .. } => match format.check(token) {
                Check::Proven { .. } => Ok(()),
                Check::Shaped { .. } if format.checksum().is_none() => Ok(()),
                Check::Shaped { .. } => Err(VectorError::Checksum),
                Check::NoMatch => {
                    let explanation = format.explain(token);
                    let fault = explanation.parts.iter().find(|part| !part.holds);
                    Err(fault.map_or(VectorError::Shape, |part| VectorError::Part {
                        name: part.name.clone(),
                        note: part.note.clone(),
                    }))
                }
            },
            Self::Counterexample { token, .. } => match format.check(token) {
                Check::Proven { .. } => Err(VectorError::Counterexample),
                Check::Shaped { .. } | Check::NoMatch => Ok(()),
            },
            Self::Alias { uuid, alias, .. } => {
                if !format.segments().iter().any(|segment| segment.kind == Kind::Uuid) {
                    return Err(VectorError::NoUuid);
                }
                if Uuid::from_alias(alias.as_bytes()) == Some(*uuid) {
                    Ok(())
                } else {
                    Err(VectorError::Alias { uuid: *uuid })
                }
            }
            Self::Checksum { of, checksum, .. } => {
                let declared = format.checksum().ok_or(VectorError::NoChecksum)?;
                let encoded = declared.compute(of.as_bytes());
                if encoded == *checksum {
                    Ok(())
                } else {
                    Err(VectorError::Computed { computed: encoded })
                }
            }
        }
    }

    /// Checks that a verifier agrees with the vector.
    fn verify_by(&self, verifier: Verifier) -> Result<(), VectorError> {
        match self {
            Self::Token { token, .. } if verifier.proves(token) => Ok(()),
            Self::Token { .. } => Err(VectorError::Unconfirmed),
            Self::Counterexample { token, .. } if verifier.proves(token) => {
                Err(VectorError::Confirmed)
            }
            Self::Counterexample { .. } => Ok(()),
            Self::Alias { .. } | Self::Checksum { .. } => Err(VectorError::NoToken),
        }
    }
}
