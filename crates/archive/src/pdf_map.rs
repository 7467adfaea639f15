//! Maps from the codes of a PDF font to characters (`ToUnicode`).
//!
//! Input: a decoded map, then shown strings. Output: ASCII characters; others are replaced. Ranges are not
//! expanded beyond ASCII, so a map needs little memory whatever it claims.

use super::pdf_syntax::{Lexer, Token};
use std::collections::{BTreeMap, BTreeSet};

/// The character for codes that map to other scripts. No token contains it.
const OTHER: u8 = b'?';

/// Maximum number of entries of a map: one per code.
const MAX_ENTRIES: usize = 1 << 16;

/// The number of codes whose characters are in a table. Codes of fonts with few glyphs are low.
const LOW: usize = 1 << 12;

/// A map from codes to characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct UnicodeMap {
    /// The number of bytes of a code.
    width: usize,
    characters: CodeTable,
    /// The first and last codes of ranges that map to other scripts.
    others: BTreeSet<(u32, u32)>,
}

/// The characters of codes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct CodeTable {
    /// The characters of codes below [`LOW`], as far as there are any.
    low: Vec<Option<Box<[u8]>>>,
    high: BTreeMap<u32, Box<[u8]>>,
}

impl CodeTable {
    /// Sets the characters of a code, unless there are too many codes.
    fn insert(&mut self, code: u32, characters: Box<[u8]>) {
        let index = code as usize;
        if index >= LOW {
            if self.high.len() < MAX_ENTRIES {
                self.high.insert(code, characters);
            }
            return;
        }
        if index >= self.low.len() {
            self.low.resize(index + 1, None);
        }
        self.low[index] = Some(characters);
    }

    /// Returns the characters of a code.
    fn get(&self, code: u32) -> Option<&[u8]> {
        match self.low.get(code as usize) {
            Some(characters) => characters.as_deref(),
            None => self.high.get(&code).map(|it| &**it),
        }
    }
}

/// Whether a map covers the codes of a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codes {
    Mapped,
    Unknown,
}

impl UnicodeMap {
    /// Parses a map; returns `None` for other content.
    pub(super) fn parse(content: &[u8]) -> Option<Self> {
        let has = |word: &[u8]| memchr::memmem::find(content, word).is_some();
        if !has(b"beginbfchar") && !has(b"beginbfrange") {
            return None;
        }
        let mut map = Self { width: 0, ..Self::default() };
        let mut strings: Vec<Vec<u8>> = Vec::new();
        let mut lexer = Lexer::new(content);
        let mut range = RangeReader::default();
        let mut is_range = false;
        while let Some(token) = lexer.next_token() {
            match token {
                Token::String(string) if is_range && lexer.is_in_array() => {
                    range.add_listed(&string, &mut map);
                }
                Token::String(string) if is_range => range.add(&string, &mut map),
                Token::String(string) => strings.push(string),
                Token::Operator(word) => {
                    match word {
                        b"endcodespacerange" => {
                            let width = strings.iter().map(Vec::len).max().unwrap_or(0);
                            map.width = map.width.max(width.min(4));
                        }
                        b"endbfchar" => {
                            for pair in strings.chunks_exact(2) {
                                map.characters.insert(code(&pair[0]), characters(&pair[1]));
                            }
                        }
                        _ => {}
                    }
                    is_range = word == b"beginbfrange";
                    range = RangeReader::default();
                    strings.clear();
                }
                Token::Number(_) | Token::Other => {}
            }
        }
        map.width = if map.width == 0 { 2 } else { map.width };
        Some(map)
    }

    /// Maps a range of codes to consecutive characters.
    fn insert_range(&mut self, first: u32, last: u32, target: &[u8]) {
        let value = code(target);
        if first > last || target.len() > 4 {
            return;
        }
        if self.others.len() < MAX_ENTRIES {
            self.others.insert((first, last));
        }
        // Only ASCII needs entries.
        for character in value..0x7f {
            let at = first.saturating_add(character - value);
            if at > last {
                break;
            }
            self.characters.insert(at, Box::new([printable(character)]));
        }
    }

    /// Appends the characters of a string, if the map covers all its codes.
    pub(super) fn decode(&self, string: &[u8], out: &mut Vec<u8>) -> Codes {
        if !string.len().is_multiple_of(self.width) {
            return Codes::Unknown;
        }
        for bytes in string.chunks_exact(self.width) {
            let code = code(bytes);
            match self.characters.get(code) {
                Some(characters) => out.extend_from_slice(characters),
                None if self.is_other(code) => out.push(OTHER),
                None => return Codes::Unknown,
            }
        }
        Codes::Mapped
    }

    fn is_other(&self, code: u32) -> bool {
        let before = self.others.range(..=(code, u32::MAX)).next_back();
        before.is_some_and(|&(_, last)| code <= last)
    }
}

/// Reads the entries of ranges: the first and last code, and one character or a list of them.
#[derive(Debug, Default)]
struct RangeReader {
    codes: Vec<u32>,
    listed: u32,
}

impl RangeReader {
    /// Adds a character of the list of the current range.
    fn add_listed(&mut self, string: &[u8], map: &mut UnicodeMap) {
        if let &[first, last] = &self.codes[..]
            && let Some(code) = first.checked_add(self.listed).filter(|&code| code <= last)
        {
            map.characters.insert(code, characters(string));
            self.listed += 1;
        }
    }

    /// Adds a string outside of lists: a code, or the first character of a range.
    fn add(&mut self, string: &[u8], map: &mut UnicodeMap) {
        if self.listed > 0 {
            *self = Self::default();
        }
        if let &[first, last] = &self.codes[..] {
            map.insert_range(first, last, string);
            self.codes.clear();
        } else {
            self.codes.push(code(string));
        }
    }
}

/// Reads a code or a character as a big-endian number.
fn code(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |value, &byte| value << 8 | u32::from(byte))
}

/// Returns the characters of big-endian UTF-16; at most as many as a ligature has.
fn characters(bytes: &[u8]) -> Box<[u8]> {
    let units = bytes.chunks(2).take(4).map(code);
    units.map(printable).collect()
}

fn printable(character: u32) -> u8 {
    u8::try_from(character).ok().filter(|byte| (b' '..0x7f).contains(byte)).unwrap_or(OTHER)
}
