//! Reads a secret from the terminal.
//!
//! Input: a question. Output: the line that the user enters. Neither the terminal nor the program shows it.

use std::io;

/// Prompts on the terminal. Echo is disabled before the prompt is printed, so that text pasted early is
/// not shown either. At most `max_len` bytes are read.
#[cfg(unix)]
pub(super) fn read(question: &str, max_len: u64) -> io::Result<Vec<u8>> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    use std::io::{BufRead, Read, Write};
    let mut terminal = std::fs::OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    let before = tcgetattr(&terminal)?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    silent.local_modes.insert(LocalModes::ECHONL);
    tcsetattr(&terminal, OptionalActions::Flush, &silent)?;
    let mut line = Vec::new();
    let read = terminal
        .write_all(question.as_bytes())
        .and_then(|()| io::BufReader::new(&terminal).take(max_len).read_until(b'\n', &mut line));
    tcsetattr(&terminal, OptionalActions::Now, &before)?;
    read.map(|_| line)
}

#[cfg(not(unix))]
pub(super) fn read(question: &str, _max_len: u64) -> io::Result<Vec<u8>> {
    rpassword::prompt_password(question).map(String::into_bytes)
}
