//! The command line: exit codes, `check`, rules, interrupts, output files.

use crate::support::mint::{self, Random, failed_candidate, token};
use crate::support::tree::{RunOutput, Tree};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{Read, Write};
use std::process::Stdio;

#[test]
fn exit_codes_distinguish_findings_from_errors() {
    let tree = Tree::new();
    tree.write("proven/x", token(1));
    tree.write("shaped/x", failed_candidate(2));
    tree.write("clean/x", "nothing");
    for (args, code) in [
        (&["scan", "clean"][..], 0),
        (&["scan", "proven"], 1),
        (&["scan", "shaped"], 0),
        (&["scan", "shaped", "--fail-on", "shaped"], 1),
        (&["scan", "proven", "--fail-on", "never"], 0),
        (&["scan", "clean", "nope"], 2),
        (&["scan", "proven", "nope"], 1),
        (&["scan", "proven", "nope", "--fail-on", "never"], 2),
        (&["scan", "--wrong"], 2),
        (&["scan", "--rule", "nope"], 2),
        (&["scan", "--report", "xml"], 2),
        (&["scan", "--threads", "0"], 2),
        (&["nope"], 2),
        (&["--version"], 0),
        (&["scan", "--help"], 0),
        (&["rules", "list"], 0),
        (&["rules", "show", "datadog-pat"], 0),
        (&["rules", "show", "nope"], 2),
        (&["rules", "check"], 0),
        (&["completions", "bash"], 0),
        (&["man"], 0),
        (&["man", "scan"], 0),
        (&["man", "hook", "install"], 0),
        (&["man", "nope"], 2),
        (&["man", "hook", "nope"], 2),
    ] {
        let ran = tree.run(args);
        assert_eq!(ran.code(), Some(code), "{args:?}: {ran:?}");
        assert_eq!(
            ran.stderr().is_empty(),
            code != 2 || args.contains(&"nope") && args[0] == "scan" && !args.contains(&"--rule"),
            "{args:?}: {ran:?}"
        );
    }
}

#[test]
fn failed_candidates_are_counted_and_listed_on_request() {
    let tree = Tree::new();
    tree.write("x", failed_candidate(1));
    let text = tree.run(&["scan"]).stdout();
    assert!(text.contains("1 candidate without a valid checksum (--show-shaped"), "{text}");
    assert!(!text.contains("x:1:1"), "{text}");
    let text = tree.run(&["scan", "--show-shaped"]).stdout();
    assert!(text.starts_with("shaped, without a valid checksum, in files (1)\n"), "{text}");
    assert!(text.contains("  x:1:1  datadog-pat ddpat_"), "{text}");
}

#[test]
fn the_number_of_workers_changes_nothing() {
    let tree = Tree::new();
    for seed in 0..200 {
        let (mut random, mut text) = (Random(seed), Vec::new());
        for _ in 0..20 {
            text.extend(mint::filler(&mut random));
            text.extend(mint::any(&mut random).1.into_bytes());
        }
        tree.write(format!("{}/{seed}", seed % 7), text);
    }
    let run = |threads| {
        tree.run(&["scan", "--report", "json", "--show-shaped", "--threads", threads]).stdout()
    };
    let one = run("1");
    assert!(one.len() > 100_000 && one == run("2") && one == run("8"));
}

#[test]
fn rules_can_be_added_and_restricted_and_errors_name_the_position() {
    let tree = Tree::new();
    tree.write("x", format!("{}\n{}\n", token(1), mint::classic(&mut Random(2), "exk_", 20)));
    let rule = "issuer = \"Example\"\n[[token]]\nid = \"example\"\nname = \"Example Key\"\n\
        format = \"exk_<SECRET><CRC>\"\n[token.segments.SECRET]\nalphabet = \"base62\"\n\
        length = 20\n[token.segments.CRC]\nalgorithm = \"crc32\"\nencoding = \"base62\"\n\
        length = 6\nover = [\"<SECRET>\"]\n[[token.vectors]]\nchecksum_of = \"hello\"\n\
        checksum = \"0zNvy2\"\nsource = \"the standard\"\n";
    tree.write("rules/a.toml", rule);
    tree.write("wrong.toml", rule.replace("length = 20", "lenght = 20"));
    let rules = |args: &[&str]| -> Vec<String> {
        let ran = tree.run(&[&["scan", "--report", "json", "x"], args].concat());
        ran.places().into_iter().map(|it| it.0).collect()
    };
    assert_eq!(rules(&["--rules", "rules"]), ["datadog-pat", "example"]);
    assert_eq!(rules(&["--rules", "rules/a.toml", "--rule", "example"]), ["example"]);
    let ran = tree.run(&["rules", "check", "rules"]);
    assert!(ran.code() == Some(0) && ran.stdout().contains("ok      example"), "{ran:?}");
    tree.write("double.toml", rule.replace("example", "npm-token"));
    let ran = tree.run(&["rules", "check", "double.toml"]);
    assert!(ran.code() == Some(2) && ran.stderr().contains("duplicate rule id"), "{ran:?}");
    for args in [&["scan", "--rules", "wrong.toml"][..], &["rules", "check", "wrong.toml"]] {
        let ran = tree.run(args);
        assert_eq!(ran.code(), Some(2));
        let printed = ran.stderr();
        assert!(
            printed.contains("wrong.toml:8:1: unknown field `lenght`, expected one of"),
            "{printed}"
        );
    }
    let ran = tree.run(&["scan", "--rules", "nope.toml"]);
    assert!(ran.code() == Some(2) && ran.stderr().contains("nope.toml"), "{ran:?}");
}

#[test]
fn check_explains_a_token_from_standard_input() {
    let tree = Tree::new();
    let ran = tree.run_with_input(&["check"], format!("{}\n", token(1)).as_bytes());
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    let text = ran.stdout();
    assert!(text.contains("UUID ") && text.contains("crc32 over <SECRET> matches"), "{text}");
    for (input, code, printed) in [
        (failed_candidate(1), 1, "crc32 does not match over <SECRET>, over <ALIAS>_<SECRET>"),
        (token(1)[..60].to_owned(), 1, "too short"),
        (format!("ddpat_{}", &token(1)[29..]), 1, "*** (22 characters)"),
        ("hello".to_owned(), 1, "Not a token of a known format"),
        (format!("ghs_{}", "a".repeat(36)), 1, "but this format has no checksum"),
        (String::new(), 2, "the input is empty"),
        (format!("{}x", token(1)), 1, "too long"),
        ("x".repeat(70_000), 2, "input exceeds"),
    ] {
        let ran = tree.run_with_input(&["check"], input.as_bytes());
        assert_eq!(ran.code(), Some(code), "{printed}: {ran:?}");
        let text = ran.stdout() + &ran.stderr();
        assert!(text.contains(printed), "{printed}: {ran:?}");
        assert!(!text.contains(&token(1)[29..37]), "{printed}: {ran:?}");
    }
}

#[test]
fn check_finds_the_token_in_a_line_of_text() {
    let tree = Tree::new();
    let lone = tree.run_with_input(&["check"], token(1).as_bytes()).stdout();
    let token = token(1);
    let basic = crate::support::encode::base64(format!("user:{token}").as_bytes());
    let mut inputs: Vec<Vec<u8>> = [
        format!("KEY={token}"),
        format!("export KEY=\"{token}\"\r\n"),
        format!("{{\"npm_token\": \"x\\n{token}\"}}"),
        format!("npm_config_key: '{token}' # a comment"),
        format!("https://user:{token}@example.org/x?y"),
        format!("https://example.org/?key={token}&x=y."),
        format!("https%3A%2F%2Fexample.org%2F%3Fkey%3D{token}%26x"),
        format!("Authorization: Bearer {token}"),
        format!("Authorization: Basic {basic}"),
        format!("It is {token}."),
        format!("A={token}\nB={token}\n"),
    ]
    .map(String::into_bytes)
    .into();
    inputs.push(format!("\u{feff}KEY={token}\r\n").into_bytes());
    let utf16 = format!("\u{feff}KEY={token}\r\n");
    inputs.push(utf16.encode_utf16().flat_map(u16::to_le_bytes).collect());
    inputs.push(utf16.encode_utf16().flat_map(u16::to_be_bytes).collect());
    inputs.push([b"caf\xe9=", token.as_bytes()].concat());
    for input in inputs {
        let ran = tree.run_with_input(&["check"], &input);
        assert_eq!(ran.code(), Some(0), "{}: {ran:?}", input.escape_ascii());
        assert_eq!(ran.stdout(), lone, "{}", input.escape_ascii());
    }
}

#[test]
fn check_accepts_a_single_token_of_any_format() {
    let tree = Tree::new();
    let mut random = Random(7);
    for (rule, token) in mint::all(&mut random) {
        let (start, end) = token.split_at(token.len() - 3);
        let changed = if end.starts_with('2') { '3' } else { '2' };
        let damaged = format!("{start}{changed}{}", &end[1..]);
        for token in [&token, &damaged] {
            let lone = tree.run_with_input(&["check"], token.as_bytes());
            let line = format!("export npm_token=\"{token}\";\n");
            let ran = tree.run_with_input(&["check"], line.as_bytes());
            assert!(!lone.stdout().contains("Token 1 of"), "{rule}: {lone:?}");
            assert_eq!((ran.code(), ran.stdout()), (lone.code(), lone.stdout()), "{rule}");
        }
    }
}

#[test]
fn check_accepts_a_key_without_fixed_text() {
    let tree = Tree::new();
    for (rule, key) in mint::wallets::keys(&mut Random(8)) {
        for text in [key.clone(), format!("export KEY=\"{key}\";\n")] {
            let ran = tree.run_with_input(&["check"], text.as_bytes());
            assert_eq!(ran.code(), Some(0), "{rule}: {ran:?}");
            assert!(ran.stdout().contains(&format!("({rule})")), "{ran:?}");
            assert!(!ran.stdout().contains(&key[4..12]), "{rule}: the key is shown");
        }
    }
}

#[test]
fn check_explains_every_token_of_a_text() {
    let tree = Tree::new();
    let text = format!("A={}\n\nB={}\nC={}\n", token(1), token(2), failed_candidate(3));
    let ran = tree.run_with_input(&["check"], text.as_bytes());
    assert_eq!(ran.code(), Some(1), "{ran:?}");
    for printed in ["Token 1 of 3, line 1:", "Token 2 of 3, line 3:", "Token 3 of 3, line 4:"] {
        assert!(ran.stdout().contains(printed), "{ran:?}");
    }
    assert_eq!(ran.stdout().matches("Valid: all parts match").count(), 2, "{ran:?}");
    assert_eq!(ran.stdout().matches("Not valid.").count(), 1, "{ran:?}");
    let both = format!("{} {}", token(1), token(2));
    assert_eq!(tree.run_with_input(&["check"], both.as_bytes()).code(), Some(0));
    let cut = format!("KEY=\"{}\"", &token(1)[..60]);
    let ran = tree.run_with_input(&["check"], cut.as_bytes());
    assert!(ran.code() == Some(1) && ran.stdout().contains("too short"), "{ran:?}");
}

#[test]
fn check_rejects_a_token_argument_without_repeating_it() {
    let tree = Tree::new();
    for argument in [token(1), format!("--token={}", token(1)), token(1)[..70].to_owned()] {
        let ran = tree.run(&["check", &argument]);
        assert_eq!(ran.code(), Some(2));
        assert!(ran.stderr().contains("tokens are not accepted as arguments"), "{ran:?}");
        assert!(!ran.stderr().contains(&argument[30..60]), "{ran:?}");
    }
}

/// Runs `check` in a terminal, by util-linux's `script`, and answers its prompt. Returns what the terminal shows.
fn check_on_terminal(answer: &str) -> String {
    let tree = Tree::new();
    let mut command = std::process::Command::new("script");
    command.args(["-qec", &format!("{} check", env!("CARGO_BIN_EXE_ddpatrol")), "/dev/null"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).current_dir(tree.path());
    let mut child = command.spawn().expect("script runs");
    let mut output = child.stdout.take().expect("a pipe");
    let mut shown = Vec::new();
    let mut byte = [0];
    while !shown.ends_with(b"(not shown): ") {
        assert_eq!(output.read(&mut byte).expect("it prompts"), 1, "the program prompts");
        shown.push(byte[0]);
    }
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(answer.as_bytes()).expect("it reads");
    output.read_to_end(&mut shown).expect("the program ends");
    assert_eq!(child.wait().expect("the program ends").code(), Some(0));
    String::from_utf8_lossy(&shown).into_owned()
}

#[test]
fn check_prompts_on_a_terminal_without_echo() {
    let shown = check_on_terminal(&format!("{}\n", token(1)));
    assert!(shown.contains("Valid: all parts match"), "{shown}");
    assert!(!shown.contains(&token(1)[30..50]), "{shown}");
}

#[test]
fn check_reads_all_lines_of_a_key_on_a_terminal() {
    let (key, description) = crate::private_keys::ed25519();
    let shown = check_on_terminal(&key);
    assert!(shown.contains(&description), "{shown}");
    for line in key.lines().skip(1).filter(|line| !line.starts_with('-')) {
        assert!(!shown.contains(line), "{shown}");
    }
}

#[test]
fn a_closed_output_pipe_is_not_an_error() {
    let tree = Tree::new();
    for seed in 0..400 {
        tree.write(format!("{seed}"), token(seed));
    }
    for format in
        ["text", "json", "jsonl", "sarif", "html", "markdown", "github", "csv", "junit", "gitlab"]
    {
        let mut command = tree.command(&["scan", "--report", format]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the command runs");
        drop(child.stdout.take());
        let ran = RunOutput(child.wait_with_output().expect("the program ends"));
        assert_eq!((ran.code(), ran.stderr().as_str()), (Some(1), ""), "{format}");
    }
}

fn interrupt(
    mut command: std::process::Command,
    ready: impl FnOnce(&mut std::process::Child),
) -> RunOutput {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command runs");
    ready(&mut child);
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    kill(pid, Signal::SIGINT).expect("the program runs");
    RunOutput(child.wait_with_output().expect("the program ends"))
}

#[test]
fn an_interrupted_scan_writes_valid_reports_marked_as_partial() {
    let tree = Tree::new();
    tree.write("a", token(1));
    let endless = std::fs::File::create(tree.path().join("b")).expect("a file");
    // A sparse file of eight terabytes: the scan would read zeros for an hour.
    endless.set_len(8 << 40).expect("sparse files");
    let mut command = tree.command(&["scan", "--report", "jsonl", "--report", "json=out.json"]);
    command.args(["--report", "sarif=out.sarif", "--report", "text=out.txt", "--threads", "2"]);
    let ran = interrupt(command, |child| {
        // The match in `a` is streamed while `b` is still being read.
        let mut byte = [0];
        child.stdout.as_mut().expect("a pipe").read_exact(&mut byte).expect("a match");
    });
    assert_eq!(ran.code(), Some(130), "{ran:?}");
    let last = ran.stdout().lines().last().map(str::to_owned).expect("a summary");
    let summary: serde_json::Value = serde_json::from_str(&last).expect("JSON");
    assert_eq!((&summary["type"], &summary["interrupted"]), (&"summary".into(), &true.into()));
    let read = |name| std::fs::read_to_string(tree.path().join(name)).expect("a report");
    let json: serde_json::Value = serde_json::from_str(&read("out.json")).expect("JSON");
    assert_eq!((&json["complete"], &json["interrupted"]), (&false.into(), &true.into()));
    assert_eq!(json["findings"].as_array().map(Vec::len), Some(1));
    let sarif: serde_json::Value = serde_json::from_str(&read("out.sarif")).expect("JSON");
    assert_eq!(sarif["runs"][0]["invocations"][0]["executionSuccessful"], false);
    assert!(read("out.txt").contains("Interrupted: this report is partial."));
}

#[test]
fn an_interrupt_ends_a_blocked_read_of_standard_input() {
    let tree = Tree::new();
    let mut command = tree.command(&["scan", "--report", "jsonl", "-", "x"]);
    tree.write("x", "");
    command.stdin(Stdio::piped());
    let mut pipe = None;
    let ran = interrupt(command, |child| {
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(token(1).as_bytes()).expect("it reads");
        stdin.write_all(&[b'.'; 1_000_000]).expect("it reads");
        let mut byte = [0];
        child.stdout.as_mut().expect("a pipe").read_exact(&mut byte).expect("a match");
        pipe = Some(stdin);
    });
    assert_eq!(ran.code(), Some(130), "{ran:?}");
    assert!(pipe.is_some(), "standard input was open to the end");
}

#[test]
fn quiet_prints_findings_and_errors_only() {
    let tree = Tree::new();
    tree.write("x", "nothing");
    let ran = tree.run(&["scan", "-q", "x"]);
    assert_eq!((ran.stdout(), ran.stderr()), (String::new(), String::new()));
    tree.write("x", token(1));
    let ran = tree.run(&["scan", "-q", "x", "nope"]);
    assert!(ran.stdout().contains("  x:1:1  datadog-pat") && !ran.stdout().contains("Scanned"));
    assert_eq!(ran.stderr(), "ddpatrol: nope: no such file or folder\n");
    tree.write("opaque.rar", b"Rar!\x1a\x07\x01\x00 and more");
    let ran = tree.run(&["scan", "-q", "opaque.rar"]);
    assert_eq!((ran.code(), ran.stderr()), (Some(0), String::new()));
    let ran = tree.run(&["scan", "-q", "--strict", "opaque.rar"]);
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    assert!(ran.stderr().starts_with("ddpatrol: opaque.rar: "), "{ran:?}");
}

#[test]
fn report_files_are_written_atomically() {
    use std::os::unix::fs::PermissionsExt;
    let tree = Tree::new();
    tree.write("x", token(1));
    tree.write("out/old.json", "old");
    let ran = tree.run(&["scan", "x", "--report", "json=out/old.json", "--report", "text"]);
    assert_eq!(ran.code(), Some(1));
    let text = std::fs::read_to_string(tree.path().join("out/old.json")).expect("a report");
    let report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(report["schema"], "ddpatrol-report/1");
    let ran = tree.run(&["scan", "--report", "json", "--report", "sarif=a", "--report", "jsonl=b"]);
    assert_eq!(ran.json()["summary"]["files"], 2, "reports that are being written are not read");
    let mode = std::fs::metadata(tree.path().join("out/old.json")).expect("a file").permissions();
    assert_eq!(mode.mode() & 0o600, 0o600);
    let names: Vec<_> = std::fs::read_dir(tree.path().join("out")).expect("a folder").collect();
    assert_eq!(names.len(), 1, "nothing is left behind");
    let ran = tree.run(&["scan", "x", "--report", "json=q", "--report", "sarif=./q"]);
    assert!(ran.code() == Some(2) && ran.stderr().contains("the same file"), "{ran:?}");
    for (report, printed) in [
        ("json=no/such/x", "cannot write report to no/such/x"),
        ("json=out", "is a folder: name a file in it"),
    ] {
        let ran = tree.run(&["scan", "x", "--report", report]);
        assert!(ran.code() == Some(2) && ran.stderr().contains(printed), "{ran:?}");
    }
    let ran = tree.run(&["scan", "x", "--report", "json", "--report", "text"]);
    assert!(ran.code() == Some(2) && ran.stderr().contains("FORMAT=PATH"), "{ran:?}");
    let ran = tree.run(&["scan", "x", "--report", "json=a", "--report", "sarif=a"]);
    assert!(ran.code() == Some(2) && ran.stderr().contains("give each its own path"), "{ran:?}");
    let ran = tree.run(&["scan", "x", "--report", "json=/dev/null"]);
    assert_eq!(ran.code(), Some(1), "a device is written to, not replaced");
}
