//! Compares every commit with its parents, along the entries that lead to tokens only.

use super::super::catalog::NONE;
use super::super::commits::Graph;
use super::holders::ByObject;
use super::hot::{Child, Hot, HotEntry};
use std::collections::{HashMap, HashSet};

/// A token that a commit brought to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) token: u32,
    pub(super) commit: u32,
    pub(super) path: u32,
    /// The last component of the path.
    pub(super) name: u32,
    /// Whether the token stands in the name.
    pub(super) is_name: bool,
    /// Its offset in the name, if it does.
    pub(super) offset: u64,
    /// The blob that holds the token, or the tree that holds the name.
    pub(super) holder: u32,
}

/// A token at a path: in the content, or in the name.
pub(super) type Key = (u32, u32, bool);

/// What all commits did.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) introduced: Vec<Change>,
    pub(super) removed: HashMap<Key, Vec<u32>>,
    pub(super) in_head: HashSet<Key>,
    paths: Vec<Vec<u32>>,
    by_path: HashMap<Vec<u32>, u32>,
}

impl Changes {
    fn path(&mut self, components: &[u32]) -> u32 {
        if let Some(&path) = self.by_path.get(components) {
            return path;
        }
        let path = self.paths.len() as u32;
        self.paths.push(components.to_vec());
        self.by_path.insert(components.to_vec(), path);
        path
    }

    /// Spells a path.
    pub(super) fn spell(&self, path: u32, hot: &Hot) -> Vec<u8> {
        let parts: Vec<&[u8]> = self.paths[path as usize].iter().map(|&it| hot.name(it)).collect();
        parts.join(&b'/')
    }
}

/// Compares commits.
pub(super) struct Compare<'a> {
    hot: &'a Hot,
    graph: &'a Graph,
    blobs: &'a ByObject,
    changes: Changes,
}

/// A token that stands below one tree and below none of others.
struct Only {
    token: u32,
    name: u32,
    child: Child,
    holder: u32,
}

impl<'a> Compare<'a> {
    pub(super) fn new(hot: &'a Hot, graph: &'a Graph, blobs: &'a ByObject) -> Self {
        Self { hot, graph, blobs, changes: Changes::default() }
    }

    /// Compares all commits with their parents; `head` is the one that is checked out.
    pub(super) fn run(mut self, head: Option<u32>) -> Changes {
        for commit in 0..self.graph.len() as u32 {
            let own = self.hot_tree(commit);
            let parents: Vec<Option<u32>> =
                self.graph.parents(commit).iter().map(|&it| self.hot_tree(it)).collect();
            if own.is_some() && !parents.contains(&own) {
                self.introduced(commit, own, &parents);
            }
            for &parent in parents.iter().filter(|&&it| it.is_some() && it != own) {
                self.removed(commit, parent, own);
            }
        }
        if let Some(tree) = head.and_then(|head| self.hot_tree(head)) {
            let mut found = Vec::new();
            self.only(Some(tree), &[], &mut Vec::new(), &mut |path, it| {
                found.push((it.token, path.to_vec(), is_name(it.child)));
            });
            for (token, path, is_name) in found {
                let path = self.changes.path(&path);
                self.changes.in_head.insert((token, path, is_name));
            }
        }
        self.changes
    }

    fn hot_tree(&self, commit: u32) -> Option<u32> {
        let tree = self.graph.trees[commit as usize];
        (tree != NONE && self.hot.has(tree)).then_some(tree)
    }

    fn introduced(&mut self, commit: u32, own: Option<u32>, parents: &[Option<u32>]) {
        let mut found = Vec::new();
        self.only(own, parents, &mut Vec::new(), &mut |path, it| found.push((path.to_vec(), it)));
        for (path, Only { token, name, child, holder }) in found {
            let path = self.changes.path(&path);
            let offset = match child {
                Child::Name { offset, .. } => u64::from(offset),
                Child::Tree(_) | Child::Blob(_) => 0,
            };
            let is_name = is_name(child);
            let change = Change { token, commit, path, name, is_name, offset, holder };
            self.changes.introduced.push(change);
        }
    }

    fn removed(&mut self, commit: u32, parent: Option<u32>, own: Option<u32>) {
        let mut found = Vec::new();
        self.only(parent, &[own], &mut Vec::new(), &mut |path, it| {
            found.push((it.token, path.to_vec(), is_name(it.child)));
        });
        for (token, path, is_name) in found {
            let path = self.changes.path(&path);
            let commits = self.changes.removed.entry((token, path, is_name)).or_default();
            if commits.last() != Some(&commit) {
                commits.push(commit);
            }
        }
    }

    /// Calls `on_only` for every token below `tree` that stands at that path below none of `others`.
    fn only(
        &self,
        tree: Option<u32>,
        others: &[Option<u32>],
        path: &mut Vec<u32>,
        on_only: &mut dyn FnMut(&[u32], Only),
    ) {
        let Some(tree) = tree else { return };
        let others: Vec<&[HotEntry]> =
            others.iter().flatten().map(|&other| self.hot.entries(other)).collect();
        for entry in self.hot.entries(tree) {
            if others.iter().any(|other| other.binary_search(entry).is_ok()) {
                continue;
            }
            let same_name = |other: &&'a [HotEntry]| {
                let first = other.partition_point(|it| it.name < entry.name);
                other[first..]
                    .iter()
                    .take_while(|it| it.name == entry.name)
                    .map(|it| it.child)
                    .collect::<Vec<Child>>()
            };
            let there: Vec<Child> = others.iter().flat_map(same_name).collect();
            path.push(entry.name);
            let mut tell = |token, holder| {
                on_only(path, Only { token, name: entry.name, child: entry.child, holder });
            };
            match entry.child {
                Child::Blob(blob) => {
                    let is_there = |token| there.iter().any(|it| self.holds(*it, token));
                    for &(token, _) in self.blobs.get(&blob).into_iter().flatten() {
                        if !is_there(token) {
                            tell(token, blob);
                        }
                    }
                }
                Child::Name { token, .. } => {
                    let same =
                        |it: &Child| matches!(it, Child::Name { token: it, .. } if *it == token);
                    if !there.iter().any(same) {
                        tell(token, tree);
                    }
                }
                Child::Tree(child) => {
                    let trees: Vec<Option<u32>> = there
                        .iter()
                        .filter_map(|it| match it {
                            Child::Tree(tree) => Some(Some(*tree)),
                            Child::Blob(_) | Child::Name { .. } => None,
                        })
                        .collect();
                    self.only(Some(child), &trees, path, on_only);
                }
            }
            path.pop();
        }
    }

    fn holds(&self, child: Child, token: u32) -> bool {
        match child {
            Child::Blob(blob) => {
                let tokens = self.blobs.get(&blob).map_or(&[][..], Vec::as_slice);
                tokens.binary_search_by_key(&token, |(it, _)| *it).is_ok()
            }
            Child::Tree(_) | Child::Name { .. } => false,
        }
    }
}

fn is_name(child: Child) -> bool {
    matches!(child, Child::Name { .. })
}
