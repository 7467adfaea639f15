//! Reads files that a scanned tree controls: regular files only, up to a size limit.
//!
//! Input: a path. Output: an open file or its bytes. A FIFO, socket or device is an error, and opening one
//! never blocks: `.gitignore -> /dev/zero` would otherwise be read forever. Contents are not parsed here.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// Size limit for files of a work tree that configure a scan (configuration, rules, baseline, ignore
/// files) and for small text files of a git directory, in bytes.
pub const MAX_TEXT: u64 = 16 << 20;

/// How symbolic links are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// Links are followed; their target must be a regular file.
    Follow,
    /// A link as the last component of the path is an error. Git treats ignore and attribute files
    /// of a work tree like this.
    Refuse,
}

/// Opens a regular file for reading.
///
/// # Errors
/// The errors of [`File::open`], and [`io::ErrorKind::InvalidInput`] for anything but a regular file.
pub fn open(path: &Path, links: Links) -> io::Result<File> {
    let metadata = match links {
        Links::Follow => std::fs::metadata(path)?,
        Links::Refuse => std::fs::symlink_metadata(path)?,
    };
    check(&metadata)?;
    let file = nonblocking().open(path)?;
    // The path may have been replaced since it was checked.
    check(&file.metadata()?)?;
    Ok(file)
}

/// Reads a whole regular file.
///
/// # Errors
/// The errors of [`open`], and [`io::ErrorKind::FileTooLarge`] for a file of more than `limit` bytes.
pub fn read(path: &Path, links: Links, limit: u64) -> io::Result<Vec<u8>> {
    let file = open(path, links)?;
    let len = file.metadata()?.len();
    let too_large = || {
        let message = format!("larger than the limit of {limit} bytes");
        io::Error::new(io::ErrorKind::FileTooLarge, message)
    };
    if len > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(too_large()) } else { Ok(bytes) }
}

/// Returns options that open a file for reading without waiting for the other end of a FIFO.
pub fn nonblocking() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
        options.custom_flags(flags.bits().cast_signed());
    }
    options
}

fn check(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let message = format!("not a regular file but {}", kind(metadata));
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

/// Returns the kind of a file for messages: `a named pipe`.
#[must_use]
pub fn kind(metadata: &Metadata) -> &'static str {
    if metadata.is_symlink() {
        return "a symbolic link";
    }
    if metadata.is_dir() {
        return "a folder";
    }
    special_kind(metadata.file_type())
}

/// Returns the kind of a file that is neither a regular file, a folder nor a link.
#[cfg(unix)]
pub fn special_kind(kind: std::fs::FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

/// Returns the kind of a file that is neither a regular file, a folder nor a link.
#[cfg(not(unix))]
pub fn special_kind(_: std::fs::FileType) -> &'static str {
    "a special file"
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_regular_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), b"text").unwrap();
        symlink(at("file"), at("link")).unwrap();
        symlink("/dev/zero", at("zero")).unwrap();
        nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(read(&at("file"), Links::Refuse, 4).unwrap(), b"text");
        assert_eq!(read(&at("link"), Links::Follow, 4).unwrap(), b"text");
        for (name, links, word) in [
            ("link", Links::Refuse, "a symbolic link"),
            ("zero", Links::Follow, "a device"),
            ("zero", Links::Refuse, "a symbolic link"),
            ("pipe", Links::Follow, "a named pipe"),
            ("", Links::Follow, "a folder"),
        ] {
            let error = read(&at(name), links, 4).unwrap_err().to_string();
            assert!(error.contains(word), "{name}: {error}");
        }
    }

    #[test]
    fn a_file_above_the_limit_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"12345").unwrap();
        let error = read(&path, Links::Follow, 4).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(read(&path, Links::Follow, 5).unwrap(), b"12345");
    }
}
