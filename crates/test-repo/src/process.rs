//! Runs a process with standard input, and reports its failure with its command and messages.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs a command with standard input. Neither side blocks, however long input and output are.
pub fn run_with_input(command: &mut Command, input: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", line(command)));
    let mut pipe = child.stdin.take().expect("a pipe");
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // The program may end before it has read everything.
            let _ = pipe.write_all(input);
        });
        child.wait_with_output().expect("the program ends")
    })
}

/// Runs a command, which must succeed, and returns its output.
#[track_caller]
pub(crate) fn checked(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let output = run_with_input(command, input);
    if !output.status.success() {
        let messages = [&output.stderr[..], &output.stdout].map(String::from_utf8_lossy).concat();
        panic!("{}: {}\n{messages}", line(command), output.status);
    }
    output.stdout
}

/// Returns an output as text without the final newline.
#[track_caller]
pub(crate) fn text(output: Vec<u8>) -> String {
    String::from_utf8(output).expect("git prints UTF-8").trim_end().to_owned()
}

/// Formats a command and its folder for an error.
fn line(command: &Command) -> String {
    let args: Vec<&OsStr> = command.get_args().collect();
    let folder = command.get_current_dir().unwrap_or(Path::new("."));
    format!("{} {args:?} in {}", command.get_program().display(), folder.display())
}
