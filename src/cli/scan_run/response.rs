//! The response to the findings of a scan, in steps: verify, report, ask, revoke.
//!
//! Input: findings, their document, and the requested actions. Output: the document with the responses of
//! issuers. The requests and the question are in `verify` and `revocations`.

use super::ScanRun;
use crate::cli::args::ReportFormat;
use crate::cli::messages::print_note;
use crate::cli::output::Output;
use crate::cli::progress::Progress;
use crate::cli::revocations::Success;
use crate::cli::signals;
use crate::cli::verify::{IssuerActions, PlannedResponses, Revoked};
use crate::config::FailLevel;
use crate::report::document::{Document, Record};
use crate::report::response::Response;
use crate::respond::VerifyStep;
use crate::scan::Outcome;
use anyhow::bail;
use ddpatrol_scan::finding::Finding;
use ddpatrol_scan::quantity::count;

impl ScanRun<'_> {
    /// Verifies and revokes the tokens, as far as the user requested. Before the user is asked, the text
    /// report on standard output is written and removed from `reports`.
    pub(super) fn respond(
        &self,
        actions: &IssuerActions<'_>,
        outcome: &mut Outcome,
        document: &mut Document,
        reports: &mut Vec<Output>,
    ) -> anyhow::Result<()> {
        let verified = self.verify(actions, &outcome.findings, document);
        let planned = actions.plan(&outcome.findings, document, verified);
        let PlannedResponses { responses, plan } = planned;
        self.add_responses(actions, &responses, outcome, document);
        let Some(plan) = plan.filter(|_| !outcome.interrupted) else {
            return self.check_verdicts(document);
        };
        let asks = plan.asks();
        let reported = if asks { self.report(outcome, document, reports)? } else { Reported::No };
        let Revoked { responses: revoked, success } = plan.ask()?.revoke(responses.clone());
        self.add_responses(actions, &revoked, outcome, document);
        let is_quiet = self.args.run.quiet && !asks && success == Success::Complete;
        if !is_quiet && !actions.is_dry_run() && !reports.iter().any(is_early) {
            let earlier = match reported {
                Reported::Yes => responses,
                Reported::No => vec![Response::default(); responses.len()],
            };
            document.new_revocation_lines(&earlier).iter().for_each(|line| print_note(line));
        }
        if success == Success::Partial {
            bail!("not all tokens were revoked");
        }
        self.check_verdicts(document)
    }

    /// Verifies the findings, if requested; on a terminal with progress.
    fn verify(
        &self,
        actions: &IssuerActions<'_>,
        findings: &[Finding],
        document: &Document,
    ) -> Vec<Response> {
        let verify =
            |on_step: &(dyn Fn(VerifyStep) + Sync)| actions.verify(findings, document, on_step);
        match self.args.run.quiet || !actions.verifies() {
            true => verify(&|_| ()),
            false => Progress::verifying(verify),
        }
    }

    /// Writes the text report on standard output before the question, and removes it from `reports`. The
    /// report does not contain revocations, which are counted once, after the answer.
    fn report(
        &self,
        outcome: &Outcome,
        document: &mut Document,
        reports: &mut Vec<Output>,
    ) -> anyhow::Result<Reported> {
        let early: Vec<Output> = reports.extract_if(.., |it| is_early(it)).collect();
        let reported = if early.is_empty() { Reported::No } else { Reported::Yes };
        document.findings.iter_mut().for_each(|it| it.revocation = None);
        self.write_reports(outcome, document, early, self.started.instant.elapsed())?;
        Ok(reported)
    }

    fn add_responses(
        &self,
        actions: &IssuerActions<'_>,
        responses: &[Response],
        outcome: &mut Outcome,
        document: &mut Document,
    ) {
        outcome.interrupted = signals::was_interrupted();
        document.interrupted = outcome.interrupted;
        document.add_responses(responses, self.redactor);
        if actions.verifies() {
            document.summary.verified.get_or_insert_default();
        }
    }

    /// Fails if the fail level is `live` and it is unknown whether a token is live.
    fn check_verdicts(&self, document: &Document) -> anyhow::Result<()> {
        let is_open = |it: &&Record| it.liveness_is_unknown() && !it.is_dead_or_revoked();
        let open = document.findings.iter().filter(is_open).count();
        if self.policy.fail_on == FailLevel::Live && open > 0 {
            let tokens = count(open, "token");
            bail!("--fail-on live: {tokens} could not be verified and may be live");
        }
        Ok(())
    }
}

/// Whether the findings were reported before the question.
enum Reported {
    Yes,
    No,
}

/// Returns `true` for the report that is written before the question.
fn is_early(output: &Output) -> bool {
    output.is_stdout() && output.format == ReportFormat::Text
}
