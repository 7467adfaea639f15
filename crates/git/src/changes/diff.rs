//! Compares a tree with several others at once, reading only the folders that differ.

use super::super::store::{ReadError, Store};
use super::super::trees::{self, EntryKind};
use ddpatrol_pack::{Kind, ObjectId, Reader};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A path whose content differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Differing {
    pub(super) path: Vec<u8>,
    /// The blob; `None` for a submodule.
    pub(super) blob: Option<ObjectId>,
    /// The blobs that the other trees have at the path.
    pub(super) others: Vec<ObjectId>,
    /// Whether none of the other trees has the path.
    pub(super) is_new: bool,
}

/// The entries of a folder, by name.
type Folder = BTreeMap<Vec<u8>, (EntryKind, ObjectId)>;

/// Reads trees, and caches the most recent ones.
pub(super) struct Trees<'a> {
    store: &'a Store,
    reader: Reader,
    known: HashMap<ObjectId, Arc<Folder>>,
}

/// Maximum number of cached folders.
const MOST_KNOWN: usize = 4096;

impl<'a> Trees<'a> {
    pub(super) fn new(store: &'a Store) -> Self {
        Self { store, reader: Reader::default(), known: HashMap::new() }
    }

    fn folder(&mut self, id: &ObjectId) -> Result<Arc<Folder>, ReadError> {
        if let Some(known) = self.known.get(id) {
            return Ok(Arc::clone(known));
        }
        let (kind, bytes) = self.store.read(id, &mut self.reader)?;
        let mut folder = Folder::new();
        let mut at = 0;
        while let Some(entry) = trees::entry(&bytes, at, id.as_bytes().len()) {
            at = entry.end;
            if let Ok(id) = ObjectId::from_bytes(entry.id) {
                folder.insert(entry.name.to_vec(), (entry.kind, id));
            }
        }
        if kind != Kind::Tree || at != bytes.len() {
            return Err(ReadError::Broken { id: *id, cause: "not a valid tree".into() });
        }
        if self.known.len() >= MOST_KNOWN {
            self.known.clear();
        }
        let folder = Arc::new(folder);
        self.known.insert(*id, Arc::clone(&folder));
        Ok(folder)
    }

    /// Lists every path of `tree` that none of `others` has with the same content.
    pub(super) fn differing(
        &mut self,
        tree: &ObjectId,
        others: &[ObjectId],
    ) -> Result<Vec<Differing>, ReadError> {
        let mut differing = Vec::new();
        self.compare(Some(tree), others, &mut Vec::new(), &mut differing)?;
        Ok(differing)
    }

    fn compare(
        &mut self,
        tree: Option<&ObjectId>,
        others: &[ObjectId],
        path: &mut Vec<u8>,
        differing: &mut Vec<Differing>,
    ) -> Result<(), ReadError> {
        let Some(tree) = tree.filter(|tree| !others.contains(tree)) else { return Ok(()) };
        let folder = self.folder(tree)?;
        let mut there = Vec::with_capacity(others.len());
        for other in others {
            there.push(self.folder(other)?);
        }
        for (name, &(kind, id)) in folder.iter() {
            let same: Vec<(EntryKind, ObjectId)> =
                there.iter().filter_map(|other| other.get(name)).copied().collect();
            if same.contains(&(kind, id)) {
                continue;
            }
            let len = path.len();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(name);
            let of = |wanted| {
                let ids = same.iter().filter(move |it| it.0 == wanted).map(|it| it.1);
                ids.collect::<Vec<ObjectId>>()
            };
            if kind == EntryKind::Tree {
                self.compare(Some(&id), &of(EntryKind::Tree), path, differing)?;
            } else {
                differing.push(Differing {
                    path: path.clone(),
                    blob: (kind == EntryKind::Blob).then_some(id),
                    others: of(EntryKind::Blob),
                    is_new: same.is_empty(),
                });
            }
            path.truncate(len);
        }
        Ok(())
    }

    /// Finds the blob at a path.
    pub(super) fn blob_at(
        &mut self,
        tree: &ObjectId,
        path: &[u8],
    ) -> Result<Option<ObjectId>, ReadError> {
        let found = self.entry_at(tree, path)?;
        Ok(found.and_then(|(kind, id)| (kind == EntryKind::Blob).then_some(id)))
    }

    /// Returns the id of the blob or tree at a path.
    pub(super) fn id_at(
        &mut self,
        tree: &ObjectId,
        path: &[u8],
    ) -> Result<Option<ObjectId>, ReadError> {
        Ok(self.entry_at(tree, path)?.map(|(_, id)| id))
    }

    /// Lists the names of the blobs in the folder at a path; the empty path is the tree itself.
    pub(super) fn names_at(
        &mut self,
        tree: &ObjectId,
        path: &[u8],
    ) -> Result<Option<Vec<Vec<u8>>>, ReadError> {
        let folder = match self.entry_at(tree, path)? {
            _ if path.is_empty() => *tree,
            Some((EntryKind::Tree, id)) => id,
            _ => return Ok(None),
        };
        let folder = self.folder(&folder)?;
        let blobs = folder.iter().filter(|(_, (kind, _))| *kind == EntryKind::Blob);
        Ok(Some(blobs.map(|(name, _)| name.clone()).collect()))
    }

    /// Returns `true` if the tree has an entry at a path.
    pub(super) fn has(&mut self, tree: &ObjectId, path: &[u8]) -> Result<bool, ReadError> {
        Ok(self.entry_at(tree, path)?.is_some())
    }

    fn entry_at(
        &mut self,
        tree: &ObjectId,
        path: &[u8],
    ) -> Result<Option<(EntryKind, ObjectId)>, ReadError> {
        let mut at = *tree;
        let mut names = path.split(|&byte| byte == b'/').peekable();
        while let Some(name) = names.next() {
            match self.folder(&at)?.get(name) {
                Some((EntryKind::Tree, id)) if names.peek().is_some() => at = *id,
                Some(entry) if names.peek().is_none() => return Ok(Some(*entry)),
                _ => return Ok(None),
            }
        }
        Ok(None)
    }
}
