//! Checks a rule against minted samples and published vectors, for `rules check`.
//!
//! Input: a rule. Output: counts and errors. Samples of every layout, length and coverage are minted and
//! must verify; each sample with one character changed must not; the published vectors must match, and
//! published counter-examples must not. A rule that verifies only its own samples proves nothing, so loading refuses a provable rule without a vector.

use super::rule::{Rule, Vector};
use super::verifier::Verifier;
use ddpatrol_token::Check;
use ddpatrol_token::mint::RandomError;

/// The result of checking one rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Number of samples that were minted and verified.
    pub samples: usize,
    /// Number of damaged samples that were rejected.
    pub damaged: usize,
    /// Number of published vectors that matched.
    pub vectors: usize,
    /// Number of published counter-examples that were rejected.
    pub counterexamples: usize,
    /// Descriptions of the errors.
    pub faults: Vec<String>,
}

/// Checks one rule.
///
/// # Errors
/// [`RandomError`] where the system's random source fails.
pub fn check(rule: &Rule) -> Result<Outcome, RandomError> {
    let mut outcome = Outcome::default();
    for vector in &rule.vectors {
        match vector.verify(&rule.format, rule.verifier) {
            Ok(()) if matches!(vector, Vector::Counterexample { .. }) => {
                outcome.counterexamples += 1;
            }
            Ok(()) => outcome.vectors += 1,
            Err(what) => outcome.faults.push(format!("vector from {}: {what}", vector.source())),
        }
    }
    if let Some(verifier) = rule.verifier {
        check_verifier(rule, verifier, &mut outcome);
        return Ok(outcome);
    }
    for choice in rule.format.choices() {
        let sample = rule.format.mint_random(choice)?;
        let token = sample.expose();
        let expected = |check| match check {
            Check::Proven { .. } => true,
            Check::Shaped { .. } => rule.format.checksum().is_none(),
            Check::NoMatch => false,
        };
        if expected(rule.format.check(token)) {
            outcome.samples += 1;
        } else {
            outcome.faults.push(format!("a minted sample does not verify ({choice:?})"));
        }
        // A change to the covered characters or the checksum must not verify.
        if rule.format.checksum().is_some() {
            check_damaged(rule, token, &mut outcome);
        }
    }
    Ok(outcome)
}

/// Changes every character of the published tokens that a verifier protects, one at a time.
fn check_verifier(rule: &Rule, verifier: Verifier, outcome: &mut Outcome) {
    for vector in &rule.vectors {
        let Vector::Token { token, source } = vector else { continue };
        for at in verifier.protected(token) {
            let mut damaged = token.clone();
            damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
            if verifier.proves(&damaged) {
                let place = at + 1;
                let fault = format!("vector from {source} verifies with character {place} changed");
                outcome.faults.push(fault);
            } else {
                outcome.damaged += 1;
            }
        }
    }
}

/// Changes every character that the checksum protects, one at a time. A character is protected if one of two changes
/// does not verify: one alone may be the checksum of another seed, if two seeds differ in one byte as those of Azure
/// Cosmos DB do.
fn check_damaged(rule: &Rule, token: &[u8], outcome: &mut Outcome) {
    let Check::Proven { split, coverage } = rule.format.check(token) else {
        return;
    };
    for at in rule.format.protected(split, coverage) {
        let mut damaged = token.to_vec();
        let others = [b'a', b'b', b'c'].into_iter().filter(|&other| other != token[at]);
        let is_protected = others.take(2).any(|other| {
            damaged[at] = other;
            !rule.format.check(&damaged).is_proven()
        });
        if is_protected {
            outcome.damaged += 1;
        } else {
            let place = at + 1;
            let fault = format!("a sample verifies although character {place} was changed");
            outcome.faults.push(fault);
        }
    }
}
