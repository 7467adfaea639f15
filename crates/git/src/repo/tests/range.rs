//! Tests of revisions and ranges, compared with the output of git.

use super::*;
use crate::repo::range::{rev_list, walk};

/// Three commits on `main`, and a branch `side` off the first with one of its own.
fn forked(options: &[&str]) -> (Repo, [ObjectId; 4]) {
    let work = with_commit(options);
    let first = work.object_id("HEAD");
    work.git(&["branch", "side"]);
    let [second, third] = ["second", "third"].map(|message| work.new_commit(message));
    work.git(&["checkout", "--quiet", "side"]);
    let side = work.new_commit("side");
    (work, [first, second, third, side])
}

#[test]
fn a_range_contains_the_commits_that_one_side_reaches_and_the_other_does_not() {
    for options in [&[][..], &["--object-format=sha256"], &["--ref-format=reftable"]] {
        let (work, [first, second, third, side]) = forked(options);
        let repository = work.open();
        assert_eq!(repository.commits(&[third], &[side]).unwrap(), [third, second]);
        assert_eq!(repository.commits(&[third], &[]).unwrap(), [third, second, first]);
        assert_eq!(repository.commits(&[side], &[third]).unwrap(), [side]);
        assert_eq!(repository.commits(&[first], &[third]).unwrap(), []);
        assert_eq!(repository.commits(&[], &[third]).unwrap(), []);
        let mut both = repository.commits(&[side, third, third], &[first]).unwrap();
        both.sort();
        let mut expected = [second, third, side];
        expected.sort();
        assert_eq!(both, expected);
    }
}

/// Creates a history of commits with up to two parents and wrong clocks; returns the id of each and the
/// numbers of its parents.
fn tangled(seed: u64) -> (Repo, Vec<(ObjectId, Vec<usize>)>) {
    let work = Repo::init(&[]);
    let mut state = seed;
    let mut random = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut input = String::new();
    let mut parents: Vec<Vec<usize>> = Vec::new();
    for number in 0..60 {
        let mut own: Vec<usize> = Vec::new();
        for _ in 0..number.min(2) {
            let parent = number - 1 - random(number.min(6));
            if !own.contains(&parent) {
                own.push(parent);
            }
        }
        let date = 1_700_000_000 + random(1000);
        input += &format!("commit refs/heads/b{number}\nmark :{}\n", number + 1);
        input += &format!("committer A <a@example.com> {date} +0000\ndata 0\n");
        for (at, parent) in own.iter().enumerate() {
            let word = if at == 0 { "from" } else { "merge" };
            input += &format!("{word} :{}\n", parent + 1);
        }
        input += "\n";
        parents.push(own);
    }
    work.git_with_input(&["fast-import", "--quiet"], input);
    let named = |(number, own)| (work.object_id(&format!("b{number}")), own);
    let commits = parents.into_iter().enumerate().map(named).collect();
    (work, commits)
}

#[test]
fn ranges_are_complete_even_if_clocks_were_wrong() {
    for seed in 1..4 {
        let (work, commits) = tangled(seed);
        let repository = work.open();
        let reach = |from: usize| {
            let mut seen = vec![false; commits.len()];
            let mut left = vec![from];
            while let Some(number) = left.pop() {
                if !std::mem::replace(&mut seen[number], true) {
                    left.extend(&commits[number].1);
                }
            }
            seen
        };
        for (wanted, not) in
            (30..60).flat_map(|wanted| [(wanted, wanted - 9), (wanted, 59 - wanted)])
        {
            let (with, without) = (reach(wanted), reach(not));
            let expected = (0..commits.len()).filter(|&at| with[at] && !without[at]);
            let mut expected: Vec<ObjectId> = expected.map(|at| commits[at].0).collect();
            expected.sort();
            let (wanted, not) = ([commits[wanted].0], [commits[not].0]);
            let place = |list: &[ObjectId], id| list.iter().position(|one| *one == id);
            for list in [
                walk(&repository, &wanted, &not).unwrap(),
                rev_list(&repository, &wanted, &not).unwrap(),
            ] {
                for (id, own) in &commits {
                    for parent in own {
                        if let (Some(child), Some(parent)) =
                            (place(&list, *id), place(&list, commits[*parent].0))
                        {
                            assert!(child < parent);
                        }
                    }
                }
                let mut list = list;
                list.sort();
                assert_eq!(list, expected, "seed {seed}");
            }
        }
    }
}

#[test]
fn a_missing_commit_is_an_error() {
    let work = with_commit(&[]);
    let unknown: ObjectId = "1234567890123456789012345678901234567890".parse().unwrap();
    let head = work.object_id("HEAD");
    let repository = work.open();
    assert!(repository.commits(&[unknown], &[]).is_err());
    let error = repository.commits(&[head], &[unknown]).unwrap_err().to_string();
    assert!(error.contains("1234567890"), "{error}");
}

#[test]
fn revisions_are_resolved_to_commits() {
    for options in [&[][..], &["--object-format=sha256"], &["--ref-format=reftable"]] {
        let (work, [first, second, third, side]) = forked(options);
        work.git(&["tag", "-a", "-m", "note", "v1", "main~1"]);
        let repository = work.open();
        let hex = first.to_string();
        for (revision, expected) in [
            ("HEAD", side),
            ("main", third),
            ("refs/heads/main~2", first),
            ("v1", second),
            ("main^{/second}", second),
            (&hex[..12], first),
            (&hex, first),
        ] {
            assert_eq!(repository.resolve(revision.as_ref()).unwrap(), expected, "{revision}");
        }
    }
}

#[test]
fn an_unknown_revision_is_an_error_and_never_an_option() {
    for options in [&[][..], &["--object-format=sha256"]] {
        let work = with_commit(options);
        let repository = work.open();
        for revision in
            ["none", "", "--all", "-h", "--git-dir", "HEAD^{tree}", "^HEAD", "HEAD..HEAD"]
        {
            let error = repository.resolve(revision.as_ref()).expect_err(revision);
            let words = error.to_string();
            assert!(words.contains(&format!("`{revision}`")), "{words}");
        }
    }
}

#[test]
fn replacements_and_grafts_are_ignored() {
    let (work, [first, second, third, side]) = forked(&[]);
    work.git(&["replace", "-f", &third.to_string(), &first.to_string()]);
    let expected = [third, second, first];
    assert_eq!(work.open().commits(&[third], &[]).unwrap(), expected);
    work.write(".git/info/grafts", format!("{third} {side}\n"));
    assert_eq!(work.open().commits(&[third], &[]).unwrap(), expected);
}
