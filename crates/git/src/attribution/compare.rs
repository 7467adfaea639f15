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
mod tests {
    use super::super::candidate_trees::TreesBuilder;
    use super::*;
    use crate::commits::Node;
    use ddpatrol_detect::encoding::Encoding;
    use ddpatrol_pack::{Kind, ObjectId};
    use ddpatrol_scan::sighting::{EncodedSpan, Holder, Sighting};
    use std::sync::Arc;

    const TOKEN: TokenNo = TokenNo(0);
    const OTHER: TokenNo = TokenNo(1);
    /// The tree of a commit whose tree is missing.
    const MISSING: u32 = 0;

    fn no(index: u32) -> ObjectNo {
        ObjectNo::new(index)
    }

    /// A history drawn by hand: trees with their entries, blobs with their tokens, commits with their
    /// tree and parents, each object by its number. The numbers of commits begin at 100, so that
    /// commit 100 is commit 0 of the graph.
    struct Drawing {
        trees: Vec<(u32, Vec<(&'static str, Child)>)>,
        blobs: Vec<(u32, Vec<TokenNo>)>,
        commits: Vec<(u32, Vec<u32>)>,
        head: Option<u32>,
    }

    fn sighting(token: TokenNo) -> Sighting {
        let id: ObjectId = "1111111111111111111111111111111111111111".parse().unwrap();
        let span = EncodedSpan { offset: 0, len: 78, encoding: Encoding::PLAIN };
        Sighting {
            token,
            holder: Holder::Object(id, Kind::Blob),
            spans: Arc::new([span]),
            is_in_members: false,
        }
    }

    fn in_name(token: TokenNo) -> Child {
        Child::Name(NameMatch { offset: 0, token, len: 78, encoding: Encoding::PLAIN })
    }

    /// Facts about commits, as `+0 path token` for introduced, `-1 path token` for removed, and
    /// `HEAD path token`, sorted.
    fn attributed(drawing: &Drawing) -> Vec<String> {
        let mut builder = TreesBuilder::default();
        for (tree, entries) in &drawing.trees {
            let entries: Vec<Candidate> = entries
                .iter()
                .map(|(name, child)| Candidate {
                    name: builder.name(name.as_bytes()),
                    child: *child,
                })
                .collect();
            builder.add(no(*tree), entries.into_iter());
        }
        let trees = CandidateTrees::new(builder, 200);
        let nodes = (100..).zip(&drawing.commits).map(|(number, (tree, parents))| Node {
            number: no(number),
            tree: (*tree != MISSING).then_some(no(*tree)),
            parents: parents.iter().map(|parent| no(parent + 100)).collect(),
            time: i64::from(number),
        });
        let nodes: Vec<Node> = nodes.collect();
        let graph = Graph::new(nodes.iter().collect(), 200);
        let sightings: Vec<(u32, Sighting)> = drawing
            .blobs
            .iter()
            .flat_map(|(blob, tokens)| tokens.iter().map(|&it| (*blob, sighting(it))))
            .collect();
        let mut blobs = BlobSightings::default();
        sightings.iter().for_each(|(blob, sighting)| blobs.add(no(*blob), sighting));
        let changes = Compare::new(&trees, &graph, &blobs).run(drawing.head.map(CommitNo::new));
        let path = |path: u32| String::from_utf8(changes.path_bytes(path, &trees)).unwrap();
        let fact = |sign: &str, key: &Key| {
            let part = if key.part == PathPart::Name { " (name)" } else { "" };
            format!("{sign} {} {}{part}", path(key.path), key.token.0)
        };
        let commit = |it: CommitNo| graph.numbers[it.index()].index() - 100;
        let introduced = changes.introduced.iter();
        let mut facts: Vec<String> =
            introduced.map(|it| fact(&format!("+{}", commit(it.commit)), &it.key())).collect();
        for (key, commits) in &changes.removed {
            facts.extend(commits.iter().map(|&it| fact(&format!("-{}", commit(it)), key)));
        }
        facts.extend(changes.in_head.iter().map(|key| fact("HEAD", key)));
        facts.sort();
        facts
    }

    /// One blob with a token at `key`, in tree 1. No token is below tree 2.
    fn key_tree() -> Vec<(u32, Vec<(&'static str, Child)>)> {
        vec![(1, vec![("key", Child::Blob(no(10)))])]
    }

    #[test]
    fn a_token_is_introduced_once_and_stays_until_it_is_removed() {
        let drawing = Drawing {
            trees: key_tree(),
            blobs: vec![(10, vec![TOKEN])],
            commits: vec![(2, vec![]), (1, vec![0]), (1, vec![1]), (2, vec![2])],
            head: Some(3),
        };
        assert_eq!(attributed(&drawing), ["+1 key 0", "-3 key 0"]);
        let still_there = Drawing { head: Some(2), ..drawing };
        assert_eq!(attributed(&still_there), ["+1 key 0", "-3 key 0", "HEAD key 0"]);
    }

    #[test]
    fn a_token_that_comes_back_is_introduced_again() {
        let drawing = Drawing {
            trees: key_tree(),
            blobs: vec![(10, vec![TOKEN])],
            commits: vec![(1, vec![]), (2, vec![0]), (1, vec![1])],
            head: None,
        };
        assert_eq!(attributed(&drawing), ["+0 key 0", "+2 key 0", "-1 key 0"]);
    }

    #[test]
    fn a_new_version_of_a_file_with_the_same_token_changes_nothing() {
        let drawing = Drawing {
            trees: vec![
                (1, vec![("key", Child::Blob(no(10)))]),
                (3, vec![("key", Child::Blob(no(11)))]),
            ],
            blobs: vec![(10, vec![TOKEN]), (11, vec![TOKEN, OTHER])],
            commits: vec![(1, vec![]), (3, vec![0])],
            head: None,
        };
        assert_eq!(attributed(&drawing), ["+0 key 0", "+1 key 1"]);
    }

    #[test]
    fn a_merge_introduces_only_what_no_parent_has_and_removes_what_any_parent_has() {
        let drawing = Drawing {
            trees: key_tree(),
            blobs: vec![(10, vec![TOKEN])],
            commits: vec![
                (2, vec![]),
                (1, vec![0]),
                (2, vec![0]),
                (1, vec![1, 2]),
                (2, vec![1, 2]),
            ],
            head: None,
        };
        assert_eq!(attributed(&drawing), ["+1 key 0", "-4 key 0"]);
    }

    #[test]
    fn a_moved_file_is_removed_from_one_path_and_introduced_at_another() {
        let drawing = Drawing {
            trees: vec![
                (1, vec![("old", Child::Blob(no(10)))]),
                (3, vec![("dir", Child::Tree(no(4)))]),
                (4, vec![("new", Child::Blob(no(10)))]),
            ],
            blobs: vec![(10, vec![TOKEN])],
            commits: vec![(1, vec![]), (3, vec![0])],
            head: Some(1),
        };
        assert_eq!(
            attributed(&drawing),
            ["+0 old 0", "+1 dir/new 0", "-1 old 0", "HEAD dir/new 0"]
        );
    }

    #[test]
    fn a_folder_that_replaces_a_file_does_not_have_its_token() {
        let drawing = Drawing {
            trees: vec![
                (1, vec![("key", Child::Blob(no(10)))]),
                (3, vec![("key", Child::Tree(no(4)))]),
                (4, vec![("key", Child::Blob(no(10)))]),
            ],
            blobs: vec![(10, vec![TOKEN])],
            commits: vec![(1, vec![]), (3, vec![0])],
            head: None,
        };
        assert_eq!(attributed(&drawing), ["+0 key 0", "+1 key/key 0", "-1 key 0"]);
    }

    #[test]
    fn tokens_in_names_and_in_contents_are_attributed_apart() {
        let drawing = Drawing {
            trees: vec![
                (1, vec![("ddpat_x", in_name(TOKEN))]),
                (3, vec![("ddpat_x", in_name(TOKEN)), ("ddpat_x", Child::Blob(no(10)))]),
            ],
            blobs: vec![(10, vec![TOKEN])],
            commits: vec![(1, vec![]), (3, vec![0]), (1, vec![1])],
            head: Some(2),
        };
        assert_eq!(
            attributed(&drawing),
            ["+0 ddpat_x 0 (name)", "+1 ddpat_x 0", "-2 ddpat_x 0", "HEAD ddpat_x 0 (name)"]
        );
    }

    #[test]
    fn a_commit_without_candidate_trees_has_no_facts() {
        let drawing = Drawing {
            trees: Vec::new(),
            blobs: Vec::new(),
            commits: vec![(MISSING, vec![]), (2, vec![0])],
            head: Some(1),
        };
        assert!(attributed(&drawing).is_empty());
    }
}
