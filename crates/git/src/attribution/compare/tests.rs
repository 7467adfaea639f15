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
            .map(|(name, child)| Candidate { name: builder.name(name.as_bytes()), child: *child })
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
        commits: vec![(2, vec![]), (1, vec![0]), (2, vec![0]), (1, vec![1, 2]), (2, vec![1, 2])],
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
    assert_eq!(attributed(&drawing), ["+0 old 0", "+1 dir/new 0", "-1 old 0", "HEAD dir/new 0"]);
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
