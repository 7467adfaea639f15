//! The state file of the incremental cache.
//!
//! Input: a state file, and the results of this scan. Output: the new state file. It contains packs, loose
//! objects and locations, never a token nor text with a token. It is replaced atomically, and only
//! repositories that could be read completely are recorded. A state that is damaged, or was written by
//! another version or with other rules, is not used.

use super::known::Known;
use ddpatrol_detect::rules::{Rule, RuleSet};
use ddpatrol_scan::lock::lock;
use ddpatrol_scan::regular::{self, Links};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Size limit of a state file, in bytes.
const MAX_LEN: u64 = 1 << 30;

const SCHEMA: &str = "ddpatrol-state/10";

/// The repositories of a state file, and those of this scan.
#[derive(Debug)]
pub struct State {
    path: PathBuf,
    rules: String,
    old: BTreeMap<String, Known>,
    new: Mutex<BTreeMap<String, Known>>,
    /// The first error from writing the file during the scan.
    failure: Mutex<Option<io::Error>>,
}

/// The content of a state file.
#[derive(Debug, Serialize, Deserialize)]
struct File {
    schema: String,
    /// A digest of the rules and of the settings that affect them.
    rules: String,
    repositories: BTreeMap<String, Known>,
    /// A digest of the repositories.
    checksum: String,
}

impl State {
    /// Opens a state file. A missing file counts as empty. The second value is the reason why an
    /// existing state is not used.
    ///
    /// # Errors
    /// Fails if the file cannot be read, or is not a state file.
    pub fn open(
        path: PathBuf,
        rules: &RuleSet,
        settings: &str,
    ) -> io::Result<(Self, Option<&'static str>)> {
        let rules = digest_of(rules, settings);
        let (old, why) = match regular::read(&path, Links::Refuse, MAX_LEN) {
            // `mktemp` creates an empty file.
            Ok(text) if !text.is_empty() && !is_ours(&text) => {
                let message = "not a state file of ddpatrol: name another file, or remove it";
                return Err(io::Error::other(message));
            }
            Ok(text) => match parse(&text, &rules) {
                Ok(old) => (old, None),
                Err(why) => (BTreeMap::new(), Some(why)),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => (BTreeMap::new(), None),
            Err(error) => return Err(error),
        };
        let (new, failure) = (Mutex::default(), Mutex::default());
        Ok((Self { path, rules, old, new, failure }, why))
    }

    /// Finishes the scan: writes the state, unless writing it failed before.
    ///
    /// # Errors
    /// Returns the first error from writing the file, now or during the scan.
    pub fn finish(&self) -> io::Result<()> {
        let failure = lock(&self.failure).take();
        failure.map_or_else(|| self.save(), Err)
    }

    /// Replaces the file atomically. Repositories that this scan has not read keep their state.
    fn save(&self) -> io::Result<()> {
        let mut repositories = self.old.clone();
        let new = lock(&self.new);
        repositories.extend(new.iter().map(|(name, known)| (name.clone(), known.clone())));
        let checksum = checksum(&repositories);
        let schema = SCHEMA.to_owned();
        let file = File { schema, rules: self.rules.clone(), repositories, checksum };
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut out = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        serde_json::to_writer(&mut out, &file)?;
        out.flush()?;
        out.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }

    pub(crate) fn known(&self, repository: &Path) -> Option<&Known> {
        self.old.get(&name(repository))
    }

    /// Stores the state of a repository, and writes the file.
    pub(crate) fn remember(&self, repository: &Path, known: Known) {
        let mut new = lock(&self.new);
        new.insert(name(repository), known);
        drop(new);
        // The next scan resumes after this repository if this one is killed.
        if let Err(error) = self.save() {
            let mut failure = lock(&self.failure);
            failure.get_or_insert(error);
        }
    }

    /// Replaces the old state of a repository, if there is one, by an empty one.
    pub(crate) fn forget(&self, repository: &Path) {
        let empty = Known::default();
        if self.old.contains_key(&name(repository)) {
            self.remember(repository, empty);
        }
    }
}

/// Returns the name of a repository in a state: a digest, since its path may be confidential.
fn name(repository: &Path) -> String {
    hex::encode(Sha256::digest(repository.as_os_str().as_encoded_bytes()))
}

fn digest_of(rules: &RuleSet, settings: &str) -> String {
    let mut digest = Sha256::new();
    digest.update(format!("{SCHEMA} {} {settings}", env!("CARGO_PKG_VERSION")));
    for rule in rules.rules() {
        let Rule { id, provable, weak, format, verifier, .. } = rule;
        digest.update(format!("\0{id} {provable} {weak} {format:?} {verifier:?}"));
    }
    hex::encode(digest.finalize())
}

fn checksum(repositories: &BTreeMap<String, Known>) -> String {
    // Maps and sets are sorted, so that equal states have the same encoding.
    hex::encode(Sha256::digest(serde_json::to_vec(repositories).unwrap_or_default()))
}

/// Returns `true` if a file is a state, even a damaged one: it may be overwritten.
fn is_ours(text: &[u8]) -> bool {
    memchr::memmem::find(&text[..text.len().min(100)], b"ddpatrol-state/").is_some()
}

fn parse(text: &[u8], rules: &str) -> Result<BTreeMap<String, Known>, &'static str> {
    let file: File = serde_json::from_slice(text).map_err(|_| "it is corrupt")?;
    if file.schema != SCHEMA {
        return Err("another version of ddpatrol wrote it");
    }
    if checksum(&file.repositories) != file.checksum {
        return Err("it is corrupt");
    }
    if file.rules != rules {
        return Err("it was written with other rules or options");
    }
    Ok(file.repositories)
}
