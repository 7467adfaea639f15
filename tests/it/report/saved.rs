//! `ddpatrol report` and `ddpatrol diff`: rendering and comparing saved reports.

use crate::support::mint::token;
use crate::support::repo::Repo;
use crate::support::tree::Tree;
use serde_json::Value;

/// Creates a repository with tokens in files, history, messages and names, some of them suppressed.
fn full() -> Repo {
    let repo = Repo::with_files(&[("a b", &token(1)), ("gone", &token(2))]);
    repo.commit_files(
        &[("gone", ""), (&token(3), "named")],
        &format!("a message with {}", token(4)),
    );
    repo.commit_files(&[("x", &format!("{} # ddpatrol:allow an example", token(5)))], "more");
    repo.write("file\u{e9}", token(6));
    repo
}

/// Removes durations from a text.
fn timeless(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once(", in ") {
        Some((scanned, _)) if line.starts_with("Scanned ") => format!("{scanned}."),
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_saved_report_renders_the_same_as_the_scan() {
    let repo = full();
    let saved = repo.parent().join("scan.json").to_string_lossy().into_owned();
    let to = format!("json={saved}");
    assert_eq!(repo.run(&["scan", "--report", &to]).code(), Some(1));
    for format in ["text", "json", "sarif"] {
        let direct = repo.run(&["scan", "--report", format]).stdout();
        let ran = repo.run(&["report", "--from", &saved, "--report", format]);
        assert_eq!(ran.code(), Some(0), "{ran:?}");
        // The next steps of a scan contain its command line.
        let findings = |text: &str| {
            let text = timeless(text);
            text.split("Next steps").next().map(str::to_owned)
        };
        assert_eq!(findings(&ran.stdout()), findings(&direct), "{format}");
    }
    let with = ["--report", "sarif", "--sarif-suppressed"];
    let direct = repo.run(&[&["scan"], &with[..]].concat()).stdout();
    assert_eq!(repo.run(&[&["report", "--from", &saved], &with[..]].concat()).stdout(), direct);
    let lines = repo.run(&["report", "--from", &saved, "--report", "jsonl"]).stdout();
    let kinds: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["type"].clone())
        .collect();
    assert_eq!(kinds.last().and_then(Value::as_str), Some("summary"), "{lines}");
    assert!(kinds.iter().filter(|kind| *kind == "match").count() >= 6, "{lines}");
}

#[test]
fn tokens_injected_into_a_saved_report_are_masked() {
    let repo = full();
    let mut report = repo.run(&["scan", "--report", "json", "--show-secrets"]).json();
    assert!(report.to_string().contains(&token(1)));
    report["notes"] = serde_json::json!([token(7)]);
    report["findings"][0]["name"] = token(8).into();
    report["findings"][0]["locations"][0]["snippet"] = token(9).into();
    for format in ["text", "json", "jsonl", "sarif"] {
        let ran = repo.run_with_input(&["report", "--from", "-", "--report", format], "");
        assert_eq!(ran.code(), Some(2), "an empty file is not a report");
        let path = repo.parent().join("changed.json");
        std::fs::write(&path, report.to_string()).expect("a file");
        let ran = repo.run(&["report", "--from", &path.to_string_lossy(), "--report", format]);
        assert_eq!(ran.code(), Some(0), "{ran:?}");
        for seed in 1..10 {
            assert!(!ran.stdout().contains(&token(seed)[30..]), "{format}: token {seed}");
        }
    }
}

#[test]
fn an_invalid_report_is_rejected_with_its_position() {
    let tree = Tree::new();
    for (text, words) in [
        ("{", "line 1, column 1"),
        ("[]", "report schema (none)"),
        ("{\"schema\": \"ddpatrol-report/9\"}", "report schema ddpatrol-report/9"),
        ("{\"schema\": \"ddpatrol-report/1\"}", "missing field"),
    ] {
        tree.write("r.json", text);
        for args in [&["report", "--from", "r.json"][..], &["diff", "r.json", "r.json"]] {
            let ran = tree.run(args);
            assert_eq!(ran.code(), Some(2), "{text}: {ran:?}");
            assert!(ran.stderr().contains("r.json") && ran.stderr().contains(words), "{ran:?}");
        }
    }
    assert_eq!(tree.run(&["report", "--from", "nope"]).code(), Some(2));
}

#[test]
fn a_diff_compares_tokens_and_fails_on_new_ones() {
    let tree = Tree::new();
    tree.write("x", token(1));
    tree.write("y", token(2));
    tree.run(&["scan", "x", "y", "--report", "json=old.json"]);
    tree.write("x", format!("\n\nmoved {}", token(1)));
    tree.write("other", token(1));
    tree.write("z", format!("{} # ddpatrol:allow an example", token(4)));
    tree.run(&["scan", "x", "other", "z", "--report", "json=fewer.json"]);
    let ran = tree.run(&["diff", "old.json", "fewer.json"]);
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    assert!(ran.stdout().contains("gone: Datadog") && ran.stdout().contains("now also at other"));
    assert!(ran.stdout().ends_with("0 new, 1 gone, 1 unchanged.\n"), "{ran:?}");
    tree.write("new", token(3));
    tree.run(&["scan", "x", "y", "new", "--report", "json=new.json"]);
    let ran = tree.run(&["diff", "old.json", "new.json", "--report", "json"]);
    assert_eq!(ran.code(), Some(1), "{ran:?}");
    let difference = ran.json();
    let len = |key: &str| difference[key].as_array().map(Vec::len);
    assert_eq!([len("new"), len("gone"), len("unchanged")], [Some(1), Some(0), Some(2)]);
    assert_eq!(difference["new"][0]["locations"][0]["path"], "new");
    assert_eq!(tree.run(&["diff", "new.json", "new.json"]).code(), Some(0));
    tree.run(&["scan", "x", "y", "nope", "--report", "json=part.json"]);
    let ran = tree.run(&["diff", "old.json", "part.json"]);
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    assert!(ran.stdout().contains("incomplete"), "{ran:?}");
}

#[test]
fn report_and_diff_have_the_output_options_of_scan() {
    let tree = Tree::new();
    tree.write("x", token(1));
    tree.run(&["scan", "x", "--report", "json=old.json"]);
    tree.run(&["scan", "x", "-f", "json", "-o", "new.json"]);
    let json = tree.run(&["report", "--from", "old.json", "--json"]).stdout();
    assert_eq!(tree.run(&["report", "--from", "old.json", "--report", "json"]).stdout(), json);
    let ran = tree.run(&["report", "--from", "old.json", "-f", "csv", "-o", "x.csv"]);
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    let csv = std::fs::read_to_string(tree.path().join("x.csv")).expect("a file");
    assert!(csv.starts_with("fingerprint,") && csv.contains("datadog-pat"), "{csv}");
    let json = tree.run(&["diff", "old.json", "new.json", "--json"]).json();
    assert_eq!(json["schema"], "ddpatrol-diff/1");
    tree.run(&["diff", "old.json", "new.json", "-f", "json", "-o", "d.json"]);
    let file = std::fs::read_to_string(tree.path().join("d.json")).expect("a file");
    assert_eq!(serde_json::from_str::<Value>(&file).expect("JSON"), json);
    let ran = tree.run(&["revoke", "--from", "old.json", "--dry-run", "--json"]);
    assert_eq!(ran.json()["schema"], "ddpatrol-revocation/1");
}

#[test]
fn revoke_selects_tokens_by_the_printed_fingerprint() {
    let tree = Tree::new();
    tree.write("x", token(1) + "\n" + &token(2));
    tree.run(&["scan", "x", "--report", "json=scan.json"]);
    let text = tree.run(&["report", "--from", "scan.json"]).stdout();
    let printed: Vec<&str> = text.split_whitespace().filter(|it| it.starts_with("fp:")).collect();
    assert_eq!(printed.len(), 2, "{text}");
    let of = |prints: &[&str]| {
        let options = prints.iter().flat_map(|it| ["--fingerprint", it]);
        let options: Vec<&str> = options.collect();
        tree.run(
            &[&["revoke", "--from", "scan.json", "--dry-run", "--json"], &options[..]].concat(),
        )
    };
    for print in [printed[0], &printed[0][3..], &printed[0].to_uppercase().replace("FP:", "")] {
        let listed = of(&[print]).json()["revocations"].clone();
        let listed = listed.as_array().expect("a list");
        assert_eq!(listed.len(), 1, "{print}: {listed:?}");
        assert!(
            listed[0]["fingerprint"].as_str().is_some_and(|it| printed[0].ends_with(&it[..12]))
        );
    }
    assert_eq!(of(&printed).json()["revocations"].as_array().map(Vec::len), Some(2));
    let ran = of(&["fp:000000000000"]);
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    assert!(ran.stderr().contains("no proven finding of scan.json"), "{ran:?}");
    // Reports are untrusted: two tokens can have fingerprints that begin alike.
    let report = std::fs::read_to_string(tree.path().join("scan.json")).expect("a report");
    let first = &printed[0][3..];
    let mut value: Value = serde_json::from_str(&report).expect("JSON");
    for (at, end) in ["0", "1"].into_iter().enumerate() {
        let print = format!("{first}{}{end}", "0".repeat(19));
        value["findings"][at]["fingerprint"] = print.into();
    }
    tree.write("alike.json", value.to_string());
    let ran =
        tree.run(&["revoke", "--from", "alike.json", "--dry-run", "--fingerprint", printed[0]]);
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    assert!(ran.stderr().contains("ambiguous") && ran.stderr().contains(" and "), "{ran:?}");
}

/// Encodes text as Windows programs write it: with a byte order mark, or in UTF-16.
fn windows(text: &str) -> [Vec<u8>; 3] {
    let text = format!("\u{feff}{}", text.replace('\n', "\r\n"));
    let units: Vec<u16> = text.encode_utf16().collect();
    let little = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let big = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    [text.into_bytes(), little, big]
}

#[test]
fn files_with_a_byte_order_mark_or_in_utf16_are_read() {
    let tree = Tree::new();
    tree.write("x", token(1));
    tree.run(&["baseline", "create", "--no-config", "x"]);
    tree.run(&["scan", "x", "--report", "json=saved.json"]);
    let read = |name: &str| std::fs::read_to_string(tree.path().join(name)).expect("a file");
    let (baseline, saved) = (read(".ddpatrol-baseline.json"), read("saved.json"));
    let rule = "issuer = \"Example\"\n[[token]]\nid = \"example\"\nname = \"Example Key\"\n\
                format = \"exk_<SECRET>\"\n[token.segments.SECRET]\nalphabet = \"base62\"\n\
                length = 20\n";
    for at in 0..3 {
        tree.write("b.json", &windows(&baseline)[at]);
        tree.write("s.json", &windows(&saved)[at]);
        tree.write("r.toml", &windows(rule)[at]);
        tree.write("c.toml", &windows("baseline = \"b.json\"\n")[at]);
        for args in [
            &["scan", "x", "--baseline", "b.json"][..],
            &["scan", "x", "--config", "c.toml"],
            &["baseline", "show", "b.json"],
            &["baseline", "update", "--baseline", "b.json", "x"],
            &["scan", "x", "--baseline", ".ddpatrol-baseline.json", "--rules", "r.toml"],
            &["report", "--from", "s.json"],
            &["diff", "s.json", "saved.json"],
            &["revoke", "--from", "s.json", "--dry-run"],
        ] {
            let ran = tree.run(args);
            assert_eq!(ran.code(), Some(0), "{at}: {args:?}: {ran:?}");
        }
        let ran = tree.run_with_input(&["report", "--from", "-"], &windows(&saved)[at]);
        assert_eq!(ran.code(), Some(0), "{at}: {ran:?}");
    }
    tree.write("s.json", b"{\"a\": \"\xff\"}");
    let ran = tree.run(&["report", "--from", "s.json"]);
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    assert!(ran.stderr().contains("s.json: not UTF-8 text: byte 7 is invalid"), "{ran:?}");
}

#[test]
fn revisions_on_standard_input_may_be_in_utf16() {
    let repo = Repo::with_files(&[("a", "a")]);
    repo.commit_files(&[("b", &token(1))], "more");
    for bytes in windows("HEAD~1..HEAD\n") {
        let ran = repo.run_with_input(&["range", "--stdin"], bytes);
        assert_eq!(ran.code(), Some(1), "{ran:?}");
    }
}
