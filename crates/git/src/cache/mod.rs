//! The incremental cache of one repository: the objects that an earlier scan read, and its results.
//!
//! Input: the repository's part of the state file, and the sightings in the objects that it lists, which
//! are searched again. Output: the placements of the earlier scan, if nothing has changed since; after a
//! scan, the new state. Nothing is searched here.

mod file;
mod known;
mod known_issue;
mod known_place;

pub use file::State;
pub(super) use known::{Holders, Known, KnownShaped, pack_name};
pub(super) use known_issue::KnownGap;

use super::commits::describe;
use super::lfs::{Lfs, Pointer};
use super::numbers::ObjectNo;
use super::repo::Repository;
use super::store::Store;
use super::tree_path::join;
use ddpatrol_detect::redact::Redactor;
use ddpatrol_pack::{ObjectId, Reader};
use ddpatrol_scan::commit::Commit;
use ddpatrol_scan::finding::{HeldObject, Part, Removed, Trace};
use ddpatrol_scan::issue_object::{IssuePlace, PlacesByObject};
use ddpatrol_scan::place::Place;
use ddpatrol_scan::sighting::{Holder, Placement, ShapedSighting, Sighting, TokenKey, TokenNo};
use ddpatrol_scan::{Diagnostic, Run};
use known::{KnownObject, KnownToken, pack_names};
use known_issue::KnownIssue;
use known_place::KnownPlace;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

/// Returns the key of a token.
pub type KeyOf<'a> = &'a dyn Fn(TokenNo) -> TokenKey;

/// The results of a scan.
pub(super) struct Read<'a> {
    pub(super) store: &'a Store,
    /// The loose objects that were read; others may have appeared since.
    pub(super) loose: &'a [(ObjectNo, ObjectId)],
    /// The Git LFS pointers in the history.
    pub(super) pointers: BTreeSet<Pointer>,
    pub(super) sightings: &'a [Sighting],
    /// The shaped matches in the objects that were searched.
    pub(super) shaped: &'a [ShapedSighting],
    pub(super) placements: &'a [Placement],
    /// The places of objects with issues.
    pub(super) issue_places: &'a PlacesByObject,
}

/// A key that most places do not share: the object, the path and the commit.
type PlaceKey<'a> = (ObjectId, Option<&'a Place>, Option<ObjectId>);

/// The cache of one repository.
pub(super) struct Cache<'a> {
    pub(super) state: &'a State,
    pub(super) redactor: &'a Redactor,
    pub(super) repository: &'a Repository,
    pub(super) root: &'a Place,
}

impl<'a> Cache<'a> {
    fn name(&self) -> PathBuf {
        let common = &self.repository.common_dir;
        std::fs::canonicalize(common).unwrap_or_else(|_| common.clone())
    }

    /// Returns the state of an earlier scan; `None` if there was none, if it could not read the whole
    /// repository, or if an object with a shaped match no longer exists.
    pub(super) fn known(&self, store: &Store) -> Option<&'a Known> {
        let known = self.state.known(&self.name())?;
        (!known.refs.is_empty() && known.has_shaped(store)).then_some(known)
    }

    pub(super) fn forget(&self) {
        self.state.forget(&self.name());
    }

    /// Returns the stored places, if the repository is unchanged; `refs` is the digest of its references.
    pub(super) fn recall(&self, known: &'a Known, store: &Store, refs: &str) -> Option<Recall<'a>> {
        let places = known.places.as_deref()?;
        let issue_places = known.issue_places.as_deref()?;
        let is_old = |id: &ObjectId| known.loose.contains(&id.to_string()) || store.is_packed(id);
        let lfs = Lfs::new(self.repository);
        let is_here = |pointer: Pointer| lfs.path(&pointer).is_some();
        let is_unchanged = known.refs == refs
            && known.packs == pack_names(store)
            && store.loose(&mut |_| ()).iter().all(is_old)
            && !known.lacks_loose(store)
            && known.pointers().all(is_here);
        let (root, repository) = (self.root, self.repository);
        is_unchanged.then_some(Recall { known, places, issue_places, root, repository })
    }

    /// Reports the stored issues of objects that still exist and are not read again.
    pub(super) fn report_issues(known: &Known, store: &Store, run: &Run) {
        let exists = |issue: &&KnownIssue| issue.object().is_some_and(|id| store.has(&id));
        known.issues.iter().filter(exists).for_each(|issue| issue.report(run));
    }

    /// Converts the issues of this scan; `None` if one of them cannot be written to a state.
    pub(super) fn issues(&self, issues: &[Diagnostic]) -> Option<BTreeSet<KnownIssue>> {
        let lasting = issues.iter().filter(|issue| issue.is_lasting());
        lasting.map(|issue| KnownIssue::new(self.redactor, issue)).collect()
    }

    /// Stores the results of a scan. Sightings in Git LFS objects are not stored, since every scan searches
    /// those objects.
    pub(super) fn remember(&self, found: Known, read: &Read<'_>, key_of: KeyOf<'_>) {
        let Read { store, loose, pointers, sightings, shaped, placements, issue_places } = read;
        // The numbers of tokens depend on the order in which workers found them.
        let mut objects: BTreeMap<TokenKey, Vec<KnownObject>> = BTreeMap::new();
        let mut keys: HashMap<TokenNo, TokenKey> = HashMap::new();
        for sighting in *sightings {
            if let Some(object) = sighting.object() {
                let key = *keys.entry(sighting.token).or_insert_with(|| key_of(sighting.token));
                objects.entry(key).or_default().push(KnownObject::new(&object));
            }
        }
        let indices: HashMap<TokenKey, usize> =
            objects.keys().enumerate().map(|(at, &key)| (key, at)).collect();
        let numbers: HashMap<TokenNo, usize> = keys
            .into_iter()
            .filter_map(|(token, key)| Some((token, *indices.get(&key)?)))
            .collect();
        let known_token = |(key, objects)| {
            let TokenKey { rule, fingerprint } = key;
            KnownToken { rule, fingerprint, objects }
        };
        let known = Known {
            packs: pack_names(store),
            loose: loose.iter().map(|(_, id)| id.to_string()).collect(),
            pointers: pointers.iter().map(|it| (it.oid().to_owned(), it.size())).collect(),
            places: self.places(placements, &numbers),
            issue_places: self.issue_places(issue_places, &found.issues),
            tokens: objects.into_iter().map(known_token).collect(),
            shaped: merge_shaped(&found.shaped, shaped),
            ..found
        };
        self.state.remember(&self.name(), known);
    }

    /// Returns the bytes of a path below the folder of the repository.
    fn below<'b>(&self, place: &'b Place) -> &'b [u8] {
        let path = place.below(self.root).unwrap_or_else(|| place.own_path());
        path.as_os_str().as_encoded_bytes()
    }

    /// Converts the places of objects with issues; `None` if one of them cannot be written without a
    /// secret.
    fn issue_places(
        &self,
        places: &PlacesByObject,
        issues: &BTreeSet<KnownIssue>,
    ) -> Option<Vec<KnownPlace>> {
        let objects: BTreeSet<ObjectId> = issues.iter().filter_map(KnownIssue::object).collect();
        let of = |id| places.get(&id).into_iter().flatten();
        let known = |place: &IssuePlace| {
            let path = place.path.as_ref().map(|path| self.below(path));
            KnownPlace::new(self.redactor, Part::Content, path, place.trace.as_deref()?)
        };
        objects.into_iter().flat_map(of).map(known).collect()
    }

    /// Converts placements; `None` if one of them cannot be written without a secret. Tokens in the
    /// same object at the same path share an entry.
    fn places(
        &self,
        placements: &[Placement],
        numbers: &HashMap<TokenNo, usize>,
    ) -> Option<Vec<KnownPlace>> {
        let mut places: Vec<(KnownPlace, &Trace)> = Vec::new();
        let mut by_place: HashMap<PlaceKey<'_>, Vec<usize>> = HashMap::new();
        for placement in placements {
            let Holder::Object(id, _) = placement.holder else { continue };
            let (Some(trace), Some(&token)) = (&placement.trace, numbers.get(&placement.token))
            else {
                continue;
            };
            let commit = trace.introduced.as_ref().map(|commit| commit.id);
            let same = by_place.entry((id, placement.path.as_ref(), commit)).or_default();
            let is_it =
                |at: &&usize| places[**at].1 == &**trace && places[**at].0.is_part(placement.part);
            if let Some(&at) = same.iter().find(is_it) {
                places[at].0.tokens.insert(token);
                continue;
            }
            let path = placement.path.as_ref().map(|path| self.below(path));
            let mut place = KnownPlace::new(self.redactor, placement.part, path, trace)?;
            place.tokens.insert(token);
            same.push(places.len());
            places.push((place, trace));
        }
        Some(places.into_iter().map(|(place, _)| place).collect())
    }
}

/// The places of an unchanged repository, as an earlier scan stored them.
pub struct Recall<'a> {
    known: &'a Known,
    places: &'a [KnownPlace],
    issue_places: &'a [KnownPlace],
    root: &'a Place,
    repository: &'a Repository,
}

/// The results of an earlier scan that still apply.
#[derive(Default)]
pub struct Recalled {
    /// The objects that hold each token.
    pub objects: Vec<(TokenNo, HeldObject)>,
    /// The places of the tokens.
    pub placements: Vec<Placement>,
    /// The issues in objects.
    pub(super) issues: Vec<Diagnostic>,
}

impl Recall<'_> {
    /// Returns the objects to search again, since a state does not contain the tokens.
    pub(super) fn holders(&self) -> Holders {
        let first = self.known.tokens.iter().filter_map(|token| token.objects.first());
        let ids = first.map(|it| &it.id).chain(self.places.iter().map(|it| &it.object));
        let objects = ids.filter_map(|id| id.parse().ok()).collect();
        Holders { objects, ..self.known.holders() }
    }

    /// Compares the sightings in [`Recall::holders`] with the state, and returns the results of the
    /// earlier scan; `None` if something differs.
    pub(super) fn resolve(
        &self,
        sightings: &[Sighting],
        store: &Store,
        key_of: KeyOf<'_>,
    ) -> Option<Recalled> {
        let mut found: HashMap<ObjectId, HashMap<TokenKey, &Sighting>> = HashMap::new();
        for sighting in sightings {
            if let Holder::Object(id, _) = sighting.holder {
                found.entry(id).or_default().insert(key_of(sighting.token), sighting);
            }
        }
        let mut recalled = Recalled::default();
        for known in &self.known.tokens {
            let objects: Vec<HeldObject> =
                known.objects.iter().map(KnownObject::read).collect::<Option<_>>()?;
            let sighting = found.get(&objects.first()?.id)?.get(&known.key())?;
            for object in objects {
                let sighted = found.get(&object.id);
                if sighted.is_some_and(|it| !is_same(it.get(&known.key()), &object)) {
                    return None;
                }
                recalled.objects.push((sighting.token, object));
            }
        }
        let mut commits = Commits { store, reader: Reader::default(), known: HashMap::new() };
        for place in self.places {
            let (id, kind) = place.object()?;
            let trace = Arc::new(self.trace(
                place,
                Trace::new(self.repository.reported_path(), id, kind),
                &mut commits,
            )?);
            let path = place.path().ok()?.map(|path| join(self.root, &path));
            for &token in &place.tokens {
                let sighting = found.get(&id)?.get(&self.known.tokens.get(token)?.key())?;
                recalled.placements.push(Placement {
                    path: path.clone(),
                    trace: Some(Arc::clone(&trace)),
                    ..Placement::of(sighting, place.part()?)
                });
            }
        }
        // Placements in the same object are consecutive, so that the object is read once.
        recalled.placements.sort_by_key(|it| it.holder);
        recalled.issues = self.issues(&mut commits)?;
        Some(recalled)
    }

    /// Returns the issues of the earlier scan, with the places of their objects.
    fn issues(&self, commits: &mut Commits<'_>) -> Option<Vec<Diagnostic>> {
        let mut places = PlacesByObject::new();
        for place in self.issue_places {
            let (id, kind) = place.object()?;
            let trace = Trace::new(self.repository.reported_path(), id, kind);
            let trace = self.trace(place, trace, commits)?;
            let path = place.path().ok()?.map(|path| join(self.root, &path));
            let place = IssuePlace { path, trace: Some(Arc::new(trace)) };
            places.entry(id).or_default().push(place);
        }
        let issues = self.known.issues.iter().map(|issue| {
            let mut diagnostic = issue.diagnostic();
            if let Some(places) = issue.object().and_then(|id| places.get(&id)) {
                diagnostic.place(places);
            }
            diagnostic
        });
        Some(issues.collect())
    }

    /// Repeats the issues about missing objects of the earlier scan.
    pub(super) fn report(&self, run: &Run) {
        let Known { gaps, .. } = self.known;
        run.note(format!(
            "nothing is new in {} since the state was written",
            self.root.path().display()
        ));
        gaps.iter().for_each(|gap| run.report(gap.issue(), Some(self.root)));
    }

    fn trace(&self, place: &KnownPlace, empty: Trace, commits: &mut Commits<'_>) -> Option<Trace> {
        let introduced = match &place.introduced {
            Some(id) => Some(commits.get(id)?),
            None => None,
        };
        let first = place.removed.iter().map(|id| commits.get(id)).collect::<Option<Vec<_>>>()?;
        Some(Trace {
            introduced,
            at_boundary: place.at_boundary,
            removed: Removed { first: Arc::new(first), total: place.removed_total },
            in_head: place.in_head,
            reachable: place.reachable,
            refs: place.refs.iter().map(|name| name.clone().into_bytes()).collect(),
            refs_total: place.refs_total,
            order: place.date,
            ..empty
        })
    }
}

/// Adds the shaped matches of this scan to those of an earlier one; of each, the object with the smallest id
/// is kept.
fn merge_shaped(old: &BTreeSet<KnownShaped>, new: &[ShapedSighting]) -> BTreeSet<KnownShaped> {
    let old = old.iter().filter_map(|it| Some((it.key(), it.object()?)));
    let mut merged: BTreeMap<TokenKey, ObjectId> = BTreeMap::new();
    for (key, object) in old.chain(new.iter().map(|it| (it.key, it.object))) {
        let smallest = merged.entry(key).or_insert(object);
        *smallest = object.min(*smallest);
    }
    merged.into_iter().map(|(key, object)| KnownShaped::new(key, object)).collect()
}

/// Returns `true` if a sighting has the same object and spans as the state.
fn is_same(sighting: Option<&&Sighting>, known: &HeldObject) -> bool {
    sighting.and_then(|it| it.object()).is_some_and(|object| object == *known)
}

/// Descriptions of commits, each read once.
struct Commits<'a> {
    store: &'a Store,
    reader: Reader,
    known: HashMap<ObjectId, Arc<Commit>>,
}

impl Commits<'_> {
    fn get(&mut self, id: &str) -> Option<Arc<Commit>> {
        let id: ObjectId = id.parse().ok()?;
        if let Some(known) = self.known.get(&id) {
            return Some(Arc::clone(known));
        }
        let (_, bytes) = self.store.read(&id, &mut self.reader).ok()?;
        let commit = Arc::new(describe(id, &bytes));
        self.known.insert(id, Arc::clone(&commit));
        Some(commit)
    }
}
