//! Places: where the bytes of a blob come from, as reports name it.
//!
//! Input: the paths of files, and the names of the members of containers. Output: a [`Place`], which
//! sources create and reports match on; [`Place::path`] is the only function that formats one. A formatted
//! place is never parsed: a file can have the same path as a member of an archive. Nothing is read here.

use ddpatrol_pack::{Kind, ObjectId};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::path::{Component, Path, PathBuf};
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

/// A borrowed place: a file needs no allocation until something is found in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceRef<'a> {
    /// A file or folder.
    File(&'a Path),
    /// Any place.
    Place(&'a Place),
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

    /// Compares places that are shown as the same path.
    fn cmp_structure(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::File(a), Self::File(b)) => a.cmp(b),
            (
                Self::Member { container: a, path },
                Self::Member { container: b, path: other_path },
            ) => a.cmp(b).then_with(|| path.cmp(other_path)),
            (Self::Content(a), Self::Content(b)) => a.cmp(b),
            (Self::Object(id, kind), Self::Object(other_id, other_kind)) => {
                (id, kind).cmp(&(other_id, other_kind))
            }
            _ => self.rank().cmp(&other.rank()),
        }
    }

    const fn rank(&self) -> u8 {
        match self {
            Self::File(_) => 0,
            Self::Member { .. } => 1,
            Self::Content(_) => 2,
            Self::Stdin => 3,
            Self::Object(..) => 4,
        }
    }
}

/// Places are in the order of the paths that reports show.
impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        let shown = match (self, other) {
            (Self::File(a), Self::File(b)) => return a.cmp(b),
            (Self::Member { container: a, path }, Self::Member { container: b, path: other })
                if a == b =>
            {
                shown_parts(path).cmp(shown_parts(other))
            }
            _ => self.path().cmp(&other.path()),
        };
        shown.then_with(|| self.cmp_structure(other))
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Lists the components of the name of a member that its shown path has.
fn shown_parts(path: &Path) -> impl Iterator<Item = Component<'_>> {
    path.components().filter(|it| matches!(it, Component::Normal(_) | Component::ParentDir))
}

/// The name of the content of a compressed file whose own name says nothing about it.
const UNNAMED: &str = "content";

/// The suffixes of compressed files, and what the names of their contents have instead. They do not depend on
/// the format, which places do not contain.
const COMPRESSED: [(&[u8], &[u8]); 22] = [
    (b".gz", b""),
    (b".tgz", b".tar"),
    (b".svgz", b".svg"),
    (b".z", b""),
    (b".bz2", b""),
    (b".tbz2", b".tar"),
    (b".tbz", b".tar"),
    (b".xz", b""),
    (b".txz", b".tar"),
    (b".lzma", b""),
    (b".tlz", b".tar"),
    (b".zst", b""),
    (b".zstd", b""),
    (b".tzst", b".tar"),
    (b".lz4", b""),
    (b".zlib", b""),
    (b".zz", b""),
    (b".lz", b""),
    (b".Z", b""),
    (b".taz", b".tar"),
    (b".ab", b".tar"),
    (b".br", b""),
];

/// Derives the name of the content of a compressed file from the name of the file: `d.env` for `d.env.gz`. It
/// is empty if the file has no name.
#[must_use]
pub fn content_name(file: &[u8]) -> Vec<u8> {
    if file.is_empty() {
        return Vec::new();
    }
    let stem = |(suffix, instead): &(&[u8], &[u8])| {
        let stem = file.strip_suffix(*suffix).filter(|stem| !stem.is_empty())?;
        Some([stem, *instead].concat())
    };
    COMPRESSED.iter().find_map(stem).unwrap_or_else(|| UNNAMED.as_bytes().to_vec())
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

impl PlaceRef<'_> {
    /// Returns an owned copy.
    #[must_use]
    pub fn to_place(self) -> Place {
        match self {
            Self::File(path) => Place::File(path.to_owned()),
            Self::Place(place) => place.clone(),
        }
    }

    /// Returns an owned copy without the `./` that a walk of `.` puts before every path.
    #[must_use]
    pub fn plain(self) -> Place {
        match self {
            Self::File(path) => Place::File(plain(path)),
            Self::Place(place) => place.plain(),
        }
    }
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

impl<'a> From<&'a Path> for PlaceRef<'a> {
    fn from(path: &'a Path) -> Self {
        Self::File(path)
    }
}

impl<'a> From<&'a PathBuf> for PlaceRef<'a> {
    fn from(path: &'a PathBuf) -> Self {
        Self::File(path)
    }
}

impl<'a> From<&'a Place> for PlaceRef<'a> {
    fn from(place: &'a Place) -> Self {
        Self::Place(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> Place {
        Place::File(path.into())
    }

    fn member(container: &Place, path: &str) -> Place {
        Place::Member { container: Arc::new(container.clone()), path: path.into() }
    }

    fn shown(place: &Place) -> String {
        place.path().to_string_lossy().into_owned()
    }

    #[test]
    fn places_are_shown_as_paths() {
        let inner = member(&file("x/a.zip"), "b.tar.gz");
        assert_eq!(shown(&member(&inner, "c")), "x/a.zip!/b.tar.gz!/c");
        assert_eq!(shown(&Place::Content(Arc::new(inner))), "x/a.zip!/b.tar.gz!");
        assert_eq!(shown(&member(&Place::Stdin, "a")), "stdin!/a");
        let id: ObjectId = "a".repeat(40).parse().expect("an id");
        let object = Place::Object(id, Kind::Blob);
        assert_eq!(shown(&member(&object, "a")), format!("git/blob/{id}!/a"));
    }

    #[test]
    fn a_place_knows_its_containers_whatever_its_names_are() {
        let archive = file("x!/a.zip");
        let inner = member(&archive, "b!/c.zip");
        let place = member(&inner, "d!/e");
        assert_eq!(place.containers().collect::<Vec<_>>(), [&inner, &archive]);
        assert_eq!(place.outermost(), &archive);
        assert_eq!(place.members(), [Path::new("b!/c.zip"), Path::new("d!/e")]);
        let file = file("x!/a.zip!/b!/c.zip!/d!/e");
        assert_eq!(file.path(), place.path());
        assert!(file != place && !file.is_member());
    }

    #[test]
    fn a_member_keeps_its_name_in_another_container() {
        let id: ObjectId = "a".repeat(40).parse().expect("an id");
        let inner = member(&Place::Object(id, Kind::Blob), "b!/c.zip");
        let place = Place::Content(Arc::new(inner));
        let moved = place.with_outermost(&file("x/a.zip"));
        assert_eq!(moved, Place::Content(Arc::new(member(&file("x/a.zip"), "b!/c.zip"))));
        assert_eq!(file("a").with_outermost(&Place::Stdin), Place::Stdin);
    }

    #[test]
    fn the_content_of_a_compressed_object_is_named_once_its_path_is_known() {
        let id: ObjectId = "a".repeat(40).parse().expect("an id");
        let content = member(&Place::Object(id, Kind::Blob), "");
        let nested = member(&content, "");
        assert_eq!(shown(&content), format!("git/blob/{id}!/content"));
        assert_eq!(shown(&nested), format!("git/blob/{id}!/content!/content"));
        let moved = |path: &str| shown(&nested.with_outermost(&file(path)));
        assert_eq!(moved("x/a.env.gz.xz"), "x/a.env.gz.xz!/a.env.gz!/a.env");
        assert_eq!(moved("x/a"), "x/a!/content!/content");
        assert_eq!(moved("x/.gz"), "x/.gz!/content!/content");
        let named = member(&Place::Object(id, Kind::Blob), "content");
        assert_eq!(shown(&named.with_outermost(&file("a.gz"))), "a.gz!/content");
    }

    #[test]
    fn the_current_folder_is_dropped_from_the_outermost_path_only() {
        let place = member(&member(&file("./a.zip"), "./b.zip"), "c").plain();
        assert_eq!(place, member(&member(&file("a.zip"), "./b.zip"), "c"));
        let content = Place::Content(Arc::new(file("./a.gz"))).plain();
        assert_eq!(content, Place::Content(Arc::new(file("a.gz"))));
    }

    #[test]
    fn a_repository_in_an_archive_has_its_files_below_its_top() {
        let archive = file("a.tar");
        let nested = member(&archive, "r/.git").top_of_git_dir();
        assert_eq!(nested.join("src/x"), member(&archive, "r/src/x"));
        assert_eq!(nested.join("src/x").below(&nested), Some(Path::new("src/x")));
        let top = member(&archive, ".git").top_of_git_dir();
        assert_eq!(shown(&top), "a.tar!");
        assert_eq!(top.join("src/x"), member(&archive, "src/x"));
        assert_eq!(top.join("src/x").below(&top), Some(Path::new("src/x")));
        assert_eq!(member(&archive, "bare").top_of_git_dir(), member(&archive, "bare"));
    }

    #[test]
    fn places_are_sorted_by_the_paths_that_reports_show() {
        let archive = file("a.zip");
        let mut places = [
            member(&member(&archive, "x.zip"), "c"),
            Place::Content(Arc::new(archive.clone())),
            member(&archive, "x/d"),
            member(&archive, "./b"),
            member(&archive, "b"),
            file("a.zip!/b"),
            file("a.zip!/w"),
            archive,
        ];
        places.sort();
        let paths: Vec<PathBuf> = places.iter().map(|it| it.path().into_owned()).collect();
        assert!(paths.is_sorted());
        assert!(places.is_sorted_by(|a, b| a < b));
    }
}
