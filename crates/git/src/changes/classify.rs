//! Classifies the tokens of a change as new, moved or preexisting.
//!
//! Input: the versions of paths that a change introduces, those of its base, and the sightings in both.
//! Output: placements. Nothing is read or searched here.

use super::super::tree_path::below;
use super::by_blob::ByBlob;
use super::head::{BothSides, Head};
use super::set::{Base, ChangeSet, ChangeText, Item, Scope, folders, last_name};
use ddpatrol_pack::{Kind, ObjectId};
use ddpatrol_scan::finding::{ChangeStatus, Part, Trace};
use ddpatrol_scan::sighting::{Holder, Placement, Sighting, TokenNo};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// The input of the classification.
pub(super) struct Classification<'a> {
    pub(super) set: &'a ChangeSet,
    pub(super) scope: Scope,
    /// The texts to which the numbers of [`Holder::Text`] refer.
    pub(super) texts: &'a [ChangeText],
    /// The sightings in the change.
    pub(super) new: &'a [Sighting],
    pub(super) base: &'a Base,
    /// The sightings in the versions of the base, and in the versions that the change replaces.
    pub(super) old: &'a [Sighting],
    /// The head of the change.
    pub(super) head: &'a Head<'a>,
    /// The folder that names of references are reported at.
    pub(super) top: &'a Path,
}

impl Classification<'_> {
    /// Returns the places of the tokens.
    pub(super) fn classify(&self) -> Vec<Placement> {
        let mut placements = self.messages();
        self.contents(&mut placements);
        for sighting in self.new {
            let Holder::Text(number) = sighting.holder else { continue };
            match self.texts.get(number as usize) {
                Some(ChangeText::Name(name)) => self.names(name, sighting, &mut placements),
                Some(ChangeText::Ref(reference)) => placements.push(Placement {
                    name: Some(reference.name.clone()),
                    path: Some(self.top.into()),
                    change_status: Some(reference.change_status.clone()),
                    ..Placement::of(sighting, Part::Ref)
                }),
                None => {}
            }
        }
        placements
    }

    /// Places the tokens in commits and tags, which are new with them.
    fn messages(&self) -> Vec<Placement> {
        let traces = self.set.commits.iter().chain(&self.set.tags);
        let traces: HashMap<(ObjectId, Kind), &Arc<Trace>> =
            traces.map(|trace| ((trace.object, trace.kind), trace)).collect();
        let place = |sighting: &Sighting| {
            let Holder::Object(id, kind) = sighting.holder else { return None };
            let part = match kind {
                Kind::Commit => Part::Commit,
                // A tag of the other side may point to this one.
                Kind::Tag if self.base.tags.contains(&id) => return None,
                Kind::Tag => Part::Tag,
                Kind::Tree | Kind::Blob => return None,
            };
            Some(Placement {
                trace: Some(Arc::clone(traces.get(&(id, kind))?)),
                change_status: Some(self.scope.apply(ChangeStatus::New)),
                ..Placement::of(sighting, part)
            })
        };
        self.new.iter().filter_map(place).collect()
    }

    fn contents(&self, placements: &mut Vec<Placement>) {
        let (new, old) = (ByBlob::new(self.new), ByBlob::new(self.old));
        let sides = BothSides { set: self.set, new: &new, old: &old };
        let mut paths: HashMap<TokenNo, Vec<&[u8]>> = HashMap::new();
        for (path, id) in &self.base.versions {
            old.of(id).iter().for_each(|it| paths.entry(it.token).or_default().push(path));
        }
        for item in &self.set.items {
            let Some(blob) = &item.blob else { continue };
            for sighting in new.of(blob) {
                let change_status = change_status(item, paths.get(&sighting.token));
                let had = item.before.iter().any(|id| old.holds(id, sighting.token));
                // An earlier commit of the range introduced the token. It is reported there.
                if had && change_status == ChangeStatus::New {
                    continue;
                }
                let trace = self.trace(item).map(|trace| {
                    let trace = Trace { object: *blob, kind: Kind::Blob, ..Trace::clone(trace) };
                    let mut trace = Trace { in_head: false, ..trace };
                    self.head.complete_content(&mut trace, &item.path, sighting.token, &sides);
                    Arc::new(trace)
                });
                placements.push(self.at(
                    item,
                    trace,
                    change_status,
                    Placement::of(sighting, Part::Content),
                ));
            }
        }
    }

    /// Places a token in a name at every new path that has the name.
    fn names(&self, name: &[u8], sighting: &Sighting, placements: &mut Vec<Placement>) {
        for item in self.set.items.iter().filter(|item| item.is_new) {
            let paths = folders(&item.path).filter(|path| last_name(path) == name);
            for path in paths.filter(|path| !self.base.names.contains(*path)) {
                let trace = self.trace(item).map(|trace| {
                    let mut trace = Trace { kind: Kind::Tree, ..Trace::clone(trace) };
                    self.head.complete_name(&mut trace, path, self.set);
                    Arc::new(trace)
                });
                let placement =
                    Placement { name: Some(name.to_vec()), ..Placement::of(sighting, Part::Name) };
                placements.push(self.at(item, trace, ChangeStatus::New, placement));
            }
        }
    }

    fn trace(&self, item: &Item) -> Option<&Arc<Trace>> {
        item.commit.map(|commit| &self.set.commits[commit])
    }

    fn at(
        &self,
        item: &Item,
        trace: Option<Arc<Trace>>,
        change_status: ChangeStatus,
        placement: Placement,
    ) -> Placement {
        Placement {
            path: Some(below(&item.path).into()),
            trace,
            change_status: Some(self.scope.apply(change_status)),
            ..placement
        }
    }
}

/// Classifies a token of an item; `paths` are the paths at which the base has the token.
fn change_status(item: &Item, paths: Option<&Vec<&[u8]>>) -> ChangeStatus {
    let Some(paths) = paths else { return ChangeStatus::New };
    let own = [Some(&item.path[..]), item.renamed_from.as_deref()];
    if paths.iter().any(|&path| own.contains(&Some(path))) {
        return ChangeStatus::Preexisting;
    }
    let first = paths.iter().min().copied().unwrap_or_default();
    ChangeStatus::Moved(below(first))
}

#[cfg(test)]
mod tests {
    use super::super::set::NamedRef;
    use super::*;
    use ddpatrol_detect::encoding::Encoding;
    use ddpatrol_scan::sighting::EncodedSpan;

    const TOKEN: TokenNo = TokenNo(0);

    fn id(number: u8) -> ObjectId {
        ObjectId::from_bytes(&[number; 20]).unwrap()
    }

    fn sighting(holder: Holder) -> Sighting {
        let span = EncodedSpan { offset: 3, len: 78, encoding: Encoding::PLAIN };
        Sighting { token: TOKEN, holder, spans: Arc::new([span]), is_in_members: false }
    }

    fn in_blob(number: u8) -> Sighting {
        sighting(Holder::Object(id(number), Kind::Blob))
    }

    /// A version of `path` that is new in the change.
    fn item(path: &str, blob: u8) -> Item {
        Item {
            path: path.into(),
            blob: Some(id(blob)),
            before: Vec::new(),
            renamed_from: None,
            is_new: true,
            commit: None,
        }
    }

    fn base(versions: &[(&str, u8)]) -> Base {
        let version = |&(path, blob): &(&str, u8)| (path.as_bytes().to_vec(), id(blob));
        Base { versions: versions.iter().map(version).collect(), ..Base::default() }
    }

    struct Case {
        set: ChangeSet,
        scope: Scope,
        texts: Vec<ChangeText>,
        new: Vec<Sighting>,
        base: Base,
        old: Vec<Sighting>,
    }

    impl Case {
        fn new(items: Vec<Item>, new: Vec<Sighting>, base: Base, old: Vec<Sighting>) -> Self {
            let set = ChangeSet { items, ..ChangeSet::default() };
            Self { set, scope: Scope::Judged, texts: Vec::new(), new, base, old }
        }

        /// Returns the places as `path status`, with the part unless it is the content.
        fn classified(&self) -> Vec<String> {
            let Self { set, scope, texts, new, base, old } = self;
            let top = Path::new("top");
            let head = &Head::default();
            let all = Classification { set, scope: *scope, texts, new, base, old, head, top };
            let places = all.classify().into_iter().map(|it| {
                let path =
                    it.path.map(|path| path.path().display().to_string()).unwrap_or_default();
                let part = if it.part == Part::Content { "" } else { it.part.name() };
                format!("{path} {:?} {part}", it.change_status.unwrap()).trim().to_owned()
            });
            places.collect()
        }
    }

    #[test]
    fn a_token_that_the_base_does_not_have_is_new() {
        let case = Case::new(vec![item("a", 1)], vec![in_blob(1)], base(&[("b", 2)]), Vec::new());
        assert_eq!(case.classified(), ["a New"]);
    }

    #[test]
    fn a_token_that_the_base_has_at_the_path_is_preexisting() {
        let old = vec![in_blob(2)];
        let case = Case::new(vec![item("a", 1)], vec![in_blob(1)], base(&[("a", 2)]), old);
        assert_eq!(case.classified(), ["a Preexisting"]);
    }

    #[test]
    fn a_token_in_a_renamed_file_is_preexisting() {
        let renamed = Item { renamed_from: Some(b"b".to_vec()), ..item("a", 1) };
        let old = vec![in_blob(2)];
        let case = Case::new(vec![renamed], vec![in_blob(1)], base(&[("b", 2)]), old);
        assert_eq!(case.classified(), ["a Preexisting"]);
    }

    #[test]
    fn a_token_that_the_base_has_elsewhere_has_moved_from_the_first_path_there() {
        let old = vec![in_blob(2), in_blob(3)];
        let versions = base(&[("z", 2), ("b", 3)]);
        let case = Case::new(vec![item("a", 1)], vec![in_blob(1)], versions, old);
        assert_eq!(case.classified(), ["a Moved(\"b\")"]);
    }

    #[test]
    fn a_token_that_an_earlier_version_of_the_range_has_is_reported_there_only() {
        let later = Item { before: vec![id(1)], ..item("a", 2) };
        let new = vec![in_blob(1), in_blob(2)];
        let case = Case::new(vec![item("a", 1), later], new, Base::default(), vec![in_blob(1)]);
        assert_eq!(case.classified(), ["a New"]);
    }

    #[test]
    fn a_token_in_a_git_lfs_object_is_at_the_path_of_its_pointer() {
        let new = vec![sighting(Holder::Lfs(id(1)))];
        let case = Case::new(vec![item("a", 1)], new, Base::default(), Vec::new());
        assert_eq!(case.classified(), ["a New"]);
    }

    #[test]
    fn a_name_is_new_at_each_new_path_that_the_base_does_not_have() {
        let items = vec![
            item("dir/token/a", 1),
            item("token", 2),
            item("known/token", 3),
            Item { is_new: false, ..item("old/token", 4) },
        ];
        let mut case =
            Case::new(items, vec![sighting(Holder::Text(0))], Base::default(), Vec::new());
        case.texts = vec![ChangeText::Name(b"token".to_vec())];
        case.base.names.insert(b"known/token".to_vec());
        assert_eq!(case.classified(), ["dir/token/a New name", "token New name"]);
    }

    #[test]
    fn the_name_of_a_reference_is_at_the_top_with_its_own_status() {
        let mut case =
            Case::new(Vec::new(), vec![sighting(Holder::Text(0))], Base::default(), Vec::new());
        let reference =
            NamedRef { name: b"refs/heads/x".to_vec(), change_status: ChangeStatus::Preexisting };
        case.texts = vec![ChangeText::Ref(reference)];
        assert_eq!(case.classified(), ["top Preexisting ref"]);
    }

    #[test]
    fn messages_are_new_but_tags_that_the_other_side_has_are_not() {
        let trace = |number, kind| Arc::new(Trace::new(Path::new("repo").into(), id(number), kind));
        let new = vec![
            sighting(Holder::Object(id(1), Kind::Commit)),
            sighting(Holder::Object(id(2), Kind::Tag)),
            sighting(Holder::Object(id(3), Kind::Tag)),
        ];
        let mut case = Case::new(Vec::new(), new, Base::default(), Vec::new());
        case.set.commits = vec![trace(1, Kind::Commit)];
        case.set.tags = vec![trace(2, Kind::Tag), trace(3, Kind::Tag)];
        case.base.tags.insert(id(3));
        assert_eq!(case.classified(), ["New commit", "New tag"]);
        case.scope = Scope::AlsoUnpushed;
        assert_eq!(case.classified(), ["AlsoUnpushed commit", "AlsoUnpushed tag"]);
    }

    #[test]
    fn tokens_that_are_also_unpushed_are_so_unless_the_base_has_them() {
        let items = || vec![item("a", 1), item("b", 2)];
        let new = vec![in_blob(1), in_blob(2)];
        let mut case = Case::new(items(), new, base(&[("b", 3)]), vec![in_blob(3)]);
        case.scope = Scope::AlsoUnpushed;
        assert_eq!(case.classified(), ["a AlsoUnpushed", "b Preexisting"]);
    }
}
