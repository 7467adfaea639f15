//! Stable codes of issues. Reports show them, and `docs/json.md` lists them.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])+ $variant:ident = $name:literal,)+) => {
        /// The code of an issue. The names are stable; new ones may be added.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Code {
            $($(#[$doc])+ #[serde(rename = $name)] $variant,)+
        }

        impl Code {
            /// All codes, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Returns the name, such as `archive.encrypted`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

codes! {
    /// A path on the command line does not exist.
    FileMissing = "file.missing",
    /// A file or folder cannot be read.
    FileUnreadable = "file.unreadable",
    /// A device, socket or named pipe is not read.
    FileSpecial = "file.special",
    /// A file changed while it was read.
    FileChanged = "file.changed",
    /// Ignore rules cannot be read and are not applied.
    IgnoreRules = "file.ignore-rules",
    /// Standard input or a named pipe cannot be read to its end.
    StreamUnreadable = "stream.unreadable",
    /// An archive or a member is damaged.
    ArchiveDamaged = "archive.damaged",
    /// An archive or a member is encrypted.
    ArchiveEncrypted = "archive.encrypted",
    /// An archive or a member uses something that is not supported.
    ArchiveUnsupported = "archive.unsupported",
    /// A container or compressed file of a format that is not opened.
    ArchiveFormat = "archive.format",
    /// An archive or a member cannot be read to its end.
    ArchiveUnreadable = "archive.unreadable",
    /// A file exceeds `--max-file-size` or the limit for files of a repository itself.
    FileSize = "limit.file-size",
    /// An archive exceeds a limit other than the following ones.
    ArchiveLimit = "limit.archive",
    /// An archive unpacks to more bytes than allowed.
    UnpackedSize = "limit.unpacked-size",
    /// The unpacked size of an archive exceeds the allowed multiple of its own size.
    UnpackRatio = "limit.unpack-ratio",
    /// An archive has more members than allowed.
    Members = "limit.members",
    /// A git object is too large to be opened as an archive.
    ObjectSize = "limit.object-size",
    /// Encoded text is too long or too deeply nested to be decoded as a whole.
    Decoding = "limit.decoding",
    /// A repository cannot be opened or queried.
    RepositoryUnreadable = "git.repository-unreadable",
    /// A path is not a repository.
    NotARepository = "git.not-a-repository",
    /// A folder, pack or index of a repository's objects cannot be read.
    StoreUnreadable = "git.store-unreadable",
    /// A git object cannot be read.
    ObjectUnreadable = "git.object-unreadable",
    /// A git object is missing.
    ObjectMissing = "git.object-missing",
    /// A partial clone lacks objects.
    PartialClone = "git.partial-clone",
    /// A shallow clone lacks the history before some commits.
    ShallowClone = "git.shallow-clone",
    /// A reference cannot be read, or has no object.
    Reference = "git.reference",
    /// The index cannot be read.
    IndexUnreadable = "git.index-unreadable",
    /// A submodule is not checked out.
    SubmoduleMissing = "git.submodule-missing",
    /// A Git LFS object is missing or has another size.
    LfsMissing = "git.lfs-missing",
    /// A Git LFS object cannot be read.
    LfsUnreadable = "git.lfs-unreadable",
    /// A Git LFS object exists and was not scanned.
    LfsSkipped = "git.lfs-skipped",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_unique_name_that_the_documentation_lists() {
        let documentation = include_str!("../../../docs/json.md");
        let troubleshooting = include_str!("../../../docs/troubleshooting.md");
        for (at, code) in Code::ALL.iter().enumerate() {
            let listed = format!("| `{}` |", code.name());
            assert!(documentation.contains(&listed), "docs/json.md lacks {}", code.name());
            assert!(
                troubleshooting.contains(&listed),
                "docs/troubleshooting.md lacks {}",
                code.name()
            );
            assert!(Code::ALL[..at].iter().all(|other| other.name() != code.name()));
            let text = serde_json::to_string(code).expect("a string");
            assert_eq!(text, format!("\"{}\"", code.name()));
        }
    }
}
