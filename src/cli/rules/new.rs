//! `ddpatrol rules new`: writes a rule file for a token format of the user.
//!
//! Input: options, answers on a terminal, and sample tokens. Output: a rule file, and the result of its check.
//! No token is printed, and a sample is written only on request.

mod description;
mod interview;

use super::check::check;
use crate::cli::args::NewRuleArgs;
use crate::cli::exit::Exit;
use crate::cli::messages::clean;
use crate::rule_draft::{DraftVector, RuleDraft, RuleNames, VectorOrigin};
use anyhow::{Context, bail};
use ddpatrol_token::{ByteSet, Format, Secret};
use description::{Description, MAX_SAMPLES, checksum, default_length, derive, parse_samples};
use interview::Interview;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

pub(super) fn run(args: &NewRuleArgs, out: &mut Vec<u8>) -> anyhow::Result<Exit> {
    let description = if io::stdin().is_terminal() {
        Interview::new(args).description()?
    } else {
        from_options(args)?
    };
    let Description { names, draft, samples, uses_sample } = description;
    let format = valid_format(&draft)?;
    let sample = samples.as_ref().and_then(|samples| samples.list().first());
    let vector = match sample.filter(|_| uses_sample) {
        Some(sample) => Some((Secret::new(sample.expose()), VectorOrigin::OwnToken)),
        None if draft.checksum.is_some() => {
            let samples = samples.as_ref().map_or(0, |samples| samples.list().len());
            Some((draft.mint(&format)?, VectorOrigin::Minted { samples }))
        }
        None => None,
    };
    let vector = vector.as_ref().map(|(token, origin)| DraftVector { token, origin: *origin });
    let path = args.file.clone().unwrap_or_else(|| PathBuf::from(format!("{}.toml", names.id)));
    write_file(&path, &draft.to_toml(&names, vector.as_ref()), args)?;
    writeln!(out, "{} written: {}", clean(&path.display().to_string()), clean(format.pattern()))?;
    let exit = check(Some(&path), out)?;
    for note in notes(&draft, vector.as_ref()) {
        writeln!(out, "{note}")?;
    }
    writeln!(out, "Use it with `--rules FILE`, or by `[rules] add` in .ddpatrol.toml.")?;
    Ok(exit)
}

/// Describes the parts of the file that the user may have to change.
fn notes(draft: &RuleDraft, vector: Option<&DraftVector<'_>>) -> Vec<&'static str> {
    let mut notes = Vec::new();
    if draft.checksum.is_none() {
        notes.push("Without a checksum, matches are shaped: they are listed with --show-shaped.");
    }
    match vector.map(|vector| vector.origin) {
        Some(VectorOrigin::OwnToken) => notes.push(
            "The file contains your sample: if it is not revoked, whoever reads the file can use it.",
        ),
        Some(VectorOrigin::Minted { samples: 0 }) => notes.push(
            "The vector was minted from your description, so it shows nothing about the issuer's \
             tokens. Replace it by a published or a revoked token, or run the command with --samples.",
        ),
        Some(VectorOrigin::Minted { .. }) | None => {}
    }
    notes
}

/// Reads the description from the options.
fn from_options(args: &NewRuleArgs) -> anyhow::Result<Description> {
    let mut missing = Vec::new();
    let mut need = |value: &Option<String>, name: &'static str| {
        if value.is_none() {
            missing.push(name);
        }
        value.clone().unwrap_or_default()
    };
    let (id, issuer) = (need(&args.id, "--id"), need(&args.issuer, "--issuer"));
    let prefix = if args.samples { String::new() } else { need(&args.prefix, "--prefix") };
    if args.lengths.is_empty() && !args.samples {
        missing.push("--length or --samples");
    }
    if !missing.is_empty() {
        bail!("missing {}: give the options, or run the command on a terminal", missing.join(", "));
    }
    let name = args.name.clone().unwrap_or_else(|| format!("{issuer} Token"));
    let names = RuleNames { id, name, issuer };
    if args.samples {
        let mut text = Vec::new();
        let read = io::stdin().take(MAX_SAMPLES + 1).read_to_end(&mut text);
        read.context("cannot read samples from standard input")?;
        let text = Secret::new(&text);
        let samples = parse_samples(text.expose())?;
        let prefix = match &args.prefix {
            Some(prefix) => prefix.clone(),
            None => samples.prefix().context(
                "the samples do not begin with the same characters up to `_`, `-` or `.`: give \
                 the prefix by --prefix",
            )?,
        };
        let draft = derive(&samples, &prefix)?;
        return Ok(Description {
            names,
            draft,
            samples: Some(samples),
            uses_sample: args.revoked_sample,
        });
    }
    let checksum = checksum(args)?;
    let alphabet = args.alphabet.clone().unwrap_or_else(|| "base62".to_owned());
    let draft = RuleDraft { prefix, alphabet, lengths: args.lengths.clone(), checksum };
    Ok(Description { names, draft, samples: None, uses_sample: false })
}

/// Builds the format of a draft.
fn valid_format(draft: &RuleDraft) -> anyhow::Result<Format> {
    let alphabet = &draft.alphabet;
    if ByteSet::parse(alphabet).is_none() {
        let names = ByteSet::NAMES.join(", ");
        bail!("unknown alphabet `{alphabet}`: expected {names}, or a class such as [A-Za-z0-9-]");
    }
    if let Some(checksum) = &draft.checksum {
        default_length(checksum.algorithm, &checksum.encoding)?;
    }
    draft.format().context("the description is not a valid format")
}

fn write_file(path: &Path, text: &str, args: &NewRuleArgs) -> anyhow::Result<()> {
    let failed = || format!("cannot write rules to {}", path.display());
    let mut options = OpenOptions::new();
    options.write(true);
    if args.force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    let mut file = match options.open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{} already exists: --force replaces it", path.display())
        }
        file => file.with_context(failed)?,
    };
    file.write_all(text.as_bytes()).with_context(failed)
}
