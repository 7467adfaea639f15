//! A part of a change: the versions of paths that it introduces, and the steps of scanning them.
//!
//! A scan takes the steps in order: the part pushes its blobs and names, then, if these contain tokens,
//! the versions of the base; then it classifies both lists of sightings. The part knows neither the
//! detector nor findings.

use super::super::lfs::{Content, Lfs, LfsError, Pointer};
use super::super::repo::Repository;
use super::super::store::{ReadError, Store};
use super::super::tree_path::below;
use super::blobs::{BlobReader, Unread, UnreadBlob};
use super::by_blob::ByBlob;
use super::classify::Classification;
use super::diff::Trees;
use super::head::Head;
use super::set::{Base, ChangeSet, ChangeText, Item, NamedRef, Scope, folders, last_name};
use ddpatrol_pack::{Kind, ObjectId, Reader};
use ddpatrol_scan::blob::{Blob, Origin};
use ddpatrol_scan::finding::Trace;
use ddpatrol_scan::issue::GitIssue;
use ddpatrol_scan::issue_object::{IssuePlace, PlacesByObject};
use ddpatrol_scan::place::Place;
use ddpatrol_scan::sighting::{Holder, Placement, Sighting};
use ddpatrol_scan::workers::Workers;
use ddpatrol_scan::{Issue, Run, Sinks};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A change: staged content, a range of commits or a push.
pub trait Change: Sync {
    /// Reads the change part by part, the oldest first. Pushes commits and tags to `sinks`, and
    /// calls `on_part` with each part.
    fn read(&self, sinks: &dyn Sinks, run: &Run, on_part: &mut dyn FnMut(&ChangePart<'_>));
}

/// Reads the base of a change: its versions of all changed paths, and of the paths that hold tokens.
pub(super) type ReadBase<'a> = &'a dyn Fn(&BTreeSet<&[u8]>) -> Base;

/// The repository from which a part of a change is read.
pub(super) struct PartSource<'a> {
    pub(super) repository: &'a Repository,
    pub(super) store: &'a Store,
    pub(super) run: &'a Run,
    pub(super) workers: &'a Workers,
    /// The command that fetches the objects of the change into a partial clone.
    pub(super) fetch: Option<&'a str>,
    pub(super) base: ReadBase<'a>,
    /// Reads the tags of the other side.
    pub(super) old_tags: &'a dyn Fn() -> HashSet<ObjectId>,
}

/// Returns the issue of objects that a partial clone lacks.
pub(super) fn not_fetched(ids: &[ObjectId], command: &str) -> GitIssue {
    let first = ids.iter().take(MOST_NAMED).copied().collect();
    GitIssue::NotFetched { count: ids.len(), first, command: command.to_owned() }
}

/// Returns the command that fetches blobs into a partial clone. `range` fetches the objects of the change, but not
/// those of its base.
fn fetch_command(missing: &[ObjectId], own: &HashSet<ObjectId>, range: &str) -> String {
    if missing.len() <= MOST_FETCHED {
        let ids: Vec<String> = missing.iter().map(ObjectId::to_string).collect();
        format!("git rev-list --objects --quiet {}", ids.join(" "))
    } else if missing.iter().any(|id| own.contains(id)) {
        range.to_owned()
    } else {
        FETCH_ALL.to_owned()
    }
}

/// Maximum number of missing objects that an issue names.
const MOST_NAMED: usize = 3;

/// Maximum number of missing objects that a command names.
const MOST_FETCHED: usize = 4;

/// The command that fetches all objects into a partial clone.
pub(super) const FETCH_ALL: &str = "git fetch --refetch --no-filter";

/// A part of a change.
pub struct ChangePart<'a> {
    source: PartSource<'a>,
    lfs: Lfs,
    set: &'a ChangeSet,
    scope: Scope,
    texts: Vec<ChangeText>,
}

impl<'a> ChangePart<'a> {
    pub(super) fn new(
        source: PartSource<'a>,
        set: &'a ChangeSet,
        refs: &[NamedRef],
        scope: Scope,
    ) -> Self {
        let new = set.items.iter().filter(|item| item.is_new);
        let names: BTreeSet<&[u8]> =
            new.flat_map(|item| folders(&item.path)).map(last_name).collect();
        let names = names.into_iter().map(|name| ChangeText::Name(name.to_vec()));
        let texts = names.chain(refs.iter().cloned().map(ChangeText::Ref)).collect();
        Self { lfs: Lfs::new(source.repository), source, set, scope, texts }
    }

    /// Pushes the blobs and the new names of the part.
    pub fn push(&self, sinks: &dyn Sinks) {
        let blobs = self.set.items.iter().filter_map(|item| item.blob).collect();
        let unread = self.blob_reader().push(blobs, sinks);
        self.report_lfs(&unread.lfs);
        self.report(unread);
        let mut sink = sinks.sink();
        for (number, text) in (0..).zip(&self.texts) {
            sink.blob(&Blob::whole(Origin::Text(number), text.bytes()));
        }
        self.place_issues();
    }

    /// Sets the places of the issues in the blobs, commits and tags of the part.
    fn place_issues(&self) {
        let wanted = self.source.run.objects_to_place(0);
        if wanted.is_empty() {
            return;
        }
        let is_wanted = |id: ObjectId, kind| wanted.contains(&(id, kind));
        let mut places = PlacesByObject::new();
        let mut trees = Trees::new(self.source.store);
        for item in &self.set.items {
            let Some(id) = item.blob.filter(|id| is_wanted(*id, Kind::Blob)) else { continue };
            let trace = item.commit.map(|commit| {
                let trace = Trace::clone(&self.set.commits[commit]);
                let mut has = |root| trees.blob_at(root, &item.path).is_ok_and(|it| it == Some(id));
                let in_head = self.set.heads.iter().any(&mut has);
                Arc::new(Trace { object: id, kind: Kind::Blob, in_head, ..trace })
            });
            let path = Some(below(&item.path).into());
            places.entry(id).or_default().push(IssuePlace { path, trace });
        }
        for trace in self.set.commits.iter().chain(&self.set.tags) {
            if is_wanted(trace.object, trace.kind) {
                let place = IssuePlace { path: None, trace: Some(Arc::clone(trace)) };
                places.entry(trace.object).or_default().push(place);
            }
        }
        self.source.run.place_objects(0, &places);
    }

    /// Reads the base's versions of the paths that hold tokens, and pushes them; `sightings` are those in
    /// the part. Without sightings, as in most changes, the base is not read.
    #[must_use]
    pub fn push_base(&self, sightings: &[Sighting], sinks: &dyn Sinks) -> Base {
        let new = ByBlob::new(sightings);
        let holds = |item: &&Item| item.blob.is_some_and(|id| !new.of(&id).is_empty());
        let holders: Vec<&Item> = self.set.items.iter().filter(holds).collect();
        let names: HashSet<&[u8]> = sightings.iter().filter_map(|it| self.name(it)).collect();
        let is_tag = |it: &Sighting| matches!(it.holder, Holder::Object(_, Kind::Tag));
        let has_tag = sightings.iter().any(is_tag);
        let tags = if has_tag { (self.source.old_tags)() } else { HashSet::new() };
        if holders.is_empty() && names.is_empty() {
            return Base { tags, ..Base::default() };
        }
        let own = holders.iter().flat_map(|item| [Some(&item.path), item.renamed_from.as_ref()]);
        let base = (self.source.base)(&own.flatten().map(Vec::as_slice).collect());
        let mut base = Base { tags, ..base };
        let old = holders.iter().flat_map(|item| &item.before).copied();
        let old = old.chain(base.versions.iter().map(|it| it.1)).collect();
        let run = self.source.run;
        let (reported, shaped) = (run.diagnostics_len(), run.tally.shaped.load(Ordering::Relaxed));
        let unread = self.blob_reader().push(old, sinks);
        // Only the issues and candidates of the change count.
        run.remove_objects(reported);
        run.tally.shaped.store(shaped, Ordering::Relaxed);
        self.report(unread);
        self.find_names(&names, &mut base);
        base
    }

    /// Finds the paths with these last components that the base has.
    fn find_names(&self, names: &HashSet<&[u8]>, base: &mut Base) {
        let mut trees = Trees::new(self.source.store);
        for item in self.set.items.iter().filter(|item| item.is_new && !names.is_empty()) {
            for path in folders(&item.path).filter(|path| names.contains(last_name(path))) {
                // If a tree of the base cannot be read, the name counts as new.
                let mut is_there = |root| trees.has(root, path).unwrap_or(false);
                if !base.names.contains(path) && base.roots.iter().any(&mut is_there) {
                    base.names.insert(path.to_vec());
                }
            }
        }
    }

    fn name(&self, sighting: &Sighting) -> Option<&[u8]> {
        let Holder::Text(number) = sighting.holder else { return None };
        match self.texts.get(number as usize)? {
            ChangeText::Name(name) => Some(name),
            ChangeText::Ref(_) => None,
        }
    }

    /// Returns the places of the tokens in the part; `new` are the sightings in the part, `old` those in
    /// the base.
    #[must_use]
    pub fn classify(&self, new: &[Sighting], base: &Base, old: &[Sighting]) -> Vec<Placement> {
        let Repository { work_tree, git_dir, .. } = self.source.repository;
        let top: PathBuf = work_tree.as_ref().unwrap_or(git_dir).components().collect();
        let (set, scope, texts) = (self.set, self.scope, &self.texts);
        let head = &self.head(new);
        Classification { set, scope, texts, new, base, old, head, top: &top }.classify()
    }

    /// Reads the head of the range at the paths that hold tokens.
    fn head(&self, sightings: &[Sighting]) -> Head<'_> {
        let new = ByBlob::new(sightings);
        let holds = |item: &&Item| item.blob.is_some_and(|id| !new.of(&id).is_empty());
        let contents = self.set.items.iter().filter(holds).map(|item| &item.path[..]).collect();
        let names: HashSet<&[u8]> = sightings.iter().filter_map(|it| self.name(it)).collect();
        let mut named = BTreeSet::new();
        if !names.is_empty() {
            let paths = self.set.items.iter().filter(|item| item.is_new);
            let paths = paths.flat_map(|item| folders(&item.path));
            named.extend(paths.filter(|path| names.contains(last_name(path))));
        }
        Head::read(self.set, &mut Trees::new(self.source.store), contents, named)
    }

    /// Reads the bytes of a holder. Returns `None` if they can no longer be read, which is reported, and
    /// for texts.
    pub fn read(&self, holder: Holder, reader: &mut Reader) -> Option<Content> {
        let id = holder.id()?;
        let report = |error: ReadError| self.report_object(UnreadBlob { id, source: error.into() });
        let (_, bytes) = self.source.store.read(&id, reader).map_err(report).ok()?;
        let Holder::Lfs(_) = holder else { return Some(Content::Blob(bytes)) };
        let object = self.lfs.open(&Pointer::parse(&bytes)?);
        let broken = |cause| ReadError::Broken { id, cause };
        object.map(Content::Lfs).map_err(|error| report(broken(error.into()))).ok()
    }

    fn blob_reader(&self) -> BlobReader<'_> {
        let PartSource { store, run, workers, .. } = self.source;
        BlobReader { store, lfs: &self.lfs, run, workers }
    }

    /// Reports blobs that cannot be read, those of the change at their paths.
    fn report(&self, unread: Unread) {
        let Unread { mut missing, errors, .. } = unread;
        if missing.is_empty() && errors.is_empty() {
            return;
        }
        let own: HashSet<ObjectId> = self.set.items.iter().filter_map(|item| item.blob).collect();
        if let (Some(range), Some(_)) = (self.source.fetch, missing.first()) {
            let command = fetch_command(&missing, &own, range);
            self.source.run.report(not_fetched(&missing, &command), Some(self.git_dir()));
            missing.clear();
        }
        let report = |id: ObjectId, issue: GitIssue| {
            let place = match own.contains(&id) {
                true => Place::Object(id, Kind::Blob),
                false => self.git_dir(),
            };
            self.source.run.report(issue, Some(place));
        };
        for object in missing {
            let source = ReadError::Missing(object).into();
            report(object, GitIssue::ObjectMissing { object, source });
        }
        for UnreadBlob { id, source } in errors {
            report(id, GitIssue::ObjectUnreadable { object: Some(id), source });
        }
    }

    fn git_dir(&self) -> Place {
        self.source.repository.git_dir.clone().into()
    }

    fn report_object(&self, UnreadBlob { id, source }: UnreadBlob) {
        let issue = GitIssue::ObjectUnreadable { object: Some(id), source };
        self.source.run.report(issue, Some(self.git_dir()));
    }

    /// Reports the Git LFS objects of the change that cannot be read.
    fn report_lfs(&self, unread: &HashMap<ObjectId, Arc<LfsError>>) {
        if unread.is_empty() {
            return;
        }
        for item in &self.set.items {
            let Some(error) = item.blob.and_then(|id| unread.get(&id)) else { continue };
            let (oid, source) = (error.oid().to_owned(), Arc::clone(error).into());
            let issue = match **error {
                LfsError::Missing(_) | LfsError::Size { .. } => Issue::LfsMissing { oid, source },
                LfsError::Read { .. } => GitIssue::LfsUnreadable { oid, source }.into(),
            };
            self.source.run.report(issue, Some(below(&item.path)));
        }
    }
}
