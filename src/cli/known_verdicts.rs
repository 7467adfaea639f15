//! `--known-verdicts`: recent verdicts, so that their tokens are not verified again.
//!
//! Input: a JSON object of fingerprints and verifications as in reports. The file comes from the user or from
//! `ddpatrol-sweep`, never from scanned content.

use crate::respond::{Grant, Verdict, Verification};
use crate::rules::quote::without_values;
use anyhow::{Context, anyhow};
use ddpatrol_scan::finding::Fingerprint;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Verifications by fingerprint.
#[derive(Debug, Default)]
pub(super) struct KnownVerdicts(HashMap<Fingerprint, Verification>);

/// A verification as in reports.
#[derive(Deserialize)]
struct KnownVerdict {
    verdict: Verdict,
    reason: String,
    login: Option<String>,
    scopes: Option<Vec<String>>,
    expires_at: Option<String>,
}

impl KnownVerdicts {
    /// Reads the file.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let context = || format!("cannot read --known-verdicts {}", path.display());
        let text = std::fs::read(path).with_context(context)?;
        let entries: BTreeMap<String, KnownVerdict> = serde_json::from_slice(&text)
            .map_err(|error| anyhow!(without_values(&error.to_string())))
            .with_context(context)?;
        let entries = entries.into_iter().map(|(fingerprint, it)| {
            let fingerprint: Fingerprint = fingerprint.parse().with_context(context)?;
            let grant = Grant { login: it.login, scopes: it.scopes, expires_at: it.expires_at };
            Ok((fingerprint, Verification { grant, ..Verification::new(it.verdict, it.reason) }))
        });
        entries.collect::<anyhow::Result<_>>().map(Self)
    }

    /// Returns the verification of a token.
    pub(super) fn get(&self, fingerprint: Fingerprint) -> Option<&Verification> {
        self.0.get(&fingerprint)
    }
}
