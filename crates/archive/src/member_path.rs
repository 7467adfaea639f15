//! The place of a member: its virtual path, nesting depth and container image layer.
//!
//! Input: member names as recorded in the archive. Output: paths, which are labels and stay below the path
//! of the archive. Nothing here touches the file system.

use ddpatrol_scan::label::inside;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Maximum length of a member name in a path, in bytes. File systems allow 4,096.
const MAX_NAME: usize = 4_096;

/// A place in an archive, or the outermost archive itself.
#[derive(Clone, Debug)]
pub(super) struct MemberPlace {
    /// The path under which its own bytes are reported.
    pub(super) path: PathBuf,
    /// The path prefix of its members.
    pub(super) base: PathBuf,
    /// The number of archives around it.
    pub(super) depth: usize,
    /// The description of the container image layer around it.
    pub(super) layer: Option<Arc<str>>,
    /// The layers, if it is a container image.
    pub(super) image: Option<Arc<super::layers::Layers>>,
}

impl MemberPlace {
    /// Returns the place of the outermost archive.
    pub(super) fn top(path: &Path, layer: Option<Arc<str>>) -> Self {
        let path = path.to_owned();
        Self { base: path.clone(), path, depth: 0, layer, image: None }
    }

    /// Returns the place of a member of this archive.
    pub(super) fn member(&self, name: &[u8]) -> Self {
        let image = self.image.as_ref();
        let layer = image.and_then(|image| image.layer(name)).or_else(|| self.layer.clone());
        let path = join(&self.base, name);
        Self { base: path.clone(), path, depth: self.depth + 1, layer, image: None }
    }

    /// Returns the place of the archive inside a compressed file. Its bytes are at `c.tar.gz!`, its members
    /// at `c.tar.gz!/d.env`, without a `c.tar`.
    pub(super) fn content(&self) -> Self {
        let mut path = self.base.clone().into_os_string();
        path.push("!");
        let layer = self.layer.clone();
        Self { path: path.into(), base: self.base.clone(), depth: self.depth, layer, image: None }
    }

    /// Returns the last component of the path.
    pub(super) fn name(&self) -> &[u8] {
        self.base.file_name().map_or(b"", |name| name.as_encoded_bytes())
    }
}

/// Returns the path of a member, such as `a.jar!/b/c`.
fn join(base: &Path, name: &[u8]) -> PathBuf {
    let name = inside(name);
    let is_cut = name.len() > MAX_NAME;
    let name = &name[..name.len().min(MAX_NAME)];
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
    // No system call accepts a path that contains NUL.
    let printable = |&byte: &u8| if byte == 0 { b'?' } else { byte };
    OsString::from_vec(name.iter().map(printable).collect())
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
