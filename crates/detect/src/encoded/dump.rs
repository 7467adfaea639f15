//! Skips the columns of a hex dump between the characters of two of its lines.
//!
//! Input: bytes, and an offset after the characters at the end of a line, as `hexdump -C`, `xxd`,
//! `od -t x1z` and `tcpdump -X` print them. Output: the length of the text up to the characters of the next
//! line. It does not read the hex of dumps without characters.

use super::digit::hex_digit;

/// Maximum length of the columns before the characters of a line, in bytes.
pub(super) const MAX_COLUMNS: usize = 256;

/// Maximum number of bytes per line.
const MAX_BYTES: usize = 64;

/// The characters that may be around the characters of a line.
fn is_border(byte: u8) -> bool {
    matches!(byte, b'|' | b'<' | b'>')
}

/// Returns `true` if a line of a hex dump may end with these bytes, and the next one is unknown.
pub(super) fn is_open(rest: &[u8]) -> bool {
    let after_border = rest.strip_prefix(b"|").or_else(|| rest.strip_prefix(b"<"));
    rest.is_empty() || after_border.is_some_and(|end| b"\r\n".starts_with(end) || end == b"\n")
}

/// Returns the length of the end of a line and of the columns before the characters of the next one.
pub(super) fn skip(rest: &[u8]) -> Option<usize> {
    let border = usize::from(matches!(rest.first()?, b'|' | b'<'));
    let end = [&b"\n"[..], b"\r\n"].into_iter().find(|end| rest[border..].starts_with(end))?;
    let line = border + end.len();
    columns(&rest[line..]).map(|len| line + len)
}

/// Returns the length of the offset and the hex at the beginning of a line, if characters that are the same
/// bytes follow.
fn columns(line: &[u8]) -> Option<usize> {
    let line = &line[..line.len().min(MAX_COLUMNS)];
    let blanks = |at: usize| line[at..].iter().take_while(|it| matches!(it, b' ' | b'\t')).count();
    let digits = |at: usize| line[at..].iter().take_while(|&&it| hex_digit(it).is_some()).count();
    let mut at = blanks(0);
    if line[at..].starts_with(b"0x") {
        at += 2;
    }
    let offset = digits(at);
    if !(4..=16).contains(&offset) {
        return None;
    }
    at += offset;
    at += usize::from(line.get(at) == Some(&b':'));
    let (mut bytes, mut len) = ([0; MAX_BYTES], 0);
    loop {
        let width = blanks(at);
        at += width;
        let next = *line.get(at)?;
        let first = at + usize::from(is_border(next));
        let is_shown = |(&byte, &shown): (&u8, &u8)| {
            shown == if matches!(byte, b' '..0x7f) { byte } else { b'.' }
        };
        let is_end =
            |byte: Option<&u8>| byte.is_none_or(|&it| is_border(it) || matches!(it, b'\r' | b'\n'));
        if len > 0
            && width > 0
            && line.len() >= first + len
            && is_end(line.get(first + len))
            && bytes[..len].iter().zip(&line[first..]).all(is_shown)
        {
            return Some(first);
        }
        let group = digits(at);
        if width == 0 || group == 0 || !group.is_multiple_of(2) || len + group / 2 > MAX_BYTES {
            return None;
        }
        for pair in line[at..at + group].chunks_exact(2) {
            bytes[len] = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
            len += 1;
        }
        at += group;
    }
}

/// Returns the start of the line of a hex dump whose characters contain `at`; `at` itself in other text. The hex
/// of the line encodes the same bytes.
pub(super) fn line_start(bytes: &[u8], at: usize) -> usize {
    let least = at.saturating_sub(MAX_COLUMNS);
    let line = memchr::memrchr(b'\n', &bytes[least..at]).map_or(least, |end| least + end + 1);
    match columns(&bytes[line..]) {
        Some(len) if line + len <= at => line,
        _ => at,
    }
}

/// Returns `true` if the beginning of the content, `head`, looks like a hex dump.
pub(super) fn is_dump(head: &[u8]) -> bool {
    let mut lines = memchr::memchr_iter(b'\n', head).map(|at| at + 1).take(MAX_LINES);
    columns(head).is_some() || lines.any(|at| columns(&head[at..]).is_some())
}

/// Number of lines at the beginning of the content that are inspected.
const MAX_LINES: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_of_common_dumps_are_skipped() {
        for (between, characters) in [
            (
                "|\n00000010  4f 4a 37 31 75 78 54 75  62 37 61 58 5f 00 ff 21  |",
                "OJ71uxTub7aX_..!|",
            ),
            ("\n00000010: 4f4a 3731 7578 5475 6237 6158 5f00 ff21  ", "OJ71uxTub7aX_..!"),
            ("<\n000010 4f 4a 37 31 75 78 54 75 62 37 61 58 5f 00 ff 21  >", "OJ71uxTub7aX_..!<"),
            ("\r\n\t0x0010:  4f4a 3731 7578 5475 6237 6158 5f00 ff21  ", "OJ71uxTub7aX_..!"),
            ("\n00000050: 4f4a 37                                ", "OJ7"),
            ("\n00000010: 61 61 20 61 61  ", "aa aa"),
        ] {
            let text = format!("{between}{characters}\n");
            assert_eq!(skip(text.as_bytes()), Some(between.len()), "{text}");
        }
        for text in [
            "\n00000010  4f 4a 37 31  OJ72",
            "\n00000010  4f 4a 37 31\n",
            "\n00000010",
            "\n0010 x",
            "|\n| a",
            "|",
            "\n12345 67 some text",
        ] {
            assert_eq!(skip(text.as_bytes()), None, "{text}");
        }
    }
}
