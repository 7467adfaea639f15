//! The verdict that follows from the answers of endpoints.
//!
//! Input: the answer of each endpoint that was asked. Output: a verdict with its reason. This file sends no
//! requests and does not repeat them.

use super::verdict::{Answer, Verdict, Verification};

/// The API of github.com, which rejects the live tokens of a GitHub Enterprise Server, too.
const GITHUB: &str = "api.github.com";

/// The answer of one endpoint.
pub(super) struct EndpointAnswer<'a> {
    pub(super) host: &'a str,
    pub(super) answer: Answer,
}

/// Returns the verdict on a token that no endpoint accepts.
pub(super) fn conclusion(answers: &[EndpointAnswer<'_>]) -> Verification {
    let (mut open, mut ended, mut rejected) = (Vec::new(), Vec::new(), Vec::new());
    let mut is_inconclusive = false;
    for EndpointAnswer { host, answer } in answers {
        match answer {
            Answer::Ended(end) => ended.push(format!("{end} at {host}")),
            Answer::Rejected => rejected.push(*host),
            Answer::NotIssued => {
                open.push(format!("{host} does not accept it and does not say that it issued it"));
            }
            Answer::Inconclusive(why) => {
                is_inconclusive = true;
                open.push(format!("{host}: {why}"));
            }
            Answer::Live(_) => {}
        }
    }
    if is_inconclusive || (ended.is_empty() && rejected.is_empty()) {
        return Verification::unknown(open.join("; "));
    }
    if !ended.is_empty() {
        return Verification::new(Verdict::Dead, ended.join("; "));
    }
    let other = match rejected[..] {
        [GITHUB] => "; if a GitHub Enterprise Server issued it, name the server with --github-api",
        _ => "",
    };
    Verification::new(Verdict::Dead, format!("rejected twice by {}{other}", rejected.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejection_by_github_com_names_the_option_for_other_servers() {
        let reason = |host| conclusion(&[EndpointAnswer { host, answer: Answer::Rejected }]).reason;
        assert!(reason(GITHUB).ends_with("name the server with --github-api"));
        assert_eq!(reason("github.example.com"), "rejected twice by github.example.com");
    }
}
