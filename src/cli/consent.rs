//! The question before a revocation.
//!
//! Input: tokens, the planned revocations and the user's answers. Output: the tokens to revoke. Everything that is
//! printed goes to standard error, redacted and escaped. Sends no requests.

use super::messages::clean;
use crate::respond::{ProvenToken, Revocation, RevocationOutcome, Verdict};
use std::io::{self, BufRead, Write};

/// A token that the user is asked about.
pub(super) struct Candidate<'a> {
    pub(super) token: &'a ProvenToken,
    pub(super) plan: &'a Revocation,
    /// The verdict, if the token was verified.
    pub(super) verdict: Option<Verdict>,
}

/// The user's decision on one token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// The user requested its revocation.
    Revoke,
    /// The user declined.
    Decline,
    /// It cannot be revoked, so the user was not asked.
    NotAsked,
}

/// The answer about all tokens.
enum Reply {
    All,
    LiveOnly,
    Choose,
    None,
}

impl Candidate<'_> {
    fn is_planned(&self) -> bool {
        self.plan.outcome == RevocationOutcome::Planned
    }

    fn is_live(&self) -> bool {
        self.verdict == Some(Verdict::Live)
    }

    /// Describes the token: place, redacted form, identifier, liveness and planned revocation.
    fn line(&self) -> String {
        let ProvenToken { redacted, uuid, location, .. } = self.token;
        let id = uuid.map(|uuid| format!(", id {uuid}")).unwrap_or_default();
        let liveness = match self.verdict {
            Some(Verdict::Live) => "live",
            Some(Verdict::Dead) => "dead",
            Some(Verdict::Unknown) => "unknown if live",
            None => "not verified",
        };
        let Revocation { outcome, detail } = self.plan;
        let plan = match outcome {
            RevocationOutcome::Planned => detail.clone(),
            outcome => format!("{}: {detail}", outcome.words()),
        };
        clean(&format!("{location}: {redacted}{id}, {liveness}, {plan}"))
    }
}

/// Asks which tokens to revoke. The end of the input is the answer `none`.
pub(super) fn ask(
    candidates: &[Candidate<'_>],
    input: &mut dyn BufRead,
    out: &mut dyn Write,
) -> io::Result<Vec<Decision>> {
    let planned = candidates.iter().filter(|it| it.is_planned()).count();
    let live = candidates.iter().filter(|it| it.is_planned() && it.is_live()).count();
    for candidate in candidates {
        writeln!(out, "{}", candidate.line())?;
    }
    let decide = |revokes: &dyn Fn(&Candidate<'_>) -> bool| {
        let decision =
            |it: &Candidate<'_>| if revokes(it) { Decision::Revoke } else { Decision::Decline };
        candidates.iter().map(decision).collect()
    };
    match ask_about_all(planned, live, input, out)? {
        Reply::All => Ok(decide(&|_| true)),
        Reply::LiveOnly => Ok(decide(&|it| it.is_live())),
        Reply::None => Ok(decide(&|_| false)),
        Reply::Choose => choose(candidates, input, out),
    }
}

/// Asks until the answer is valid.
fn ask_about_all(
    planned: usize,
    live: usize,
    input: &mut dyn BufRead,
    out: &mut dyn Write,
) -> io::Result<Reply> {
    let tokens = if planned == 1 { "token" } else { "tokens" };
    let live_only = if live > 0 { format!(", [l]ive only ({live})") } else { String::new() };
    loop {
        write!(out, "Revoke {planned} {tokens}? [a]ll{live_only}, [c]hoose, [N]one: ")?;
        match read_answer(input, out)?.as_deref() {
            Some("a" | "all") => return Ok(Reply::All),
            Some("l" | "live") if live > 0 => return Ok(Reply::LiveOnly),
            Some("c" | "choose") => return Ok(Reply::Choose),
            None | Some("" | "n" | "no" | "none") => return Ok(Reply::None),
            Some(_) => {}
        }
    }
}

/// Asks about each token that can be revoked.
fn choose(
    candidates: &[Candidate<'_>],
    input: &mut dyn BufRead,
    out: &mut dyn Write,
) -> io::Result<Vec<Decision>> {
    let mut decisions = Vec::new();
    for candidate in candidates {
        decisions.push(if candidate.is_planned() {
            choose_one(candidate, input, out)?
        } else {
            Decision::NotAsked
        });
    }
    Ok(decisions)
}

fn choose_one(
    candidate: &Candidate<'_>,
    input: &mut dyn BufRead,
    out: &mut dyn Write,
) -> io::Result<Decision> {
    let ProvenToken { redacted, location, .. } = candidate.token;
    loop {
        write!(out, "Revoke {}? [y/N] ", clean(&format!("{redacted} ({location})")))?;
        match read_answer(input, out)?.as_deref() {
            Some("y" | "yes") => return Ok(Decision::Revoke),
            None | Some("" | "n" | "no") => return Ok(Decision::Decline),
            Some(_) => {}
        }
    }
}

/// Reads a line in lower case; `None` at the end of the input.
fn read_answer(input: &mut dyn BufRead, out: &mut dyn Write) -> io::Result<Option<String>> {
    out.flush()?;
    let mut line = String::new();
    let read = input.read_line(&mut line)?;
    if read == 0 {
        writeln!(out)?;
    }
    Ok((read > 0).then(|| line.trim().to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Decision::{Decline, NotAsked, Revoke};

    /// Asks about a live, an unknown and an irrevocable live token; returns the decisions and the output.
    fn decisions(answers: &str) -> (Vec<Decision>, String) {
        let token = ProvenToken {
            rule: "r".to_owned(),
            redacted: "t_***".to_owned(),
            uuid: None,
            secret: None,
            location: "a\u{1b}:1".to_owned(),
        };
        let plan = |outcome| Revocation { outcome, detail: "by magic".to_owned() };
        let (planned, cannot) =
            (plan(RevocationOutcome::Planned), plan(RevocationOutcome::CannotRevoke));
        let of = |plan, verdict| Candidate { token: &token, plan, verdict: Some(verdict) };
        let candidates = [
            of(&planned, Verdict::Live),
            of(&planned, Verdict::Unknown),
            of(&cannot, Verdict::Live),
        ];
        let mut out = Vec::new();
        let decisions = ask(&candidates, &mut answers.as_bytes(), &mut out).expect("no error");
        (decisions, String::from_utf8(out).expect("text"))
    }

    #[test]
    fn answers_select_tokens() {
        for (answers, expected) in [
            ("a\n", [Revoke, Revoke, Revoke]),
            ("LIVE\n", [Revoke, Decline, Revoke]),
            ("none\n", [Decline; 3]),
            ("\n", [Decline; 3]),
            ("", [Decline; 3]),
            ("what?\nyes\na\n", [Revoke, Revoke, Revoke]),
            ("c\nn\nx\ny\n", [Decline, Revoke, NotAsked]),
            ("c\ny\n", [Revoke, Decline, NotAsked]),
        ] {
            assert_eq!(decisions(answers).0, expected, "{answers:?}");
        }
    }

    #[test]
    fn each_token_is_listed_once_and_escaped() {
        let (_, shown) = decisions("n\n");
        assert_eq!(shown.matches("t_***, live, by magic\n").count(), 1, "{shown}");
        assert_eq!(shown.matches("unknown if live, by magic\n").count(), 1, "{shown}");
        assert_eq!(shown.matches("live, cannot revoke: by magic\n").count(), 1, "{shown}");
        let question = "Revoke 2 tokens? [a]ll, [l]ive only (1), [c]hoose, [N]one: ";
        assert!(shown.ends_with(question), "{shown}");
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
    }
}
