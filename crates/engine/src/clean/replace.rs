//! Replaces tokens, recognized by their fingerprints, in any bytes.
//!
//! Input: the targets and the bytes. Output: new bytes, or `None` if no target occurs. A replacement contains
//! the public part of the token and the beginning of its fingerprint, so that names stay distinct.

use super::base64;
use crate::detect::encoding::Layer;
use crate::detect::rules::RuleSet;
use crate::detect::{Detector, DetectorError, Haystack, Match, Scratch};
use ddpatrol_scan::finding::Fingerprint;
use ddpatrol_token::Secret;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::sync::Arc;

/// Maximum number of passes over one content: each can reveal a token that overlapped another one.
const MAX_PASSES: usize = 16;

/// The text that replaces an archive.
const PLACEHOLDER: &[u8] = b"Removed by `ddpatrol clean`: this archive contained leaked tokens.\n";

/// The tokens and blobs to remove from a history. Contains no secret.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Targets {
    /// The fingerprints of the tokens.
    pub fingerprints: HashSet<Fingerprint>,
    /// The ids of blobs that are replaced as a whole.
    pub dropped: HashSet<String>,
}

/// The cleaner could not be created.
#[derive(Debug, thiserror::Error)]
#[error("cannot prepare the search for tokens")]
pub struct CleanerError(#[from] DetectorError);

/// Removes the targets from contents and names.
#[derive(Debug)]
pub struct Cleaner {
    detector: Detector,
    targets: Targets,
    scratch: Scratch,
}

/// One occurrence of a target.
struct Occurrence {
    place: Match,
    replacement: Replacement,
}

/// The texts from which a replacement is made.
struct Replacement {
    /// The public part of the token and a marker.
    text: String,
    /// The first digits of the fingerprint.
    id: String,
    /// The token as base64 text can contain it: plain, in UTF-16, and in hexadecimal digits.
    forms: Vec<Secret>,
}

impl Cleaner {
    /// Creates a cleaner that knows the tokens of `rules`.
    ///
    /// # Errors
    /// [`CleanerError`] if the rules cannot be compiled.
    pub fn new(rules: Arc<RuleSet>, targets: Targets) -> Result<Self, CleanerError> {
        let detector = Detector::new(rules)?;
        Ok(Self { detector, targets, scratch: Scratch::default() })
    }

    /// Cleans the content of the blob `id`, or another text if `id` is empty. Returns `None` if it contains
    /// no target.
    pub fn content(&mut self, id: &[u8], bytes: &[u8]) -> Option<Vec<u8>> {
        let is_dropped = std::str::from_utf8(id).is_ok_and(|id| self.targets.dropped.contains(id));
        if is_dropped {
            return Some(PLACEHOLDER.to_vec());
        }
        let mut cleaned: Option<Vec<u8>> = None;
        for _ in 0..MAX_PASSES {
            let Some(next) = self.pass(cleaned.as_deref().unwrap_or(bytes)) else { break };
            cleaned = Some(next);
        }
        cleaned
    }

    /// Cleans a path or the name of a reference: each component by itself, as the scan searches them, then
    /// the whole.
    pub fn name(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let parts = bytes.split(|&byte| byte == b'/');
        let parts: Vec<Vec<u8>> =
            parts.map(|part| self.content(&[], part).unwrap_or_else(|| part.to_vec())).collect();
        let joined = parts.join(&b'/');
        let name = self.content(&[], &joined).unwrap_or(joined);
        (name != bytes).then_some(name)
    }

    /// Replaces all targets that do not overlap.
    fn pass(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let Self { detector, targets, scratch } = self;
        let mut found: Vec<Occurrence> = Vec::new();
        detector.find(Haystack::whole(bytes), 0..bytes.len(), scratch, |place, token| {
            if !place.is_proven() {
                return;
            }
            let fingerprint = Fingerprint::of(token);
            if targets.fingerprints.contains(&fingerprint) {
                let public = detector.rules()[place.rule].redact(token);
                let replacement = Replacement::new(&public, fingerprint).of(&place, token);
                found.push(Occurrence { place, replacement });
            }
        });
        // A plain token before an encoded one at the same place: its span is exact.
        found.sort_by_key(|it| (it.place.start, !it.place.encoding.is_plain(), it.place.end));
        let mut cleaned = Vec::with_capacity(bytes.len());
        let mut end = 0;
        // Binary formats contain offsets and lengths.
        let is_binary = !found.is_empty() && bytes.contains(&0);
        for Occurrence { place, replacement } in &found {
            if place.start >= end {
                cleaned.extend_from_slice(&bytes[end..place.start]);
                let start = cleaned.len();
                // The prefixes of the lines of a folded token remain.
                end = place.start;
                for piece in detector.pieces(bytes, place) {
                    cleaned.extend_from_slice(&bytes[end..piece.start]);
                    replacement.write(place, &bytes[piece.clone()], &mut cleaned);
                    end = piece.end;
                }
                if is_binary && place.encoding.is_plain() {
                    let len = cleaned.len().max(start + end - place.start);
                    cleaned.resize(len, b'X');
                }
            }
        }
        cleaned.extend_from_slice(&bytes[end..]);
        (cleaned != bytes).then_some(cleaned)
    }
}

impl Replacement {
    fn new(redacted: &str, fingerprint: Fingerprint) -> Self {
        let id = fingerprint.to_string()[..8].to_owned();
        let public = redacted.split_once("***").map_or("", |(public, _)| public);
        Self { text: format!("{public}REMOVED-{id}"), id, forms: Vec::new() }
    }

    /// Adds the forms of the token, if it is in base64.
    fn of(mut self, place: &Match, token: &[u8]) -> Self {
        if place.encoding.outermost() == Some(Layer::Base64) {
            let forms = [
                token.to_vec(),
                token.iter().flat_map(|&byte| [byte, 0]).collect(),
                token.iter().flat_map(|&byte| [0, byte]).collect(),
                hex::encode(token).into_bytes(),
                hex::encode_upper(token).into_bytes(),
            ];
            self.forms = forms.iter().map(|form| Secret::new(form)).collect();
        }
        self
    }

    /// Appends the replacement of `old`. In UTF-16, UTF-32, base64 and hexadecimal text it has the same encoding, so
    /// that the text around it can still be decoded.
    fn write(&self, place: &Match, old: &[u8], out: &mut Vec<u8>) {
        match place.encoding.outermost() {
            Some(Layer::Utf16Le) => {
                out.extend(self.text.encode_utf16().flat_map(u16::to_le_bytes));
            }
            Some(Layer::Utf16Be) => {
                out.extend(self.text.encode_utf16().flat_map(u16::to_be_bytes));
            }
            Some(Layer::Utf32Le) => {
                out.extend(self.text.chars().flat_map(|it| u32::from(it).to_le_bytes()));
            }
            Some(Layer::Utf32Be) => {
                out.extend(self.text.chars().flat_map(|it| u32::from(it).to_be_bytes()));
            }
            Some(Layer::Base64) => {
                let forms: Vec<&[u8]> = self.forms.iter().map(Secret::expose).collect();
                base64::replace(old, &forms, &format!("REMOVED{}", self.id), out);
            }
            Some(Layer::Hex) => {
                let mut filler = self.id.bytes().chain(std::iter::repeat(b'0'));
                out.extend(old.iter().map(|&byte| {
                    if byte.is_ascii_hexdigit() { filler.next().unwrap_or(b'0') } else { byte }
                }));
            }
            _ => out.extend_from_slice(self.text.as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ddpatrol_test_mint as mint;
    use std::path::Path;

    fn cleaner(token: &str) -> Cleaner {
        let mut rules = RuleSet::default();
        let text = include_str!("../../../../rules/datadog.toml");
        rules.add_text(Path::new("datadog.toml"), text).expect("the rule file is valid");
        let fingerprints = HashSet::from([Fingerprint::of(token.as_bytes())]);
        let targets = Targets { fingerprints, dropped: HashSet::from(["ab".to_owned()]) };
        Cleaner::new(Arc::new(rules), targets).expect("a cleaner")
    }

    #[test]
    fn only_the_target_is_replaced_wherever_it_occurs() {
        let (target, other) = (mint::token(1), mint::token(2));
        let text = format!("a={target}\r\nb={other}\n\"{target}\" {target}");
        let cleaned = cleaner(&target).content(&[], text.as_bytes()).expect("a change");
        let cleaned = String::from_utf8(cleaned).expect("text");
        let id = &Fingerprint::of(target.as_bytes()).to_string()[..8];
        let new = cleaned[2..].split('\r').next().expect("a line").to_owned();
        assert!(new.starts_with("ddpat_") && new.ends_with(&format!("REMOVED-{id}")), "{new}");
        assert_eq!(cleaned, text.replace(&target, &new));
        assert_eq!(cleaner(&target).content(&[], other.as_bytes()), None);
    }

    #[test]
    fn binary_content_keeps_its_length() {
        let target = mint::token(5);
        let binary = format!("\0\0{target}\0end").into_bytes();
        let cleaned = cleaner(&target).content(&[], &binary).expect("a change");
        assert_eq!(cleaned.len(), binary.len());
        assert!(cleaned.starts_with(b"\0\0ddpat_") && cleaned.ends_with(b"XX\0end"));
    }

    #[test]
    fn utf16_stays_utf16_and_escapes_are_replaced() {
        let target = mint::token(3);
        let utf16: Vec<u8> =
            format!("x {target} y").encode_utf16().flat_map(u16::to_le_bytes).collect();
        let cleaned = cleaner(&target).content(&[], &utf16).expect("a change");
        let units: Vec<u16> =
            cleaned.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        let text = String::from_utf16(&units).expect("UTF-16");
        assert!(text.starts_with("x ddpat_") && text.ends_with(" y"), "{text}");
        assert!(!text.contains(&target));
        let escaped = format!("k=\"{}\"", target.replace('_', "\\u005f"));
        let cleaned = cleaner(&target).content(&[], escaped.as_bytes()).expect("a change");
        assert!(cleaned.starts_with(b"k=\"") && cleaned.ends_with(b"\""));
    }

    #[test]
    fn names_are_cleaned_by_component_and_archives_are_dropped() {
        let target = mint::token(4);
        let mut cleaner = cleaner(&target);
        let name = cleaner.name(format!("refs/heads/{target}/x").as_bytes()).expect("a change");
        assert!(name.starts_with(b"refs/heads/ddpat_") && name.ends_with(b"/x"));
        assert_eq!(cleaner.name(b"refs/heads/main"), None);
        assert_eq!(cleaner.content(b"ab", b"zip").as_deref(), Some(PLACEHOLDER));
    }
}
