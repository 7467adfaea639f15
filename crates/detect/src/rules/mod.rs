//! Rules: the formats of tokens.
//!
//! Input: the texts of TOML files, one per issuer. Output: a [`RuleSet`]. A rule states a format as its
//! vendor documents it; a new format with a checksum needs a new file, no new code. This module reads no
//! files and searches nothing.

mod compile;
mod error;
mod file;
pub mod line_column;
pub mod quote;
mod rule;
pub mod selftest;
mod verifier;

use compile::VectorCheck;
pub use error::RuleError;
pub use rule::{Rule, Vector, VectorError};
pub use verifier::Verifier;

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::ops::Index;
use std::path::Path;

/// The position of a rule in its [`RuleSet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RuleIndex(pub usize);

/// The rules of a scan, in a fixed order.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
}

impl RuleSet {
    /// Adds the rules in the text of one file. Errors name `path`.
    ///
    /// # Errors
    /// An error in the text, or a duplicate id.
    pub fn add_text(&mut self, path: &Path, text: &str) -> Result<(), RuleError> {
        self.add(path, text, VectorCheck::AtOnce)
    }

    /// Adds the rules in the text of one file, like [`RuleSet::add_text`], without checking that their vectors
    /// match. For built-in rules, [`selftest::check`] does so in a test, and not at every start.
    ///
    /// # Errors
    /// Another error in the text, or a duplicate id.
    pub fn add_builtin(&mut self, path: &Path, text: &str) -> Result<(), RuleError> {
        self.add(path, text, VectorCheck::InTests)
    }

    fn add(&mut self, path: &Path, text: &str, vectors: VectorCheck) -> Result<(), RuleError> {
        for rule in compile::compile(path, text, vectors)? {
            if self.rules.iter().any(|known| known.id == rule.id) {
                return Err(RuleError::Duplicate { path: path.to_owned(), id: rule.id });
            }
            self.rules.push(rule);
        }
        Ok(())
    }

    /// Fails unless a rule has this group.
    ///
    /// # Errors
    /// No rule has the group.
    pub fn require_group(&self, name: &str) -> Result<(), RuleError> {
        if self.groups().any(|known| known == name) {
            return Ok(());
        }
        let known = self.groups().map(str::to_owned).collect();
        Err(RuleError::UnknownGroup { name: name.to_owned(), known })
    }

    /// Lists the groups of rules.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        let groups: BTreeSet<&str> =
            self.rules.iter().filter_map(|rule| rule.group.as_deref()).collect();
        groups.into_iter()
    }

    /// Removes the rule with this id.
    ///
    /// # Errors
    /// No rule has the id.
    pub fn remove(&mut self, id: &str) -> Result<(), RuleError> {
        self.require(id)?;
        self.rules.retain(|rule| rule.id != id);
        Ok(())
    }

    /// Fails unless a rule has this id.
    ///
    /// # Errors
    /// No rule has the id.
    pub fn require(&self, id: &str) -> Result<(), RuleError> {
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

    /// Returns a set of only the rules with these ids.
    ///
    /// # Errors
    /// An id that no rule has.
    pub fn restricted_to(&self, ids: &[String]) -> Result<Self, RuleError> {
        ids.iter().try_for_each(|id| self.require(id))?;
        let kept = self.rules.iter().filter(|rule| ids.contains(&rule.id));
        Ok(Self { rules: kept.cloned().collect() })
    }

    /// Returns the rules with these ids, in any group. Without ids, returns those of these groups and those
    /// without a group.
    ///
    /// # Errors
    /// An id that no rule has.
    pub fn selected(mut self, ids: &[String], groups: &[String]) -> Result<Self, RuleError> {
        if !ids.is_empty() {
            return self.restricted_to(ids);
        }
        self.keep_groups(groups);
        Ok(self)
    }

    /// Removes the rules of other groups than these. Rules without a group remain.
    pub fn keep_groups(&mut self, groups: &[String]) {
        self.rules.retain(|rule| rule.group.as_ref().is_none_or(|it| groups.contains(it)));
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

    /// Lists the positions of the rules.
    pub fn indices(&self) -> impl Iterator<Item = RuleIndex> + use<> {
        (0..self.rules.len()).map(RuleIndex)
    }

    /// Returns `true` if a rule has a verifier.
    pub(crate) fn has_verifier(&self) -> bool {
        self.rules.iter().any(|rule| rule.verifier.is_some())
    }

    /// Returns the maximum length of a token of any rule, in bytes.
    #[must_use]
    pub fn max_len(&self) -> usize {
        self.rules.iter().map(|rule| rule.format.max_len()).max().unwrap_or(0)
    }
}

impl Index<RuleIndex> for RuleSet {
    type Output = Rule;

    fn index(&self, index: RuleIndex) -> &Rule {
        &self.rules[index.0]
    }
}

#[cfg(test)]
mod tests;
