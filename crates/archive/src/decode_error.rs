//! Errors of the decoders in this folder. The walk receives them as the source of an I/O error.

use std::io;

/// The reason why a decoder rejects its input.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(super) enum DecodeError {
    #[error("checksum mismatch")]
    Checksum,
    #[error("frame checksum mismatch")]
    FrameChecksum,
    #[error("unexpected end of data")]
    CutOff,
    #[error("lzma properties are not five bytes long")]
    LzmaProperties,
    #[error("lzma dictionary is too large")]
    LzmaDictionary,
    #[error("window of {requested} bytes exceeds the limit of {max} bytes")]
    ZstdWindow { requested: u64, max: u64 },
    #[error("invalid code length")]
    CodeLength,
    #[error("invalid code")]
    Code,
    #[error("invalid block")]
    CabBlock,
    #[error("a value continues in a page that does not exist")]
    SqlitePage,
    #[error("invalid hexadecimal digit")]
    HexDigit,
    #[error("invalid ASCII85 character")]
    Ascii85,
}

impl From<DecodeError> for io::Error {
    fn from(error: DecodeError) -> Self {
        let kind = match error {
            DecodeError::CutOff => io::ErrorKind::UnexpectedEof,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
