//! Extracts git repositories from an archive while their members are scanned.
//!
//! Input: the members of a walk. Output: repositories in private temporary folders, with copies of the loose
//! objects, packs and references; they are read later like any other repository. No member name reaches the
//! file system: the file names of objects and packs are rebuilt from their hexadecimal digits, references are
//! written to one `packed-refs` file, and the configuration is always the same.

use super::fault::Fault;
use super::index_pack::index_pack;
use super::member_path::MemberPlace;
use super::sink::ExtractedRepo;
use ddpatrol_pack::HashKind;
use ddpatrol_scan::issue::{ArchiveIssue, ArchiveLimit};
use ddpatrol_scan::place::Place;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// Maximum size of the references of all repositories together, in bytes.
const MAX_TEXT: u64 = 64 << 20;
/// Maximum size of a file that holds one reference, in bytes. Git limits names to less.
const MAX_LINE: u64 = 4 << 10;
/// Minimum size that a file counts for, on disk or in memory.
const MIN_FILE: u64 = 4 << 10;

/// The role of a member in a repository.
#[derive(Debug, PartialEq, Eq)]
enum RepoFile {
    /// An object or a part of a pack.
    Object {
        /// The folder below `objects`.
        folder: String,
        /// The name in the folder.
        name: String,
    },
    /// A text file of this name in the git directory.
    Text(&'static str),
    /// A reference.
    Reference(Vec<u8>),
}

/// Captures the repositories of one walk.
#[derive(Debug, Default)]
pub(super) struct RepoExtractor {
    captured: RefCell<BTreeMap<Arc<Place>, CapturedRepo>>,
    used: Cell<u64>,
    held: Cell<u64>,
}

/// The captured files of a repository.
#[derive(Debug, Default)]
struct CapturedRepo {
    folder: Option<TempDir>,
    /// Whether its object ids are SHA-256.
    is_sha256: bool,
    head: Vec<u8>,
    shallow: Vec<u8>,
    references: BTreeMap<Vec<u8>, Vec<u8>>,
    issue: Option<ArchiveIssue>,
}

/// Reads a member and captures a copy of its bytes.
pub(super) struct CapturingReader<'r> {
    inner: &'r mut dyn Read,
    git_dir: Arc<Place>,
    part: RepoFile,
    copy: CaptureTarget,
    room: u64,
    issue: Option<ArchiveIssue>,
}

enum CaptureTarget {
    File(File),
    Memory(Vec<u8>),
}

impl RepoExtractor {
    /// Returns a reader that captures a member, or `inner` if it is not part of a repository.
    pub(super) fn capture<'r>(
        &self,
        parent: &MemberPlace,
        name: &[u8],
        limit: u64,
        inner: &'r mut dyn Read,
    ) -> Result<CapturingReader<'r>, &'r mut dyn Read> {
        let Some((folder, part)) = part(name) else { return Err(inner) };
        let is_text = !matches!(part, RepoFile::Object { .. });
        if is_text && self.held.get() + MAX_LINE > MAX_TEXT {
            // An archive with so many names that look like references is not a repository.
            return Err(inner);
        }
        let git_dir =
            if folder.is_empty() { parent.content().place } else { parent.member(folder).place };
        let mut captured = self.captured.borrow_mut();
        let captured = captured.entry(Arc::clone(&git_dir)).or_default();
        let mut room = limit.saturating_sub(self.used.get());
        let mut issue = None;
        let copy = match &part {
            RepoFile::Object { folder, name } => match captured.open(folder, name) {
                Ok(file) => CaptureTarget::File(file),
                Err(error) => {
                    issue = Some(ArchiveIssue::Unreadable(error));
                    CaptureTarget::Memory(Vec::new())
                }
            },
            RepoFile::Text("packed-refs" | "shallow") => {
                room = MAX_TEXT - self.held.get();
                CaptureTarget::Memory(Vec::new())
            }
            _ => {
                room = MAX_LINE;
                CaptureTarget::Memory(Vec::new())
            }
        };
        Ok(CapturingReader { inner, git_dir, part, copy, room, issue })
    }

    /// Stores a captured member.
    pub(super) fn take(&self, reader: CapturingReader<'_>, limit: u64) {
        let CapturingReader { git_dir, part, copy, room, issue, .. } = reader;
        let mut all = self.captured.borrow_mut();
        let Some(captured) = all.get_mut(&git_dir) else { return };
        if let Some(issue) = issue {
            captured.issue.get_or_insert(issue);
        }
        match &copy {
            CaptureTarget::File(_) => {
                let used = limit.saturating_sub(room).max(self.used.get());
                self.used.set(used.saturating_add(MIN_FILE));
            }
            // The name is held too; a parsed list takes about twice its length.
            CaptureTarget::Memory(text) => {
                self.held.set(MAX_TEXT.min(self.held.get() + MIN_FILE + 2 * text.len() as u64));
            }
        }
        match (part, copy) {
            (RepoFile::Text("HEAD"), CaptureTarget::Memory(text)) => captured.head = text,
            (RepoFile::Text("shallow"), CaptureTarget::Memory(text)) => captured.shallow = text,
            (RepoFile::Text(_), CaptureTarget::Memory(text)) => {
                for line in text.split(|&byte| byte == b'\n') {
                    let Some((id, name)) = line.split_once_byte(b' ') else { continue };
                    // A reference in its own file takes precedence over this list.
                    captured.references.entry(name.to_vec()).or_insert_with(|| id.to_vec());
                }
            }
            (RepoFile::Reference(name), CaptureTarget::Memory(text)) => {
                captured.references.insert(name, text.trim_ascii_end().to_vec());
            }
            (_, _) => {}
        }
    }

    /// Turns the captured files into repositories, and reports those that cannot be read.
    pub(super) fn finish(
        &self,
        found: &mut dyn FnMut(ExtractedRepo),
        report: &mut dyn FnMut(&Place, ArchiveIssue),
        is_stopped: &dyn Fn() -> bool,
    ) {
        for (git_dir, mut captured) in self.captured.take() {
            let Some(folder) = captured.folder.take() else { continue };
            if let Some(issue) = captured.issue.take() {
                report(&git_dir, issue);
            }
            if let Err(fault) = captured.write(folder.path(), is_stopped) {
                if is_stopped() {
                    return;
                }
                if let Fault::Issue(issue) = fault {
                    report(&git_dir, issue);
                }
            }
            let root = git_dir.top_of_git_dir();
            let git_dir = Arc::unwrap_or_clone(git_dir);
            found(ExtractedRepo { folder: Arc::new(folder), git_dir, root });
        }
    }
}

impl CapturedRepo {
    /// Creates a file for an object or a part of a pack.
    fn open(&mut self, folder: &str, name: &str) -> io::Result<File> {
        if self.folder.is_none() {
            self.folder = Some(new_folder()?);
        }
        let Some(top) = &self.folder else { return Err(io::ErrorKind::NotFound.into()) };
        self.is_sha256 |= folder.len() == 2 && name.len() == 62;
        let path = top.path().join("objects").join(folder);
        std::fs::create_dir_all(&path)?;
        File::create(path.join(name))
    }

    /// Adds the files that make a folder of objects a repository.
    fn write(&self, folder: &Path, is_stopped: &dyn Fn() -> bool) -> Result<(), Fault> {
        let is_id = |id: &[u8]| matches!(id.len(), 40 | 64) && id.iter().all(u8::is_ascii_hexdigit);
        let is_sha256 =
            self.is_sha256 || self.references.values().any(|id| id.len() == 64 && is_id(id));
        let hash = if is_sha256 { HashKind::Sha256 } else { HashKind::Sha1 };
        let mut list = Vec::new();
        for (name, id) in self.references.iter().filter(|(name, id)| is_id(id) && is_name(name)) {
            list.extend([&id[..], b" ", name, b"\n"].concat());
        }
        let head = self.head.trim_ascii_end();
        let is_head = is_id(head) || head.strip_prefix(b"ref: ").is_some_and(is_name);
        let head = if is_head { head } else { b"ref: refs/heads/main" };
        let lines = self.shallow.split(|&byte| byte == b'\n').filter(|line| is_id(line));
        let shallow: Vec<u8> = lines.flat_map(|line| [line, b"\n"].concat()).collect();
        write_repo(folder, &[head, b"\n"].concat(), &list, hash)?;
        if !shallow.is_empty() {
            std::fs::write(folder.join("shallow"), shallow)?;
        }
        let packs = folder.join("objects/pack");
        for entry in std::fs::read_dir(&packs)? {
            let path = entry?.path();
            if path.extension().is_some_and(|it| it == "pack")
                && !path.with_extension("idx").exists()
            {
                index_pack(&mut File::open(&path)?, &packs, is_stopped)?;
                std::fs::remove_file(&path)?;
            }
        }
        Ok(())
    }
}

/// Creates a temporary folder that only this user can access.
pub(super) fn new_folder() -> io::Result<TempDir> {
    tempfile::Builder::new().prefix("ddpatrol-").tempdir()
}

/// Turns a folder of objects into a repository with these references.
pub(super) fn write_repo(
    folder: &Path,
    head: &[u8],
    references: &[u8],
    hash: HashKind,
) -> io::Result<()> {
    std::fs::create_dir_all(folder.join("objects/pack"))?;
    std::fs::create_dir_all(folder.join("refs"))?;
    std::fs::write(folder.join("HEAD"), head)?;
    std::fs::write(folder.join("packed-refs"), references)?;
    let config = match hash {
        HashKind::Sha1 => "[core]\n\trepositoryformatversion = 0\n\tbare = true\n",
        HashKind::Sha256 => {
            "[core]\n\trepositoryformatversion = 1\n\tbare = true\n\
             [extensions]\n\tobjectFormat = sha256\n"
        }
    };
    std::fs::write(folder.join("config"), config)
}

/// Returns `true` if a name can be written to `packed-refs`. The rules of git are stricter.
pub(super) fn is_name(name: &[u8]) -> bool {
    let is_plain = |&byte: &u8| byte > b' ' && byte != 0x7f;
    name.starts_with(b"refs/") && name.len() <= 4_096 && name.iter().all(is_plain)
}

/// Returns the role of a member in a repository, and the git directory; `None` if it has no role.
fn part(name: &[u8]) -> Option<(&[u8], RepoFile)> {
    let parts: Vec<&[u8]> = name.rsplitn(4, |&byte| byte == b'/').collect();
    let (&last, above) = parts.split_first()?;
    let folder = |depth: usize| {
        let below: usize = parts[..depth].iter().map(|part| part.len() + 1).sum();
        &name[..name.len().saturating_sub(below)]
    };
    let is_hex = |text: &[u8]| text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let text = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
    if let [pair, b"objects", ..] = above
        && pair.len() == 2
        && matches!(last.len(), 38 | 62)
        && is_hex(pair)
        && is_hex(last)
    {
        return Some((folder(3), RepoFile::Object { folder: text(pair), name: text(last) }));
    }
    if let [b"pack", b"objects", ..] = above {
        let (stem, kind) = last.strip_prefix(b"pack-")?.split_once_byte(b'.')?;
        let is_known = matches!(kind, b"pack" | b"idx" | b"promisor");
        let is_plain = stem.iter().all(u8::is_ascii_alphanumeric) && (1..=64).contains(&stem.len());
        return (is_known && is_plain).then(|| {
            (folder(3), RepoFile::Object { folder: "pack".to_owned(), name: text(last) })
        });
    }
    let at = if name.starts_with(b"refs/") {
        Some(0)
    } else {
        memchr::memmem::find(name, b"/refs/").map(|at| at + 1)
    };
    if let Some(at) = at {
        let reference = name[at..].to_vec();
        let is_captured = is_name(&reference);
        return is_captured
            .then(|| (&name[..at.saturating_sub(1)], RepoFile::Reference(reference)));
    }
    let text = ["HEAD", "packed-refs", "shallow"].into_iter().find(|it| it.as_bytes() == last)?;
    Some((folder(1), RepoFile::Text(text)))
}

/// Splits bytes in two.
trait SplitOnce {
    /// Splits at the first byte of this value.
    fn split_once_byte(&self, at: u8) -> Option<(&[u8], &[u8])>;
}

impl SplitOnce for [u8] {
    fn split_once_byte(&self, at: u8) -> Option<(&[u8], &[u8])> {
        memchr::memchr(at, self).map(|at| (&self[..at], &self[at + 1..]))
    }
}

impl Read for CapturingReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buffer)?;
        let captured = usize::try_from(self.room).unwrap_or(usize::MAX).min(len);
        self.room -= captured as u64;
        let written = match &mut self.copy {
            CaptureTarget::File(file) => file.write_all(&buffer[..captured]),
            CaptureTarget::Memory(text) => text.write_all(&buffer[..captured]),
        };
        let is_line = matches!(self.part, RepoFile::Reference(_) | RepoFile::Text("HEAD"));
        if captured < len && !is_line {
            self.issue.get_or_insert(ArchiveIssue::Limit(ArchiveLimit::Repository));
        }
        if let Err(error) = written {
            // The member is scanned regardless; the incomplete copy is reported.
            self.room = 0;
            self.issue.get_or_insert(ArchiveIssue::Unreadable(error));
        }
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repository_files_are_recognized_by_their_paths() {
        let (pair, rest) = ("ab", "0".repeat(38));
        let object = |prefix: &str| format!("{prefix}objects/{pair}/{rest}");
        let expected = || RepoFile::Object { folder: pair.to_owned(), name: rest.clone() };
        for (prefix, folder) in [("", ""), (".git/", ".git"), ("a/b.git/", "a/b.git")] {
            let name = object(prefix);
            assert_eq!(part(name.as_bytes()), Some((folder.as_bytes(), expected())));
        }
        let reference = RepoFile::Reference(b"refs/heads/x/y".to_vec());
        assert_eq!(part(b"a/.git/refs/heads/x/y"), Some((&b"a/.git"[..], reference)));
        assert_eq!(part(b"a/.git/HEAD"), Some((&b"a/.git"[..], RepoFile::Text("HEAD"))));
        for name in ["objects/pack/../x", "objects/pack/pack-../a.idx", "a/objects/ab/xyz", "x"] {
            assert_eq!(part(name.as_bytes()), None, "{name}");
        }
    }
}
