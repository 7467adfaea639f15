//! The description of a rule, from options and sample tokens.
//!
//! Input: options and samples. Output: the parts of a draft. Asks no questions.

use crate::cli::args::NewRuleArgs;
use crate::cli::messages::print_note;
use crate::rule_draft::{ChecksumDraft, CoverageDraft, RuleDraft, RuleNames, Samples};
use anyhow::{Context, bail};
use ddpatrol_scan::quantity::count;
use ddpatrol_token::{Algorithm, Checksum, Encoding};

/// Maximum length of all samples, in bytes.
pub(super) const MAX_SAMPLES: u64 = 64 * 1024;

/// The description of a rule, and the sample tokens that it verifies.
pub(super) struct Description {
    pub(super) names: RuleNames,
    pub(super) draft: RuleDraft,
    pub(super) samples: Option<Samples>,
    /// Whether the first sample is written into the file.
    pub(super) uses_sample: bool,
}

pub(super) fn parse_samples(text: &[u8]) -> anyhow::Result<Samples> {
    if text.len() as u64 > MAX_SAMPLES {
        bail!("the samples exceed {MAX_SAMPLES} bytes: a few tokens are enough");
    }
    Ok(Samples::parse(text)?)
}

/// Finds the format of samples, with their checksum if a known one verifies them.
pub(super) fn derive(samples: &Samples, prefix: &str) -> anyhow::Result<RuleDraft> {
    let number = count(samples.list().len(), "sample");
    Ok(match samples.verified(prefix)? {
        Some(draft) => {
            if let Some(checksum) = &draft.checksum {
                let ChecksumDraft { algorithm, encoding, length, .. } = checksum;
                print_note(&format!(
                    "Checksum found: the last {length} characters of {number} are {} in {encoding}.",
                    algorithm.name()
                ));
            }
            draft
        }
        None => {
            print_note(&format!("No known checksum verifies {number}."));
            samples.plain(prefix)?
        }
    })
}

/// Reads the description of the checksum from the options.
pub(super) fn checksum(args: &NewRuleArgs) -> anyhow::Result<Option<ChecksumDraft>> {
    let name = args.checksum.as_deref().unwrap_or("none");
    if name == "none" {
        let given = args.encoding.is_some()
            || args.checksum_length.is_some()
            || args.separator.is_some()
            || args.over.is_some();
        if given {
            bail!("the options describe a checksum: add --checksum crc32 or --checksum sha256");
        }
        return Ok(None);
    }
    let algorithm = algorithm(name)?;
    let encoding = args.encoding.clone().unwrap_or_else(|| "base62".to_owned());
    let length = match args.checksum_length {
        Some(length) => length,
        None => default_length(algorithm, &encoding)?
            .context("the length of a truncated digest varies: give it by --checksum-length")?,
    };
    let separator = args.separator.clone().unwrap_or_default();
    let coverage = coverage(args.over.as_deref().unwrap_or("secret"))?;
    Ok(Some(ChecksumDraft { separator, algorithm, encoding, length, coverage }))
}

/// Parses the algorithms of checksums that cover one part of a token.
pub(super) fn algorithm(name: &str) -> anyhow::Result<Algorithm> {
    match name {
        "crc32" => Ok(Algorithm::Crc32),
        "sha256" => Ok(Algorithm::Sha256),
        _ => bail!("unknown checksum `{name}`: expected none, crc32 or sha256"),
    }
}

pub(super) fn coverage(name: &str) -> anyhow::Result<CoverageDraft> {
    match name {
        "secret" => Ok(CoverageDraft::Secret),
        "prefix-and-secret" => Ok(CoverageDraft::PrefixAndSecret),
        "all" => Ok(CoverageDraft::All),
        _ => bail!("unknown part `{name}`: expected secret, prefix-and-secret or all"),
    }
}

/// Returns the length of a checksum that its encoding requires.
pub(super) fn default_length(
    algorithm: Algorithm,
    encoding: &str,
) -> anyhow::Result<Option<usize>> {
    let names = || Encoding::names().collect::<Vec<_>>().join(", ");
    let known = Encoding::parse(encoding)
        .with_context(|| format!("unknown encoding `{encoding}`: expected one of {}", names()))?;
    Ok(Checksum::required_width(algorithm, known))
}
