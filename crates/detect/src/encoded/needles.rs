//! Derives the needles: from the anchor of each rule, the literals of its encoded forms.
//!
//! Input: anchors. Output: needles, each with the forms that it may belong to. Literals are cut to a few
//! characters, so that several forms and heads share them; decoding from a hit decides.

use super::decode::Scheme;
use super::escape::escape;
use crate::anchor::AnchorKind;
use crate::encoding::Layer;
use ddpatrol_token::Anchor;
use std::collections::BTreeMap;

/// A literal that is searched for in long runs, and how the text around it may be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RunNeedle {
    pub(super) text: Vec<u8>,
    pub(super) forms: Vec<Form>,
}

/// A way to read the text around a literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) scheme: Scheme,
    pub(super) kind: AnchorKind,
    /// The number of characters from the start of the token to the literal.
    pub(super) back: usize,
}

impl RunNeedle {
    /// Returns `true` if the needle is part of an encoded head.
    pub(super) fn is_of_head(&self) -> bool {
        self.forms.iter().any(|form| form.kind == AnchorKind::Head)
    }
}

/// An escaped character of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Escape {
    pub(super) layer: Layer,
    pub(super) byte: u8,
}

/// The minimum length of a literal. Heads of three bytes or fewer are not searched in all forms.
const SHORTEST: usize = 3;

/// Derives the literals of base64 and hex.
pub(super) fn run_needles(anchors: &[&Anchor]) -> Vec<RunNeedle> {
    let mut all: BTreeMap<Vec<u8>, Vec<Form>> = BTreeMap::new();
    let mut add = |text: Vec<u8>, form: Form| {
        if text.len() >= SHORTEST {
            let forms = all.entry(text).or_default();
            if !forms.contains(&form) {
                forms.push(form);
            }
        }
    };
    for Anchor { text, offset } in anchors {
        let kind = if *offset == 0 { AnchorKind::Head } else { AnchorKind::Middle };
        let wide: Vec<u8> = text.iter().flat_map(|&byte| [byte, 0]).collect();
        for before in 0..3 {
            let skip = [0, 2, 4][before];
            let back = |offset| base64_back(before, offset);
            for text in base64(text, (before + offset) % 3) {
                let scheme = Scheme::Base64 { skip };
                add(cut(text, 4), Form { scheme, kind, back: back(*offset) });
            }
            for text in base64(&wide, (before + 2 * offset) % 3) {
                let scheme = Scheme::Base64Utf16 { skip };
                add(cut(text, 5), Form { scheme, kind, back: back(2 * offset) });
            }
        }
        let hex = hex::encode(text);
        for text in [hex.to_uppercase(), hex] {
            add(cut(text.into_bytes(), 6), Form { scheme: Scheme::Hex, kind, back: 2 * offset });
        }
    }
    merge(all)
}

/// Returns the number of characters from the first one of a token in base64, with `before` bytes before it in
/// its group of three, to the first one that depends only on the bytes from `offset` on.
fn base64_back(before: usize, offset: usize) -> usize {
    (8 * (before + offset)).div_ceil(6) - 8 * before / 6
}

/// Merges each literal into the literal that is its prefix.
fn merge(all: BTreeMap<Vec<u8>, Vec<Form>>) -> Vec<RunNeedle> {
    let mut needles: Vec<RunNeedle> = Vec::new();
    // In this order, a literal comes directly after its prefix and others with this prefix.
    for (text, forms) in all {
        match needles.last_mut().filter(|it| text.starts_with(&it.text)) {
            Some(shorter) => {
                let new = forms.into_iter().filter(|form| !shorter.forms.contains(form));
                let new: Vec<Form> = new.collect();
                shorter.forms.extend(new);
            }
            None => needles.push(RunNeedle { text, forms }),
        }
    }
    needles
}

fn cut(mut text: Vec<u8>, len: usize) -> Vec<u8> {
    text.truncate(len);
    text
}

/// Encodes `text`, with `before` bytes before it in its group of three, and returns the base64 characters
/// that do not depend on the surrounding bytes; in both alphabets if they differ.
fn base64(text: &[u8], before: usize) -> Vec<Vec<u8>> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bit = |at: usize| {
        let byte = text[at / 8 - before];
        usize::from(byte >> (7 - at % 8) & 1)
    };
    let first = (8 * before).div_ceil(6);
    let last = 8 * (before + text.len()) / 6;
    let digit = |at: usize| (6 * at..6 * at + 6).fold(0, |digit, at| digit << 1 | bit(at));
    let standard: Vec<u8> = (first..last).map(|at| DIGITS[digit(at)]).collect();
    let swap = |byte: &u8| match byte {
        b'+' => b'-',
        b'/' => b'_',
        &other => other,
    };
    let url: Vec<u8> = standard.iter().map(swap).collect();
    if url == standard { vec![standard] } else { vec![standard, url] }
}

/// Returns the character of a head by which its escaped forms are found, and its offset: the last one that
/// is neither letter nor digit, since it is escaped if any character is; or else the first.
pub(super) fn anchor(head: &[u8]) -> (u8, usize) {
    let at = head.iter().rposition(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(0);
    (head[at], at)
}

/// A literal that is searched for in long runs, and the escapes that it may encode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EscapeNeedle {
    pub(super) text: Vec<u8>,
    pub(super) escapes: Vec<Escape>,
}

impl EscapeNeedle {
    /// Lists the escapes with which `text` begins.
    pub(super) fn escapes_in(&self, text: &[u8]) -> impl Iterator<Item = &Escape> {
        // Most escapes of a literal have the same layer.
        let mut read: Option<(Layer, Option<u8>)> = None;
        self.escapes.iter().filter(move |it| {
            let byte = match read {
                Some((layer, byte)) if layer == it.layer => byte,
                _ => escape(it.layer, text).and_then(|found| found.byte),
            };
            read = Some((it.layer, byte));
            byte == Some(it.byte)
        })
    }
}

/// Derives the literals of escaped characters.
pub(super) fn escape_needles(anchors: &[u8]) -> Vec<EscapeNeedle> {
    let mut all: Vec<(Vec<u8>, Escape)> =
        anchors.iter().flat_map(|&byte| escaped_forms(byte)).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    let mut needles: Vec<EscapeNeedle> = Vec::new();
    // In this order, a literal comes directly after its prefix and others with this prefix.
    for (text, escape) in all {
        match needles.last_mut().filter(|it| text.starts_with(&it.text)) {
            Some(shorter) => shorter.escapes.push(escape),
            None => needles.push(EscapeNeedle { text, escapes: vec![escape] }),
        }
    }
    needles
}

/// Returns the escaped forms of a character. Of a number with leading zeros, which may be of any length, only the first
/// zero is part of the literal.
fn escaped_forms(byte: u8) -> Vec<(Vec<u8>, Escape)> {
    let forms = [
        (Layer::Percent, vec![format!("%{byte:02X}"), format!("%{byte:02x}")]),
        (Layer::QuotedPrintable, vec![format!("={byte:02X}"), format!("={byte:02x}")]),
        (
            Layer::Unicode,
            vec![
                format!("\\u{byte:04x}"),
                format!("\\u{byte:04X}"),
                format!("\\u{{{byte:x}}}"),
                format!("\\u{{{byte:X}}}"),
                "\\u{0".to_owned(),
            ],
        ),
        (Layer::HexEscape, vec![format!("\\x{byte:02x}"), format!("\\x{byte:02X}")]),
        (
            Layer::Backslash,
            if byte.is_ascii_punctuation() {
                vec![format!("\\{}", char::from(byte))]
            } else {
                vec![]
            },
        ),
        (
            Layer::Html,
            vec![
                format!("&#{byte};"),
                format!("&#x{byte:x};"),
                format!("&#x{byte:X};"),
                format!("&#X{byte:X};"),
                "&#0".to_owned(),
                "&#x0".to_owned(),
                "&#X0".to_owned(),
            ],
        ),
    ];
    let mut all: Vec<(Vec<u8>, Escape)> = Vec::new();
    for (layer, texts) in forms {
        for text in texts {
            all.push((text.into_bytes(), Escape { layer, byte }));
        }
    }
    if byte == b'_' {
        for name in ["&lowbar;", "&UnderBar;"] {
            all.push((name.into(), Escape { layer: Layer::Html, byte }));
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_those_of_every_alignment() {
        assert_eq!(base64(b"ddpat_", 0), [b"ZGRwYXRf"]);
        assert_eq!(base64(b"ddpat_", 1), [b"RkcGF0X"]);
        assert_eq!(base64(b"ddpat_", 2), [b"kZHBhdF"]);
        assert_eq!(base64(&[0xfb, 0xff], 0), [b"+/".to_vec(), b"-_".to_vec()]);
    }

    #[test]
    fn a_literal_that_begins_with_another_shares_its_hits() {
        let heads = ["ddpat_", "ddsat_", "ghp_", "gho_"];
        let anchors = heads.map(|head| Anchor { text: head.as_bytes().into(), offset: 0 });
        let needles = run_needles(&anchors.iter().collect::<Vec<_>>());
        for (at, needle) in needles.iter().enumerate() {
            let others = needles.iter().enumerate().filter(|(other, _)| *other != at);
            for (_, other) in others {
                assert!(!needle.text.starts_with(&other.text), "{needle:?} {other:?}");
            }
            assert!(!needle.forms.is_empty());
        }
    }

    #[test]
    fn the_distance_to_the_start_depends_on_the_alignment() {
        // The groups of `xyzabcdef`: xyz abc def, ..x yza bcd ef., .xy zab cde f...
        assert_eq!([0, 1, 2].map(|before| base64_back(before, 0)), [0, 1, 1]);
        assert_eq!([0, 1, 2].map(|before| base64_back(before, 3)), [4, 5, 5]);
        assert_eq!([0, 1, 2].map(|before| base64_back(before, 1)), [2, 2, 2]);
    }

    #[test]
    fn the_anchor_is_the_last_character_that_is_escaped() {
        assert_eq!(anchor(b"github_pat_"), (b'_', 10));
        assert_eq!(anchor(b"glpat-"), (b'-', 5));
        assert_eq!(anchor(b"ATATT"), (b'A', 0));
    }
}
