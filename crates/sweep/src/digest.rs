//! SHA-256 digests in hexadecimal.

use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Digest of a sequence of parts. The length of each part is part of the digest.
#[derive(Clone, Debug, Default)]
pub struct PartsDigest(Sha256);

impl PartsDigest {
    /// Adds a part.
    pub fn add(&mut self, part: &[u8]) {
        self.0.update((part.len() as u64).to_be_bytes());
        self.0.update(part);
    }

    /// Adds the content of a file.
    ///
    /// # Errors
    /// Returns the error of reading the file.
    pub fn add_file(&mut self, path: &Path) -> io::Result<()> {
        let mut file = File::open(path)?;
        let mut content = Sha256::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let len = file.read(&mut buffer)?;
            if len == 0 {
                break;
            }
            content.update(&buffer[..len]);
        }
        self.add(&content.finalize());
        Ok(())
    }

    /// Returns the digest: 64 hexadecimal digits.
    pub fn finish(self) -> String {
        hex::encode(self.0.finalize())
    }
}
