//! Parses the entries of a leak report one by one from JSON, without storing what is not needed.
//!
//! A body of 8 MiB can contain millions of values. Parsing stops at the first entry beyond the
//! limit; unknown members are skipped, and texts are truncated to the stored length.

use super::MAX_ENTRIES;
use crate::audit::clean;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A member of an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Member<T> {
    /// Absent or null.
    #[default]
    None,
    /// A string.
    Text(T),
    /// Not a string.
    Other,
}

/// An entry of a report.
#[derive(Debug)]
pub(super) struct ParsedEntry<T> {
    /// The parsed token.
    pub(super) token: Member<T>,
    /// The other texts, redacted, in the order of their names.
    pub(super) texts: [Member<String>; 3],
    /// `true` if one of these members occurs twice, so that its value depends on the parser.
    pub(super) ambiguous: bool,
}

impl<T> Default for ParsedEntry<T> {
    fn default() -> Self {
        Self { token: Member::None, texts: Default::default(), ambiguous: false }
    }
}

/// The reason why a body has no list of entries.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ListError {
    /// The body is not JSON.
    Syntax {
        /// The line number, from 1.
        line: usize,
        /// The column number, from 1.
        column: usize,
    },
    /// The body is JSON without the list.
    NoList,
    /// The list has more than [`MAX_ENTRIES`] entries.
    TooMany,
}

/// The schema of a report: its list of entries and their members.
pub(super) struct Schema<'s, T> {
    /// The member of the body that contains the list; `None` if the body itself is the list.
    pub(super) list: Option<&'static str>,
    /// The names of the texts in addition to `token`.
    pub(super) texts: [&'static str; 3],
    /// Parses a token.
    pub(super) parse_token: &'s dyn Fn(&str) -> T,
}

impl<T> Schema<'_, T> {
    /// Parses a body and passes each entry to `take`.
    pub(super) fn parse(
        &self,
        body: &[u8],
        take: &mut dyn FnMut(ParsedEntry<T>),
    ) -> Result<(), ListError> {
        let mut json = serde_json::Deserializer::from_slice(body);
        let mut taken = 0;
        let mut list = List { schema: self, take, taken: &mut taken, found: false };
        let read = match self.list {
            None => (&mut list).deserialize(&mut json),
            Some(name) => Envelope { name, list: &mut list }.deserialize(&mut json),
        };
        let found = list.found;
        if taken > MAX_ENTRIES {
            return Err(ListError::TooMany);
        }
        match read.and_then(|()| json.end()) {
            Ok(()) if found => Ok(()),
            Err(error) if !error.is_data() => {
                Err(ListError::Syntax { line: error.line(), column: error.column() })
            }
            _ => Err(ListError::NoList),
        }
    }
}

/// The object around the list.
struct Envelope<'e, L> {
    name: &'static str,
    list: &'e mut L,
}

impl<'de, 'e, 'l, 's, T> DeserializeSeed<'de> for Envelope<'e, List<'l, 's, T>> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, 'e, 'l, 's, T> Visitor<'de> for Envelope<'e, List<'l, 's, T>> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "an object with the list {:?}", self.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(index) = map.next_key_seed(NameOf(&[self.name]))? {
            match index {
                Some(_) if self.list.found => return Err(A::Error::custom("two lists")),
                Some(_) => map.next_value_seed(&mut *self.list)?,
                None => map.next_value_seed(Skip)?,
            }
        }
        Ok(())
    }
}

struct List<'l, 's, T> {
    schema: &'l Schema<'s, T>,
    take: &'l mut dyn FnMut(ParsedEntry<T>),
    taken: &'l mut usize,
    found: bool,
}

impl<'de, T> DeserializeSeed<'de> for &mut List<'_, '_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T> Visitor<'de> for &mut List<'_, '_, T> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        self.found = true;
        while let Some(entry) = entries.next_element_seed(EntrySeed(self.schema))? {
            *self.taken += 1;
            if *self.taken > MAX_ENTRIES {
                return Err(A::Error::custom("too many entries"));
            }
            (self.take)(entry);
        }
        Ok(())
    }
}

struct EntrySeed<'l, 's, T>(&'l Schema<'s, T>);

impl<'de, T> DeserializeSeed<'de> for EntrySeed<'_, '_, T> {
    type Value = ParsedEntry<T>;

    fn deserialize<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<ParsedEntry<T>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Visits values other than objects, which are entries without members.
macro_rules! visit_others {
    ($value:ty, $other:expr) => {
        fn visit_bool<E>(self, _: bool) -> Result<$value, E> {
            Ok($other)
        }

        fn visit_i64<E>(self, _: i64) -> Result<$value, E> {
            Ok($other)
        }

        fn visit_u64<E>(self, _: u64) -> Result<$value, E> {
            Ok($other)
        }

        fn visit_f64<E>(self, _: f64) -> Result<$value, E> {
            Ok($other)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<$value, A::Error> {
            while values.next_element_seed(Skip)?.is_some() {}
            Ok($other)
        }
    };
}

impl<'de, T> Visitor<'de> for EntrySeed<'_, '_, T> {
    type Value = ParsedEntry<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an entry")
    }

    visit_others!(ParsedEntry<T>, ParsedEntry::default());

    fn visit_unit<E>(self) -> Result<ParsedEntry<T>, E> {
        Ok(ParsedEntry::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<ParsedEntry<T>, E> {
        Ok(ParsedEntry::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ParsedEntry<T>, A::Error> {
        let [first, second, third] = self.0.texts;
        let names = ["token", first, second, third];
        let mut entry = ParsedEntry::default();
        let mut seen = [false; 4];
        while let Some(index) = map.next_key_seed(NameOf(&names))? {
            let Some(index) = index else {
                map.next_value_seed(Skip)?;
                continue;
            };
            entry.ambiguous |= std::mem::replace(&mut seen[index], true);
            match index.checked_sub(1) {
                None => entry.token = map.next_value_seed(MemberOf(self.0.parse_token))?,
                Some(text) => entry.texts[text] = map.next_value_seed(MemberOf(&stored))?,
            }
        }
        Ok(entry)
    }
}

/// Returns the stored form of a text.
fn stored(text: &str) -> String {
    let text = clean(text);
    if text.contains('\0') { text.replace('\0', "") } else { text }
}

/// Finds the index of a member's name among the known names.
struct NameOf<'n>(&'n [&'static str]);

impl<'de> DeserializeSeed<'de> for NameOf<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NameOf<'_> {
    type Value = Option<usize>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(self.0.iter().position(|&known| known == name))
    }
}

/// A member whose text is parsed by a function.
struct MemberOf<'f, T>(&'f dyn Fn(&str) -> T);

impl<'de, T> DeserializeSeed<'de> for MemberOf<'_, T> {
    type Value = Member<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Member<T>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T> Visitor<'de> for MemberOf<'_, T> {
    type Value = Member<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    visit_others!(Member<T>, Member::Other);

    fn visit_unit<E>(self) -> Result<Member<T>, E> {
        Ok(Member::None)
    }

    fn visit_str<E>(self, text: &str) -> Result<Member<T>, E> {
        Ok(Member::Text((self.0)(text)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Member<T>, A::Error> {
        Skip.visit_map(map).map(|()| Member::Other)
    }
}

/// Skips a value. Unlike `serde::de::IgnoredAny`, which accepts JSON of any depth, it obeys the
/// nesting limit and validates the encoding of strings.
struct Skip;

impl<'de> DeserializeSeed<'de> for Skip {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Skip {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    visit_others!((), ());

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_key_seed(NameOf(&[]))?.is_some() {
            map.next_value_seed(Self)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(body: &str) -> Result<Vec<ParsedEntry<usize>>, ListError> {
        let schema = Schema {
            list: Some("reports"),
            texts: ["source", "url", "location"],
            parse_token: &|text: &str| text.len(),
        };
        let mut entries = Vec::new();
        schema.parse(body.as_bytes(), &mut |entry| entries.push(entry)).map(|()| entries)
    }

    #[test]
    fn members_are_read_and_unknown_ones_skipped() {
        let body = r#"{"x": [{"reports": []}], "reports": [
            {"token": "four", "y": {"token": [1, 2.5, "\u00e9", null, true]}, "url": "u", "source": null},
            0, [0, [1]], "x", null, true, -1, 0.5, {}, {"token": {"a": 1}, "url": 7},
            {"token": "a", "token": "ab"}, {"z": 1, "z": 2}
        ], "more": {}}"#;
        let entries = entries(body).expect("a report");
        let first = &entries[0];
        assert_eq!(first.token, Member::Text(4));
        assert_eq!(first.texts, [Member::None, Member::Text("u".to_owned()), Member::None]);
        assert!(entries[1..9].iter().all(|entry| entry.token == Member::None));
        assert_eq!((&entries[9].token, &entries[9].texts[1]), (&Member::Other, &Member::Other));
        let ambiguous: Vec<_> = entries.iter().map(|entry| entry.ambiguous).collect();
        assert_eq!(ambiguous.iter().filter(|&&ambiguous| ambiguous).count(), 1);
        assert!(ambiguous[10]);
        assert_eq!(entries.len(), 12);
    }

    #[test]
    fn a_missing_list_and_invalid_json_are_different_errors() {
        for body in ["{}", "[]", "null", "7", r#"{"reports": {}}"#, r#"{"reports": "x"}"#] {
            assert_eq!(entries(body).expect_err(body), ListError::NoList);
        }
        assert_eq!(
            entries(r#"{"reports": [], "reports": []}"#).expect_err("two"),
            ListError::NoList
        );
        let deep = format!(r#"{{"reports": [{{"x": {}}}]}}"#, "[".repeat(1_000_000));
        for body in ["", "{", r#"{"reports": ["#, r#"{"reports": []} x"#, "{\"a\": \"\n\"}", &deep]
        {
            let error = entries(body).expect_err("not JSON");
            assert!(matches!(error, ListError::Syntax { line: 1.., .. }), "{error:?}");
        }
    }

    #[test]
    fn parsing_stops_after_the_limit_even_if_the_rest_is_not_json() {
        let most = vec!["0"; MAX_ENTRIES].join(",");
        assert_eq!(entries(&format!(r#"{{"reports": [{most}]}}"#)).expect("allowed").len(), 10_000);
        let more = format!(r#"{{"reports": [{most},0, and so on"#);
        assert_eq!(entries(&more).expect_err("too many"), ListError::TooMany);
    }

    #[test]
    fn a_long_text_is_truncated_and_contains_no_part_of_a_token() {
        let long = format!("{} ddpat_{}", "é".repeat(16_384), "x".repeat(70));
        assert!(stored(&long).len() <= 512);
        let tokens = "ddpat_secret1234567890 ".repeat(16_384);
        assert!(!stored(&tokens).contains("secret"));
        assert_eq!(stored("a\0b"), "ab");
        // The memory for a report is reserved by its length.
        for text in ["ddpat_a-".repeat(20), "ddpat_".repeat(9), "ddsat_x".to_owned()] {
            assert!(stored(&text).len() <= text.len() + 10, "{text}");
        }
    }
}
