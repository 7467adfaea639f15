//! Paths inside archives and git objects, which anybody can write.
//!
//! Input: the name of a member or the path of a tree entry. Output: a path that cannot leave the archive
//! or tree. It is a label for reports and never reaches the file system.

use std::borrow::Cow;

/// Removes the parts of a name that could lead out of its archive or tree.
///
/// Like `unzip` and `tar`, it drops leading separators, drive letters and `./`, and resolves `..`
/// without going above the top. A backslash separates components too, as it does on Windows; a name from
/// which nothing is dropped keeps it, because on other systems it is part of file names (`dev-x\x2dy.mount`).
/// Two names can have the same result. If `..` leaves nothing of a name, the result is `_`.
pub fn inside(name: &[u8]) -> Cow<'_, [u8]> {
    let name = without_root(name);
    if !components(name).any(|it| it == b"..") {
        return Cow::Borrowed(name);
    }
    let mut kept: Vec<&[u8]> = Vec::new();
    for component in components(name) {
        match component {
            b"" | b"." => {}
            b".." => {
                kept.pop();
            }
            component => kept.push(component),
        }
    }
    // A drive letter may have come to the front.
    let kept = kept.join(&b'/');
    match without_root(&kept) {
        b"" => Cow::Borrowed(b"_"),
        rest => Cow::Owned(rest.to_vec()),
    }
}

fn components(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    name.split(|&byte| is_separator(byte))
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b'/' | b'\\')
}

/// Returns a name without leading separators, `./` and drive letters.
fn without_root(mut name: &[u8]) -> &[u8] {
    loop {
        name = match name {
            [first, rest @ ..] if is_separator(*first) => rest,
            [b'.', second, rest @ ..] if is_separator(*second) => rest,
            [drive, b':', rest @ ..] if drive.is_ascii_alphabetic() && is_root(rest) => rest,
            _ => return name,
        };
    }
}

/// Returns `true` if `rest` follows a drive letter: it is empty, or begins with a separator or `..`.
fn is_root(rest: &[u8]) -> bool {
    rest.first().is_none_or(|&byte| is_separator(byte)) || components(rest).next() == Some(b"..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_its_archive_or_tree() {
        for (name, wanted) in [
            (r"b/c", "b/c"),
            (r"./b", "b"),
            (r"b/", "b/"),
            (r"/etc/passwd", "etc/passwd"),
            (r"//etc//passwd", "etc//passwd"),
            (r"../../b", "b"),
            (r"a/../../b", "b"),
            (r"a/./b/../c", "a/c"),
            (r"a/..", "_"),
            (r"..", "_"),
            (r"./", ""),
            (r"...", "..."),
            (r"a..b/..c", "a..b/..c"),
            (r"C:\out", "out"),
            (r"c:/out", "out"),
            (r"C:..\..\out", "out"),
            (r"x/../C:\out", "out"),
            (r"C:out", "C:out"),
            (r"\\server\share", r"server\share"),
            (r"..\..\src\main.c", "src/main.c"),
            (r".\..\x", "x"),
            (r"a\b", r"a\b"),
            (r"dev-x\x2dy.mount", r"dev-x\x2dy.mount"),
        ] {
            let inside = inside(name.as_bytes());
            assert_eq!(String::from_utf8_lossy(&inside), wanted, "{name}");
        }
    }
}
