//! Staged changes: the index against HEAD.
//!
//! Input: a repository. Output: ids and paths. No content is read.

use super::error::{LibraryError, ProgramError, RepoError};
use super::ids::{id, object_id};
use super::repository::Repository;
use super::{files, git_cli, libgit2, refs};
use ddpatrol_pack::{HashKind, ObjectId};
use git2::{Delta, DiffFindOptions, DiffOptions, ErrorCode, Index};

/// Above this number of pairs of added and deleted files, only equal files count as renamed, as with git's
/// default `diff.renameLimit`.
const RENAME_LIMIT: usize = 1000;

/// The bit of an index entry's extended flags that `git add --intent-to-add` sets.
const INTENT_TO_ADD: u16 = 1 << 13;

/// A path whose entry in the index differs from that in HEAD.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StagedChange {
    /// The path; for a deletion, the path in HEAD.
    pub path: Vec<u8>,
    /// The kind of change.
    pub status: Status,
    /// The path in HEAD, if the file was renamed or copied.
    pub old_path: Option<Vec<u8>>,
    /// The entry in HEAD, if it has one.
    pub old: Option<Entry>,
    /// The entry in the index, if it has one.
    pub new: Option<Entry>,
}

/// The kind of a staged change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// The path is new.
    Added,
    /// The content or mode differs.
    Modified,
    /// The file had another path.
    Renamed,
    /// The file is similar to one at another path.
    Copied,
    /// The kind of entry differs, such as a link instead of a file.
    TypeChanged,
    /// The path was deleted.
    Deleted,
    /// One of up to three versions of a path in conflict: 1 the base, 2 ours, 3 theirs. Git refuses to
    /// commit a conflict.
    Conflicted(u8),
}

/// The entry of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The id of a blob, or of a submodule's commit.
    pub id: ObjectId,
    /// The kind of entry.
    pub mode: Mode,
}

impl Entry {
    /// Returns `true` if the id is that of a blob.
    #[must_use]
    pub fn is_blob(&self) -> bool {
        self.mode != Mode::Submodule
    }

    /// Parses an entry; `None` if git writes that there is none.
    fn of(mode: u32, id: ObjectId) -> Option<Self> {
        (mode != 0 && !id.is_null()).then(|| Self { id, mode: Mode::from_bits(mode) })
    }
}

/// The kind of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// A file.
    File,
    /// An executable file.
    Executable,
    /// A symbolic link: the blob is its target.
    Symlink,
    /// A submodule: the id is a commit of another repository.
    Submodule,
}

impl Mode {
    fn from_bits(mode: u32) -> Self {
        match mode & 0o170_000 {
            0o120_000 => Self::Symlink,
            0o160_000 => Self::Submodule,
            _ if mode & 0o100 != 0 => Self::Executable,
            _ => Self::File,
        }
    }
}

impl Repository {
    /// Lists the differences between HEAD and the index, sorted by path; before the first commit, every
    /// entry of the index. Renames are detected at 50 % similarity. Entries of `git add --intent-to-add`
    /// are not staged.
    ///
    /// # Errors
    /// Fails if neither `git` nor libgit2 can compare them.
    pub fn staged(&self) -> Result<Vec<StagedChange>, RepoError> {
        // Git is tried first. Unlike libgit2, it supports intent-to-add, split and sparse indexes, and
        // skips folders that are unchanged according to the index's tree cache. Median on 10,000 files
        // in 200 folders, 20 staged, warm: 2.8 ms including its start, 5.7 ms with libgit2.
        let program = match with_program(self) {
            Ok(changes) => return Ok(changes),
            Err(error) => error,
        };
        with_library(self).map_err(|library| RepoError::Neither {
            task: "compare the index with HEAD",
            git_dir: self.git_dir.clone(),
            program,
            library,
        })
    }
}

/// Compares with `git diff-index`.
pub(super) fn with_program(repository: &Repository) -> Result<Vec<StagedChange>, ProgramError> {
    let head = "HEAD";
    let (tree, output) = match diff_index(repository, head, "--no-renames") {
        Ok(output) => (head, output),
        Err(error) if !refs::is_unborn(repository).unwrap_or(false) => return Err(error),
        Err(_) => {
            let empty = empty_tree(repository.hash);
            (empty, diff_index(repository, empty, "--no-renames")?)
        }
    };
    let (mut changes, mut conflicted) = parse_changes(&output)?;
    let has = |status| changes.iter().any(|change: &StagedChange| change.status == status);
    if has(Status::Added) && has(Status::Deleted) {
        // Similarity needs blobs, which a partial clone may lack; equality needs only ids.
        let output = diff_index(repository, tree, "-M50%")
            .or_else(|error| diff_index(repository, tree, "-M100%").map_err(|_| error))?;
        (changes, conflicted) = parse_changes(&output)?;
    }
    if conflicted {
        changes.extend(ls_files(repository)?);
    }
    changes.sort();
    Ok(changes)
}

fn diff_index(repository: &Repository, tree: &str, renames: &str) -> Result<Vec<u8>, ProgramError> {
    let limit = format!("-l{RENAME_LIMIT}");
    let arguments = [
        "diff-index",
        "--cached",
        "--raw",
        "-z",
        "--no-abbrev",
        "--no-ext-diff",
        "--no-textconv",
        "--ignore-submodules=none",
        "--ita-invisible-in-index",
        renames,
        &limit,
        tree,
        "--",
    ];
    git_cli::run(repository, &arguments, b"").map(|output| output.stdout)
}

/// Parses the raw format: the changes, and whether there are paths in conflict.
fn parse_changes(output: &[u8]) -> Result<(Vec<StagedChange>, bool), ProgramError> {
    let mut changes = Vec::new();
    let mut conflicted = false;
    let mut fields = output.split(|&byte| byte == 0);
    while let Some(head) = fields.next().filter(|head| !head.is_empty()) {
        let malformed = || ProgramError::malformed("diff-index", head);
        match parse_change(head, &mut fields).ok_or_else(malformed)? {
            ChangeRecord::Change(change) => changes.push(change),
            ChangeRecord::Conflict => conflicted = true,
        }
    }
    Ok((changes, conflicted))
}

/// A record of the raw format.
enum ChangeRecord {
    Change(StagedChange),
    /// A path in conflict.
    Conflict,
}

/// Parses one record of the raw format.
fn parse_change<'a>(
    head: &[u8],
    fields: &mut impl Iterator<Item = &'a [u8]>,
) -> Option<ChangeRecord> {
    let mut words = head.strip_prefix(b":")?.split(|&byte| byte == b' ');
    let modes = [mode(words.next()?)?, mode(words.next()?)?];
    let ids = [id(words.next()?)?, id(words.next()?)?];
    let status = match words.next()?.first()? {
        b'A' => Status::Added,
        b'M' => Status::Modified,
        b'R' => Status::Renamed,
        b'C' => Status::Copied,
        b'T' => Status::TypeChanged,
        b'D' => Status::Deleted,
        b'U' => return fields.next().map(|_| ChangeRecord::Conflict),
        _ => return None,
    };
    let first = fields.next()?.to_vec();
    let (old_path, path) = match status {
        Status::Renamed | Status::Copied => (Some(first), fields.next()?.to_vec()),
        _ => (None, first),
    };
    let [old, new] = [0, 1].map(|side| Entry::of(modes[side], ids[side]));
    // Git reads a truncated index as if entries of zeros followed, and does not report them when it
    // detects renames.
    if path.is_empty() || new.is_none() != (status == Status::Deleted) {
        return None;
    }
    Some(ChangeRecord::Change(StagedChange { path, status, old_path, old, new }))
}

/// Lists the versions of paths in conflict.
fn ls_files(repository: &Repository) -> Result<Vec<StagedChange>, ProgramError> {
    // This option needs no work tree, and a bare repository has none.
    let output = git_cli::run(repository, &["ls-files", "--unmerged", "-z"], b"")?;
    let records = output.stdout.split(|&byte| byte == 0).filter(|record| !record.is_empty());
    let parse = |record: &[u8]| {
        let tab = memchr::memchr(b'\t', record)?;
        let mut words = record[..tab].split(|&byte| byte == b' ');
        let new = Entry::of(mode(words.next()?)?, id(words.next()?)?);
        let stage = words.next()?.first()?.checked_sub(b'0')?;
        Some(conflict(record[tab + 1..].to_vec(), stage, new))
    };
    let malformed = |record| ProgramError::malformed("ls-files", record);
    records.map(|record| parse(record).ok_or_else(|| malformed(record))).collect()
}

fn conflict(path: Vec<u8>, stage: u8, new: Option<Entry>) -> StagedChange {
    StagedChange { path, status: Status::Conflicted(stage), old_path: None, old: None, new }
}

fn mode(octal: &[u8]) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(octal).ok()?, 8).ok()
}

const fn empty_tree(hash: HashKind) -> &'static str {
    match hash {
        HashKind::Sha1 => "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
        HashKind::Sha256 => "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
    }
}

/// Compares with libgit2.
pub(super) fn with_library(repository: &Repository) -> Result<Vec<StagedChange>, LibraryError> {
    let library = libgit2::open(repository)?;
    let mut index = Index::open(&repository.index_file())?;
    let tree = match library.head() {
        Ok(head) => Some(head.peel_to_tree()?),
        Err(error) if error.code() == ErrorCode::UnbornBranch => None,
        Err(error) => return Err(error.into()),
    };
    let mut options = DiffOptions::new();
    options.include_typechange(true);
    // It treats an entry without content as an empty file.
    let promised: Vec<_> =
        index.iter().filter(|entry| entry.flags_extended & INTENT_TO_ADD != 0).collect();
    for entry in promised {
        index.remove(&files::path(&entry.path), 0)?;
    }
    let mut compare =
        || library.diff_tree_to_index(tree.as_ref(), Some(&index), Some(&mut options));
    let mut diff = compare()?;
    let count = |status| diff.deltas().filter(|delta| delta.status() == status).count();
    let pairs = count(Delta::Added).saturating_mul(count(Delta::Deleted));
    let mut find = DiffFindOptions::new();
    find.renames(true).rename_threshold(50).rename_limit(RENAME_LIMIT);
    find.exact_match_only(pairs > RENAME_LIMIT * RENAME_LIMIT);
    if diff.find_similar(Some(&mut find)).is_err() {
        // A partial clone may lack the blobs that similarity detection needs.
        diff = compare()?;
        diff.find_similar(Some(find.exact_match_only(true)))?;
    }
    let mut changes: Vec<StagedChange> =
        diff.deltas().filter_map(|delta| delta_change(&delta)).collect();
    for entry in index.iter() {
        let stage = (entry.flags >> 12 & 3) as u8;
        if stage > 0 {
            let new = Entry::of(entry.mode, object_id(entry.id));
            changes.push(conflict(entry.path, stage, new));
        }
    }
    changes.sort();
    Ok(changes)
}

fn delta_change(delta: &git2::DiffDelta<'_>) -> Option<StagedChange> {
    let status = match delta.status() {
        Delta::Added => Status::Added,
        Delta::Deleted => Status::Deleted,
        Delta::Renamed => Status::Renamed,
        Delta::Copied => Status::Copied,
        Delta::Typechange => Status::TypeChanged,
        Delta::Unmodified | Delta::Conflicted | Delta::Ignored | Delta::Untracked => return None,
        Delta::Modified | Delta::Unreadable => Status::Modified,
    };
    let entry = |file: git2::DiffFile<'_>| Entry::of(file.mode().into(), object_id(file.id()));
    let bytes = |file: git2::DiffFile<'_>| file.path_bytes().unwrap_or_default().to_vec();
    let moved = matches!(status, Status::Renamed | Status::Copied);
    Some(StagedChange {
        path: bytes(if status == Status::Deleted { delta.old_file() } else { delta.new_file() }),
        status,
        old_path: moved.then(|| bytes(delta.old_file())),
        old: entry(delta.old_file()).filter(|_| status != Status::Added),
        new: entry(delta.new_file()).filter(|_| status != Status::Deleted),
    })
}
