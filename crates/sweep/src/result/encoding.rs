//! How results are written in the store: as JSON, compressed with Zstandard.

use super::SCHEMA;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ddpatrol::rules::quote::abbreviated;
use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::io::Read;

/// Maximum size of an object in the store after decompression: 1 GiB.
const MAX_SIZE: u64 = 1 << 30;

/// The content of a state file of the scanner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State(pub Vec<u8>);

impl State {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for State {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

/// The content of an object in the store, compressed with Zstandard.
#[derive(Clone, Debug)]
pub struct Compressed(pub Vec<u8>);

/// An object in the store is damaged.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// It is not Zstandard data.
    #[error("damaged compressed data: {0}")]
    Compression(String),
    /// It is too large.
    #[error("larger than {} bytes", MAX_SIZE)]
    Size,
    /// It is not a result.
    #[error("invalid result")]
    Json(#[from] serde_json::Error),
    /// It has another schema.
    #[error("unsupported schema `{}`: expected {SCHEMA}", abbreviated(.0))]
    Schema(String),
}

impl Compressed {
    /// Compresses content.
    pub fn compress(content: &[u8]) -> Self {
        Self(compress_to_vec(content, CompressionLevel::Fastest))
    }

    /// Returns the content.
    ///
    /// # Errors
    /// Returns [`DecodeError`] if the data are damaged or too large.
    pub fn decompress(&self) -> Result<Vec<u8>, DecodeError> {
        let damaged = |error: &dyn std::fmt::Display| DecodeError::Compression(error.to_string());
        let decoder = StreamingDecoder::new(&self.0[..]).map_err(|error| damaged(&error))?;
        let mut content = Vec::new();
        decoder.take(MAX_SIZE + 1).read_to_end(&mut content).map_err(|error| damaged(&error))?;
        if content.len() as u64 > MAX_SIZE {
            return Err(DecodeError::Size);
        }
        Ok(content)
    }
}
