//! The proven tokens of a saved report, for their issuers.
//!
//! Input: a saved report, which is untrusted. Output: its proven tokens, if every field about them is
//! consistent. This file does not parse the report ([`super::document::read`] does) and sends nothing.

use super::document::{Record, SavedReport};
use super::text::place_name;
use ddpatrol_detect::Evidence;
use ddpatrol_detect::rules::{Rule, RuleSet};
use ddpatrol_scan::finding::Fingerprint;
use ddpatrol_token::{Check, Secret, Uuid};
use std::collections::HashMap;

/// The number of the first proven finding that is inconsistent with itself or an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("proven finding {0} is inconsistent, so the report was modified")]
pub struct InconsistentFinding(usize);

/// Returns the proven findings that are not suppressed; each token is returned once.
///
/// # Errors
/// A finding is inconsistent: neither its token nor its identifier may be sent to an issuer.
pub fn proven_tokens(
    saved: SavedReport,
    rules: &RuleSet,
) -> Result<Vec<SavedToken>, InconsistentFinding> {
    let SavedReport { document, secrets } = saved;
    let places: Vec<String> =
        document.findings.iter().map(|it| place_name(it, &document)).collect();
    let all = document.findings.into_iter().zip(secrets).zip(places);
    let proven = all
        .map(|((record, secret), place)| SavedToken { record, secret, place })
        .filter(|it| it.record.evidence == Evidence::Proven && it.record.suppression.is_none());
    let mut kept: Vec<SavedToken> = Vec::new();
    let mut known = HashMap::new();
    for (index, finding) in proven.enumerate() {
        if !finding.is_consistent(rules) {
            return Err(InconsistentFinding(index + 1));
        }
        let key = (finding.record.rule.clone(), finding.record.fingerprint.clone());
        let first = *known.entry(key).or_insert(kept.len());
        match kept.get_mut(first) {
            None => kept.push(finding),
            Some(kept) if kept.record.token == finding.record.token => {
                kept.secret = kept.secret.take().or(finding.secret);
            }
            Some(_) => return Err(InconsistentFinding(index + 1)),
        }
    }
    Ok(kept)
}

/// A proven token of a saved report.
#[derive(Debug)]
pub struct SavedToken {
    /// Its finding.
    pub record: Record,
    /// The token itself, if the report shows secrets.
    pub secret: Option<Secret>,
    /// Its place, as in the text report.
    pub place: String,
}

impl SavedToken {
    /// Returns `true` if all fields about the token are consistent. Neither an inconsistent token nor its
    /// identifier is sent to an issuer.
    fn is_consistent(&self, rules: &RuleSet) -> bool {
        let token = &self.record.token;
        let is_identified = match (&token.alias, &token.uuid) {
            (None, None) => true,
            (Some(alias), Some(uuid)) => {
                let encoded = Uuid::from_alias(alias.as_bytes());
                encoded.is_some() && encoded == Uuid::parse(uuid) && token.redacted.contains(alias)
            }
            _ => false,
        };
        is_identified
            && self.secret.as_ref().is_none_or(|secret| self.describes(secret.expose(), rules))
    }

    /// Returns `true` if fingerprint, rule, identifier and redacted form match this token.
    fn describes(&self, secret: &[u8], rules: &RuleSet) -> bool {
        Fingerprint::of(secret).to_string() == self.record.fingerprint
            // No provider accepts tokens of unknown rules.
            && rules.get(&self.record.rule).is_none_or(|rule| self.agrees(rule, secret))
    }

    fn agrees(&self, rule: &Rule, secret: &[u8]) -> bool {
        let Check::Proven { split, .. } = rule.format.check(secret) else { return false };
        let uuid = rule.format.uuid(split, secret).map(|(uuid, _)| uuid);
        let token = &self.record.token;
        uuid == token.uuid.as_deref().and_then(Uuid::parse)
            && rule.format.redact(secret) == token.redacted
    }
}
