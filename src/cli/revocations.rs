//! Revocations in three steps: planned, consented to, carried out.
//!
//! Input: tokens, and the arguments that decide whether the user is asked. Output: the outcome of each token. The
//! question goes to standard error. It sends no requests itself: `respond` does.

use super::answers::Answers;
use super::args::ActionArgs;
use super::consent::{self, Candidate, Decision};
use super::messages::print_note;
use super::progress::Progress;
use super::signals;
use crate::respond::{ProvenToken, Responder, Revocation, RevocationOutcome, Verdict};
use ddpatrol_scan::quantity::count;
use std::io::{self, BufReader};

/// Tokens, and how they would be revoked.
pub(super) struct PlannedRevocations<'a> {
    args: &'a ActionArgs,
    responder: &'a Responder,
    tokens: Vec<ProvenToken>,
    /// The verdict on each token, if it was verified.
    verdicts: Vec<Option<Verdict>>,
    plan: Vec<Revocation>,
}

/// Tokens, and which of them are revoked.
pub(super) struct ConsentedRevocations<'a> {
    responder: &'a Responder,
    tokens: Vec<ProvenToken>,
    plan: Vec<Revocation>,
    /// The decision on each token; `None` if the revocations are only planned.
    decisions: Option<Vec<Decision>>,
}

/// Whether every requested revocation happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Success {
    Complete,
    Partial,
}

/// The outcomes of revocations, in the order of the tokens.
pub(super) struct Revocations {
    pub(super) outcomes: Vec<Revocation>,
    pub(super) success: Success,
}

impl<'a> PlannedRevocations<'a> {
    pub(super) fn new(
        args: &'a ActionArgs,
        responder: &'a Responder,
        tokens: Vec<ProvenToken>,
        verdicts: Vec<Option<Verdict>>,
    ) -> Self {
        let plan = responder.plan(&tokens);
        Self { args, responder, tokens, verdicts, plan }
    }

    /// Returns `true` if the user must be asked.
    pub(super) fn asks(&self) -> bool {
        let mut plan = self.plan.iter();
        let can_revoke = plan.any(|it| it.outcome == RevocationOutcome::Planned);
        can_revoke && !self.args.yes && !self.args.dry_run
    }

    /// Asks which tokens to revoke unless `--yes` or `--dry-run` is given.
    pub(super) fn ask(self) -> anyhow::Result<ConsentedRevocations<'a>> {
        let decisions = if self.args.dry_run {
            None
        } else if self.asks() {
            Some(self.decisions()?)
        } else {
            Some(vec![Decision::Revoke; self.tokens.len()])
        };
        let Self { responder, tokens, plan, .. } = self;
        Ok(ConsentedRevocations { responder, tokens, plan, decisions })
    }

    fn decisions(&self) -> anyhow::Result<Vec<Decision>> {
        let candidates = self.tokens.iter().zip(&self.plan).zip(&self.verdicts);
        let candidates: Vec<Candidate<'_>> = candidates
            .map(|((token, plan), &verdict)| Candidate { token, plan, verdict })
            .collect();
        let run = signals::begin()?;
        let mut answers = BufReader::new(Answers::new(&run));
        let mut decisions = consent::ask(&candidates, &mut answers, &mut io::stderr().lock())?;
        if run.is_interrupted() {
            print_note("interrupted: no token was revoked");
            let chosen = decisions.iter_mut().filter(|it| **it == Decision::Revoke);
            chosen.for_each(|it| *it = Decision::Decline);
        }
        Ok(decisions)
    }
}

impl ConsentedRevocations<'_> {
    /// Revokes the tokens. Declining is not a failure.
    pub(super) fn revoke(self) -> Revocations {
        let mut outcomes = self.plan;
        let mut success = Success::Complete;
        let Some(decisions) = self.decisions else {
            return Revocations { outcomes, success };
        };
        let chosen: Vec<usize> =
            (0..outcomes.len()).filter(|&at| decisions[at] == Decision::Revoke).collect();
        let tokens: Vec<ProvenToken> = chosen.iter().map(|&at| self.tokens[at].clone()).collect();
        let what = format!("revoking {}", count(tokens.len(), "token"));
        let revoked = Progress::during(what, || self.responder.revoke(&tokens));
        for (at, outcome) in chosen.into_iter().zip(revoked) {
            if outcome.outcome.is_failure() {
                success = Success::Partial;
            }
            outcomes[at] = outcome;
        }
        for (outcome, decision) in outcomes.iter_mut().zip(decisions) {
            if decision == Decision::Decline {
                *outcome = Revocation {
                    outcome: RevocationOutcome::Declined,
                    detail: "you declined".to_owned(),
                };
            }
        }
        Revocations { outcomes, success }
    }
}
