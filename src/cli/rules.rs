//! `ddpatrol rules list`, `show`, `check` and `new`.

mod check;
mod new;

use self::check::check;
use super::args::{RulesArgs, RulesCommand};
use super::exit::Exit;
use super::rule_files::load_rules;
use crate::rules::{Rule, Vector};
use ddpatrol_token::{EvidenceBits, Kind, Lengths, Segment};
use std::io::{self, Write};
use std::path::PathBuf;

pub(super) fn run(args: &RulesArgs) -> anyhow::Result<Exit> {
    let mut text = Vec::new();
    let exit = match &args.command {
        RulesCommand::List { rules } => list(rules, &mut text)?,
        RulesCommand::Show { id, rules } => show(id, rules, &mut text)?,
        RulesCommand::Check { path } => check(path.as_deref(), &mut text)?,
        RulesCommand::New(args) => new::run(args, &mut text)?,
    };
    io::stdout().write_all(&text)?;
    Ok(exit)
}

fn evidence(rule: &Rule) -> &'static str {
    if rule.can_prove() { "proven" } else { "shaped only" }
}

fn list(paths: &[PathBuf], out: &mut Vec<u8>) -> anyhow::Result<Exit> {
    let rules = load_rules(paths)?;
    let width = |text: fn(&Rule) -> &str| {
        rules.rules().iter().map(|rule| text(rule).len()).max().unwrap_or(0)
    };
    let ids = width(|rule| &rule.id);
    let names = width(|rule| &rule.name);
    for rule in rules.rules() {
        let (id, name, format) = (&rule.id, &rule.name, rule.format.pattern());
        let group = rule.group.as_ref().map(|group| format!("  (group {group})"));
        let group = group.unwrap_or_default();
        writeln!(out, "{id:ids$}  {:11}  {name:names$}  {format}{group}", evidence(rule))?;
    }
    Ok(Exit::Clean)
}

fn show(id: &str, paths: &[PathBuf], out: &mut Vec<u8>) -> anyhow::Result<Exit> {
    let rules = load_rules(paths)?.restricted_to(&[id.to_owned()])?;
    for rule in rules.rules() {
        writeln!(out, "{}: {} ({})", rule.id, rule.name, rule.issuer)?;
        writeln!(out, "format         {}", rule.format.pattern())?;
        for segment in rule.format.segments() {
            writeln!(out, "  {:12} {}", segment.name, describe(segment))?;
        }
        if let Some(group) = &rule.group {
            writeln!(out, "group          {group}: used with --rule-group {group}")?;
        }
        match rule.verifier {
            Some(verifier) => writeln!(out, "evidence       proven if {}", verifier.evidence())?,
            None => writeln!(out, "evidence       {}", evidence(rule))?,
        }
        if let Some(bits) = rule.format.evidence_bits() {
            writeln!(out, "bits           {}", describe_bits(bits))?;
        }
        for vector in &rule.vectors {
            let title = match vector {
                Vector::Counterexample { .. } => "counterexample",
                _ => "vector",
            };
            writeln!(out, "{title:14} {}", vector.source())?;
        }
        if let Some(advice) = &rule.advice {
            writeln!(out, "revocation     {advice}")?;
        }
        if let Some(documentation) = &rule.documentation {
            writeln!(out, "documentation  {documentation}")?;
        }
    }
    Ok(Exit::Clean)
}

/// Describes the evidence of a matching checksum: `34.4: checksum 32, fixed text 6, 12 variants tried`.
fn describe_bits(bits: EvidenceBits) -> String {
    let EvidenceBits { checksum, fixed_text, variants } = bits;
    let rounded = |bits: f64| (bits * 10.0).round() / 10.0;
    let (checksum, fixed_text) = (rounded(checksum), rounded(fixed_text));
    let fixed = if fixed_text > 0.0 { format!(", fixed text {fixed_text}") } else { String::new() };
    let tried = match variants {
        0 | 1 => String::new(),
        variants => format!(", {variants} variants tried"),
    };
    format!("{:.1}: checksum {checksum}{fixed}{tried}", bits.total())
}

fn describe(segment: &Segment) -> String {
    let lengths = match &segment.lengths {
        Lengths::OneOf(lens) => match &lens[..] {
            [first, .., last] if lens.len() > 2 && (*first..=*last).eq(lens.iter().copied()) => {
                format!("{first} to {last}")
            }
            lens => lens.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or "),
        },
        Lengths::Range { min, max } => format!("{min} to {max}"),
    };
    let unit = if lengths == "1" { "character" } else { "characters" };
    let characters = format!("{lengths} {unit} of {}", segment.set);
    match &segment.kind {
        Kind::Text if segment.public => format!("{characters}, public"),
        Kind::Text => characters,
        Kind::Uuid => format!("{characters}, encoding a UUID, public"),
        Kind::Checksum(checksum) => {
            let mut over: Vec<&str> = checksum.over.iter().map(|it| &*it.source).collect();
            // The coverages are repeated for each seed.
            over.dedup();
            let algorithm = checksum.algorithm.name();
            let decoded = if checksum.codec.is_some() { ", decoded" } else { "" };
            format!("{characters}: {algorithm} over {}{decoded}", over.join(", or over "))
        }
    }
}
