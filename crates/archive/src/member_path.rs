//! Where a member stands: its virtual path, how deep it lies, and what made it.
//!
//! Takes member names as the archive has them; returns paths that are labels only and stay below that
//! of the archive. Nothing here touches the file system.

use ddpatrol_scan::label::inside;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The longest member name that a path shows whole. File systems end at 4,096.
const LONGEST: usize = 4_096;

/// A place in an archive, or the outermost archive itself.
#[derive(Clone, Debug)]
pub(super) struct MemberPlace {
    /// What its own bytes are told as.
    pub(super) path: PathBuf,
    /// What the paths of its members begin with.
    pub(super) base: PathBuf,
    /// How many archives it lies in.
    pub(super) depth: usize,
    /// The layer of a container image that it lies in, in words.
    pub(super) layer: Option<Arc<str>>,
    /// The layers of an image, where this is one.
    pub(super) image: Option<Arc<super::layers::Layers>>,
}

impl MemberPlace {
    /// The outermost archive.
    pub(super) fn top(path: &Path, layer: Option<Arc<str>>) -> Self {
        let path = path.to_owned();
        Self { base: path.clone(), path, depth: 0, layer, image: None }
    }

    /// A member of this archive.
    pub(super) fn member(&self, name: &[u8]) -> Self {
        let image = self.image.as_ref();
        let layer = image.and_then(|image| image.layer(name)).or_else(|| self.layer.clone());
        let path = join(&self.base, name);
        Self { base: path.clone(), path, depth: self.depth + 1, layer, image: None }
    }

    /// An archive that this compressed one is all about: `c.tar.gz!/d.env` names no `c.tar`. Its own
    /// bytes read `c.tar.gz!`.
    pub(super) fn content(&self) -> Self {
        let mut path = self.base.clone().into_os_string();
        path.push("!");
        let layer = self.layer.clone();
        Self { path: path.into(), base: self.base.clone(), depth: self.depth, layer, image: None }
    }

    /// The last component of its path.
    pub(super) fn name(&self) -> &[u8] {
        self.base.file_name().map_or(b"", |name| name.as_encoded_bytes())
    }
}

/// Returns the path of a member, such as `a.jar!/b/c`.
fn join(base: &Path, name: &[u8]) -> PathBuf {
    let name = inside(name);
    let is_cut = name.len() > LONGEST;
    let name = &name[..name.len().min(LONGEST)];
    let mut path = base.as_os_str().to_owned();
    path.push("!/");
    path.push(text(name));
    if is_cut {
        path.push("…");
    }
    path.into()
}

#[cfg(unix)]
fn text(name: &[u8]) -> OsString {
    use std::os::unix::ffi::OsStringExt;
    // A path that holds NUL cannot be passed on by anything.
    let spell = |&byte: &u8| if byte == 0 { b'?' } else { byte };
    OsString::from_vec(name.iter().map(spell).collect())
}

#[cfg(not(unix))]
fn text(name: &[u8]) -> OsString {
    String::from_utf8_lossy(name).replace('\0', "?").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_labels_below_the_archive() {
        let top = MemberPlace::top(Path::new("x/a.zip"), None);
        let path = |name: &[u8]| top.member(name).path;
        assert_eq!(path(b"b/c"), Path::new("x/a.zip!/b/c"));
        assert_eq!(path(b"./b"), Path::new("x/a.zip!/b"));
        assert_eq!(path(b"//etc/passwd"), Path::new("x/a.zip!/etc/passwd"));
        assert_eq!(path(b"../../b"), Path::new("x/a.zip!/b"));
        assert_eq!(path(b"a\0b"), Path::new("x/a.zip!/a?b"));
        assert_eq!(path(&[b'n'; 9_999]).as_os_str().len(), 9 + 4_096 + 3);
        assert_eq!(top.content().member(b"d").path, Path::new("x/a.zip!/d"));
        assert_eq!(top.content().path, Path::new("x/a.zip!"));
    }
}
