//! The trees below which tokens are, and the entries that lead to them.
//!
//! Input: entries of trees that may lead to a token. Output: those that do. Trees are not read here.

use super::super::numbers::ObjectNo;
use super::held::NameMatch;
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Candidate {
    pub(super) name: u32,
    pub(super) child: Child,
}

/// All trees below which tokens are. Trees with the same entries that lead to tokens, at every level, are
/// represented by one of them; a tree with tokens in its names represents only itself.
#[derive(Debug, Default)]
pub(super) struct CandidateTrees {
    /// For each object: the tree that represents it, if it is a tree below which tokens are.
    representatives: Vec<Option<ObjectNo>>,
    /// The entries of each tree that represents others. Their children represent others, too.
    trees: HashMap<ObjectNo, Range<usize>>,
    entries: Vec<Candidate>,
    names: Vec<Vec<u8>>,
}

/// The state of a tree whose representative is determined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Visit {
    New,
    /// Its children are being visited.
    Open,
    /// It has this representative, if it leads to a token.
    Done(Option<ObjectNo>),
}

impl CandidateTrees {
    /// Takes the entries that may lead to tokens; `len` is the number of all objects.
    pub(super) fn new(mut builder: TreesBuilder, len: usize) -> Self {
        builder.sort_names();
        let mut by_tree: Vec<Option<u32>> = vec![None; len];
        (0..).zip(&builder.trees).for_each(|(at, (tree, _))| by_tree[tree.index()] = Some(at));
        let mut visits = Visits {
            builder: &builder,
            by_tree: &by_tree,
            states: vec![Visit::New; builder.trees.len()],
            classes: HashMap::new(),
            all: Self { representatives: vec![None; len], ..Self::default() },
        };
        (0..builder.trees.len()).for_each(|at| visits.visit(at));
        let all = visits.all;
        Self { names: builder.names, ..all }
    }

    /// Returns the tree that represents a tree; `None` if no token is below it.
    #[inline]
    pub(super) fn representative(&self, tree: ObjectNo) -> Option<ObjectNo> {
        self.representatives[tree.index()]
    }

    /// Returns the entries that lead to a token, sorted by the number of their name, of a tree that
    /// represents others.
    pub(super) fn entries(&self, tree: ObjectNo) -> &[Candidate] {
        self.trees.get(&tree).map_or(&[], |range| &self.entries[range.clone()])
    }

    pub(super) fn name(&self, name: u32) -> &[u8] {
        &self.names[name as usize]
    }

    /// Returns a test for objects to which none of the root trees `roots` leads.
    pub(super) fn unreachable(&self, roots: &[Option<ObjectNo>]) -> impl Fn(ObjectNo) -> bool {
        let mut reached = HashSet::new();
        let roots = roots.iter().flatten().filter_map(|&root| self.representative(root));
        for root in roots {
            let mut open = vec![root];
            while let Some(tree) = open.pop() {
                if !reached.insert(tree) {
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
        }
        move |number| !reached.contains(&number)
    }
}

/// Determines representatives, those of children first.
struct Visits<'a> {
    builder: &'a TreesBuilder,
    by_tree: &'a [Option<u32>],
    states: Vec<Visit>,
    /// The representative of each list of entries.
    classes: HashMap<Vec<Candidate>, ObjectNo>,
    all: CandidateTrees,
}

impl Visits<'_> {
    fn state(&self, tree: ObjectNo) -> Option<(usize, Visit)> {
        let at = self.by_tree[tree.index()]? as usize;
        Some((at, self.states[at]))
    }

    /// Determines the representatives of a tree and of all trees below it.
    fn visit(&mut self, at: usize) {
        let (mut open, mut own) = (vec![at], Vec::new());
        while let Some(&at) = open.last() {
            let (tree, range) = &self.builder.trees[at];
            let entries = &self.builder.entries[range.clone()];
            match self.states[at] {
                Visit::New => {
                    self.states[at] = Visit::Open;
                    for entry in entries {
                        if let Child::Tree(child) = entry.child
                            && let Some((child, Visit::New)) = self.state(child)
                        {
                            open.push(child);
                        }
                    }
                }
                Visit::Open => {
                    open.pop();
                    own.clear();
                    own.extend(entries.iter().filter_map(|entry| self.leading(entry)));
                    own.sort_unstable();
                    self.states[at] = Visit::Done(self.represent(*tree, &own));
                }
                Visit::Done(_) => {
                    open.pop();
                }
            }
        }
    }

    /// Replaces the child of an entry by its representative; `None` if the entry leads to no token.
    fn leading(&self, entry: &Candidate) -> Option<Candidate> {
        match entry.child {
            // Ids are not verified, so crafted trees can form a cycle. A tree within itself is ignored.
            Child::Tree(child) => match self.state(child)?.1 {
                Visit::Done(child) => Some(Candidate { child: Child::Tree(child?), ..*entry }),
                Visit::New | Visit::Open => None,
            },
            Child::Blob(_) | Child::Name(_) => Some(*entry),
        }
    }

    fn represent(&mut self, tree: ObjectNo, own: &[Candidate]) -> Option<ObjectNo> {
        if own.is_empty() {
            return None;
        }
        // A location names the tree that holds a name.
        let is_alone = own.iter().any(|entry| entry.child.in_name().is_some());
        let known = self.classes.get(own).copied().filter(|_| !is_alone);
        let representative = known.unwrap_or_else(|| {
            let start = self.all.entries.len();
            self.all.entries.extend_from_slice(own);
            self.all.trees.insert(tree, start..self.all.entries.len());
            if !is_alone {
                self.classes.insert(own.to_vec(), tree);
            }
            tree
        });
        self.all.representatives[tree.index()] = Some(representative);
        Some(representative)
    }
}

/// The entries that may lead to tokens.
#[derive(Default)]
pub(super) struct TreesBuilder {
    trees: Vec<(ObjectNo, Range<usize>)>,
    entries: Vec<Candidate>,
    names: Vec<Vec<u8>>,
    numbers: HashMap<Vec<u8>, u32>,
}

impl TreesBuilder {
    /// Returns the number of a name.
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
        if self.entries.len() > start {
            self.trees.push((tree, start..self.entries.len()));
        }
    }

    /// Numbers the names in their order, so that results do not depend on the order in which trees were
    /// read.
    fn sort_names(&mut self) {
        let mut order: Vec<u32> = (0..self.names.len() as u32).collect();
        order.sort_unstable_by_key(|&at| &self.names[at as usize]);
        let mut numbers = vec![0; order.len()];
        (0..).zip(&order).for_each(|(new, &old)| numbers[old as usize] = new);
        self.entries.iter_mut().for_each(|it| it.name = numbers[it.name as usize]);
        self.names.sort_unstable();
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

    fn candidate_trees(trees: &[(u32, &[(&str, Child)])], len: usize) -> CandidateTrees {
        let mut builder = TreesBuilder::default();
        for &(tree, entries) in trees {
            let entries: Vec<Candidate> = entries
                .iter()
                .map(|&(name, child)| Candidate { name: builder.name(name.as_bytes()), child })
                .collect();
            builder.add(no(tree), entries.into_iter());
        }
        CandidateTrees::new(builder, len)
    }

    fn in_name(token: u32) -> Child {
        let encoding = Encoding::PLAIN;
        Child::Name(NameMatch { offset: 0, token: TokenNo(token), len: 78, encoding })
    }

    fn names(all: &CandidateTrees, tree: u32) -> Vec<&[u8]> {
        all.entries(no(tree)).iter().map(|entry| all.name(entry.name)).collect()
    }

    #[test]
    fn entries_that_lead_to_no_token_are_removed() {
        let all = candidate_trees(
            &[
                (0, &[("docs", Child::Tree(no(2))), ("src", Child::Tree(no(1)))]),
                (1, &[("key", Child::Blob(no(3)))]),
                (2, &[("a", Child::Tree(no(4)))]),
            ],
            5,
        );
        assert_eq!(names(&all, 0), [b"src"]);
        assert_eq!(names(&all, 1), [b"key"]);
        assert_eq!([2, 4].map(|it| all.representative(no(it))), [None, None]);
    }

    #[test]
    fn names_are_numbered_in_their_order() {
        let all = candidate_trees(
            &[
                (0, &[("same", Child::Blob(no(3))), ("other", Child::Blob(no(2)))]),
                (1, &[("same", in_name(7))]),
            ],
            4,
        );
        assert_eq!(names(&all, 0), [&b"other"[..], b"same"]);
        assert_eq!(all.entries(no(1)), [Candidate { name: 1, child: in_name(7) }]);
    }

    #[test]
    fn trees_with_the_same_entries_below_have_one_representative() {
        let all = candidate_trees(
            &[
                (0, &[("src", Child::Tree(no(2)))]),
                (1, &[("src", Child::Tree(no(3)))]),
                (2, &[("key", Child::Blob(no(9)))]),
                (3, &[("key", Child::Blob(no(9)))]),
                (4, &[("lib", Child::Tree(no(3)))]),
            ],
            10,
        );
        assert!(all.representative(no(0)).is_some());
        assert_eq!(all.representative(no(0)), all.representative(no(1)));
        assert_eq!(all.representative(no(2)), all.representative(no(3)));
        assert_ne!(all.representative(no(0)), all.representative(no(4)));
    }

    #[test]
    fn a_tree_with_a_token_in_a_name_represents_only_itself() {
        let all = candidate_trees(&[(0, &[("key", in_name(1))]), (1, &[("key", in_name(1))])], 2);
        assert_eq!([0, 1].map(|it| all.representative(no(it))), [Some(no(0)), Some(no(1))]);
    }

    #[test]
    fn a_tree_within_itself_is_ignored() {
        let own: &[_] = &[("again", Child::Tree(no(0))), ("key", Child::Blob(no(1)))];
        let all = candidate_trees(&[(0, own)], 2);
        assert_eq!(names(&all, 0), [b"key"]);
    }

    #[test]
    fn objects_that_no_root_tree_leads_to_are_unreachable() {
        let trees: &[(u32, &[_])] = &[
            (0, &[("src", Child::Tree(no(1)))]),
            (1, &[("key", Child::Blob(no(3)))]),
            (2, &[("old", Child::Blob(no(4)))]),
        ];
        let all = candidate_trees(trees, 5);
        let roots = [Some(no(0)), None];
        let unreachable = all.unreachable(&roots);
        assert_eq!((0..5).filter(|&it| unreachable(no(it))).collect::<Vec<u32>>(), [2, 4]);
    }
}
