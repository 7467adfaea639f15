//! Reads until a buffer is full. `Read::read` may return less, and `Read::read_exact` does not return the
//! number of bytes read before a failure.

use std::io::{self, Read};

/// The result of reading until a buffer is full.
#[derive(Debug)]
pub struct Filled {
    /// The number of bytes read.
    pub len: usize,
    /// The error that ended the reading, if one did.
    pub error: Option<io::Error>,
}

impl Filled {
    /// Returns the number of bytes read, unless reading failed.
    pub fn complete(self) -> io::Result<usize> {
        self.error.map_or(Ok(self.len), Err)
    }
}

/// Reads until the buffer is full, the input ends, or reading fails.
pub fn read_full(reader: &mut (impl Read + ?Sized), buffer: &mut [u8]) -> Filled {
    let mut len = 0;
    while len < buffer.len() {
        match reader.read(&mut buffer[len..]) {
            Ok(0) => break,
            Ok(more) => len += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Filled { len, error: Some(error) },
        }
    }
    Filled { len, error: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Yields a byte, is interrupted, yields a byte, and fails.
    struct Halting(u8);

    impl Read for Halting {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            match self.0 {
                1 | 3 => {
                    buffer[0] = self.0;
                    Ok(1)
                }
                2 => Err(io::ErrorKind::Interrupted.into()),
                _ => Err(io::Error::other("broken")),
            }
        }
    }

    #[test]
    fn an_interruption_is_retried_and_a_failure_keeps_the_bytes_read() {
        let mut buffer = [0; 8];
        let filled = read_full(&mut Halting(0), &mut buffer);
        assert_eq!((filled.len, &buffer[..2]), (2, &[1, 3][..]));
        assert_eq!(filled.complete().unwrap_err().to_string(), "broken");
        let filled = read_full(&mut &b"abc"[..], &mut buffer);
        assert_eq!((filled.len, filled.error.is_none()), (3, true));
    }
}
