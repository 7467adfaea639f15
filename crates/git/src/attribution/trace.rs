//! Builds the trace of an object: which references reach it, its date, and the boundary of a clone.
//!
//! The callers fill in which commits introduced and removed a token.

use super::super::numbers::CommitNo;
use super::attributor::Attributor;
use super::history::CommitHistory;
use ddpatrol_pack::{Kind, ObjectId};
use ddpatrol_scan::finding::Trace;

/// Maximum number of references named for a location.
const MOST_REFS: usize = 10;

/// Builds traces.
#[derive(Clone, Copy)]
pub(super) struct Tracer<'a> {
    pub(super) attributor: &'a Attributor<'a>,
    pub(super) history: &'a CommitHistory,
}

impl Tracer<'_> {
    /// Creates the trace of an object, without references and commits.
    pub(super) fn new_trace(&self, object: ObjectId, kind: Kind) -> Trace {
        Trace::new(self.attributor.repository.reported_path(), object, kind)
    }

    /// Fills in the references that point to an object, or to a tag that leads to it.
    pub(super) fn name_tags(&self, trace: &mut Trace, object: ObjectId) {
        let mut leading = vec![object];
        let mut at = 0;
        while let Some(&target) = leading.get(at) {
            let tags = self.attributor.objects.links.tags.iter().filter(|(_, it)| *it == target);
            let tags: Vec<_> =
                tags.filter_map(|&(tag, _)| self.attributor.objects.index.id(tag)).collect();
            tags.into_iter().for_each(|tag| {
                if !leading.contains(&tag) {
                    leading.push(tag);
                }
            });
            at += 1;
        }
        let names: Vec<_> = self
            .attributor
            .refs
            .list
            .iter()
            .filter(|name| leading.contains(&name.target))
            .collect();
        trace.refs = names.iter().map(|name| name.name.clone()).take(MOST_REFS).collect();
        trace.refs_total = names.len();
        trace.reachable = !names.is_empty();
    }

    /// Fills in the references that reach a commit, its date, and whether a shallow clone ends there.
    pub(super) fn fill(&self, trace: &mut Trace, commit: CommitNo, tips: &[u32]) {
        let Self { attributor, history } = self;
        trace.reachable = history.reachable[commit.index()];
        trace.refs_total = tips.len();
        let name = |&tip: &u32| history.names[tip as usize].clone();
        trace.refs = tips.iter().take(MOST_REFS).map(name).collect();
        if trace.reachable && tips.is_empty() {
            // A detached HEAD is no reference, but it keeps what it reaches.
            (trace.refs, trace.refs_total) = (vec![b"HEAD".to_vec()], 1);
        }
        trace.order = history.graph.dates[commit.index()];
        let number = history.graph.numbers[commit.index()];
        let id = attributor.objects.index.id(number);
        trace.at_boundary = id.is_some_and(|id| attributor.shallow.contains(&id));
    }
}
