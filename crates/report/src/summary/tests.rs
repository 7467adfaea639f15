//! Tests of the summary.

use super::*;
use crate::document::{Note, Record, RepositoryRecord, SkippedCounts, Summary};
use crate::tests::*;
use ddpatrol_engine::source::Severity;

fn with(change: impl FnOnce(&mut Summary)) -> Document {
    let mut document = document(vec![]);
    change(&mut document.summary);
    document
}

fn repositories(len: usize) -> Vec<RepositoryRecord> {
    let absolute_uri = "file:///r".to_owned();
    vec![RepositoryRecord { path: clean("r"), head: None, uri: None, absolute_uri, url: None }; len]
}

#[test]
fn the_verdict_counts_proven_tokens_and_places() {
    assert_eq!(with(|it| it.files = 1).verdict(), "No proven tokens.");
    let one = with(|it| (it.proven, it.proven_places) = (1, 1));
    assert_eq!(one.verdict(), "1 token proven in 1 place.");
    let many = with(|it| (it.proven, it.proven_places) = (2, 1_000));
    assert_eq!(many.verdict(), "2 tokens proven in 1,000 places.");
}

#[test]
fn only_a_complete_scan_without_findings_has_no_proven_tokens() {
    let scanned = |change: fn(&mut Document)| {
        let mut document = with(|it| it.files = 1);
        change(&mut document);
        assert_eq!(document.headline(), document.verdict());
        document.headline()
    };
    assert_eq!(with(|_| ()).headline(), "Nothing was scanned: there is no content to read.");
    let mut unread = with(|_| ());
    unread.diagnostics = vec![note(Severity::Unread)];
    assert_eq!(unread.headline(), "Nothing was scanned: 1 item could not be read.");
    for (text, expected) in [
        (scanned(|it| it.complete = false), "Incomplete: no proven token in the scanned part."),
        (
            scanned(|it| it.interrupted = true),
            "Interrupted: no proven token was found before the end.",
        ),
        (
            scanned(|it| {
                it.findings = vec![Record { evidence: Evidence::Shaped, ..record(vec![]) }];
            }),
            "1 candidate without a valid checksum, no proven token.",
        ),
        (
            scanned(|it| it.summary.suppressed.inline = 1),
            "No proven tokens apart from suppressed ones.",
        ),
    ] {
        assert_eq!(text, expected);
    }
}

#[test]
fn the_first_line_counts_tokens_places_repositories_kinds_and_authors() {
    let by = |name: &str, email: &str, repository: &str| {
        let mut commit = commit('a');
        commit.author.email = clean(email);
        let git = crate::trace::TraceRecord {
            introduced: Some(commit),
            repository: clean(repository),
            ..git()
        };
        let place = crate::document::LocationRecord { git: Some(git), ..place("a") };
        Record { name: name.to_owned(), ..record(vec![place]) }
    };
    let (datadog, github) =
        ("Datadog Personal Access Token", "GitHub Personal Access Token (classic)");
    assert_eq!(
        document(vec![by(github, "a", ".git")]).headline(),
        "1 leaked token in 1 place: 1 GitHub PAT"
    );
    let all = document(vec![by(github, "a", "a"), by(github, "a", "b"), by(datadog, "b", "b")]);
    assert_eq!(
        all.headline(),
        "3 leaked tokens in 3 places, 2 repositories: 2 GitHub PAT, 1 Datadog PAT \
         · 2 authors (2, 1)"
    );
}

#[test]
fn completeness_depends_on_the_gaps() {
    let of = |complete, interrupted, gaps: &[Severity]| {
        let diagnostics: Vec<Note> = gaps.iter().map(|&it| note(it)).collect();
        Document { complete, interrupted, diagnostics, ..document(vec![]) }.completeness()
    };
    let all = "Complete: everything was scanned.";
    assert_eq!(of(true, false, &[]), all);
    let one = "Complete, except for unreadable content: 1 item was not scanned.";
    assert_eq!(of(true, false, &[Severity::Opaque]), one);
    let strict = "Incomplete (--strict): 2 items were not scanned.";
    assert_eq!(of(false, false, &[Severity::Opaque, Severity::Opaque]), strict);
    let unread = "Incomplete: 2 items were not scanned.";
    assert_eq!(of(false, false, &[Severity::Opaque, Severity::Unread]), unread);
    assert_eq!(of(false, false, &[]), "Incomplete: 0 items were not scanned.");
    let interrupted = "Interrupted: this report is partial.";
    assert_eq!(of(false, true, &[Severity::Unread]), interrupted);
}

#[test]
fn unproven_candidates_are_listed_on_request() {
    let mut few = with(|it| it.shaped_candidates = 1);
    let line = "1 candidate without a valid checksum";
    assert_eq!(few.sentences(), [format!("{line} (--show-shaped lists them).")]);
    few.findings = vec![Record { evidence: Evidence::Shaped, ..record(vec![]) }];
    assert_eq!(few.sentences(), [format!("{line}.")]);
    few.summary.files = 1;
    assert_eq!(few.sentences(), Vec::<String>::new(), "the first line counts it");
}

#[test]
fn tokens_that_are_not_among_the_findings_are_counted() {
    assert_eq!(with(|_| ()).sentences(), Vec::<String>::new());
    let one = with(|it| {
        it.suppressed.inline = 1;
        it.already_there = 1;
        it.suppressed.new_places = 1;
    });
    assert_eq!(
        one.sentences(),
        [
            "1 token suppressed: 1 by an inline ddpatrol:allow.",
            "Baseline tokens occur in 1 new place.",
            "1 token existed before the change (--all lists it).",
        ]
    );
    let many = with(|it| {
        (it.suppressed.allowed, it.suppressed.baseline, it.already_there) = (2, 3, 4);
    });
    assert_eq!(
        many.sentences(),
        [
            "5 tokens suppressed: 2 by the allowlist, 3 by the baseline.",
            "4 tokens existed before the change (--all lists them).",
        ]
    );
}

#[test]
fn files_are_not_mentioned_if_only_objects_were_scanned() {
    let of = |files, objects, repositories_len| {
        let mut document = with(|it| (it.files, it.objects, it.bytes) = (files, objects, 1_500));
        document.repositories = repositories(repositories_len);
        document.reading()
    };
    assert_eq!(of(0, 0, 0), "Scanned 0 files, 1.5 kB");
    assert_eq!(of(2, 0, 0), "Scanned 2 files, 1.5 kB");
    assert_eq!(of(0, 3, 1), "Scanned 3 git objects, 1.5 kB");
    assert_eq!(of(0, 0, 1), "Scanned 0 git objects, 1.5 kB");
    assert_eq!(of(1, 3, 2), "Scanned 1 file, 3 git objects of 2 repositories, 1.5 kB");
}

#[test]
fn archives_are_mentioned_if_any_was_opened() {
    assert_eq!(with(|it| it.members = 2).unpacked(), None);
    let some = with(|it| (it.archives, it.members, it.unpacked) = (1, 2, 3_000_000));
    let line = "Unpacked 1 archive with 2 members, 3.0 MB.";
    assert_eq!(some.unpacked().as_deref(), Some(line));
}

#[test]
fn skipped_content_is_counted_by_reason() {
    assert_eq!(with(|_| ()).skipped(), None);
    let all = SkippedCounts {
        ignored_files: 1,
        excluded: 2,
        too_large: 3,
        symlinks: 4,
        special: 5,
        git_folders: 6,
    };
    assert_eq!(
        with(|it| it.left_out = all).skipped().as_deref(),
        Some(
            "Skipped: 1 file by .gitignore (--no-ignore includes them); 2 paths by --exclude or \
             the configuration; 3 files by --max-file-size; 4 symbolic links (not followed); \
             5 devices, sockets or pipes; 6 .git folders."
        )
    );
    let one = with(|it| it.left_out.symlinks = 1);
    assert_eq!(one.skipped().as_deref(), Some("Skipped: 1 symbolic link (not followed)."));
}
