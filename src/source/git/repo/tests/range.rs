//! Revisions and ranges, against what git says of the same history.

use super::*;

/// Three commits on `main`, and a branch `side` off the first with one of its own.
fn forked(sandbox: &Sandbox, options: &[&str]) -> (Work, [ObjectId; 4]) {
    let work = sandbox.with_commit_in(options);
    let first = work.id("HEAD");
    work.git(&["branch", "side"]);
    let [second, third] = ["second", "third"].map(|message| work.commit(message));
    work.git(&["checkout", "--quiet", "side"]);
    let side = work.commit("side");
    (work, [first, second, third, side])
}

#[test]
fn a_range_has_what_one_side_reaches_and_the_other_does_not() {
    for options in [&[][..], &["--object-format=sha256"], &["--ref-format=reftable"]] {
        let sandbox = Sandbox::new();
        let (work, [first, second, third, side]) = forked(&sandbox, options);
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

#[test]
fn a_commit_that_is_missing_is_an_error() {
    let sandbox = Sandbox::new();
    let work = sandbox.with_commit();
    let unknown: ObjectId = "1234567890123456789012345678901234567890".parse().unwrap();
    let head = work.id("HEAD");
    let repository = work.open();
    assert!(repository.commits(&[unknown], &[]).is_err());
    let error = repository.commits(&[head], &[unknown]).unwrap_err().to_string();
    assert!(error.contains("1234567890"), "{error}");
}

#[test]
fn revisions_are_resolved_to_commits() {
    for options in [&[][..], &["--object-format=sha256"], &["--ref-format=reftable"]] {
        let sandbox = Sandbox::new();
        let (work, [first, second, third, side]) = forked(&sandbox, options);
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
fn what_names_no_commit_is_an_error_and_never_an_option() {
    for options in [&[][..], &["--object-format=sha256"]] {
        let sandbox = Sandbox::new();
        let work = sandbox.with_commit_in(options);
        let repository = work.open();
        for revision in
            ["none", "", "--all", "-h", "--git-dir", "HEAD^{tree}", "^HEAD", "HEAD..HEAD"]
        {
            let error = repository.resolve(revision.as_ref()).expect_err(revision);
            let words = error.to_string();
            assert!(words.contains(&format!("{revision:?}")), "{words}");
        }
    }
}

#[test]
fn replaced_and_grafted_history_is_seen_as_it_was() {
    let sandbox = Sandbox::new();
    let (work, [first, second, third, side]) = forked(&sandbox, &[]);
    work.git(&["replace", &second.to_string(), &side.to_string()]);
    let expected = [third, second, first];
    assert_eq!(work.open().commits(&[third], &[]).unwrap(), expected);
    work.write(".git/info/grafts", &format!("{third} {side}\n"));
    assert_eq!(work.open().commits(&[third], &[]).unwrap(), expected);
}
