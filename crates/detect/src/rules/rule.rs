//! One rule: what a kind of token is called and looks like, and what was published about it.
//!
//! Input: the parts of a rule, from `compile`. Output: a [`Rule`], and whether its format agrees with
//! a published [`Vector`]. This file reads no rule files.

use ddpatrol_token::format::{Check, Format};
use ddpatrol_token::{Kind, Uuid};

/// One kind of token.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The identifier: lower-case letters, digits and `-`.
    pub id: String,
    /// What people call the token.
    pub name: String,
    /// Who issues it.
    pub issuer: String,
    /// Where the issuer describes it.
    pub documentation: Option<String>,
    /// How it is revoked, in a sentence; `{id}` stands for the token's identifier.
    pub advice: Option<String>,
    /// Its format.
    pub format: Format,
    /// Whether a match can be proven; otherwise it is shaped at best.
    pub provable: bool,
    /// What was published by others and must hold.
    pub vectors: Vec<Vector>,
}

impl Rule {
    /// Returns how a token with this identifier is revoked.
    #[must_use]
    pub fn advice_for(&self, id: Option<Uuid>) -> Option<String> {
        let advice = self.advice.as_deref()?;
        Some(id.map_or_else(|| advice.to_owned(), |id| advice.replace("{id}", &id.to_string())))
    }
}

/// Something published by someone else that a rule must agree with.
#[derive(Clone, PartialEq, Eq)]
pub enum Vector {
    /// A whole token.
    Token {
        /// The token.
        token: Vec<u8>,
        /// Who published it.
        source: String,
    },
    /// An identifier and the alias that spells it.
    Alias {
        /// The identifier.
        uuid: Uuid,
        /// Its alias.
        alias: String,
        /// Who published them.
        source: String,
    },
    /// A text and its checksum in the format's spelling.
    Checksum {
        /// The covered text.
        of: String,
        /// The spelled checksum.
        checksum: String,
        /// Who published them.
        source: String,
    },
}

impl std::fmt::Debug for Vector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vector").field("source", &self.source()).finish_non_exhaustive()
    }
}

impl Vector {
    /// Returns who published it.
    #[must_use]
    pub fn source(&self) -> &str {
        match self {
            Self::Token { source, .. }
            | Self::Alias { source, .. }
            | Self::Checksum { source, .. } => source,
        }
    }

    /// Checks that `format` agrees with what was published.
    ///
    /// # Errors
    /// What disagrees, in words; never the token itself.
    pub fn verify(&self, format: &Format) -> Result<(), String> {
        match self {
            Self::Token { token, .. } => match format.check(token) {
                Check::Proven { .. } => Ok(()),
                Check::Shaped { .. } if format.checksum().is_none() => Ok(()),
                Check::Shaped { .. } => Err("its checksum fails under every coverage".to_owned()),
                Check::Unlike => {
                    let explanation = format.explain(token);
                    let fault = explanation.parts.iter().find(|part| !part.holds);
                    Err(fault.map_or_else(
                        || "it has another shape".to_owned(),
                        |part| format!("{}: {}", part.name, part.note),
                    ))
                }
            },
            Self::Alias { uuid, alias, .. } => {
                if !format.segments().iter().any(|segment| segment.kind == Kind::Uuid) {
                    return Err("the format has no segment that decodes to a uuid".to_owned());
                }
                if Uuid::from_alias(alias.as_bytes()) == Some(*uuid) {
                    Ok(())
                } else {
                    Err(format!("`{alias}` does not spell {uuid}"))
                }
            }
            Self::Checksum { of, checksum, .. } => {
                let declared = format.checksum().ok_or("the format has no checksum")?;
                let spelled = declared.compute(of.as_bytes());
                if spelled == *checksum {
                    Ok(())
                } else {
                    Err(format!("the checksum of `{of}` is `{spelled}`, not `{checksum}`"))
                }
            }
        }
    }
}
