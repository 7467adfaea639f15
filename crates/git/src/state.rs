//! What earlier scans have read, so that the next reads only what is new.
//!
//! A state names packs, loose objects and places, never a token, and no text in which one stands. It
//! is written whole or not at all, and only for repositories of which everything could be read. A
//! state of other rules, of another version or that is damaged is not used.

use ddpatrol_detect::redact::Redactor;
use ddpatrol_detect::rules::RuleSet;
use ddpatrol_pack::{Kind, ObjectId, Pack};
use ddpatrol_scan::finding::{Fingerprint, HeldObject, Part, Span, Trace};
use ddpatrol_scan::lock::lock;
use ddpatrol_scan::regular::{self, Links};
use ddpatrol_scan::sighting::TokenKey;
use ddpatrol_scan::{Code, Diagnostic, Issue, Run, Severity};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Size limit of a state file, in bytes.
const MAX_LEN: u64 = 1 << 30;

const SCHEMA: &str = "ddpatrol-state/5";

/// The state of all repositories that a state file knows, and that of this scan.
#[derive(Debug)]
pub struct State {
    path: PathBuf,
    rules: String,
    old: BTreeMap<String, Known>,
    new: Mutex<BTreeMap<String, Known>>,
    /// Why the file could not be written during the scan.
    failure: Mutex<Option<io::Error>>,
}

/// A state file as it is written.
#[derive(Debug, Serialize, Deserialize)]
struct File {
    schema: String,
    /// A digest of the rules, and of how this program applies them.
    rules: String,
    repositories: BTreeMap<String, Known>,
    /// A digest of the repositories.
    checksum: String,
}

/// What is known of one repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    /// The checksums of the packs that were read.
    pub(super) packs: BTreeSet<String>,
    /// The loose objects that were read.
    pub(super) loose: BTreeSet<String>,
    /// The tokens, and the objects that hold each.
    pub(super) tokens: Vec<KnownToken>,
    /// A digest of the references and of what else places depend on.
    pub(super) refs: String,
    /// The places of the tokens; none if a place cannot be written without telling a token.
    pub(super) places: Option<Vec<KnownPlace>>,
    /// What is not in the repository and cannot be.
    pub(super) gaps: Vec<(Code, String)>,
    /// What could not be scanned in objects that were read: a damaged archive, say.
    pub(super) issues: BTreeSet<KnownIssue>,
    /// How many look-alikes there are.
    pub(super) shaped: u64,
}

/// A token, and the objects that hold it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KnownToken {
    /// The index of its rule among those that the state was written with.
    pub(super) rule: usize,
    pub(super) fingerprint: Fingerprint,
    /// Never empty.
    pub(super) objects: Vec<KnownObject>,
}

impl KnownToken {
    /// Returns the key of the token.
    pub(super) fn key(&self) -> TokenKey {
        TokenKey { rule: self.rule, fingerprint: self.fingerprint }
    }
}

/// An object that holds a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KnownObject {
    pub(super) id: String,
    pub(super) kind: String,
    /// Where the token is in the object: offsets and lengths in bytes.
    pub(super) spans: Vec<(u64, u64)>,
    /// Whether members of the archive that the object is hold the token.
    pub(super) in_members: bool,
}

impl KnownObject {
    pub(super) fn new(object: &HeldObject) -> Self {
        Self {
            id: object.id.to_string(),
            kind: object.kind.name().to_owned(),
            spans: object.spans.iter().map(|span| (span.offset, span.len)).collect(),
            in_members: object.is_in_members,
        }
    }

    pub(super) fn read(&self) -> Option<HeldObject> {
        let (id, kind) = (self.id.parse().ok()?, Kind::from_name(self.kind.as_bytes())?);
        let spans = self.spans.iter().map(|&(offset, len)| Span { offset, len }).collect();
        Some(HeldObject { id, kind, spans, is_in_members: self.in_members })
    }
}

/// Something in an object that could not be scanned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct KnownIssue {
    /// The synthetic path of the object or of a member of it: `git/blob/ID!/a.zip`.
    path: String,
    code: Code,
    message: String,
}

impl KnownIssue {
    /// Takes down an issue; `None` if its text cannot be written to a state, or names no object.
    pub(super) fn new(redactor: &Redactor, issue: &Diagnostic) -> Option<Self> {
        let path = issue.path.as_ref()?.to_str()?.to_owned();
        let known = Self { path, code: issue.code(), message: issue.message() };
        let texts = [&known.path, &known.message];
        let is_clean =
            |text: &&String| redactor.clean(text.as_bytes()).as_bytes() == text.as_bytes();
        (known.object().is_some() && texts.iter().all(is_clean)).then_some(known)
    }

    /// Returns the object that the issue is about.
    pub(super) fn object(&self) -> Option<ObjectId> {
        let id = self.path.strip_prefix("git/")?.split_once('/')?.1;
        id.split('!').next()?.parse().ok()
    }

    /// Reports the issue again.
    pub(super) fn report(&self, run: &Run) {
        let (severity, code, message) = (Severity::Opaque, self.code, self.message.clone());
        run.report(Issue::Recorded { severity, code, message }, Some(PathBuf::from(&self.path)));
    }
}

/// A place of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KnownPlace {
    /// The object that holds the token.
    pub(super) object: String,
    pub(super) kind: String,
    pub(super) part: String,
    /// The tokens at the place, as indices of [`Known::tokens`].
    pub(super) tokens: BTreeSet<usize>,
    /// The path, its bytes in hexadecimal.
    pub(super) path: Option<String>,
    pub(super) introduced: Option<String>,
    pub(super) removed: Vec<String>,
    pub(super) removed_total: usize,
    pub(super) at_boundary: bool,
    pub(super) in_head: bool,
    pub(super) reachable: bool,
    pub(super) refs: Vec<String>,
    pub(super) refs_total: usize,
    pub(super) date: i64,
}

impl State {
    /// Opens a state file; one that does not exist is empty. The second value says why an existing
    /// one is not used.
    ///
    /// # Errors
    /// What reading an existing file fails with, and one that is no state.
    pub fn open(
        path: PathBuf,
        rules: &RuleSet,
        settings: &str,
    ) -> io::Result<(Self, Option<&'static str>)> {
        let rules = digest_of(rules, settings);
        let (old, why) = match regular::read(&path, Links::Refuse, MAX_LEN) {
            // An empty one is what `mktemp` makes.
            Ok(text) if !text.is_empty() && !is_ours(&text) => {
                let what = "it is a file of another kind: name another, or remove it";
                return Err(io::Error::other(what));
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

    /// Ends the scan: writes the state if no repository did so.
    ///
    /// # Errors
    /// The first failure to write the file, now or during the scan.
    pub fn finish(&self) -> io::Result<()> {
        let failure = lock(&self.failure).take();
        failure.map_or_else(|| self.save(), Err)
    }

    /// Replaces the file, whole or not at all. What it says of repositories that this scan has not
    /// read stays.
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

    pub(super) fn known(&self, repository: &Path) -> Option<&Known> {
        self.old.get(&name(repository))
    }

    /// Remembers what was read of a repository.
    pub(super) fn remember(&self, repository: &Path, known: Known) {
        let mut new = lock(&self.new);
        new.insert(name(repository), known);
        drop(new);
        // A scan that is killed goes on behind this repository the next time.
        if let Err(error) = self.save() {
            let mut failure = lock(&self.failure);
            failure.get_or_insert(error);
        }
    }

    /// Tells whether the old state is still all there is.
    pub(super) fn forget(&self, repository: &Path) {
        let empty = Known::default();
        if self.old.contains_key(&name(repository)) {
            self.remember(repository, empty);
        }
    }
}

impl Known {
    /// Lists the objects that hold tokens.
    pub(super) fn holders(&self) -> BTreeSet<ObjectId> {
        let objects = self.tokens.iter().flat_map(|token| &token.objects);
        objects.filter_map(|object| object.id.parse().ok()).collect()
    }
}

impl KnownPlace {
    /// Converts a place without its tokens; `None` if the result would contain a secret.
    pub(super) fn new(
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
        // A name that holds a token cannot be written.
        if part == Part::Name || !path.is_none_or(is_clean) {
            return None;
        }
        Some(Self {
            object: trace.object.to_string(),
            kind: trace.kind.name().to_owned(),
            part: part.name().to_owned(),
            tokens: BTreeSet::new(),
            path: path.map(|path| path.iter().map(|byte| format!("{byte:02x}")).collect()),
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

    /// Reads the path's bytes.
    pub(super) fn path(&self) -> Option<Option<Vec<u8>>> {
        let Some(hex) = &self.path else { return Some(None) };
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let pair = |pair: &[u8]| Some((digit(pair[0])? << 4 | digit(*pair.get(1)?)?) as u8);
        hex.as_bytes().chunks(2).map(pair).collect::<Option<Vec<u8>>>().map(Some)
    }

    /// Returns `true` if the place is in this part.
    pub(super) fn is_part(&self, part: Part) -> bool {
        self.part == part.name()
    }

    pub(super) fn part(&self) -> Option<Part> {
        [Part::Content, Part::Commit, Part::Tag].into_iter().find(|part| part.name() == self.part)
    }

    pub(super) fn object(&self) -> Option<(ObjectId, Kind)> {
        Some((self.object.parse().ok()?, Kind::from_name(self.kind.as_bytes())?))
    }
}

/// The name of a repository in a state: a digest, since its path may tell something.
fn name(repository: &Path) -> String {
    hex(&Sha256::digest(repository.as_os_str().as_encoded_bytes()))
}

/// The name of a pack in a state: its checksum, which its index repeats.
pub(super) fn pack_name(pack: &Pack) -> String {
    format!("{}-{}", hex(pack.index().pack_checksum()), pack.len())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn digest_of(rules: &RuleSet, settings: &str) -> String {
    let mut digest = Sha256::new();
    digest.update(format!("{SCHEMA} {} {settings}", env!("CARGO_PKG_VERSION")));
    for rule in rules.rules() {
        digest.update(format!("\0{} {} {:?}", rule.id, rule.provable, rule.format));
    }
    hex(&digest.finalize())
}

fn checksum(repositories: &BTreeMap<String, Known>) -> String {
    // Maps and sets are sorted, so that equal states are spelled alike.
    hex(&Sha256::digest(serde_json::to_vec(repositories).unwrap_or_default()))
}

/// Tells whether a file is a state, if perhaps a damaged one: it is overwritten.
fn is_ours(text: &[u8]) -> bool {
    memchr::memmem::find(&text[..text.len().min(100)], b"ddpatrol-state/").is_some()
}

fn parse(text: &[u8], rules: &str) -> Result<BTreeMap<String, Known>, &'static str> {
    let file: File = serde_json::from_slice(text).map_err(|_| "it is damaged")?;
    if file.schema != SCHEMA {
        return Err("it is of another version");
    }
    if checksum(&file.repositories) != file.checksum {
        return Err("it is damaged");
    }
    if file.rules != rules {
        return Err("it was made with other rules or options");
    }
    Ok(file.repositories)
}
