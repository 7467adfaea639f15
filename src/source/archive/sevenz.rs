//! 7z, read by `sevenz-rust2`.
//!
//! In come bytes that can be read at any offset; members go to the walker, block by block, so that a
//! damaged or encrypted block takes no other with it.

use super::bytes::Bytes;
use super::fault::Fault;
use super::place::Place;
use super::stream::MEMORY;
use super::walker::Walker;
use ddpatrol_scan::quantity::count;
use sevenz_rust2::{Archive, ArchiveEntry, BlockDecoder, Error, Password};
use std::io::Read;

/// The memory for dictionaries and models, and for what the header unpacks to, in KiB.
const LIMIT: usize = MEMORY as usize / 1024;

pub(super) fn read(
    walker: &Walker<'_>,
    place: &Place,
    mut bytes: &mut dyn Bytes,
) -> Result<(), Fault> {
    let password = Password::empty();
    let archive =
        Archive::read_with_memory_limit(&mut bytes, &password, LIMIT).map_err(|it| fault(&it))?;
    for entry in archive.files.iter().filter(|entry| !entry.has_stream()) {
        walker.account().name(place, entry.name().as_bytes())?;
    }
    for block in 0..archive.blocks.len() {
        walker.account().check().map_err(|_| Fault::Stopped)?;
        let decoder =
            BlockDecoder::new_with_memory_limit(1, LIMIT, block, &archive, &password, &mut bytes);
        let names: Vec<String> = decoder.entries().iter().map(|it| it.name().to_owned()).collect();
        let (mut begun, mut told) = (0, walker.account().told());
        let read = decoder.for_each_entries(&mut |entry: &ArchiveEntry, content: &mut dyn Read| {
            begun += 1;
            if !entry.has_stream() {
                return Ok(true);
            }
            told = walker.account().told();
            Ok(walker.member(place, entry.name().as_bytes(), content).is_ok())
        });
        let Err(error) = read else { continue };
        if walker.account().told() != told {
            // The member at which it broke was told.
            begun += 1;
        }
        let left = names.len().saturating_sub(begun.max(1) - 1);
        let first = names.get(begun.max(1) - 1).map_or(&[][..], |name| name.as_bytes());
        if left > 0 {
            let behind = count(left - 1, "member");
            let fault = match fault(&error) {
                Fault::Damaged(what) if left > 1 => {
                    Fault::Damaged(format!("{what}; and {behind} behind it"))
                }
                Fault::Encrypted if left > 1 => {
                    Fault::Unsupported(format!("it is encrypted, and {behind} behind it"))
                }
                fault => fault,
            };
            walker.account().tell(&place.member(first), &fault);
            // What cannot be read has a name all the same; the first one's may have been looked at.
            for name in &names[names.len() - left..] {
                walker.account().name(place, name.as_bytes())?;
            }
        }
    }
    Ok(())
}

fn fault(error: &Error) -> Fault {
    match error {
        Error::PasswordRequired | Error::MaybeBadPassword(_) => Fault::Encrypted,
        Error::UnsupportedCompressionMethod(name) if name.contains("AES") => Fault::Encrypted,
        Error::UnsupportedCompressionMethod(name) => {
            Fault::Unsupported(format!("its method {name} is not known"))
        }
        Error::MaxMemLimited { .. } => Fault::Limit("it needs too much memory".to_owned()),
        Error::ChecksumVerificationFailed | Error::NextHeaderCrcMismatch => {
            Fault::damaged("a checksum does not agree")
        }
        Error::Io(error, _) | Error::FileOpen(error, _) => Fault::Damaged(error.to_string()),
        Error::Other(what) | Error::Unsupported(what) => Fault::damaged(what.as_ref()),
        Error::UnsupportedVersion { major, minor } => {
            Fault::Unsupported(format!("its version {major}.{minor} is not known"))
        }
        _ => Fault::damaged("its header is wrong"),
    }
}
