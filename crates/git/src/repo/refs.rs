//! Refs: their names and targets, and broken refs.
//!
//! Refs in files are read here, because libgit2 silently skips broken refs and `git` stops or warns. Other
//! storage is read with `git for-each-ref`. The kind of a ref's object comes from libgit2, or from
//! `git cat-file` if libgit2 cannot read it. Reflogs, `FETCH_HEAD` and similar files are not refs.

use super::error::{LibraryError, ProgramError, RepoError};
use super::files::{MAX_LISTED, absent, entries, read_some};
use super::git_cli;
use super::ids::id;
use super::peel::peel;
use super::ref_problem::{BrokenRef, Problem, RefFault};
use super::repository::Repository;
use ddpatrol_pack::ObjectId;
use ddpatrol_scan::regular::{self, Links};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Maximum length of a chain of symbolic refs, as in git. A longer chain counts as a loop.
const LONGEST_CHAIN: usize = 5;

/// The refs of a repository, with the objects to which they point.
#[derive(Clone, Debug, Default)]
pub struct Refs {
    /// The commit to which the work tree's HEAD points; `None` before the first commit, or if HEAD is
    /// broken.
    pub head: Option<ObjectId>,
    /// All refs below `refs/`, and HEAD and the own refs of other work trees, as `worktrees/NAME/HEAD`
    /// and `main-worktree/HEAD`. Sorted by name, without HEAD itself.
    pub list: Vec<Ref>,
    /// Refs that do not lead to an existing object. Sorted by name.
    pub broken: Vec<BrokenRef>,
}

/// A ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ref {
    /// Its full name.
    pub name: Vec<u8>,
    /// The object to which it points, through symbolic refs but not through tags.
    pub target: ObjectId,
    /// The peeled commit; `None` for a tree or a blob.
    pub commit: Option<ObjectId>,
}

/// The objects to which refs point. They need not exist.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    /// The commit to which the work tree's HEAD points; `None` before the first commit.
    pub head: Option<ObjectId>,
    /// Names and objects of all other refs, as in [`Refs::list`]. Sorted by name.
    pub list: Vec<(Vec<u8>, ObjectId)>,
}

/// The value of a ref.
#[derive(Clone, Debug)]
enum Value {
    Id(ObjectId),
    Symbolic(Vec<u8>),
}

/// Names and values of refs, as they are stored.
#[derive(Debug, Default)]
struct Stored {
    values: BTreeMap<Vec<u8>, Value>,
    broken: BTreeMap<Vec<u8>, Problem>,
}

impl Repository {
    /// Lists the refs and the objects to which they point.
    ///
    /// # Errors
    /// Fails if the refs cannot be listed. Single broken refs are in [`Refs::broken`].
    pub fn refs(&self) -> Result<Refs, RepoError> {
        let mut stored = stored(self)?;
        let mut targets = BTreeMap::new();
        for (name, value) in &stored.values {
            match stored.follow(name, value) {
                Ok(Some(target)) => {
                    targets.insert(name.clone(), target);
                }
                // A HEAD without a commit is valid.
                Ok(None) if name.ends_with(b"HEAD") && !name.starts_with(b"refs/") => {}
                Ok(None) => {
                    let Value::Symbolic(to) = value else { continue };
                    stored.broken.insert(name.clone(), Problem::Dangling(to.clone()));
                }
                Err(problem) => {
                    stored.broken.insert(name.clone(), problem);
                }
            }
        }
        let peeled = peel(self, &targets.values().copied().collect())?;
        let mut refs = Refs::default();
        for (name, target) in targets {
            match &peeled[&target] {
                Ok(commit) if name == b"HEAD" => refs.head = *commit,
                Ok(commit) => refs.list.push(Ref { name, target, commit: *commit }),
                Err(error) => {
                    let words = error.to_string();
                    stored.broken.entry(name).or_insert(Problem::Missing { target, words });
                }
            }
        }
        let broken = stored.broken.into_iter();
        refs.broken = broken.map(|(name, problem)| BrokenRef { name, problem }).collect();
        Ok(refs)
    }

    /// Lists the targets of the refs without reading objects: tags are not followed, and missing objects
    /// are not detected. Much cheaper than [`Repository::refs`].
    ///
    /// # Errors
    /// Fails if the refs cannot be listed.
    pub fn targets(&self) -> Result<Targets, RepoError> {
        let stored = stored(self)?;
        let mut targets = Targets::default();
        for (name, value) in &stored.values {
            match stored.follow(name, value) {
                Ok(Some(target)) if name == b"HEAD" => targets.head = Some(target),
                Ok(Some(target)) => targets.list.push((name.clone(), target)),
                // A dangling or broken ref has no target.
                Ok(None) | Err(_) => {}
            }
        }
        Ok(targets)
    }
}

/// Returns `true` if HEAD names a branch without a commit.
pub(super) fn is_unborn(repository: &Repository) -> Result<bool, RepoError> {
    let stored = stored(repository)?;
    let head = stored.values.get(b"HEAD".as_slice());
    Ok(head.is_some_and(|head| matches!(stored.follow(b"HEAD", head), Ok(None))))
}

impl Stored {
    /// Follows a ref to an id; `None` if it names a ref that does not exist.
    fn follow(&self, name: &[u8], value: &Value) -> Result<Option<ObjectId>, Problem> {
        let slashes = if name.starts_with(b"worktrees/") { 2 } else { 1 };
        let length = match name.strip_prefix(b"refs/") {
            Some(_) => 0,
            None => memchr::memchr_iter(b'/', name).nth(slashes - 1).map_or(0, |at| at + 1),
        };
        // The HEAD of a work tree may name one of its own refs, such as `refs/bisect/bad`.
        let owner = &name[..length];
        let mut value = value;
        for _ in 0..=LONGEST_CHAIN {
            let next = match value {
                Value::Id(id) => return Ok(Some(*id)),
                Value::Symbolic(next) => next,
            };
            let own = [owner, next].concat();
            if let Some(problem) = self.broken.get(&own).or_else(|| self.broken.get(next)) {
                return Err(problem.clone());
            }
            match self.values.get(&own).or_else(|| self.values.get(next)) {
                Some(found) => value = found,
                None => return Ok(None),
            }
        }
        Err(RefFault::Loop.into())
    }

    /// Adds the ref of a file.
    fn insert(&mut self, name: Vec<u8>, file: &Path) {
        match read_value(file) {
            Ok(Some(value)) => {
                self.values.insert(name, value);
            }
            // It was deleted or packed meanwhile.
            Ok(None) => {}
            Err(fault) => {
                self.broken.insert(name, fault.into());
            }
        }
    }

    /// Adds the refs of all files below a folder; their names begin with `prefix`.
    fn insert_folder(&mut self, prefix: &[u8], folder: PathBuf) {
        let mut folders = vec![(prefix.to_vec(), folder)];
        while let Some((prefix, folder)) = folders.pop() {
            let files = match entries(&folder) {
                Ok(files) => files,
                Err(error) => {
                    self.broken.insert(prefix, RefFault::Read(words(&error)).into());
                    continue;
                }
            };
            for path in files {
                let last = path.file_name().unwrap_or_default().as_encoded_bytes();
                // As in git, these are never refs.
                if last.starts_with(b".") || last.ends_with(b".lock") {
                    continue;
                }
                let name = [prefix.as_slice(), b"/", last].concat();
                match path.symlink_metadata() {
                    Ok(metadata) if metadata.is_dir() => folders.push((name, path)),
                    Ok(_) => self.insert(name, &path),
                    Err(error) if absent(&error) => {}
                    Err(error) => {
                        self.broken.insert(name, RefFault::Read(error.to_string()).into());
                    }
                }
            }
        }
    }

    /// Adds the refs of `packed-refs` that no file overrides.
    fn insert_packed(&mut self, file: PathBuf) -> Result<(), RepoError> {
        let text = match regular::read(&file, Links::Follow, MAX_LISTED) {
            Ok(text) => text,
            Err(error) if absent(&error) => return Ok(()),
            Err(source) => return Err(RepoError::Read { path: file, source }),
        };
        for (number, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            // A `#` line lists features, a `^` line the peeled target of the tag before it.
            if line.is_empty() || line[0] == b'#' || line[0] == b'^' {
                continue;
            }
            let space = memchr::memchr(b' ', line);
            let parsed = space.and_then(|at| Some((id(&line[..at])?, line[at + 1..].to_vec())));
            match parsed {
                Some((id, name)) => {
                    self.values.entry(name).or_insert(Value::Id(id));
                }
                None => {
                    let fault = RefFault::PackedLine(number + 1);
                    self.broken.insert(b"packed-refs".to_vec(), fault.into());
                }
            }
        }
        Ok(())
    }
}

/// Reads all refs as they are stored.
fn stored(repository: &Repository) -> Result<Stored, RepoError> {
    let storage = repository.config.get("extensions.refstorage");
    let in_files = storage.is_none_or(|storage| storage == b"files");
    let mut stored = Stored::default();
    let mut others = Vec::new();
    for git_dir in entries(&repository.common_dir.join("worktrees"))? {
        if !git_dir.join("HEAD").is_file() {
            continue;
        }
        let last = git_dir.file_name().unwrap_or_default().as_encoded_bytes();
        others.push(([b"worktrees/".as_slice(), last, b"/"].concat(), git_dir.clone()));
    }
    if repository.git_dir != repository.common_dir && !repository.overrides.common_dir {
        others.push((b"main-worktree/".to_vec(), repository.common_dir.clone()));
    }
    if in_files {
        // Files first, so that a ref that is packed meanwhile is read twice rather than never.
        stored.insert_folder(b"refs", repository.common_dir.join("refs"));
        stored.insert(b"HEAD".to_vec(), &repository.git_dir.join("HEAD"));
        for (prefix, git_dir) in others {
            stored.insert([&prefix, b"HEAD".as_slice()].concat(), &git_dir.join("HEAD"));
            // The main work tree's own refs are among the shared refs.
            if git_dir != repository.common_dir {
                let prefix = [&prefix, b"refs".as_slice()].concat();
                stored.insert_folder(&prefix, git_dir.join("refs"));
            }
        }
        stored.insert_packed(repository.common_dir.join("packed-refs"))?;
    } else {
        let ask = |stored: &mut Stored, repository: &Repository, prefix: &[u8]| {
            for_each_ref(stored, repository, prefix).map_err(|program| RepoError::Neither {
                task: "list the refs",
                git_dir: repository.git_dir.clone(),
                program,
                library: LibraryError::Unsupported("this ref storage"),
            })
        };
        ask(&mut stored, repository, b"")?;
        for (prefix, git_dir) in others {
            let other = repository.with_git_dir(git_dir);
            ask(&mut stored, &other, &prefix)?;
        }
    }
    Ok(stored)
}

/// Reads the file of a ref; `None` if it does not exist.
fn read_value(file: &Path) -> Result<Option<Value>, RefFault> {
    // Old versions of git use symbolic links as symbolic refs.
    if let Ok(target) = std::fs::read_link(file)
        && target.starts_with("refs")
    {
        return Ok(Some(Value::Symbolic(target.as_os_str().as_encoded_bytes().to_vec())));
    }
    let text = match read_some(file) {
        Ok(text) => text,
        Err(RepoError::Read { source, .. }) if absent(&source) => {
            let link = file.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink());
            return if link { Err(RefFault::DanglingLink) } else { Ok(None) };
        }
        Err(error) => return Err(RefFault::Read(words(&error))),
    };
    if let Some(name) = text.strip_prefix(b"ref:") {
        return Ok(Some(Value::Symbolic(name.trim_ascii().to_vec())));
    }
    let word = text.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    id(word).map(|id| Some(Value::Id(id))).ok_or(RefFault::Content)
}

/// Formats an error together with its cause.
fn words(error: &RepoError) -> String {
    match error {
        RepoError::Read { source, .. } => format!("{error}: {source}"),
        other => other.to_string(),
    }
}

/// Lists HEAD and refs with `git`; with a `prefix`, only the own refs of a work tree.
fn for_each_ref(
    stored: &mut Stored,
    repository: &Repository,
    prefix: &[u8],
) -> Result<(), ProgramError> {
    let own = ["refs/bisect", "refs/worktree", "refs/rewritten"];
    let patterns = if prefix.is_empty() { &[][..] } else { &own[..] };
    let format = "--format=%(objectname) %(symref) %(refname)";
    let arguments: Vec<&str> =
        ["for-each-ref", format].into_iter().chain(patterns.iter().copied()).collect();
    let output = git_cli::run(repository, &arguments, b"")?;
    for line in output.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let mut words = line.splitn(3, |&byte| byte == b' ');
        let parsed = (|| {
            let (id, symbolic) = (id(words.next()?)?, words.next()?.to_vec());
            let value = if symbolic.is_empty() { Value::Id(id) } else { Value::Symbolic(symbolic) };
            Some((words.next()?, value))
        })();
        let (name, value) = parsed.ok_or_else(|| ProgramError::malformed("for-each-ref", line))?;
        stored.values.insert([prefix, name].concat(), value);
    }
    for line in output.stderr.split(|&byte| byte == b'\n') {
        for warning in
            [b"warning: ignoring broken ref ".as_slice(), b"warning: ignoring dangling symref "]
        {
            if let Some(name) = line.strip_prefix(warning) {
                stored.broken.insert([prefix, name].concat(), RefFault::Reported.into());
            }
        }
    }
    let head = [prefix, b"HEAD"].concat();
    let value = match git_cli::run(repository, &["symbolic-ref", "--quiet", "HEAD"], b"") {
        Ok(output) => Value::Symbolic(output.stdout.trim_ascii_end().to_vec()),
        Err(_) => {
            let output = git_cli::run(repository, &["rev-parse", "--verify", "HEAD"], b"")?;
            let text = output.stdout.trim_ascii_end();
            Value::Id(id(text).ok_or_else(|| ProgramError::malformed("rev-parse", text))?)
        }
    };
    stored.values.insert(head, value);
    Ok(())
}
