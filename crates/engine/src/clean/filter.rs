//! The protocol between the callbacks of git-filter-repo and `ddpatrol clean-filter`.
//!
//! A request is a kind (`b` for a blob or a text, `n` for a name), the length of an object id in one byte,
//! the id, the length of the content in eight bytes, and the content. The answer is a length and the new
//! content, or the length `u64::MAX` for unchanged content. Numbers are little-endian.

use super::Cleaner;
use std::io::{self, Read, Write};

/// The length in an answer that stands for unchanged content.
const UNCHANGED: u64 = u64::MAX;

/// Python code that begins each callback; `COMMAND` must be defined before it.
pub const PREAMBLE: &str = include_str!("callback.py");

/// The callbacks for git-filter-repo: the name of the option, and Python code after [`PREAMBLE`].
pub const CALLBACKS: [(&str, &str); 6] = [
    ("--blob-callback", "blob.data = ask(b'b', blob.data, blob.original_id or b'')"),
    ("--message-callback", "return ask(b'b', message)"),
    ("--filename-callback", "return ask_name(filename)"),
    ("--refname-callback", "return ask_name(refname)"),
    ("--name-callback", "return ask_name(name)"),
    ("--email-callback", "return ask_name(email)"),
];

/// Answers requests until the input ends.
///
/// # Errors
/// Returns an error if the input is not a sequence of requests, or the output is closed.
pub fn serve(cleaner: &mut Cleaner, input: &mut dyn Read, out: &mut dyn Write) -> io::Result<()> {
    let mut kind = [0; 1];
    let (mut id, mut content) = (Vec::new(), Vec::new());
    while input.read(&mut kind)? == 1 {
        let mut id_len = [0; 1];
        input.read_exact(&mut id_len)?;
        read_bytes(input, &mut id, u64::from(id_len[0]))?;
        let mut len = [0; 8];
        input.read_exact(&mut len)?;
        read_bytes(input, &mut content, u64::from_le_bytes(len))?;
        let cleaned = match kind[0] {
            b'b' => cleaner.content(&id, &content),
            b'n' => cleaner.name(&content),
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "unknown request")),
        };
        match cleaned {
            None => out.write_all(&UNCHANGED.to_le_bytes())?,
            Some(cleaned) => {
                out.write_all(&(cleaned.len() as u64).to_le_bytes())?;
                out.write_all(&cleaned)?;
            }
        }
        out.flush()?;
    }
    Ok(())
}

/// Replaces the content of `bytes` with the next `len` bytes.
fn read_bytes(input: &mut dyn Read, bytes: &mut Vec<u8>, len: u64) -> io::Result<()> {
    bytes.clear();
    if input.take(len).read_to_end(bytes)? as u64 == len {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}
