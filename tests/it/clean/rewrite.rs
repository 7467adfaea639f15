//! Rewrites by the real git-filter-repo.

use super::{clean, files, report_of};
#[cfg(unix)]
use crate::private_keys::ed25519;
use crate::support::encode::{base64, hex, utf16_be, utf16_le};
use crate::support::mint;
use crate::support::repo::Repo;
use crate::support::tree::RunOutput;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Runs the rewrite, which must succeed, and returns its output.
#[track_caller]
fn rewritten(repo: &Repo, report: &str, args: &[&str]) -> RunOutput {
    let ran = clean(repo, report, &[&["--yes"], args].concat());
    assert_eq!(ran.code(), Some(0), "{}{}", ran.stdout(), ran.stderr());
    ran
}

/// Runs the printed push command in the folder of the repository.
#[track_caller]
fn push(repo: &Repo, printed: &str) {
    let mut lines = printed.lines().map(str::trim);
    let command = lines.find(|line| line.contains(" push --force")).expect("a push command");
    let script = "exec sh -c \"$1\"";
    let alias = format!("alias.run=!{script} --");
    repo.git(&["-c", &alias, "run", command]);
}

/// Returns the encodings of a token, without the characters that its neighbours affect.
fn encodings(token: &str) -> Vec<Vec<u8>> {
    let mut forms =
        vec![token.into(), hex(token.as_bytes()).into(), utf16_le(token), utf16_be(token)];
    for shift in 0..3 {
        let encoded = base64(format!("{}{token}", &"xxx"[..shift]).as_bytes());
        forms.push(encoded.as_bytes()[4..encoded.len() - 4].to_vec());
    }
    forms
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|it| it == part)
}

/// Asserts that neither a file of the folder nor the name of one, nor an object of the repository contains
/// a form of the token.
#[track_caller]
fn assert_clean(repo: &Repo, folder: &Path, token: &str) {
    let objects = ["cat-file", "--batch-all-objects", "--batch", "--unordered"];
    let objects = repo.command(folder, &objects).output().expect("git runs").stdout;
    for form in encodings(token) {
        assert!(!contains(&objects, &form), "an object contains {form:?}");
        for (path, content) in files(folder) {
            assert!(!contains(&content, &form), "{}", path.display());
            assert!(!contains(path.as_os_str().as_encoded_bytes(), &form), "{}", path.display());
        }
    }
}

/// Returns the ids of all blobs of a repository.
fn blobs(repo: &Repo, folder: &Path) -> BTreeSet<String> {
    let format = "--batch-check=%(objecttype) %(objectname)";
    let listed = repo.git_at(folder, &["cat-file", "--batch-all-objects", format]);
    listed.lines().filter_map(|line| Some(line.strip_prefix("blob ")?.to_owned())).collect()
}

/// A repository whose token is everywhere, with a bare remote, and the number of blobs that contain it.
fn repository_with(token: &str, other: &str) -> (Repo, usize) {
    let repo = Repo::with_files(&[("other", other), ("crlf", "a\r\nb\r\n"), ("empty", "")]);
    repo.write("binary", (0..=255).cycle().take(5000).collect::<Vec<u8>>());
    let mut dirty = vec![
        format!("a={token}\r\nb={other}\r\n\"{token}\"").into_bytes(),
        utf16_le(&format!("x {token} y")),
        utf16_be(&format!("x {token} y")),
        hex(format!("x {token} y").as_bytes()).into_bytes(),
        format!("k = \"{}\"", token.replace('_', "\\u005f")).into_bytes(),
    ];
    for shift in 0..3 {
        dirty.push(base64(format!("{} {token} y", &"xxx"[..shift]).as_bytes()).into_bytes());
    }
    for (at, content) in dirty.iter().enumerate() {
        repo.write(format!("dirty-{at}"), content);
    }
    repo.write(format!("folder-{token}/file"), "not dirty");
    repo.commit(format!("a message with {token}\n\nand {other}"));
    repo.git(&["rm", "-q", "-r", "."]);
    repo.commit_file("last", other);
    repo.git(&["branch", &format!("branch-{token}")]);
    repo.git(&["tag", "-a", "-m", &format!("tag {token}"), &format!("tag-{token}")]);
    repo.git(&["-c", &format!("user.name={token}"), "notes", "add", "-m", token]);
    (repo, dirty.len() + 1)
}

fn add_remote(repo: &Repo) -> PathBuf {
    let remote = repo.sibling("remote.git");
    repo.git(&["init", "-q", "--bare", "-b", "main", "../remote.git"]);
    repo.git(&["remote", "add", "origin", "../remote.git"]);
    repo.git(&["push", "-q", "origin", "--all"]);
    repo.git(&["push", "-q", "origin", "refs/tags/*:refs/tags/*", "refs/notes/*:refs/notes/*"]);
    remote
}

#[test]
fn a_token_is_gone_everywhere_and_every_other_blob_is_unchanged() {
    let (token, other) = (mint::token(1), mint::token(2));
    let (repo, dirty) = repository_with(&token, &other);
    let remote = add_remote(&repo);
    let report = report_of(&repo, &token);
    let before = files(repo.path());
    let plan = clean(&repo, &report, &[]);
    assert_eq!(plan.code(), Some(0), "{plan:?}");
    assert!(plan.stdout().contains("--yes") && !repo.sibling("repo-cleaned.git").exists());
    let ran = rewritten(&repo, &report, &[]);
    for text in [plan.stdout(), plan.stderr(), ran.stdout(), ran.stderr()] {
        assert!(encodings(&token).iter().all(|form| !contains(text.as_bytes(), form)), "{text}");
    }
    assert!(files(repo.path()) == before, "the repository changed");

    let cleaned = repo.sibling("repo-cleaned.git");
    assert_clean(&repo, &cleaned, &token);
    assert!(!cleaned.join("filter-repo").exists());
    let (old, new) = (blobs(&repo, repo.path()), blobs(&repo, &cleaned));
    let changed: Vec<_> = old.difference(&new).collect();
    assert_eq!(changed.len(), dirty, "{changed:?}");
    assert_eq!(new.len(), old.len());
    let id = &report_fingerprint(&report)[..8];
    let text = repo.git_at(&cleaned, &["cat-file", "-p", "main~:dirty-0"]);
    let public = &token[..token.rfind('_').expect("a separator") + 1];
    let marker = format!("{public}REMOVED-{id}");
    assert_eq!(text, format!("a={marker}\r\nb={other}\r\n\"{marker}\""));

    push(&repo, &ran.stdout());
    let names = ["for-each-ref"];
    assert_eq!(repo.git_at(&remote, &names), repo.git_at(&cleaned, &names));
    assert!(!repo.git_at(&remote, &names).contains(&token));
    assert!(repo.git_at(&remote, &names).contains(&format!("branch-{marker}")));
    repo.git_at(&remote, &["fsck", "--strict"]);
}

fn report_fingerprint(report: &str) -> String {
    let text = std::fs::read_to_string(report).expect("a report");
    let report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    report["findings"][0]["fingerprint"].as_str().expect("a fingerprint").to_owned()
}

#[test]
fn branches_of_the_remote_are_cleaned_and_unpublished_branches_are_not_pushed() {
    let token = mint::token(1);
    let repo = Repo::with_files(&[("f", &token)]);
    repo.git(&["branch", "elsewhere"]);
    let remote = add_remote(&repo);
    repo.git(&["branch", "-q", "-D", "elsewhere"]);
    repo.git(&["branch", "it's-mine"]);
    repo.git(&["branch", &format!("mine-{token}")]);
    let ran = rewritten(&repo, &report_of(&repo, &token), &[]);
    push(&repo, &ran.stdout());
    let names = repo.git_at(&remote, &["for-each-ref", "--format=%(refname:short)"]);
    assert_eq!(names, "elsewhere\nmain");
    repo.git_at(&remote, &["gc", "-q", "--prune=now"]);
    assert_clean(&repo, &remote, &token);
}

#[test]
fn archives_are_refused_or_replaced() {
    let token = mint::token(1);
    let repo = Repo::with_files(&[("f", &token), ("g", "1")]);
    repo.git(&["archive", "--format=tar.gz", "-o", "a.tgz", "HEAD"]);
    repo.git(&["archive", "--format=tar", "-o", "a.tar", "HEAD"]);
    repo.git(&["archive", "--format=tar.gz", "-o", "harmless.tgz", "HEAD", "g"]);
    repo.commit("archives");
    let report = report_of(&repo, &token);
    for args in [&[][..], &["--yes"]] {
        let ran = clean(&repo, &report, args);
        assert_eq!(ran.code(), Some(2), "{ran:?}");
        let text = ran.stdout();
        assert!(text.contains(" a.tgz!/f\n") && text.contains(" a.tar!/f\n"), "{text}");
        assert!(ran.stderr().contains("nothing was rewritten"), "{}", ran.stderr());
        assert!(!text.contains("harmless") && !repo.sibling("repo-cleaned.git").exists());
    }
    let ran = rewritten(&repo, &report, &["--drop-archives"]);
    let cleaned = repo.sibling("repo-cleaned.git");
    assert_clean(&repo, &cleaned, &token);
    for name in ["main:a.tgz", "main:a.tar"] {
        let text = repo.git_at(&cleaned, &["cat-file", "-p", name]);
        assert!(text.starts_with("Removed by `ddpatrol clean`"), "{text}");
    }
    assert_eq!(
        repo.id("main:harmless.tgz"),
        repo.git_at(&cleaned, &["rev-parse", "main:harmless.tgz"])
    );
    assert!(ran.stdout().contains("has no remote: use the clone"), "{}", ran.stdout());
}

#[test]
fn a_bare_repository_without_a_remote_is_replaced_by_its_push_command() {
    let token = mint::token(1);
    let repo = Repo::with_files(&[("f", &token)]);
    let report = report_of(&repo, &token);
    let bare = repo.clone_to("a b.git", &["--bare"]);
    repo.git_at(&bare, &["remote", "remove", "origin"]);
    repo.git(&["checkout", "-q", "--detach"]);
    let ran = rewritten(&repo, &report, &["--repo", "../a b.git"]);
    push(&repo, &ran.stdout());
    repo.git_at(&bare, &["gc", "-q", "--prune=now"]);
    assert_clean(&repo, &bare, &token);
    // A detached HEAD does not keep old commits in the clone, and a second clone gets another name.
    rewritten(&repo, &report, &[]);
    rewritten(&repo, &report, &[]);
    assert_clean(&repo, &repo.sibling("repo-cleaned-2.git"), &token);
}

#[test]
fn a_checked_out_branch_whose_name_contains_the_token_is_renamed_also_in_head() {
    let token = mint::token(1);
    let repo = Repo::with_files(&[("f", &token)]);
    repo.git(&["branch", "-q", "-m", &format!("main-{token}")]);
    let report = report_of(&repo, &token);
    rewritten(&repo, &report, &["--repo", ".git"]);
    let cleaned = repo.sibling("repo-cleaned.git");
    assert_clean(&repo, &cleaned, &token);
    let head = repo.git_at(&cleaned, &["rev-parse", "HEAD"]);
    assert_eq!(head, repo.git_at(&cleaned, &["for-each-ref", "--format=%(objectname)"]));
}

#[test]
fn credentials_of_the_remote_are_not_printed_and_tokens_outside_the_history_are_listed() {
    let token = mint::token(1);
    let repo = Repo::with_files(&[("f", &token), ("folder/g", "1")]);
    let url = format!("https://hunter2:{token}@example.com/x.git");
    repo.git(&["remote", "add", "origin", &url]);
    let report = report_of(&repo, &token);
    for args in [&[][..], &["--yes"]] {
        let args = [&["clean", "--from", &report], args].concat();
        let ran = repo.run_in(&repo.path().join("folder"), &args, &[]);
        assert_eq!(ran.code(), Some(2), "{ran:?}");
        let text = ran.stdout();
        assert!(
            text.contains("https://example.com/x.git") && text.contains(".git/config"),
            "{text}"
        );
        assert!(!text.contains("hunter2") && !text.contains(&token), "{text}");
    }
    assert_clean(&repo, &repo.sibling("repo-cleaned.git"), &token);
}

#[test]
fn a_token_in_unreachable_objects_needs_no_rewrite() {
    let token = mint::token(1);
    let repo = Repo::with_files(&[("f", "1")]);
    repo.hash_object("blob", &token);
    let ran = clean(&repo, &report_of(&repo, &token), &["--yes"]);
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    assert!(ran.stdout().contains("gc --prune=now"), "{}", ran.stdout());
    assert!(!repo.sibling("repo-cleaned.git").exists());
}

#[test]
fn a_linked_work_tree_is_cleaned_with_all_branches() {
    let token = mint::token(1);
    let repo = Repo::with_files(&[("f", &token)]);
    repo.git(&["worktree", "add", "-q", "../linked"]);
    rewritten(&repo, &report_of(&repo, &token), &["--repo", "../linked"]);
    let cleaned = repo.sibling("linked-cleaned.git");
    assert_clean(&repo, &cleaned, &token);
    let names = repo.git_at(&cleaned, &["for-each-ref", "--format=%(refname:short)"]);
    assert_eq!(names, "linked\nmain");
}

#[test]
fn a_detached_head_at_a_commit_of_a_branch_or_tag_is_cleaned() {
    let token = mint::token(1);
    let repo = Repo::with_files(&[("f", &token)]);
    repo.commit_file("g", "1");
    repo.git(&["branch", "-q", "-m", "trunk"]);
    let remote = add_remote(&repo);
    repo.git_at(&remote, &["branch", "published", "trunk"]);
    repo.git(&["fetch", "-q"]);
    let report = report_of(&repo, &token);
    let cleaned = repo.sibling("repo-cleaned.git");
    // Commits of a tag, and of a branch that only the remote has.
    let tagged = || {
        repo.git(&["checkout", "-q", "--detach"]);
        repo.commit_file("h", "1");
        repo.git(&["tag", "-a", "-m", "", "v1"]);
    };
    let published = || drop(repo.git(&["checkout", "-q", "origin/published"]));
    let older = || drop(repo.git(&["checkout", "-q", "trunk~"]));
    for detach in [&tagged as &dyn Fn(), &published, &older] {
        detach();
        rewritten(&repo, &report, &[]);
        assert_clean(&repo, &cleaned, &token);
        // The clone can be checked out.
        repo.git_at(&cleaned, &["rev-parse", "--verify", "HEAD"]);
        std::fs::remove_dir_all(&cleaned).expect("a folder");
    }
}

#[test]
fn the_command_that_a_refusal_prints_keeps_the_commits_of_a_detached_head() {
    let token = mint::token(1);
    let repo = Repo::with_files(&[("a", "1")]);
    let folder = repo.sibling("it's linked");
    repo.git(&["worktree", "add", "-q", "--detach", folder.to_str().expect("UTF-8")]);
    std::fs::write(folder.join("s"), &token).expect("a file");
    repo.git_at(&folder, &["add", "s"]);
    repo.git_at(&folder, &["commit", "-q", "-m", "a token"]);
    repo.git_at(&folder, &["commit", "-q", "--allow-empty", "-m", "important"]);
    let report = report_of(&repo, &token);
    let refused = clean(&repo, &report, &["--yes"]);
    let command = refused.stderr().split('`').nth(1).expect("a command").replace("NAME", "kept");
    repo.git(&["-c", "alias.run=!exec sh -c \"$1\" --", "run", &command]);
    rewritten(&repo, &report, &[]);
    let cleaned = repo.sibling("repo-cleaned.git");
    assert_clean(&repo, &cleaned, &token);
    let messages = repo.git_at(&cleaned, &["log", "--format=%s", "-2", "kept"]);
    assert_eq!(messages, "important\na token");
}

#[test]
fn the_push_command_discards_no_commit_that_was_pushed_since_the_last_fetch() {
    let token = mint::token(1);
    let repo = Repo::with_files(&[("f", &token)]);
    repo.git(&["tag", "v1"]);
    repo.git(&["branch", "clean", "--track"]);
    let remote = add_remote(&repo);
    let ran = rewritten(&repo, &report_of(&repo, &token), &[]);
    let command = ran.stdout();
    let command = command.lines().find(|line| line.contains(" push ")).expect("a push command");
    assert!(command.contains("--force-with-lease=refs/heads/main:"), "{command}");
    assert!(!command.contains("--force "), "{command}");
    // Somebody pushes before the command runs.
    let other = repo.clone_to("other", &[]);
    repo.git_at(&other, &["remote", "set-url", "origin", remote.to_str().expect("UTF-8")]);
    repo.git_at(&other, &["commit", "-q", "--allow-empty", "-m", "work of another person"]);
    repo.git_at(&other, &["push", "-q", "origin", "HEAD:main"]);
    let theirs = repo.git_at(&remote, &["rev-parse", "main"]);
    let alias = "alias.run=!exec sh -c \"$1\" --";
    let mut pushed = repo.command(repo.path(), &["-c", alias, "run", command.trim()]);
    let pushed = pushed.output().expect("git runs");
    assert!(!pushed.status.success(), "{pushed:?}");
    assert!(String::from_utf8_lossy(&pushed.stderr).contains("stale info"), "{pushed:?}");
    assert_eq!(repo.git_at(&remote, &["rev-parse", "main"]), theirs);
}

#[test]
fn notes_move_to_the_new_ids_of_their_commits() {
    let token = mint::token(1);
    let repo = Repo::with_files(&[("g", "1")]);
    repo.git(&["notes", "add", "-m", "of an unchanged commit"]);
    repo.commit_file("f", &token);
    repo.git(&["notes", "add", "-m", "of a rewritten commit"]);
    repo.git(&["notes", "--ref=review", "add", "-m", "reviewed"]);
    let old = repo.id("HEAD");
    rewritten(&repo, &report_of(&repo, &token), &[]);
    let cleaned = repo.sibling("repo-cleaned.git");
    let show = |args: &[&str]| repo.git_at(&cleaned, &[&["notes"], args].concat());
    assert_eq!(show(&["show", "main"]), "of a rewritten commit");
    assert_eq!(show(&["show", "main~"]), "of an unchanged commit");
    assert_eq!(show(&["--ref=review", "show", "main"]), "reviewed");
    assert!(!show(&["list"]).contains(&old) && !show(&["--ref=review", "list"]).contains(&old));
    assert_clean(&repo, &cleaned, &token);
}

#[test]
fn git_lfs_objects_and_older_stashes_are_named_in_the_plan() {
    use sha2::{Digest, Sha256};
    let token = mint::token(1);
    let repo = Repo::with_files(&[("f", "1")]);
    let content = format!("KEY={token}");
    let digest = Sha256::digest(content.as_bytes());
    let oid: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    repo.write(format!(".git/lfs/objects/{}/{}/{oid}", &oid[..2], &oid[2..4]), &content);
    let pointer = format!(
        "version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {}\n",
        content.len()
    );
    repo.commit_file("big.env", &pointer);
    for content in ["2", "3"] {
        repo.write("f", content);
        repo.git(&["stash", "-q"]);
    }
    let ran = clean(&repo, &report_of(&repo, &token), &[]);
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    let text = ran.stdout();
    assert!(text.contains("In Git LFS objects") && text.contains("\n  big.env\n"), "{text}");
    assert!(text.contains("nothing to rewrite"), "{text}");
    assert!(text.contains("Of 2 stashes") && text.contains("stash branch NAME"), "{text}");
    // A token in a commit as well is cleaned, and the LFS object is still named.
    repo.commit_file("g", &token);
    let ran = clean(&repo, &report_of(&repo, &token), &["--yes"]);
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    assert!(ran.stdout().contains("big.env") && ran.stdout().contains("cp -R"), "{ran:?}");
    assert_clean(&repo, &repo.sibling("repo-cleaned.git"), &token);
}

#[test]
fn no_bit_of_a_token_in_base64_stays_and_its_neighbours_do() {
    let token = mint::token(1);
    let repo = Repo::new();
    let surrounded: Vec<String> =
        (0..3).map(|shift| format!("{}\u{7f}{token}\u{7f} end", &"xxx"[..shift])).collect();
    for (at, text) in surrounded.iter().enumerate() {
        repo.write(format!("f{at}"), base64(text.as_bytes()));
    }
    repo.commit("base64");
    rewritten(&repo, &report_of(&repo, &token), &[]);
    let cleaned = repo.sibling("repo-cleaned.git");
    for (at, text) in surrounded.iter().enumerate() {
        let (old, new) = (base64(text.as_bytes()), format!("main:f{at}"));
        let new = repo.git_at(&cleaned, &["cat-file", "-p", &new]);
        assert_eq!(new.len(), old.len());
        // The digits with bits of the token, all of which are a part of the public prefix at the start.
        let start = text.find(&token).expect("the token") * 8;
        let end = start + token.len() * 8;
        assert_eq!(new[..start / 6], old[..start / 6], "{new}");
        assert_eq!(new[end.div_ceil(6)..], old[end.div_ceil(6)..], "{new}");
        let last = &old[..end.div_ceil(6)];
        assert!(!new.contains(&last[last.len() - 3..]), "{new}");
    }
}

#[test]
fn submodules_are_named_with_the_command_that_cleans_them() {
    let (token, other) = (mint::token(1), mint::token(2));
    let inner = Repo::with_files(&[("s", &token)]);
    let repo = Repo::with_files(&[("x", &other)]);
    let url = inner.path().to_string_lossy().into_owned();
    repo.git(&["submodule", "--quiet", "add", &url, "libs/sub"]);
    repo.commit("a submodule");
    // Tokens of the submodule only.
    let plan = clean(&repo, &report_of(&repo, &token), &[]);
    let line = plan.stdout().lines().find(|it| it.contains("/modules/libs/sub")).map(str::to_owned);
    assert!(plan.code() == Some(2) && plan.stdout().contains("nothing to rewrite"), "{plan:?}");
    // The printed command cleans the submodule.
    let line = line.expect("a command");
    let words: Vec<&str> = line.split_whitespace().skip(1).collect();
    let ran = repo.run_in(repo.parent(), &words, &[]);
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    assert!(ran.stdout().contains("Tokens      1\n"), "{ran:?}");
    // Tokens of both: the repository is cleaned, and the submodule is named.
    repo.write("y", &token);
    repo.commit("the same token");
    let ran = clean(&repo, &report_of(&repo, &token), &["--yes"]);
    assert!(ran.stdout().contains("In submodules, which are repositories of their own"), "{ran:?}");
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    assert_clean(&repo, &repo.sibling("repo-cleaned.git"), &token);
}

#[cfg(unix)]
#[test]
fn a_private_key_is_replaced_as_a_whole() {
    let (key, _) = ed25519();
    let repo = Repo::new();
    let escaped = key.replace('\n', "\\n");
    let json = format!("{{\"key\": \"{escaped}\", \"a\": 1}}\n");
    repo.commit_files(&[("id", &key), ("a.json", &json), ("other", "x\n")], "a key");
    let args = ["scan", "--history-only", "--json", "--rule-group", "private-keys", "."];
    let report = super::save(&repo, &repo.run(&args).json());
    rewritten(&repo, &report, &[]);
    let cleaned = repo.sibling("repo-cleaned.git");
    for line in key.lines().filter(|line| !line.starts_with('-') && line.len() > 40) {
        assert_clean(&repo, &cleaned, line);
    }
    let shown = repo.git_at(&cleaned, &["show", "HEAD:a.json"]);
    assert!(
        shown.starts_with("{\"key\": \"REMOVED-") && shown.ends_with("\", \"a\": 1}"),
        "{shown}"
    );
}
