//! Tests of the steps for hand-written findings. `tests/advice` runs the commands.

use super::*;
use crate::detect::encoding::Layer;
use crate::report::tests::{finding, location, object, redactor, rule_set, token, trace};
use ddpatrol_scan::finding::baseline::Roots;
use ddpatrol_scan::finding::{HeldObject, Span, Trace};
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

/// Creates a folder in which `path` is the git directory of a repository.
fn repository(path: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let git = folder.path().join(path);
    std::fs::create_dir_all(git.join("objects")).expect("a folder");
    std::fs::create_dir_all(git.join("refs")).expect("a folder");
    std::fs::write(git.join("HEAD"), "ref: refs/heads/main\n").expect("a file");
    folder
}

fn listed(
    folder: &TempDir,
    finding: &Finding,
    operation: Option<Operation>,
) -> Vec<RemediationStep> {
    let here = folder.path().canonicalize().expect("a folder");
    let roots = Roots { here: here.clone(), tops: vec![here] };
    let mut paths = Paths::new(&roots, &[], None);
    let rules = rule_set();
    let redactor = redactor();
    let rule = &rules.rules()[finding.rule];
    steps(finding, rule, &mut redactor.masker(), &mut paths, operation)
}

/// Returns the text and the commands of the step that removes a token.
fn cleaned(folder: &TempDir, finding: &Finding) -> (String, Vec<String>) {
    step(&listed(folder, finding, None)[2])
}

fn step(step: &RemediationStep) -> (String, Vec<String>) {
    let commands = step.commands.iter().map(|it| it.text().into_owned()).collect();
    (step.text.text().into_owned(), commands)
}

fn traced(path: &str, trace: Trace) -> Location {
    Location { trace: Some(Arc::new(trace)), ..location(path) }
}

fn change_status(path: &str, change_status: ChangeStatus) -> Location {
    Location { change_status: Some(change_status), ..location(path) }
}

/// Returns the commands with the path of the folder replaced.
fn commands_in(folder: &TempDir, finding: &Finding) -> Vec<String> {
    let here = folder.path().canonicalize().expect("a folder");
    let here = here.to_string_lossy().into_owned();
    let (_, commands) = cleaned(folder, finding);
    commands.into_iter().map(|it| it.replace(&here, "FOLDER")).collect()
}

#[test]
fn steps_are_revoke_replace_clean_and_prevent_in_this_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let steps = listed(&folder, &finding(vec![location("a")]), None);
    let aims: Vec<Aim> = steps.iter().map(|it| it.aim).collect();
    assert_eq!(aims, [Aim::Revoke, Aim::Replace, Aim::Clean, Aim::Prevent]);
    // The rule's advice, with the identifier of the token.
    assert!(step(&steps[0]).0.contains("da1bd5f8-847b-4aec-a33d-11b04ebde244"));
    assert_eq!(step(&steps[3]).1, ["ddpatrol hook install"]);
}

#[test]
fn a_rule_without_advice_names_its_issuer() {
    let folder = tempfile::tempdir().expect("a folder");
    let roots = Roots { here: folder.path().to_owned(), tops: Vec::new() };
    let it = finding(vec![location("a")]);
    let rule = Rule { advice: None, ..rule_set().rules()[it.rule].clone() };
    let redactor = redactor();
    let mut paths = Paths::new(&roots, &[], None);
    let steps = steps(&it, &rule, &mut redactor.masker(), &mut paths, None);
    assert_eq!(step(&steps[0]).0, "Revoke it where Datadog issued it.");
}

#[test]
fn steps_contain_no_secret() {
    let folder = repository(&format!("{}/.git", token(5)));
    let it =
        finding(vec![traced(&format!("{}/a", token(5)), trace(&format!("{}/.git", token(5))))]);
    let text: Vec<(String, Vec<String>)> = listed(&folder, &it, None).iter().map(step).collect();
    let text = format!("{text:?}");
    assert!(!text.contains(&token(1)[30..]) && !text.contains(&token(5)[30..]), "{text}");
}

#[test]
fn a_token_outside_of_histories_is_removed_from_its_source() {
    let folder = tempfile::tempdir().expect("a folder");
    let first_words = |place: Location| {
        let (text, commands) = cleaned(&folder, &finding(vec![place]));
        assert!(commands.is_empty());
        text.split([',', '.']).next().unwrap_or_default().to_owned()
    };
    assert_eq!(first_words(location("a")), "Remove it from the file");
    let stdin = Location { path: None, ..location("") };
    assert_eq!(first_words(stdin), "Remove it from its source");
    let name = Location { part: Part::Name, ..location("a") };
    assert_eq!(first_words(name), "Rename the file");
    let reference = Location { part: Part::Ref, ..location("a") };
    assert_eq!(first_words(reference), "Rename the branch or tag");
    // Commands do not reach a repository within an archive.
    let member = traced("a.tar!/r/x", trace("a.tar!/r/.git"));
    assert_eq!(first_words(member), "Remove it from the file");
}

#[test]
fn each_staged_file_is_unstaged_once() {
    let folder = repository(".git");
    let it = finding(vec![
        change_status("b/x y", ChangeStatus::New),
        change_status("a", ChangeStatus::New),
        change_status("a", ChangeStatus::New),
        // The name of a branch is no file.
        Location { part: Part::Ref, ..change_status("r", ChangeStatus::New) },
    ]);
    assert_eq!(commands_in(&folder, &it), ["git -C FOLDER reset --quiet -- ':/b/x y' :/a"]);
}

#[test]
fn a_staged_member_unstages_its_archive() {
    let folder = repository(".git");
    std::fs::create_dir_all(folder.path().join("x!")).expect("a folder");
    std::fs::write(folder.path().join("x!/a.zip"), "").expect("a file");
    std::fs::write(folder.path().join("plain!"), "").expect("a file");
    let files = |path: &str| {
        let commands = commands_in(&folder, &finding(vec![change_status(path, ChangeStatus::New)]));
        commands[0].rsplit(" -- ").next().unwrap_or_default().to_owned()
    };
    assert_eq!(files("b.zip!/c/d.tar.gz!/e"), ":/b.zip");
    assert_eq!(files("b.tar.gz!"), ":/b.tar.gz");
    // The file system decides which `!` is part of a name.
    assert_eq!(files("x!/a.zip!/b"), "':/x!/a.zip'");
    assert_eq!(files("plain!"), "':/plain!'");
}

#[test]
fn nothing_is_unstaged_while_a_merge_is_in_progress() {
    let folder = repository(".git");
    let it = finding(vec![change_status("a", ChangeStatus::New)]);
    let (text, commands) = step(&listed(&folder, &it, Some(Operation::CherryPick))[2]);
    assert!(text.contains("a cherry-pick is in progress") && commands.is_empty(), "{text}");
    // Other findings do not depend on the operation.
    let other = finding(vec![location("a")]);
    let (text, _) = step(&listed(&folder, &other, Some(Operation::Merge))[2]);
    assert!(text.starts_with("Remove it from the file."), "{text}");
}

#[test]
fn unreachable_objects_are_pruned() {
    let folder = repository(".git");
    let unreachable = Trace { reachable: false, ..trace(".git") };
    assert_eq!(
        commands_in(&folder, &finding(vec![traced("a", unreachable.clone())])),
        ["git -C FOLDER reflog expire --expire=now --all", "git -C FOLDER gc --prune=now"]
    );
    // A branch that reaches another location takes precedence.
    let both = finding(vec![traced("a", unreachable), traced("a", trace(".git"))]);
    assert!(commands_in(&folder, &both)[0].starts_with("cd FOLDER"));
}

#[test]
fn a_new_token_of_a_change_is_removed_from_its_commit() {
    let folder = repository(".git");
    let of = |change_status| {
        let place = traced("a", trace(".git"));
        let it = finding(vec![Location { change_status: Some(change_status), ..place }]);
        commands_in(&folder, &it)
    };
    let commit = "a".repeat(40);
    let parent = format!("git -C FOLDER rev-parse --quiet --verify {commit}^ || echo --root");
    let rebase = format!("git -C FOLDER rebase --interactive --rebase-merges \"$({parent})\"");
    for new in [ChangeStatus::New, ChangeStatus::AlsoUnpushed] {
        assert_eq!(of(new).join("\n"), rebase);
    }
    // Editing the change does not remove what the base has.
    for old in [ChangeStatus::Preexisting, ChangeStatus::Moved(PathBuf::from("b"))] {
        assert!(of(old)[0].starts_with("cd FOLDER"));
    }
}

#[test]
fn a_history_is_rewritten_in_a_clone() {
    let folder = repository(".git");
    let commands = commands_in(&folder, &finding(vec![traced("a", trace(".git"))]));
    let public = &token(1)[..29];
    let hidden = token(1).len() - 29;
    assert_eq!(
        commands,
        [
            "cd FOLDER && url=$(git remote get-url origin) && \
             clone=$(mktemp -d ../cleaned.XXXXXX) &&"
                .to_owned(),
            "git clone --mirror \"$url\" \"$clone\" &&".to_owned(),
            format!(
                "printf '%s\\n' 'regex:{public}[0-9A-Za-z]{{{hidden}}}==>{public}REMOVED' > \
                 \"$clone\".txt &&"
            ),
            "git -C \"$clone\" filter-repo --replace-text \"$clone\".txt &&".to_owned(),
            "git -C \"$clone\" push --force \"$url\" 'refs/heads/*:refs/heads/*' \
             'refs/tags/*:refs/tags/*' 'refs/notes/*:refs/notes/*'"
                .to_owned(),
        ]
    );
}

#[test]
fn messages_are_rewritten_too() {
    let folder = repository(".git");
    for part in [Part::Commit, Part::Tag] {
        let message = Location { part, path: None, ..traced("", trace(".git")) };
        let commands = commands_in(&folder, &finding(vec![message]));
        let filter = "filter-repo --replace-text \"$clone\".txt --replace-message \"$clone\".txt";
        assert!(commands[3].contains(filter), "{commands:?}");
    }
}

#[test]
fn files_with_an_encoded_token_are_stripped() {
    let folder = repository(".git");
    let encoded = || Location {
        encoding: Encoding::PLAIN.with([Layer::Base64]),
        ..traced("a", trace(".git"))
    };
    let held = |digit, len| HeldObject {
        id: object(digit),
        kind: Kind::Blob,
        is_in_members: false,
        spans: Arc::new([Span { offset: 0, len }]),
    };
    let len = token(1).len() as u64;
    let mut it = finding(vec![encoded()]);
    let archive = HeldObject { is_in_members: true, ..held('c', len) };
    it.objects = vec![archive, held('b', 200), held('b', 200), held('d', len)];
    let (b, c) = ("b".repeat(40), "c".repeat(40));
    let commands = commands_in(&folder, &it);
    assert_eq!(commands[2], format!("printf '%s\\n' {b} {c} > \"$clone\".ids &&"));
    let filter = "git -C \"$clone\" filter-repo --strip-blobs-with-ids \"$clone\".ids &&";
    assert_eq!(commands[3], filter);
    // Text in members of archives and layers of images cannot be replaced either.
    for place in [
        traced("a.zip!/b", trace(".git")),
        Location { layer: Some("a layer".into()), ..traced("a", trace(".git")) },
    ] {
        let it = Finding { locations: vec![place], ..it.clone() };
        assert_eq!(commands_in(&folder, &it)[3], filter);
    }
    // If there are too many blobs for a command, the JSON report lists them.
    let ids = (0..=MAX_BLOBS).map(|number| format!("{number:040x}").parse().expect("an id"));
    it.objects = ids.map(|id| HeldObject { id, ..held('b', 200) }).collect();
    let (text, commands) = cleaned(&folder, &it);
    assert!(text.contains("The JSON report lists them") && commands.is_empty(), "{text}");
}

#[test]
fn names_are_renamed_manually() {
    let folder = repository(".git");
    let name = Location { part: Part::Name, ..traced("a", trace(".git")) };
    let (text, commands) = cleaned(&folder, &finding(vec![name]));
    assert!(text.contains("It also occurs in names") && commands.is_empty(), "{text}");
}

#[test]
fn an_expression_matches_the_characters_of_the_format() {
    let rules = rule_set();
    let rule = rules.get("gitlab-pat").expect("a built-in rule");
    let mut it = finding(vec![]);
    it.token.redacted = "glpat-***".to_owned();
    it.secret = ddpatrol_token::Secret::new(b"glpat-0123456789");
    assert_eq!(expression(&it, rule), "regex:glpat\\-[0-9A-Za-z._=-]{10}==>glpat-REMOVED");
}

#[test]
fn another_repository_is_named_by_its_folder() {
    let folder = repository("sub dir/.git");
    let it = finding(vec![traced("sub dir/a", trace("sub dir/.git"))]);
    assert!(commands_in(&folder, &it)[0].starts_with("cd 'FOLDER/sub dir' && "));
    let (_, install) = step(&listed(&folder, &it, None)[3]);
    assert!(install[0].starts_with("ddpatrol hook install --repo '/"), "{install:?}");
}

#[test]
fn staged_paths_are_relative_to_the_top_and_match_nothing_else() {
    assert_eq!(from_top("sub/f"), ":/sub/f");
    assert_eq!(from_top(".env"), ":/.env");
    for path in ["!x", "_x", "-x", "(x)", "a*b", "a[b]c", "a?", "a\\b", "é"] {
        assert_eq!(from_top(path), format!(":(top,literal){path}"));
    }
}
