//! The file of a report, which is replaced when the report is complete.
//!
//! Input: a path, and the bytes of a report. Output: a new file at the path; or the bytes in the device, pipe or
//! open file that is there. It formats nothing.

use ddpatrol_scan::lock::lock;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use tempfile::NamedTempFile;

/// The file of a report, open for writing.
#[derive(Debug)]
pub struct ReportFile(Target);

#[derive(Debug)]
enum Target {
    /// A temporary file next to the file that it will replace.
    File(BufWriter<NamedTempFile>, PathBuf),
    /// A device or pipe, which cannot be replaced by a file.
    Device(BufWriter<File>),
}

impl ReportFile {
    /// Opens the file of a report. A file at `path` is replaced by [`finish`](Self::finish); if `path` is a link,
    /// its target is. A device or pipe is written to.
    ///
    /// # Errors
    /// Fails if `path` is a folder, or its folder does not exist or cannot be written to.
    pub fn open(path: &Path) -> io::Result<Self> {
        // Paths such as /dev/stdout refer to open files, which must not be replaced.
        if path.starts_with("/dev") || path.starts_with("/proc") {
            let device = OpenOptions::new().write(true).open(path)?;
            return Ok(Self(Target::Device(BufWriter::new(device))));
        }
        // If the path is a link, its target is replaced and the link stays.
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => {
                return Err(io::Error::other("is a folder: name a file in it"));
            }
            Ok(metadata) if !metadata.is_file() => {
                let device = OpenOptions::new().write(true).open(&path)?;
                return Ok(Self(Target::Device(BufWriter::new(device))));
            }
            _ => {}
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut builder = tempfile::Builder::new();
        builder.prefix(".ddpatrol-report-");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // The permissions of the old file, or the default for new files; the umask applies.
            let new = std::fs::Permissions::from_mode(0o666);
            builder.permissions(std::fs::metadata(&path).map_or(new, |old| old.permissions()));
        }
        let folder = folder.unwrap_or(Path::new("."));
        let file =
            builder.tempfile_in(folder).map_err(|error| without_temporary(&error, folder))?;
        let unfinished = file.path().to_owned();
        lock(&TEMPORARY).push(unfinished);
        Ok(Self(Target::File(BufWriter::new(file), path)))
    }

    /// Returns the path of the temporary file, if there is one.
    #[must_use]
    pub fn temporary(&self) -> Option<&Path> {
        match &self.0 {
            Target::File(out, _) => Some(out.get_ref().path()),
            Target::Device(_) => None,
        }
    }

    /// Completes the report: a temporary file is renamed to its final name.
    ///
    /// # Errors
    /// Fails if the rest cannot be written, or the file not replaced.
    pub fn finish(self) -> io::Result<()> {
        match self.0 {
            Target::File(out, path) => {
                let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
                file.persist(path).map_err(|error| error.error)?;
                Ok(())
            }
            Target::Device(mut out) => out.flush(),
        }
    }
}

impl Write for ReportFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Target::File(out, _) => out.write(bytes),
            Target::Device(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Target::File(out, _) => out.flush(),
            Target::Device(out) => out.flush(),
        }
    }
}

/// The temporary files of unfinished reports, for [`remove_temporary`].
static TEMPORARY: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Removes the temporary files of unfinished reports before the process exits.
pub fn remove_temporary() {
    for path in lock(&TEMPORARY).drain(..) {
        // The file may have been renamed already.
        let _ = std::fs::remove_file(path);
    }
}

/// Describes why a file cannot be created in a folder, without the temporary file's name.
fn without_temporary(error: &io::Error, folder: &Path) -> io::Error {
    let reason = match error.kind() {
        io::ErrorKind::NotFound => "no such folder: create it first".to_owned(),
        kind => kind.to_string(),
    };
    io::Error::new(error.kind(), format!("{}: {reason}", folder.display()))
}
