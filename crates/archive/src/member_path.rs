//! Members: their places, nesting depths and container image layers.
//!
//! Input: member names as recorded in the archive. Output: places, whose names are labels and stay in the
//! archive. Nothing here touches the file system.

use ddpatrol_scan::label::inside;
use ddpatrol_scan::place::Place;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

/// Maximum length of a member name in a path, in bytes. File systems allow 4,096.
const MAX_NAME: usize = 4_096;

/// A place in an archive, or the outermost archive itself.
#[derive(Clone, Debug)]
pub(super) struct MemberPlace {
    /// The place at which its own bytes are reported.
    pub(super) place: Arc<Place>,
    /// The container of its members.
    pub(super) base: Arc<Place>,
    /// The number of archives around it.
    pub(super) depth: usize,
    /// The description of the container image layer around it.
    pub(super) layer: Option<Arc<str>>,
    /// The layers, if it is a container image.
    pub(super) image: Option<Arc<super::layers::Layers>>,
}

impl MemberPlace {
    /// Returns the place of the outermost archive.
    pub(super) fn top(place: &Place, layer: Option<Arc<str>>) -> Self {
        let base = Arc::new(place.clone());
        Self { place: Arc::clone(&base), base, depth: 0, layer, image: None }
    }

    /// Returns the place of a member of this archive.
    pub(super) fn member(&self, name: &[u8]) -> Self {
        let image = self.image.as_ref();
        let layer = image.and_then(|image| image.layer(name)).or_else(|| self.layer.clone());
        let (container, path) = (Arc::clone(&self.base), label(name));
        let base = Arc::new(Place::Member { container, path });
        Self { place: Arc::clone(&base), base, depth: self.depth + 1, layer, image: None }
    }

    /// Returns the place of the archive inside a compressed file. Its bytes are at `c.tar.gz!`, its members
    /// at `c.tar.gz!/d.env`, without a `c.tar`.
    pub(super) fn content(&self) -> Self {
        let (base, layer) = (Arc::clone(&self.base), self.layer.clone());
        let place = Arc::new(Place::Content(Arc::clone(&base)));
        Self { place, base, depth: self.depth, layer, image: None }
    }
}

/// Returns the name of a member as reports show it.
fn label(name: &[u8]) -> PathBuf {
    let name = inside(name);
    let is_cut = name.len() > MAX_NAME;
    let name = &name[..name.len().min(MAX_NAME)];
    let mut label = text(name);
    if is_cut {
        label.push("…");
    }
    label.into()
}

#[cfg(unix)]
fn text(name: &[u8]) -> OsString {
    use std::os::unix::ffi::OsStringExt;
    let mut printable = name.to_vec();
    // No system call accepts a path that contains NUL.
    for at in memchr::memchr_iter(0, name) {
        printable[at] = b'?';
    }
    OsString::from_vec(printable)
}

#[cfg(not(unix))]
fn text(name: &[u8]) -> OsString {
    String::from_utf8_lossy(name).replace('\0', "?").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn hostile_names_are_labels_below_the_archive() {
        let top = MemberPlace::top(&Path::new("x/a.zip").into(), None);
        let path = |name: &[u8]| top.member(name).place.path().into_owned();
        assert_eq!(path(b"b/c"), Path::new("x/a.zip!/b/c"));
        assert_eq!(path(b"./b"), Path::new("x/a.zip!/b"));
        assert_eq!(path(b"//etc/passwd"), Path::new("x/a.zip!/etc/passwd"));
        assert_eq!(path(b"../../b"), Path::new("x/a.zip!/b"));
        assert_eq!(path(b"a\0b"), Path::new("x/a.zip!/a?b"));
        assert_eq!(path(&[b'n'; 9_999]).as_os_str().len(), 9 + 4_096 + 3);
        assert_eq!(top.content().member(b"d").place.path(), Path::new("x/a.zip!/d"));
        assert_eq!(top.content().place.path(), Path::new("x/a.zip!"));
    }
}
