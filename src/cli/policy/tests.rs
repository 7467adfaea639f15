//! Who decides about a scan: flags, the configuration of a folder, or that of a change's base.

use super::*;
use crate::cli::args::{Args, Command};
use crate::source::Run;
use crate::source::git::changes::Snapshot;
use crate::source::git::repo::Repository;
use clap::Parser;
use ddpatrol_pack::ObjectId;
use std::fs;
use tempfile::TempDir;

const KNOWN: &str = r#"{"schema": "ddpatrol-baseline/1", "tokens": []}"#;

/// A folder of its own whose configuration and other files have these texts.
fn folder(files: &[(&str, &str)]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path().canonicalize().expect("a folder");
    fs::create_dir(here.join(".git")).expect("a folder");
    write(&here, files);
    (folder, here)
}

fn write(here: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = here.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
}

fn shared(flags: &[&str]) -> SharedArgs {
    let args = Args::try_parse_from([&["ddpatrol", "scan"], flags].concat()).expect("arguments");
    let Command::Scan(scan) = args.command else { panic!("it is `scan`") };
    scan.shared
}

fn read(flags: &[&str], source: &PolicySource) -> anyhow::Result<Policy> {
    Policy::read(&shared(flags), source, Roots::default(), BaselineMode::Apply)
}

fn policy(flags: &[&str], source: &PolicySource) -> Policy {
    read(flags, source).expect("a policy")
}

fn refused(flags: &[&str], source: &PolicySource) -> String {
    format!("{:#}", read(flags, source).expect_err("it is refused"))
}

/// A repository with a commit of each list of files, and the commits.
struct History {
    _guard: TempDir,
    here: PathBuf,
    commits: Vec<ObjectId>,
}

impl History {
    fn new(versions: &[&[(&str, &str)]]) -> Self {
        let guard = tempfile::tempdir().expect("a folder");
        let here = guard.path().canonicalize().expect("a folder");
        let repository = git2::Repository::init(&here).expect("a repository");
        let author = git2::Signature::new("A", "a@example.org", &git2::Time::new(0, 0));
        let author = author.expect("a signature");
        let mut commits: Vec<git2::Oid> = Vec::new();
        for files in versions {
            write(&here, files);
            let mut index = repository.index().expect("an index");
            index.add_all(["*"], git2::IndexAddOption::FORCE, None).expect("files");
            let tree = index.write_tree().expect("a tree");
            let tree = repository.find_tree(tree).expect("a tree");
            let parents = commits.last().map(|&id| repository.find_commit(id).expect("a commit"));
            let parents: Vec<&git2::Commit<'_>> = parents.iter().collect();
            let head = Some("HEAD");
            let id = repository.commit(head, &author, &author, "x", &tree, &parents);
            commits.push(id.expect("a commit"));
        }
        let commits = commits.iter().map(|id| id.to_string().parse().expect("an id")).collect();
        Self { _guard: guard, here, commits }
    }

    fn snapshot(&self, number: usize) -> Box<Snapshot> {
        let repository = Repository::at(&self.here).expect("readable").expect("a repository");
        let snapshot = Snapshot::new(&repository, self.commits[number], &Run::default());
        Box::new(snapshot.expect("a commit"))
    }

    /// The first commit judges the last one.
    fn source(&self) -> PolicySource {
        let head = Some(self.snapshot(self.commits.len() - 1));
        PolicySource::Commit { base: self.snapshot(0), head, top: self.here.clone() }
    }
}

#[test]
fn without_a_configuration_proven_tokens_fail() {
    let (_guard, here) = folder(&[]);
    let it = policy(&[], &PolicySource::Folder(here));
    assert_eq!((it.fail_on, it.inline), (FailLevel::Proven, InlineAllow::Counts));
    assert!(it.exclude.is_empty() && it.decisions.baseline.is_none() && it.notes.is_empty());
    assert_eq!(it.known.rules().len(), it.rules.rules().len());
}

#[test]
fn flags_precede_the_configuration() {
    let config = "fail_on = \"never\"\nbaseline = \"known.json\"\n";
    let (_guard, here) = folder(&[(NAME, config), ("known.json", KNOWN), ("other.json", KNOWN)]);
    let source = PolicySource::Folder(here.clone());
    let it = policy(&[], &source);
    assert_eq!((it.fail_on, it.baseline), (FailLevel::Never, Some(here.join("known.json"))));
    let other = here.join("other.json");
    let flags = ["--fail-on", "shaped", "--baseline", other.to_str().expect("text")];
    let it = policy(&flags, &source);
    assert_eq!((it.fail_on, it.baseline), (FailLevel::Shaped, Some(other)));
    assert!(it.decisions.baseline.is_some());
}

#[test]
fn the_nearest_configuration_up_to_the_top_of_the_work_tree_counts() {
    let never = "fail_on = \"never\"";
    let (_guard, here) = folder(&[(NAME, "fail_on = \"shaped\""), ("a/.ddpatrol.toml", never)]);
    fs::create_dir_all(here.join("a/b")).expect("a folder");
    fs::create_dir_all(here.join("sub/.git")).expect("a folder");
    let level = |path: &str| policy(&[], &PolicySource::Folder(here.join(path))).fail_on;
    assert_eq!(level(""), FailLevel::Shaped);
    assert_eq!(level("a/b"), FailLevel::Never);
    assert_eq!(level("sub"), FailLevel::Proven);
}

#[test]
fn a_configuration_can_be_named_or_refused() {
    let (_guard, here) =
        folder(&[(NAME, "fail_on = \"shaped\""), ("other.toml", "fail_on = \"never\"")]);
    let other = here.join("other.toml").to_string_lossy().into_owned();
    let source = PolicySource::Folder(here.clone());
    assert_eq!(policy(&["--config", &other], &source).fail_on, FailLevel::Never);
    assert_eq!(policy(&["--no-config"], &source).fail_on, FailLevel::Proven);
    let missing = here.join("missing.toml").to_string_lossy().into_owned();
    let error = refused(&["--config", &missing], &source);
    assert!(error.starts_with("configuration ") && error.ends_with("does not exist"), "{error}");
}

#[test]
fn rules_that_are_left_out_are_still_masked() {
    let (_guard, here) = folder(&[(NAME, "[rules]\nleave_out = [\"npm-token\"]\n")]);
    let it = policy(&[], &PolicySource::Folder(here));
    assert!(it.known.get("npm-token").is_some() && it.rules.get("npm-token").is_none());
    let (_guard, here) = folder(&[(NAME, "[rules]\nleave_out = [\"npm\"]\n")]);
    let error = refused(&[], &PolicySource::Folder(here));
    assert!(error.contains(".ddpatrol.toml:2:14"), "{error}");
}

#[test]
fn a_command_that_makes_the_baseline_does_not_read_it() {
    let (_guard, here) = folder(&[(NAME, "baseline = \"missing.json\"")]);
    let source = PolicySource::Folder(here.clone());
    let error = refused(&[], &source);
    assert!(error.ends_with("`ddpatrol baseline create` writes one"), "{error}");
    let it = Policy::read(&shared(&[]), &source, Roots::default(), BaselineMode::Ignore);
    let it = it.expect("a policy");
    assert_eq!(it.baseline, Some(here.join("missing.json")));
    assert!(it.decisions.baseline.is_none());
}

#[test]
fn inline_comments_count_only_where_nothing_is_judged() {
    let history = History::new(&[&[("a", "x")]]);
    let nowhere = || PolicySource::NoBase { head: None, top: history.here.clone() };
    let folder = || PolicySource::Folder(history.here.clone());
    assert_eq!(policy(&[], &folder()).inline, InlineAllow::Counts);
    assert_eq!(policy(&[], &history.source()).inline, InlineAllow::Shown);
    assert_eq!(policy(&[], &nowhere()).inline, InlineAllow::Shown);
    for source in [folder(), history.source(), nowhere()] {
        assert_eq!(policy(&["--no-inline-allow"], &source).inline, InlineAllow::Ignored);
    }
}

#[test]
fn a_change_is_judged_by_its_base() {
    let base =
        "fail_on = \"shaped\"\nbaseline = \"known.json\"\n[rules]\nleave_out = [\"npm-token\"]\n";
    let history = History::new(&[
        &[(NAME, base), ("known.json", KNOWN)],
        &[(NAME, "fail_on = \"never\""), ("known.json", "no baseline")],
    ]);
    // What the work tree has by now does not count either.
    write(&history.here, &[(NAME, "broken"), ("known.json", "broken")]);
    let it = policy(&[], &history.source());
    assert_eq!(it.fail_on, FailLevel::Shaped);
    assert!(it.rules.get("npm-token").is_none() && it.decisions.baseline.is_some());
    let base = &history.commits[0].to_string()[..12];
    assert_eq!(
        it.notes,
        [
            format!(
                "the change edits .ddpatrol.toml: the edit applies once merged; using the version \
                 of {base}"
            ),
            format!("using configuration .ddpatrol.toml of {base}"),
            format!(
                "the change edits known.json: the edit applies once merged; using the version of \
                 {base}"
            ),
        ]
    );
}

#[test]
fn a_file_in_the_work_tree_that_a_flag_names_is_read_from_the_base() {
    let history = History::new(&[
        &[("strict.toml", "fail_on = \"shaped\"")],
        &[("strict.toml", "fail_on = \"never\""), ("new.toml", "fail_on = \"never\"")],
    ]);
    let flag = |name: &str| {
        let path = history.here.join(name).to_string_lossy().into_owned();
        read(&["--config", &path], &history.source())
    };
    assert_eq!(flag("strict.toml").expect("a policy").fail_on, FailLevel::Shaped);
    let it = flag("new.toml").expect("a policy");
    assert_eq!(it.fail_on, FailLevel::Proven);
    assert_eq!(it.notes, ["`new.toml` is added by this change: it takes effect after the merge"]);
    let error = format!("{:#}", flag("none.toml").expect_err("no commit has it"));
    assert!(error.contains("configuration none.toml is not in the base"), "{error}");
    // A file elsewhere is the user's own.
    let (_guard, elsewhere) = folder(&[("own.toml", "fail_on = \"never\"")]);
    let own = elsewhere.join("own.toml").to_string_lossy().into_owned();
    assert_eq!(policy(&["--config", &own], &history.source()).fail_on, FailLevel::Never);
}

#[test]
fn without_a_base_nothing_in_the_work_tree_decides() {
    let (_guard, here) = folder(&[(NAME, "fail_on = \"never\""), ("known.json", KNOWN)]);
    let source = PolicySource::NoBase { head: None, top: here.clone() };
    assert_eq!(policy(&[], &source).fail_on, FailLevel::Proven);
    let baseline = here.join("known.json").to_string_lossy().into_owned();
    let error = refused(&["--baseline", &baseline], &source);
    assert!(error.contains("the change has no base to read it from"), "{error}");
    let rules = here.join("rules").to_string_lossy().into_owned();
    let error = refused(&["--rules", &rules], &source);
    assert!(error.starts_with("cannot read rules rules"), "{error}");
}

#[test]
fn rules_of_a_change_are_those_of_its_base() {
    let npm = include_str!("../../../rules/npm.toml").replace("npm-token", "own-token");
    let config = "[rules]\nadd = [\"rules\"]\n";
    let history = History::new(&[
        &[(NAME, config), ("rules/own.toml", &npm), ("rules/README", "no rules")],
        &[("rules/own.toml", "broken"), ("rules/more.toml", "broken")],
    ]);
    let it = policy(&[], &history.source());
    assert!(it.rules.get("own-token").is_some());
    assert_eq!(it.notes.len(), 2, "{:?}", it.notes);
}

#[cfg(unix)]
#[test]
fn a_link_in_a_scanned_tree_decides_nothing() {
    let (_guard, elsewhere) = folder(&[("own.toml", "fail_on = \"never\""), ("known.json", KNOWN)]);
    let (_guard, here) = folder(&[]);
    let link = |from: &str, to: &str| {
        std::os::unix::fs::symlink(elsewhere.join(from), here.join(to)).expect("a link");
    };
    link("own.toml", NAME);
    let error = refused(&[], &PolicySource::Folder(here.clone()));
    assert!(error.contains("is a symbolic link"), "{error}");
    // Whoever names the link wants what it leads to.
    let path = here.join(NAME).to_string_lossy().into_owned();
    let it = policy(&["--config", &path], &PolicySource::Folder(here.clone()));
    assert_eq!(it.fail_on, FailLevel::Never);
    fs::remove_file(here.join(NAME)).expect("a link");
    write(&here, &[(NAME, "baseline = \"known.json\"")]);
    link("known.json", "known.json");
    let error = refused(&[], &PolicySource::Folder(here));
    assert!(error.contains("known.json is a symbolic link"), "{error}");
}
