//! Finds where tokens came in: which commit, at which path, and what became of them.
//!
//! It works on the set of all blobs that hold a token: a commit brings the token to a path if its
//! tree has such a blob there and no parent's tree does; it takes it away if a parent's does and
//! its own does not. From the links that were kept while the objects were read follows which trees
//! can hold such blobs; only these are read again ([`hot`]), and only they are compared between
//! commits and their parents ([`compare`]).

mod compare;
mod hot;
mod place;

use super::catalog::NONE;
use super::commits::{Graph, describe};
use super::objects::{Means, Objects};
use super::repo::{Ref, Refs, Repository};
use super::store::Store;
use crate::finding::{Part, Span, Trace};
use crate::source::{Gap, Held, Run, Traced, Visitors};
use compare::Compare;
use ddpatrol_pack::{Kind, ObjectId, Reader};
use hot::{Hot, marked};
use place::Placer;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

/// How many references are named for a place.
const MOST_REFS: usize = 10;
/// How many missing objects are named.
const MOST_NAMED: usize = 3;

/// What is needed to trace tokens.
pub(super) struct Locator<'a> {
    pub(super) repository: &'a Repository,
    pub(super) root: &'a Path,
    pub(super) store: &'a Store,
    pub(super) objects: &'a Objects,
    pub(super) refs: &'a Refs,
    pub(super) shallow: &'a [ObjectId],
    pub(super) visitors: &'a dyn Visitors,
    pub(super) run: &'a Run,
    pub(super) means: Means,
}

/// The commits and what the references reach of them.
struct History {
    graph: Graph,
    /// The commit of each reference, in the order in which they are to be named.
    tips: Vec<Option<u32>>,
    names: Vec<Vec<u8>>,
    reachable: Vec<bool>,
    head: Option<u32>,
}

/// Tokens by the object that holds them, in ascending order, and where they are in it.
type ByObject = HashMap<u32, Vec<(u32, Arc<[Span]>)>>;
/// Tokens in names by the tree that holds them, in ascending order of their offsets.
type ByTree = HashMap<u32, Vec<(u64, u32)>>;

impl Locator<'_> {
    fn number(&self, id: &ObjectId) -> Option<u32> {
        self.objects.catalog.find(id.as_bytes())
    }

    fn history(&self) -> History {
        let mut graph_nodes = self.objects.links.nodes.clone();
        // What was missing when a commit was read may have appeared since.
        let late: HashMap<u32, ()> =
            self.objects.links.missing.iter().map(|&(_, from)| (from, ())).collect();
        let mut reader = Reader::default();
        for node in graph_nodes.iter_mut().filter(|node| late.contains_key(&node.number)) {
            let id = self.objects.catalog.id(node.number);
            let bytes = id.and_then(|id| self.store.read(&id, &mut reader).ok());
            let links = bytes.and_then(|(_, bytes)| super::commits::links(&bytes));
            if let Some(links) = links {
                let catalog = &self.objects.catalog;
                let mut found = links.ids().map(|id| catalog.find(id));
                *node = super::commits::Node::new(node.number, &links, &mut found, &mut |_| {});
            }
        }
        let graph = Graph::new(graph_nodes, self.objects.catalog.len());
        let mut list: Vec<&Ref> = self.refs.list.iter().collect();
        list.sort_by(|a, b| (importance(&a.name), &a.name).cmp(&(importance(&b.name), &b.name)));
        let find = |id: &ObjectId| graph.find(self.number(id)?);
        let tips: Vec<Option<u32>> =
            list.iter().map(|it| it.commit.as_ref().and_then(find)).collect();
        let head = self.refs.head.as_ref().and_then(find);
        let reachable = graph.reachable(tips.iter().flatten().copied().chain(head));
        let names = list.iter().map(|it| it.name.clone()).collect();
        History { graph, tips, names, reachable, head }
    }

    /// Tells of objects that others name and that are not there; returns what was said of those that
    /// cannot be.
    pub(super) fn missing(&self, is_partial: bool) -> Vec<String> {
        let is_missing = |(id, _): &&(ObjectId, u32)| {
            self.number(id).is_none() && !self.objects.broken.iter().any(|it| it.0 == Some(*id))
        };
        let mut from: BTreeMap<ObjectId, Vec<u32>> = BTreeMap::new();
        for &(id, parent) in self.objects.links.missing.iter().filter(is_missing) {
            from.entry(id).or_default().push(parent);
        }
        // A shallow clone names the parents of the commits where it begins.
        let boundary: BTreeSet<u32> =
            self.shallow.iter().filter_map(|id| self.number(id)).collect();
        from.retain(|_, parents| !parents.iter().all(|parent| boundary.contains(parent)));
        if from.is_empty() {
            return Vec::new();
        }
        let named: Vec<String> = from.keys().take(MOST_NAMED).map(ToString::to_string).collect();
        let more = if from.len() > MOST_NAMED { ", …" } else { "" };
        let (count, named) = (from.len(), format!("{}{more}", named.join(", ")));
        let objects = if count == 1 { "object" } else { "objects" };
        let (kind, message) = if is_partial {
            let what = "this is a partial clone: it was promised";
            (Gap::Opaque, format!("{what} {count} {objects} that it never fetched ({named})"))
        } else if self.is_reachable(from.values().flatten().copied()) {
            (Gap::Unread, format!("{count} {objects} missing ({named}); `git fsck` tells more"))
        } else {
            let what = "that only unreachable history names";
            (Gap::Opaque, format!("{count} {objects} {what} missing ({named})"))
        };
        self.run.report(kind, Some(self.root.to_owned()), message.clone());
        vec![message]
    }

    /// Tells whether a reference may reach one of these objects.
    fn is_reachable(&self, objects: impl Iterator<Item = u32>) -> bool {
        let marks = marked(self.objects, objects);
        let History { graph, reachable, .. } = self.history();
        let is_marked = |number: u32| number != NONE && marks.has(number);
        (0..graph.len())
            .any(|at| reachable[at] && (is_marked(graph.numbers[at]) || is_marked(graph.trees[at])))
            || self.refs.list.iter().any(|it| self.number(&it.target).is_some_and(is_marked))
    }

    /// Finds the places of all tokens that the objects hold; returns what they hold.
    pub(super) fn locate(&self) -> Vec<Held> {
        let held = self.visitors.take_held();
        if held.is_empty() {
            return held;
        }
        let history = self.history();
        let (mut blobs, mut trees) = (ByObject::new(), ByTree::new());
        for Held { token, object } in &held {
            let Some(number) = self.number(&object.id) else { continue };
            let spans = &object.spans;
            match object.kind {
                Kind::Blob => {
                    blobs.entry(number).or_default().push((*token, Arc::clone(spans)));
                }
                Kind::Tree => {
                    let names = spans.iter().map(|span| (span.offset, *token));
                    trees.entry(number).or_default().extend(names);
                }
                Kind::Commit | Kind::Tag => {}
            }
        }
        trees.values_mut().for_each(|names| names.sort_unstable());
        let reader = &mut Reader::default();
        self.locate_messages(&held, &history, reader);
        if blobs.is_empty() && trees.is_empty() {
            return held;
        }
        let hot = Hot::find(self, &blobs, &trees);
        let changes = Compare::new(&hot, &history.graph, &blobs).run(history.head);
        let placer = Placer {
            locator: self,
            changes: &changes,
            hot: &hot,
            history: &history,
            blobs: &blobs,
        };
        placer.run(reader);
        self.place_lone(&hot.lone(&history.graph.trees), &blobs, &trees, reader);
        held
    }

    /// Finds the places in commits and tags that hold tokens themselves.
    fn locate_messages(&self, held: &[Held], history: &History, reader: &mut Reader) {
        let mut messages: BTreeMap<ObjectId, Vec<&Held>> = BTreeMap::new();
        for it in held.iter().filter(|it| matches!(it.object.kind, Kind::Commit | Kind::Tag)) {
            messages.entry(it.object.id).or_default().push(it);
        }
        let commit_of = |id: &ObjectId| history.graph.find(self.number(id)?);
        let mut commits: Vec<u32> = messages.keys().filter_map(commit_of).collect();
        commits.sort_unstable();
        let lists = history.graph.reached_by(&commits, &history.tips);
        let head = history.head.filter(|_| !commits.is_empty());
        let in_head = head.map(|head| history.graph.reachable([head])).unwrap_or_default();
        for (id, tokens) in messages {
            if self.run.is_interrupted() {
                return;
            }
            let Ok((_, bytes)) = self.store.read(&id, reader) else { continue };
            let kind = tokens[0].object.kind;
            let described = Arc::new(describe(id, &bytes));
            let mut trace = self.trace(id, kind);
            let part = if kind == Kind::Commit {
                let commit = commit_of(&id);
                if let Some((commit, at)) =
                    commit.zip(commit.and_then(|it| commits.binary_search(&it).ok()))
                {
                    self.fill(&mut trace, commit, &lists[at], history);
                    trace.in_head = in_head.get(commit as usize).is_some_and(|it| *it);
                }
                trace.introduced = Some(described);
                Part::Commit
            } else {
                self.name_tags(&mut trace, id);
                trace.date = described.committer.time;
                Part::Tag
            };
            let trace = Arc::new(trace);
            let place = Traced { path: None, part, trace: Some(&trace), standing: None };
            let mut opened = self.visitors.open(&bytes);
            for it in tokens {
                opened.place(it.token, &offsets(&it.object.spans), &place);
            }
        }
    }

    fn trace(&self, object: ObjectId, kind: Kind) -> Trace {
        Trace {
            repository: self.repository.told().to_owned(),
            object,
            kind,
            introduced: None,
            at_boundary: false,
            removed: Vec::new(),
            in_head: false,
            reachable: false,
            refs: Vec::new(),
            refs_total: 0,
            date: 0,
        }
    }

    /// Fills in which references point to an object, or to a tag that leads to it.
    fn name_tags(&self, trace: &mut Trace, object: ObjectId) {
        let mut leading = vec![object];
        let mut at = 0;
        while let Some(&target) = leading.get(at) {
            let tags = self.objects.links.tags.iter().filter(|(_, it)| *it == target);
            let tags: Vec<_> = tags.filter_map(|&(tag, _)| self.objects.catalog.id(tag)).collect();
            tags.into_iter().for_each(|tag| {
                if !leading.contains(&tag) {
                    leading.push(tag);
                }
            });
            at += 1;
        }
        let names: Vec<_> =
            self.refs.list.iter().filter(|name| leading.contains(&name.target)).collect();
        trace.refs = names.iter().map(|name| name.name.clone()).take(MOST_REFS).collect();
        trace.refs_total = names.len();
        trace.reachable = !names.is_empty();
    }

    fn fill(&self, trace: &mut Trace, commit: u32, tips: &[u32], history: &History) {
        trace.reachable = history.reachable[commit as usize];
        trace.refs_total = tips.len();
        let name = |&tip: &u32| history.names[tip as usize].clone();
        trace.refs = tips.iter().take(MOST_REFS).map(name).collect();
        if trace.reachable && tips.is_empty() {
            // A detached HEAD is no reference, but it keeps what it reaches.
            (trace.refs, trace.refs_total) = (vec![b"HEAD".to_vec()], 1);
        }
        trace.date = history.graph.dates[commit as usize];
        let number = history.graph.numbers[commit as usize];
        let id = self.objects.catalog.id(number);
        trace.at_boundary = id.is_some_and(|id| self.shallow.contains(&id));
    }

    /// Finds the places in objects that hold tokens and that no commit holds.
    fn place_lone(
        &self,
        lone: &dyn Fn(u32) -> bool,
        blobs: &ByObject,
        trees: &ByTree,
        reader: &mut Reader,
    ) {
        for (&number, tokens) in blobs.iter().filter(|(number, _)| lone(**number)) {
            let Some((bytes, trace)) = self.read_lone(number, Kind::Blob, reader) else { continue };
            let (part, trace) = (Part::Content, Some(&trace));
            let place = Traced { path: None, part, trace, standing: None };
            let mut opened = self.visitors.open(&bytes);
            for (token, spans) in tokens {
                opened.place(*token, &offsets(spans), &place);
            }
        }
        for (&number, names) in trees.iter().filter(|(number, _)| lone(**number)) {
            let Some((bytes, trace)) = self.read_lone(number, Kind::Tree, reader) else { continue };
            let (part, trace) = (Part::Name, Some(&trace));
            let place = Traced { path: None, part, trace, standing: None };
            let mut entries = super::EntryFinder::new(&bytes, self.repository.hash.len());
            for &(offset, token) in names {
                let Some(entry) = entries.around(offset as usize) else { continue };
                let offset = offset - entry.name_start() as u64;
                self.visitors.open(entry.name).place(token, &[offset], &place);
            }
        }
    }

    /// Reads an object that no commit holds, and describes where it is.
    fn read_lone(
        &self,
        number: u32,
        kind: Kind,
        reader: &mut Reader,
    ) -> Option<(Vec<u8>, Arc<Trace>)> {
        let id = self.objects.catalog.id(number)?;
        let (_, bytes) = self.store.read(&id, reader).ok()?;
        let mut trace = self.trace(id, kind);
        self.name_tags(&mut trace, id);
        Some((bytes, Arc::new(trace)))
    }
}

/// Lists the offsets of spans.
fn offsets(spans: &[Span]) -> Vec<u64> {
    spans.iter().map(|span| span.offset).collect()
}

/// Branches are named before tags, tags before what others have.
fn importance(name: &[u8]) -> u8 {
    let starts = |prefix: &str| name.starts_with(prefix.as_bytes());
    match () {
        () if starts("refs/heads/") => 0,
        () if starts("refs/tags/") => 1,
        () if starts("refs/remotes/") => 2,
        () => 3,
    }
}
