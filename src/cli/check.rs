//! `ddpatrol check`: explains the tokens in a short text, offline.
//!
//! Input: a token, or lines that contain tokens, from standard input or a prompt. Output: the parts of
//! each token and their problems. Never prints the secret part of a token.

use super::args::CheckArgs;
use super::exit::Exit;
use super::hidden_prompt;
use super::rule_files::load_rules;
use crate::decode;
use crate::detect::{Detector, Evidence, Haystack, Match, Scratch};
use crate::report::escape;
use crate::rules::{Rule, RuleIndex, RuleSet, Verifier};
use anyhow::{Context, bail};
use ddpatrol_scan::finding::Fingerprint;
use ddpatrol_token::{Anchor, ByteSet, Check, Explanation, Secret, Uuid};
use std::io::{self, IsTerminal, Read, Write};
use std::sync::Arc;

/// The maximum size of the input, in bytes.
const MAX_INPUT: u64 = 64 * 1024;

/// The group of the rule for private keys, which a scan uses on request only.
const PRIVATE_KEYS: &str = "private-keys";

/// A token in the input, or a word that resembles one.
struct CheckedToken {
    /// The offset in the input, in bytes.
    start: usize,
    /// The token, or the description of a private key.
    token: Secret,
    /// The decision of a verifier, which replaces the check of the format.
    verified: Option<Verified>,
}

/// The decision of a verifier.
#[derive(Clone, Copy)]
struct Verified {
    rule: RuleIndex,
    evidence: Evidence,
}

pub(super) fn run(args: &CheckArgs) -> anyhow::Result<Exit> {
    if !args.refused.is_empty() {
        bail!(
            "unexpected argument: tokens are not accepted as arguments, which end up in shell \
             histories and logs; run `ddpatrol check` and enter the token, or pipe it in. If the \
             argument was a token, treat it as leaked"
        );
    }
    let groups = [PRIVATE_KEYS.to_owned()];
    let rules = Arc::new(load_rules(&args.rules)?.selected(&[], &groups)?);
    let input = read_input()?;
    let input = input.expose();
    let candidates = candidates(&rules, input)?;
    let mut text = Vec::new();
    if candidates.is_empty() {
        writeln!(text, "Not a token of a known format. Known prefixes:")?;
        for rule in rules.rules() {
            let Some(Anchor { text: anchor, offset }) = rule.format.anchor() else { continue };
            let before = if *offset == 0 { "" } else { "..." };
            let anchor = format!("{before}{}", anchor.escape_ascii());
            writeln!(text, "  {anchor:14} {}", rule.name)?;
        }
    }
    let mut exit = if candidates.is_empty() { Exit::Findings } else { Exit::Clean };
    for (at, candidate) in candidates.iter().enumerate() {
        if candidates.len() > 1 {
            let line = 1 + memchr::memchr_iter(b'\n', &input[..candidate.start]).count();
            let gap = if at == 0 { "" } else { "\n" };
            writeln!(text, "{gap}Token {} of {}, line {line}:", at + 1, candidates.len())?;
        }
        let token = candidate.token.expose();
        let explained = match candidate.verified {
            Some(verified) => explain_verified(&rules, verified, token, &mut text)?,
            None => explain(&rules, token, &mut text)?,
        };
        if explained != Exit::Clean {
            exit = Exit::Findings;
        }
    }
    io::stdout().write_all(&text)?;
    Ok(exit)
}

/// Reads the input and decodes it if it is text.
fn read_input() -> anyhow::Result<Secret> {
    let mut bytes = Vec::new();
    if io::stdin().is_terminal() {
        bytes = hidden_prompt::read("Token (not shown): ", MAX_INPUT + 1)?;
    } else {
        let read = io::stdin().take(MAX_INPUT + 1).read_to_end(&mut bytes);
        read.context("cannot read token from standard input")?;
    }
    if bytes.len() as u64 > MAX_INPUT {
        bail!("input exceeds {MAX_INPUT} bytes: to scan long text, use `ddpatrol scan -`");
    }
    let bytes = decode::text(bytes.clone()).map_or(bytes, String::into_bytes);
    let text = bytes.trim_ascii();
    if text.is_empty() {
        bail!("no token: the input is empty");
    }
    Ok(Secret::new(text))
}

/// Lists the tokens of a text, each once: matches of a scan, and other words that begin like a token.
fn candidates(rules: &Arc<RuleSet>, text: &[u8]) -> anyhow::Result<Vec<CheckedToken>> {
    let detector = Detector::new(Arc::clone(rules))?;
    let mut found: Vec<CheckedToken> = Vec::new();
    let add = |found: &mut Vec<CheckedToken>, start, token: &[u8], verified| {
        if !found.iter().any(|it: &CheckedToken| it.token.expose() == token) {
            found.push(CheckedToken { start, token: Secret::new(token), verified });
        }
    };
    let mut spans: Vec<std::ops::Range<usize>> = Vec::new();
    let all = 0..text.len();
    detector.find(Haystack::whole(text), all, &mut Scratch::default(), |matched, token| {
        let whole = whole(rules, text, matched);
        spans.push(
            matched.start..matched.start + whole.map_or(matched.end - matched.start, <[u8]>::len),
        );
        let verified = rules[matched.rule].verifier.is_some();
        let verified =
            verified.then_some(Verified { rule: matched.rule, evidence: matched.evidence });
        add(&mut found, matched.start, whole.unwrap_or(token), verified);
    });
    let mut at = 0;
    while at < text.len() {
        if let Some(span) = spans.iter().find(|span| span.contains(&at)) {
            at = span.end;
            continue;
        }
        let is_free = at == 0 || !is_word(text[at - 1]);
        let mut len = 1;
        if is_free && begins_like_a_token(rules, &text[at..]) {
            len = word_len(&text[at..]);
            let word = &text[at..at + len];
            // In a text with tokens, a word such as `npm_token` is a variable name.
            if spans.is_empty() || looks_truncated(word) {
                add(&mut found, at, word, None);
            }
        }
        at += len;
    }
    found.sort_by_key(|it| it.start);
    Ok(found)
}

/// Returns the whole word if a match is only its beginning: no issuer accepts such a word.
fn whole<'a>(rules: &RuleSet, text: &'a [u8], matched: Match) -> Option<&'a [u8]> {
    let rest = &text[matched.end..];
    let is_part = matched.encoding.is_plain()
        && rest.first().is_some_and(|&byte| is_word(byte))
        && !begins_like_a_token(rules, rest);
    is_part.then(|| &text[matched.start..matched.end + word_len(rest)])
}

fn begins_like_a_token(rules: &RuleSet, text: &[u8]) -> bool {
    let mut rules = rules.rules().iter();
    rules.any(|rule| rule.verifier.is_none() && rule.format.has_anchor_in(text))
}

/// The minimum length of a word that counts as a truncated token, in bytes.
const MIN_TRUNCATED: usize = 24;

/// Returns `true` if a word may be a truncated token, by its length and characters.
fn looks_truncated(word: &[u8]) -> bool {
    let has = |is: fn(&u8) -> bool| word.iter().any(is);
    word.len() >= MIN_TRUNCATED && has(u8::is_ascii_digit) && has(u8::is_ascii_uppercase)
}

fn is_word(byte: u8) -> bool {
    byte == b'_' || ByteSet::BASE62.contains(byte)
}

/// Returns the length of a word: up to white space or a character that delimits values in source code,
/// shells, URLs and headers.
fn word_len(text: &[u8]) -> usize {
    let is_end = |byte: &u8| byte.is_ascii_whitespace() || b"\"'`,;&<>()[]{}|\\@#".contains(byte);
    text.iter().position(is_end).unwrap_or(text.len())
}

/// Explains the decision of a verifier about a token with this description.
fn explain_verified(
    rules: &RuleSet,
    Verified { rule, evidence }: Verified,
    description: &[u8],
    out: &mut Vec<u8>,
) -> anyhow::Result<Exit> {
    let rule = &rules[rule];
    let shown = rule.redact(description);
    writeln!(out, "{} ({}): {}", rule.name, rule.id, escape::terminal(&shown))?;
    if evidence != Evidence::Proven {
        writeln!(out, "Not proven.")?;
        return Ok(Exit::Findings);
    }
    let proof = rule.verifier.map_or("", Verifier::evidence);
    writeln!(out, "Valid: {proof}. Fingerprint: {}", Fingerprint::of(description))?;
    if let Some(advice) = rule.advice_for(None) {
        writeln!(out, "If it leaked: {advice}")?;
    }
    Ok(Exit::Clean)
}

fn explain(rules: &RuleSet, token: &[u8], out: &mut Vec<u8>) -> anyhow::Result<Exit> {
    let Some((rule, explanation)) = best(rules, token) else {
        writeln!(out, "Not a token of a known format.")?;
        return Ok(Exit::Findings);
    };
    writeln!(out, "{} ({}): {}", rule.name, rule.id, rule.format.pattern())?;
    let width = |text: fn(&ddpatrol_token::PartReport) -> &str| {
        explanation.parts.iter().map(|part| text(part).chars().count()).max().unwrap_or(0)
    };
    let (names, texts) = (width(|part| &part.name), width(|part| &part.shown));
    for part in &explanation.parts {
        let (name, shown) = (&part.name, escape::terminal(&part.shown));
        let verdict = if part.holds { "ok" } else { "NO" };
        writeln!(out, "  {verdict}  {name:names$}  {shown:texts$}  {}", part.note)?;
    }
    let holds = explanation.parts.iter().all(|part| part.holds);
    let exit = if explanation.proven && rule.provable {
        writeln!(out, "Valid: all parts match. Fingerprint: {}", Fingerprint::of(token))?;
        if let Some(advice) = rule.advice_for(uuid(rule, token)) {
            writeln!(out, "If it leaked: {advice}")?;
        }
        Exit::Clean
    } else if let (true, Some(bits)) =
        (rule.weak && explanation.proven, rule.format.evidence_bits())
    {
        let bits = bits.total();
        writeln!(out, "Not proven: all parts match, but the checksum has only {bits:.0} bits.")?;
        Exit::Findings
    } else if holds {
        writeln!(out, "Not proven: the shape matches, but this format has no checksum.")?;
        Exit::Findings
    } else {
        writeln!(out, "Not valid.")?;
        Exit::Findings
    };
    Ok(exit)
}

fn uuid(rule: &Rule, token: &[u8]) -> Option<Uuid> {
    match rule.format.check(token) {
        Check::Proven { split, .. } => rule.format.uuid(split, token).map(|(uuid, _)| uuid),
        Check::Shaped { .. } | Check::NoMatch => None,
    }
}

/// Returns the rule that matches most parts of the token, among the rules with its head.
fn best<'a>(rules: &'a RuleSet, token: &[u8]) -> Option<(&'a Rule, Explanation)> {
    rules
        .rules()
        .iter()
        .filter(|rule| rule.verifier.is_none())
        .filter(|rule| rule.format.anchor().is_none_or(|anchor| anchor.is_in(token)))
        .map(|rule| (rule, rule.format.explain(token)))
        .max_by_key(|(rule, explanation)| {
            let holding = explanation.parts.iter().take_while(|part| part.holds).count();
            let anchor_len = rule.format.anchor().map_or(0, |anchor| anchor.text.len());
            (explanation.proven, holding, anchor_len)
        })
}
