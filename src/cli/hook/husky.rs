//! Husky, which runs the scripts of a folder that is committed.
//!
//! Input: the folder that core.hooksPath names. Output: the scripts, with and without the line that runs
//! ddpatrol. Husky 9 points core.hooksPath to `.husky/_`, whose hooks it writes anew with every
//! `npm install`; these run the scripts in `.husky` with `sh -e`. Husky 8 and older point it to `.husky`,
//! whose scripts are the hooks themselves.

use super::folder::read_script;
use super::script::Hook;
use anyhow::{Context, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// Ends a line of ours that was added to a script.
const ADDED: &str = "# added by `ddpatrol hook install`";
/// Ends a line of ours in a script that did not exist before.
const CREATED: &str = "# created by `ddpatrol hook install`";

/// Husky in a repository.
#[derive(Debug)]
pub(super) struct Husky {
    /// The folder of the scripts.
    pub(super) scripts: PathBuf,
    layout: Layout,
}

/// Where git finds the hooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// In a folder of wrappers, which run the scripts: husky 9.
    Wrapped,
    /// The scripts are the hooks: husky 8.
    Direct,
}

impl Husky {
    /// Recognizes the folder of hooks that git uses as husky's.
    pub(super) fn of(hooks: &Path) -> Option<Self> {
        let parent = hooks.parent()?;
        if hooks.file_name()? == "_" {
            let is_husky = parent.file_name()? == ".husky" || hooks.join("husky.sh").is_file();
            let scripts = parent.to_owned();
            return is_husky.then_some(Self { scripts, layout: Layout::Wrapped });
        }
        let is_husky = hooks.join("_").join("husky.sh").is_file();
        is_husky.then(|| Self { scripts: hooks.to_owned(), layout: Layout::Direct })
    }

    /// Returns husky in a work tree, whether or not git uses its hooks already.
    pub(super) fn in_work_tree(top: &Path) -> Option<Self> {
        let scripts = top.join(".husky");
        scripts.is_dir().then_some(Self { scripts, layout: Layout::Wrapped })
    }

    /// Returns the script of a hook.
    pub(super) fn script(&self, name: &str) -> PathBuf {
        self.scripts.join(name)
    }

    /// Returns `true` if git runs the scripts through husky's wrappers.
    pub(super) fn has_wrappers(&self) -> bool {
        self.layout == Layout::Wrapped
    }

    /// Adds the line that runs ddpatrol to a script; makes the script if there is none.
    pub(super) fn add(&self, hook: Hook) -> anyhow::Result<PathBuf> {
        let path = self.script(hook.name());
        let failed = || format!("the script {} cannot be written", path.display());
        if path.is_symlink() {
            bail!(
                "{} is a symbolic link: add the line to the file it leads to: {}",
                path.display(),
                command(hook)
            );
        }
        fs::create_dir_all(&self.scripts).with_context(failed)?;
        if path.symlink_metadata().is_ok() {
            let text = read_script(&path)
                .with_context(|| format!("the script {} cannot be read", path.display()))?;
            let new = with_line(&text, &format!("{} {ADDED}", command(hook)));
            if new != text {
                // Written in place: the file's mode and owner stay.
                fs::write(&path, new).with_context(failed)?;
            }
            return Ok(path);
        }
        let start = if self.has_wrappers() { "" } else { "#!/bin/sh\n" };
        fs::write(&path, format!("{start}{} {CREATED}\n", command(hook))).with_context(failed)?;
        #[cfg(unix)]
        if !self.has_wrappers() {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).with_context(failed)?;
        }
        Ok(path)
    }

    /// Takes our line out of a script, and removes a script that holds nothing else and was ours;
    /// returns `false` if it has no such line.
    pub(super) fn remove(&self, name: &str) -> anyhow::Result<bool> {
        let path = self.script(name);
        if path.is_symlink() {
            return Ok(false);
        }
        let Some(text) = read_script(&path) else { return Ok(false) };
        let Some((mut rest, line)) = without_line(&text) else { return Ok(false) };
        // A merge may have left two of them.
        while let Some((fewer, _)) = without_line(&rest) {
            rest = fewer;
        }
        let failed = || format!("the script {} cannot be written", path.display());
        let is_empty = rest.is_empty() || rest == b"#!/bin/sh\n";
        if is_empty && contains(&line, CREATED) {
            fs::remove_file(&path).with_context(failed)?;
        } else {
            fs::write(&path, rest).with_context(failed)?;
        }
        Ok(true)
    }
}

/// Returns the command of a hook for a script that others run, too: without the path of a program.
fn command(hook: Hook) -> String {
    let command = hook.command();
    if hook == Hook::PrePush {
        // Git says on standard input what is pushed; the lines below may read it, too.
        return format!(
            "ddpatrol_input=$(mktemp) && cat > \"$ddpatrol_input\" && exec 9< \"$ddpatrol_input\" < \
             \"$ddpatrol_input\" && rm -f \"$ddpatrol_input\" && ddpatrol {command} <&9 9<&- || exit; \
             exec 9<&-"
        );
    }
    format!("ddpatrol {command} || exit")
}

/// The commands of a script.
pub(super) struct ScriptParts<'a> {
    /// The lines before ours.
    pub(super) before: Vec<&'a [u8]>,
    /// Whether our line is there.
    pub(super) has_ours: bool,
    /// The lines after ours; all lines if ours is not there.
    pub(super) after: Vec<&'a [u8]>,
}

/// Splits a script at our line; comments and husky's own lines are left out.
pub(super) fn parts(text: &[u8]) -> ScriptParts<'_> {
    let mut parts = ScriptParts { before: Vec::new(), has_ours: false, after: Vec::new() };
    for line in text.split(|&byte| byte == b'\n') {
        if is_our_line(line) {
            parts.has_ours = true;
            parts.before = std::mem::take(&mut parts.after);
        } else if !line.trim_ascii().is_empty() && !line.starts_with(b"#") && !is_source_line(line)
        {
            parts.after.push(line);
        }
    }
    parts
}

/// Returns `true` if a hook is husky's, which runs the script of that name.
pub(super) fn is_wrapper(path: &Path) -> bool {
    read_script(path).is_some_and(|text| contains(&text, "/h\"") || contains(&text, "husky.sh"))
}

/// Returns `true` if a line runs the part of husky 8 that prepares a script.
fn is_source_line(line: &[u8]) -> bool {
    contains(line, "husky.sh") && line.trim_ascii().starts_with(b".")
}

/// Returns `true` if a line is ours.
fn is_our_line(line: &[u8]) -> bool {
    contains(line, ADDED) || contains(line, CREATED)
}

/// Puts a line at the top of a script, behind `#!` and husky's own lines, or in the place of ours. The
/// rest stays as it is, byte for byte.
fn with_line(text: &[u8], line: &str) -> Vec<u8> {
    let lines: Vec<&[u8]> = text.split_inclusive(|&byte| byte == b'\n').collect();
    let ours = lines.iter().position(|line| is_our_line(line));
    let shebang = usize::from(lines.first().is_some_and(|line| line.starts_with(b"#!")));
    let at = lines.iter().position(|line| is_source_line(line)).map_or(shebang, |at| at + 1);
    let (at, rest) = ours.map_or((at, at), |at| (at, at + 1));
    let end = if lines.first().is_some_and(|line| line.ends_with(b"\r\n")) { "\r\n" } else { "\n" };
    let mut new: Vec<u8> = lines[..at].concat();
    let line = match ours {
        // A script that we made stays ours.
        Some(ours) if contains(lines[ours], CREATED) => line.replace(ADDED, CREATED),
        _ => line.to_owned(),
    };
    let is_open = !new.is_empty() && !new.ends_with(b"\n");
    if is_open {
        // The last line has no end: neither will ours.
        new.extend_from_slice(end.as_bytes());
    }
    new.extend_from_slice(line.as_bytes());
    if !is_open && ours.is_none_or(|ours| lines[ours].ends_with(b"\n")) {
        new.extend_from_slice(end.as_bytes());
    }
    new.extend(lines[rest..].concat());
    new
}

/// Takes our line out of a script; returns the rest and the line.
fn without_line(text: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let lines: Vec<&[u8]> = text.split_inclusive(|&byte| byte == b'\n').collect();
    let at = lines.iter().position(|line| is_our_line(line))?;
    let mut rest = lines[..at].concat();
    if at + 1 == lines.len() && !lines[at].ends_with(b"\n") && rest.ends_with(b"\n") {
        rest.pop();
        if rest.ends_with(b"\r") {
            rest.pop();
        }
    }
    rest.extend(lines[at + 1..].concat());
    Some((rest, lines[at].to_vec()))
}

fn contains(line: &[u8], text: &str) -> bool {
    memchr::memmem::find(line, text.as_bytes()).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_without_our_line_is_what_it_was() {
        let line = format!("ddpatrol staged || exit {ADDED}");
        let scripts: [&[u8]; 12] = [
            b"",
            b"\n",
            b"npm test",
            b"npm test\n",
            b"npm test\r\nnpm run lint\r\n",
            b"#!/bin/sh",
            b"#!/bin/sh\n",
            b"#!/bin/sh\r\nnpm test",
            b"#!/usr/bin/env sh\n. \"$(dirname -- \"$0\")/_/husky.sh\"\n\nnpm test\n",
            b"#!/usr/bin/env sh\n. \"$(dirname -- \"$0\")/_/husky.sh\"",
            b"\xff\xfe\0binary\n\n\n",
            b"# husky.sh is mentioned only\nx",
        ];
        for script in scripts {
            let with = with_line(script, &line);
            assert_ne!(with, script);
            assert_eq!(with_line(&with, &line), with, "adding it twice is adding it once");
            let (rest, taken) = without_line(&with).expect("our line");
            assert_eq!(rest, script, "{:?}", String::from_utf8_lossy(&with));
            assert_eq!(taken.trim_ascii(), line.as_bytes());
        }
        assert_eq!(without_line(b"ddpatrol staged\n"), None);
    }

    #[test]
    fn the_line_is_at_the_top_behind_what_must_be_first() {
        let line = format!("ours {ADDED}");
        let at = |script: &str| {
            let with = String::from_utf8(with_line(script.as_bytes(), &line)).expect("UTF-8");
            with.lines().position(|it| it == line).expect("our line")
        };
        assert_eq!(at("npm test\n"), 0);
        assert_eq!(at("#!/bin/sh\nnpm test\n"), 1);
        assert_eq!(at("#!/bin/sh\n. \"$(dirname \"$0\")/_/husky.sh\"\nnpm test\n"), 2);
    }
}
