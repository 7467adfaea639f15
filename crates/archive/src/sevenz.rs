//! 7z, read by `sevenz-rust2`.
//!
//! Input: seekable bytes. Output: members, to the walker. Blocks are decoded one by one, so that a damaged
//! or encrypted block does not affect the others.

use super::bytes::Bytes;
use super::fault::Fault;
use super::member_path::MemberPlace;
use super::stream::MEMORY;
use super::walker::Walker;
use ddpatrol_scan::issue::{ArchiveIssue, ArchiveLimit, Damage, Unsupported};
use sevenz_rust2::{Archive, ArchiveEntry, BlockDecoder, Error, Password};
use std::io::{self, Read};

/// Maximum memory for dictionaries, models and the unpacked header, in KiB.
const LIMIT: usize = MEMORY as usize / 1024;

pub(super) fn read(
    walker: &Walker<'_>,
    place: &MemberPlace,
    mut bytes: &mut dyn Bytes,
) -> Result<(), Fault> {
    let password = Password::empty();
    let archive = Archive::read_with_memory_limit(&mut bytes, &password, LIMIT).map_err(issue)?;
    for entry in archive.files.iter().filter(|entry| !entry.has_stream()) {
        walker.account().name(place, entry.name().as_bytes())?;
    }
    for block in 0..archive.blocks.len() {
        walker.account().check().map_err(|_| Fault::Stopped)?;
        let decoder =
            BlockDecoder::new_with_memory_limit(1, LIMIT, block, &archive, &password, &mut bytes);
        let names: Vec<String> = decoder.entries().iter().map(|it| it.name().to_owned()).collect();
        let (mut begun, mut has_failed) = (0, false);
        let read = decoder.for_each_entries(&mut |entry: &ArchiveEntry, content: &mut dyn Read| {
            begun += 1;
            if !entry.has_stream() {
                return Ok(true);
            }
            let mut member = FailureProbe { inner: content, has_failed: false };
            let outcome = walker.member(place, entry.name().as_bytes(), &mut member);
            has_failed = member.has_failed;
            Ok(outcome.is_ok())
        });
        let Err(error) = read else { continue };
        if has_failed {
            // The failure was already reported for the member in which it occurred.
            begun += 1;
        }
        let left = names.len().saturating_sub(begun.max(1) - 1);
        let first = names.get(begun.max(1) - 1).map_or(&[][..], |name| name.as_bytes());
        if left > 0 {
            let members = left - 1;
            let issue = match issue(error) {
                ArchiveIssue::Damaged(damage) if members > 0 => {
                    let damage = Box::new(damage);
                    ArchiveIssue::Damaged(Damage::Following { damage, members })
                }
                ArchiveIssue::Encrypted if members > 0 => {
                    ArchiveIssue::Unsupported(Unsupported::EncryptedBlock { members })
                }
                issue => issue,
            };
            walker.account().report(&place.member(first), issue);
            // The names of unreadable members are scanned too; the first one may be scanned twice.
            for name in &names[names.len() - left..] {
                walker.account().name(place, name.as_bytes())?;
            }
        }
    }
    Ok(())
}

/// Reads a member and records whether reading failed.
struct FailureProbe<'r> {
    inner: &'r mut dyn Read,
    has_failed: bool,
}

impl Read for FailureProbe<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer);
        self.has_failed |=
            read.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted);
        read
    }
}

/// Converts an error of the decoder.
fn issue(error: Error) -> ArchiveIssue {
    ArchiveIssue::Damaged(match error {
        Error::PasswordRequired | Error::MaybeBadPassword(_) => return ArchiveIssue::Encrypted,
        Error::UnsupportedCompressionMethod(name) if name.contains("AES") => {
            return ArchiveIssue::Encrypted;
        }
        Error::UnsupportedCompressionMethod(name) => {
            return ArchiveIssue::Unsupported(Unsupported::SevenZMethod(name));
        }
        Error::UnsupportedVersion { major, minor } => {
            return ArchiveIssue::Unsupported(Unsupported::SevenZVersion { major, minor });
        }
        Error::MaxMemLimited { .. } => return ArchiveIssue::Limit(ArchiveLimit::Memory),
        Error::ChecksumVerificationFailed | Error::NextHeaderCrcMismatch => Damage::Checksum,
        Error::Io(error, _) | Error::FileOpen(error, _) => Damage::Block(error),
        Error::Other(what) | Error::Unsupported(what) => {
            Damage::Decoder { message: what.into_owned() }
        }
        _ => Damage::SevenZHeader,
    })
}
