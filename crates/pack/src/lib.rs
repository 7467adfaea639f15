//! Reads git packfiles once, in order, by type.
//!
//! Input: a pack and its index. Output: objects, each with its id, its kind and its pieces: bytes copied
//! from its delta base, and fresh bytes. The crate does not handle tokens, repositories or loose objects,
//! computes no hash, and never trusts a length.
//!
//! # Examples
//! Lists the blobs of a pack with their lengths, on two threads:
//! ```
//! use ddpatrol_pack::{
//!     DeltaForest, Fault, HashKind, Kind, Kinds, Object, ObjectId, Pack, PackError, Visitor, WalkOptions,
//! };
//! use std::io::{self, Read};
//! use std::sync::Arc;
//!
//! /// The blobs that one worker has seen.
//! #[derive(Default)]
//! struct Blobs(Vec<(ObjectId, u64)>);
//!
//! impl Visitor for Blobs {
//!     type BaseData = ();
//!
//!     fn visit(&mut self, object: &mut Object<'_>, _: Option<&()>) -> Result<(), Fault> {
//!         self.0.push((object.id(), object.len()));
//!         Ok(())
//!     }
//!
//!     fn stream(&mut self, id: ObjectId, len: u64, _: &mut dyn Read) -> io::Result<()> {
//!         self.0.push((id, len));
//!         Ok(())
//!     }
//!
//!     fn failed(&mut self, error: PackError) {
//!         eprintln!("{error}");
//!     }
//!
//!     fn is_stopped(&self) -> bool {
//!         false
//!     }
//! }
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = &folder.path().join("pack-1.pack");
//! # let id: ObjectId = "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0".parse()?;
//! # let blob = b"\x35\x78\x01\x01\x05\x00\xfa\xffhello\x06\x2c\x02\x15";
//! # let pack = [&b"PACK\0\0\0\x02\0\0\0\x01"[..], blob, &[0; 20]].concat();
//! # let fanout: Vec<u8> = (0..256).flat_map(|first| u32::from(first >= 0xb6).to_be_bytes()).collect();
//! # let offset = 12_u32.to_be_bytes();
//! # let index = [b"\xfftOc\0\0\0\x02", &fanout[..], id.as_bytes(), &[0; 4], &offset, &[0; 40]].concat();
//! # std::fs::write(path, pack)?;
//! # std::fs::write(path.with_extension("idx"), index)?;
//! let pack = Arc::new(Pack::open(path, HashKind::Sha1)?);
//! pack.check()?;
//! let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build()?;
//! let forest = DeltaForest::new(pack, Some(&pool), |error| eprintln!("{error}"));
//! let options = WalkOptions {
//!     kinds: Kinds::of(&[Kind::Blob]),
//!     pool: Some(&pool),
//!     budget: 64 << 20,
//!     skip: None,
//! };
//! let workers = forest.walk(&options, &Blobs::default);
//! let blobs: Vec<(ObjectId, u64)> = workers.into_iter().flat_map(|worker| worker.0).collect();
//! assert_eq!(blobs, [(id, 5)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod blob_stream;
mod delta;
mod delta_stack;
mod entry;
mod error;
mod id;
mod index;
mod inflate;
mod layout;
mod map;
mod pack;
mod plan;
mod source;
mod visitor;
mod walk;
mod worker;

pub use blob_stream::BlobStream;
pub use delta::{Piece, PieceSource};
pub use error::{Fault, PackError};
pub use id::{HashKind, IdError, Kind, ObjectId};
pub use index::Index;
pub use map::MappedFile;
pub use pack::{ExternalBases, Pack, Reader};
pub use visitor::{Object, Visitor};
pub use walk::{DeltaForest, Kinds, WalkOptions};
