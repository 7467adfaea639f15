//! The text before each line of a PEM block: the mark of a patch, or the time stamp of a log.
//!
//! Input: text, and the end of the first line of a block. Output: the prefix of the second line, and its length in
//! further lines. The base64 after it is read elsewhere.

/// The header of a block that is encrypted as a whole.
pub(super) const ENCRYPTED: &[u8] = b"Proc-Type:";

/// Maximum length of a prefix, in bytes.
const MAX_PREFIX: usize = 128;
/// Minimum length of the base64 after a prefix, in characters.
const MIN_DIGITS: usize = 16;

/// The prefix of the lines of a block. In other lines, its digits, and the number of digits and blanks, may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LinePrefix<'a>(&'a [u8]);

impl<'a> LinePrefix<'a> {
    /// No prefix.
    pub(super) const NONE: Self = Self(&[]);

    /// Returns the prefix of the first line after an offset. Returns `None` if the line has no prefix, or is too
    /// short to tell.
    pub(super) fn after(bytes: &'a [u8], at: usize) -> Option<Self> {
        let rest = &bytes[at..];
        let rest = &rest[line_start(rest)?..];
        let len = rest.iter().take(MAX_PREFIX + MIN_DIGITS);
        let len = len.take_while(|byte| !b"\r\n\\\"'`".contains(byte)).count();
        let text = rest[..len].trim_ascii_end();
        let prefix = match memchr::memmem::find(text, ENCRYPTED) {
            Some(header) => &text[..header],
            None => before_digits(text)?,
        };
        let is_prefix = prefix.len() <= MAX_PREFIX && !prefix.trim_ascii().is_empty();
        is_prefix.then_some(Self(prefix))
    }

    /// Returns the length of the prefix at the beginning of a line, or 0 if the line begins otherwise.
    pub(super) fn len_in(self, line: &[u8]) -> usize {
        let (mut prefix, mut rest) = (self.0, line);
        while let Some(&first) = prefix.first() {
            let is_alike: fn(&u8) -> bool = match first {
                b'0'..=b'9' => u8::is_ascii_digit,
                b' ' | b'\t' => |byte| matches!(byte, b' ' | b'\t'),
                _ => |_| false,
            };
            let count = |text: &[u8]| text.iter().take_while(|&byte| is_alike(byte)).count();
            let (own, other) = (count(prefix), count(rest));
            let is_same = if own == 0 {
                rest.first() == Some(&first)
            } else {
                other > 0 || !first.is_ascii_digit()
            };
            if !is_same {
                return 0;
            }
            (prefix, rest) = (&prefix[own.max(1)..], &rest[if own == 0 { 1 } else { other }..]);
        }
        line.len() - rest.len()
    }
}

/// Returns the offset after the line breaks that a text begins with, escaped or not.
fn line_start(text: &[u8]) -> Option<usize> {
    let (mut at, mut start) = (0, None);
    loop {
        let marks = text[at..].iter().take_while(|&&byte| byte == b'\\').count();
        match (marks, text.get(at + marks)) {
            (0, Some(b'\n' | b'\r')) | (1.., Some(b'n' | b'r')) => {
                at += marks + 1;
                start = Some(at);
            }
            (0, Some(b' ' | b'\t')) if start.is_none() => at += 1,
            _ => return start,
        }
    }
}

/// Returns the part of a line before the base64 in its end.
fn before_digits(line: &[u8]) -> Option<&[u8]> {
    let is_digit = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
    let digits = line.iter().rev().take_while(is_digit).count();
    let mut before = line.len() - digits;
    // No key begins with `+`.
    before += usize::from(line.get(before) == Some(&b'+'));
    (line.len() - before >= MIN_DIGITS).then_some(&line[..before])
}

#[cfg(test)]
mod tests {
    use super::LinePrefix;

    #[test]
    fn the_prefix_is_the_text_before_the_base64_of_the_second_line() {
        for (text, prefix) in [
            ("\n+MIIEpAIBAAKCAQEAxyz\n", Some("+")),
            ("\r\n-MIIEpAIBAAKCAQEAxyz\r\n", Some("-")),
            ("\\n+MIIEpAIBAAKCAQEAxyz\\n", Some("+")),
            ("\n+  MIIEpAIBAAKCAQEAxyz\n", Some("+  ")),
            ("\n12:00:01.123 app: b3BlbnNzaC1rZXktdjEAAAA\n", Some("12:00:01.123 app: ")),
            ("\nnode-1: MIIEpAIBAAKCAQEAxyz\n", Some("node-1: ")),
            ("\n+Proc-Type: 4,ENCRYPTED\n", Some("+")),
            ("\nMIIEpAIBAAKCAQEAxyz\n", None),
            ("\nProc-Type: 4,ENCRYPTED\n", None),
            ("\n    MIIEpAIBAAKCAQEAxyz\n", None),
            ("\n+MIIE\n", None),
            ("MIIEpAIBAAKCAQEAxyz", None),
            ("", None),
        ] {
            let found = LinePrefix::after(text.as_bytes(), 0);
            assert_eq!(found, prefix.map(|it| LinePrefix(it.as_bytes())), "{text:?}");
        }
    }

    #[test]
    fn only_digits_may_differ_in_further_lines() {
        let prefix = LinePrefix(b"12:00:01 app[9]: ");
        assert_eq!(prefix.len_in(b"12:00:02 app[9]: MIIE"), 17);
        assert_eq!(prefix.len_in(b"12:00:02 app[10]:  MIIE"), 19);
        assert_eq!(prefix.len_in(b"12:00:02 web[9]: MIIE"), 0);
        assert_eq!(prefix.len_in(b"12:00:02 app[]: MIIE"), 0);
        assert_eq!(prefix.len_in(b"12:00"), 0);
        assert_eq!(LinePrefix(b" 9: ").len_in(b"10: MIIE"), 4);
        // The base64 of a line may begin like the prefix.
        assert_eq!(LinePrefix(b"+").len_in(b"++IIE"), 1);
        assert_eq!(LinePrefix::NONE.len_in(b"MIIE"), 0);
    }
}
