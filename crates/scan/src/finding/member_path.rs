//! Parses virtual paths of archive members: `a.zip!/b/c.env` is the member `b/c.env` of `a.zip`, and
//! `a.tar.gz!` is the decompressed content of `a.tar.gz`.
//!
//! Input: paths of locations and of git directories. Output: the archives in them. The file system
//! is not consulted, so a folder whose name ends in `!` looks like an archive; callers that care check
//! which of the archives exist.

use std::path::{Path, PathBuf};

/// Follows the name of an archive in the path of a member.
const MARK: char = '!';

/// Returns `true` if a path leads into an archive.
pub fn is_member(path: &Path) -> bool {
    archives(path).next().is_some()
}

/// Lists the archives that a path leads through, the outermost first.
pub fn archives(path: &Path) -> impl Iterator<Item = PathBuf> {
    let bytes = path.as_os_str().as_encoded_bytes();
    let ends = memchr::memchr_iter(MARK as u8, bytes);
    let ends = ends.filter(|&at| bytes.get(at + 1).is_none_or(|&next| next == b'/'));
    ends.map(|at| prefix(path, at))
}

/// Returns the first bytes of a path, up to an ASCII character.
#[cfg(unix)]
fn prefix(path: &Path, len: usize) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    Path::new(std::ffi::OsStr::from_bytes(&path.as_os_str().as_bytes()[..len])).to_owned()
}

/// Returns the first bytes of a path, up to an ASCII character.
#[cfg(not(unix))]
fn prefix(path: &Path, len: usize) -> PathBuf {
    let bytes = &path.as_os_str().as_encoded_bytes()[..len];
    String::from_utf8_lossy(bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(path: &str) -> Vec<String> {
        archives(Path::new(path)).map(|it| it.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn archives_are_listed_from_the_outermost_one() {
        assert_eq!(listed("x/a.zip!/b.tar.gz!/c"), ["x/a.zip", "x/a.zip!/b.tar.gz"]);
        assert_eq!(listed("a.tar.gz!"), ["a.tar.gz"]);
        assert_eq!(listed("stdin!/a"), ["stdin"]);
        // The name of an archive may end in the mark, too.
        assert_eq!(listed("a!!/b"), ["a!"]);
    }

    #[test]
    fn a_mark_within_a_name_is_part_of_the_name() {
        for path in ["a!b/c", "!", "!a", "wow!.zip", "a/b"] {
            let is_mark_at_the_end = path == "!";
            assert_eq!(is_member(Path::new(path)), is_mark_at_the_end, "{path}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn names_need_not_be_utf_8() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let path = Path::new(OsStr::from_bytes(b"\xff.zip!/\xfe"));
        let archives: Vec<PathBuf> = archives(path).collect();
        assert_eq!(archives, [Path::new(OsStr::from_bytes(b"\xff.zip"))]);
    }
}
