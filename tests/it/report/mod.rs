//! Reports: correct, complete, and without secrets.

mod commands;
mod gitlab;
mod jsonl_order;
mod many_matches;
mod origins;
mod paths;
mod places;
mod reference_names;
mod saved;
mod uncommitted;

use crate::support::mint::{self, Random};
use crate::support::tree::{RunOutput, Tree, raw_name};
use serde_json::Value;

const FORMATS: [&str; 10] =
    ["text", "json", "jsonl", "sarif", "html", "markdown", "github", "csv", "junit", "gitlab"];

/// Asserts that the output contains no part of a token's secret.
fn assert_masked(ran: &RunOutput, tokens: &[(&str, String)]) {
    let printed = ran.stdout() + &ran.stderr();
    for (rule, token) in tokens {
        let public = match *rule {
            rule if rule.starts_with("datadog") => 29,
            _ => mint::head_len(token),
        };
        for at in public..token.len() - 8 {
            assert!(!printed.contains(&token[at..at + 8]), "{rule} shows at {at}: {printed}");
        }
    }
}

#[test]
fn no_report_message_or_path_shows_a_secret() {
    let tree = Tree::new();
    let tokens = mint::all(&mut Random(1));
    for (at, (_, token)) in tokens.iter().enumerate() {
        let (_, next) = &tokens[(at + 1) % tokens.len()];
        let short = &next[..next.len() - 3];
        tree.write(format!("{at}/{token}.txt"), format!("{token}{next} cut: {short}\nx={token}"));
        tree.write(
            format!("{at}/long"),
            format!("{}{token}{}{next}", "é".repeat(25), "-".repeat(50)),
        );
    }
    let missing = format!("nope/{}", tokens[0].1);
    for format in FORMATS {
        for args in [
            &["--show-shaped", ".", &missing][..],
            &["--rule", "npm-token", "--show-shaped", "."],
            &["--wrong", &tokens[0].1],
            &[&format!("--wrong={}", tokens[3].1)],
            &["--exclude", &format!("[{}", tokens[2].1)],
            &["--rules", &tokens[5].1],
            &["--rule", &tokens[6].1],
            &["--max-file-size", &tokens[7].1],
        ] {
            let ran = tree.run(&[&["scan", "--report", format], args].concat());
            assert_masked(&ran, &tokens);
        }
    }
    let found = tree.run(&["scan", "--report", "json"]).json();
    assert_eq!(
        found["findings"].as_array().map(Vec::len),
        Some(tokens.len()),
        "all tokens are found"
    );
    let shown = tree.run(&["scan", "--report", "json", "--show-secrets"]).stdout();
    assert!(tokens.iter().all(|(_, token)| shown.contains(&format!("\"secret\": \"{token}\""))));
}

#[test]
fn the_public_part_of_a_token_is_reported() {
    let tree = Tree::new();
    let token = mint::datadog(&mut Random(2), "ddpat_", 43, 2);
    tree.write("x", &token);
    let found = &tree.run(&["scan", "--report", "json"]).json()["findings"][0];
    assert_eq!(found["token"]["alias"], token[6..28]);
    assert_eq!(found["token"]["redacted"], format!("{}***", &token[..29]));
    assert_eq!(found["token"]["uuid"].as_str().map(str::len), Some(36));
    assert_eq!(found["evidence"], "proven");
    assert_eq!(found["fingerprint"].as_str().map(str::len), Some(32));
}

#[test]
fn the_fingerprint_depends_on_the_token_alone() {
    let tree = Tree::new();
    let token = mint::datadog(&mut Random(2), "ddpat_", 43, 0);
    tree.write("a", format!("x = {token}"));
    tree.write("b/c", format!("\n\n  {token};"));
    let of = |path| {
        let report = tree.run(&["scan", "--report", "json", path]).json();
        report["findings"][0]["fingerprint"].clone()
    };
    assert!(of("a").is_string() && of("a") == of("b"));
}

fn sarif(tree: &Tree, args: &[&str]) -> Value {
    let ran = tree.run(&[&["scan", "--report", "sarif"], args].concat());
    let sarif = ran.json();
    crate::support::sarif::assert_valid(&sarif);
    sarif
}

#[test]
fn sarif_is_valid_and_its_columns_are_utf16_units_with_an_exclusive_end() {
    let tree = Tree::new();
    let token = mint::datadog(&mut Random(3), "ddpat_", 43, 0);
    tree.write("é日本.env", format!("# x\r\né日本😀={token}\r\n"));
    tree.write("bom", format!("\u{feff}{token}"));
    let sarif = sarif(&tree, &["--show-shaped"]);
    let run = &sarif["runs"][0];
    assert_eq!(run["columnKind"], "utf16CodeUnits");
    let result = &run["results"][0];
    let first = &result["locations"][0]["physicalLocation"];
    assert_eq!(first["artifactLocation"]["uri"], "bom");
    assert_eq!(first["region"]["startColumn"], 1);
    let second = &result["relatedLocations"][0]["physicalLocation"];
    assert_eq!(second["artifactLocation"]["uri"], "%C3%A9%E6%97%A5%E6%9C%AC.env");
    let region = &second["region"];
    let number = |key: &str| region[key].as_u64().expect("a number");
    assert_eq!((number("startLine"), number("endLine")), (2, 2));
    assert_eq!((number("startColumn"), number("endColumn")), (7, 7 + token.len() as u64));
    assert_eq!(second["contextRegion"]["snippet"]["text"], format!("é日本😀={}***", &token[..29]));
}

#[test]
fn sarif_has_the_fields_that_github_requires() {
    let tree = Tree::new();
    let token = mint::datadog(&mut Random(3), "ddpat_", 43, 0);
    tree.write("x", &token);
    tree.write(format!("{}.txt", mint::classic(&mut Random(4), "ghp_", 30)), "");
    let absolute = tree.path().to_str().expect("temporary paths are UTF-8");
    for root in [".", absolute] {
        let sarif = sarif(&tree, &[root, "nope"]);
        let run = &sarif["runs"][0];
        let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
        for rule in rules {
            assert!(rule["help"]["markdown"].is_string() && rule["helpUri"].is_string());
            assert!(rule["properties"]["tags"].as_array().expect("tags").len() <= 10);
            assert_eq!(rule["properties"]["security-severity"], "9.0");
        }
        let results = run["results"].as_array().expect("results");
        assert_eq!(results.len(), 2);
        for result in results {
            let place = &result["locations"][0]["physicalLocation"];
            let uri = place["artifactLocation"]["uri"].as_str().expect("a URI");
            assert!(["x", "ghp_%2A%2A%2A.txt"].contains(&uri), "relative to the root: {uri}");
            assert_eq!(place["region"]["startLine"], 1);
            let index = result["ruleIndex"].as_u64().expect("an index") as usize;
            assert_eq!(rules[index]["id"], result["ruleId"]);
            let hash = &result["partialFingerprints"]["primaryLocationLineHash"];
            assert!(hash.as_str().is_some_and(|hash| hash.ends_with(":1")));
        }
        let invocation = &run["invocations"][0];
        assert_eq!(invocation["executionSuccessful"], false);
        let printed = &invocation["toolExecutionNotifications"][0]["message"]["text"];
        assert_eq!(printed, "nope: no such file or folder");
    }
    assert_eq!(
        tree.run_with_input(&["scan", "--report", "sarif", "-"], token.as_bytes()).json()["runs"]
            [0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
        "stdin"
    );
}

#[test]
fn sarif_of_hostile_names_is_valid() {
    let tree = Tree::new();
    let token = mint::datadog(&mut Random(5), "ddpat_", 43, 0);
    for name in
        [&b"a b%#?:\"<>\\"[..], b"\xff\xfe", b"x\x1b[31m\n::error::", "\u{202e}x".as_bytes()]
    {
        tree.write(raw_name(name), &token);
    }
    assert_eq!(
        sarif(&tree, &[])["runs"][0]["results"][0]["relatedLocations"].as_array().map(Vec::len),
        Some(3)
    );
}

#[test]
fn scanned_text_cannot_control_the_terminal() {
    let tree = Tree::new();
    let token = mint::datadog(&mut Random(6), "ddpat_", 43, 0);
    tree.write(
        "x\x1b[31m\n::error::\u{202e}",
        format!("\x1b]0;title\x07\u{9b}31m{token}\u{202e}\r"),
    );
    let ran = tree.run(&["scan", ".", "nope\x1b[2J"]);
    let printed = ran.stdout() + &ran.stderr();
    assert!(
        printed.contains("x\\u{1b}[31m\\u{a}::error::\\u{202e}:1:15  datadog-pat"),
        "{printed}"
    );
    assert!(
        !printed.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'),
        "{printed:?}"
    );
    assert!(!printed.lines().any(|line| line.starts_with("::")), "{printed}");
}

#[test]
fn colour_is_used_on_terminals_or_on_request() {
    let tree = Tree::new();
    tree.write("x", mint::datadog(&mut Random(7), "ddpat_", 43, 0));
    assert!(!tree.run(&["scan"]).stdout().contains('\x1b'));
    assert!(tree.run(&["scan", "--color", "always"]).stdout().contains("\x1b[1m\x1b[33munknown"));
}

#[test]
fn jsonl_streams_every_location_and_ends_with_a_summary() {
    let tree = Tree::new();
    let token = mint::datadog(&mut Random(8), "ddpat_", 43, 0);
    tree.write("a", &token);
    tree.write("b", format!("{token}\n{token}"));
    let text = tree.run(&["scan", "--report", "jsonl", ".", "nope"]).stdout();
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
    let kinds: Vec<_> = lines.iter().map(|line| line["type"].as_str().expect("a type")).collect();
    assert_eq!(kinds, ["match", "match", "match", "diagnostic", "summary"]);
    assert_eq!(lines[4]["complete"], false);
}

#[test]
fn json_matches_its_documentation() {
    let tree = Tree::new();
    tree.write("a", mint::datadog(&mut Random(9), "ddpat_", 43, 0));
    let report = tree.run(&["scan", "--report", "json", ".", "nope"]).json();
    let description = include_str!("../../../docs/json.md");
    let mut keys = Vec::new();
    gather(&report, &mut keys);
    assert!(keys.len() > 30, "{keys:?}");
    for key in keys {
        assert!(
            description.contains(&format!("`{key}`")),
            "docs/json.md does not describe `{key}`"
        );
    }
}

fn gather(value: &Value, keys: &mut Vec<String>) {
    match value {
        Value::Object(object) => object.iter().for_each(|(key, value)| {
            keys.push(key.clone());
            gather(value, keys);
        }),
        Value::Array(items) => items.iter().for_each(|item| gather(item, keys)),
        _ => {}
    }
}

#[test]
fn a_neighbouring_token_of_a_disabled_rule_is_masked() {
    let tree = Tree::new();
    let mut random = Random(10);
    let tokens = mint::all(&mut random);
    for (at, (only, found)) in tokens.iter().enumerate() {
        // Not all pairs: each run starts a process.
        for distance in [0, 1, 7, 23] {
            let (_, neighbour) = &tokens[(at + distance) % tokens.len()];
            let text = format!("{neighbour} {found}{neighbour}");
            let ran = tree.run_with_input(&["scan", "-", "--rule", only], text.as_bytes());
            assert!(ran.stdout().contains(&format!("  {only} ")), "{ran:?}");
            assert_masked(&ran, &tokens);
        }
    }
}

const OWN_RULES: &str = r#"issuer = "Example"
[[token]]
id = "short"
name = "Short"
format = "pin_<SECRET><CRC>"
[token.segments.SECRET]
alphabet = "base62"
length = 4
[token.segments.CRC]
algorithm = "crc32"
encoding = "base62"
length = 6
over = ["<SECRET>"]
[[token.vectors]]
checksum_of = "hello"
checksum = "0zNvy2"
source = "the standard"

[[token]]
id = "dash"
name = "Dash"
format = "exk_<ID>-<SECRET><CRC>"
[token.segments.ID]
alphabet = "base64url"
length = { min = 8, max = 16 }
[token.segments.SECRET]
alphabet = "base62"
length = 30
[token.segments.CRC]
algorithm = "crc32"
encoding = "base62"
length = 6
over = ["<SECRET>"]
[[token.vectors]]
checksum_of = "hello"
checksum = "0zNvy2"
source = "the standard"
"#;

#[test]
fn tokens_of_added_rules_are_masked_in_every_format() {
    let tree = Tree::new();
    let mut random = Random(11);
    let short = format!("pin_{}", mint::classic(&mut random, "", 4));
    let dash = format!("exk_abcdefgh-{}", mint::classic(&mut random, "", 30));
    tree.write("own.toml", OWN_RULES);
    tree.write(format!("t/{dash}.txt"), format!("k={short}\nk={dash}\ncut {}", &dash[..35]));
    let output = format!("json=no/such/{dash}");
    for args in [
        &["--report", "text"][..],
        &["--report", "json"],
        &["--report", "sarif"],
        &["--report", "html"],
        &["--report", "markdown"],
        &["--report", "github"],
        &["--report", &output],
    ] {
        let ran = tree.run(&[&["scan", "--rules", "own.toml", "t"], args].concat());
        let printed = ran.stdout() + &ran.stderr();
        assert!(!printed.contains(&short[4..]), "{printed}");
        for at in 13..dash.len() - 8 {
            assert!(!printed.contains(&dash[at..at + 8]), "{printed}");
        }
    }
    let found = tree.run(&["scan", "--rules", "own.toml", "--report", "json", "t"]).json();
    assert_eq!(found["findings"].as_array().map(Vec::len), Some(2));
}

#[test]
fn eight_characters_of_a_truncated_secret_are_masked_and_words_are_not() {
    let tree = Tree::new();
    let token = mint::classic(&mut Random(12), "ghp_", 30);
    for (text, shown) in [
        ("ghp_1a2B3c4D", false),
        ("npm_installer", true),
        ("npm_config", true),
        ("ghp_1a2B3c4", true),
    ] {
        let ran = tree.run_with_input(&["scan", "-"], format!("{token} {text}").as_bytes());
        assert_eq!(ran.stdout().contains(text), shown, "{text}: {ran:?}");
    }
}

#[test]
fn only_the_token_in_a_name_is_masked() {
    for seed in 0..5 {
        // A name cannot contain a slash.
        let tokens = mint::all(&mut Random(seed)).into_iter();
        for (rule, token) in tokens.filter(|(_, token)| !token.contains('/')) {
            let tree = Tree::new();
            // The other form of these tokens contains dots, so that `.txt` may belong to it.
            let end = if rule == "github-server-classic" { " .txt" } else { ".txt" };
            tree.write(format!("a {token}{end}"), "x");
            let ran = tree.run(&["scan", "--report", "json"]);
            let path = &ran.json()["findings"][0]["locations"][0]["path"];
            let path = path.as_str().expect("a path").to_owned();
            assert!(path.ends_with(&format!("***{end}")), "{rule}: {path}");
        }
    }
}
