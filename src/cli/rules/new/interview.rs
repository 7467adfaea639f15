//! Asks for the description of a token format on the terminal.
//!
//! Input: the options that the user gave, and answers. Output: the complete description. The answer to a
//! question is asked again until it is valid; an empty answer is the one in brackets.

use super::description::{
    Description, MAX_SAMPLES, algorithm, checksum, coverage, default_length, derive, parse_samples,
};
use crate::cli::args::NewRuleArgs;
use crate::cli::hidden_prompt;
use crate::cli::messages::{clean, print_note};
use crate::rule_draft::{ChecksumDraft, CoverageDraft, RuleDraft, RuleNames, Samples};
use anyhow::bail;
use ddpatrol_token::ByteSet;
use std::io::{self, BufRead, Write};

/// The questions about one rule.
pub(super) struct Interview<'a> {
    args: &'a NewRuleArgs,
}

impl<'a> Interview<'a> {
    pub(super) fn new(args: &'a NewRuleArgs) -> Self {
        Self { args }
    }

    /// Asks for everything that the options do not give.
    pub(super) fn description(&self) -> anyhow::Result<Description> {
        let args = self.args;
        let issuer = given_or(&args.issuer, || ask("Issuer", None, non_empty))?;
        let id = given_or(&args.id, || ask("Id of the rule", Some(&slug(&issuer)), rule_id))?;
        let name = format!("{issuer} Token");
        let name = given_or(&args.name, || ask("Name in reports", Some(&name), non_empty))?;
        let names = RuleNames { id, name, issuer };
        let samples = if args.lengths.is_empty() { samples()? } else { None };
        let suggested = samples.as_ref().and_then(Samples::prefix);
        let prefix = given_or(&args.prefix, || {
            ask("Prefix of all tokens", suggested.as_deref(), non_empty)
        })?;
        let Some(samples) = samples else {
            let draft = self.described(prefix)?;
            return Ok(Description { names, draft, samples: None, uses_sample: false });
        };
        let draft = derive(&samples, &prefix)?;
        let uses_sample = args.revoked_sample || draft.checksum.is_some() && wants_sample()?;
        Ok(Description { names, draft, samples: Some(samples), uses_sample })
    }

    /// Asks for the parts of the tokens.
    fn described(&self, prefix: String) -> anyhow::Result<RuleDraft> {
        let args = self.args;
        let alphabet = given_or(&args.alphabet, || ask("Alphabet", Some("base62"), alphabet))?;
        let lengths = match &args.lengths[..] {
            [] => ask("Length of the secret part", Some("30"), lengths)?,
            lengths => lengths.to_vec(),
        };
        let checksum = match &args.checksum {
            Some(_) => checksum(args)?,
            None => ask_checksum()?,
        };
        Ok(RuleDraft { prefix, alphabet, lengths, checksum })
    }
}

/// Asks for the parts of the checksum.
fn ask_checksum() -> anyhow::Result<Option<ChecksumDraft>> {
    let parse = |answer: &str| match answer {
        "none" => Ok(None),
        name => algorithm(name).map(Some),
    };
    let question = "Checksum after the secret part (none, crc32, sha256)";
    let Some(algorithm) = ask(question, Some("none"), parse)? else { return Ok(None) };
    let parse =
        |answer: &str| default_length(algorithm, answer).map(|len| (answer.to_owned(), len));
    let (encoding, length) = ask("Encoding of the checksum", Some("base62"), parse)?;
    let length = match length {
        Some(length) => length,
        None => ask("Length of the checksum", Some("6"), |answer| Ok(answer.parse()?))?,
    };
    let separator = ask("Characters before the checksum, or none", Some("none"), |answer| {
        Ok(if answer == "none" { String::new() } else { answer.to_owned() })
    })?;
    let question = "Covered part (secret, prefix-and-secret, all)";
    let coverage: CoverageDraft = ask(question, Some("secret"), coverage)?;
    Ok(Some(ChecksumDraft { separator, algorithm, encoding, length, coverage }))
}

/// Asks for sample tokens, which are not shown. Returns `None` if there are none.
fn samples() -> anyhow::Result<Option<Samples>> {
    print_note(
        "Sample tokens show which checksum the format has. They are neither shown nor written; an \
         empty line ends them.",
    );
    let mut text = Vec::new();
    loop {
        let line = hidden_prompt::read("Sample (not shown): ", MAX_SAMPLES)?;
        if line.trim_ascii().is_empty() {
            break;
        }
        text.extend_from_slice(line.trim_ascii());
        text.push(b'\n');
    }
    if text.is_empty() { Ok(None) } else { parse_samples(&text).map(Some) }
}

/// Asks whether a sample may be written.
fn wants_sample() -> anyhow::Result<bool> {
    print_note(
        "The file needs a token as its vector. By default one is minted from the description. If a \
         sample is revoked, it is better evidence; a token that is not revoked is a leak.",
    );
    ask("Write the first sample into the file? It is revoked (y/N)", Some("n"), |answer| {
        match answer.to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(true),
            "n" | "no" => Ok(false),
            _ => bail!("answer y (yes) or n (no)"),
        }
    })
}

fn given_or(
    given: &Option<String>,
    ask: impl FnOnce() -> anyhow::Result<String>,
) -> anyhow::Result<String> {
    given.clone().map_or_else(ask, Ok)
}

/// Asks until the answer is valid. `default` is the meaning of an empty answer.
fn ask<T>(
    question: &str,
    default: Option<&str>,
    parse: impl Fn(&str) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let mut out = io::stderr();
    loop {
        let shown = default.map(|default| format!(" [{default}]")).unwrap_or_default();
        write!(out, "{}: ", clean(&format!("{question}{shown}")))?;
        out.flush()?;
        let mut line = String::new();
        if io::stdin().lock().read_line(&mut line)? == 0 {
            writeln!(out)?;
            bail!("no answer: the input has ended");
        }
        let answer = match line.trim() {
            "" => default.unwrap_or_default(),
            answer => answer,
        };
        match parse(answer) {
            Ok(value) => return Ok(value),
            Err(error) => print_note(&format!("{error:#}")),
        }
    }
}

fn non_empty(answer: &str) -> anyhow::Result<String> {
    if answer.is_empty() {
        bail!("an answer is needed");
    }
    Ok(answer.to_owned())
}

fn rule_id(answer: &str) -> anyhow::Result<String> {
    let is_valid = answer.starts_with(|first: char| first.is_ascii_lowercase())
        && answer.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-');
    if !is_valid {
        bail!("use lower-case letters, digits and `-`, a letter first");
    }
    Ok(answer.to_owned())
}

fn alphabet(answer: &str) -> anyhow::Result<String> {
    if ByteSet::parse(answer).is_none() {
        let names = ByteSet::NAMES.join(", ");
        bail!("unknown alphabet: expected {names}, or a class such as [A-Za-z0-9-]");
    }
    Ok(answer.to_owned())
}

fn lengths(answer: &str) -> anyhow::Result<Vec<usize>> {
    let lengths: Result<Vec<usize>, _> =
        answer.split([',', ' ']).filter(|it| !it.is_empty()).map(str::parse).collect();
    match lengths {
        Ok(lengths) if !lengths.is_empty() && !lengths.contains(&0) => Ok(lengths),
        _ => bail!("give a length above 0, or several with commas"),
    }
}

/// Returns an id made of the words of a name: `acme-inc-token`.
fn slug(name: &str) -> String {
    let words = name.split(|it: char| !it.is_ascii_alphanumeric()).filter(|it| !it.is_empty());
    let words: Vec<String> = words.map(str::to_ascii_lowercase).collect();
    format!("{}-token", words.join("-"))
}
