//! The trees below which tokens are, and the entries that lead to them.
//!
//! Input: entries of trees that may lead to a token. Output: those that do. Trees are not read here.

use super::super::numbers::ObjectNo;
use super::held::NameMatch;
use super::marks::Marks;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// The object that an entry leads to, or the token in its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Child {
    /// A tree below which a token is.
    Tree(ObjectNo),
    /// A blob that holds tokens.
    Blob(ObjectNo),
    /// The name itself, which holds a token at this offset.
    Name(NameMatch),
}

impl Child {
    /// Returns the token in the name; `None` for trees and blobs.
    pub(super) fn in_name(&self) -> Option<&NameMatch> {
        match self {
            Self::Name(found) => Some(found),
            Self::Tree(_) | Self::Blob(_) => None,
        }
    }
}

/// An entry that leads to a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    pub(super) name: u32,
    pub(super) child: Child,
}

/// All trees below which tokens are.
#[derive(Debug, Default)]
pub(super) struct CandidateTrees {
    trees: HashMap<ObjectNo, Range<usize>>,
    entries: Vec<Candidate>,
    names: Vec<Vec<u8>>,
}

impl CandidateTrees {
    /// Merges what the workers have found; `len` is the number of all objects.
    pub(super) fn new(parts: Vec<WorkerTrees>, len: usize) -> Self {
        let mut all = Self::default();
        let mut names: HashMap<Vec<u8>, u32> = HashMap::new();
        for part in parts {
            let numbers: Vec<u32> = part
                .names
                .into_iter()
                .map(|name| {
                    let next = names.len() as u32;
                    *names.entry(name).or_insert(next)
                })
                .collect();
            for (tree, range) in part.trees {
                let start = all.entries.len();
                let entries = part.entries[range].iter();
                all.entries
                    .extend(entries.map(|it| Candidate { name: numbers[it.name as usize], ..*it }));
                all.trees.insert(tree, start..all.entries.len());
            }
        }
        all.names = vec![Vec::new(); names.len()];
        names.into_iter().for_each(|(name, at)| all.names[at as usize] = name);
        all.prune(len);
        all
    }

    /// Removes the entries that lead to no token.
    fn prune(&mut self, len: usize) {
        let mut marks = Marks::new(len);
        let mut grows = true;
        while grows {
            grows = false;
            for (&tree, range) in &self.trees {
                let leads = |entry: &Candidate| match entry.child {
                    Child::Tree(child) => marks.has(child),
                    Child::Blob(_) | Child::Name(_) => true,
                };
                if !marks.has(tree) && self.entries[range.clone()].iter().any(leads) {
                    grows |= marks.add(tree);
                }
            }
        }
        let mut entries = Vec::new();
        let mut trees = HashMap::new();
        for (&tree, range) in self.trees.iter().filter(|(tree, _)| marks.has(**tree)) {
            let start = entries.len();
            let leads = |entry: &&Candidate| match entry.child {
                Child::Tree(child) => marks.has(child),
                Child::Blob(_) | Child::Name(_) => true,
            };
            entries.extend(self.entries[range.clone()].iter().filter(leads));
            entries[start..].sort_unstable();
            trees.insert(tree, start..entries.len());
        }
        (self.entries, self.trees) = (entries, trees);
    }

    /// Returns the entries of a tree that lead to a token, sorted by the number of
    /// their name.
    pub(super) fn entries(&self, tree: ObjectNo) -> &[Candidate] {
        self.trees.get(&tree).map_or(&[], |range| &self.entries[range.clone()])
    }

    pub(super) fn has(&self, tree: ObjectNo) -> bool {
        self.trees.contains_key(&tree)
    }

    pub(super) fn name(&self, name: u32) -> &[u8] {
        &self.names[name as usize]
    }

    /// Returns a test for objects to which none of the root trees `roots` leads.
    pub(super) fn unreachable(&self, roots: &[Option<ObjectNo>]) -> impl Fn(ObjectNo) -> bool {
        let mut reached = HashSet::new();
        let mut open: Vec<ObjectNo> = roots.iter().copied().flatten().collect();
        while let Some(tree) = open.pop() {
            if !self.has(tree) || !reached.insert(tree) {
                continue;
            }
            for entry in self.entries(tree) {
                match entry.child {
                    Child::Tree(child) => open.push(child),
                    Child::Blob(blob) => {
                        reached.insert(blob);
                    }
                    Child::Name(_) => {}
                }
            }
        }
        move |number| !reached.contains(&number)
    }
}

/// The entries that one worker has found.
#[derive(Default)]
pub(super) struct WorkerTrees {
    trees: Vec<(ObjectNo, Range<usize>)>,
    entries: Vec<Candidate>,
    names: Vec<Vec<u8>>,
    numbers: HashMap<Vec<u8>, u32>,
}

impl WorkerTrees {
    /// Returns the number of a name among those of this worker.
    pub(super) fn name(&mut self, name: &[u8]) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = self.names.len() as u32;
        self.names.push(name.to_vec());
        self.numbers.insert(name.to_vec(), number);
        number
    }

    /// Adds the entries of a tree that may lead to a token.
    pub(super) fn add(&mut self, tree: ObjectNo, entries: impl Iterator<Item = Candidate>) {
        let start = self.entries.len();
        self.entries.extend(entries);
        self.trees.push((tree, start..self.entries.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ddpatrol_detect::encoding::Encoding;
    use ddpatrol_scan::sighting::TokenNo;

    fn no(index: u32) -> ObjectNo {
        ObjectNo::new(index)
    }

    fn worker_trees(trees: &[(u32, &[(&str, Child)])]) -> WorkerTrees {
        let mut part = WorkerTrees::default();
        for &(tree, entries) in trees {
            let entries: Vec<Candidate> = entries
                .iter()
                .map(|&(name, child)| Candidate { name: part.name(name.as_bytes()), child })
                .collect();
            part.add(no(tree), entries.into_iter());
        }
        part
    }

    fn names(all: &CandidateTrees, tree: u32) -> Vec<&[u8]> {
        all.entries(no(tree)).iter().map(|entry| all.name(entry.name)).collect()
    }

    #[test]
    fn entries_that_lead_to_no_token_are_removed() {
        let root: &[_] = &[("docs", Child::Tree(no(2))), ("src", Child::Tree(no(1)))];
        let all = CandidateTrees::new(
            vec![worker_trees(&[
                (0, root),
                (1, &[("key", Child::Blob(no(3)))]),
                (2, &[("a", Child::Tree(no(4)))]),
            ])],
            5,
        );
        assert_eq!(names(&all, 0), [b"src"]);
        assert_eq!(names(&all, 1), [b"key"]);
        assert!(!all.has(no(2)) && !all.has(no(4)));
    }

    #[test]
    fn a_name_has_one_number_whichever_worker_found_it() {
        let name = Child::Name(NameMatch {
            offset: 0,
            token: TokenNo(7),
            len: 78,
            encoding: Encoding::PLAIN,
        });
        let one =
            worker_trees(&[(0, &[("other", Child::Blob(no(2))), ("same", Child::Blob(no(3)))])]);
        let two = worker_trees(&[(1, &[("same", name)])]);
        let all = CandidateTrees::new(vec![one, two], 4);
        let same =
            all.entries(no(0)).iter().find(|entry| entry.child == Child::Blob(no(3))).unwrap();
        assert_eq!(all.entries(no(1)), [Candidate { name: same.name, child: name }]);
    }

    #[test]
    fn objects_that_no_root_tree_leads_to_are_unreachable() {
        let trees: &[(u32, &[_])] = &[
            (0, &[("src", Child::Tree(no(1)))]),
            (1, &[("key", Child::Blob(no(3)))]),
            (2, &[("old", Child::Blob(no(4)))]),
        ];
        let all = CandidateTrees::new(vec![worker_trees(trees)], 5);
        let roots = [Some(no(0)), None];
        let unreachable = all.unreachable(&roots);
        assert_eq!((0..5).filter(|&it| unreachable(no(it))).collect::<Vec<u32>>(), [2, 4]);
    }
}
