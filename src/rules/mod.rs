//! Rules: which tokens there are. In come TOML files, one per issuer; out comes a [`RuleSet`].
//!
//! The built-in files lie in `rules/` and are part of the binary. A rule reads like the vendor's
//! page; a new checksummed format is a new file there, not new code. The module does not search:
//! that is `detect`.

mod compile;
mod error;
mod file;
pub(crate) mod place;
mod rule;
pub mod selftest;

pub use error::RuleError;
pub use rule::{Rule, Vector};

use crate::decode;
use crate::regular::{self, Links, MAX_TEXT};
use std::path::Path;

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
