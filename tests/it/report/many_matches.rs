//! Many locations of one token and many tokens in one blob: every location is listed once with its own
//! position, and formats count what they omit.

use crate::support::mint::token;
use crate::support::repo::Repo;
use crate::support::tree::{RunOutput, Tree};
use serde_json::Value;
use std::process::Command;

/// More locations than any format lists, and more than have snippets.
const MANY: usize = 1_234;

/// Returns a log with the token in each line, at different columns.
fn log(token: &str, lines: usize) -> String {
    let line = |n: usize| format!("{n} {} Bearer {token} \"é\"\n", "x".repeat(n % 71));
    (0..lines).map(line).collect()
}

/// A position: line, column, end line, end column, offset, length.
type Position = [u64; 6];

/// Returns every position of a token in a text, by a search line by line.
fn expected(text: &str, token: &str) -> Vec<Position> {
    let (mut places, mut offset) = (Vec::new(), 0);
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        for (at, _) in line.match_indices(token) {
            let column = line[..at].encode_utf16().count() as u64 + 1;
            let len = token.len() as u64;
            places.push([number, column, number, column + len, (offset + at) as u64, len]);
        }
        offset += line.len();
    }
    places
}

fn position(place: &Value) -> Position {
    ["line", "column", "end_line", "end_column", "offset", "length"]
        .map(|key| place[key].as_u64().expect("a number"))
}

fn locations(report: &Value) -> &Vec<Value> {
    report["findings"][0]["locations"].as_array().expect("a list")
}

fn positions(ran: &RunOutput) -> Vec<Position> {
    locations(&ran.json()).iter().map(position).collect()
}

#[test]
fn json_and_jsonl_list_every_location_of_a_token_in_order() {
    let tree = Tree::new();
    let text = log(&token(1), 4_321);
    tree.write("log", &text);
    let ran = tree.run(&["scan", "--report", "json"]);
    assert_eq!(positions(&ran), expected(&text, &token(1)));
    assert_eq!(ran.json()["summary"]["proven_locations"], 4_321);
    let lines = tree.run(&["scan", "--report", "jsonl"]).stdout();
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let matches: Vec<Value> = lines.filter(|it| it["type"] == "match").collect();
    let mut streamed: Vec<Position> =
        matches.iter().map(|it| position(&it["locations"][0])).collect();
    streamed.sort_by_key(|it| it[4]);
    assert_eq!(streamed, expected(&text, &token(1)));
    let again = tree.run_with_input(&["report", "--from", "-", "--report", "json"], &ran.0.stdout);
    assert_eq!(again.json()["findings"], ran.json()["findings"]);
}

#[test]
fn snippets_are_shown_for_the_first_hundred_locations_in_a_file() {
    let tree = Tree::new();
    for name in ["a", "b"] {
        tree.write(name, log(&token(1), 150));
    }
    let report = tree.run(&["scan", "--report", "json"]).json();
    let is_shown = |it: &&Value| !it["snippet"].as_str().expect("a text").is_empty();
    assert_eq!(locations(&report).len(), 300);
    assert_eq!(locations(&report).iter().filter(is_shown).count(), 200);
}

#[test]
fn locations_that_differ_in_encoding_length_or_allowance_are_kept_apart() {
    let tree = Tree::new();
    let token = token(1);
    let escaped = token.replace('_', "%5F");
    let mut text = String::new();
    for n in 0..MANY {
        let key = if n % 5 == 0 { &escaped } else { &token };
        let comment = match n % 7 {
            0 => " # ddpatrol:allow an example",
            1 => " # ddpatrol:allow another example",
            2 => " # ddpatrol:allow",
            _ => "",
        };
        text.push_str(&format!("k{n} = {key}{comment}\n"));
    }
    tree.write("log", &text);
    let report = tree.run(&["scan", "--report", "json"]).json();
    let mut wanted = expected(&text, &token);
    wanted.extend(expected(&text, &escaped));
    wanted.sort_by_key(|it| it[4]);
    let places = locations(&report);
    assert_eq!(places.iter().map(position).collect::<Vec<_>>(), wanted);
    for place in places {
        let n = place["line"].as_u64().expect("a number") - 1;
        let encoding = (n % 5 == 0).then_some("percent-encoding");
        assert_eq!(place["encoding"].as_str(), encoding, "{place}");
        let inline = &place["inline"];
        match n % 7 {
            0 => assert_eq!(
                (&inline["counts"], &inline["reason"]),
                (&true.into(), &"an example".into())
            ),
            1 => assert_eq!(inline["reason"], "another example"),
            2 => assert_eq!(inline["counts"], false),
            _ => assert_eq!(*inline, Value::Null),
        }
    }
}

#[test]
fn tokens_on_one_long_line_and_in_utf16_have_their_columns() {
    let tree = Tree::new();
    let token = token(1);
    let line = format!("é {token} ").repeat(MANY);
    tree.write("line", &line);
    assert_eq!(
        positions(&tree.run(&["scan", "--report", "json", "line"])),
        expected(&line, &token)
    );
    let text = log(&token, MANY);
    let wide: Vec<u8> =
        format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    tree.write("wide", wide);
    let lines = |places: Vec<Position>| places.into_iter().map(|it| [it[0], it[1], it[3]]);
    let wanted: Vec<_> = lines(expected(&text, &token)).collect();
    let found: Vec<_> =
        lines(positions(&tree.run(&["scan", "--report", "json", "wide"]))).collect();
    // After the first window only the line is known, not the column.
    assert_eq!(found.len(), wanted.len());
    for (found, wanted) in found.iter().zip(&wanted).take(700) {
        assert_eq!(found, wanted);
    }
}

#[test]
fn histories_changes_and_archives_list_every_location() {
    let repo = Repo::new();
    repo.commit("first");
    let text = log(&token(1), MANY);
    let wanted = expected(&text, &token(1));
    repo.write("log", &text);
    repo.git(&["add", "log"]);
    let run = |args: &[&str]| repo.run_without_git(repo.path(), args);
    assert_eq!(positions(&run(&["staged", "--report", "json"])), wanted);
    repo.commit("second");
    assert_eq!(positions(&run(&["range", "HEAD~1..HEAD", "--report", "json"])), wanted);
    for is_packed in [false, true] {
        if is_packed {
            repo.git(&["repack", "-adq"]);
        }
        let report = repo.scan_history().json();
        assert_eq!(locations(&report).iter().map(position).collect::<Vec<_>>(), wanted);
        let objects = report["findings"][0]["objects"].as_array().expect("a list");
        let id = repo.id("HEAD:log");
        let held: Vec<(&str, u64, u64)> = objects
            .iter()
            .map(|it| {
                let number = |key: &str| it[key].as_u64().expect("a number");
                (it["id"].as_str().expect("an id"), number("offset"), number("length"))
            })
            .collect();
        let held_wanted: Vec<(&str, u64, u64)> =
            wanted.iter().map(|it| (&*id, it[4], it[5])).collect();
        assert_eq!(held, held_wanted);
    }
    let state = repo.sibling("state");
    let args = ["--history-only", "--state", state.to_str().expect("UTF-8")];
    let first = repo.scan(&args).json();
    let again = repo.scan(&args);
    assert!(again.json()["notes"].to_string().contains("nothing is new"), "{again:?}");
    assert_eq!(again.json()["findings"], first["findings"]);
    let archive = Tree::new();
    archive.write("log", &text);
    let mut tar = Command::new("tar");
    tar.args(["cf", "x.tar", "log"]).current_dir(archive.path());
    assert!(tar.status().expect("tar runs").success());
    let report = archive.run(&["scan", "--report", "json", "x.tar"]).json();
    assert_eq!(locations(&report).iter().map(position).collect::<Vec<_>>(), wanted);
    assert!(locations(&report).iter().all(|it| it["path"] == "x.tar!/log"));
}

#[test]
fn excluded_and_known_locations_are_counted_separately() {
    let repo = Repo::new();
    repo.commit_file("log", log(&token(1), MANY));
    repo.write(".ddpatrol.toml", "exclude = [\"log\"]\n");
    let report = repo.scan(&["--history-only"]).json();
    assert_eq!(report["findings"], serde_json::json!([]));
    assert_eq!(report["summary"]["left_out"]["excluded"], MANY);
    let tree = Tree::new();
    tree.write("known", token(1));
    assert_eq!(tree.run(&["baseline", "create"]).code(), Some(0));
    tree.write("new", log(&token(1), MANY));
    let args = ["scan", "--baseline", ".ddpatrol-baseline.json", "--report", "json"];
    let report = tree.run(&args).json();
    assert_eq!(report["summary"]["suppressed"]["new_places"], MANY);
    assert!(locations(&report).iter().all(|it| (it["path"] == "new") == (it["new_place"] == true)));
}

#[test]
fn formats_that_omit_locations_state_how_many() {
    let tree = Tree::new();
    tree.write("log", log(&token(1), MANY));
    let run = |format: &str| tree.run(&["scan", "--report", format]).stdout();
    let text = tree.run(&["scan", "--explain"]).stdout();
    assert!(text.contains("… and 1,213 more places"), "{text}");
    assert_eq!(text.matches("    also log:").count(), 20);
    assert!(run("markdown").contains("- … and 1,214 more places"));
    assert!(run("github").contains("Also in 1,233 more places."));
    let page = run("html");
    assert!(page.contains("And 1,134 more, which <code>--report json</code> lists."));
    assert!(page.contains("1,234 places"));
    let sarif: Value = serde_json::from_str(&run("sarif")).expect("JSON");
    let result = &sarif["runs"][0]["results"][0];
    let omitted = MANY - 1 - result["relatedLocations"].as_array().expect("a list").len();
    assert_eq!(result["properties"]["places"], MANY);
    assert_eq!(result["properties"]["placesOmitted"], omitted);
    let message = result["message"]["text"].as_str().expect("a text");
    assert!(message.ends_with(&format!("{omitted} more places are not listed")), "{message}");
}

#[test]
fn few_locations_are_all_listed_in_every_format() {
    let tree = Tree::new();
    tree.write("log", log(&token(1), 3));
    for format in ["text", "markdown", "html", "sarif"] {
        let printed = tree.run(&["scan", "--report", format]).stdout();
        for line in 1..=3 {
            let place = format!("log:{line}:");
            let is_listed = printed.contains(&place) || format == "sarif";
            assert!(is_listed, "{format} {line}: {printed}");
        }
        let is_omitted = ["… and", "And ", "not listed", "placesOmitted"];
        assert!(!is_omitted.iter().any(|it| printed.contains(it)), "{format}: {printed}");
    }
}

#[test]
fn many_tokens_in_one_blob_are_each_found_at_their_location() {
    let repo = Repo::new();
    let tokens: Vec<String> = (0..500).map(token).collect();
    let text: String = tokens.iter().map(|it| format!("{it} {it}\n")).collect();
    repo.write("log", &text);
    repo.git(&["add", "log"]);
    let all: Vec<Position> = tokens.iter().flat_map(|it| expected(&text, it)).collect();
    let scan = |args: &[&str]| {
        let report = repo.run_without_git(repo.path(), args).json();
        let findings = report["findings"].as_array().expect("a list").clone();
        assert_eq!(findings.len(), 500);
        let places = findings.iter().flat_map(|it| it["locations"].as_array().expect("a list"));
        let mut places: Vec<Position> = places.map(position).collect();
        places.sort_by_key(|it| it[4]);
        assert_eq!(places, all, "{args:?}");
    };
    scan(&["scan", "--report", "json", "log"]);
    scan(&["staged", "--report", "json"]);
    repo.commit(&text);
    let report = repo.scan_history().json();
    let parts = |part: &str| {
        let findings = report["findings"].as_array().expect("a list").iter();
        let places = findings.flat_map(|it| it["locations"].as_array().expect("a list"));
        places.filter(|it| it["part"] == part).count()
    };
    assert_eq!((parts("content"), parts("commit")), (1_000, 1_000));
}
