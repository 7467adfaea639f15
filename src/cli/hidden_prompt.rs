//! Reads a secret from the terminal.
//!
//! Input: a question. Output: the line that the user enters, or the lines of a PEM block. Neither the terminal nor
//! the program shows it.

use std::io;

/// Prompts on the terminal. Echo is disabled before the prompt is printed, so that text pasted early is
/// not shown either. At most `max_len` bytes are read. A line that begins a PEM block is read with the others of the
/// block, which would end up in the shell otherwise.
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
    let mut text = Vec::new();
    let read = terminal.write_all(question.as_bytes()).and_then(|()| {
        let mut lines = io::BufReader::new(&terminal).take(max_len);
        while lines.read_until(b'\n', &mut text)? > 0 && is_open_block(&text) {}
        Ok(())
    });
    tcsetattr(&terminal, OptionalActions::Now, &before)?;
    read.map(|()| text)
}

/// Returns `true` if a text contains the first line of a PEM block and not its last one.
#[cfg(unix)]
fn is_open_block(text: &[u8]) -> bool {
    let has = |mark: &[u8]| memchr::memmem::find(text, mark).is_some();
    has(b"-----BEGIN ") && !has(b"-----END ")
}

#[cfg(not(unix))]
pub(super) fn read(question: &str, _max_len: u64) -> io::Result<Vec<u8>> {
    rpassword::prompt_password(question).map(String::into_bytes)
}
