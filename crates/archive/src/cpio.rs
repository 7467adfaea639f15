//! cpio: the new format with and without checksums, the old portable format, the old binary format.
//!
//! Input: a stream. Output: its members, to the walker. Data after the last member may be another archive,
//! as in the initial file system of a Linux kernel; it is opened as a member named `next`.

use super::bytes::{fill, skip};
use super::cpio_header::{CpioHeader, binary};
use super::fault::Fault;
use super::member_path::MemberPlace;
use super::walker::Walker;
use ddpatrol_scan::issue::{Damage, Unsupported};
use std::io::{Cursor, Read};

/// Maximum length of a name, in bytes.
const MAX_NAME: u64 = 64 << 10;
const TRAILER: &[u8] = b"TRAILER!!!";

pub(super) fn read(
    walker: &Walker<'_>,
    place: &MemberPlace,
    reader: &mut dyn Read,
) -> Result<(), Fault> {
    loop {
        let Some(header) = next(reader)? else { return Ok(()) };
        if header.name == 0 || header.name > MAX_NAME {
            return Err(Damage::NameLength.into());
        }
        let mut name = Vec::new();
        (&mut *reader).take(header.name).read_to_end(&mut name)?;
        if (name.len() as u64) < header.name {
            return Err(Damage::HeaderCut.into());
        }
        skip(reader, padding(header.read + header.name, header.align))?;
        let end = memchr::memchr(0, &name).unwrap_or(name.len());
        let name = &name[..end];
        if name == TRAILER {
            return behind(walker, place, reader);
        }
        walker.sized(place, name, header.len, reader)?;
        skip(reader, padding(header.len, header.align))?;
    }
}

/// Opens the data that follows the last member and its padding.
fn behind(walker: &Walker<'_>, place: &MemberPlace, reader: &mut dyn Read) -> Result<(), Fault> {
    let mut part = [0; 512];
    loop {
        let len = fill(reader, &mut part)?;
        let Some(first) = part[..len].iter().position(|&byte| byte != 0) else {
            if len < part.len() {
                return Ok(());
            }
            walker.account().check().map_err(|_| Fault::Stopped)?;
            continue;
        };
        let mut rest = Cursor::new(part[first..len].to_vec()).chain(reader);
        return walker.member(place, b"next", &mut rest);
    }
}

/// Reads a header; `None` at the end.
fn next(reader: &mut dyn Read) -> Result<Option<CpioHeader>, Fault> {
    let cut = || Fault::from(Damage::HeaderCut);
    let mut mark = [0; 6];
    match fill(reader, &mut mark)? {
        0 => return Ok(None),
        6 => {}
        _ => return Err(cut()),
    }
    let header = match &mark {
        b"070701" | b"070702" => {
            let mut rest = [0; 104];
            if fill(reader, &mut rest)? < rest.len() {
                return Err(cut());
            }
            let field = |at: usize| digits(&rest[at * 8..at * 8 + 8], 16);
            field(6).zip(field(11)).map(|(len, name)| CpioHeader { name, len, read: 110, align: 4 })
        }
        b"070707" => {
            let mut rest = [0; 70];
            if fill(reader, &mut rest)? < rest.len() {
                return Err(cut());
            }
            let (name, len) = (digits(&rest[53..59], 8), digits(&rest[59..70], 8));
            name.zip(len).map(|(name, len)| CpioHeader { name, len, read: 76, align: 1 })
        }
        b"07070X" => return Err(Unsupported::RpmCpio.into()),
        _ => {
            let mut whole = [0; 26];
            whole[..6].copy_from_slice(&mark);
            if fill(reader, &mut whole[6..])? < 20 {
                return Err(cut());
            }
            binary(&whole)
        }
    };
    header.map(Some).ok_or_else(|| Damage::HeaderMissing.into())
}

fn digits(field: &[u8], radix: u32) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(field).ok()?, radix).ok()
}

fn padding(len: u64, align: u64) -> u64 {
    len.next_multiple_of(align) - len
}
