//! Benchmarks of the command: memory on a large file; CPU and wall time on a file tree and at start-up,
//! compared with ripgrep; CPU and memory for each further location of a token.
//!
//! `cargo bench --bench commands -- TREE` with `rg` on the PATH; TREE holds source files (20,000 or
//! more for a record). Commands run in turn, several rounds. `cargo bench --bench commands -- places`
//! measures further locations only; `DDPATROL` names another binary for that.

#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]

use ddpatrol::rules;
use ddpatrol_test_repo::Repo;
use nix::sys::resource::{UsageWho, getrusage};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const ROUNDS: usize = 15;
const LARGE_LEN: usize = 4_000_000_000;
/// Number of locations of the token.
const PLACES: usize = 100_000;
/// The argument that makes this program run a command and print the peak of its memory.
const PEAK: &str = "--peak";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|it| it == PEAK) {
        return print_peak(&arguments[1..]);
    }
    let tree = arguments.into_iter().find(|arg| !arg.starts_with('-'));
    let tree = tree.expect("name a folder: cargo bench --bench commands -- TREE");
    let folder = tempfile::tempdir().expect("a temporary folder");
    if tree != "places" {
        large_file(folder.path());
        compare_start(folder.path());
        compare_tree(Path::new(&tree));
    }
    further_places();
}

fn ddpatrol(arguments: &[&str], path: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ddpatrol"));
    command.arg("scan").args(arguments).arg(path);
    command
}

fn rg(path: &Path) -> Command {
    let rules = rules::builtin().expect("the built-in rules compile");
    let mut command = Command::new("rg");
    command.args(["-uuu", "-F", "-c"]);
    for anchor in rules.rules().iter().filter_map(|rule| rule.format.anchor()) {
        command.arg("-e").arg(anchor.text.escape_ascii().to_string());
    }
    command.arg(path);
    command
}

/// Peak memory on a file of 4 GB; this runs first, since the kernel reports only the largest child.
fn large_file(folder: &Path) {
    let path = folder.join("large");
    let line = b"let some = source_text(that, repeats); // and holds no token, only npm_config\n";
    let block: Vec<u8> = line.iter().copied().cycle().take(1 << 20).collect();
    let mut file = std::fs::File::create(&path).expect("a file");
    for _ in 0..LARGE_LEN.div_ceil(block.len()) {
        file.write_all(&block).expect("room for 4 GB");
    }
    drop(file);
    let (output, cpu, wall) = run(&mut ddpatrol(&["--report", "json"], &path));
    assert!(output.status.success(), "the file was read and nothing found");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the usage of children");
    println!(
        "a file of 4 GB: peak memory {:.1} MB, {:.2} CPU s, {:.2} wall s",
        usage.max_rss() as f64 * 1024.0 / 1e6,
        cpu.as_secs_f64(),
        wall.as_secs_f64(),
    );
    std::fs::remove_file(&path).expect("it is ours");
}

fn compare_start(folder: &Path) {
    let empty = folder.join("empty");
    std::fs::create_dir(&empty).expect("a folder");
    compare("an empty folder", 200, &mut || ddpatrol(&[], &empty), &mut || rg(&empty));
}

fn compare_tree(tree: &Path) {
    let arguments = ["--files-only", "--no-ignore", "--fail-on", "never", "--report", "json"];
    let (ours, ..) = run(&mut ddpatrol(&arguments, tree));
    let report: serde_json::Value = serde_json::from_slice(&ours.stdout).expect("a JSON report");
    let count = |key: &str| report["summary"][key].as_u64().expect("a count");
    println!("{} files, {} bytes, {} proven", count("files"), count("bytes"), count("proven"));
    assert!(report["complete"].as_bool().expect("a verdict"), "all files were read");
    // Both programs must read the same number of files.
    let files = Command::new("rg").args(["-uuu", "--files"]).arg(tree).output().expect("rg runs");
    let listed = files.stdout.iter().filter(|&&byte| byte == b'\n').count();
    assert_eq!(listed as u64, count("files"), "both read the same files");
    compare("a file tree", ROUNDS, &mut || ddpatrol(&arguments, tree), &mut || rg(tree));
}

/// The cost of a further location of a token: a log with the token in every line, compared with one of the
/// same length with the token in one line.
fn further_places() {
    let token = ddpatrol_test_mint::token(7);
    let line = |n: usize, token: &str| {
        format!(
            "2026-11-26T10:00:00.{n:06}Z DEBUG req={n} GET /api/v2/query auth={token} status=200\n"
        )
    };
    let other = "x".repeat(token.len());
    let one: String = (0..PLACES).map(|n| line(n, if n == 0 { &token } else { &other })).collect();
    let all: String = (0..PLACES).map(|n| line(n, &token)).collect();
    let commit = |text: &str| Repo::with_files(&[("debug.txt", text)]);
    let (one, all) = (commit(&one), commit(&all));
    for (title, arguments) in [("a file", "--files-only"), ("a history", "--history-only")] {
        for format in ["text", "json", "jsonl"] {
            let measure = |path: &Path, places: usize| {
                let count = ["--no-config", arguments, "--report"];
                let (output, ..) = run(&mut measured(&[&count[..], &["json"]].concat(), path));
                let report: serde_json::Value =
                    serde_json::from_slice(&output.stdout).expect("a JSON report");
                assert_eq!(report["summary"]["proven_locations"], places);
                let arguments = [&count[..], &[format]].concat();
                let mut times: Vec<Duration> =
                    (0..7).map(|_| run(&mut measured(&arguments, path)).1).collect();
                times.sort();
                (times[3].as_secs_f64(), peak(&measured(&arguments, path)))
            };
            let (few_cpu, few_peak) = measure(one.path(), 1);
            let (cpu, peak) = measure(all.path(), PLACES);
            let further = (PLACES - 1) as f64;
            println!(
                "{title}, {format}: {:.2} microseconds and {:.0} bytes for each further location",
                (cpu - few_cpu) * 1e6 / further,
                (peak as f64 - few_peak as f64) / further,
            );
        }
    }
}

fn measured(arguments: &[&str], path: &Path) -> Command {
    let mut command = ddpatrol(arguments, path);
    if let Some(other) = std::env::var_os("DDPATROL") {
        command = Command::new(other);
        command.arg("scan").args(arguments).arg(path);
    }
    command
}

/// Returns the peak memory of a command in bytes, measured by a separate process with one child.
fn peak(command: &Command) -> u64 {
    let mut own = Command::new(std::env::current_exe().expect("this program"));
    own.arg(PEAK).arg(command.get_program()).args(command.get_args());
    let output = own.output().expect("this program runs");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
}

fn print_peak(command: &[String]) {
    Command::new(&command[0]).args(&command[1..]).output().expect("the command runs");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the usage of children");
    println!("{}", usage.max_rss() * 1024);
}

fn compare(
    title: &str,
    rounds: usize,
    ours: &mut dyn FnMut() -> Command,
    theirs: &mut dyn FnMut() -> Command,
) {
    let mut cpu = [Vec::new(), Vec::new()];
    let mut wall = [Vec::new(), Vec::new()];
    for round in 0..=rounds {
        for (at, mut command) in [ours(), theirs()].into_iter().enumerate() {
            let (_, used, took) = run(&mut command);
            // The first round warms the caches.
            if round > 0 {
                cpu[at].push(used);
                wall[at].push(took);
            }
        }
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort();
        times[times.len() / 2].as_secs_f64()
    };
    for (what, times) in [("CPU", &mut cpu), ("wall", &mut wall)] {
        let [ours, theirs] = times;
        let (ours, theirs) = (median(ours), median(theirs));
        let ratio = ours / theirs;
        println!("{title}: {what} {ours:.4} s, ripgrep {theirs:.4} s, ratio {ratio:.2}");
    }
}

/// Runs a command. Returns its output, CPU time and wall time.
fn run(command: &mut Command) -> (Output, Duration, Duration) {
    let cpu = || {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the usage of children");
        let time = |time: nix::sys::time::TimeVal| {
            Duration::new(time.tv_sec() as u64, time.tv_usec() as u32 * 1000)
        };
        time(usage.user_time()) + time(usage.system_time())
    };
    let (before, started) = (cpu(), Instant::now());
    let output = command.output().expect("the command runs");
    (output, cpu() - before, started.elapsed())
}
