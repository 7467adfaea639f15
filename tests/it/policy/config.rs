//! `.ddpatrol.toml` on disk: its discovery and its settings.

use super::*;
use crate::support::mint::{self, Random};
use serde_json::json;

#[test]
fn the_configuration_is_searched_up_to_the_root_of_the_work_tree() {
    let tree = Tree::new();
    tree.write(".ddpatrol.toml", allow(1, "outside of the work tree"));
    tree.write("repo/x", token(1));
    assert_eq!(suppressions(&scan(&tree, &["repo"])), ["repo/x allow"]);
    std::fs::create_dir_all(tree.path().join("repo/.git")).expect("a folder");
    assert_eq!(scan(&tree, &["repo", "--files-only"]).code(), Some(1));
    tree.write("repo/.ddpatrol.toml", allow(1, "an example"));
    tree.write("repo/a/b/x", token(1));
    let ran = scan(&tree, &["repo/a/b", "--files-only"]);
    assert_eq!((ran.code(), suppressions(&ran)), (Some(0), vec!["repo/a/b/x allow".into()]));
    assert!(notes(&ran).contains("using configuration repo/.ddpatrol.toml"), "{ran:?}");
    let ran = scan(&tree, &["repo", "--files-only", "--no-config"]);
    assert_eq!((ran.code(), notes(&ran)), (Some(1), String::new()));
}

#[test]
fn a_printed_fingerprint_can_be_allowed() {
    let tree = Tree::new();
    tree.write("x", token(1) + "\n" + &token(2));
    let text = tree.run(&["scan", "x"]).stdout();
    let printed: Vec<&str> = text.split_whitespace().filter(|it| it.starts_with("fp:")).collect();
    for print in [printed[0], &printed[0][3..]] {
        tree.write(
            ".ddpatrol.toml",
            format!("[[allow]]\nfingerprint = \"{print}\"\nreason = \"an example\"\n"),
        );
        let suppressed = suppressions(&scan(&tree, &["x"]));
        assert_eq!(suppressed, ["x", "x allow"], "{print}");
    }
    tree.write(".ddpatrol.toml", "");
    let whole = &scan(&tree, &["x"]).json()["findings"][0]["fingerprint"];
    let whole = whole.as_str().expect("a fingerprint");
    tree.run(&["baseline", "create"]);
    let path = tree.path().join(".ddpatrol-baseline.json");
    let baseline = std::fs::read_to_string(&path).expect("a baseline");
    std::fs::write(&path, baseline.replace(whole, &format!("fp:{}", &whole[..12])))
        .expect("a file");
    assert_eq!(scan(&tree, &["x"]).code(), Some(0));
    let ran = tree.run(&["baseline", "update"]);
    assert!(ran.stdout().contains("0 tokens added, 0 dropped, 2 kept"), "{ran:?}");
    assert_eq!(std::fs::read_to_string(&path).expect("a baseline"), baseline);
}

#[test]
fn every_setting_takes_effect() {
    let tree = Tree::new();
    for (name, content) in [("vendor/x", token(1)), ("a.snap", token(2)), ("kept", token(3))] {
        tree.write(name, content);
    }
    tree.write("npm", mint::classic(&mut Random(4), "npm_", 30));
    tree.write("shape", failed_candidate(5));
    tree.write("known.json", "{\"schema\": \"ddpatrol-baseline/1\", \"tokens\": []}");
    let set = |text: &str| tree.write(".ddpatrol.toml", text);
    set(
        "exclude = [\"vendor/\", \"*.snap\"]\nbaseline = \"known.json\"\n[rules]\nleave_out = [\"npm-token\"]\n",
    );
    let ran = scan(&tree, &[]);
    assert_eq!(suppressions(&ran), ["kept"]);
    assert_eq!(ran.json()["summary"]["left_out"]["excluded"], 2);
    set("fail_on = \"shaped\"\nexclude = [\"vendor\", \"*.snap\", \"kept\", \"npm\"]");
    let ran = scan(&tree, &[]);
    assert_eq!((ran.code(), suppressions(&ran)), (Some(1), vec!["shape".into()]));
    assert_eq!(
        scan(&tree, &["--fail-on", "proven"]).code(),
        Some(0),
        "an option overrides the configuration"
    );
    set("fail_on = \"never\"");
    assert_eq!(scan(&tree, &[]).code(), Some(0));
    tree.write("rules/own.toml", include_str!("../../../rules/npm.toml").replace("npm", "own"));
    tree.write("own", mint::classic(&mut Random(6), "own_", 30));
    set("exclude = [\"vendor\", \"*.snap\", \"kept\", \"npm\"]\n[rules]\nadd = [\"rules\"]\n");
    assert_eq!(suppressions(&scan(&tree, &[])), ["own"]);
}

#[test]
fn patterns_are_relative_to_the_folder_of_the_configuration() {
    let tree = Tree::new();
    tree.write(".ddpatrol.toml", "exclude = [\"/sub/vendor/\"]");
    tree.write("sub/vendor/x", token(1));
    tree.write("vendor/x", token(2));
    for paths in [&["."][..], &["sub", "vendor"], &["./sub", "vendor/x"]] {
        assert_eq!(suppressions(&scan(&tree, paths)), ["vendor/x"], "{paths:?}");
    }
    let whole = tree.path().canonicalize().expect("the folder exists").join("sub");
    assert_eq!(suppressions(&scan(&tree, &[&whole.to_string_lossy()])), [] as [&str; 0]);
}

#[test]
fn excluded_paths_are_skipped_in_history_and_changes() {
    let repo =
        crate::support::repo::Repo::with_files(&[(".ddpatrol.toml", "exclude = [\"fixtures/\"]")]);
    repo.commit_files(&[("fixtures/x", &token(1)), ("kept", &token(2))], &token(3));
    for args in [&["scan"][..], &["range", "HEAD~1..HEAD"]] {
        let ran = repo.run(&[args, &["--report", "json"]].concat());
        assert_eq!(suppressions(&ran), ["-", "kept"], "{args:?}");
        assert!(ran.json()["summary"]["left_out"]["excluded"].as_u64() >= Some(1), "{ran:?}");
        let lines = repo.run(&[args, &["--report", "jsonl"]].concat()).stdout();
        assert!(!lines.contains("fixtures/x"), "{lines}");
    }
    repo.stage(&[("fixtures/y", &token(4))]);
    let ran = repo.run(&["staged", "--report", "json"]);
    assert_eq!((ran.code(), suppressions(&ran)), (Some(0), Vec::new()));
    assert_eq!(ran.json()["summary"]["left_out"]["excluded"], 1);
}

#[test]
fn an_allowed_token_is_counted_and_not_verified_until_its_entry_expires() {
    let tree = Tree::new();
    tree.write("x", token(1));
    tree.write("y", token(2));
    let entry = allow(1, "revoked on Monday");
    tree.write(".ddpatrol.toml", format!("{entry}expires = 9999-01-31\n"));
    let ran = scan(&tree, &[]);
    assert_eq!((ran.code(), suppressions(&ran)), (Some(1), vec!["x allow".into(), "y".into()]));
    assert_eq!(suppressed(&ran)["allowed"], 1);
    assert_eq!(ran.json()["summary"]["proven"], 1);
    let report = ran.json();
    let mut marks = report["findings"].as_array().expect("a list").iter();
    let mark = marks.find_map(|it| it.get("suppression")).expect("a mark");
    let wanted = json!({"by": "allow", "reason": "revoked on Monday", "expires": "9999-01-31"});
    assert_eq!(*mark, wanted);
    let text = tree.run(&["scan"]).stdout();
    assert!(text.contains("1 token suppressed: 1 by the allowlist."), "{text}");
    assert!(!text.contains("x:1:1"), "{text}");
    tree.write(".ddpatrol.toml", format!("{entry}expires = 2020-01-31\n"));
    let ran = scan(&tree, &[]);
    assert_eq!(suppressions(&ran), ["x", "y"]);
    assert_eq!(ran.json()["unused"][0]["expired"], "2020-01-31");
    let text = tree.run(&["scan"]).stdout();
    assert!(text.contains("(revoked on Monday) expired after 2020-01-31"), "{text}");
}

#[test]
fn unused_entries_are_listed_only_by_complete_scans() {
    let tree = Tree::new();
    tree.write("x", token(1));
    tree.write(".ddpatrol.toml", allow(1, "an example") + &allow(2, "long gone"));
    let ran = scan(&tree, &[]);
    let report = ran.json();
    let unused = report["unused"].as_array().expect("a list");
    assert_eq!(unused.len(), 1, "{ran:?}");
    assert_eq!(unused[0]["fingerprint"], fingerprint(2));
    assert_eq!(unused[0]["what"], "long gone");
    assert!(tree.run(&["scan"]).stdout().contains("(long gone) is unused"));
    assert!(scan(&tree, &["--rule", "npm-token"]).json().get("unused").is_none());
    assert!(scan(&tree, &["--files-only"]).json().get("unused").is_none());
}

#[test]
fn sarif_omits_suppressed_findings_unless_requested() {
    let tree = Tree::new();
    tree.write("x", token(1));
    tree.write("y", token(2));
    tree.write(".ddpatrol.toml", allow(1, "an example"));
    let run = |args: &[&str]| {
        let report = tree.run(&[&["scan", "--report", "sarif"], args].concat()).json();
        report["runs"][0].clone()
    };
    let without = run(&[]);
    assert_eq!(without["results"].as_array().map(Vec::len), Some(1));
    let printed = without["invocations"].to_string();
    assert!(printed.contains("1 suppressed findings are omitted"), "{printed}");
    let with = run(&["--sarif-suppressed"]);
    let results = with["results"].as_array().expect("a list");
    let mut suppressed = results.iter().filter_map(|it| it.get("suppressions"));
    let suppression = &suppressed.next().expect("one")[0];
    assert_eq!(
        (&suppression["kind"], &suppression["status"]),
        (&json!("external"), &json!("accepted"))
    );
    assert!(suppression["justification"].to_string().contains("an example"), "{suppression}");
    assert!(suppressed.next().is_none());
}

#[test]
fn an_invalid_configuration_is_an_error_with_its_position() {
    let tree = Tree::new();
    tree.write("x", "clean");
    for (text, words) in [
        ("alow = []", ".ddpatrol.toml:1:1: unknown field `alow`"),
        ("[rules]\nleave_out = [\"npm\"]", ".ddpatrol.toml:2:14: unknown rule `npm`"),
        ("[rules]\nadd = [\"none.toml\"]", ".ddpatrol.toml:2:8: cannot read rules from"),
        ("baseline = \"none.json\"", ".ddpatrol.toml:1:12: baseline none.json does not exist"),
        ("exclude = [\"a[\"]", ".ddpatrol.toml:1:12: invalid pattern `a[`"),
        (
            "[[acknowledge]]\ncode = \"archive.encrypted\"\npath = \"a[\"\nreason = \"words\"\n\
             expires = 2027-01-31",
            ".ddpatrol.toml:3:8: invalid pattern `a[`",
        ),
        ("\u{feff}x", ".ddpatrol.toml:1:"),
    ] {
        tree.write(".ddpatrol.toml", text);
        let ran = tree.run(&["scan"]);
        assert_eq!(ran.code(), Some(2), "{text}: {ran:?}");
        assert!(ran.stderr().contains(words), "{text}: {ran:?}");
    }
    tree.write(".ddpatrol.toml", [0xff]);
    assert_eq!(tree.run(&["scan"]).code(), Some(2));
    let ran = tree.run(&["scan", "--config", "nope.toml"]);
    assert!(ran.stderr().contains("configuration nope.toml does not exist"), "{ran:?}");
    let secret = format!("[[allow]]\nfingerprint = \"{}\"\nreason = \"words\"", token(1));
    tree.write(".ddpatrol.toml", secret.replace("fingerprint", "finger"));
    let ran = tree.run(&["scan"]);
    assert!(!ran.stderr().contains(&token(1)[30..]), "{ran:?}");
}

#[test]
fn an_empty_pattern_excludes_nothing_silently() {
    let tree = Tree::new();
    tree.write("x", token(1));
    for pattern in ["", "  "] {
        let ran = tree.run(&["scan", "--exclude", pattern]);
        assert_eq!(ran.code(), Some(2), "{ran:?}");
        assert!(ran.stderr().contains("an empty pattern"), "{ran:?}");
    }
}

#[test]
fn explicitly_named_paths_are_scanned_even_if_excluded() {
    let tree = Tree::new();
    tree.write(".ddpatrol.toml", "exclude = [\"/vendor/\", \"*.min.js\"]\n");
    tree.write("vendor/a/x", token(1));
    tree.write("vendor/x.min.js", token(2));
    tree.write("src/x", token(3));
    for (args, wanted) in [
        (&["."][..], &["src/x"][..]),
        (&["vendor"], &["vendor/a/x"]),
        (&["vendor/a"], &["vendor/a/x"]),
        (&["vendor/x.min.js", "src"], &["src/x", "vendor/x.min.js"]),
    ] {
        assert_eq!(suppressions(&scan(&tree, args)), wanted, "{args:?}");
    }
    let text = tree.run(&["scan"]).stdout();
    assert!(text.contains("1 path by --exclude or the configuration"), "{text}");
}

#[test]
fn an_explicitly_named_repository_is_scanned_even_if_excluded() {
    let repo =
        crate::support::repo::Repo::with_files(&[("x", &token(1)), ("fixtures/y", &token(2))]);
    repo.commit_files(&[("x", "gone")], "edit");
    repo.git(&["remote", "add", "origin", &format!("https://x:{}@example.com", token(3))]);
    let name = repo.path().file_name().expect("a name").to_string_lossy().into_owned();
    let text = format!("exclude = [\"/{name}/\", \"fixtures/\"]\n");
    std::fs::write(repo.parent().join(".ddpatrol.toml"), text).expect("a file");
    let config = repo.parent().join(".ddpatrol.toml").to_string_lossy().into_owned();
    let args = ["scan", &name, "--config", &config, "--report", "json"];
    let ran = repo.run_in(repo.parent(), &args, &[]);
    let wanted = [format!("{name}/.git/config"), format!("{name}/x")];
    assert_eq!(suppressions(&ran), wanted, "{ran:?}");
    let args = ["scan", ".", "--config", &config, "--report", "json"];
    let ran = repo.run_in(repo.parent(), &args, &[]);
    assert_eq!(suppressions(&ran), [] as [&str; 0], "{ran:?}");
}
