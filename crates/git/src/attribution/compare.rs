//! Compares every commit with its parents, along the entries that lead to tokens only.
//!
//! Input: the graph of commits, the candidate trees, and the sightings in blobs. Output: which commit
//! introduced or removed which token at which path. Nothing is read here.

use super::super::commits::Graph;
use super::super::numbers::{CommitNo, ObjectNo};
use super::candidate_trees::{Candidate, CandidateTrees, Child};
use super::held::{BlobSightings, NameMatch};
use ddpatrol_scan::sighting::TokenNo;
use std::collections::{HashMap, HashSet};

/// A token that a commit introduced at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IntroducedToken {
    pub(super) token: TokenNo,
    pub(super) commit: CommitNo,
    pub(super) path: u32,
    /// The last component of the path.
    pub(super) name: u32,
    /// Where the token is in the name; `None` if it is in the content.
    pub(super) in_name: Option<NameMatch>,
    /// The blob that holds the token, or the tree that holds the name.
    pub(super) holder: ObjectNo,
}

impl IntroducedToken {
    pub(super) fn key(&self) -> Key {
        Key { token: self.token, path: self.path, part: PathPart::of(self.in_name.as_ref()) }
    }
}

/// The part of a path that holds a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum PathPart {
    Content,
    Name,
}

impl PathPart {
    /// Returns the part of a token that is in a name, or not.
    fn of(in_name: Option<&NameMatch>) -> Self {
        if in_name.is_some() { Self::Name } else { Self::Content }
    }
}

/// A token at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) token: TokenNo,
    pub(super) path: u32,
    pub(super) part: PathPart,
}

/// The changes of all commits.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) introduced: Vec<IntroducedToken>,
    /// The commits that removed a token from a path.
    pub(super) removed: HashMap<Key, Vec<CommitNo>>,
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

    /// Returns the bytes of a path, with `/` between its components.
    pub(super) fn path_bytes(&self, path: u32, trees: &CandidateTrees) -> Vec<u8> {
        let parts: Vec<&[u8]> =
            self.paths[path as usize].iter().map(|&it| trees.name(it)).collect();
        parts.join(&b'/')
    }
}

/// Compares commits.
pub(super) struct Compare<'a> {
    trees: &'a CandidateTrees,
    graph: &'a Graph,
    blobs: &'a BlobSightings<'a>,
    changes: Changes,
}

/// A token at a path below a tree that other trees do not have at the same path.
struct Only {
    token: TokenNo,
    name: u32,
    child: Child,
    holder: ObjectNo,
}

impl<'a> Compare<'a> {
    pub(super) fn new(
        trees: &'a CandidateTrees,
        graph: &'a Graph,
        blobs: &'a BlobSightings<'a>,
    ) -> Self {
        Self { trees, graph, blobs, changes: Changes::default() }
    }

    /// Compares all commits with their parents; `head` is the one that is checked out.
    pub(super) fn run(mut self, head: Option<CommitNo>) -> Changes {
        let roots: Vec<Option<ObjectNo>> =
            self.graph.commits().map(|commit| self.candidate_tree(commit)).collect();
        for commit in self.graph.commits() {
            let own = roots[commit.index()];
            let parents = self.graph.parents(commit).iter().map(|it| roots[it.index()]);
            if parents.clone().all(|parent| parent == own) && parents.len() > 0 {
                continue;
            }
            let parents: Vec<Option<ObjectNo>> = parents.collect();
            if own.is_some() && !parents.contains(&own) {
                self.introduced(commit, own, &parents);
            }
            for &parent in parents.iter().filter(|&&it| it.is_some() && it != own) {
                self.removed(commit, parent, own);
            }
        }
        if let Some(tree) = head.and_then(|head| roots[head.index()]) {
            for key in self.keys(Some(tree), &[]) {
                self.changes.in_head.insert(key);
            }
        }
        self.changes
    }

    /// Returns the tree that represents the root tree of a commit, if tokens are below it.
    fn candidate_tree(&self, commit: CommitNo) -> Option<ObjectNo> {
        self.trees.representative(self.graph.trees[commit.index()]?)
    }

    fn introduced(
        &mut self,
        commit: CommitNo,
        own: Option<ObjectNo>,
        parents: &[Option<ObjectNo>],
    ) {
        let mut found = Vec::new();
        self.only(own, parents, &mut Vec::new(), &mut |path, it| found.push((path.to_vec(), it)));
        for (path, Only { token, name, child, holder }) in found {
            let path = self.changes.path(&path);
            let in_name = child.in_name().copied();
            self.changes.introduced.push(IntroducedToken {
                token,
                commit,
                path,
                name,
                in_name,
                holder,
            });
        }
    }

    fn removed(&mut self, commit: CommitNo, parent: Option<ObjectNo>, own: Option<ObjectNo>) {
        for key in self.keys(parent, &[own]) {
            let commits = self.changes.removed.entry(key).or_default();
            if commits.last() != Some(&commit) {
                commits.push(commit);
            }
        }
    }

    /// Lists the tokens at paths below `tree` that none of `others` has there.
    fn keys(&mut self, tree: Option<ObjectNo>, others: &[Option<ObjectNo>]) -> Vec<Key> {
        let mut found = Vec::new();
        self.only(tree, others, &mut Vec::new(), &mut |path, it| found.push((path.to_vec(), it)));
        let key = |(path, it): (Vec<u32>, Only)| {
            let part = PathPart::of(it.child.in_name());
            Key { token: it.token, path: self.changes.path(&path), part }
        };
        found.into_iter().map(key).collect()
    }

    /// Calls `on_only` for every token below `tree` that none of `others` has at the same path.
    fn only(
        &self,
        tree: Option<ObjectNo>,
        others: &[Option<ObjectNo>],
        path: &mut Vec<u32>,
        on_only: &mut dyn FnMut(&[u32], Only),
    ) {
        let Some(tree) = tree else { return };
        let others: Vec<&[Candidate]> =
            others.iter().flatten().map(|&other| self.trees.entries(other)).collect();
        for entry in self.trees.entries(tree) {
            if others.iter().any(|other| other.binary_search(entry).is_ok()) {
                continue;
            }
            let same_name = |other: &&'a [Candidate]| {
                let first = other.partition_point(|it| it.name < entry.name);
                other[first..]
                    .iter()
                    .take_while(|it| it.name == entry.name)
                    .map(|it| it.child)
                    .collect::<Vec<Child>>()
            };
            let there: Vec<Child> = others.iter().flat_map(same_name).collect();
            path.push(entry.name);
            let mut add = |token, holder| {
                on_only(path, Only { token, name: entry.name, child: entry.child, holder });
            };
            match entry.child {
                Child::Blob(blob) => {
                    let is_there = |token| there.iter().any(|it| self.holds(*it, token));
                    for sighting in self.blobs.of(blob) {
                        if !is_there(sighting.token) {
                            add(sighting.token, blob);
                        }
                    }
                }
                Child::Name(found) => {
                    let same =
                        |it: &Child| matches!(it, Child::Name(it) if it.token == found.token);
                    if !there.iter().any(same) {
                        add(found.token, tree);
                    }
                }
                Child::Tree(child) => {
                    let trees: Vec<Option<ObjectNo>> = there
                        .iter()
                        .filter_map(|it| match it {
                            Child::Tree(tree) => Some(Some(*tree)),
                            Child::Blob(_) | Child::Name(_) => None,
                        })
                        .collect();
                    self.only(Some(child), &trees, path, on_only);
                }
            }
            path.pop();
        }
    }

    fn holds(&self, child: Child, token: TokenNo) -> bool {
        match child {
            Child::Blob(blob) => self.blobs.find(blob, token).is_some(),
            Child::Tree(_) | Child::Name(_) => false,
        }
    }
}

#[cfg(test)]
mod tests;
