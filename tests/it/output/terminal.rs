//! The text report on a terminal of 80 columns and 50 lines.

use super::assert_text;
use crate::support::mint::{self, Random, token};
use crate::support::repo::Repo;
use nix::pty::{OpenptyResult, Winsize, openpty};
use std::fs::File;
use std::io::Read;

/// Commits `len` findings: three quarters stay in `HEAD`.
fn leaks(len: u64) -> Repo {
    let repo = Repo::new();
    let classic = |seed| mint::classic(&mut Random(seed), "ghp_", 30);
    for at in 0..len {
        let secret = if at % 2 == 0 { token(at + 1) } else { classic(at + 1) };
        let text = format!("# settings\nconnect(\"api.example.org\", key=\"{secret}\")\n");
        repo.write(format!("src/region-{}/service-{at}/client.py", at % 3), text);
    }
    repo.commit("add the clients");
    for at in (0..len).filter(|at| at % 4 == 3) {
        repo.remove(&format!("src/region-{}/service-{at}/client.py", at % 3));
    }
    if len > 3 {
        repo.commit("remove clients");
    }
    repo
}

/// Runs ddpatrol with a pseudo-terminal as its standard output.
fn on_terminal(repo: &Repo, args: &[&str]) -> String {
    let size = Winsize { ws_row: 50, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    let OpenptyResult { master, slave } = openpty(Some(&size), None).expect("a pseudo-terminal");
    let mut command = repo.ddpatrol(repo.path(), args);
    command.env("TERM", "xterm-256color").stdout(slave);
    let mut child = command.spawn().expect("the command runs");
    // The terminal ends when the last process closes it.
    drop(command);
    let mut text = Vec::new();
    let mut part = [0; 4096];
    let mut master = File::from(master);
    while let Ok(len @ 1..) = master.read(&mut part) {
        text.extend_from_slice(&part[..len]);
    }
    child.wait().expect("the command ends");
    String::from_utf8(text).expect("UTF-8").replace("\r\n", "\n")
}

fn lines(text: &str) -> usize {
    let width = |line: &str| line.chars().count().div_ceil(80).max(1);
    text.lines().map(width).sum()
}

#[test]
fn a_report_fits_a_terminal_with_any_number_of_findings() {
    for (len, most) in [(1, 14), (2, 48), (30, 48), (500, 48)] {
        let repo = leaks(len);
        let text = on_terminal(&repo, &["scan", "--color", "never", "--threads", "1"]);
        assert!(lines(&text) <= most, "{} lines: {text}", lines(&text));
        assert_text(&format!("terminal-{len}"), repo.path(), &text);
    }
}

#[test]
fn a_pipe_gets_all_findings_and_a_limit_shortens_them() {
    let repo = leaks(30);
    let all = repo.run(&["scan"]).stdout();
    assert_eq!(all.lines().filter(|it| it.contains("client.py:2:")).count(), 30, "{all}");
    assert!(!all.contains("--limit"), "{all}");
    let few = repo.run(&["scan", "--limit", "20"]).stdout();
    let more = " 26 more in 2 sections (--limit 0 lists all)";
    assert!(few.lines().count() <= 20 && few.contains(more), "{few}");
    let on_terminal = on_terminal(&repo, &["scan", "--limit", "0", "--color", "never"]);
    assert_eq!(on_terminal.matches("client.py:2:").count(), 30, "{on_terminal}");
}

#[test]
fn colours_and_links_are_for_terminals_only() {
    let repo = leaks(1);
    let text = on_terminal(&repo, &["scan"]);
    assert!(text.contains("\x1b[") && !text.contains("\x1b]8;;"), "{text:?}");
    let mut command = repo.ddpatrol(repo.path(), &["scan"]);
    command.env("FORCE_HYPERLINK", "1").env("TERM", "xterm-kitty");
    let output = command.output().expect("the command runs");
    assert!(!output.stdout.contains(&0x1b), "{output:?}");
}
