//! Git LFS: parses pointers and finds the objects behind them in a repository's local store.
//!
//! Input: a blob or file that may be a pointer, and a repository. Output: the object's path, or its
//! mapped content. Nothing is fetched, and the object's hash is not verified.

use super::repo::Repository;
use ddpatrol_pack::{HashKind, MappedFile, ObjectId};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};

/// A Git LFS pointer, which a repository stores in place of a large file.
///
/// See <https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pointer {
    /// The SHA-256 of the object, as 64 lower-case hexadecimal digits.
    oid: String,
    /// The size of the object in bytes.
    size: u64,
}

/// A pointer in the history of a repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FoundPointer {
    pub(super) pointer: Pointer,
    /// Its blob; `None` if an earlier scan read it.
    pub(super) blob: Option<ObjectId>,
}

/// The versions that Git LFS reads: the current one and its two predecessors.
const VERSIONS: [&str; 3] = [
    "https://git-lfs.github.com/spec/v1",
    "https://hawser.github.com/spec/v1",
    "http://git-media.io/v/2",
];

impl Pointer {
    /// Pointers are shorter than this number of bytes. Git LFS treats longer blobs as content.
    pub const MAX_LEN: usize = 1024;

    /// Parses a whole blob; `None` if it is not a pointer.
    ///
    /// Accepts what Git LFS accepts: missing or `\r\n` line ends, and extensions.
    #[must_use]
    pub fn parse(blob: &[u8]) -> Option<Self> {
        // Most blobs are rejected by their first bytes.
        if blob.len() >= Self::MAX_LEN || !blob.trim_ascii_start().starts_with(b"version ") {
            return None;
        }
        let text = std::str::from_utf8(blob).ok()?;
        let mut lines = text.trim().lines().map(|line| line.trim_end().split_once(' '));
        let (_, version) = lines.next()??;
        if !VERSIONS.contains(&version) {
            return None;
        }
        let (mut oid, mut size) = (None, None);
        for line in lines {
            match line? {
                ("oid", value) => oid = Some(parse_oid(value)?),
                ("size", value) => size = Some(value.parse().ok()?),
                _ => {}
            }
        }
        Some(Self { oid: oid?.to_owned(), size: size? })
    }

    /// Creates the pointer of an object with this SHA-256 and size; `None` if `oid` is not 64 lower-case
    /// hexadecimal digits.
    #[must_use]
    pub fn new(oid: &str, size: u64) -> Option<Self> {
        is_oid(oid).then(|| Self { oid: oid.to_owned(), size })
    }

    /// Returns the blob that Git LFS writes for the object, if it has no extensions.
    #[must_use]
    pub fn to_blob(&self) -> Vec<u8> {
        let Self { oid, size } = self;
        format!("version {}\noid sha256:{oid}\nsize {size}\n", VERSIONS[0]).into_bytes()
    }

    /// Returns the id of the blob that Git LFS writes for the object, if it has no extensions.
    pub(super) fn blob_id(&self, hash: HashKind) -> Option<ObjectId> {
        let blob = self.to_blob();
        let header = format!("blob {}\0", blob.len());
        let raw = match hash {
            HashKind::Sha1 => {
                Sha1::new().chain_update(header).chain_update(blob).finalize().to_vec()
            }
            HashKind::Sha256 => {
                Sha256::new().chain_update(header).chain_update(blob).finalize().to_vec()
            }
        };
        ObjectId::from_bytes(&raw).ok()
    }

    /// Returns the SHA-256 of the object, as 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn oid(&self) -> &str {
        &self.oid
    }

    /// Returns the size of the object in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the path of the object in a folder of objects: `ab/cd/abcd…`.
    #[must_use]
    pub fn path_in(&self, objects: &Path) -> PathBuf {
        objects.join(&self.oid[..2]).join(&self.oid[2..4]).join(&self.oid)
    }
}

/// Parses `sha256:` and 64 lower-case hexadecimal digits.
fn parse_oid(value: &str) -> Option<&str> {
    value.strip_prefix("sha256:").filter(|digits| is_oid(digits))
}

fn is_oid(digits: &str) -> bool {
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    digits.len() == 64 && digits.bytes().all(is_hex)
}

/// The local Git LFS objects of a repository.
#[derive(Clone, Debug)]
pub struct Lfs {
    /// The folders of objects, the repository's own first.
    folders: Vec<PathBuf>,
}

/// An object that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LfsError {
    /// The object was not fetched.
    #[error("its Git LFS object {0} is missing; `git lfs fetch --all` fetches it")]
    Missing(String),
    /// The size of the object differs from that in the pointer.
    #[error(
        "its Git LFS object {oid} has {found} bytes instead of {expected}; `git lfs fsck` shows details"
    )]
    Size {
        /// The object.
        oid: String,
        /// The size of the file.
        found: u64,
        /// The size in the pointer.
        expected: u64,
    },
    /// The object cannot be read.
    #[error("its Git LFS object {} cannot be read: {source}", path.display())]
    Read {
        /// The object.
        oid: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl LfsError {
    /// Returns the SHA-256 of the object, in hexadecimal digits.
    #[must_use]
    pub fn oid(&self) -> &str {
        match self {
            Self::Missing(oid) | Self::Size { oid, .. } | Self::Read { oid, .. } => oid,
        }
    }
}

impl Lfs {
    /// Finds the Git LFS stores of a repository: its own, at `lfs.storage` or `lfs` in the common
    /// directory, and those next to its alternates.
    #[must_use]
    pub fn new(repository: &Repository) -> Self {
        let mut folders = vec![repository.lfs_storage().join("objects")];
        let borrowed = repository.alternates().iter().filter_map(|objects| objects.parent());
        folders.extend(borrowed.map(|folder| folder.join("lfs/objects")));
        Self { folders }
    }

    /// Returns the file of an object; `None` if it does not exist.
    #[must_use]
    pub fn path(&self, pointer: &Pointer) -> Option<PathBuf> {
        let paths = self.folders.iter().map(|folder| pointer.path_in(folder));
        paths.into_iter().find(|path| path.is_file())
    }

    /// Maps an object into memory.
    ///
    /// # Errors
    /// [`LfsError`] if it does not exist, is not a regular file, or has another size than the pointer
    /// gives.
    pub fn open(&self, pointer: &Pointer) -> Result<LfsObject, LfsError> {
        let missing = || LfsError::Missing(pointer.oid.clone());
        let path = self.path(pointer).ok_or_else(missing)?;
        // Git LFS itself fetches an object again if its size is wrong.
        let read = |source| LfsError::Read { oid: pointer.oid.clone(), path: path.clone(), source };
        let file = File::open(&path).map_err(read)?;
        let metadata = file.metadata().map_err(read)?;
        if !metadata.is_file() {
            return Err(missing());
        }
        if metadata.len() != pointer.size {
            let (oid, found) = (pointer.oid.clone(), metadata.len());
            return Err(LfsError::Size { oid, found, expected: pointer.size });
        }
        MappedFile::new(&file).map(LfsObject).map_err(read)
    }
}

/// The content of an object. It is mapped, so large objects need no private memory.
#[derive(Debug)]
pub struct LfsObject(MappedFile);

impl Deref for LfsObject {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// The content of a blob, with Git LFS pointers resolved.
#[derive(Debug)]
pub enum Content {
    /// The bytes of the blob itself.
    Blob(Vec<u8>),
    /// The bytes of the Git LFS object, if the blob is a pointer.
    Lfs(LfsObject),
}

impl AsRef<[u8]> for Content {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Deref for Content {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Blob(bytes) => bytes,
            Self::Lfs(object) => object,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OID: &str = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";

    fn pointer(version: &str) -> String {
        format!("version {version}\noid sha256:{OID}\nsize 12345\n")
    }

    #[test]
    fn pointers_of_all_versions_are_parsed() {
        let expected = Some(Pointer { oid: OID.to_owned(), size: 12345 });
        for version in VERSIONS {
            assert_eq!(Pointer::parse(pointer(version).as_bytes()), expected);
        }
        let text = pointer(VERSIONS[0]);
        assert_eq!(Pointer::parse(text.trim_end().as_bytes()), expected);
        assert_eq!(Pointer::parse(text.replace('\n', "\r\n").as_bytes()), expected);
        let extension = format!("ext-0-case sha256:{}\noid", "0".repeat(64));
        assert_eq!(Pointer::parse(text.replace("oid", &extension).as_bytes()), expected);
        assert_eq!(Pointer::new(OID, 12345).map(|it| it.to_blob()), Some(text.into_bytes()));
    }

    #[test]
    fn other_content_is_not_a_pointer() {
        let text = pointer(VERSIONS[0]);
        for other in [
            String::new(),
            "version 1\n".to_owned(),
            text.replace("spec/v1", "spec/v2"),
            text.replace("sha256:", "sha1:"),
            text.replace("4d7a", "../x"),
            text.replace("4d7a", "4D7A"),
            text.replace("12345", "-1"),
            text.replace("size", "length"),
            format!("a\n{text}"),
            format!("{text}nonsense\n"),
            format!("{text}{}", " ".repeat(Pointer::MAX_LEN)),
        ] {
            assert_eq!(Pointer::parse(other.as_bytes()), None, "{other}");
        }
        assert_eq!(Pointer::parse(&[text.as_bytes(), b"x \xff\n"].concat()), None);
    }

    #[test]
    fn objects_are_found_by_their_digits() {
        let pointer = Pointer::parse(pointer(VERSIONS[0]).as_bytes()).expect("a pointer");
        let path = pointer.path_in(Path::new("objects"));
        assert_eq!(path, Path::new("objects/4d/7a").join(OID));
    }
}
