//! Every command that a report prints works when pasted into a shell, and has the effect that it promises.

use crate::support::mint::token;
use crate::support::repo::Repo;
use crate::support::tree::RunOutput;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs a command in a shell that finds `ddpatrol` and `git` on PATH.
pub(super) fn paste(
    repo: &Repo,
    folder: &Path,
    command: &str,
    variables: &[(&str, &str)],
) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_ddpatrol")).parent().expect("a folder");
    let mut folders = vec![program.to_owned()];
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").expect("PATH contains git")));
    let git = repo.command(folder, &["--version"]);
    let mut shell = Command::new("sh");
    shell.args(["-euc", command]).current_dir(folder).env_clear();
    shell.envs(git.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.env("PATH", std::env::join_paths(folders).expect("a search path"));
    shell.envs(variables.iter().copied()).output().expect("a shell")
}

#[track_caller]
pub(super) fn must(repo: &Repo, folder: &Path, command: &str) {
    let output = paste(repo, folder, command, &[]);
    assert!(output.status.success(), "{command}: {output:?}");
}

/// Returns the next steps of a text report: labels and the rest of each line.
pub(super) fn next_steps(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().skip_while(|line| *line != "Next steps").skip(1);
    lines
        .map_while(|line| {
            let mut words = line.strip_prefix("  ")?.splitn(3, ' ');
            words.next()?.parse::<usize>().ok()?;
            let label = words.next()?.to_owned();
            Some((label, words.next()?.trim_start().to_owned()))
        })
        .collect()
}

/// Returns the labels and the commands of all next steps, without instructions.
pub(super) fn commands(text: &str) -> Vec<(String, String)> {
    let is_command = |line: &String| line.starts_with("git") || line.starts_with("ddpatrol");
    next_steps(text).into_iter().filter(|(_, line)| is_command(line)).collect()
}

/// Returns the commands of the findings in a JSON report, each once.
fn json_commands(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().expect("a list").iter();
    let steps = findings.flat_map(|it| it["steps"].as_array().expect("a list"));
    let listed = steps.filter_map(|it| it["commands"].as_array()).flatten();
    let mut all: Vec<String> = Vec::new();
    for command in listed.map(|it| it.as_str().expect("a text").to_owned()) {
        if !all.contains(&command) {
            all.push(command);
        }
    }
    all
}

/// Checks that a `clean` command printed its plan. Where git-filter-repo is not installed, the command says so at
/// its end; `clean::` tests the rewrite itself.
fn assert_plans(output: &Output) {
    let [out, err] = [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it));
    assert!(out.starts_with("Repository ") && out.contains("Tokens"), "{output:?}");
    let is_installed = !err.contains("git-filter-repo is not installed");
    let expected = if is_installed && !out.contains("not cleaned") { 0 } else { 2 };
    assert_eq!(output.status.code(), Some(expected), "{output:?}");
}

pub(super) fn scanned(repo: &Repo, folder: &Path, args: &[&str]) -> RunOutput {
    repo.run_in(folder, args, &[])
}

/// Pastes the commands of a scan in the folder of the scan, and checks the effect of each.
fn assert_commands_work(repo: &Repo, folder: &Path, args: &[&str], repositories: &[PathBuf]) {
    let text = scanned(repo, folder, args).stdout();
    let (_, save) = commands(&text).remove(0);
    assert!(save.starts_with("ddpatrol scan --report json=scan.json"), "{text}");
    let output = paste(repo, folder, &save, &[]);
    assert_eq!(output.status.code(), Some(1), "{save}: {output:?}");
    let saved = std::fs::read(folder.join("scan.json")).expect("a report");
    let report: Value = serde_json::from_slice(&saved).expect("JSON");
    let mut cleans = 0;
    let texts = commands(&text).into_iter().skip(1).map(|(_, command)| command);
    let mut all = json_commands(&report);
    all.extend(texts.filter(|it| !all.contains(it)).collect::<Vec<_>>());
    for command in &all {
        if command.contains("--verify --revoke") {
            // No request leaves the machine.
            let command = format!("{command} --dry-run --issuer http://127.0.0.1:9");
            let output = paste(repo, folder, &command, &[]);
            let printed = String::from_utf8_lossy(&output.stderr);
            assert!(!printed.contains("error:"), "{command}: {output:?}");
        } else if command.starts_with("ddpatrol clean --from scan.json") {
            assert_plans(&paste(repo, folder, command, &[]));
            cleans += 1;
        } else {
            must(repo, folder, command);
        }
    }
    assert!(cleans > 0, "{all:?}");
    for repository in repositories {
        let status = scanned(repo, repository, &["hook", "status"]).stdout();
        assert!(
            status.contains("ddpatrol staged") || status.contains("ddpatrol pre-receive"),
            "{status}"
        );
    }
    // The hooks are installed now, so no report suggests to install them.
    let again = scanned(repo, folder, args).stdout();
    assert!(!again.contains("hook install"), "{again}");
}

fn leaked() -> Repo {
    let repo = Repo::new();
    repo.commit_file("sub/f", format!("KEY={}\n", token(1)));
    repo
}

#[test]
fn commands_work_in_a_subfolder() {
    let repo = leaked();
    let folder = repo.path().join("sub");
    assert_commands_work(&repo, &folder, &["scan", ".."], &[repo.path().to_owned()]);
}

#[test]
fn commands_work_in_a_bare_clone() {
    let repo = leaked();
    let bare = repo.clone_to("bare.git", &["--bare"]);
    assert_commands_work(&repo, &bare, &["scan"], std::slice::from_ref(&bare));
    let other = repo.clone_to("other.git", &["--bare"]);
    assert_commands_work(&repo, repo.parent(), &["scan", "other.git"], &[other]);
}

#[test]
fn commands_work_in_a_linked_work_tree() {
    let repo = leaked();
    repo.git(&["worktree", "add", "-q", "../linked"]);
    let linked = repo.sibling("linked");
    assert_commands_work(&repo, &linked, &["scan"], std::slice::from_ref(&linked));
}

#[test]
fn a_linked_work_tree_is_one_repository_with_the_work_tree_as_its_folder() {
    let repo = leaked();
    // A token in a message has no path.
    repo.git(&["commit", "-q", "--allow-empty", "-m", &token(2)]);
    repo.git(&["worktree", "add", "-q", "../linked"]);
    // A file that all work trees share.
    repo.write(".git/FETCH_HEAD", token(3));
    let linked = repo.sibling("linked");
    let inside = scanned(&repo, &linked, &["scan"]).stdout();
    let steps: Vec<_> = commands(&inside).into_iter().map(|(_, command)| command).collect();
    assert!(steps.contains(&"ddpatrol hook install".to_owned()), "{inside}");
    assert!(steps.contains(&"ddpatrol clean --from scan.json".to_owned()), "{inside}");
    let outside = scanned(&repo, repo.parent(), &["scan", "linked"]).stdout();
    let both = scanned(&repo, repo.parent(), &["scan"]).stdout();
    for text in [&inside, &outside, &both] {
        let steps = commands(text);
        let count = |words| steps.iter().filter(|(_, it)| it.starts_with(words)).count();
        assert_eq!((count("ddpatrol hook install"), count("ddpatrol clean")), (1, 1), "{text}");
        let is_git_dir =
            |it: &(String, String)| it.1.contains("worktrees") || it.1.contains("receive");
        assert!(!steps.iter().any(is_git_dir) && !text.contains("/../"), "{text}");
    }
}

#[test]
fn commands_name_their_repository_in_a_scan_of_many() {
    let repo = leaked();
    let other = repo.clone_to("another one", &[]);
    let all = [repo.path().to_owned(), other];
    assert_commands_work(&repo, repo.parent(), &["scan"], &all);
}

#[test]
fn a_pruned_token_is_not_found_by_the_next_scan() {
    let repo = leaked();
    repo.commit_file("sub/f", "clean\n");
    let bare = repo.clone_to("bare.git", &["--bare"]);
    let id = repo.git_at(&bare, &["rev-parse", "HEAD^{tree}"]);
    let root = repo.git_at(&bare, &["commit-tree", "-m", "root", &id]);
    repo.git_at(&bare, &["update-ref", "refs/heads/main", &root]);
    let text = scanned(&repo, repo.parent(), &["scan", "bare.git"]).stdout();
    let prune = commands(&text).into_iter().find(|(label, _)| label == "clean").expect("a command");
    // The shell ignores the comment.
    let end =
        " gc --prune=now   # objects that a reflog or stash names stay: git reflog, git stash list";
    assert!(prune.1.starts_with("git -C /") && prune.1.ends_with(end), "{text}");
    assert!(!text.contains("reflog expire") && !text.contains("stash drop"), "{text}");
    must(&repo, repo.parent(), &prune.1);
    let again = scanned(&repo, repo.parent(), &["scan", "bare.git"]);
    assert_eq!(again.code(), Some(0), "{again:?}");
}

/// Commits in a folder, which a hook rejects, and returns the output of the hook.
fn rejected(repo: &Repo, folder: &Path, arguments: &[&str]) -> String {
    let output = repo.try_git(folder, &[&["commit", "-m", "x"], arguments].concat(), "");
    assert!(!output.status.success(), "{output:?}");
    // Git sends the output of a hook to its own standard error.
    String::from_utf8(output.stderr).expect("UTF-8")
}

fn staged_paths(repo: &Repo) -> String {
    repo.git(&["diff", "--cached", "--name-only"])
}

#[test]
fn a_rejected_commit_prints_few_lines_and_the_command_that_unstages_the_file() {
    let repo = Repo::with_files(&[("a", "clean\n")]);
    repo.hook("pre-commit", "staged --quiet");
    let folder = repo.path().join("sub");
    let text = format!("KEY={}\n", token(1));
    for name in ["sub/f", "sub/it's *"] {
        repo.write(name, &text);
    }
    repo.write("sub/it's x", "clean\n");
    repo.git(&["add", "-A"]);
    let printed = rejected(&repo, &folder, &[]);
    assert!(printed.lines().count() <= 12, "{printed}");
    assert!(!printed.contains("revoke") && !printed.contains("install"), "{printed}");
    let [(label, unstage)] = &commands(&printed)[..] else { panic!("{printed}") };
    assert_eq!(label, "unstage");
    must(&repo, &folder, unstage);
    assert_eq!(staged_paths(&repo), "sub/it's x");
    assert_eq!(std::fs::read_to_string(folder.join("f")).expect("a file"), text);
}

#[test]
fn files_with_names_that_a_report_cannot_show_are_unstaged() {
    use std::os::unix::ffi::OsStrExt;
    let repo = Repo::with_files(&[("a", "clean\n")]);
    let names: [&[u8]; 3] = [b"b\nc", b"b\xffc*", "b\u{202e}\t[c".as_bytes()];
    for name in names {
        let path = repo.path().join(std::ffi::OsStr::from_bytes(name));
        std::fs::write(path, token(1)).expect("a file");
    }
    repo.write("kept", "clean\n");
    repo.git(&["add", "-A"]);
    let text = scanned(&repo, repo.path(), &["staged"]).stdout();
    must(&repo, repo.path(), &commands(&text)[0].1);
    assert_eq!(staged_paths(&repo), "kept", "{text}");
}

#[test]
fn a_command_for_staged_files_names_another_repository() {
    let repo = Repo::with_files(&[("a", "clean\n")]);
    repo.stage(&[("f", &token(1))]);
    let root = repo.path().to_str().expect("UTF-8");
    let args = ["staged", "--repo", root];
    let text = scanned(&repo, repo.parent(), &args).stdout();
    must(&repo, repo.parent(), &commands(&text)[0].1);
    assert_eq!(staged_paths(&repo), "");
    let report = scanned(&repo, repo.parent(), &["staged", "--repo", root, "--report", "json"]);
    assert_eq!(json_commands(&report.json()), Vec::<String>::new());
}

#[test]
fn nothing_is_unstaged_during_a_merge() {
    let repo = Repo::with_files(&[("f", "1\n2\n3\n4\n5\n")]);
    repo.git(&["checkout", "-q", "-b", "side"]);
    repo.commit_file("f", "side\n2\n3\n4\n5\n");
    repo.git(&["checkout", "-q", "main"]);
    repo.commit_file("f", "1\n2\n3\n4\nmain\n");
    repo.git(&["merge", "-q", "--no-commit", "side"]);
    repo.hook("pre-commit", "staged --quiet");
    repo.stage(&[("f", &format!("side\n{}\nmain\n", token(1)))]);
    let printed = rejected(&repo, repo.path(), &[]);
    assert!(printed.contains("a merge is in progress"), "{printed}");
    assert!(printed.lines().count() <= 12 && commands(&printed).is_empty(), "{printed}");
}

#[test]
fn a_rejected_message_is_changed_and_nothing_else_is_advised() {
    let repo = Repo::with_files(&[("a", "clean\n")]);
    repo.hook("commit-msg", "commit-msg --quiet \"$@\"");
    repo.stage(&[("a", "edited\n")]);
    let printed = rejected(&repo, repo.path(), &["-m", &token(1)]);
    assert!(printed.lines().count() <= 12, "{printed}");
    assert_eq!(next_steps(&printed).len(), 1, "{printed}");
    assert!(printed.contains("Remove it from the message and commit again"), "{printed}");
}

#[test]
fn a_rejected_push_opens_the_commit_for_editing() {
    let repo = Repo::with_files(&[("a", "clean\n")]);
    let server = repo.clone_to("server.git", &["--bare"]);
    repo.git(&["remote", "add", "origin", server.to_str().expect("UTF-8")]);
    repo.git(&["fetch", "-q", "origin"]);
    repo.commit_file("sub/f", token(1));
    repo.git(&["commit", "-q", "--allow-empty", "-m", "later"]);
    repo.hook("pre-push", "pre-push --quiet \"$@\"");
    let output = repo.try_git(repo.path(), &["push", "-q", "origin", "main"], "");
    assert!(!output.status.success(), "{output:?}");
    // Git passes on the standard output of this hook.
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(printed.lines().count() <= 12, "{printed}");
    assert!(!printed.contains("revoke") && !printed.contains("install"), "{printed}");
    let [(label, rebase)] = &commands(&printed)[..] else { panic!("{printed}") };
    assert_eq!(label, "rewrite");
    let editor = [("GIT_SEQUENCE_EDITOR", "sed -i '0,/^pick/s/^pick/edit/'")];
    let output = paste(&repo, &repo.path().join("sub"), rebase, &editor);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(repo.git(&["ls-tree", "-r", "--name-only", "HEAD"]), "a\nsub/f");
    repo.write("sub/f", "clean\n");
    repo.git(&["commit", "-q", "-a", "--amend", "--no-edit"]);
    repo.git(&["rebase", "--continue"]);
    repo.git(&["push", "-q", "origin", "main"]);
}

#[test]
fn one_rebase_edits_all_commits_of_a_rejected_push() {
    let repo = Repo::with_files(&[("a", "clean\n")]);
    let server = repo.clone_to("server.git", &["--bare"]);
    repo.git(&["remote", "add", "origin", server.to_str().expect("UTF-8")]);
    repo.git(&["fetch", "-q", "origin"]);
    let mut commits = Vec::new();
    // The names of the files are not in the order of the commits.
    for (seed, name) in [(1, "e"), (2, "d"), (3, "c"), (4, "b")] {
        repo.commit_file(name, token(seed));
        commits.push(repo.git(&["rev-parse", "HEAD"]));
        repo.git(&["commit", "-q", "--allow-empty", "-m", "clean"]);
    }
    repo.hook("pre-push", "pre-push --quiet \"$@\"");
    let output = repo.try_git(repo.path(), &["push", "-q", "origin", "main"], "");
    assert!(!output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    let short: Vec<&str> = commits.iter().map(|it| &it[..12]).collect();
    assert!(printed.contains(&format!("amend: {}. A later", short.join(", "))), "{printed}");
    assert!(!printed.contains("JSON report"), "{printed}");
    let [(_, rebase)] = &commands(&printed)[..] else { panic!("{printed}") };
    let list = repo.sibling("list");
    let editor = [("GIT_SEQUENCE_EDITOR", &*format!("sh -c 'cat \"$0\" >{}'", list.display()))];
    let output = paste(&repo, repo.path(), rebase, &editor);
    assert!(output.status.success(), "{output:?}");
    let list = std::fs::read_to_string(list).expect("the list of commits");
    let picked = list.lines().filter(|it| it.starts_with("pick"));
    let first = picked.clone().next().and_then(|it| it.split(' ').nth(1)).expect("a commit");
    assert!(commits[0].starts_with(first) && picked.count() == 8, "{list}");
}

#[test]
fn a_file_and_the_name_of_a_branch_are_named_in_the_steps() {
    let repo = Repo::with_files(&[("a", "clean\n")]);
    repo.git(&["branch", &format!("fix/{}", token(1))]);
    for name in ["x", "y", "z"] {
        repo.write(name, token(2));
    }
    let text = scanned(&repo, repo.path(), &["scan"]).stdout();
    let steps = next_steps(&text);
    let of = |words: &str| steps.iter().find(|(_, it)| it.starts_with(words)).map(|it| &it.1);
    let rename = of("Rename the branch or tag fix/ddpat_").unwrap_or_else(|| panic!("{text}"));
    assert!(rename.ends_with(", and delete the old name wherever it was pushed."), "{text}");
    assert!(!text.contains(&token(1)[30..]), "{text}");
    let remove = of("Remove the token from x").unwrap_or_else(|| panic!("{text}"));
    assert_eq!(remove, "Remove the token from x (+2 files). Copies elsewhere keep it.");
}

#[test]
fn steps_for_several_tokens_name_several_tokens() {
    let repo = Repo::with_files(&[("a", "clean\n")]);
    repo.write("x", format!("{}\n{}\n", token(1), token(2)));
    let text = scanned(&repo, repo.path(), &["scan", "--files-only"]).stdout();
    assert!(text.contains("Remove the tokens from x. Copies elsewhere keep them."), "{text}");
    repo.git(&["add", "x"]);
    let text = scanned(&repo, repo.path(), &["staged"]).stdout();
    assert!(text.contains("Remove the tokens from the file, then stage the file again."), "{text}");
    repo.git(&["commit", "-qm", "two tokens"]);
    let text = scanned(&repo, repo.path(), &["range", "HEAD"]).stdout();
    assert!(text.contains("remove the tokens and amend"), "{text}");
}

#[test]
fn commands_name_the_json_report_of_the_run() {
    let repo = leaked();
    let out = repo.sibling("a b.json");
    let report = format!("json={}", out.display());
    let text = scanned(&repo, repo.path(), &["scan", "--report", "text", "--report", &report]);
    let listed = commands(&text.stdout());
    assert!(listed.iter().all(|(label, _)| label != "save"), "{listed:?}");
    let clean = format!("ddpatrol clean --from '{}'", out.display());
    assert!(listed.iter().any(|(_, command)| *command == clean), "{listed:?}");
    let from = out.to_str().expect("UTF-8");
    let text = scanned(&repo, repo.path(), &["report", "--from", from]).stdout();
    let revoke = format!("ddpatrol revoke --from '{}'", out.display());
    assert!(commands(&text).iter().any(|(_, command)| *command == revoke), "{text}");
    let output = paste(&repo, repo.path(), &format!("{revoke} --dry-run"), &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}
