//! Git bundles, and packs outside of a repository.
//!
//! Input: a stream. Output: a repository with its objects and references, in a private temporary folder,
//! or its objects as members. libgit2 indexes the pack where an index is needed. Deltas of a thin bundle
//! whose bases are not in the bundle cannot be read.

use super::fault::Fault;
use super::index_pack::index_pack;
use super::member_path::MemberPlace;
use super::objects::{self, Ids};
use super::pack_scan::PackScan;
use super::repo_extractor::{is_name, new_folder, write_repo};
use super::sink::{ExtractedRepo, GitHandling};
use super::walker::Walker;
use ddpatrol_pack::HashKind;
use ddpatrol_scan::issue::{ArchiveLimit, Damage, Unsupported};
use ddpatrol_scan::place::Place;
use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;

/// Maximum length of the header of a bundle, in bytes.
const HEADER: usize = 64 << 20;

pub(super) fn read(
    walker: &Walker<'_>,
    place: &MemberPlace,
    reader: &mut dyn Read,
) -> Result<(), Fault> {
    let handling = walker.account().git_handling();
    if handling == GitHandling::Skipped {
        return Err(Unsupported::GitObjects.into());
    }
    let mut reader = BufReader::new(reader);
    let mut references = Vec::new();
    if !reader.fill_buf()?.starts_with(b"PACK") {
        references = header(&mut reader)?;
    }
    let folder = new_folder()?;
    if handling == GitHandling::Objects {
        for reference in &references {
            walker.account().name(place, &reference.name)?;
        }
        let mut pack = walker.spool(&mut reader)?;
        let scan = PackScan::read(walker, &mut pack)?;
        if !scan.is_simple {
            let name = index_pack(&mut pack, folder.path(), &|| walker.account().check().is_err())?;
            let path = folder.path().join(name);
            return objects::read_pack(walker, place, &path, Ids::Indexed);
        }
        let path = scan.write(&mut pack, folder.path())?;
        objects::read_pack(walker, place, &path, Ids::Computed)?;
        return scan.damage.map_or(Ok(()), |damage| Err(damage.into()));
    }
    let head = references.iter().find(|it| it.name == b"HEAD").map(|it| it.id.clone());
    let head = head.unwrap_or_else(|| b"ref: refs/heads/main".to_vec());
    let mut list = Vec::new();
    for Reference { id, name } in references.iter().filter(|it| is_name(&it.name)) {
        list.extend([id, &b" "[..], name, b"\n"].concat());
    }
    write_repo(folder.path(), &[&head[..], b"\n"].concat(), &list, HashKind::Sha1)?;
    let mut pack = walker.spool(&mut reader)?;
    index_pack(&mut pack, &folder.path().join("objects/pack"), &|| {
        walker.account().check().is_err()
    })?;
    let git_dir = Place::clone(&place.content().place);
    let root = git_dir.clone();
    walker.account().repository(ExtractedRepo { folder: Arc::new(folder), git_dir, root });
    Ok(())
}

/// A reference of a bundle.
struct Reference {
    /// The hexadecimal digits of its object.
    id: Vec<u8>,
    name: Vec<u8>,
}

/// Reads the references in the header of a bundle.
fn header(reader: &mut dyn BufRead) -> Result<Vec<Reference>, Fault> {
    let mut references = Vec::new();
    let mut held = 0;
    loop {
        let mut line = Vec::new();
        (&mut *reader).take(8 << 10).read_until(b'\n', &mut line)?;
        held += line.len();
        let Some(line) = line.strip_suffix(b"\n") else {
            return Err(Damage::BundleHeaderCut.into());
        };
        if held > HEADER {
            return Err(ArchiveLimit::BundleHeader(HEADER).into());
        }
        match line.first() {
            None => return Ok(references),
            Some(b'#' | b'-') => {}
            Some(b'@') if line == b"@object-format=sha256" => {
                return Err(Unsupported::Sha256Bundle.into());
            }
            Some(b'@') => {}
            Some(_) => {
                let Some((id, name)) = line.split_at_checked(40) else { continue };
                let is_id = id.iter().all(u8::is_ascii_hexdigit);
                if let (true, Some(name)) = (is_id, name.strip_prefix(b" ")) {
                    references.push(Reference { id: id.to_vec(), name: name.to_vec() });
                }
            }
        }
    }
}
