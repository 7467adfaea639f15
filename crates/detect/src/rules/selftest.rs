//! Checks every rule against itself and against what others published: `rules check`.
//!
//! For each rule: samples of every layout, length and coverage are minted and must verify; each
//! sample with one character changed must not; the published vectors must hold. A rule that only
//! verifies what it minted itself proves nothing, so a provable rule without a vector is refused
//! when it is loaded.

use super::rule::Rule;
use ddpatrol_token::Check;
use ddpatrol_token::mint::{RandomError, system_random};

/// What the check of one rule found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How many samples were minted and verified.
    pub samples: usize,
    /// How many damaged samples were refused.
    pub damaged: usize,
    /// How many published vectors held.
    pub vectors: usize,
    /// What went wrong, in words.
    pub faults: Vec<String>,
}

/// Checks one rule.
///
/// # Errors
/// [`RandomError`] where the system's random source fails.
pub fn check(rule: &Rule) -> Result<Outcome, RandomError> {
    let mut outcome = Outcome::default();
    for vector in &rule.vectors {
        match vector.verify(&rule.format) {
            Ok(()) => outcome.vectors += 1,
            Err(what) => outcome.faults.push(format!("vector from {}: {what}", vector.source())),
        }
    }
    let mut failed = None;
    let mut fill = |bytes: &mut [u8]| {
        if failed.is_none() {
            failed = system_random(bytes).err();
        }
        if failed.is_some() {
            // Any bytes end the drawing of characters; the failure is returned below.
            bytes.fill(0);
        }
    };
    for choice in rule.format.choices() {
        let sample = rule.format.mint(choice, &mut fill);
        let token = sample.expose();
        let expected = |check| match check {
            Check::Proven { .. } => true,
            Check::Shaped { .. } => rule.format.checksum().is_none(),
            Check::Unlike => false,
        };
        if expected(rule.format.check(token)) {
            outcome.samples += 1;
        } else {
            outcome.faults.push(format!("a minted sample does not verify ({choice:?})"));
        }
        // What is covered by the checksum, and the checksum itself, cannot change unnoticed.
        if rule.format.checksum().is_some() {
            refuse_damage(rule, token, &mut outcome);
        }
    }
    failed.map_or(Ok(outcome), Err)
}

/// Changes every character that the checksum protects, one at a time.
fn refuse_damage(rule: &Rule, token: &[u8], outcome: &mut Outcome) {
    let Check::Proven { split, coverage } = rule.format.check(token) else {
        return;
    };
    for at in rule.format.protected(split, coverage) {
        let mut damaged = token.to_vec();
        damaged[at] = if damaged[at] == b'a' { b'b' } else { b'a' };
        if matches!(rule.format.check(&damaged), Check::Proven { .. }) {
            outcome.faults.push(format!("a sample with character {} changed verifies", at + 1));
        } else {
            outcome.damaged += 1;
        }
    }
}
