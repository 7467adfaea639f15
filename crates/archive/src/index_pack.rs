//! Indexes a pack with libgit2.
//!
//! Input: a pack. Output: the pack and its index, in a folder. The object count in the header is checked
//! against the length of the pack before it is used.

use super::bytes::{Bytes, fill};
use super::fault::Fault;
use ddpatrol_scan::issue::Damage;
use std::io::{self, SeekFrom, Write};
use std::path::Path;

/// Writes a pack and its index into a folder; returns the file name of the pack.
pub(super) fn index_pack(
    pack: &mut dyn Bytes,
    folder: &Path,
    is_stopped: &dyn Fn() -> bool,
) -> Result<String, Fault> {
    let len = pack.seek(SeekFrom::End(0))?;
    pack.seek(SeekFrom::Start(0))?;
    let mut head = [0; 12];
    fill(pack, &mut head)?;
    let count = u32::from_be_bytes([head[8], head[9], head[10], head[11]]);
    // libgit2 allocates for as many objects as the header claims, so the number must be possible.
    if !head.starts_with(b"PACK") || u64::from(count) > len / 8 {
        return Err(Damage::PackHeader.into());
    }
    let fault = |error: git2::Error| Damage::PackIndex { message: error.message().to_owned() };
    let mut indexer = git2::Indexer::new(None, folder, 0, false).map_err(fault)?;
    indexer.progress(|_| !is_stopped());
    indexer.write_all(&head)?;
    // Each byte may inflate to a thousand, and the progress callback runs only between objects.
    let mut buffer = vec![0; 8 << 10];
    loop {
        let len = fill(pack, &mut buffer)?;
        if len == 0 {
            break;
        }
        if is_stopped() {
            return Err(io::Error::from(io::ErrorKind::Interrupted).into());
        }
        indexer.write_all(&buffer[..len])?;
    }
    let name = indexer.commit().map_err(fault)?;
    Ok(format!("pack-{name}.pack"))
}
