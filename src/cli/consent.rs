//! The question before a revocation.
//!
//! Input: tokens, the planned revocations and the user's answers. Output: the tokens to revoke. Everything that is
//! printed goes to standard error, redacted and escaped. Sends no requests.

use super::messages::clean;
use crate::respond::{ProvenToken, Revocation, RevocationOutcome, Verdict};
use std::collections::BTreeMap;
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

/// Maximum number of tokens that are named in one line.
const MAX_NAMED: usize = 5;

/// The answer about one token.
enum TokenReply {
    Revoke,
    Keep,
    /// Neither this token nor those after it are revoked.
    KeepRest,
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

    /// Returns the rank in the question: live tokens first.
    fn rank(&self) -> u8 {
        match self.verdict {
            Some(Verdict::Live) => 0,
            Some(Verdict::Unknown) => 1,
            None => 2,
            Some(Verdict::Dead) => 3,
        }
    }

    fn liveness(&self) -> &'static str {
        match self.verdict {
            Some(Verdict::Live) => "live",
            Some(Verdict::Dead) => "dead",
            Some(Verdict::Unknown) => "unknown if live",
            None => "not verified",
        }
    }

    /// Describes the token: place, redacted form, identifier, liveness and planned revocation.
    fn line(&self) -> String {
        let ProvenToken { redacted, uuid, place, .. } = self.token;
        let id = uuid.map(|uuid| format!(", id {uuid}")).unwrap_or_default();
        let (liveness, plan) = (self.liveness(), &self.plan.detail);
        clean(&format!("{place}: {redacted}{id}, {liveness}, {plan}"))
    }
}

/// Asks which tokens to revoke. The end of the input is the answer `none`.
pub(super) fn ask(
    candidates: &[Candidate<'_>],
    input: &mut dyn BufRead,
    out: &mut dyn Write,
) -> io::Result<Vec<Decision>> {
    let mut asked: Vec<usize> =
        (0..candidates.len()).filter(|&at| candidates[at].is_planned()).collect();
    asked.sort_by_key(|&at| candidates[at].rank());
    for &at in &asked {
        writeln!(out, "{}", candidates[at].line())?;
    }
    for line in irrevocable_lines(candidates) {
        writeln!(out, "{line}")?;
    }
    let live = asked.iter().filter(|&&at| candidates[at].is_live()).count();
    let reply = ask_about_all(asked.len(), live, input, out)?;
    let mut decisions = vec![Decision::NotAsked; candidates.len()];
    let mut keeps_rest = false;
    for at in asked {
        let revokes = match reply {
            Reply::All => true,
            Reply::LiveOnly => candidates[at].is_live(),
            Reply::None => false,
            Reply::Choose if keeps_rest => false,
            Reply::Choose => match choose(&candidates[at], input, out)? {
                TokenReply::Revoke => true,
                TokenReply::Keep => false,
                TokenReply::KeepRest => {
                    keeps_rest = true;
                    false
                }
            },
        };
        decisions[at] = if revokes { Decision::Revoke } else { Decision::Decline };
    }
    Ok(decisions)
}

/// Names the tokens that cannot be revoked, one line for each reason.
fn irrevocable_lines(candidates: &[Candidate<'_>]) -> Vec<String> {
    let mut reasons: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for candidate in candidates.iter().filter(|it| !it.is_planned()) {
        let tokens = reasons.entry(&candidate.plan.detail).or_default();
        *tokens.entry(&candidate.token.redacted).or_default() += 1;
    }
    let line = |(reason, tokens): (&str, BTreeMap<&str, usize>)| {
        let all: usize = tokens.values().sum();
        let shown: Vec<(&str, usize)> = tokens.into_iter().take(MAX_NAMED).collect();
        let more = all - shown.iter().map(|(_, count)| count).sum::<usize>();
        let name = |&(token, count): &(&str, usize)| match count {
            1 => token.to_owned(),
            count => format!("{token} ({count})"),
        };
        let names = shown.iter().map(name).collect::<Vec<_>>().join(", ");
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        clean(&format!("cannot revoke {names}{more}: {reason}"))
    };
    reasons.into_iter().map(line).collect()
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
            Some(_) => {
                let live_only = if live > 0 { " l (live only)," } else { "" };
                writeln!(out, "answer a (all),{live_only} c (choose) or n (none)")?;
            }
        }
    }
}

/// Asks about one token.
fn choose(
    candidate: &Candidate<'_>,
    input: &mut dyn BufRead,
    out: &mut dyn Write,
) -> io::Result<TokenReply> {
    let ProvenToken { redacted, place, .. } = candidate.token;
    let token = clean(&format!("{redacted} ({place}, {})", candidate.liveness()));
    loop {
        write!(out, "Revoke {token}? [y/N/q] ")?;
        match read_answer(input, out)?.as_deref() {
            Some("y" | "yes") => return Ok(TokenReply::Revoke),
            Some("" | "n" | "no") => return Ok(TokenReply::Keep),
            None | Some("q" | "quit") => return Ok(TokenReply::KeepRest),
            Some(_) => writeln!(out, "answer y (yes), n (no) or q (keep this and all others)")?,
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

    /// Asks about an unknown, a live and an irrevocable live token; returns the decisions and the output.
    fn decisions(answers: &str) -> (Vec<Decision>, String) {
        let token = ProvenToken {
            rule: "r".to_owned(),
            redacted: "t_***".to_owned(),
            uuid: None,
            secret: None,
            location: "a:1".to_owned(),
            place: "a\u{1b}:1:2".to_owned(),
        };
        let plan = |outcome| Revocation { outcome, detail: "by magic".to_owned() };
        let (planned, cannot) =
            (plan(RevocationOutcome::Planned), plan(RevocationOutcome::CannotRevoke));
        let of = |plan, verdict| Candidate { token: &token, plan, verdict: Some(verdict) };
        let candidates = [
            of(&planned, Verdict::Unknown),
            of(&cannot, Verdict::Live),
            of(&planned, Verdict::Live),
            of(&cannot, Verdict::Live),
        ];
        let mut out = Vec::new();
        let decisions = ask(&candidates, &mut answers.as_bytes(), &mut out).expect("no error");
        (decisions, String::from_utf8(out).expect("text"))
    }

    #[test]
    fn answers_select_tokens_that_can_be_revoked() {
        for (answers, unknown, live) in [
            ("a\n", Revoke, Revoke),
            ("LIVE\n", Decline, Revoke),
            ("none\n", Decline, Decline),
            ("\n", Decline, Decline),
            ("", Decline, Decline),
            ("what?\nyes\na\n", Revoke, Revoke),
            // Live tokens come first.
            ("c\nn\nx\ny\n", Revoke, Decline),
            ("c\ny\n", Decline, Revoke),
            ("c\ny\nq\n", Decline, Revoke),
            ("c\nq\ny\n", Decline, Decline),
        ] {
            assert_eq!(decisions(answers).0, [unknown, NotAsked, live, NotAsked], "{answers:?}");
        }
    }

    #[test]
    fn each_token_is_listed_once_live_ones_first_and_escaped() {
        let (_, shown) = decisions("n\n");
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines[0].ends_with(":1:2: t_***, live, by magic"), "{shown}");
        assert!(lines[1].ends_with(":1:2: t_***, unknown if live, by magic"), "{shown}");
        assert_eq!(
            lines[2..],
            [
                "cannot revoke t_*** (2): by magic",
                "Revoke 2 tokens? [a]ll, [l]ive only (1), [c]hoose, [N]one: "
            ]
        );
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
    }

    #[test]
    fn an_invalid_answer_is_followed_by_the_valid_ones() {
        let (_, shown) = decisions("x\nc\nx\n");
        assert!(
            shown.contains("answer a (all), l (live only), c (choose) or n (none)\n"),
            "{shown}"
        );
        assert!(
            shown.contains("answer y (yes), n (no) or q (keep this and all others)\n"),
            "{shown}"
        );
        assert!(shown.contains(":1:2, live)? [y/N/q] "), "{shown}");
    }
}
