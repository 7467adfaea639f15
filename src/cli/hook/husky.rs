//! Husky, which runs scripts from a committed folder.
//!
//! Input: the folder that core.hooksPath names. Output: the scripts, with or without the line that runs
//! ddpatrol. Husky 9 sets core.hooksPath to `.husky/_`, whose hooks it rewrites with every `npm install`;
//! these run the scripts in `.husky` with `sh -e`. Husky 8 and older set it to `.husky`, whose scripts are
//! the hooks themselves.

use super::folder::read_script;
use super::script::Hook;
use anyhow::{Context, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// The end of our line in a script that existed before.
const ADDED: &str = "# added by `ddpatrol hook install`";
/// The end of our line in a script that we created.
const CREATED: &str = "# created by `ddpatrol hook install`";

/// Husky in a repository.
#[derive(Debug)]
pub(super) struct Husky {
    /// The folder of the scripts.
    pub(super) scripts: PathBuf,
    layout: Layout,
}

/// The layout of husky's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// A folder of wrappers, which run the scripts: husky 9.
    Wrapped,
    /// The scripts are the hooks: husky 8.
    Direct,
}

impl Husky {
    /// Returns husky if the hooks folder is husky's.
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

    /// Adds the line that runs ddpatrol to a script; creates the script if there is none.
    pub(super) fn add(&self, hook: Hook) -> anyhow::Result<PathBuf> {
        let path = self.script(hook.name());
        let failed = || format!("cannot write script {}", path.display());
        if path.is_symlink() {
            bail!(
                "{} is a symbolic link: add this line to its target: {}",
                path.display(),
                command(hook)
            );
        }
        fs::create_dir_all(&self.scripts).with_context(failed)?;
        if path.symlink_metadata().is_ok() {
            let text = read_script(&path)
                .with_context(|| format!("cannot read script {}", path.display()))?;
            let new = with_line(&text, &format!("{} {ADDED}", command(hook)));
            if new != text {
                // Written in place, to keep the file's mode and owner.
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

    /// Removes our line from a script, and a script that we created if nothing else is left in it;
    /// returns `false` if the script does not contain our line.
    pub(super) fn remove(&self, name: &str) -> anyhow::Result<bool> {
        let path = self.script(name);
        if path.is_symlink() {
            return Ok(false);
        }
        let Some(text) = read_script(&path) else { return Ok(false) };
        let Some((mut rest, line)) = without_line(&text) else { return Ok(false) };
        // A merge may have duplicated the line.
        while let Some((fewer, _)) = without_line(&rest) {
            rest = fewer;
        }
        let failed = || format!("cannot write script {}", path.display());
        let is_empty = rest.is_empty() || rest == b"#!/bin/sh\n";
        if is_empty && contains(&line, CREATED) {
            fs::remove_file(&path).with_context(failed)?;
        } else {
            fs::write(&path, rest).with_context(failed)?;
        }
        Ok(true)
    }
}

/// Returns the command of a hook for a shared script, without the path of the program.
fn command(hook: Hook) -> String {
    let command = hook.command();
    if hook == Hook::PrePush {
        // Git passes the pushed references on standard input, which the other lines may read, too.
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
    /// Whether the script contains our line.
    pub(super) has_ours: bool,
    /// The lines after ours; all lines without our line.
    pub(super) after: Vec<&'a [u8]>,
}

/// Splits a script at our line, without comments and husky's own lines.
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

/// Returns `true` if a hook is husky's wrapper, which runs the script of that name.
pub(super) fn is_wrapper(path: &Path) -> bool {
    read_script(path).is_some_and(|text| contains(&text, "/h\"") || contains(&text, "husky.sh"))
}

/// Returns `true` if a line sources `husky.sh`, which prepares a script in husky 8.
fn is_source_line(line: &[u8]) -> bool {
    contains(line, "husky.sh") && line.trim_ascii().starts_with(b".")
}

/// Returns `true` if a line is ours.
fn is_our_line(line: &[u8]) -> bool {
    contains(line, ADDED) || contains(line, CREATED)
}

/// Inserts a line at the top of a script, after `#!` and husky's own lines, or replaces our line. All
/// other bytes are unchanged.
fn with_line(text: &[u8], line: &str) -> Vec<u8> {
    let lines: Vec<&[u8]> = text.split_inclusive(|&byte| byte == b'\n').collect();
    let ours = lines.iter().position(|line| is_our_line(line));
    let shebang = usize::from(lines.first().is_some_and(|line| line.starts_with(b"#!")));
    let at = lines.iter().position(|line| is_source_line(line)).map_or(shebang, |at| at + 1);
    let (at, rest) = ours.map_or((at, at), |at| (at, at + 1));
    let end = if lines.first().is_some_and(|line| line.ends_with(b"\r\n")) { "\r\n" } else { "\n" };
    let mut new: Vec<u8> = lines[..at].concat();
    let line = match ours {
        // A script that we created is marked as created again.
        Some(ours) if contains(lines[ours], CREATED) => line.replace(ADDED, CREATED),
        _ => line.to_owned(),
    };
    let is_open = !new.is_empty() && !new.ends_with(b"\n");
    if is_open {
        // The last line has no line ending, so ours gets none either.
        new.extend_from_slice(end.as_bytes());
    }
    new.extend_from_slice(line.as_bytes());
    if !is_open && ours.is_none_or(|ours| lines[ours].ends_with(b"\n")) {
        new.extend_from_slice(end.as_bytes());
    }
    new.extend(lines[rest..].concat());
    new
}

/// Removes our line from a script; returns the rest and the line.
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
    fn removing_our_line_restores_the_script() {
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
    fn the_line_is_inserted_after_shebang_and_husky_lines() {
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
