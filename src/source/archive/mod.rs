//! Archives: what is packed away in a file, found by its content and walked down to plain bytes.
//!
//! In come bytes and a name for them; out go the windows of every member, its name, and what could
//! not be read, to a [`Sink`]. Members stream through windows of constant size; formats that must be
//! read from their end are held in a bounded buffer that spills into a nameless temporary file. A
//! member's name is a label and never reaches the file system. The raw bytes of a nested archive are
//! looked at as well, so a member that cannot be unpacked is still searched as it lies there; the
//! outermost bytes are the caller's to look at, unless they come as a stream.
//!
//! The container formats are read here and not by crates, since what counts here no crate offers:
//! every member of a name that occurs twice, the next sibling after damage, sizes that are not
//! believed. The compressions and 7z are crates'.

mod ar;
mod bundle;
mod cpio;
mod feed;
mod format;
pub mod image;
mod objects;
mod parts;
mod pdf;
mod place;
mod repository;
mod rpm;
mod sevenz;
mod sqlite;
mod stream;
mod survey;
mod tar;
mod tee;
mod walker;
mod zip;

pub use format::{
    END_OF_ZIP, Format, HEAD, Signs, detect, ends_as_zip, is_program, may_end_as_zip, signs,
};

pub use repository::{Packed, Packs};
pub use zip::END_REACH;

use super::{Gap, Run, Visitor, add};
use crate::blob::{Blob, Context};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

/// Bytes that can be read at any offset.
pub trait Bytes: Read + Seek {}

impl<T: Read + Seek + ?Sized> Bytes for T {}

/// What is to be walked.
pub enum Input<'a> {
    /// Bytes that the caller looks at itself, as they are: only what they hold is walked.
    Whole(&'a mut dyn Bytes),
    /// Standard input, which is looked at as it is and walked in one pass.
    Stdin(&'a mut dyn Read),
}

/// How deep and how far archives are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveOptions {
    /// How many archives within each other are opened.
    pub depth: usize,
    /// What ends the reading of one outermost archive.
    pub limits: Limits,
    /// The context that windows keep.
    pub context: Context,
}

/// What ends the reading of one outermost archive; each that is hit is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes unpacked in all, those of nested archives counted at every level.
    pub unpacked: u64,
    /// Bytes unpacked for each byte of the outermost archive, once a gibibyte is unpacked.
    pub ratio: u64,
    /// Members in all.
    pub members: u64,
    /// Bytes of one nested archive that must be held to be read.
    pub spool: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { unpacked: 64 << 30, ratio: 1_000, members: 10_000_000, spool: 8 << 30 }
    }
}

impl ArchiveOptions {
    /// How many archives within each other are opened unless something else is asked for.
    pub const DEPTH: usize = 8;

    /// The default depth and limits.
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self { depth: Self::DEPTH, limits: Limits::default(), context }
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// An archive that was opened.
    Archive,
    /// A member that was looked at.
    Member,
    /// So many bytes of standard input.
    Input(u64),
    /// So many bytes that were unpacked.
    Unpacked(u64),
}

/// What is done with git's packs and repositories in archives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Histories {
    /// They are looked at as they lie there, and that is told of packs.
    Skipped,
    /// Their objects are looked at as members.
    Objects,
    /// They are unpacked and handed on, to be read with their histories.
    Repositories,
}

/// Takes what a walk brings.
pub trait Sink {
    /// Looks at a window of a member, or at a name.
    fn visit(&mut self, blob: &Blob<'_>);
    /// Takes note of what was not looked at.
    fn gap(&mut self, kind: Gap, path: &Path, message: String);
    /// Counts.
    fn count(&mut self, counted: Counted);
    /// Tells whether the walk shall end.
    fn is_interrupted(&self) -> bool;
    /// Tells what is to be done with git's packs and repositories in archives.
    fn histories(&self) -> Histories {
        Histories::Skipped
    }
    /// Takes a repository that lay in an archive.
    fn repository(&mut self, _: Packed) {}
}

/// How a source reads archives.
#[derive(Clone, Debug)]
pub struct Unpacking {
    /// How deep and how far.
    pub options: ArchiveOptions,
    /// Where the repositories in archives are listed; without it they are not unpacked.
    pub repositories: Option<Packs>,
}

/// A sink that passes on to a visitor and counts in the run.
pub struct Visit<'a> {
    /// Looks at windows and names.
    pub visitor: &'a mut dyn Visitor,
    /// Takes gaps and counts.
    pub run: &'a Run,
    /// Takes repositories.
    pub repositories: Option<&'a Packs>,
}

impl Sink for Visit<'_> {
    fn visit(&mut self, blob: &Blob<'_>) {
        self.visitor.visit(blob);
    }

    fn gap(&mut self, kind: Gap, path: &Path, message: String) {
        self.run.report(kind, Some(path.to_owned()), message);
    }

    fn count(&mut self, counted: Counted) {
        let tally = &self.run.tally;
        match counted {
            Counted::Archive => add(&tally.archives, 1),
            Counted::Member => add(&tally.members, 1),
            Counted::Input(len) => add(&tally.bytes, len),
            Counted::Unpacked(len) => add(&tally.unpacked, len),
        }
    }

    fn is_interrupted(&self) -> bool {
        self.run.is_interrupted()
    }

    fn histories(&self) -> Histories {
        match self.repositories {
            Some(_) => Histories::Repositories,
            None => Histories::Skipped,
        }
    }

    fn repository(&mut self, packed: Packed) {
        if let Some(list) = self.repositories {
            list.lock().unwrap_or_else(|poison| poison.into_inner()).push(packed);
        }
    }
}

/// An archive and what is known of it.
#[derive(Clone, Debug)]
pub struct Found<'a> {
    /// The path that the paths of its members begin with.
    pub path: &'a Path,
    /// What it is.
    pub format: Format,
    /// The layer of a container image that it is, in words.
    pub layer: Option<Arc<str>>,
}

/// Walks an archive; what was not looked at is told to `sink`.
///
/// # Errors
/// What reading the input itself fails with.
pub fn walk(
    input: Input<'_>,
    found: &Found<'_>,
    options: &ArchiveOptions,
    sink: &mut dyn Sink,
) -> io::Result<()> {
    let walker = walker::Walker::new(options, sink);
    match input {
        Input::Whole(bytes) => walker.whole(found, bytes),
        Input::Stdin(reader) => walker.stdin(found, reader),
    }
}

/// Tells what bytes are that can be read at any offset; reads their beginning, and their end if that
/// may show a zip behind something else.
///
/// # Errors
/// What reading fails with.
pub fn detect_whole(bytes: &mut dyn Bytes, name: &Path) -> io::Result<Option<Format>> {
    let mut head = [0; HEAD];
    bytes.seek(SeekFrom::Start(0))?;
    let len = tee::fill(bytes, &mut head)?;
    if let Some(format) = detect(&head[..len], name) {
        return Ok(Some(format));
    }
    let is_zip = may_end_as_zip(&head[..len]) && zip::has_end(bytes)?;
    Ok(is_zip.then_some(Format::Zip))
}

/// Reads a beginning, and why there is no more of it.
#[must_use]
pub fn begin(decoder: &mut dyn Read, head: &mut [u8]) -> (usize, Option<io::Error>) {
    let mut len = 0;
    while len < head.len() {
        match decoder.read(&mut head[len..]) {
            Ok(0) => break,
            Ok(more) => len += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (len, Some(error)),
        }
    }
    (len, None)
}

/// What went wrong with an archive or a member.
#[derive(Debug, thiserror::Error)]
enum Fault {
    /// It is not what its format says.
    #[error("damaged: {0}")]
    Damaged(String),
    /// It is encrypted.
    #[error("not unpacked: it is encrypted")]
    Encrypted,
    /// It uses what is not read here.
    #[error("not unpacked: {0}")]
    Unsupported(String),
    /// It exceeds a limit.
    #[error("not read: {0}")]
    Limit(String),
    /// It cannot be read, or not to its end.
    #[error("damaged, or cannot be read to its end: {0}")]
    Io(#[from] io::Error),
    /// The whole walk ends; why is told once, for the outermost archive.
    #[error("the walk was ended")]
    Stopped,
}

impl Fault {
    fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged(what.into())
    }

    /// Tells how much it matters.
    fn gap(&self) -> Gap {
        use io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof, Unsupported};
        match self {
            Self::Damaged(_) | Self::Encrypted | Self::Unsupported(_) => Gap::Opaque,
            // What a decoder says of its input; a disk says other things.
            Self::Io(error) => match error.kind() {
                InvalidData | InvalidInput | Other | UnexpectedEof | Unsupported => Gap::Opaque,
                _ => Gap::Unread,
            },
            Self::Limit(_) | Self::Stopped => Gap::Unread,
        }
    }
}
