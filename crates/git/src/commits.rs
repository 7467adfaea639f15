//! Commits: parses commit and tag objects, and builds the graph of commits. No object is read here.

use super::numbers::{CommitNo, ObjectNo};
use ddpatrol_pack::ObjectId;
use ddpatrol_scan::commit::{Commit, Signature};

/// The links of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CommitLinks {
    pub(super) tree: ObjectId,
    pub(super) parents: Vec<ObjectId>,
    /// The committer's clock, in seconds since 1970.
    pub(super) time: i64,
}

/// Splits the header lines of a commit or tag from the message.
fn header(object: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memmem::find(object, b"\n\n") {
        Some(end) => (&object[..end], &object[end + 2..]),
        None => (object, b""),
    }
}

fn values<'a>(header: &'a [u8], key: &'a str) -> impl Iterator<Item = &'a [u8]> {
    header
        .split(|&byte| byte == b'\n')
        .filter_map(move |line| line.strip_prefix(key.as_bytes())?.strip_prefix(b" "))
}

fn id(hex: &[u8]) -> Option<ObjectId> {
    ObjectId::from_hex(hex).ok()
}

/// Parses tree, parents and time; `None` if the commit names no tree.
pub(super) fn links(object: &[u8]) -> Option<CommitLinks> {
    let mut tree = None;
    let (mut parents, mut time) = (Vec::new(), 0);
    let mut rest = object;
    while !rest.is_empty() && rest[0] != b'\n' {
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        if let Some(hex) = line.strip_prefix(b"tree ") {
            tree = tree.or_else(|| id(hex));
        } else if let Some(hex) = line.strip_prefix(b"parent ") {
            parents.extend(id(hex));
        } else if let Some(text) = line.strip_prefix(b"committer ") {
            time = signature(text).time;
            break;
        }
    }
    Some(CommitLinks { tree: tree?, parents, time })
}

/// Parses `Name <email> seconds +hhmm` as leniently as git does.
fn signature(text: &[u8]) -> Signature {
    let open = memchr::memchr(b'<', text).unwrap_or(text.len());
    let close = memchr::memrchr(b'>', text).filter(|&close| close > open).unwrap_or(text.len());
    let rest = std::str::from_utf8(text.get(close + 1..).unwrap_or_default()).unwrap_or_default();
    let mut parts = rest.split_ascii_whitespace();
    let time = parts.next().and_then(|it| it.parse().ok()).unwrap_or(0);
    let offset: i32 = parts.next().and_then(|it| it.parse().ok()).unwrap_or(0);
    Signature {
        name: text[..open].trim_ascii().to_vec(),
        email: text.get(open + 1..close).unwrap_or_default().to_vec(),
        time,
        offset: offset / 100 * 60 + offset % 100,
    }
}

/// Parses author, committer and subject of a commit, or the tagger and subject of a tag.
pub(super) fn describe(id: ObjectId, object: &[u8]) -> Commit {
    let (header, message) = header(object);
    let first = |key| values(header, key).next().map(signature);
    let tagger = first("tagger");
    let author = first("author").or_else(|| tagger.clone()).unwrap_or_default();
    let committer = first("committer").or(tagger).unwrap_or_default();
    let subject = message.split(|&byte| byte == b'\n').next().unwrap_or_default();
    Commit { id, author, committer, subject: subject.trim_ascii().to_vec() }
}

/// Returns the object to which a tag points.
pub(crate) fn tag_target(object: &[u8]) -> Option<ObjectId> {
    values(header(object).0, "object").next().and_then(id)
}

/// All commits of a store, numbered so that parents come before children.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// The number of each commit in the object index.
    pub(super) numbers: Vec<ObjectNo>,
    /// The tree of each commit; `None` if it is missing.
    pub(super) trees: Vec<Option<ObjectNo>>,
    /// The date of each commit, made later than the dates of all its parents.
    pub(super) dates: Vec<i64>,
    parents: Vec<CommitNo>,
    starts: Vec<u32>,
    by_number: Vec<Option<CommitNo>>,
}

/// A commit with its links as numbers of the object index.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) number: ObjectNo,
    /// The tree; `None` if it is missing.
    pub(super) tree: Option<ObjectNo>,
    /// The parents, without missing ones.
    pub(super) parents: Parents,
    pub(super) time: i64,
}

/// The parents of a commit. Up to two need no memory of their own.
#[derive(Clone, Debug, Default)]
pub(super) struct Parents {
    first: [Option<ObjectNo>; 2],
    others: Vec<ObjectNo>,
}

impl Parents {
    /// Lists the parents in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = ObjectNo> {
        self.first.iter().copied().flatten().chain(self.others.iter().copied())
    }
}

impl FromIterator<ObjectNo> for Parents {
    fn from_iter<T: IntoIterator<Item = ObjectNo>>(parents: T) -> Self {
        let mut parents = parents.into_iter();
        let first = [parents.next(), parents.next()];
        Self { first, others: parents.collect() }
    }
}

impl Node {
    /// Resolves the links of a commit; `found` yields their numbers in order. Calls `missing` with each
    /// object that does not exist.
    pub(super) fn new(
        number: ObjectNo,
        links: &CommitLinks,
        found: &mut dyn Iterator<Item = Option<ObjectNo>>,
        missing: &mut dyn FnMut(ObjectId),
    ) -> Self {
        let mut find = |id: &ObjectId| {
            let number = found.next().flatten();
            if number.is_none() {
                missing(*id);
            }
            number
        };
        let tree = find(&links.tree);
        let parents = links.parents.iter().filter_map(find).collect();
        Self { number, tree, parents, time: links.time }
    }
}

impl CommitLinks {
    /// Returns the ids of the tree and the parents.
    pub(super) fn ids(&self) -> impl Iterator<Item = &[u8]> + Clone {
        std::iter::once(&self.tree).chain(&self.parents).map(ObjectId::as_bytes)
    }
}

impl Graph {
    /// Orders commits so that parents come before children. `len` is the length of the object index.
    ///
    /// Ids are not verified, so crafted commits can form a cycle; a link that would close it is dropped.
    pub(super) fn new(mut nodes: Vec<&Node>, len: usize) -> Self {
        // In the order of their clocks most parents come before their children already.
        nodes.sort_by_key(|node| (node.time, node.number));
        let mut graph = Self { by_number: vec![None; len], ..Self::default() };
        let mut waiting: Option<Waiting<'_>> = None;
        for &node in &nodes {
            let mut parents = node.parents.iter();
            if graph.find(node.number).is_some() {
                continue;
            } else if parents.all(|parent| graph.find(parent).is_some()) {
                graph.add(node);
            } else {
                waiting.get_or_insert_with(|| Waiting::new(&nodes, len)).add(&mut graph, node);
            }
        }
        graph.starts.push(graph.parents.len() as u32);
        graph
    }

    /// Adds a commit after its parents.
    fn add(&mut self, node: &Node) {
        let first = self.parents.len();
        self.starts.push(first as u32);
        self.parents.extend(node.parents.iter().filter_map(|it| self.by_number[it.index()]));
        let latest = self.parents[first..].iter().map(|it| self.dates[it.index()]).max();
        self.by_number[node.number.index()] = Some(CommitNo::new(self.numbers.len() as u32));
        self.dates.push(latest.map_or(node.time, |latest| node.time.max(latest + 1)));
        self.numbers.push(node.number);
        self.trees.push(node.tree);
    }

    /// Returns the number of commits.
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Returns the numbers of all commits.
    pub(super) fn commits(&self) -> impl DoubleEndedIterator<Item = CommitNo> + use<> {
        (0..self.len() as u32).map(CommitNo::new)
    }

    pub(super) fn parents(&self, commit: CommitNo) -> &[CommitNo] {
        let at = commit.index();
        &self.parents[self.starts[at] as usize..self.starts[at + 1] as usize]
    }

    /// Finds a commit by its number in the object index.
    pub(super) fn find(&self, number: ObjectNo) -> Option<CommitNo> {
        self.by_number.get(number.index()).copied().flatten()
    }

    /// Returns, for each commit, whether one of `tips` reaches it.
    pub(super) fn reachable(&self, tips: impl IntoIterator<Item = CommitNo>) -> Vec<bool> {
        let mut reached = vec![false; self.len()];
        tips.into_iter().for_each(|tip| reached[tip.index()] = true);
        for commit in self.commits().rev() {
            if reached[commit.index()] {
                self.parents(commit).iter().for_each(|it| reached[it.index()] = true);
            }
        }
        reached
    }

    /// Returns, for each of `wanted`, the indices of the tips that reach it.
    pub(super) fn reached_by(
        &self,
        wanted: &[CommitNo],
        tips: &[Option<CommitNo>],
    ) -> Vec<Vec<u32>> {
        let mut lists = Vec::with_capacity(wanted.len());
        for part in wanted.chunks(64) {
            let mut masks = vec![0_u64; self.len()];
            part.iter().enumerate().for_each(|(bit, it)| masks[it.index()] |= 1 << bit);
            for commit in self.commits() {
                let own = self.parents(commit).iter().fold(0, |mask, it| mask | masks[it.index()]);
                masks[commit.index()] |= own;
            }
            let reaches = |bit: usize| {
                let reaches = |tip: &Option<CommitNo>| {
                    tip.is_some_and(|it| masks[it.index()] >> bit & 1 == 1)
                };
                (0..).zip(tips).filter(|(_, tip)| reaches(tip)).map(|(at, _)| at).collect()
            };
            lists.extend((0..part.len()).map(reaches));
        }
        lists
    }
}

/// The commits that may be added before a commit whose clock is earlier.
struct Waiting<'a> {
    nodes: &'a [&'a Node],
    /// For each object: the index of its node.
    places: Vec<Option<u32>>,
    /// Nodes that are being added after their parents.
    is_open: Vec<bool>,
}

impl<'a> Waiting<'a> {
    fn new(nodes: &'a [&'a Node], len: usize) -> Self {
        let mut places = vec![None; len];
        (0..).zip(nodes).for_each(|(at, node)| places[node.number.index()] = Some(at));
        Self { nodes, places, is_open: vec![false; nodes.len()] }
    }

    /// Adds a commit after its ancestors.
    fn add(&mut self, graph: &mut Graph, node: &'a Node) {
        if let Some(at) = self.places[node.number.index()] {
            self.is_open[at as usize] = true;
        }
        let mut open = vec![(node, 0)];
        while let Some((node, next)) = open.last_mut() {
            let parent = node.parents.iter().nth(*next);
            *next += 1;
            let Some(parent) = parent else {
                graph.add(node);
                open.pop();
                continue;
            };
            let place = self.places[parent.index()].filter(|_| graph.find(parent).is_none());
            if let Some(at) = place.map(|at| at as usize)
                && !std::mem::replace(&mut self.is_open[at], true)
            {
                open.push((self.nodes[at], 0));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_parsed() {
        let object = b"tree 1111111111111111111111111111111111111111\n\
            parent 2222222222222222222222222222222222222222\n\
            author A U Thor <a@example.com> 1700000000 +0530\n\
            committer C O <c@example.com> 1700000001 -0800\n\n  Subject line \n\nBody";
        let id = "3333333333333333333333333333333333333333".parse().expect("an id");
        let commit = describe(id, object);
        assert_eq!(commit.author.name, b"A U Thor");
        assert_eq!((commit.author.time, commit.author.offset), (1_700_000_000, 330));
        assert_eq!(
            (&commit.committer.email[..], commit.committer.offset),
            (&b"c@example.com"[..], -480)
        );
        assert_eq!(commit.subject, b"Subject line");
        let links = links(object).expect("it has a tree");
        assert_eq!((links.parents.len(), links.time), (1, 1_700_000_001));
    }

    #[test]
    fn parents_come_before_children_even_if_clocks_were_wrong() {
        let no = ObjectNo::new;
        let node = |number, parents: &[u32], time| Node {
            number: no(number),
            tree: None,
            parents: parents.iter().copied().map(no).collect(),
            time,
        };
        let nodes =
            [node(1, &[2, 3], 5), node(2, &[4], 50), node(3, &[4, 9], 100), node(4, &[], 1000)];
        let graph = Graph::new(nodes.iter().collect(), 10);
        assert_eq!(graph.len(), 4);
        assert_eq!(graph.numbers.first(), Some(&no(4)));
        assert_eq!(graph.numbers.last(), Some(&no(1)));
        assert!(graph.dates.is_sorted());
        let at = |number| graph.find(no(number)).expect("it is there");
        let reached = graph.reachable([at(2)]);
        assert!(reached[at(4).index()] && !reached[at(3).index()] && !reached[at(1).index()]);
        let lists = graph.reached_by(&[at(4), at(3)], &[Some(at(1)), None, Some(at(2))]);
        assert_eq!(lists, [vec![0, 2], vec![0]]);
    }

    #[test]
    fn a_link_that_closes_a_cycle_is_dropped() {
        let no = ObjectNo::new;
        let node = |number, parents: &[u32], time| Node {
            number: no(number),
            tree: None,
            parents: parents.iter().copied().map(no).collect(),
            time,
        };
        let nodes = [node(1, &[3], 5), node(2, &[1], 6), node(3, &[2, 3, 2, 2, 4], 7)];
        let graph = Graph::new(nodes.iter().collect(), 10);
        assert_eq!(graph.numbers, [2, 3, 1].map(no));
        let parents = |at: u32| graph.parents(CommitNo::new(at)).len();
        assert_eq!([0, 1, 2].map(parents), [0, 3, 1]);
    }
}
