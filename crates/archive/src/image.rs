//! Container images: identifies layers and the commands that created them.
//!
//! Input: the manifests and configurations of `docker save` archives and OCI layouts, packed or as
//! folders. Output: for the blob of a layer, a description with the command that created it. The files of
//! layers are read like those of any other tar, including those that a later layer deletes.

use super::layers::{self, MAX_DOCUMENT};
use ddpatrol_scan::regular::{self, Links};
use std::io::Read;
use std::path::{Component, Path};
use std::sync::Arc;

/// Returns `true` if a tar whose first member has this name may be an image.
pub(super) fn is_like(name: &[u8]) -> bool {
    let name = name.strip_prefix(b"sha256:").unwrap_or(name);
    let is_digest = || name.len() >= 64 && name[..64].iter().all(u8::is_ascii_hexdigit);
    let known: [&[u8]; 5] =
        [b"oci-layout", b"index.json", b"manifest.json", b"repositories", b"blobs/"];
    name == b"blobs" || known.iter().any(|it| name.starts_with(it)) || is_digest()
}

/// Returns the description of the layer that a file of an OCI layout folder is: `blobs/sha256/DIGEST` beside
/// `oci-layout`.
#[must_use]
pub fn of_folder(path: &Path) -> Option<Arc<str>> {
    let algorithm = path.parent()?;
    let blobs = algorithm.parent().filter(|it| it.file_name().is_some_and(|it| it == "blobs"))?;
    let root = blobs.parent()?;
    if !root.join("oci-layout").is_file() {
        return None;
    }
    let read = |name: &[u8]| {
        let name = Path::new(std::str::from_utf8(name).ok()?);
        let is_below = name.components().all(|part| matches!(part, Component::Normal(_)));
        let path = is_below.then(|| root.join(name))?;
        let mut text = Vec::new();
        let file = regular::open(&path, Links::Refuse).ok()?;
        file.take(MAX_DOCUMENT).read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    };
    let name = path.strip_prefix(root).ok()?;
    layers::layers(&read)?.layer(name.to_str()?.as_bytes())
}
