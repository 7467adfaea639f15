//! The built command: memory on a large file, CPU and wall on a file tree and at start-up beside
//! ripgrep's.
//!
//! `cargo bench --bench commands -- TREE` with `rg` on the PATH; TREE holds source files (20,000 or
//! more for a record). Commands run in turn, several rounds.

#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]

use ddpatrol::rules::RuleSet;
use nix::sys::resource::{UsageWho, getrusage};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const ROUNDS: usize = 15;
const LARGE_LEN: usize = 4_000_000_000;

fn main() {
    let tree = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let tree = tree.expect("name a folder: cargo bench --bench commands -- TREE");
    let folder = tempfile::tempdir().expect("a temporary folder");
    large_file(folder.path());
    compare_start(folder.path());
    compare_tree(Path::new(&tree));
}

fn ddpatrol(arguments: &[&str], path: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ddpatrol"));
    command.arg("scan").args(arguments).arg(path);
    command
}

fn rg(path: &Path) -> Command {
    let rules = RuleSet::builtin().expect("the built-in rules compile");
    let mut command = Command::new("rg");
    command.args(["-uuu", "-F", "-c"]);
    for rule in rules.rules() {
        command.arg("-e").arg(rule.format.head().escape_ascii().to_string());
    }
    command.arg(path);
    command
}

/// Peak memory on a file of 4 GB; this runs first, since the kernel tells only the largest child.
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
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("usage is told");
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
    // Every file in which ripgrep finds a head must have been read by us; it reads as many.
    let files = Command::new("rg").args(["-uuu", "--files"]).arg(tree).output().expect("rg runs");
    let listed = files.stdout.iter().filter(|&&byte| byte == b'\n').count();
    assert_eq!(listed as u64, count("files"), "both read the same files");
    compare("a file tree", ROUNDS, &mut || ddpatrol(&arguments, tree), &mut || rg(tree));
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

/// Runs a command and tells the CPU and wall time that it took.
fn run(command: &mut Command) -> (Output, Duration, Duration) {
    let cpu = || {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("usage is told");
        let time = |time: nix::sys::time::TimeVal| {
            Duration::new(time.tv_sec() as u64, time.tv_usec() as u32 * 1000)
        };
        time(usage.user_time()) + time(usage.system_time())
    };
    let (before, started) = (cpu(), Instant::now());
    let output = command.output().expect("the command runs");
    (output, cpu() - before, started.elapsed())
}
