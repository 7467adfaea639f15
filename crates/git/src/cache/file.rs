//! The state file of the incremental cache.
//!
//! Input: a state file, and the results of this scan. Output: the new state file. It contains packs, loose
//! objects and locations, never a token nor text with a token. It is replaced atomically, and only
//! repositories that could be read completely are recorded. A state that is damaged, or was written by
//! another version or with other rules, is not used.

use crate::lfs::Pointer;
use crate::store::Store;
use ddpatrol_detect::redact::Redactor;
use ddpatrol_detect::rules::{Rule, RuleSet};
use ddpatrol_pack::{Kind, ObjectId, Pack};
use ddpatrol_scan::finding::{Fingerprint, HeldObject, Part, Span, Trace};
use ddpatrol_scan::lock::lock;
use ddpatrol_scan::place::Place;
use ddpatrol_scan::regular::{self, Links};
use ddpatrol_scan::sighting::TokenKey;
use ddpatrol_scan::{Code, Diagnostic, Issue, Run, Severity};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Size limit of a state file, in bytes.
const MAX_LEN: u64 = 1 << 30;

const SCHEMA: &str = "ddpatrol-state/8";

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

/// The state of one repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    /// The checksums of the packs that were read.
    pub(crate) packs: BTreeSet<String>,
    /// The loose objects that were read.
    pub(crate) loose: BTreeSet<String>,
    /// The Git LFS pointers among the objects: the digests and sizes of their objects.
    pub(crate) pointers: Vec<(String, u64)>,
    /// The tokens, and the objects that hold each.
    pub(crate) tokens: Vec<KnownToken>,
    /// A digest of the references and of the other input of attribution besides the objects.
    pub(crate) refs: String,
    /// The places of the tokens; `None` if a place cannot be written without a token.
    pub(crate) places: Option<Vec<KnownPlace>>,
    /// Opaque issues about missing objects: code and message.
    pub(crate) gaps: Vec<(Code, String)>,
    /// Issues in objects that were read, such as damaged archives.
    pub(crate) issues: BTreeSet<KnownIssue>,
    /// The places of the objects of these issues; `None` if one cannot be written without a secret.
    pub(crate) issue_places: Option<Vec<KnownPlace>>,
    /// The matches in objects that are shaped only.
    pub(crate) shaped: BTreeSet<KnownShaped>,
}

/// A match that is shaped only. It is only counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct KnownShaped {
    rule: usize,
    fingerprint: Fingerprint,
    /// The object with the smallest id among those that contain it.
    object: String,
}

impl KnownShaped {
    pub(crate) fn new(key: TokenKey, object: ObjectId) -> Self {
        let TokenKey { rule, fingerprint } = key;
        Self { rule, fingerprint, object: object.to_string() }
    }

    pub(crate) fn key(&self) -> TokenKey {
        TokenKey { rule: self.rule, fingerprint: self.fingerprint }
    }

    pub(crate) fn object(&self) -> Option<ObjectId> {
        self.object.parse().ok()
    }
}

/// A token, and the objects that hold it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownToken {
    /// The index of its rule among those that the state was written with.
    pub(crate) rule: usize,
    pub(crate) fingerprint: Fingerprint,
    /// Never empty.
    pub(crate) objects: Vec<KnownObject>,
}

impl KnownToken {
    /// Returns the key of the token.
    pub(crate) fn key(&self) -> TokenKey {
        TokenKey { rule: self.rule, fingerprint: self.fingerprint }
    }
}

/// An object that holds a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownObject {
    pub(crate) id: String,
    pub(crate) kind: String,
    /// The spans of the token in the object: offsets and lengths in bytes.
    pub(crate) spans: Vec<(u64, u64)>,
    /// Whether the object is an archive whose members hold the token.
    pub(crate) in_members: bool,
}

impl KnownObject {
    pub(crate) fn new(object: &HeldObject) -> Self {
        Self {
            id: object.id.to_string(),
            kind: object.kind.name().to_owned(),
            spans: object.spans.iter().map(|span| (span.offset, span.len)).collect(),
            in_members: object.is_in_members,
        }
    }

    pub(crate) fn read(&self) -> Option<HeldObject> {
        let (id, kind) = (self.id.parse().ok()?, Kind::from_name(self.kind.as_bytes())?);
        let spans = self.spans.iter().map(|&(offset, len)| Span { offset, len }).collect();
        Some(HeldObject { id, kind, spans, is_in_members: self.in_members })
    }
}

/// An issue about an object or a member of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct KnownIssue {
    /// The object.
    object: String,
    kind: String,
    /// The members of archives that lead to the place, the outermost first.
    members: Vec<String>,
    /// Whether the place is the decompressed content of a compressed file.
    is_content: bool,
    code: Code,
    message: String,
}

impl KnownIssue {
    /// Converts an issue; `None` if its text cannot be written to a state, or names no object.
    pub(crate) fn new(redactor: &Redactor, issue: &Diagnostic) -> Option<Self> {
        let synthetic = issue.git.as_ref().map(|object| &object.synthetic);
        let place = synthetic.or(issue.path.as_ref())?;
        let Place::Object(id, kind) = place.outermost() else { return None };
        let members = place.members().into_iter();
        let known = Self {
            object: id.to_string(),
            kind: kind.name().to_owned(),
            members: members.map(|it| it.to_str().map(str::to_owned)).collect::<Option<_>>()?,
            is_content: matches!(place, Place::Content(_)),
            code: issue.code(),
            message: issue.message(),
        };
        let path = place.path();
        let texts = [path.to_str()?, &*known.message];
        let is_clean = |text: &&str| redactor.clean(text.as_bytes()).as_bytes() == text.as_bytes();
        texts.iter().all(is_clean).then_some(known)
    }

    /// Returns the object that the issue is about.
    pub(crate) fn object(&self) -> Option<ObjectId> {
        self.object.parse().ok()
    }

    fn place(&self) -> Option<Place> {
        let object = Place::Object(self.object()?, Kind::from_name(self.kind.as_bytes())?);
        let place = self.members.iter().fold(object, |container, name| Place::Member {
            container: Arc::new(container),
            path: name.into(),
        });
        Some(if self.is_content { Place::Content(Arc::new(place)) } else { place })
    }

    /// Reports the issue again.
    pub(crate) fn report(&self, run: &Run) {
        run.add_diagnostic(self.diagnostic());
    }

    /// Returns the issue, without the places of its object.
    pub(crate) fn diagnostic(&self) -> Diagnostic {
        let (severity, code, message) = (Severity::Opaque, self.code, self.message.clone());
        let issue = Issue::Recorded { severity, code, message };
        Diagnostic::new(self.place(), Arc::new(issue))
    }
}

/// A place of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownPlace {
    /// The object that holds the token.
    pub(crate) object: String,
    pub(crate) kind: String,
    pub(crate) part: String,
    /// The tokens at the place, as indices of [`Known::tokens`].
    pub(crate) tokens: BTreeSet<usize>,
    /// The path, its bytes in hexadecimal.
    pub(crate) path: Option<String>,
    pub(crate) introduced: Option<String>,
    pub(crate) removed: Vec<String>,
    pub(crate) removed_total: usize,
    pub(crate) at_boundary: bool,
    pub(crate) in_head: bool,
    pub(crate) reachable: bool,
    pub(crate) refs: Vec<String>,
    pub(crate) refs_total: usize,
    pub(crate) date: i64,
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

impl Known {
    /// Returns `true` if a loose object that was read no longer exists, not even in a pack.
    pub(crate) fn lacks_loose(&self, store: &Store) -> bool {
        self.loose.iter().any(|id| id.parse().is_ok_and(|id: ObjectId| !store.has(&id)))
    }

    /// Returns `true` if every object that is stored with a shaped match still exists. Without one of
    /// them nothing is known about the match: other objects may contain it, or none.
    pub(crate) fn has_shaped(&self, store: &Store) -> bool {
        self.shaped.iter().all(|shaped| shaped.object().is_some_and(|id| store.has(&id)))
    }

    /// Returns `true` if all packs that were read still exist.
    pub(crate) fn has_packs(&self, store: &Store) -> bool {
        self.packs.is_subset(&pack_names(store))
    }

    /// Returns the Git LFS pointers among the objects.
    pub(crate) fn pointers(&self) -> impl Iterator<Item = Pointer> {
        self.pointers.iter().filter_map(|(oid, size)| Pointer::new(oid, *size))
    }

    /// Returns the objects that hold tokens.
    pub(crate) fn holders(&self) -> BTreeSet<ObjectId> {
        let objects = self.tokens.iter().flat_map(|token| &token.objects);
        objects.filter_map(|object| object.id.parse().ok()).collect()
    }
}

impl KnownPlace {
    /// Converts a place without its tokens; `None` if it cannot be written: it is in a name, a reference is
    /// not UTF-8, or the result would contain a secret.
    pub(crate) fn new(
        redactor: &Redactor,
        part: Part,
        path: Option<&[u8]>,
        trace: &Trace,
    ) -> Option<Self> {
        let is_clean = |bytes: &[u8]| redactor.clean(bytes).as_bytes() == bytes;
        let refs: Vec<String> = trace
            .refs
            .iter()
            .map(|name| String::from_utf8(name.clone()).ok().filter(|it| is_clean(it.as_bytes())))
            .collect::<Option<_>>()?;
        // A name that contains a token cannot be written.
        if part == Part::Name || !path.is_none_or(is_clean) {
            return None;
        }
        Some(Self {
            object: trace.object.to_string(),
            kind: trace.kind.name().to_owned(),
            part: part.name().to_owned(),
            tokens: BTreeSet::new(),
            path: path.map(hex::encode),
            introduced: trace.introduced.as_ref().map(|commit| commit.id.to_string()),
            removed: trace.removed.first.iter().map(|commit| commit.id.to_string()).collect(),
            removed_total: trace.removed.total,
            at_boundary: trace.at_boundary,
            in_head: trace.in_head,
            reachable: trace.reachable,
            refs,
            refs_total: trace.refs_total,
            date: trace.date,
        })
    }

    /// Decodes the path.
    pub(crate) fn path(&self) -> Option<Option<Vec<u8>>> {
        let Some(path) = &self.path else { return Some(None) };
        hex::decode(path).ok().map(Some)
    }

    /// Returns `true` if the place is in this part.
    pub(crate) fn is_part(&self, part: Part) -> bool {
        self.part == part.name()
    }

    pub(crate) fn part(&self) -> Option<Part> {
        [Part::Content, Part::Commit, Part::Tag].into_iter().find(|part| part.name() == self.part)
    }

    pub(crate) fn object(&self) -> Option<(ObjectId, Kind)> {
        Some((self.object.parse().ok()?, Kind::from_name(self.kind.as_bytes())?))
    }
}

/// Returns the name of a repository in a state: a digest, since its path may be confidential.
fn name(repository: &Path) -> String {
    hex::encode(Sha256::digest(repository.as_os_str().as_encoded_bytes()))
}

/// Returns the name of a pack in a state: its checksum, as its index has it, and its length.
pub(crate) fn pack_name(pack: &Pack) -> String {
    format!("{}-{}", hex::encode(pack.index().pack_checksum()), pack.len())
}

/// Returns the names of all packs of a store.
pub(super) fn pack_names(store: &Store) -> BTreeSet<String> {
    store.packs().iter().map(|pack| pack_name(pack)).collect()
}

fn digest_of(rules: &RuleSet, settings: &str) -> String {
    let mut digest = Sha256::new();
    digest.update(format!("{SCHEMA} {} {settings}", env!("CARGO_PKG_VERSION")));
    for rule in rules.rules() {
        let Rule { id, provable, weak, format, .. } = rule;
        digest.update(format!("\0{id} {provable} {weak} {format:?}"));
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
