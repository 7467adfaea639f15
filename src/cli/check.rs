//! `ddpatrol check`: explains one token, offline.

use super::args::CheckArgs;
use super::{Exit, load_rules};
use crate::finding::Fingerprint;
use crate::report::escape;
use crate::rules::{Rule, RuleSet};
use anyhow::bail;
use ddpatrol_token::{Check, Explanation, Secret, Uuid};
use std::io::{self, IsTerminal, Read, Write};

/// More than any token has; what is longer is no token.
const MOST_BYTES: u64 = 64 * 1024;

pub(super) fn run(args: &CheckArgs) -> anyhow::Result<Exit> {
    if !args.refused.is_empty() {
        bail!(
            "a token is never taken as an argument, where histories and logs would keep it; \
             run `ddpatrol check` and type it, or pipe it in. If it was one, treat it as leaked"
        );
    }
    let rules = load_rules(&args.rules)?;
    let token = read_token()?;
    let mut text = Vec::new();
    let exit = explain(&rules, token.expose(), &mut text)?;
    io::stdout().write_all(&text)?;
    Ok(exit)
}

fn read_token() -> anyhow::Result<Secret> {
    let mut bytes = Vec::new();
    if io::stdin().is_terminal() {
        bytes = prompt("Token (not shown): ")?;
    } else {
        io::stdin().take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    }
    let token = bytes.trim_ascii();
    if token.is_empty() {
        bail!("there is no token: standard input is empty");
    }
    if token.len() as u64 > MOST_BYTES {
        bail!("this is no token: it is longer than {MOST_BYTES} bytes; `ddpatrol scan -` searches");
    }
    if token.iter().any(u8::is_ascii_whitespace) {
        bail!("this is no single token: it holds white space; `ddpatrol scan -` searches a text");
    }
    Ok(Secret::new(token))
}

/// Asks on the terminal. The echo is off before the question shows, so that what is typed or pasted
/// at once is not seen either.
#[cfg(unix)]
fn prompt(question: &str) -> io::Result<Vec<u8>> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    use std::io::BufRead;
    let mut terminal = std::fs::OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    let before = tcgetattr(&terminal)?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    silent.local_modes.insert(LocalModes::ECHONL);
    tcsetattr(&terminal, OptionalActions::Flush, &silent)?;
    let mut line = Vec::new();
    let read = terminal.write_all(question.as_bytes()).and_then(|()| {
        io::BufReader::new(&terminal).take(MOST_BYTES + 1).read_until(b'\n', &mut line)
    });
    tcsetattr(&terminal, OptionalActions::Now, &before)?;
    read.map(|_| line)
}

#[cfg(not(unix))]
fn prompt(question: &str) -> io::Result<Vec<u8>> {
    rpassword::prompt_password(question).map(String::into_bytes)
}

fn explain(rules: &RuleSet, token: &[u8], out: &mut Vec<u8>) -> anyhow::Result<Exit> {
    let Some((rule, explanation)) = best(rules, token) else {
        writeln!(out, "Not a token of a known format: it begins like none of these.")?;
        for rule in rules.rules() {
            writeln!(out, "  {:14} {}", rule.format.head().escape_ascii(), rule.name)?;
        }
        return Ok(Exit::Found);
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
        writeln!(out, "Valid: every part holds. fingerprint {}", Fingerprint::of(token))?;
        if let Some(advice) = rule.advice_for(uuid(rule, token)) {
            writeln!(out, "If it leaked: {advice}")?;
        }
        Exit::Good
    } else if holds {
        writeln!(
            out,
            "Not proven: it has the shape, and this format has no checksum to prove it by."
        )?;
        Exit::Found
    } else {
        writeln!(out, "Not valid.")?;
        Exit::Found
    };
    Ok(exit)
}

fn uuid(rule: &Rule, token: &[u8]) -> Option<Uuid> {
    match rule.format.check(token) {
        Check::Proven { split, .. } => rule.format.uuid(split, token).map(|(uuid, _)| uuid),
        Check::Shaped { .. } | Check::Unlike => None,
    }
}

/// Picks the rule whose head the token begins with and that it comes nearest to.
fn best<'a>(rules: &'a RuleSet, token: &[u8]) -> Option<(&'a Rule, Explanation)> {
    rules
        .rules()
        .iter()
        .filter(|rule| token.starts_with(rule.format.head()))
        .map(|rule| (rule, rule.format.explain(token)))
        .max_by_key(|(rule, explanation)| {
            let holding = explanation.parts.iter().take_while(|part| part.holds).count();
            (explanation.proven, holding, rule.format.head().len())
        })
}
