//! Loads rules: the built-in ones, and those in files that the user names.
//!
//! Input: the files in `rules/`, which are part of the binary, and paths. Output: a [`RuleSet`]. The format
//! of rule files is defined by `ddpatrol_detect::rules`.

pub use ddpatrol_detect::rules::{
    Rule, RuleError, RuleIndex, RuleSet, Vector, Verifier, line_column, quote, selftest,
};

use crate::decode;
use ddpatrol_scan::regular::{self, Links, MAX_TEXT};
use std::path::{Path, PathBuf};

/// The rule files in the binary.
const BUILTIN: [(&str, &str); 34] = [
    ("rules/age.toml", include_str!("../rules/age.toml")),
    ("rules/apify.toml", include_str!("../rules/apify.toml")),
    ("rules/atlassian.toml", include_str!("../rules/atlassian.toml")),
    ("rules/azure.toml", include_str!("../rules/azure.toml")),
    ("rules/bitbucket.toml", include_str!("../rules/bitbucket.toml")),
    ("rules/bitcoin.toml", include_str!("../rules/bitcoin.toml")),
    ("rules/canva.toml", include_str!("../rules/canva.toml")),
    ("rules/cloudflare.toml", include_str!("../rules/cloudflare.toml")),
    ("rules/confluent.toml", include_str!("../rules/confluent.toml")),
    ("rules/datadog.toml", include_str!("../rules/datadog.toml")),
    ("rules/deno.toml", include_str!("../rules/deno.toml")),
    ("rules/dhis2.toml", include_str!("../rules/dhis2.toml")),
    ("rules/elastic.toml", include_str!("../rules/elastic.toml")),
    ("rules/github.toml", include_str!("../rules/github.toml")),
    ("rules/gitlab.toml", include_str!("../rules/gitlab.toml")),
    ("rules/grafana.toml", include_str!("../rules/grafana.toml")),
    ("rules/jsr.toml", include_str!("../rules/jsr.toml")),
    ("rules/mas.toml", include_str!("../rules/mas.toml")),
    ("rules/nats.toml", include_str!("../rules/nats.toml")),
    ("rules/netbird.toml", include_str!("../rules/netbird.toml")),
    ("rules/nostr.toml", include_str!("../rules/nostr.toml")),
    ("rules/npm.toml", include_str!("../rules/npm.toml")),
    ("rules/polar.toml", include_str!("../rules/polar.toml")),
    ("rules/private-keys.toml", include_str!("../rules/private-keys.toml")),
    ("rules/salad.toml", include_str!("../rules/salad.toml")),
    ("rules/stellar.toml", include_str!("../rules/stellar.toml")),
    ("rules/sui.toml", include_str!("../rules/sui.toml")),
    ("rules/synapse.toml", include_str!("../rules/synapse.toml")),
    ("rules/tezos.toml", include_str!("../rules/tezos.toml")),
    ("rules/unknown.toml", include_str!("../rules/unknown.toml")),
    ("rules/vercel.toml", include_str!("../rules/vercel.toml")),
    ("rules/wandb.toml", include_str!("../rules/wandb.toml")),
    ("rules/zentral.toml", include_str!("../rules/zentral.toml")),
    ("rules/zuplo.toml", include_str!("../rules/zuplo.toml")),
];

/// Compiles the built-in rules.
///
/// # Errors
/// Never in a released binary: the tests compile the same files.
pub fn builtin() -> Result<RuleSet, RuleError> {
    let mut set = RuleSet::default();
    for (path, text) in BUILTIN {
        set.add_builtin(Path::new(path), text)?;
    }
    Ok(set)
}

/// The rules in a file or folder could not be added.
#[derive(Debug, thiserror::Error)]
pub enum RuleFileError {
    /// A rule file or folder could not be read.
    #[error("cannot read rules from {}", path.display())]
    Unread {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A folder contains no rule file.
    #[error("no rules in {}: rule files must end in .toml", .0.display())]
    NoRules(PathBuf),
    /// A rule file is invalid.
    #[error(transparent)]
    Rule(#[from] RuleError),
}

/// Adds the rules of a file, or of all files in a folder that end in `.toml`, sorted by name.
///
/// # Errors
/// An unreadable path, a folder without rules, or an error of [`RuleSet::add_text`].
pub fn add_path(rules: &mut RuleSet, path: &Path, links: Links) -> Result<(), RuleFileError> {
    let unread = |path: &Path| {
        let path = path.to_owned();
        move |source| RuleFileError::Unread { path, source }
    };
    let mut files = Vec::new();
    if std::fs::metadata(path).map_err(unread(path))?.is_dir() {
        for entry in std::fs::read_dir(path).map_err(unread(path))? {
            let file = entry.map_err(unread(path))?.path();
            if file.extension().is_some_and(|extension| extension == "toml") {
                files.push(file);
            }
        }
        files.sort();
        if files.is_empty() {
            return Err(RuleFileError::NoRules(path.to_owned()));
        }
    } else {
        files.push(path.to_owned());
    }
    for file in files {
        let bytes = regular::read(&file, links, MAX_TEXT).map_err(unread(&file))?;
        let text = decode::text(bytes).map_err(|error| unread(&file)(error.into()))?;
        rules.add_text(&file, &text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ddpatrol_token::{Check, datadog};

    #[test]
    fn every_builtin_rule_matches_its_samples_and_vectors() {
        let set = builtin().expect("the built-in rules compile");
        assert_eq!(set.rules().len(), 92);
        for rule in set.rules() {
            let outcome = selftest::check(rule).expect("the system has random bytes");
            assert_eq!(outcome.faults, Vec::<String>::new(), "{}", rule.id);
            assert_eq!(outcome.samples > 0, rule.verifier.is_none(), "{}", rule.id);
            let is_shaped =
                ["github-server", "azure-devops-pat", "azure-ai-services-key"].contains(&&*rule.id);
            assert_eq!(rule.can_prove(), !is_shaped, "{}", rule.id);
            assert_eq!(rule.can_prove(), outcome.vectors > 0 && outcome.damaged > 0, "{}", rule.id);
            let is_grouped = ["private-key", "unknown-issuer"].contains(&&*rule.id);
            assert_eq!(rule.group.is_some(), is_grouped, "{}", rule.id);
            assert!(rule.advice.is_some() && rule.documentation.is_some(), "{}", rule.id);
        }
    }

    #[test]
    fn a_change_that_matches_another_seed_is_no_fault_of_a_rule() {
        let set = builtin().expect("the built-in rules compile");
        let rule = set.get("azure-cosmos-key").expect("a built-in rule");
        // Two of its seeds differ in one byte, so one sample in 64 verifies with the first change of a character.
        for _ in 0..500 {
            let outcome = selftest::check(rule).expect("the system has random bytes");
            assert_eq!(outcome.faults, Vec::<String>::new());
        }
    }

    #[test]
    fn scanner_and_issuer_use_the_same_format() {
        let set = builtin().expect("the built-in rules compile");
        for (id, prefix) in [
            ("datadog-pat", datadog::PERSONAL_PREFIX),
            ("datadog-service-account-token", datadog::SERVICE_ACCOUNT_PREFIX),
        ] {
            let issued = datadog::access_token(prefix).expect("the format is valid");
            let scanned = &set.get(id).expect("a built-in rule").format;
            assert_eq!(scanned.pattern(), issued.pattern());
            for choice in issued.choices() {
                let mut state = 1_u8;
                let token = issued.mint(choice, &mut |bytes| {
                    bytes.iter_mut().for_each(|byte| {
                        state = state.wrapping_mul(73).wrapping_add(41);
                        *byte = state;
                    });
                });
                assert!(
                    matches!(scanned.check(token.expose()), Check::Proven { .. }),
                    "{choice:?}"
                );
            }
            assert_eq!(scanned.choices().len(), issued.choices().len());
        }
    }
}
