//! Finds which commit introduced a token at which path, and which commits removed it.
//!
//! Input: the objects that hold tokens, and the links between objects. A commit introduces a token at
//! a path if its tree has such a blob there and no parent's tree does; it removes the token if a
//! parent's tree has one and its own does not. The links show which trees can hold such blobs. Only
//! these are read again ([`tree_reader`]), and only they are compared between commits and their
//! parents ([`compare`]). Output: locations, to the visitors. Tokens are not searched for here.

mod compare;
mod history;
mod holders;
mod hot;
mod locator;
mod marks;
mod place;
mod trace;
mod tree_reader;

pub(super) use locator::Locator;

use super::catalog::NONE;
use super::commits::describe;
use crate::finding::Part;
use crate::source::{Code, Gap, Held, Traced};
use compare::Compare;
use ddpatrol_pack::{Kind, ObjectId, Reader};
use history::History;
use holders::{ByObject, ByTree, offsets};
use marks::marked;
use place::Placer;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use trace::Tracer;

/// Maximum number of missing objects named.
const MOST_NAMED: usize = 3;

impl Locator<'_> {
    /// Reports objects that others name and that are missing; returns the messages.
    pub(super) fn missing(&self, is_partial: bool) -> Vec<(Code, String)> {
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
        let (kind, code, message) = if is_partial {
            let what = "this is a partial clone: it was promised";
            let message = format!("{what} {count} {objects} that it never fetched ({named})");
            (Gap::Opaque, Code::PartialClone, message)
        } else if self.is_reachable(from.values().flatten().copied()) {
            (
                Gap::Unread,
                Code::ObjectMissing,
                format!("{count} {objects} missing ({named}); `git fsck` tells more"),
            )
        } else {
            let what = "that only unreachable history names";
            (
                Gap::Opaque,
                Code::ObjectMissing,
                format!("{count} {objects} {what} missing ({named})"),
            )
        };
        self.run.report(kind, code, Some(self.root.to_owned()), message.clone());
        vec![(code, message)]
    }

    /// Returns `true` if a reference may reach one of these objects.
    fn is_reachable(&self, objects: impl Iterator<Item = u32>) -> bool {
        let marks = marked(self.objects, objects);
        let History { graph, reachable, .. } = History::new(self);
        let is_marked = |number: u32| number != NONE && marks.has(number);
        (0..graph.len())
            .any(|at| reachable[at] && (is_marked(graph.numbers[at]) || is_marked(graph.trees[at])))
            || self.refs.list.iter().any(|it| self.number(&it.target).is_some_and(is_marked))
    }

    /// Adds the locations of all tokens in objects; returns the tokens of each object, without objects
    /// of Git LFS.
    pub(super) fn locate(&self) -> Vec<Held> {
        let held = self.visitors.take_held();
        if held.is_empty() && self.lfs.held.is_empty() {
            return held;
        }
        let history = History::new(self);
        let tracer = Tracer { locator: self, history: &history };
        let (mut blobs, mut trees) = (ByObject::new(), ByTree::new());
        for Held { token, object } in held.iter().chain(&self.lfs.held) {
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
        self.locate_messages(&held, tracer, reader);
        if blobs.is_empty() && trees.is_empty() {
            return held;
        }
        let hot = tree_reader::find(self, &blobs, &trees);
        let changes = Compare::new(&hot, &history.graph, &blobs).run(history.head);
        let placer = Placer {
            locator: self,
            changes: &changes,
            hot: &hot,
            history: &history,
            blobs: &blobs,
        };
        placer.run(reader);
        placer.run_lone(&trees, reader);
        held
    }

    /// Adds the locations in commits and tags that hold tokens themselves.
    fn locate_messages(&self, held: &[Held], tracer: Tracer<'_>, reader: &mut Reader) {
        let history = tracer.history;
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
            let mut trace = tracer.new_trace(id, kind);
            let part = if kind == Kind::Commit {
                let commit = commit_of(&id);
                if let Some((commit, at)) =
                    commit.zip(commit.and_then(|it| commits.binary_search(&it).ok()))
                {
                    tracer.fill(&mut trace, commit, &lists[at]);
                    trace.in_head = in_head.get(commit as usize).is_some_and(|it| *it);
                }
                trace.introduced = Some(described);
                Part::Commit
            } else {
                tracer.name_tags(&mut trace, id);
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
}
