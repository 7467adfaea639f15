//! Splits content streams and maps of a PDF into tokens.
//!
//! Input: decoded bytes. Output: strings, numbers and operators. Dictionaries, arrays and names are skipped;
//! nothing is interpreted.

/// A token of a content stream.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'a> {
    /// A literal or hexadecimal string.
    String(Vec<u8>),
    Number(f64),
    Operator(&'a [u8]),
    /// A bracket or a name.
    Other,
}

/// Splits bytes into tokens.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
    is_in_array: bool,
}

fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%')
        || is_space(byte)
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | 0 | 0x0c)
}

impl<'a> Lexer<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, is_in_array: false }
    }

    /// Returns `true` if the last token is an element of an array.
    pub(super) fn is_in_array(&self) -> bool {
        self.is_in_array
    }

    /// Returns the next token; `None` at the end.
    pub(super) fn next_token(&mut self) -> Option<Token<'a>> {
        while self.bytes.get(self.at).is_some_and(|&byte| is_space(byte)) {
            self.at += 1;
        }
        let rest = &self.bytes[self.at..];
        match (rest.first()?, rest.get(1)) {
            (b'(', _) => Some(Token::String(self.literal())),
            (b'<', Some(b'<')) | (b'>', Some(b'>')) => self.skip(2),
            (b'<', _) => Some(Token::String(self.hex())),
            (b'%', _) => {
                let len = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
                self.skip(len)
            }
            (b'/', _) => {
                let len = rest[1..].iter().take_while(|&&byte| !is_delimiter(byte)).count();
                self.skip(1 + len)
            }
            (&byte, _) if is_delimiter(byte) => {
                self.is_in_array = byte == b'[' || self.is_in_array && byte != b']';
                self.skip(1)
            }
            _ => {
                let len = rest.iter().take_while(|&&byte| !is_delimiter(byte)).count();
                self.at += len;
                let word = &rest[..len];
                let number = if matches!(word[0], b'0'..=b'9' | b'+' | b'-' | b'.') {
                    std::str::from_utf8(word).ok().and_then(|word| word.parse().ok())
                } else {
                    None
                };
                Some(number.map_or(Token::Operator(word), Token::Number))
            }
        }
    }

    fn skip(&mut self, len: usize) -> Option<Token<'a>> {
        self.at += len;
        Some(Token::Other)
    }

    /// Reads a literal string, whose parentheses may be nested.
    fn literal(&mut self) -> Vec<u8> {
        let (mut text, mut depth) = (Vec::new(), 0_usize);
        while let Some(&byte) = self.bytes.get(self.at) {
            self.at += 1;
            match byte {
                b'\\' => self.escaped(&mut text),
                b'(' => {
                    if depth > 0 {
                        text.push(byte);
                    }
                    depth += 1;
                }
                b')' => {
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                    text.push(byte);
                }
                byte => text.push(byte),
            }
        }
        text
    }

    /// Reads an escape after its backslash.
    fn escaped(&mut self, text: &mut Vec<u8>) {
        let rest = &self.bytes[self.at..];
        let digits = rest.iter().take(3).take_while(|byte| (b'0'..=b'7').contains(*byte)).count();
        if digits > 0 {
            let value =
                rest[..digits].iter().fold(0, |value, byte| value * 8 + u32::from(byte - b'0'));
            text.push(value as u8);
            self.at += digits;
            return;
        }
        let Some(&byte) = rest.first() else { return };
        self.at += 1;
        match byte {
            b'n' => text.push(b'\n'),
            b'r' => text.push(b'\r'),
            b't' => text.push(b'\t'),
            b'b' => text.push(8),
            b'f' => text.push(12),
            // A line end after a backslash is not part of the string.
            b'\r' if rest.get(1) == Some(&b'\n') => self.at += 1,
            b'\r' | b'\n' => {}
            byte => text.push(byte),
        }
    }

    /// Reads a hexadecimal string.
    fn hex(&mut self) -> Vec<u8> {
        let rest = &self.bytes[self.at + 1..];
        let end = memchr::memchr(b'>', rest).unwrap_or(rest.len());
        self.at += (end + 2).min(rest.len() + 1);
        let digits = rest[..end].iter().filter_map(|&byte| char::from(byte).to_digit(16));
        let digits: Vec<u8> = digits.filter_map(|digit| u8::try_from(digit).ok()).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).copied().unwrap_or(0)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_numbers_and_operators_are_read() {
        let mut lexer =
            Lexer::new(b"/F1 8.5 Tf % c\n(a(b)\\)\\101\\\nc) Tj [<4 1 4>-3]TJ << /A (x");
        let mut tokens = Vec::new();
        while let Some(token) = lexer.next_token() {
            if token != Token::Other {
                tokens.push(token);
            }
        }
        let string = |text: &[u8]| Token::String(text.to_vec());
        let wanted = [
            Token::Number(8.5),
            Token::Operator(b"Tf"),
            string(b"a(b))Ac"),
            Token::Operator(b"Tj"),
            string(b"A@"),
            Token::Number(-3.0),
            Token::Operator(b"TJ"),
            string(b"x"),
        ];
        assert_eq!(tokens, wanted);
    }
}
