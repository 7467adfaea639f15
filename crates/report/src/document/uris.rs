//! Paths as text, and as URI references.
//!
//! Input: paths, and the URI references of saved reports. Output: redacted text, and percent-encoded references
//! that can be converted back. Nothing is read here.

use crate::escape;
use ddpatrol_detect::redact::{Clean, Masker};
use ddpatrol_scan::place::plain;
use std::path::Path;

/// Masks secrets in a path; the empty path becomes `.`.
pub(crate) fn clean(path: &Path, masker: &mut Masker<'_>) -> Clean {
    let path = plain(path);
    let bytes = path.as_os_str().as_encoded_bytes();
    masker.clean(if bytes.is_empty() { b"." } else { bytes })
}

/// Returns the URI reference of a path: relative, unless the path is absolute.
pub(super) fn uri(path: &Clean) -> String {
    uri_of_bytes(path.as_bytes())
}

pub(super) fn uri_of_bytes(path: &[u8]) -> String {
    let encoded = escape::uri_path(path);
    if path.starts_with(b"/") {
        let encoded = encoded.strip_suffix('/').unwrap_or(&encoded);
        return format!("file:///{}", encoded.trim_start_matches('/'));
    }
    if encoded.is_empty() { ".".to_owned() } else { encoded }
}

/// Returns the URI of a path in a saved report.
pub(super) fn uri_of_path(path: &Path) -> String {
    uri_of_bytes(&bytes(path))
}

/// Returns the URI reference of a saved report if [`uri`] could have created it.
pub(super) fn checked(text: String) -> Option<String> {
    path_of_uri(&text).filter(|path| uri_of_bytes(path) == text).map(|_| text)
}

/// Returns the bytes of a path with `/` between its components.
pub(super) fn bytes(path: &Path) -> Vec<u8> {
    let parts: Vec<&[u8]> = path.iter().map(|part| part.as_encoded_bytes()).collect();
    let joined = parts.join(&b'/');
    match joined.strip_prefix(b"//") {
        Some(rest) => [b"/", rest].concat(),
        None if joined.is_empty() => b".".to_vec(),
        None => joined,
    }
}

/// Returns the path of a URI reference that [`uri`] created; `None` if it is malformed.
pub(super) fn path_of_uri(uri: &str) -> Option<Vec<u8>> {
    let encoded = match uri.strip_prefix("file://") {
        Some(path) => path,
        None => uri,
    };
    let mut path = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let mut decoded = [0];
            hex::decode_to_slice([bytes.next()?, bytes.next()?], &mut decoded).ok()?;
            path.extend(decoded);
        } else {
            path.push(byte);
        }
    }
    Some(path)
}
