//! The commits of a repository, and which of them its references reach.
//!
//! Input: the links of commits that were collected while the objects were read. Output: their graph.
//! Trees are not read.

use super::super::commits::{self, Graph, Node};
use super::super::numbers::{CommitNo, ObjectNo};
use super::super::repo::Ref;
use super::attributor::Attributor;
use ddpatrol_pack::{ObjectId, Reader};
use std::collections::HashMap;

/// The commits, and which of them the references reach.
pub(super) struct CommitHistory {
    pub(super) graph: Graph,
    /// The commit of each reference, most important reference first.
    pub(super) tips: Vec<Option<CommitNo>>,
    /// The names of the references, in the same order.
    pub(super) names: Vec<Vec<u8>>,
    /// For each commit: whether a reference or HEAD reaches it.
    pub(super) reachable: Vec<bool>,
    /// The commit that is checked out.
    pub(super) head: Option<CommitNo>,
}

impl CommitHistory {
    /// Builds the graph. Commits that named missing objects are read again.
    pub(super) fn new(attributor: &Attributor<'_>) -> Self {
        // An object that was missing when a commit was read may have appeared since.
        let late: HashMap<ObjectNo, ()> =
            attributor.objects.links.missing.iter().map(|&(_, from)| (from, ())).collect();
        let mut reader = Reader::default();
        let mut nodes: Vec<&Node> = attributor.objects.links.nodes.iter().collect();
        let mut again: HashMap<usize, Node> = HashMap::new();
        let is_late = |(_, node): &(usize, &&Node)| late.contains_key(&node.number);
        for (at, node) in nodes.iter().enumerate().filter(|it| !late.is_empty() && is_late(it)) {
            let id = attributor.objects.index.id(node.number);
            let bytes = id.and_then(|id| attributor.store.read(&id, &mut reader).ok());
            let links = bytes.and_then(|(_, bytes)| commits::links(&bytes));
            if let Some(links) = links {
                let index = &attributor.objects.index;
                let mut found = links.ids().map(|id| index.find(id));
                again.insert(at, Node::new(node.number, &links, &mut found, &mut |_| {}));
            }
        }
        again.iter().for_each(|(&at, node)| nodes[at] = node);
        let graph = Graph::new(nodes, attributor.objects.index.len());
        let mut list: Vec<&Ref> = attributor.refs.list.iter().collect();
        list.sort_by(|a, b| (importance(&a.name), &a.name).cmp(&(importance(&b.name), &b.name)));
        let find = |id: &ObjectId| graph.find(attributor.number(id)?);
        let tips: Vec<Option<CommitNo>> =
            list.iter().map(|it| it.commit.as_ref().and_then(find)).collect();
        let head = attributor.refs.head.as_ref().and_then(find);
        let reachable = graph.reachable(tips.iter().flatten().copied().chain(head));
        let names = list.iter().map(|it| it.name.clone()).collect();
        Self { graph, tips, names, reachable, head }
    }
}

/// Returns the rank of a reference: branches first, then tags, then remote-tracking references.
fn importance(name: &[u8]) -> u8 {
    let starts = |prefix: &str| name.starts_with(prefix.as_bytes());
    match () {
        () if starts("refs/heads/") => 0,
        () if starts("refs/tags/") => 1,
        () if starts("refs/remotes/") => 2,
        () => 3,
    }
}
