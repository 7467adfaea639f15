//! Access tokens with a checksum: their alphabets, checksums and formats, and how they are parsed,
//! explained and minted.
//!
//! Input: byte slices and format descriptions. Output: verdicts, explanations and new tokens. The crate
//! does no I/O (except for the system's random source, for minting), and checking a candidate allocates
//! nothing. The scanner and the issuance service share it, so that both use the same formats.
//!
//! # Examples
//! A format is described once, then mints and checks tokens:
//! ```
//! use ddpatrol_token::mint::system_random;
//! use ddpatrol_token::{Algorithm, ByteSet, Check, Encoding, Format, Lengths, Segment};
//!
//! let format = Format::new(
//!     "exk_<SECRET><CRC>",
//!     vec![
//!         Segment::text("SECRET", ByteSet::BASE62, Lengths::OneOf(vec![30])),
//!         Segment::checksum("CRC", Algorithm::Crc32, Encoding::Base62, 6, &["<SECRET>"]),
//!     ],
//! )?;
//! let mut failed = None;
//! let mut fill = |bytes: &mut [u8]| failed = failed.take().or(system_random(bytes).err());
//! let token = format.mint(format.choices()[0], &mut fill);
//! failed.map_or(Ok(()), Err)?;
//! assert!(format.check(token.expose()).is_proven());
//!
//! // A wrong checksum proves nothing.
//! let mut damaged = token.expose().to_vec();
//! let last = damaged.len() - 1;
//! damaged[last] ^= 1;
//! assert!(!format.check(&damaged).is_proven());
//! assert_eq!(format.check(b"exk_short"), Check::NoMatch);
//! assert_eq!(format.redact(token.expose()), "exk_***");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod base62;
pub mod byteset;
pub mod checksum;
pub mod datadog;
pub mod evidence;
pub mod explain;
pub mod format;
pub mod mint;
pub mod private_key;
pub mod secret;
pub mod uuid;

pub use byteset::ByteSet;
pub use checksum::{Algorithm, Checksum, Codec, Encoding};
pub use evidence::EvidenceBits;
pub use explain::{Explanation, PartReport};
pub use format::{Anchor, Check, Format, FormatError, Kind, Lengths, Segment, Split};
pub use secret::Secret;
pub use uuid::Uuid;
