//! Packs that git itself writes and reads.

use crate::random::Random;
use ddpatrol_pack::{HashKind, Kind, ObjectId, Pack};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};
use std::sync::Arc;

/// Objects by id.
pub(crate) type Objects = BTreeMap<ObjectId, (Kind, Vec<u8>)>;

/// A bare repository whose objects and packs are read.
pub(crate) struct Repo {
    git: ddpatrol_test_repo::Repo,
    pub(crate) hash: HashKind,
}

/// The parameters of a history.
#[derive(Clone, Copy)]
pub(crate) struct History {
    pub(crate) files: usize,
    pub(crate) versions: usize,
    pub(crate) lines: usize,
    pub(crate) seed: u64,
}

impl History {
    /// Returns the input of `git fast-import`: every version edits one file, every tenth is tagged.
    fn stream(self) -> Vec<u8> {
        const WHO: &str = "Test <test@example.com> 1700000000 +0000";
        let mut random = Random(self.seed);
        let mut files: Vec<Vec<Vec<u8>>> =
            (0..self.files).map(|_| (0..self.lines).map(|_| random.line()).collect()).collect();
        let mut out = Vec::new();
        let mut add = |bytes: &[u8]| out.extend_from_slice(bytes);
        for version in 1..=self.versions {
            let message = format!("version {version}\n\n{}", "a line of its own\n".repeat(8));
            add(format!("commit refs/heads/main\nmark :{version}\ncommitter {WHO}\n").as_bytes());
            add(format!("data {}\n{message}\n", message.len()).as_bytes());
            if version == 1 {
                add(b"M 100644 inline empty\ndata 0\n\n");
            }
            let all = 0..files.len();
            let one = random.below(files.len());
            for at in if version == 1 { all } else { one..one + 1 } {
                random.edit(&mut files[at]);
                let text = files[at].concat();
                let data = text.len();
                add(format!("M 100644 inline dir/{}/f{at}.txt\ndata {data}\n", at % 3).as_bytes());
                add(&text);
                add(b"\n");
            }
            if version % 10 == 0 {
                add(format!("tag t{version}\nfrom :{version}\ntagger {WHO}\n").as_bytes());
                add(b"data 4\ntag\n\n");
            }
        }
        out
    }
}

impl Repo {
    pub(crate) fn init(hash: HashKind) -> Self {
        let format = match hash {
            HashKind::Sha1 => "--object-format=sha1",
            HashKind::Sha256 => "--object-format=sha256",
        };
        Self { git: ddpatrol_test_repo::Repo::init(&["--bare", format]), hash }
    }

    /// Creates a history in one pack; `config` and `options` are those of `git repack -adf`.
    pub(crate) fn packed(
        hash: HashKind,
        history: History,
        config: &[&str],
        options: &[&str],
    ) -> Self {
        let repo = Self::init(hash);
        repo.run(&["fast-import", "--quiet"], &history.stream());
        let config = config.iter().flat_map(|&value| ["-c", value]);
        let args = config.chain(["repack", "-q", "-adf"]).chain(options.iter().copied());
        repo.run(&args.collect::<Vec<_>>(), b"");
        repo
    }

    /// Creates blobs of one name in one pack; `options` are those of `git pack-objects`.
    pub(crate) fn of_blobs(
        blobs: &mut dyn Iterator<Item = Vec<u8>>,
        options: &[&str],
        hash: HashKind,
    ) -> Self {
        let loose = Self::init(hash);
        let marks = loose.path().join("marks");
        loose.import(blobs, &["--depth=0", &format!("--export-marks={}", marks.display())]);
        let marks = std::fs::read_to_string(marks).expect("marks");
        let mut ids: Vec<&str> = marks.lines().filter_map(|line| line.split(' ').nth(1)).collect();
        ids.sort_unstable();
        ids.dedup();
        let names: String = ids.iter().map(|id| format!("{id} name\n")).collect();
        let repo = Self::init(hash);
        let prefix = repo.path().join("objects/pack/pack").display().to_string();
        let mut args = vec!["pack-objects", "-q", "--no-reuse-delta"];
        args.extend(options);
        args.push(&prefix);
        loose.run(&args, names.as_bytes());
        repo
    }

    /// Creates blobs in one pack, each a delta on the previous one.
    pub(crate) fn of_chain(blobs: &mut dyn Iterator<Item = Vec<u8>>, depth: usize) -> Self {
        let repo = Self::init(HashKind::Sha1);
        repo.import(blobs, &[&format!("--depth={depth}")]);
        repo
    }

    fn import(&self, blobs: &mut dyn Iterator<Item = Vec<u8>>, options: &[&str]) {
        let mut stream = Vec::new();
        for (at, blob) in blobs.enumerate() {
            stream.extend(format!("blob\nmark :{}\ndata {}\n", at + 1, blob.len()).as_bytes());
            stream.extend(blob);
            stream.push(b'\n');
        }
        let args = ["-c", "fastimport.unpackLimit=0", "fast-import", "--quiet"];
        self.run(&[&args, options].concat(), &stream);
    }

    pub(crate) fn path(&self) -> &Path {
        self.git.path()
    }

    pub(crate) fn run(&self, args: &[&str], input: &[u8]) -> Vec<u8> {
        self.git.git_bytes(args, input)
    }

    /// Returns the path of the only pack.
    pub(crate) fn pack(&self) -> PathBuf {
        let packs = self.git.packs(".pack");
        let [pack] = &packs[..] else { panic!("one pack: {packs:?}") };
        pack.clone()
    }

    pub(crate) fn open(&self) -> Arc<Pack> {
        Arc::new(Pack::open(&self.pack(), self.hash).expect("git's own pack opens"))
    }

    /// Returns all objects as git reads them.
    pub(crate) fn objects(&self) -> Objects {
        let output = self.run(&["cat-file", "--batch-all-objects", "--batch"], b"");
        let mut reader = &output[..];
        let mut objects = Objects::new();
        while let Some((id, object)) = answer(&mut reader) {
            objects.insert(id, object.expect("git has all"));
        }
        objects
    }

    /// Returns the delta base of each delta, and the length of the longest chain.
    pub(crate) fn bases(&self) -> (BTreeMap<ObjectId, ObjectId>, usize) {
        let pack = self.pack().display().to_string();
        let output = String::from_utf8(self.run(&["verify-pack", "-v", &pack], b"")).expect("text");
        let mut depth = 0;
        let fields = output.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let deltas = fields.filter(|line| line.len() == 7 && line[0].len() == 2 * self.hash.len());
        let bases = deltas.map(|line| {
            depth = depth.max(line[5].parse().expect("a depth"));
            (line[0].parse().expect("an id"), line[6].parse().expect("an id"))
        });
        (bases.collect(), depth)
    }

    /// Reads objects with git, one by one, without those that git cannot read.
    pub(crate) fn readable(&self, ids: &[ObjectId]) -> Objects {
        let mut objects = Objects::new();
        let mut batch = None;
        for id in ids {
            let asked = batch.get_or_insert_with(|| Batch::new(self)).ask(*id);
            match asked {
                Some((_, Some(object))) => drop(objects.insert(*id, object)),
                Some((_, None)) => {}
                // Git died on this object.
                None => batch = None,
            }
        }
        objects
    }
}

type Answer = (ObjectId, Option<(Kind, Vec<u8>)>);

/// Reads the answer of `git cat-file --batch` for one id.
fn answer(reader: &mut impl BufRead) -> Option<Answer> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.strip_suffix('\n')?.split(' ');
    let id = words.next()?.parse().expect("an id");
    let Some(kind) = Kind::from_name(words.next()?.as_bytes()) else { return Some((id, None)) };
    let len: u64 = words.next()?.parse().expect("a length");
    // For a broken delta git prints the stated length before it dies.
    let mut content = Vec::new();
    reader.take(len + 1).read_to_end(&mut content).ok()?;
    content.pop()?;
    (content.len() as u64 == len).then_some((id, Some((kind, content))))
}

struct Batch(Child, BufReader<ChildStdout>);

impl Batch {
    fn new(repo: &Repo) -> Self {
        let mut git = repo.git.command(repo.path(), &["cat-file", "--batch"]);
        git.env("GIT_ALLOC_LIMIT", "128m");
        git.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = git.spawn().expect("git starts");
        let stdout = child.stdout.take().expect("a pipe");
        Self(child, BufReader::new(stdout))
    }

    fn ask(&mut self, id: ObjectId) -> Option<Answer> {
        let stdin = self.0.stdin.as_mut().expect("a pipe");
        writeln!(stdin, "{id}").ok()?;
        answer(&mut self.1)
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.1.read_to_end(&mut Vec::new());
        let _ = self.0.wait();
    }
}
