//! Lines of `info/alternates`.
//!
//! Input: a line. Output: the path of an object folder.

use std::path::PathBuf;

/// Parses a line of `info/alternates`: a path, optionally quoted as in C.
pub(super) fn alternate(line: &[u8]) -> PathBuf {
    let line = match line {
        [b'"', quoted @ .., b'"'] => unquote(quoted),
        plain => plain.to_owned(),
    };
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStringExt;
        PathBuf::from(std::ffi::OsString::from_vec(line))
    }
    #[cfg(not(unix))]
    PathBuf::from(String::from_utf8_lossy(&line).into_owned())
}

fn unquote(text: &[u8]) -> Vec<u8> {
    let (mut plain, mut rest) = (Vec::new(), text);
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\\' {
            plain.push(*first);
            continue;
        }
        match rest {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] => {
                plain.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = after;
            }
            [letter, after @ ..] => {
                plain.push(match letter {
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'r' => b'\r',
                    other => *other,
                });
                rest = after;
            }
            [] => {}
        }
    }
    plain
}
