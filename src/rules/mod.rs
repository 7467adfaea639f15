//! Rules: which tokens there are. In come TOML files, one per issuer; out comes a [`RuleSet`].
//!
//! The built-in files lie in `rules/` and are part of the binary. A rule reads like the vendor's
//! page; a new checksummed format is a new file there, not new code. The module does not search:
//! that is `detect`.

mod compile;
mod file;
pub(crate) mod place;
pub mod selftest;

use crate::decode;
use crate::regular::{self, Links, MAX_TEXT};
use ddpatrol_token::format::{Check, Format};
use ddpatrol_token::{Kind, Uuid};
use std::path::{Path, PathBuf};

/// The rule files that are part of the binary.
const BUILTIN: [(&str, &str); 7] = [
    ("rules/atlassian.toml", include_str!("../../rules/atlassian.toml")),
    ("rules/datadog.toml", include_str!("../../rules/datadog.toml")),
    ("rules/github.toml", include_str!("../../rules/github.toml")),
    ("rules/gitlab.toml", include_str!("../../rules/gitlab.toml")),
    ("rules/npm.toml", include_str!("../../rules/npm.toml")),
    ("rules/vercel.toml", include_str!("../../rules/vercel.toml")),
    ("rules/zuplo.toml", include_str!("../../rules/zuplo.toml")),
];

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

/// Why rules could not be used.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// A rule file is wrong.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Fault {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// What is wrong and what would be right.
        message: String,
    },
    /// A rule file or folder could not be read.
    #[error("cannot read rules from {}", path.display())]
    Unread {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A folder holds no rule file.
    #[error("no rules in {}: a folder of rules holds files that end in .toml", .0.display())]
    NoRules(PathBuf),
    /// Two rules have one id.
    #[error("{}: rule `{id}` exists already; give it an id of its own", path.display())]
    Twice {
        /// The file of the second.
        path: PathBuf,
        /// The id.
        id: String,
    },
    /// No rule has this id.
    #[error("there is no rule `{id}`; `ddpatrol rules list` shows them{}", suggestion(near))]
    Unknown {
        /// The id.
        id: String,
        /// The ids that resemble it.
        near: Vec<String>,
    },
}

fn suggestion(near: &[String]) -> String {
    if near.is_empty() { String::new() } else { format!(", did you mean {}?", near.join(" or ")) }
}

/// The rules of a scan, in a fixed order.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
}

impl RuleSet {
    /// Compiles the built-in rules.
    ///
    /// # Errors
    /// None in a released binary: the tests compile the same files.
    pub fn builtin() -> Result<Self, RuleError> {
        let mut set = Self::default();
        for (path, text) in BUILTIN {
            set.add_text(Path::new(path), text)?;
        }
        Ok(set)
    }

    /// Adds the rules of one file's text; `path` is for errors.
    ///
    /// # Errors
    /// A fault in the text, or an id that exists already.
    pub fn add_text(&mut self, path: &Path, text: &str) -> Result<(), RuleError> {
        for rule in compile::compile(path, text)? {
            if self.rules.iter().any(|known| known.id == rule.id) {
                return Err(RuleError::Twice { path: path.to_owned(), id: rule.id });
            }
            self.rules.push(rule);
        }
        Ok(())
    }

    /// Adds the rules of a file, or of all files in a folder that end in `.toml`, by name.
    ///
    /// # Errors
    /// An unreadable path, a folder without rules, or what [`RuleSet::add_text`] refuses.
    pub fn add_path(&mut self, path: &Path, links: Links) -> Result<(), RuleError> {
        let unread = |path: &Path| {
            let path = path.to_owned();
            move |source| RuleError::Unread { path, source }
        };
        let mut files = Vec::new();
        if std::fs::metadata(path).map_err(unread(path))?.is_dir() {
            for entry in std::fs::read_dir(path).map_err(unread(path))? {
                let file = entry.map_err(unread(path))?.path();
                if file.extension().is_some_and(|extension| extension == "toml") {
                    files.push(file);
                }
            }
            files.sort();
            if files.is_empty() {
                return Err(RuleError::NoRules(path.to_owned()));
            }
        } else {
            files.push(path.to_owned());
        }
        for file in files {
            let bytes = regular::read(&file, links, MAX_TEXT).map_err(unread(&file))?;
            let text = decode::text(bytes).map_err(|error| unread(&file)(error.into()))?;
            self.add_text(&file, &text)?;
        }
        Ok(())
    }

    /// Leaves out the rule with this id.
    ///
    /// # Errors
    /// No rule has it.
    pub fn leave_out(&mut self, id: &str) -> Result<(), RuleError> {
        self.known(id)?;
        self.rules.retain(|rule| rule.id != id);
        Ok(())
    }

    /// Requires that a rule has this id.
    fn known(&self, id: &str) -> Result<(), RuleError> {
        if self.get(id).is_some() {
            return Ok(());
        }
        let near = self.rules.iter().map(|rule| &rule.id).filter(|known| {
            let parts = id.split('-').filter(|part| part.len() > 2);
            known.contains(id) || parts.into_iter().any(|part| known.contains(part))
        });
        let near = near.take(4).cloned().collect();
        Err(RuleError::Unknown { id: id.to_owned(), near })
    }

    /// Keeps only the rules with these ids.
    ///
    /// # Errors
    /// An id that no rule has.
    pub fn restricted_to(&self, ids: &[String]) -> Result<Self, RuleError> {
        ids.iter().try_for_each(|id| self.known(id))?;
        let kept = self.rules.iter().filter(|rule| ids.contains(&rule.id));
        Ok(Self { rules: kept.cloned().collect() })
    }

    /// Returns the rule with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == id)
    }

    /// Lists the rules.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Returns the longest span that any rule can match, in bytes.
    #[must_use]
    pub fn max_len(&self) -> usize {
        self.rules.iter().map(|rule| rule.format.max_len()).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
