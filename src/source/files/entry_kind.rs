//! The kinds of entries that exclusions and ignore rules distinguish.

use ignore::DirEntry;

/// A folder, or anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryKind {
    Folder,
    /// A file, a link, or a special file.
    File,
}

impl EntryKind {
    /// Returns the kind of an entry of a walk.
    pub(super) fn of(entry: &DirEntry) -> Self {
        let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
        if is_folder { Self::Folder } else { Self::File }
    }

    pub(super) fn is_folder(self) -> bool {
        self == Self::Folder
    }
}
