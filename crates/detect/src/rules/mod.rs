//! Rules: the formats of tokens.
//!
//! Input: the texts of TOML files, one per issuer. Output: a [`RuleSet`]. A rule reads like the vendor's
//! page; a new checksummed format is a new file, not new code. This module reads no files and searches
//! nothing.

mod compile;
mod error;
mod file;
pub mod place;
mod rule;
pub mod selftest;

pub use error::RuleError;
pub use rule::{Rule, Vector};

use std::path::Path;

/// The rules of a scan, in a fixed order.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
}

impl RuleSet {
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
