//! The tables and keys of a rule file, with the span of each value.
//!
//! Input: TOML. Output: tables; unknown keys and wrong types are errors. `compile` interprets the values.

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use toml::Spanned;

/// One TOML file: an issuer and its tokens.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleFile {
    pub(super) issuer: String,
    pub(super) token: Vec<Spanned<TokenTable>>,
}

/// One `[[token]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenTable {
    pub(super) id: Spanned<String>,
    pub(super) name: String,
    pub(super) format: Spanned<String>,
    #[serde(default)]
    pub(super) evidence: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) found_by: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) except: Vec<String>,
    pub(super) verifier: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) group: Option<String>,
    #[serde(default)]
    pub(super) documentation: Option<String>,
    #[serde(default)]
    pub(super) advice: Option<String>,
    #[serde(default)]
    pub(super) segments: BTreeMap<String, Spanned<SegmentTable>>,
    #[serde(default)]
    pub(super) vectors: Vec<Spanned<VectorTable>>,
}

/// One `[token.segments.NAME]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SegmentTable {
    #[serde(default)]
    pub(super) alphabet: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) length: Option<Spanned<Length>>,
    #[serde(default)]
    pub(super) encoding: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) decodes_to: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) algorithm: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) over: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    pub(super) decode: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) seeds: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    pub(super) public: Option<bool>,
}

/// One `[[token.vectors]]`: published data that the rule must agree with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VectorTable {
    #[serde(default)]
    pub(super) token: Option<Vec<String>>,
    #[serde(default)]
    pub(super) uuid: Option<String>,
    #[serde(default)]
    pub(super) alias: Option<String>,
    #[serde(default)]
    pub(super) checksum_of: Option<String>,
    #[serde(default)]
    pub(super) checksum: Option<String>,
    #[serde(default)]
    pub(super) valid: Option<bool>,
    pub(super) source: String,
}

/// `30`, `[43, 32]` or `{ min = 27, max = 300 }`.
#[derive(Debug, Clone)]
pub(super) enum Length {
    OneOf(Vec<usize>),
    Range { min: usize, max: usize },
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LengthVisitor)
    }
}

struct LengthVisitor;

impl<'de> Visitor<'de> for LengthVisitor {
    type Value = Length;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a length such as 30, a list such as [43, 32], or { min = 27, max = 300 }")
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Length, E> {
        let len = usize::try_from(value)
            .map_err(|_| E::invalid_value(de::Unexpected::Signed(value), &self))?;
        Ok(Length::OneOf(vec![len]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Length, A::Error> {
        let mut lens = Vec::new();
        while let Some(len) = items.next_element()? {
            lens.push(len);
        }
        Ok(Length::OneOf(lens))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Length, A::Error> {
        let (mut min, mut max) = (None, None);
        while let Some(key) = entries.next_key::<String>()? {
            match &*key {
                "min" => min = Some(entries.next_value()?),
                "max" => max = Some(entries.next_value()?),
                _ => return Err(de::Error::unknown_field(&key, &["min", "max"])),
            }
        }
        Ok(Length::Range {
            min: min.ok_or_else(|| de::Error::missing_field("min"))?,
            max: max.ok_or_else(|| de::Error::missing_field("max"))?,
        })
    }
}
