//! Hands a new secret to the operator: in a file that only its owner can read, on the terminal, or
//! on standard output. The path of a file is printed, its content never. Mints nothing.

use super::output::{print_line, print_message};
use anyhow::{Context as _, bail};
use ddpatrol_token::Secret;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The place where the operator finds a secret.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// A line of standard output.
    Output,
    /// A line on the terminal, which is standard error.
    Terminal,
    /// A new file of mode 0600.
    File(PathBuf),
}

impl Place {
    /// Returns the place of a secret that nobody asked for: the terminal, if standard error is one,
    /// because logs are collected and read by others, and otherwise a file.
    pub(super) fn private(file: PathBuf) -> Self {
        if io::stderr().is_terminal() { Self::Terminal } else { Self::File(file) }
    }
}

/// A secret on its way to the operator. A file is written and synced at once, before the secret
/// becomes valid, and removed again unless the handover is completed.
#[derive(Debug)]
pub(super) struct Handover<'a> {
    place: Place,
    secret: &'a Secret,
    completed: bool,
}

impl<'a> Handover<'a> {
    /// Starts a handover; a file must not exist yet.
    ///
    /// # Errors
    /// Fails if the file exists or cannot be written.
    pub(super) fn start(place: Place, secret: &'a Secret) -> anyhow::Result<Self> {
        let place = match place {
            Place::File(path) => Place::File(std::path::absolute(path)?),
            other => other,
        };
        let Place::File(path) = &place else {
            return Ok(Self { place, secret, completed: false });
        };
        let failed = || format!("cannot create {} for a secret", path.display());
        let mut file = match create_private(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => bail!(
                "{} already exists, and a secret overwrites no file: remove it or choose another",
                path.display()
            ),
            created => created.with_context(failed)?,
        };
        // From here on, a failure removes the file.
        let handover = Self { place: place.clone(), secret, completed: false };
        let written = file
            .write_all(secret.expose())
            .and_then(|()| file.write_all(b"\n"))
            .and_then(|()| file.sync_all());
        written.with_context(failed)?;
        Ok(handover)
    }

    /// Completes a handover after the secret became valid. `subject` describes the secret and what
    /// it belongs to, as in `created the administrator; their token`.
    ///
    /// # Errors
    /// Fails if standard output or the terminal cannot be written. The secret is valid nevertheless.
    pub(super) fn complete(mut self, subject: &str) -> io::Result<()> {
        self.completed = true;
        match &self.place {
            Place::File(path) => {
                print_message(&format!("{subject} is in the file {}", path.display()));
                Ok(())
            }
            Place::Output => {
                print_message(&format!("{subject} is shown only once:"));
                print_line(self.secret.expose())
            }
            Place::Terminal => {
                print_message(&format!("{subject} is shown only once:"));
                let mut terminal = io::stderr().lock();
                terminal.write_all(self.secret.expose())?;
                terminal.write_all(b"\n")
            }
        }
    }
}

impl Drop for Handover<'_> {
    fn drop(&mut self) {
        if let Place::File(path) = &self.place
            && !self.completed
        {
            // The secret is not valid, so a file that remains is only a nuisance.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Hands a text over that is secret only for a while, such as a sign-in link. `subject` describes
/// it.
///
/// # Errors
/// Fails if the file exists, or the place cannot be written.
pub(super) fn deliver(place: Place, text: &str, subject: &str) -> anyhow::Result<()> {
    let line = format!("{text}\n");
    match place {
        Place::File(path) => {
            let path = std::path::absolute(path)?;
            let failed = || format!("cannot create {}", path.display());
            let mut file = create_private(&path).with_context(failed)?;
            file.write_all(line.as_bytes()).with_context(failed)?;
            print_message(&format!("{subject} is in the file {}", path.display()));
        }
        Place::Output => io::stdout().lock().write_all(line.as_bytes())?,
        Place::Terminal => {
            print_message(&format!("{subject} is:"));
            io::stderr().lock().write_all(line.as_bytes())?;
        }
    }
    Ok(())
}

/// Creates a file that only its owner can read. Fails if the path exists, even as a link.
pub(super) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}
