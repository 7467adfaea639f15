//! Sources: where blobs are from. A source pushes blobs to visitors, one visitor per worker.
//!
//! Sources read and count; they neither search nor print. What could not be read becomes a
//! [`Diagnostic`], never a silent gap.

pub mod archive;
mod code;
pub mod files;
pub mod git;
pub(crate) mod label;
mod run;
pub mod stdin;
pub mod text;
mod visitor;
pub mod window;

pub use code::Code;
pub(crate) use run::add;
pub use run::{Diagnostic, Gap, Run, Scanned, Tally};
pub use visitor::Visitor;

use crate::detect::version::Heads;
use crate::finding::{HeldObject, Part, Standing, Trace};
use archive::Signs;
use ddpatrol_pack::{Fault, Object};
use git::lfs::Pointer;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Takes the blobs and the objects of packs of one worker.
pub trait ObjectVisitor: Visitor {
    /// Looks at an object of a pack. `base` is what came out for the object that it is a delta on,
    /// where that was looked at by the same visitor.
    ///
    /// # Errors
    /// [`Fault`] if the object cannot be put together.
    fn visit_object(&mut self, object: &mut Object<'_>, base: Option<&Seen>)
    -> Result<Seen, Fault>;
}

/// What was seen in an object, as far as it tells what those that are made from it hold.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The places that were looked at.
    pub heads: Heads,
    /// What its first bytes say.
    pub signs: Signs,
    /// Whether a byte that the end of every zip has stands anywhere in it.
    pub may_end_as_zip: bool,
}

/// Makes a visitor for each worker, so that each owns its scratch without locks.
pub trait Visitors: Sync {
    /// Makes one.
    fn make(&self) -> Box<dyn ObjectVisitor + '_>;

    /// Finds the tokens in bytes, without noting a place: the number and offset of each.
    fn find(&self, bytes: &[u8]) -> Vec<(u32, u64)>;

    /// Tells whether tokens were found in git objects since the last call of
    /// [`Visitors::take_held`].
    fn has_held(&self) -> bool;

    /// Takes the tokens that were found in git objects since the last call, sorted.
    fn take_held(&self) -> Vec<Held>;

    /// Notes a git object that holds a token.
    fn hold(&self, token: u32, object: HeldObject);

    /// Takes the pointers of Git LFS that were among the git objects since the last call, sorted.
    fn take_pointers(&self) -> Vec<Pointer> {
        Vec::new()
    }

    /// Opens the bytes of a git object or a name, whose tokens have places.
    fn open<'a>(&'a self, bytes: &'a [u8]) -> Box<dyn Opened + 'a>;
}

/// Bytes that hold tokens: what finding one of them again costs is paid once for all.
pub trait Opened {
    /// Adds the places of a token in the bytes: those at `offsets`, at `place`.
    fn place(&mut self, token: u32, offsets: &[u64], place: &Traced<'_>);
}

/// A token in a git object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Held {
    /// The number of the token.
    pub token: u32,
    /// The object, and where in it the token is.
    pub object: HeldObject,
}

/// A place in a repository where tokens are.
#[derive(Clone, Copy, Debug)]
pub struct Traced<'a> {
    /// The path; `None` where no commit gives the object one.
    pub path: Option<&'a Path>,
    /// What part of the repository the bytes are.
    pub part: Part,
    /// Which commit, and what became of it; `None` for what is not committed yet.
    pub trace: Option<&'a Arc<Trace>>,
    /// How the token stands against the base of a change.
    pub standing: Option<&'a Standing>,
}

/// Sorts places by their tokens: the offsets of each, in ascending order.
pub(crate) fn by_token(places: impl IntoIterator<Item = (u32, u64)>) -> BTreeMap<u32, Vec<u64>> {
    let mut tokens: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    for (token, offset) in places {
        tokens.entry(token).or_default().push(offset);
    }
    for offsets in tokens.values_mut() {
        offsets.sort_unstable();
        offsets.dedup();
    }
    tokens
}

/// Where blobs are from.
pub trait Source: Sync {
    /// Pushes all blobs to visitors; returns when all were looked at or `run` was interrupted.
    fn visit(&self, visitors: &dyn Visitors, run: &Run);
}
