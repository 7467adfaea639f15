//! Errors of the decoders in this folder. They reach the walk as the source of an I/O error.

use std::io;

/// The reason why a decoder rejects its input.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(super) enum DecodeError {
    #[error("its checksum does not agree")]
    Checksum,
    #[error("a frame's checksum does not agree")]
    FrameChecksum,
    #[error("it is cut off")]
    CutOff,
    #[error("its lzma properties have another length than five")]
    LzmaProperties,
    #[error("its lzma dictionary is too large")]
    LzmaDictionary,
    #[error("it asks for a window of {requested} bytes; the most is {max}")]
    ZstdWindow { requested: u64, max: u64 },
    #[error("a value goes on in a page that does not exist")]
    SqlitePage,
    #[error("no hexadecimal digit")]
    HexDigit,
    #[error("no character of ASCII85")]
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
