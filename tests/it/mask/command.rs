//! The command, as a pipe runs it.

use crate::support::mint::{self, token};
use crate::support::tree::Tree;
use std::io::{Read, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

fn shown(token: &str) -> &str {
    &token[..token.rfind('_').expect("a part") + 1]
}

#[test]
fn tokens_are_masked_and_all_other_bytes_are_unchanged() {
    let tree = Tree::new();
    let (token, other) = (token(1), mint::failed_candidate(2));
    let input = [b"\x00\xff\r\n", token.as_bytes(), b"\x1b[0m ", other.as_bytes(), b"\n\xc3"];
    let ran = tree.run_with_input(&["mask"], &input.concat());
    let masked = format!("{}***", shown(&token));
    let wanted = [b"\x00\xff\r\n", masked.as_bytes(), b"\x1b[0m ", other.as_bytes(), b"\n\xc3"];
    assert_eq!((ran.code(), &ran.0.stdout), (Some(0), &wanted.concat()), "{ran:?}");
    let ran = tree.run_with_input(&["mask", "--shaped", "--fail"], &input.concat());
    assert_eq!(ran.code(), Some(1));
    assert!(!String::from_utf8_lossy(&ran.0.stdout).contains(&other[30..]), "{ran:?}");
    assert_eq!(tree.run_with_input(&["mask", "--fail"], b"clean").code(), Some(0));
    let only = ["mask", "--fail", "--rule", "github-pat"];
    assert_eq!(tree.run_with_input(&only, token.as_bytes()).code(), Some(0));
}

#[test]
fn lines_and_prompts_arrive_while_the_input_is_open() {
    let tree = Tree::new();
    let mut command = tree.command(&["mask"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the command runs");
    let mut input = child.stdin.take().expect("a pipe");
    let mut output = child.stdout.take().expect("a pipe");
    let started = Instant::now();
    let token = token(1);
    for text in [format!("key: {token}\n"), "Password: ".to_owned()] {
        input.write_all(text.as_bytes()).expect("the command reads");
        let wanted = text.replace(&token, &format!("{}***", shown(&token)));
        let mut found = vec![0; wanted.len()];
        output.read_exact(&mut found).expect("the command writes");
        assert_eq!(String::from_utf8_lossy(&found), wanted);
    }
    assert!(started.elapsed() < Duration::from_secs(20));
    drop(input);
    assert!(child.wait().expect("the command ends").success());
}

#[test]
fn a_closed_output_ends_the_command_without_a_message() {
    let tree = Tree::new();
    let mut command = tree.command(&["mask"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command runs");
    let mut input = child.stdin.take().expect("a pipe");
    drop(child.stdout.take());
    // The command stops reading once it cannot write.
    while input.write_all(&[b'\n'; 4096]).is_ok() {}
    let output = child.wait_with_output().expect("the command ends");
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}
