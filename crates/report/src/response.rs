//! Responses to findings: verifications and revocations in documents, and their text.
//!
//! Input: verifications and revocations, in the order of the findings. Output: records and sentences with
//! redacted text. This file contacts no issuer.

use super::document::{Document, Record, RevocationRecord, VerdictCounts, VerificationRecord};
use super::text::place_name;
use ddpatrol_detect::redact::Redactor;
use ddpatrol_respond::{Revocation, RevocationOutcome, Verdict, Verification};

/// The response to one finding.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// Whether its token is live, if that was verified.
    pub verification: Option<Verification>,
    /// The outcome of its revocation, if that was requested.
    pub revocation: Option<Revocation>,
}

impl Document {
    /// Adds responses to the findings; `responses` are in the order of the findings.
    pub fn add_responses(&mut self, responses: &[Response], redactor: &Redactor) {
        let mut masker = redactor.masker();
        let mut clean = |text: &str| masker.clean(text.as_bytes());
        for (record, response) in self.findings.iter_mut().zip(responses) {
            record.verification = response.verification.as_ref().map(|it| VerificationRecord {
                verdict: it.verdict,
                reason: clean(&it.reason),
                login: it.grant.login.as_deref().map(&mut clean),
                scopes: it
                    .grant
                    .scopes
                    .as_ref()
                    .map(|scopes| scopes.iter().map(|it| clean(it)).collect()),
                expires_at: it.grant.expires_at.as_deref().map(&mut clean),
            });
            record.revocation = response
                .revocation
                .as_ref()
                .map(|it| RevocationRecord { outcome: it.outcome, detail: clean(&it.detail) });
        }
        self.summary.verified = VerdictCounts::of(&self.findings);
    }

    /// Formats the outcomes of revocations that `earlier` responses do not contain, one line each, and then
    /// the counts of all revocations.
    #[must_use]
    pub fn new_revocation_lines(&self, earlier: &[Response]) -> Vec<String> {
        let records = self.findings.iter().zip(earlier);
        let new = records.filter(|(_, earlier)| earlier.revocation.is_none());
        let line = |record: &Record| {
            let RevocationRecord { outcome, detail } = record.revocation.as_ref()?;
            let (place, token) = (place_name(record, self), &record.token.redacted);
            Some(format!("{place}: {token}: {}: {}", outcome.words(), detail.text()))
        };
        let lines = new.filter_map(|(record, _)| line(record));
        lines.chain(revocation_counts(outcomes(&self.findings))).collect()
    }
}

impl Record {
    /// Formats the responses, one line each.
    #[must_use]
    pub fn response_lines(&self) -> Vec<String> {
        let verified = self.verification.as_ref().map(|it| match it.verdict {
            Verdict::Unknown => format!("liveness unknown: {}", it.reason.text()),
            verdict => format!("verified {verdict}: {}", it.reason.text()),
        });
        let revoked = self
            .revocation
            .as_ref()
            .map(|it| format!("{}: {}", it.outcome.words(), it.detail.text()));
        let grant = self.verification.as_ref().and_then(VerificationRecord::grant);
        verified.into_iter().chain(grant).chain(revoked).collect()
    }

    /// Returns `true` if an issuer accepted the token.
    #[must_use]
    pub fn is_verified_live(&self) -> bool {
        self.verification.as_ref().is_some_and(|it| it.verdict == Verdict::Live)
    }

    /// Returns `true` if the token was verified without a conclusive answer.
    #[must_use]
    pub fn liveness_is_unknown(&self) -> bool {
        self.verification.as_ref().is_some_and(|it| it.verdict == Verdict::Unknown)
    }

    /// Returns `true` if the token is known to be dead or revoked.
    #[must_use]
    pub fn is_dead_or_revoked(&self) -> bool {
        let is_dead = self.verification.as_ref().is_some_and(|it| it.verdict == Verdict::Dead);
        let is_revoked = self.revocation.as_ref().is_some_and(|it| {
            matches!(it.outcome, RevocationOutcome::Revoked | RevocationOutcome::AlreadyDead)
        });
        is_dead || is_revoked
    }
}

/// Returns summary sentences of verifications and revocations.
#[must_use]
pub fn response_summary(findings: &[Record]) -> Vec<String> {
    let verdicts: Vec<Verdict> =
        findings.iter().filter_map(|it| it.verification.as_ref()).map(|it| it.verdict).collect();
    let mut lines = Vec::new();
    let verdict = |of| verdicts.iter().filter(|&&it| it == of).count();
    lines.extend(
        counted(&[
            (verdict(Verdict::Live), "live"),
            (verdict(Verdict::Dead), "dead"),
            (verdict(Verdict::Unknown), "unknown"),
        ])
        .map(|parts| format!("Verified: {parts}.")),
    );
    lines.extend(revocation_counts(outcomes(findings)));
    lines
}

fn outcomes(findings: &[Record]) -> impl Iterator<Item = RevocationOutcome> {
    findings.iter().filter_map(|it| it.revocation.as_ref()).map(|it| it.outcome)
}

/// Formats the counts of revocations, unless there are none.
#[must_use]
pub fn revocation_counts(outcomes: impl Iterator<Item = RevocationOutcome>) -> Option<String> {
    let mut all =
        [(0, "revoked"), (0, "already dead"), (0, "would be revoked"), (0, "not revoked")];
    for outcome in outcomes {
        let at = match outcome {
            RevocationOutcome::Revoked => 0,
            RevocationOutcome::AlreadyDead => 1,
            RevocationOutcome::Planned => 2,
            RevocationOutcome::Failed
            | RevocationOutcome::CannotRevoke
            | RevocationOutcome::Declined => 3,
        };
        all[at].0 += 1;
    }
    counted(&all).map(|parts| format!("Revocation: {parts}."))
}

/// Formats counts that are not zero; `None` if all are.
fn counted(parts: &[(usize, &str)]) -> Option<String> {
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts.map(|(count, word)| format!("{count} {word}")).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::*;
    use ddpatrol_respond::Grant;

    #[test]
    fn responses_belong_to_the_findings_in_their_order_and_are_masked() {
        let secret = token(7);
        let mut document = document(vec![record(vec![]), record(vec![])]);
        let grant = Grant {
            login: Some(secret.clone()),
            scopes: Some(vec!["repo".to_owned(), secret.clone()]),
            expires_at: Some(secret.clone()),
        };
        let verification =
            Verification { grant, ..Verification::new(Verdict::Live, secret.clone()) };
        let revocation =
            Revocation { outcome: RevocationOutcome::Failed, detail: format!("no {secret}") };
        let responses = [
            Response::default(),
            Response { verification: Some(verification), revocation: Some(revocation) },
        ];
        document.add_responses(&responses, &redactor());
        let [first, second] = &document.findings[..] else { panic!("two findings") };
        assert_eq!(first.response_lines(), Vec::<String>::new());
        let lines = second.response_lines();
        assert!(lines[0].starts_with("verified live: ddpat_"), "{lines:?}");
        assert!(lines[1].starts_with("login ddpat_"), "{lines:?}");
        assert!(lines[1].contains("; scopes repo, ddpat_"), "{lines:?}");
        assert!(lines[2].starts_with("NOT REVOKED: no ddpat_"), "{lines:?}");
        let counts = VerdictCounts { live: 1, ..VerdictCounts::default() };
        assert_eq!(document.summary.verified, Some(counts));
        assert!(!format!("{:?}", document.findings).contains(&secret[30..]));
        assert!(!lines.concat().contains(&secret[30..]), "{lines:?}");
        // New responses replace the old ones.
        document.add_responses(&[Response::default(), Response::default()], &redactor());
        assert!(document.findings.iter().all(|it| it.response_lines().is_empty()));
    }

    #[test]
    fn an_unknown_verdict_has_a_text_of_its_own() {
        let lines = verified(record(vec![]), "unknown").response_lines();
        assert_eq!(lines, ["liveness unknown: said so"]);
        let lines = verified(record(vec![]), "dead").response_lines();
        assert_eq!(lines, ["verified dead: said so"]);
    }

    #[test]
    fn a_token_is_dead_or_revoked_by_verdict_or_outcome() {
        for (outcome, is_dead_or_revoked) in [
            ("revoked", true),
            ("already_dead", true),
            ("planned", false),
            ("failed", false),
            ("cannot_revoke", false),
        ] {
            assert_eq!(
                revoked(record(vec![]), outcome).is_dead_or_revoked(),
                is_dead_or_revoked,
                "{outcome}"
            );
        }
        for (verdict, is_dead_or_revoked) in [("dead", true), ("live", false), ("unknown", false)] {
            assert_eq!(
                verified(record(vec![]), verdict).is_dead_or_revoked(),
                is_dead_or_revoked,
                "{verdict}"
            );
        }
        assert!(!record(vec![]).is_dead_or_revoked());
    }

    #[test]
    fn a_summary_counts_only_existing_responses() {
        assert_eq!(response_summary(&[record(vec![])]), Vec::<String>::new());
        let findings = [
            verified(record(vec![]), "live"),
            verified(record(vec![]), "live"),
            verified(record(vec![]), "unknown"),
            revoked(record(vec![]), "revoked"),
            revoked(verified(record(vec![]), "dead"), "already_dead"),
        ];
        let lines = response_summary(&findings);
        assert_eq!(lines[0], "Verified: 2 live, 1 dead, 1 unknown.");
        assert_eq!(lines[1..], ["Revocation: 1 revoked, 1 already dead."]);
        let not_revoked = ["failed", "cannot_revoke", "declined", "revoked"];
        let findings = not_revoked.map(|outcome| revoked(record(vec![]), outcome));
        assert_eq!(response_summary(&findings), ["Revocation: 1 revoked, 3 not revoked."]);
    }
}
