//! Tests of the steps for hand-written findings. `tests/it/report/commands` runs the commands.

use super::unstage::from_top;
use super::*;
use crate::tests::{finding, location, member, redactor, rule_set, token, trace};
use ddpatrol_engine::source::git::repo::Operation;
use ddpatrol_scan::finding::Trace;
use ddpatrol_scan::finding::roots::Roots;
use std::path::{Path, PathBuf};
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

fn listed(folder: &TempDir, finding: &Finding, context: &NextStepsContext) -> Vec<RemediationStep> {
    let here = folder.path().canonicalize().expect("a folder");
    let roots = Roots { here: here.clone(), tops: vec![here] };
    let mut paths = Paths::new(&roots, &[], None);
    let rules = rule_set();
    let redactor = redactor();
    let rule = &rules[finding.rule];
    steps(finding, rule, &mut redactor.masker(), &mut paths, context)
}

/// Returns the text and the commands of the step that removes a token.
fn cleaned(folder: &TempDir, finding: &Finding) -> (String, Vec<String>) {
    step(&listed(folder, finding, &NextStepsContext::default())[2])
}

fn step(step: &RemediationStep) -> (String, Vec<String>) {
    let commands = step.commands.iter().map(|it| it.text().into_owned()).collect();
    (step.text.text().into_owned(), commands)
}

fn during(operation: Operation) -> NextStepsContext {
    NextStepsContext { operation: Some(operation), ..NextStepsContext::default() }
}

fn in_hook(hook: HookKind) -> NextStepsContext {
    NextStepsContext { surface: Surface::Hook(hook), ..NextStepsContext::default() }
}

/// Returns the commands that remove a token, for a scan with a JSON report.
fn reported(folder: &TempDir, finding: &Finding) -> Vec<String> {
    let report = Some("'a b.json'".into());
    let context = NextStepsContext { report, ..NextStepsContext::default() };
    let here = folder.path().canonicalize().expect("a folder");
    let step = &listed(folder, finding, &context)[2];
    let commands = step.run_commands.iter().chain(&step.commands);
    commands.map(|it| it.text().replace(&*here.to_string_lossy(), "FOLDER")).collect()
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
    let folder = repository(".git");
    let steps = listed(&folder, &finding(vec![location("a")]), &NextStepsContext::default());
    let aims: Vec<Aim> = steps.iter().map(|it| it.aim).collect();
    assert_eq!(aims, [Aim::Revoke, Aim::Replace, Aim::Clean, Aim::Prevent]);
    // The rule's advice, with the identifier of the token.
    assert!(step(&steps[0]).0.contains("da1bd5f8-847b-4aec-a33d-11b04ebde244"));
    let install = &step(&steps[3]).1[0];
    assert!(install.starts_with("ddpatrol hook install --repo /"), "{install}");
}

#[test]
fn a_rule_without_advice_names_its_issuer() {
    let folder = tempfile::tempdir().expect("a folder");
    let roots = Roots { here: folder.path().to_owned(), tops: Vec::new() };
    let it = finding(vec![location("a")]);
    let rule = Rule { advice: None, ..rule_set()[it.rule].clone() };
    let redactor = redactor();
    let mut paths = Paths::new(&roots, &[], None);
    let steps = steps(&it, &rule, &mut redactor.masker(), &mut paths, &NextStepsContext::default());
    assert_eq!(step(&steps[0]).0, "Revoke it where Datadog issued it.");
}

#[test]
fn steps_contain_no_secret() {
    let folder = repository(&format!("{}/.git", token(5)));
    let it =
        finding(vec![traced(&format!("{}/a", token(5)), trace(&format!("{}/.git", token(5))))]);
    let text: Vec<(String, Vec<String>)> =
        listed(&folder, &it, &NextStepsContext::default()).iter().map(step).collect();
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
    assert_eq!(first_words(reference), "Rename the branch or tag key = t_***");
    // Commands do not reach a repository within an archive.
    let archive = || Path::new("a.tar");
    let trace = Trace { repository: member(archive(), &["r/.git"]), ..trace("") };
    let packed = Location { path: Some(member(archive(), &["r/x"])), ..traced("", trace) };
    assert_eq!(first_words(packed), "Remove it from the file");
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
    assert_eq!(commands_in(&folder, &it), ["git -C FOLDER reset -- ':/b/x y' :/a"]);
}

#[test]
fn a_staged_member_unstages_its_archive() {
    let folder = repository(".git");
    let files = |place: Place| {
        let staged = change_status("", ChangeStatus::New);
        let it = finding(vec![Location { path: Some(place), ..staged }]);
        let commands = commands_in(&folder, &it);
        commands[0].rsplit(" -- ").next().unwrap_or_default().to_owned()
    };
    let file = |path: &str| Place::from(Path::new(path));
    assert_eq!(files(member(file("b.zip"), &["c/d.tar.gz", "e"])), ":/b.zip");
    assert_eq!(files(Place::Content(Arc::new(file("b.tar.gz")))), ":/b.tar.gz");
    // The name of a folder or a file may end in a mark.
    assert_eq!(files(member(file("x!/a.zip"), &["b"])), "':/x!/a.zip'");
    assert_eq!(files(file("x!/a.zip!/b")), "':/x!/a.zip!/b'");
    assert_eq!(files(file("plain!")), "':/plain!'");
}

#[test]
fn nothing_is_unstaged_while_a_merge_is_in_progress() {
    let folder = repository(".git");
    let it = finding(vec![change_status("a", ChangeStatus::New)]);
    let (text, commands) = step(&listed(&folder, &it, &during(Operation::CherryPick))[2]);
    assert!(text.contains("a cherry-pick is in progress") && commands.is_empty(), "{text}");
    // Other findings do not depend on the operation.
    let other = finding(vec![location("a")]);
    let (text, _) = step(&listed(&folder, &other, &during(Operation::Merge))[2]);
    assert!(text.starts_with("Remove it from the file."), "{text}");
}

#[test]
fn staged_paths_are_relative_to_the_top_and_match_nothing_else() {
    let from_top = |path: &str| from_top(Path::new(path));
    assert_eq!(from_top("sub/f"), ":/sub/f");
    assert_eq!(from_top(".env"), ":/.env");
    assert_eq!(from_top("a*\n\u{202e}é"), ":(top,glob)a\\*????é");
    for path in ["!x", "_x", "-x", "(x)", "a*b", "a[b]c", "a?", "a\\b", "é"] {
        assert_eq!(from_top(path), format!(":(top,literal){path}"));
    }
}

#[test]
fn unreachable_objects_are_pruned_and_no_reflog_or_stash_is_deleted() {
    let folder = repository(".git");
    let unreachable = Trace { reachable: false, ..trace(".git") };
    let it = finding(vec![traced("a", unreachable)]);
    assert_eq!(commands_in(&folder, &it), ["git -C FOLDER gc --prune=now"]);
    let stash = Trace { refs: vec![b"refs/stash".to_vec()], ..trace(".git") };
    let it = finding(vec![traced("a", stash)]);
    assert_eq!(commands_in(&folder, &it), ["git -C FOLDER stash list"]);
}

#[test]
fn a_new_token_of_a_change_is_removed_from_its_commit() {
    let folder = repository(".git");
    let of = |change_status| {
        let place = traced("a", trace(".git"));
        let it = finding(vec![Location { change_status: Some(change_status), ..place }]);
        reported(&folder, &it)
    };
    let commit = "a".repeat(40);
    let parent = format!("git -C FOLDER rev-parse --quiet --verify {commit}^ || echo --root");
    let rebase = format!("git -C FOLDER rebase --interactive --rebase-merges \"$({parent})\"");
    for new in [ChangeStatus::New, ChangeStatus::AlsoUnpushed] {
        assert_eq!(of(new).join("\n"), rebase);
    }
    // Editing the change does not remove what the base has.
    for old in [ChangeStatus::Preexisting, ChangeStatus::Moved(PathBuf::from("b"))] {
        assert!(of(old)[0].starts_with("ddpatrol clean"));
    }
}

#[test]
fn the_history_of_each_repository_is_cleaned_once() {
    let folder = repository("sub dir/.git");
    std::fs::create_dir_all(folder.path().join("b/.git")).expect("a folder");
    let it = finding(vec![
        traced("sub dir/a", trace("sub dir/.git")),
        traced("sub dir/c", trace("sub dir/.git")),
        traced("b/a", Trace { reachable: false, ..trace("b/.git") }),
    ]);
    let clean = "ddpatrol clean --from 'a b.json' --repo 'FOLDER/sub dir'";
    assert_eq!(reported(&folder, &it), [clean, "git -C FOLDER/b gc --prune=now"]);
    assert_eq!(commands_in(&folder, &it), ["git -C FOLDER/b gc --prune=now"]);
    let (_, install) = step(&listed(&folder, &it, &NextStepsContext::default())[3]);
    assert!(install[0].starts_with("ddpatrol hook install --repo '/"), "{install:?}");
}

#[test]
fn a_bare_repository_is_named_and_gets_a_pre_receive_hook() {
    let folder = repository("r.git");
    let it = finding(vec![traced("r.git/a", trace("r.git"))]);
    assert_eq!(reported(&folder, &it), ["ddpatrol clean --from 'a b.json' --repo FOLDER/r.git"]);
    let (_, install) = step(&listed(&folder, &it, &NextStepsContext::default())[3]);
    assert!(install[0].starts_with("ddpatrol hook install --pre-receive --repo /"), "{install:?}");
}

#[test]
fn a_hook_gives_no_advice_that_does_not_apply() {
    let folder = repository(".git");
    let aims = |place: Location, hook| -> Vec<Aim> {
        let steps = listed(&folder, &finding(vec![place]), &in_hook(hook));
        steps.iter().map(|it| it.aim).collect()
    };
    let new = || change_status("a", ChangeStatus::New);
    for hook in [HookKind::PreCommit, HookKind::CommitMsg, HookKind::PrePush] {
        assert_eq!(aims(new(), hook), [Aim::Clean]);
    }
    let leaked = [Aim::Revoke, Aim::Replace, Aim::Clean];
    assert_eq!(aims(new(), HookKind::PreReceive), leaked);
    assert_eq!(aims(change_status("a", ChangeStatus::Preexisting), HookKind::PrePush), leaked);
}
