//! Text of a PDF: shown strings, joined and mapped to characters.
//!
//! Input: the decoded streams of a PDF, in any order. Output: the text of each stream that shows text. It
//! reads no page tree: every map from glyph numbers to Unicode in the file is tried on every shown string,
//! and is used for the strings whose codes it maps. Lines differ in their vertical position.
//! Images, encodings by glyph name, and text in pieces that are not in reading order are not handled.

use super::pdf_map::{Codes, UnicodeMap};
use super::pdf_syntax::{Lexer, Token};

/// Maximum number of bytes of shown strings that are kept.
pub(super) const MAX_SHOWN: usize = 8 << 20;

/// Maximum number of maps to Unicode. A document has a few per font.
const MAX_MAPS: usize = 128;

/// The text streams and maps of a PDF.
#[derive(Debug, Default)]
pub(super) struct PdfText {
    shown: Vec<Shown>,
    shown_len: usize,
    maps: Vec<UnicodeMap>,
    fonts: u64,
    is_cut: bool,
}

/// The strings that one stream shows.
#[derive(Debug)]
struct Shown {
    name: String,
    lines: Vec<Vec<Piece>>,
}

/// A shown string.
type Piece = Vec<u8>;

impl PdfText {
    /// Adds a decoded stream.
    pub(super) fn add(&mut self, name: &str, content: &[u8]) {
        if let Some(map) = UnicodeMap::parse(content) {
            if self.maps.len() >= MAX_MAPS {
                self.is_cut = true;
            } else if !self.maps.contains(&map) {
                self.maps.push(map);
            }
            return;
        }
        self.count_fonts(content);
        let lines = shown(content);
        if lines.is_empty() {
            return;
        }
        let len: usize = lines.iter().flatten().map(Vec::len).sum();
        if self.shown_len + len > MAX_SHOWN {
            self.is_cut = true;
            return;
        }
        self.shown_len += len;
        self.shown.push(Shown { name: name.to_owned(), lines });
    }

    /// Counts the composite fonts in dictionaries that have no map to Unicode.
    pub(super) fn count_fonts(&mut self, text: &[u8]) {
        for at in memchr::memmem::find_iter(text, b"/Type0") {
            let dictionary = enclosing_dictionary(text, at);
            let has = |key: &[u8]| memchr::memmem::find(dictionary, key).is_some();
            if has(b"/Font") && has(b"/Identity") && !has(b"/ToUnicode") {
                self.fonts += 1;
            }
        }
    }

    /// Returns the number of composite fonts whose text cannot be mapped.
    pub(super) fn unmapped_fonts(&self) -> u64 {
        self.fonts
    }

    /// Returns `true` if text or maps were left out because of a limit.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Calls `on_text` with the name and the text of every stream that differs from its bytes: mapped text,
    /// text that is shown in several pieces, and words that are wrapped.
    pub(super) fn each(&self, mut on_text: impl FnMut(&str, Vec<u8>)) {
        for Shown { name, lines } in &self.shown {
            let mut text = Vec::new();
            for map in &self.maps {
                self.mapped(map, lines, &mut text);
            }
            for line in lines.iter().filter(|line| line.len() > 1) {
                text.extend(line.iter().flatten());
                text.push(b'\n');
            }
            wrapped_words(lines, &mut text);
            if !text.is_empty() {
                on_text(name, text);
            }
        }
    }

    /// Appends the lines with the strings that a map covers.
    fn mapped(&self, map: &UnicodeMap, lines: &[Vec<Piece>], text: &mut Vec<u8>) {
        for line in lines {
            let before = text.len();
            for piece in line {
                let mark = text.len();
                if map.decode(piece, text) == Codes::Unknown {
                    text.truncate(mark);
                    if mark > before {
                        text.push(b'\n');
                    }
                }
            }
            if text.len() > before {
                text.push(b'\n');
            }
        }
    }
}

/// Minimum length of a wrapped word. Tokens are longer.
const MIN_WRAPPED: usize = 32;

/// The characters of words. An array, because closures over bytes are slow where code is compiled for size.
static IN_WORD: [bool; 256] = {
    let mut in_word = [false; 256];
    let mut at = 0;
    while at < in_word.len() {
        let byte = at as u8;
        let is_mark = matches!(byte, b'_' | b'-' | b'+' | b'/' | b'=' | b'.' | b':' | b'~' | b'%');
        in_word[at] = byte.is_ascii_alphanumeric() || is_mark;
        at += 1;
    }
    in_word
};

/// Returns the number of characters of a word at the beginning of a piece.
fn word_start(piece: &[u8]) -> usize {
    let mut len = 0;
    while len < piece.len() && IN_WORD[usize::from(piece[len])] {
        len += 1;
    }
    len
}

/// Returns the offset of the word at the end of a piece.
fn word_end(piece: &[u8]) -> usize {
    let mut at = piece.len();
    while at > 0 && IN_WORD[usize::from(piece[at - 1])] {
        at -= 1;
    }
    at
}

/// Appends the words that continue in the next line, where the page is too narrow for them.
fn wrapped_words(lines: &[Vec<Piece>], text: &mut Vec<u8>) {
    let mut word = Vec::new();
    let mut parts = 0;
    for line in lines {
        let before = word.len();
        let mut has_border = false;
        for piece in line {
            let len = word_start(piece);
            word.extend_from_slice(&piece[..len]);
            if len < piece.len() {
                has_border = true;
                break;
            }
        }
        parts += usize::from(word.len() > before);
        if has_border {
            push_wrapped(&word, parts, text);
            word.clear();
            let mut first = line.len();
            while first > 0 && word_end(&line[first - 1]) == 0 {
                first -= 1;
            }
            if let Some(piece) = first.checked_sub(1).map(|at| &line[at]) {
                word.extend_from_slice(&piece[word_end(piece)..]);
            }
            word.extend(line[first..].iter().flatten());
            parts = usize::from(!word.is_empty());
        }
    }
    push_wrapped(&word, parts, text);
}

/// Appends a word that has several parts and a digit. Of text without blanks, whole lines are words.
fn push_wrapped(word: &[u8], parts: usize, text: &mut Vec<u8>) {
    if parts > 1 && word.len() >= MIN_WRAPPED && word.iter().any(u8::is_ascii_digit) {
        text.extend_from_slice(word);
        text.push(b'\n');
    }
}

/// Returns the innermost dictionary around an offset.
fn enclosing_dictionary(text: &[u8], at: usize) -> &[u8] {
    /// Maximum distance to the ends of the dictionary of a font.
    const REACH: usize = 4096;
    let least = at.saturating_sub(REACH);
    let (mut depth, mut start) = (0, least);
    let mut back = at;
    while back >= least + 2 {
        match &text[back - 2..back] {
            b">>" => (depth, back) = (depth + 1, back - 2),
            b"<<" if depth == 0 => {
                start = back - 2;
                break;
            }
            b"<<" => (depth, back) = (depth - 1, back - 2),
            _ => back -= 1,
        }
    }
    let most = text.len().min(at + REACH);
    let (mut depth, mut ahead) = (0, at);
    while ahead + 2 <= most {
        match &text[ahead..ahead + 2] {
            b"<<" => (depth, ahead) = (depth + 1, ahead + 2),
            b">>" if depth == 0 => return &text[start..ahead],
            b">>" => (depth, ahead) = (depth - 1, ahead + 2),
            _ => ahead += 1,
        }
    }
    &text[start..most]
}

/// Difference of vertical positions above which strings are on different lines.
const LINE: f64 = 0.5;

/// Reads the strings that a content stream shows, by line.
fn shown(content: &[u8]) -> Vec<Vec<Piece>> {
    let mut lines: Vec<Vec<Piece>> = Vec::new();
    let (mut strings, mut numbers): (Vec<Piece>, Vec<f64>) = (Vec::new(), Vec::new());
    let (mut y, mut last_y) = (0.0, f64::NAN);
    let mut lexer = Lexer::new(content);
    while let Some(token) = lexer.next_token() {
        match token {
            Token::String(string) => strings.push(string),
            Token::Number(number) => {
                numbers.push(number);
                if numbers.len() > 6 {
                    numbers.remove(0);
                }
            }
            Token::Operator(operator) => {
                match operator {
                    b"BT" => y = 0.0,
                    b"Td" | b"TD" => y += numbers.last().copied().unwrap_or(0.0),
                    b"Tm" if numbers.len() == 6 => y = numbers[5],
                    b"T*" | b"'" | b"\"" => last_y = f64::NAN,
                    _ => {}
                }
                if matches!(operator, b"Tj" | b"TJ" | b"'" | b"\"") && !strings.is_empty() {
                    // NaN begins a line, too.
                    let is_same = (y - last_y).abs() <= LINE;
                    match lines.last_mut().filter(|_| is_same) {
                        Some(line) => line.append(&mut strings),
                        None => lines.push(std::mem::take(&mut strings)),
                    }
                    last_y = y;
                }
                strings.clear();
                numbers.clear();
            }
            Token::Other => {}
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(streams: &[&[u8]]) -> String {
        let mut pdf = PdfText::default();
        for stream in streams {
            pdf.add("s", stream);
        }
        let mut all = Vec::new();
        pdf.each(|_, text| all.extend(text));
        String::from_utf8(all).expect("ASCII")
    }

    const MAP: &[u8] = b"/CIDInit /ProcSet findresource begin 1 begincodespacerange <0000> <FFFF> \
        endcodespacerange 2 beginbfchar <0003> <0041> <0004> <00660069> endbfchar \
        2 beginbfrange <0010> <0019> <0030> <0020> <0021> [<0078> <0079>] endbfrange end";

    #[test]
    fn shown_strings_are_mapped_and_joined() {
        for content in [
            &b"BT /F1 8 Tf 1 2 Td <0003> Tj <00040010> Tj ET"[..],
            b"BT /F1 8 Tf 1 2 Td [<0003> -20 <0004> 13.5 <0010>] TJ ET",
            b"BT (\\000\\003\\000\\004) Tj 5 0 Td (\\000\\020) Tj ET",
            b"BT 1 0 0 1 5 700 Tm <0003> Tj 1 0 0 1 9 700 Tm <00040010> Tj ET",
            b"BT 5 700 Td <0003> Tj ET BT 9 700 Td <00040010> Tj ET",
        ] {
            let mapped = text(&[content, MAP]);
            assert!(mapped.starts_with("Afi0\n"), "{mapped:?} of {}", content.escape_ascii());
        }
        assert_eq!(text(&[MAP, b"BT <00200021> Tj 0 -12 Td <0019> Tj ET"]), "xy\n9\n");
        assert_eq!(text(&[MAP, b"BT <7777> Tj ET"]), "");
    }

    #[test]
    fn simple_strings_are_joined_if_they_are_in_pieces() {
        assert_eq!(text(&[b"BT [(a\\(b) -20 (c)] TJ T* (d) Tj ET"]), "a(bc\n");
        assert_eq!(text(&[b"BT (a) Tj (b) ' ET"]), "");
    }

    #[test]
    fn long_words_that_are_wrapped_are_joined() {
        let half = "0123456789abcdef";
        let content = format!("BT (key: {half}) Tj ({half}) ' (tail rest) ' ({half} x) ' ET");
        assert_eq!(text(&[content.as_bytes()]), format!("{half}{half}tail\n"));
        let content = format!("BT (key: {half}{half}) Tj ( other) ' (words) ' ET");
        assert_eq!(text(&[content.as_bytes()]), "");
    }

    #[test]
    fn composite_fonts_without_a_map_are_counted() {
        let mut pdf = PdfText::default();
        pdf.count_fonts(b"<< /Type /Font /Subtype /Type0 /D [<< /X 1 >>] /Encoding /Identity-H >>");
        pdf.count_fonts(
            b"<< /Subtype /Type0 /Encoding /Identity-H /ToUnicode 4 0 R /Type /Font >>",
        );
        pdf.count_fonts(b"/Type0 /Font /Identity");
        assert_eq!(pdf.unmapped_fonts(), 2);
    }
}
