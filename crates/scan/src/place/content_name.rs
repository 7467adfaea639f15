//! The names of the contents of compressed files.
//!
//! Input: the name of a compressed file. Output: the name of its content. The format of the file is
//! not needed.

/// The name of the content of a compressed file whose own name says nothing about it.
pub(super) const UNNAMED: &str = "content";

/// The suffixes of compressed files, and what the names of their contents have instead. They do not
/// depend on the format, which places do not contain.
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

/// Derives the name of the content of a compressed file from the name of the file: `d.env` for
/// `d.env.gz`. It is empty if the file has no name.
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
