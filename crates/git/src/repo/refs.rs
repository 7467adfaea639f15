//! Refs: what they are called, what they point to, which of them are broken.
//!
//! Refs in files are read here, because libgit2 passes over broken ones in silence and `git` stops
//! or warns; other storage is left to `git for-each-ref`. What a ref's object is comes from libgit2
//! or, where that does not know it, from `git cat-file`. Reflogs are not refs, nor are `FETCH_HEAD`
//! and its like.

use super::error::{LibraryError, ProgramError, RepoError};
use super::files::{MAX_LISTED, absent, entries, read_some};
use super::ids::id;
use super::peel::peel;
use super::program;
use super::repository::Repository;
use ddpatrol_pack::ObjectId;
use ddpatrol_scan::regular::{self, Links};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// As git: a chain of symbolic refs longer than this is a loop.
const LONGEST_CHAIN: usize = 5;

/// What a repository's refs point to.
#[derive(Clone, Debug, Default)]
pub struct Refs {
    /// The commit that the work tree's HEAD points to; `None` before the first commit, or if HEAD
    /// is among the broken.
    pub head: Option<ObjectId>,
    /// All refs below `refs/`, and HEAD and own refs of other work trees as
    /// `worktrees/NAME/HEAD` and `main-worktree/HEAD`. Sorted by name; without HEAD itself.
    pub list: Vec<Ref>,
    /// What could not be followed to an object that exists. Sorted by name.
    pub broken: Vec<BrokenRef>,
}

/// A ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ref {
    /// Its full name.
    pub name: Vec<u8>,
    /// The object it points to, through symbolic refs but not through tags.
    pub target: ObjectId,
    /// The commit it stands for: itself, or what its tags lead to. `None` for a tree or a blob.
    pub commit: Option<ObjectId>,
}

/// The objects that refs point to, which need not exist.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    /// The commit that the work tree's HEAD points to; `None` before the first commit.
    pub head: Option<ObjectId>,
    /// Names and objects of all other refs, as in [`Refs::list`]. Sorted by name.
    pub list: Vec<(Vec<u8>, ObjectId)>,
}

/// A ref that leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenRef {
    /// Its full name.
    pub name: Vec<u8>,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a ref.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It is symbolic, and what it names does not exist: no object is lost by that.
    #[error("it points to the ref {:?}, which does not exist", String::from_utf8_lossy(.0))]
    Dangling(Vec<u8>),
    /// Its object is missing, or cannot be read.
    #[error("its object {target} is missing or cannot be read: {words}")]
    Missing {
        /// The id of the object.
        target: ObjectId,
        /// Why.
        words: String,
    },
    /// It holds neither an id nor the name of a ref, or cannot be read.
    #[error("{0}")]
    Unreadable(String),
}

/// What a ref holds.
#[derive(Clone, Debug)]
enum Value {
    Id(ObjectId),
    Symbolic(Vec<u8>),
}

/// Names and values as they are stored.
#[derive(Debug, Default)]
struct Stored {
    values: BTreeMap<Vec<u8>, Value>,
    broken: BTreeMap<Vec<u8>, Problem>,
}

impl Repository {
    /// Lists what its refs point to.
    ///
    /// # Errors
    /// The refs cannot be listed. A single ref that is broken is in [`Refs::broken`].
    pub fn refs(&self) -> Result<Refs, RepoError> {
        let mut stored = stored(self)?;
        let mut targets = BTreeMap::new();
        for (name, value) in &stored.values {
            match stored.follow(name, value) {
                Ok(Some(target)) => {
                    targets.insert(name.clone(), target);
                }
                // A HEAD without a commit yet is as it should be.
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
                Err(words) => {
                    let words = words.clone();
                    stored.broken.entry(name).or_insert(Problem::Missing { target, words });
                }
            }
        }
        let broken = stored.broken.into_iter();
        refs.broken = broken.map(|(name, problem)| BrokenRef { name, problem }).collect();
        Ok(refs)
    }

    /// Lists what its refs point to, without looking at the objects: a tag is not followed, and a
    /// missing object is not noticed. Much cheaper than [`Repository::refs`].
    ///
    /// # Errors
    /// The refs cannot be listed.
    pub fn targets(&self) -> Result<Targets, RepoError> {
        let stored = stored(self)?;
        let mut targets = Targets::default();
        for (name, value) in &stored.values {
            match stored.follow(name, value) {
                Ok(Some(target)) if name == b"HEAD" => targets.head = Some(target),
                Ok(Some(target)) => targets.list.push((name.clone(), target)),
                // What leads nowhere holds nothing.
                Ok(None) | Err(_) => {}
            }
        }
        Ok(targets)
    }
}

/// Returns `true` if HEAD names a branch that has no commit yet.
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
        // What a work tree's HEAD names may be the work tree's own, such as `refs/bisect/bad`.
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
        Err(Problem::Unreadable("it points to itself through other refs".to_owned()))
    }

    /// Takes what one ref's file holds.
    fn insert(&mut self, name: Vec<u8>, file: &Path) {
        match read_value(file) {
            Ok(Some(value)) => {
                self.values.insert(name, value);
            }
            // It went away meanwhile: deleted, or packed.
            Ok(None) => {}
            Err(words) => {
                self.broken.insert(name, Problem::Unreadable(words));
            }
        }
    }

    /// Takes all files below a folder, named after it with `prefix` before.
    fn insert_folder(&mut self, prefix: &[u8], folder: PathBuf) {
        let mut folders = vec![(prefix.to_vec(), folder)];
        while let Some((prefix, folder)) = folders.pop() {
            let files = match entries(&folder) {
                Ok(files) => files,
                Err(error) => {
                    self.broken.insert(prefix, Problem::Unreadable(words(&error)));
                    continue;
                }
            };
            for path in files {
                let last = path.file_name().unwrap_or_default().as_encoded_bytes();
                // As git: these are never refs.
                if last.starts_with(b".") || last.ends_with(b".lock") {
                    continue;
                }
                let name = [prefix.as_slice(), b"/", last].concat();
                match path.symlink_metadata() {
                    Ok(metadata) if metadata.is_dir() => folders.push((name, path)),
                    Ok(_) => self.insert(name, &path),
                    Err(error) if absent(&error) => {}
                    Err(error) => {
                        self.broken.insert(name, Problem::Unreadable(error.to_string()));
                    }
                }
            }
        }
    }

    /// Takes what `packed-refs` has and no file overrides.
    fn insert_packed(&mut self, file: PathBuf) -> Result<(), RepoError> {
        let text = match regular::read(&file, Links::Follow, MAX_LISTED) {
            Ok(text) => text,
            Err(error) if absent(&error) => return Ok(()),
            Err(source) => return Err(RepoError::Read { path: file, source }),
        };
        for (number, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            // `#` tells features, `^` what the tag before it leads to.
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
                    let words = format!("line {} of it is no ref", number + 1);
                    self.broken.insert(b"packed-refs".to_vec(), Problem::Unreadable(words));
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
        // Files first: a ref that is packed meanwhile is then seen twice rather than never.
        stored.insert_folder(b"refs", repository.common_dir.join("refs"));
        stored.insert(b"HEAD".to_vec(), &repository.git_dir.join("HEAD"));
        for (prefix, git_dir) in others {
            stored.insert([&prefix, b"HEAD".as_slice()].concat(), &git_dir.join("HEAD"));
            // The main work tree's own refs are among the shared ones already.
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

/// Reads the file of one ref; `None` if there is none.
fn read_value(file: &Path) -> Result<Option<Value>, String> {
    // Before there were symbolic refs there were symbolic links.
    if let Ok(target) = std::fs::read_link(file)
        && target.starts_with("refs")
    {
        return Ok(Some(Value::Symbolic(target.as_os_str().as_encoded_bytes().to_vec())));
    }
    let text = match read_some(file) {
        Ok(text) => text,
        Err(RepoError::Read { source, .. }) if absent(&source) => {
            let link = file.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink());
            let nothing = "it is a symbolic link to nothing".to_owned();
            return if link { Err(nothing) } else { Ok(None) };
        }
        Err(error) => return Err(words(&error)),
    };
    if let Some(name) = text.strip_prefix(b"ref:") {
        return Ok(Some(Value::Symbolic(name.trim_ascii().to_vec())));
    }
    let word = text.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    let value = id(word).map(Value::Id);
    value.map(Some).ok_or_else(|| "it holds neither an id nor the name of a ref".to_owned())
}

/// Spells an error together with its cause.
fn words(error: &RepoError) -> String {
    match error {
        RepoError::Read { source, .. } => format!("{error}: {source}"),
        other => other.to_string(),
    }
}

/// Asks `git` for HEAD and refs; with a `prefix`, only for what is a work tree's own.
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
    let output = program::run(repository, &arguments, b"")?;
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
        let message = "it is broken or points to a ref that does not exist";
        for warning in
            [b"warning: ignoring broken ref ".as_slice(), b"warning: ignoring dangling symref "]
        {
            if let Some(name) = line.strip_prefix(warning) {
                let problem = Problem::Unreadable(message.to_owned());
                stored.broken.insert([prefix, name].concat(), problem);
            }
        }
    }
    let head = [prefix, b"HEAD"].concat();
    let value = match program::run(repository, &["symbolic-ref", "--quiet", "HEAD"], b"") {
        Ok(output) => Value::Symbolic(output.stdout.trim_ascii_end().to_vec()),
        Err(_) => {
            let output = program::run(repository, &["rev-parse", "--verify", "HEAD"], b"")?;
            let text = output.stdout.trim_ascii_end();
            Value::Id(id(text).ok_or_else(|| ProgramError::malformed("rev-parse", text))?)
        }
    };
    stored.values.insert(head, value);
    Ok(())
}
