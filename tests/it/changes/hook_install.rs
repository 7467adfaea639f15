//! `ddpatrol hook install` and `uninstall`, and the hooks that the real `git` then calls.

use super::token;
use crate::support::repo::Repo;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

pub(super) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> = entries
        .map(|it| it.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| !name.ends_with(".sample"))
        .collect();
    names.sort();
    names
}

fn hooks(repo: &Repo) -> Vec<String> {
    names(&repo.path().join(".git/hooks"))
}

fn kept(repo: &Repo) -> Vec<String> {
    names(&repo.path().join(".git/hooks.before-ddpatrol"))
}

pub(super) fn script(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, text).expect("a file");
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("an executable");
}

#[track_caller]
pub(super) fn commits(repo: &Repo, args: &[&str], passes: bool) -> String {
    let output = repo.try_git(repo.path(), &[&["commit", "-q"], args].concat(), "");
    assert_eq!(output.status.success(), passes, "{args:?}: {output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

#[test]
fn installed_hooks_block_commits_until_they_are_uninstalled() {
    let repo = Repo::with_files(&[("a", "clean")]);
    let ran = repo.run(&["hook", "install"]);
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    assert!(ran.stdout().contains(": pre-commit, pre-merge-commit, commit-msg."), "{ran:?}");
    assert_eq!(hooks(&repo), ["commit-msg", "pre-commit", "pre-merge-commit"]);
    repo.stage(&[("a", &token(1))]);
    let printed = commits(&repo, &["-m", "content"], false);
    assert!(
        printed.contains("a:1:1  datadog-pat") && printed.contains("git reset -- :/a"),
        "{printed}"
    );
    repo.stage(&[("a", "edited")]);
    let printed = commits(&repo, &["-m", &token(2)], false);
    assert!(printed.contains("COMMIT_EDITMSG:1:1  datadog-pat"), "{printed}");
    assert!(!printed.contains(&token(2)[30..]), "{printed}");
    assert_eq!(commits(&repo, &["-m", "clean"], true), "", "a hook that passes is silent");
    // A second installation changes nothing.
    assert_eq!(repo.run(&["hook", "install"]).code(), Some(0));
    assert_eq!(hooks(&repo), ["commit-msg", "pre-commit", "pre-merge-commit"]);
    let ran = repo.run(&["hook", "uninstall"]);
    assert!(ran.stdout().contains("Removed from"), "{ran:?}");
    assert_eq!(hooks(&repo), [] as [&str; 0]);
    assert!(repo.run(&["hook", "uninstall"]).stdout().contains("No ddpatrol hooks found"));
    repo.stage(&[("a", &token(1))]);
    commits(&repo, &["-m", "content"], true);
}

#[test]
fn a_verbose_message_may_show_a_removed_token() {
    let repo = Repo::with_files(&[("a", &token(1))]);
    repo.run(&["hook", "install"]);
    repo.stage(&[("a", "clean")]);
    let editor = "sh -c 'f=$1; { echo subject; cat \"$f\"; } > \"$f.new\"; mv \"$f.new\" \"$f\"' x";
    let variables = [("GIT_EDITOR", editor)];
    let output = repo.try_git_with(repo.path(), &["commit", "-v"], &variables);
    assert!(output.status.success(), "{output:?}");
    assert!(repo.git(&["log", "-1", "--format=%B"]).starts_with("subject"));
}

#[test]
fn text_below_scissors_that_git_commits_is_scanned() {
    let repo = Repo::with_files(&[("a", "clean")]);
    repo.run(&["hook", "install"]);
    let scissors = "# ------------------------ >8 ------------------------";
    for below in [token(1), format!("# {}", token(1))] {
        let message = format!("subject\n{scissors}\n{below}\n");
        let printed = commits(&repo, &["--allow-empty", "-m", &message], false);
        assert!(printed.contains("COMMIT_EDITMSG:3:"), "{printed}");
    }
}

#[test]
fn a_merge_is_blocked_and_an_existing_hook_runs_first_and_is_restored() {
    let repo = Repo::with_files(&[("a", "clean")]);
    let old = repo.path().join(".git/hooks/pre-commit");
    script(&old, "#!/bin/sh\necho before > .git/ran\ntest ! -e stop\n");
    let text = std::fs::read(&old).expect("a hook");
    let ran = repo.run(&["hook", "install", "--pre-commit", "--pre-merge-commit"]);
    assert!(ran.stdout().contains("it runs first, as"), "{ran:?}");
    assert_eq!(hooks(&repo), ["pre-commit", "pre-merge-commit"]);
    assert_eq!(kept(&repo), ["pre-commit"]);
    repo.stage(&[("a", "edited")]);
    commits(&repo, &["-m", "clean"], true);
    assert_eq!(std::fs::read(repo.path().join(".git/ran")).expect("the hook ran"), b"before\n");
    std::fs::write(repo.path().join("stop"), "").expect("a file");
    commits(&repo, &["--allow-empty", "-m", "stopped by the old one"], false);
    std::fs::remove_file(repo.path().join("stop")).expect("the file exists");
    // The merge driver adds a token that neither side has.
    repo.stage(&[(".gitattributes", "a merge=driver\n")]);
    commits(&repo, &["-m", "a driver"], true);
    repo.git(&["config", "merge.driver.driver", &format!("echo {} > %A", token(1))]);
    repo.git(&["checkout", "-q", "-b", "side"]);
    repo.stage(&[("a", "side")]);
    commits(&repo, &["-m", "side"], true);
    repo.git(&["checkout", "-q", "main"]);
    repo.stage(&[("a", "main")]);
    commits(&repo, &["-m", "main goes on"], true);
    let output = repo.try_git(repo.path(), &["merge", "--no-edit", "side"], "");
    assert!(!output.status.success(), "{output:?}");
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(
        printed.contains("a:1:1  datadog-pat") && printed.contains("a merge is in progress"),
        "{printed}"
    );
    assert!(!printed.contains("reset --quiet"), "{printed}");
    // A hook of somebody else is not overwritten if one is kept already.
    std::fs::copy(&old, old.with_extension("mine")).expect("a copy");
    script(&old, "#!/bin/sh\nexit 0\n");
    let ran = repo.run(&["hook", "install", "--pre-commit"]);
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    std::fs::rename(old.with_extension("mine"), &old).expect("the file is restored");
    repo.run(&["hook", "uninstall"]);
    assert_eq!(hooks(&repo), ["pre-commit"]);
    assert_eq!(std::fs::read(&old).expect("a hook"), text);
    assert!(!repo.path().join(".git/hooks.before-ddpatrol").exists());
}

#[test]
fn a_hook_without_its_program_blocks_the_commit_with_a_message() {
    let repo = Repo::with_files(&[("a", "clean")]);
    repo.run(&["hook", "install", "--pre-commit"]);
    let path = repo.path().join(".git/hooks/pre-commit");
    let text = std::fs::read_to_string(&path).expect("a hook");
    std::fs::write(&path, text.replace(env!("CARGO_BIN_EXE_ddpatrol"), "/gone/ddpatrol"))
        .expect("a file");
    repo.stage(&[("a", "edited")]);
    let printed = commits(&repo, &["-m", "clean"], false);
    assert!(printed.contains("ddpatrol not found, so nothing was scanned"), "{printed}");
    assert!(printed.contains("git commit --no-verify"), "{printed}");
}

#[test]
fn a_hooks_path_that_disables_hooks_is_an_error_with_a_remedy() {
    let repo = Repo::with_files(&[("x", "")]);
    for (path, words) in [
        ("/dev/null", "core.hooksPath is /dev/null, which is not a folder, so git runs no hooks"),
        ("", "core.hooksPath is empty, so git runs no hooks"),
    ] {
        repo.git(&["config", "core.hooksPath", path]);
        let ran = repo.run(&["hook", "install"]);
        assert_eq!(ran.code(), Some(2), "{ran:?}");
        assert!(ran.stderr().contains(words), "{ran:?}");
        assert!(ran.stderr().contains("`git config --show-origin core.hooksPath`"), "{ran:?}");
    }
}

#[test]
fn hooks_are_installed_in_core_hookspath() {
    let repo = Repo::with_files(&[("a", "clean")]);
    let shared = repo.parent().join("shared hooks");
    repo.git(&["config", "core.hooksPath", &shared.to_string_lossy()]);
    let ran = repo.run(&["hook", "install", "--pre-commit"]);
    assert!(
        ran.stdout().contains("hooks in this folder run in every repository that uses it"),
        "{ran:?}"
    );
    assert_eq!(names(&shared), ["pre-commit"]);
    assert_eq!(hooks(&repo), [] as [&str; 0]);
    repo.stage(&[("a", &token(1))]);
    commits(&repo, &["-m", "content"], false);
    repo.run(&["hook", "uninstall"]);
    assert_eq!(names(&shared), [] as [&str; 0]);
}

#[test]
fn a_linked_work_tree_shares_hooks_and_repo_selects_another_folder() {
    let repo = Repo::with_files(&[("a", "clean")]);
    repo.git(&["worktree", "add", "-q", "../linked"]);
    let linked = repo.parent().join("linked");
    let ran = repo.run_in(repo.parent(), &["hook", "install", "--repo", "linked"], &[]);
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    assert_eq!(hooks(&repo), ["commit-msg", "pre-commit", "pre-merge-commit"]);
    std::fs::write(linked.join("a"), token(1)).expect("a file");
    let output = repo.try_git(&linked, &["commit", "-q", "-a", "-m", "content"], "");
    assert!(!output.status.success(), "{output:?}");
    let ran = repo.run_in(repo.parent(), &["hook", "install"], &[]);
    assert_eq!(ran.code(), Some(2), "{ran:?}");
}

#[test]
fn global_hooks_call_the_hooks_of_each_repository() {
    let repo = Repo::with_files(&[("a", "clean")]);
    let settings = repo.parent().join("gitconfig").to_string_lossy().into_owned();
    let variables = [("GIT_CONFIG_GLOBAL", &*settings)];
    let run = |args: &[&str]| repo.run_in(repo.parent(), args, &variables);
    assert_eq!(run(&["hook", "install", "--global", "--pre-receive"]).code(), Some(2));
    let ran = run(&["hook", "install", "--global"]);
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    script(&repo.path().join(".git/hooks/pre-commit"), "#!/bin/sh\ntouch .git/own-pre-commit\n");
    script(&repo.path().join(".git/hooks/post-commit"), "#!/bin/sh\ntouch .git/own-post-commit\n");
    let git = |args: &[&str]| repo.try_git_with(repo.path(), args, &variables).status.success();
    repo.stage(&[("a", &token(1))]);
    assert!(!git(&["commit", "-q", "-m", "content"]));
    repo.stage(&[("a", "edited")]);
    assert!(git(&["commit", "-q", "-m", "clean"]));
    for ran in ["own-pre-commit", "own-post-commit"] {
        assert!(repo.path().join(".git").join(ran).exists(), "{ran}");
    }
    assert_eq!(run(&["hook", "uninstall", "--global"]).code(), Some(0));
    let text = std::fs::read_to_string(&settings).expect("git's settings");
    assert!(!text.contains("hooksPath"), "{text}");
    assert!(!repo.parent().join(".config/ddpatrol/hooks").exists());
    repo.stage(&[("a", &token(1))]);
    assert!(git(&["commit", "-q", "-m", "content"]));
}

#[test]
fn global_hooks_forward_arguments_and_input_to_server_hooks() {
    let repo = Repo::with_files(&[("a", "clean")]);
    let settings = repo.parent().join("gitconfig").to_string_lossy().into_owned();
    let variables = [("GIT_CONFIG_GLOBAL", &*settings)];
    let server = repo.clone_to("server.git", &["--bare"]);
    let printed = |name: &str| std::fs::read_to_string(server.join(format!("received-{name}")));
    let readers = ["pre-receive", "post-receive"];
    let server_hooks = [&readers[..], &["update", "post-update"]].concat();
    for name in &server_hooks {
        let text = format!("#!/bin/sh\nf=$PWD/received-{name}\n(echo \"$@\"; cat) >> \"$f\"\n");
        let reads = readers.contains(name);
        let text = if reads { text } else { text.replace("; cat", "") };
        script(&server.join("hooks").join(name), &text);
    }
    assert_eq!(
        repo.run_in(repo.parent(), &["hook", "install", "--global"], &variables).code(),
        Some(0)
    );
    // An existing hook runs first, with the same input.
    let shared = repo.parent().join(".config/ddpatrol/hooks.before-ddpatrol");
    for name in readers {
        let text = format!("#!/bin/sh\ncat >> '{}/before-{name}'\n", server.display());
        script(&shared.join(name), &text);
    }
    let git = |args: &[&str]| repo.try_git_with(repo.path(), args, &variables);
    let id = repo.commit_files(&[("a", "edited")], "another");
    let pushed = git(&["push", "-q", &server.to_string_lossy(), "main"]);
    assert!(pushed.status.success(), "{pushed:?}");
    for name in &server_hooks {
        let text = printed(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(text.contains("refs/heads/main"), "{name}: {text}");
        assert!(*name == "post-update" || text.contains(&id), "{name}: {text}");
    }
    for name in readers {
        let text = std::fs::read_to_string(server.join(format!("before-{name}")));
        assert!(text.is_ok_and(|text| text.contains(&id)), "{name}");
    }
    // A hook of the repository can still reject a push.
    script(&server.join("hooks/update"), "#!/bin/sh\nexit 1\n");
    repo.commit_files(&[("a", "again")], "one more");
    assert!(!git(&["push", "-q", &server.to_string_lossy(), "main"]).status.success());
    script(&server.join("hooks/update"), "#!/bin/sh\n");
    // Our hook for one repository is installed in its own folder, which the global hooks call.
    let server_path = server.to_string_lossy().into_owned();
    let install = ["hook", "install", "--pre-receive", "--repo", &server_path];
    let ran = repo.run_in(repo.parent(), &install, &variables);
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    assert_eq!(names(&server.join("hooks.before-ddpatrol")), ["pre-receive"]);
    repo.stage(&[("b", &token(1))]);
    repo.git(&["commit", "-q", "--no-verify", "-m", "a token"]);
    let pushed = git(&["push", "-q", &server_path, "main"]);
    let said = String::from_utf8_lossy(&pushed.stderr).into_owned();
    assert!(!pushed.status.success() && said.contains("datadog-pat"), "{said}");
}

#[test]
fn a_bare_repository_accepts_only_the_pre_receive_hook() {
    let repo = Repo::with_files(&[("a", "clean")]);
    let server = repo.clone_to("server.git", &["--bare"]);
    let install = |args: &[&str]| repo.run_in(&server, &[&["hook", "install"], args].concat(), &[]);
    for args in [&[][..], &["--pre-commit"], &["--commit-msg", "--pre-receive"]] {
        let ran = install(args);
        assert_eq!(ran.code(), Some(2), "{ran:?}");
        assert!(ran.stderr().contains("use --pre-receive"), "{ran:?}");
    }
    assert_eq!(install(&["--pre-receive"]).code(), Some(0));
    assert_eq!(names(&server.join("hooks")), ["pre-receive"]);
}

#[test]
fn global_hooks_are_not_mistaken_for_repository_hooks() {
    let repo = Repo::with_files(&[("a", "clean")]);
    let settings = repo.parent().join("gitconfig").to_string_lossy().into_owned();
    let variables = [("GIT_CONFIG_GLOBAL", &*settings)];
    let run = |args: &[&str]| repo.run_in(repo.path(), args, &variables);
    assert_eq!(run(&["hook", "install", "--global"]).code(), Some(0));
    let shared = repo.parent().join(".config/ddpatrol/hooks");
    let before = std::fs::read_to_string(shared.join("pre-commit")).expect("a hook");
    // One of the global hooks is not ours.
    script(&shared.join("update"), "#!/bin/sh\n");
    assert_eq!(run(&["hook", "install"]).code(), Some(0));
    assert_eq!(std::fs::read_to_string(shared.join("pre-commit")).expect("a hook"), before);
    assert_eq!(hooks(&repo), ["commit-msg", "pre-commit", "pre-merge-commit"]);
    // A requested hook is missing.
    std::fs::remove_file(shared.join("pre-push")).expect("a hook");
    let ran = run(&["hook", "install", "--pre-push"]);
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    assert!(ran.stderr().contains("hook install --global"), "{ran:?}");
    assert!(!shared.join("pre-push").exists());
    // A linked work tree uses the hooks of its repository; in a new repository nothing is printed.
    script(
        &repo.path().join(".git/hooks/post-commit"),
        "#!/bin/sh\ntouch \"$(git rev-parse --git-common-dir)/ran\"\n",
    );
    let git = |at: &Path, args: &[&str]| repo.try_git_with(at, args, &variables);
    assert!(git(repo.path(), &["worktree", "add", "-q", "../linked"]).status.success());
    let linked = repo.parent().join("linked");
    assert!(git(&linked, &["commit", "-q", "--allow-empty", "-m", "x"]).status.success());
    assert!(repo.path().join(".git/ran").exists());
    let made = git(repo.parent(), &["init", "-q", "fresh"]);
    assert!(made.status.success() && made.stderr.is_empty(), "{made:?}");
}

#[test]
fn a_kept_hook_runs_with_its_name_arguments_and_sibling_files() {
    let repo = Repo::with_files(&[("a", "clean")]);
    let folder = repo.path().join(".git/hooks");
    let text = "#!/bin/sh\n. \"$(dirname \"$0\")/shared.sh\"\n\
                for part in \"$(dirname \"$0\")\"/commit-msg.d/*; do \"$part\"; done\n\
                cd \"$(dirname \"$0\")/../..\" && echo \"$(basename \"$0\") $#\" >> .git/ran\n";
    script(&folder.join("commit-msg"), text);
    script(&folder.join("shared.sh"), "echo shared >> .git/ran\n");
    script(&folder.join("commit-msg.d/part"), "#!/bin/sh\necho part >> .git/ran\n");
    assert_eq!(repo.run(&["hook", "install", "--commit-msg"]).code(), Some(0));
    repo.stage(&[("a", "edited")]);
    commits(&repo, &["-m", "clean"], true);
    let ran = std::fs::read_to_string(repo.path().join(".git/ran")).expect("the hook ran");
    assert_eq!(ran, "shared\npart\ncommit-msg 1\n");
    script(
        &repo.path().join(".git/hooks.before-ddpatrol/commit-msg"),
        &format!("{text}# {}", token(1)),
    );
    let ran = repo.run(&["scan", "--report", "json"]);
    let path = &ran.places()[0].1;
    assert!(path.ends_with(".git/hooks.before-ddpatrol/commit-msg"), "{ran:?}");
    script(&repo.path().join(".git/hooks.before-ddpatrol/commit-msg"), text);
    repo.run(&["hook", "uninstall"]);
    assert_eq!(hooks(&repo), ["commit-msg", "commit-msg.d", "shared.sh"]);
    assert_eq!(std::fs::read_to_string(folder.join("commit-msg")).expect("a hook"), text);
    assert!(!repo.path().join(".git/hooks.before-ddpatrol").exists());
}

#[test]
fn links_windows_scripts_and_non_executable_files_are_restored_unchanged() {
    let repo = Repo::with_files(&[("a", "clean")]);
    let folder = repo.path().join(".git/hooks");
    std::fs::create_dir_all(&folder).expect("a folder");
    script(&repo.path().join(".git/scripts/check.sh"), "#!/bin/sh\necho \"$0\" >> .git/ran\n");
    let link = |target: &str, name: &str| {
        std::os::unix::fs::symlink(target, folder.join(name)).expect("a link");
    };
    link("../scripts/check.sh", "pre-commit");
    link("pre-commit", "pre-merge-commit");
    std::fs::write(folder.join("commit-msg"), "exit 1\r\nno end").expect("a file");
    link("nowhere", "pre-push");
    let before = |name: &str| std::fs::read_link(folder.join(name)).expect("a link");
    let links = ["pre-commit", "pre-merge-commit", "pre-push"].map(before);
    let all = ["--pre-commit", "--pre-merge-commit", "--commit-msg", "--pre-push"];
    for _ in 0..2 {
        let ran = repo.run(&[&["hook", "install"][..], &all].concat());
        assert_eq!(ran.code(), Some(0), "{ran:?}");
    }
    repo.stage(&[("a", "edited")]);
    commits(&repo, &["-m", "clean"], true);
    let ran = std::fs::read_to_string(repo.path().join(".git/ran")).expect("the hook ran");
    assert!(ran.ends_with("/pre-commit\n") && ran.lines().count() == 1, "{ran}");
    repo.git(&["checkout", "-q", "-b", "side", "HEAD~1"]);
    repo.git(&["-c", "core.hooksPath=/dev/null", "commit", "-q", "--allow-empty", "-m", "side"]);
    repo.git(&["merge", "-q", "--no-edit", "main"]);
    let ran = std::fs::read_to_string(repo.path().join(".git/ran")).expect("the hook ran");
    assert!(ran.ends_with("/pre-merge-commit\n") && ran.lines().count() == 2, "{ran}");
    assert_eq!(repo.run(&["hook", "uninstall"]).code(), Some(0));
    assert_eq!(hooks(&repo), ["commit-msg", "pre-commit", "pre-merge-commit", "pre-push"]);
    assert_eq!(["pre-commit", "pre-merge-commit", "pre-push"].map(before), links);
    let text = std::fs::read(folder.join("commit-msg")).expect("a file");
    assert_eq!(text, b"exit 1\r\nno end");
    assert!(!repo.path().join(".git/hooks.before-ddpatrol").exists());
}

#[test]
fn a_hook_kept_by_an_older_version_survives_a_reinstallation() {
    let repo = Repo::with_files(&[("a", "clean")]);
    let folder = repo.path().join(".git/hooks");
    let text = "#!/bin/sh\nbasename \"$0\" >> .git/ran\n";
    let old = || {
        script(&folder.join("pre-commit.before-ddpatrol"), text);
        let ours =
            "#!/bin/sh\n# Made by `ddpatrol hook install`; `ddpatrol hook uninstall` removes it.\n";
        script(&folder.join("pre-commit"), ours);
    };
    old();
    assert_eq!(repo.run(&["hook", "install", "--pre-commit"]).code(), Some(0));
    assert_eq!((hooks(&repo), kept(&repo)), (vec!["pre-commit".into()], vec!["pre-commit".into()]));
    repo.stage(&[("a", "edited")]);
    commits(&repo, &["-m", "clean"], true);
    assert_eq!(std::fs::read(repo.path().join(".git/ran")).expect("the hook ran"), b"pre-commit\n");
    repo.run(&["hook", "uninstall"]);
    assert_eq!(std::fs::read_to_string(folder.join("pre-commit")).expect("a hook"), text);
    std::fs::remove_file(folder.join("pre-commit")).expect("the file exists");
    old();
    repo.run(&["hook", "uninstall"]);
    assert_eq!(hooks(&repo), ["pre-commit"]);
    assert_eq!(std::fs::read_to_string(folder.join("pre-commit")).expect("a hook"), text);
}

#[test]
fn a_symlinked_hooks_folder_keeps_old_hooks_next_to_its_target() {
    let repo = Repo::with_files(&[("a", "clean")]);
    let _ = std::fs::remove_dir_all(repo.path().join(".git/hooks"));
    script(&repo.parent().join("team/hooks/pre-commit"), "#!/bin/sh\ntouch .git/ran\n");
    std::os::unix::fs::symlink("../../team/hooks", repo.path().join(".git/hooks")).expect("a link");
    assert_eq!(repo.run(&["hook", "install", "--pre-commit"]).code(), Some(0));
    assert_eq!(names(&repo.parent().join("team")), ["hooks", "hooks.before-ddpatrol"]);
    repo.stage(&[("a", &token(1))]);
    commits(&repo, &["-m", "content"], false);
    assert!(repo.path().join(".git/ran").exists());
    repo.run(&["hook", "uninstall"]);
    assert_eq!(names(&repo.parent().join("team")), ["hooks"]);
}

#[test]
fn uninstall_reports_hooks_that_still_run_ddpatrol() {
    let repo = Repo::with_files(&[("a", "clean")]);
    let folder = repo.path().join(".git/hooks");
    script(&folder.join("pre-commit"), "#!/bin/sh\n# no ddpatrol\nexec ddpatrol staged\n");
    script(&folder.join("commit-msg"), "#!/bin/sh\n# ddpatrol is not run\n");
    assert_eq!(repo.run(&["hook", "install"]).code(), Some(0));
    let ran = repo.run(&["hook", "uninstall"]);
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    let printed = ran.stderr();
    assert!(printed.contains("ddpatrol still runs as pre-commit, from"), "{printed}");
    assert!(!printed.contains("commit-msg"), "{printed}");
    // Hooks hidden by core.hooksPath would run again without it.
    std::fs::remove_file(folder.join("pre-commit")).expect("the file exists");
    repo.run(&["hook", "install", "--pre-commit"]);
    repo.git(&["config", "core.hooksPath", "../elsewhere"]);
    let ran = repo.run(&["hook", "uninstall"]);
    assert!(ran.stdout().contains("Removed from .git/hooks: pre-commit."), "{ran:?}");
}

#[test]
fn a_repository_that_overrides_the_global_hooks_is_reported() {
    let repo = Repo::with_files(&[("a", "clean")]);
    let settings = repo.parent().join("gitconfig").to_string_lossy().into_owned();
    let variables = [("GIT_CONFIG_GLOBAL", &*settings)];
    let install = || repo.run_in(repo.path(), &["hook", "install", "--global"], &variables);
    let ran = install();
    assert!(ran.stderr().is_empty(), "{ran:?}");
    assert!(ran.stdout().contains("`pre-commit install` fails"), "{ran:?}");
    assert!(ran.stdout().contains("set their own core.hooksPath"), "{ran:?}");
    repo.git(&["config", "core.hooksPath", "githooks"]);
    let ran = install();
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    let (printed, root) = (ran.stderr(), repo.path().display().to_string());
    assert!(
        printed.contains("warning: ") && printed.contains(&format!("{root}/githooks")),
        "{printed}"
    );
    let ran = repo.run_in(repo.path(), &["hook", "status", "--global"], &variables);
    assert!(ran.stderr().contains("warning: "), "{ran:?}");
    // Outside of a repository there is no warning.
    let ran = repo.run_in(repo.parent(), &["hook", "install", "--global"], &variables);
    assert!(ran.stderr().is_empty(), "{ran:?}");
}
