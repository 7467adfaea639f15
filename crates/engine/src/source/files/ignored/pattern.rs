//! One line of an ignore file, matched as git does (gitignore(5)), with its quirks: `a**/b` matches
//! `ab`, a class never matches `/`, and a malformed pattern matches nothing.
//!
//! Input: the bytes of a file, and paths. Output: whether a pattern matches. This file reads nothing.

use crate::PathKind;

/// Case sensitivity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Sensitive,
    /// ASCII case is ignored: `core.ignoreCase`.
    Folded,
}

impl Case {
    fn fold(self, byte: u8) -> u8 {
        match self {
            Self::Sensitive => byte,
            Self::Folded => byte.to_ascii_lowercase(),
        }
    }

    fn equal(self, a: &[u8], b: &[u8]) -> bool {
        match self {
            Self::Sensitive => a == b,
            Self::Folded => a.eq_ignore_ascii_case(b),
        }
    }
}

/// A pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    /// Whether the pattern negates an earlier match (`!`).
    pub(super) is_negative: bool,
    /// Whether the pattern matches only folders (it ends with `/`).
    folders_only: bool,
    matcher: Matcher,
    case: Case,
}

/// The part of a path that a pattern matches, and how.
#[derive(Debug)]
enum Matcher {
    /// The last name of a path is equal to this.
    Name(Vec<u8>),
    /// The last name ends with this.
    NameEnd(Vec<u8>),
    /// The last name matches.
    NameGlob(Glob),
    /// The path begins with this, and the rest matches.
    Path(Vec<u8>, Glob),
}

/// The tokens of a glob; `None` if it is malformed and matches nothing.
type Glob = Option<Vec<Token>>;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// This byte.
    Byte(u8),
    /// `?`: any byte but `/`.
    Any,
    /// `[…]`: one of these bytes, which are never `/`.
    Class([u64; 4]),
    /// `*`: bytes other than `/`.
    Star,
    /// `**/`: folders, or none.
    Folders,
    /// `**` before an escaped slash: at least one folder.
    SomeFolders,
    /// `**` at the end: everything.
    Rest,
}

/// Parses an ignore file.
pub(super) fn parse(bytes: &[u8], case: Case) -> Vec<Pattern> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let lines = bytes.split(|&byte| byte == b'\n');
    lines.filter_map(|line| Pattern::parse(line, case)).collect()
}

impl Pattern {
    /// Parses a line without its line feed; `None` for empty lines and comments.
    fn parse(line: &[u8], case: Case) -> Option<Self> {
        if line.is_empty() || line[0] == b'#' {
            return None;
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = line.split(|&byte| byte == 0).next().unwrap_or_default();
        let line = without_trailing_spaces(line);
        let (is_negative, pattern) = match line.strip_prefix(b"!") {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let (folders_only, pattern) = match pattern.strip_suffix(b"/") {
            Some(rest) => (true, rest),
            None => (false, pattern),
        };
        let matcher = if pattern.contains(&b'/') {
            let pattern = pattern.strip_prefix(b"/").unwrap_or(pattern);
            let (prefix, rest) = pattern.split_at(literal_len(pattern));
            Matcher::Path(prefix.to_owned(), glob(rest, case))
        } else if literal_len(pattern) == pattern.len() {
            Matcher::Name(pattern.to_owned())
        } else {
            match pattern.strip_prefix(b"*") {
                Some(end) if literal_len(end) == end.len() => Matcher::NameEnd(end.to_owned()),
                _ => Matcher::NameGlob(glob(pattern, case)),
            }
        };
        Some(Self { is_negative, folders_only, matcher, case })
    }

    /// Returns `true` if the pattern matches a path, which is relative to the folder of the ignore
    /// file and has `/` between its names.
    pub(super) fn matches(&self, path: &[u8], kind: PathKind) -> bool {
        if self.folders_only && !kind.is_folder() {
            return false;
        }
        let name = || {
            let start = memchr::memrchr(b'/', path).map_or(0, |at| at + 1);
            &path[start..]
        };
        match &self.matcher {
            Matcher::Name(text) => self.case.equal(name(), text),
            Matcher::NameEnd(end) => {
                let name = name();
                let start = name.len().checked_sub(end.len());
                start.is_some_and(|start| self.case.equal(&name[start..], end))
            }
            Matcher::NameGlob(glob) => self.matches_glob(glob, name()),
            Matcher::Path(prefix, glob) => {
                path.split_at_checked(prefix.len()).is_some_and(|(start, rest)| {
                    self.case.equal(start, prefix) && self.matches_glob(glob, rest)
                })
            }
        }
    }

    /// Matches text from left to right. On a mismatch the last `*` matches one more byte; if that is a
    /// `/`, the last `**/` matches one more folder.
    fn matches_glob(&self, glob: &Glob, text: &[u8]) -> bool {
        let Some(tokens) = glob else { return false };
        let (mut token, mut at) = (0, 0);
        // The token after the last `*` or `**/`, and the position in the text after its match.
        let mut star: Option<(usize, usize)> = None;
        let mut folders: Option<(usize, usize)> = None;
        loop {
            match tokens.get(token) {
                None if at == text.len() => return true,
                Some(Token::Rest) => return true,
                Some(Token::Folders) => {
                    token += 1;
                    (star, folders) = (None, Some((token, at)));
                    continue;
                }
                Some(Token::SomeFolders) => (star, folders) = (None, Some((token + 1, at))),
                Some(Token::Star) => {
                    token += 1;
                    star = Some((token, at));
                    continue;
                }
                Some(one) if text.get(at).is_some_and(|&byte| one.has(self.case.fold(byte))) => {
                    (token, at) = (token + 1, at + 1);
                    continue;
                }
                _ => {}
            }
            if let Some((next, taken)) =
                star.filter(|(_, taken)| !matches!(text.get(*taken), None | Some(b'/')))
            {
                star = Some((next, taken + 1));
                (token, at) = (next, taken + 1);
            } else if let Some((next, taken)) = folders
                && let Some(slash) = memchr::memchr(b'/', &text[taken..])
            {
                (star, folders) = (None, Some((next, taken + slash + 1)));
                (token, at) = (next, taken + slash + 1);
            } else {
                return false;
            }
        }
    }
}

impl Token {
    /// Returns `true` if the token matches a byte, which is already case-folded if necessary.
    fn has(&self, byte: u8) -> bool {
        match self {
            Self::Byte(own) => *own == byte,
            Self::Any => byte != b'/',
            Self::Class(bits) => bits[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1,
            Self::Star | Self::Folders | Self::SomeFolders | Self::Rest => false,
        }
    }
}

fn without_trailing_spaces(line: &[u8]) -> &[u8] {
    let (mut end, mut at) = (0, 0);
    while let Some(byte) = line.get(at) {
        at += 1;
        match byte {
            b' ' => continue,
            // Escaped characters and a final backslash are kept.
            b'\\' => at += 1,
            _ => {}
        }
        end = at.min(line.len());
    }
    &line[..end]
}

/// Returns the length of a pattern's beginning that has no special characters.
fn literal_len(pattern: &[u8]) -> usize {
    let special = |byte: &u8| matches!(byte, b'*' | b'?' | b'[' | b'\\');
    pattern.iter().position(special).unwrap_or(pattern.len())
}

fn glob(pattern: &[u8], case: Case) -> Glob {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&byte) = pattern.get(at) {
        at += 1;
        tokens.push(match byte {
            b'?' => Token::Any,
            b'\\' => {
                at += 1;
                Token::Byte(*pattern.get(at - 1)?)
            }
            b'[' => {
                let (class, end) = class(pattern, at, case)?;
                at = end;
                class
            }
            b'*' => {
                let start = at - 1;
                at += pattern[at..].iter().take_while(|&&byte| byte == b'*').count();
                let is_double = at - start > 1 && (start == 0 || pattern[start - 1] == b'/');
                match &pattern[at..] {
                    [] if is_double => Token::Rest,
                    [b'/', ..] if is_double => {
                        at += 1;
                        Token::Folders
                    }
                    [b'\\', b'/', ..] if is_double => {
                        at += 2;
                        Token::SomeFolders
                    }
                    _ => Token::Star,
                }
            }
            other => Token::Byte(case.fold(other)),
        });
    }
    Some(tokens)
}

/// Parses a class after its `[`; returns it with the position after the `]`.
fn class(pattern: &[u8], start: usize, case: Case) -> Option<(Token, usize)> {
    let mut at = start;
    let is_negated = matches!(pattern.get(at), Some(b'!' | b'^'));
    at += usize::from(is_negated);
    let mut has = [false; 256];
    // The start of a range, if a `-` follows.
    let mut before = None;
    let first = at;
    while at == first || *pattern.get(at)? != b']' {
        let byte = *pattern.get(at)?;
        at += 1;
        let behind = pattern.get(at).copied();
        match (byte, before) {
            (b'\\', _) => {
                has[usize::from(behind?)] = true;
                before = behind;
                at += 1;
            }
            (b'-', Some(low)) if behind.is_some_and(|byte| byte != b']') => {
                let mut high = behind?;
                at += 1;
                if high == b'\\' {
                    high = *pattern.get(at)?;
                    at += 1;
                }
                add_range(&mut has, low..=high, case);
                before = None;
            }
            (b'[', _) if behind == Some(b':') => {
                let len = pattern[at + 1..].iter().position(|&byte| byte == b']')?;
                match pattern[at + 1..at + 1 + len].split_last() {
                    Some((b':', name)) => {
                        let is_member = named_class(name, case)?;
                        (0..=255).for_each(|byte| has[usize::from(byte)] |= is_member(byte));
                        at += len + 2;
                        before = None;
                    }
                    // Not a named class, so `[` is an ordinary byte.
                    _ => {
                        has[usize::from(b'[')] = true;
                        before = Some(b'[');
                    }
                }
            }
            _ => {
                has[usize::from(byte)] = true;
                before = Some(byte);
            }
        }
    }
    let mut bits = [0; 4];
    for byte in (0..=255u8).filter(|byte| has[usize::from(*byte)] != is_negated && *byte != b'/') {
        bits[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }
    Some((Token::Class(bits), at + 1))
}

fn add_range(has: &mut [bool; 256], range: std::ops::RangeInclusive<u8>, case: Case) {
    for byte in 0..=255u8 {
        let folded = case == Case::Folded && byte.is_ascii_lowercase();
        let is_in = range.contains(&byte) || (folded && range.contains(&byte.to_ascii_uppercase()));
        has[usize::from(byte)] |= is_in;
    }
}

/// Returns the predicate of `[:name:]`; `None` for an unknown name.
fn named_class(name: &[u8], case: Case) -> Option<fn(u8) -> bool> {
    Some(match name {
        b"alnum" => |byte| byte.is_ascii_alphanumeric(),
        b"alpha" => |byte| byte.is_ascii_alphabetic(),
        b"blank" => |byte| matches!(byte, b' ' | b'\t'),
        b"cntrl" => |byte| byte.is_ascii_control(),
        b"digit" => |byte| byte.is_ascii_digit(),
        b"graph" => |byte| byte.is_ascii_graphic(),
        b"lower" => |byte| byte.is_ascii_lowercase(),
        b"print" => |byte| matches!(byte, 0x20..=0x7e),
        b"punct" => |byte| byte.is_ascii_punctuation(),
        // Like git: no vertical tab, no form feed.
        b"space" => |byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'),
        b"upper" if case == Case::Folded => |byte| byte.is_ascii_alphabetic(),
        b"upper" => |byte| byte.is_ascii_uppercase(),
        b"xdigit" => |byte| byte.is_ascii_hexdigit(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        let patterns = parse(pattern.as_bytes(), Case::Sensitive);
        patterns.iter().any(|it| it.matches(path.as_bytes(), PathKind::File))
    }

    #[test]
    fn globs_match_as_git_documents_them() {
        for (pattern, path) in [
            ("*.env", "a/b.env"),
            ("/a", "a"),
            ("a/b", "a/b"),
            ("**/b", "b"),
            ("**/b", "x/y/b"),
            ("a/**", "a/b/c"),
            ("a/**/b", "a/b"),
            ("a/**/b", "a/x/y/b"),
            ("a?c", "abc"),
            ("[!a-c]x", "dx"),
            ("[[:digit:]]", "7"),
            ("\\#a", "#a"),
            ("a\\ ", "a "),
            ("a ", "a"),
            ("*.{env,pem}", "x.{env,pem}"),
        ] {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("/a", "b/a"),
            ("a/b", "x/a/b"),
            ("a/*", "a/b/c"),
            ("a?c", "a/c"),
            ("a[/]c", "a/c"),
            ("*.{env,pem}", "x.env"),
            ("[a", "[a"),
            ("a\\", "a\\"),
            ("#a", "#a"),
            ("a/", "a"),
        ] {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn matching_many_stars_is_at_most_quadratic() {
        let pattern = format!("{}b", "*a".repeat(2_000));
        assert!(!matches(&pattern, &"a".repeat(4_000)));
        let pattern = format!("{}b", "**/a/".repeat(500));
        assert!(!matches(&pattern, &"a/".repeat(1_500)));
    }
}
