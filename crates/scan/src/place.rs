//! Places: where the bytes of a blob come from, as reports name it.
//!
//! Input: the paths of files, and the names of the members of containers. Output: a [`Place`], which
//! sources create and reports match on; [`Place::path`] is the only function that formats one. A formatted
//! place is never parsed: a file can have the same path as a member of an archive. Nothing is read here.

mod content_name;
mod order;
mod place_ref;

pub use content_name::content_name;
pub use place_ref::PlaceRef;

use content_name::UNNAMED;
use ddpatrol_pack::{Kind, ObjectId};
use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The path of standard input, used as the first component of the paths of its members.
pub const STDIN: &str = "stdin";

/// The place of bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// A file or folder, in a file system or in the trees of a repository that is not in an archive.
    File(PathBuf),
    /// A member of a container: `a.zip!/b`.
    Member {
        /// The container, which is never [`Place::Content`].
        container: Arc<Self>,
        /// The name of the member. It is empty for the content of a compressed file without a name, such as
        /// a git object before its path is known: the name of the content follows from that of the file.
        path: PathBuf,
    },
    /// The decompressed content of a compressed file, or the top folder of an archive: `a.tar.gz!`.
    Content(Arc<Self>),
    /// Standard input: `stdin`.
    Stdin,
    /// A git object that no commit gives a path; a Git LFS object is named by its pointer:
    /// `git/blob/ID`.
    Object(ObjectId, Kind),
}

impl Place {
    /// Returns the place as reports show it.
    #[must_use]
    pub fn path(&self) -> Cow<'_, Path> {
        if let Self::File(path) = self {
            return Cow::Borrowed(path);
        }
        let mut text = OsString::new();
        self.format(&mut text);
        Cow::Owned(text.into())
    }

    fn format(&self, text: &mut OsString) {
        match self {
            Self::File(path) => text.push(path),
            Self::Member { container, path } => {
                container.format(text);
                text.push("!/");
                let is_unnamed = path.as_os_str().is_empty() && container.own_name().is_empty();
                text.push(if is_unnamed { Path::new(UNNAMED) } else { path });
            }
            Self::Content(container) => {
                container.format(text);
                text.push("!");
            }
            Self::Stdin => text.push(STDIN),
            Self::Object(id, kind) => text.push(object_text(kind.name(), id)),
        }
    }

    /// Returns the path of a file or folder; `None` for other places.
    #[must_use]
    pub fn as_file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            _ => None,
        }
    }

    /// Returns the container of a member or content.
    #[must_use]
    pub fn container(&self) -> Option<&Self> {
        match self {
            Self::Member { container, .. } | Self::Content(container) => Some(container),
            Self::File(_) | Self::Stdin | Self::Object(..) => None,
        }
    }

    /// Lists the containers of a place, the innermost first.
    pub fn containers(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(self.container(), |place| place.container())
    }

    /// Returns `true` for a place in a container.
    #[must_use]
    pub fn is_member(&self) -> bool {
        self.container().is_some()
    }

    /// Returns the outermost container, or the place itself if it is in no container.
    #[must_use]
    pub fn outermost(&self) -> &Self {
        self.containers().last().unwrap_or(self)
    }

    /// Returns the same member of another outermost container.
    #[must_use]
    pub fn with_outermost(&self, outermost: &Self) -> Self {
        match self {
            Self::Member { container, path } => {
                let is_unnamed = path.as_os_str().is_empty() && container.own_name().is_empty();
                let container = Arc::new(container.with_outermost(outermost));
                let path = match is_unnamed {
                    true => component(&content_name(container.own_name())),
                    false => path.clone(),
                };
                Self::Member { container, path }
            }
            Self::Content(container) => {
                Self::Content(Arc::new(container.with_outermost(outermost)))
            }
            Self::File(_) | Self::Stdin | Self::Object(..) => outermost.clone(),
        }
    }

    /// Lists the names of the members that lead to a place, the outermost first.
    #[must_use]
    pub fn members(&self) -> Vec<&Path> {
        let places = std::iter::once(self).chain(self.containers());
        let names = places.filter_map(|place| match place {
            Self::Member { path, .. } => Some(&**path),
            _ => None,
        });
        let mut names: Vec<&Path> = names.collect();
        names.reverse();
        names
    }

    /// Returns the path of a file, or of a member in its container; for content, that of the compressed
    /// file.
    #[must_use]
    pub fn own_path(&self) -> &Path {
        match self {
            Self::File(path) | Self::Member { path, .. } => path,
            Self::Content(container) => container.own_path(),
            Self::Stdin => Path::new(STDIN),
            Self::Object(..) => Path::new(""),
        }
    }

    /// Returns the last component of [`Place::own_path`], which is empty for a place without a name.
    #[must_use]
    pub fn own_name(&self) -> &[u8] {
        self.own_path().file_name().map_or(b"", OsStr::as_encoded_bytes)
    }

    /// Returns the place of a file below a folder.
    #[must_use]
    pub fn join(&self, below: impl AsRef<Path>) -> Self {
        let below = below.as_ref();
        match self {
            Self::File(path) => Self::File(path.join(below)),
            Self::Member { container, path } => {
                Self::Member { container: Arc::clone(container), path: path.join(below) }
            }
            Self::Content(container) => {
                Self::Member { container: Arc::clone(container), path: below.to_owned() }
            }
            Self::Stdin | Self::Object(..) => {
                Self::Member { container: Arc::new(self.clone()), path: below.to_owned() }
            }
        }
    }

    /// Returns the path of a place below a folder; `None` if it is elsewhere.
    #[must_use]
    pub fn below(&self, folder: &Self) -> Option<&Path> {
        match (self, folder) {
            (Self::File(path), Self::File(folder)) => path.strip_prefix(folder).ok(),
            (
                Self::Member { container, path },
                Self::Member { container: around, path: folder },
            ) => path.strip_prefix(folder).ok().filter(|_| container == around),
            (Self::Member { container, path }, Self::Content(around)) => {
                (container == around).then_some(path)
            }
            _ => None,
        }
    }

    /// Returns the top folder of the work tree of a git directory, or a bare repository itself.
    #[must_use]
    pub fn top_of_git_dir(&self) -> Self {
        let (Self::File(path) | Self::Member { path, .. }) = self else { return self.clone() };
        if path.file_name() != Some(OsStr::new(".git")) {
            return self.clone();
        }
        let parent = path.parent().unwrap_or(Path::new(""));
        match self {
            Self::Member { container, .. } if parent.as_os_str().is_empty() => {
                Self::Content(Arc::clone(container))
            }
            Self::Member { container, .. } => {
                Self::Member { container: Arc::clone(container), path: parent.to_owned() }
            }
            _ => Self::File(parent.to_owned()),
        }
    }

    /// Drops the `./` that a walk of `.` puts before every path.
    #[must_use]
    pub fn plain(&self) -> Self {
        match (self, self.outermost()) {
            (Self::File(path), _) => Self::File(plain(path)),
            (_, Self::File(path)) if !path.starts_with(".") => self.clone(),
            (Self::Member { container, path }, Self::File(_)) => {
                Self::Member { container: Arc::new(container.plain()), path: path.clone() }
            }
            (Self::Content(container), Self::File(_)) => Self::Content(Arc::new(container.plain())),
            _ => self.clone(),
        }
    }
}

/// Converts a component of a path that was taken apart.
#[cfg(unix)]
fn component(name: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    OsStr::from_bytes(name).into()
}

#[cfg(not(unix))]
fn component(name: &[u8]) -> PathBuf {
    String::from_utf8_lossy(name).into_owned().into()
}

/// Returns the name of a git object without a path in reports.
pub fn object_text(kind: &str, id: impl Display) -> String {
    format!("git/{kind}/{id}")
}

/// Drops the `./` that a walk of `.` puts before every path.
#[must_use]
pub fn plain(path: &Path) -> PathBuf {
    path.strip_prefix(".").unwrap_or(path).to_owned()
}

impl From<PathBuf> for Place {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

impl From<&Path> for Place {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

impl From<&Self> for Place {
    fn from(place: &Self) -> Self {
        place.clone()
    }
}

#[cfg(test)]
mod tests;
