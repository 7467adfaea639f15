//! Reads the PEM block of a private key in text.
//!
//! Input: bytes, and the offset of `-----BEGIN`. Output: the key, its end, and the last byte that the result
//! depends on. Lines may end in LF or CRLF, or in `\n` as in JSON and `.env` files; they may be indented,
//! commented, quoted one by one, and joined by operators, as in source code. All lines after the first one may begin
//! with the same text, such as the `+` of a patch or the time stamp of a log ([`LinePrefix`]). The key itself is
//! parsed by `ddpatrol_token::private_key`.

mod line_prefix;

use ddpatrol_token::private_key::PrivateKey;
use line_prefix::{ENCRYPTED, LinePrefix};
use std::ops::Range;

/// Maximum length of a block, in bytes: an RSA key of 16,384 bits has 13 KiB.
pub(crate) const MAX_BLOCK: usize = 20 * 1024;

/// The beginning of a block.
const BEGIN: &[u8] = b"-----BEGIN ";
/// The beginning of its last line.
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";
/// The end of every label.
const PRIVATE_KEY: &str = "PRIVATE KEY";
/// Maximum length of a label.
const MAX_LABEL: usize = 32;
/// Maximum number of bytes between two string literals.
const MAX_JOIN: usize = 128;

/// The result of reading a block.
#[derive(Debug)]
pub(crate) struct PemBlock {
    /// The offset after the last byte that the result depends on.
    pub(crate) read_end: usize,
    pub(crate) content: BlockContent,
}

/// The content of a block.
#[derive(Debug)]
pub(crate) enum BlockContent {
    /// A private key, and the offset after the last line of the block.
    Key(Box<PrivateKey>, usize),
    /// The block of a private key without an end, or whose content is damaged. The bytes after the first
    /// line that may belong to it.
    Damaged(Range<usize>),
    /// No block of a private key.
    Other,
}

/// Lists the parts of private keys to mask: everything after their first lines.
pub(crate) fn secrets(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let starts = memchr::memmem::find_iter(bytes, BEGIN);
    starts.filter_map(|start| PemBlock::read(bytes, start).secret(bytes, start))
}

impl PemBlock {
    /// Reads the block that begins at `start`.
    pub(crate) fn read(bytes: &[u8], start: usize) -> Self {
        let plain = Self::read_lines(bytes, start, LinePrefix::NONE);
        let body = match &plain.content {
            BlockContent::Damaged(body) => body.clone(),
            BlockContent::Key(..) | BlockContent::Other => return plain,
        };
        let Some(prefix) = LinePrefix::after(bytes, body.start) else { return plain };
        let mut prefixed = Self::read_lines(bytes, start, prefix);
        prefixed.read_end = prefixed.read_end.max(plain.read_end);
        match &mut prefixed.content {
            BlockContent::Damaged(other) => other.end = other.end.max(body.end),
            BlockContent::Key(..) | BlockContent::Other => {}
        }
        prefixed
    }

    /// Reads the block that begins at `start` and whose lines begin with a prefix.
    fn read_lines(bytes: &[u8], start: usize, prefix: LinePrefix<'_>) -> Self {
        let limit = bytes.len().min(start + MAX_BLOCK);
        let text = &bytes[..limit];
        let Some(label) = label_after(text, start, BEGIN) else {
            let read_end = limit.min(start + BEGIN.len() + MAX_LABEL + DASHES.len());
            return Self { read_end, content: BlockContent::Other };
        };
        let body = label.end + DASHES.len();
        // Labels are ASCII.
        let label = std::str::from_utf8(&text[label]).unwrap_or_default();
        if !label.ends_with(PRIVATE_KEY) {
            return Self { read_end: body, content: BlockContent::Other };
        }
        let mut reader = Body { text, at: body, digits: Vec::new(), prefix };
        let is_legacy = reader.skip_to_header();
        if is_legacy {
            reader.skim();
        } else {
            reader.read();
        }
        let Body { at, digits, .. } = reader;
        let end = label_after(text, at, END).filter(|it| text[it.clone()] == *label.as_bytes());
        let Some(end) = end.map(|it| it.end + DASHES.len()) else {
            let read_end = limit.min(at + END.len() + MAX_LABEL + DASHES.len());
            return Self { read_end, content: BlockContent::Damaged(body..at) };
        };
        let key = if is_legacy {
            Some(PrivateKey::encrypted(&digits))
        } else {
            decode(&digits).and_then(|der| PrivateKey::parse(label, &der))
        };
        let content = match key {
            Some(key) => BlockContent::Key(Box::new(key), end),
            None => BlockContent::Damaged(body..at),
        };
        Self { read_end: end, content }
    }

    /// Returns `true` if the block may continue after the end of the bytes.
    pub(crate) fn is_open(&self, bytes: &[u8]) -> bool {
        self.read_end == bytes.len() && !matches!(self.content, BlockContent::Key(..))
    }

    /// Returns the part of the block to mask: everything after its first line.
    pub(crate) fn secret(&self, bytes: &[u8], start: usize) -> Option<Range<usize>> {
        match &self.content {
            BlockContent::Key(_, end) => {
                let label = label_after(bytes, start, BEGIN)?;
                Some(label.end + DASHES.len()..*end)
            }
            BlockContent::Damaged(body) => Some(body.clone()).filter(|body| !body.is_empty()),
            BlockContent::Other => None,
        }
    }
}

/// Returns the range of the label in a line such as `-----BEGIN PRIVATE KEY-----`, of which `line` is the
/// beginning.
fn label_after(text: &[u8], start: usize, line: &[u8]) -> Option<Range<usize>> {
    let from = start + line.len();
    let rest = text.get(start..)?.strip_prefix(line)?;
    let is_label =
        |byte: &&u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || **byte == b' ';
    let len = rest.iter().take(MAX_LABEL).take_while(is_label).count();
    rest[len..].starts_with(DASHES).then_some(from..from + len)
}

/// The lines between the first and the last one.
struct Body<'a> {
    text: &'a [u8],
    /// The offset of the next byte.
    at: usize,
    /// The digits of base64 so far.
    digits: Vec<u8>,
    /// The text before each line.
    prefix: LinePrefix<'a>,
}

/// A byte of text, as it is meant.
enum Unit {
    /// A digit of base64, or `=`.
    Digit(u8),
    /// A blank other than a line break.
    Blank,
    /// A line break.
    Break,
    /// A quotation mark.
    Quote,
    /// The beginning of an operator, a comment mark or other text.
    Other,
}

impl Body<'_> {
    /// Reads digits up to the first byte that cannot belong to the block.
    fn read(&mut self) {
        while let Some((unit, len)) = self.unit() {
            match unit {
                Unit::Digit(digit) => {
                    self.digits.push(digit);
                    self.at += len;
                }
                Unit::Blank | Unit::Break => self.skip(&unit, len),
                Unit::Quote => match self.join(len) {
                    Some(next) => self.at = next,
                    None => return,
                },
                Unit::Other => return,
            }
        }
    }

    /// Moves to the header of an encrypted block. Returns `false` if there is none.
    fn skip_to_header(&mut self) -> bool {
        let start = self.at;
        while let Some((unit @ (Unit::Blank | Unit::Break), len)) = self.unit() {
            self.skip(&unit, len);
        }
        let is_header = self.text[self.at..].starts_with(ENCRYPTED);
        if !is_header {
            self.at = start;
        }
        is_header
    }

    /// Reads an encrypted block with headers up to its last line.
    fn skim(&mut self) {
        let end = memchr::memmem::find(&self.text[self.at..], END);
        let end = end.map_or(self.text.len(), |end| self.at + end);
        while self.at < end {
            match self.unit() {
                Some((Unit::Digit(digit), len)) => {
                    self.digits.push(digit);
                    self.at += len;
                }
                Some((unit, len)) => self.skip(&unit, len),
                None => break,
            }
        }
        self.at = end;
    }

    /// Returns the next byte as it is meant, and its length in the text.
    fn unit(&self) -> Option<(Unit, usize)> {
        let rest = &self.text[self.at..];
        let &first = rest.first()?;
        if first != b'\\' {
            return Some((meaning(first), 1));
        }
        // Text that is quoted twice has two backslashes.
        let marks = rest.iter().take_while(|&&byte| byte == b'\\').count();
        let escaped = &rest[marks..];
        Some(match escaped.first() {
            Some(b'n' | b'r' | b'\n' | b'\r') => (Unit::Break, marks + 1),
            Some(b't') => (Unit::Blank, marks + 1),
            Some(&byte @ (b'/' | b'"' | b'\'')) => (meaning(byte), marks + 1),
            Some(b'u') => match escaped.get(1..5).map(number) {
                Some(Some(byte)) => (meaning(byte), marks + 5),
                _ => (Unit::Other, marks),
            },
            _ => (Unit::Other, marks),
        })
    }

    /// Skips a unit that is no digit, and what belongs to the beginning of a line after it.
    fn skip(&mut self, unit: &Unit, len: usize) {
        self.at += len;
        if matches!(unit, Unit::Break) {
            self.at += self.prefix.len_in(&self.text[self.at..]);
        }
        if matches!(unit, Unit::Blank | Unit::Break) {
            self.skip_mark();
        }
    }

    /// Skips a comment mark or a mark of quoted text at the beginning of a line.
    fn skip_mark(&mut self) {
        let rest = &self.text[self.at..];
        let is_line_start =
            self.at > 0 && matches!(self.text[self.at - 1], b'\n' | b'\r' | b' ' | b'\t');
        let len = match rest {
            [b'/', b'/', b' ' | b'\t', ..] => 2,
            [b'#' | b'*' | b'>' | b'|' | b';', ..] => 1,
            _ => 0,
        };
        if is_line_start {
            self.at += len;
        }
    }

    /// Returns the offset after a quotation mark that opens the next string literal, if only operators and
    /// blanks are between it and the mark at the current place, whose length is `len`.
    fn join(&self, len: usize) -> Option<usize> {
        let from = self.at + len;
        let rest = &self.text[from..self.text.len().min(from + MAX_JOIN)];
        let is_between = |byte: &&u8| byte.is_ascii_whitespace() || b"+.,&\\".contains(byte);
        let between = rest.iter().take_while(is_between).count();
        let is_quote = matches!(rest.get(between), Some(b'"' | b'\'' | b'`'));
        is_quote.then_some(from + between + 1)
    }
}

fn meaning(byte: u8) -> Unit {
    match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' | b'=' => Unit::Digit(byte),
        b'\n' | b'\r' => Unit::Break,
        b' ' | b'\t' => Unit::Blank,
        b'"' | b'\'' | b'`' => Unit::Quote,
        _ => Unit::Other,
    }
}

/// Returns the number of four hexadecimal digits, if it is one byte.
fn number(digits: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(digits).ok()?;
    u8::try_from(u16::from_str_radix(digits, 16).ok()?).ok()
}

/// Decodes base64 with padding.
fn decode(digits: &[u8]) -> Option<Vec<u8>> {
    let padding = digits.iter().rev().take_while(|&&digit| digit == b'=').count();
    let own = &digits[..digits.len() - padding];
    if !digits.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3);
    for chunk in own.chunks(4) {
        let value = |bits: u32, &digit: &u8| Some(bits << 6 | u32::from(value(digit)?));
        let bits = chunk.iter().try_fold(0, value)? << (6 * (4 - chunk.len()));
        bytes.extend_from_slice(&bits.to_be_bytes()[1..chunk.len()]);
    }
    Some(bytes)
}

fn value(digit: u8) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}
