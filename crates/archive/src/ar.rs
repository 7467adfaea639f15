//! ar: static libraries and Debian packages.
//!
//! Input: a stream that begins with `!<arch>`. Output: its members, to the walker. Plain, GNU and BSD names
//! are supported; the GNU table of long names is held up to a limit.

use super::bytes::{fill, skip};
use super::fault::Fault;
use super::member_path::MemberPlace;
use super::walker::Walker;
use ddpatrol_scan::issue::Damage;
use std::io::Read;

/// Maximum length of the table of long names, in bytes.
const TABLE: u64 = 16 << 20;
const HEADER: usize = 60;

pub(super) fn read(
    walker: &Walker<'_>,
    place: &MemberPlace,
    reader: &mut dyn Read,
) -> Result<(), Fault> {
    skip(reader, 8)?;
    let mut table = Vec::new();
    loop {
        let mut header = [0; HEADER];
        let len = fill(reader, &mut header)?;
        // Members of odd length are padded, but some programs omit the padding at the end.
        if len == 0 || header[..len] == [b'\n'] {
            return Ok(());
        }
        let len = decimal(&header[48..58]).filter(|_| header.ends_with(b"`\n"));
        let Some(len) = len else { return Err(Damage::HeaderMissing.into()) };
        let field = header[..16].trim_ascii_end();
        let mut left = len;
        let name = match field {
            b"//" => {
                (&mut *reader).take(len.min(TABLE)).read_to_end(&mut table)?;
                if (table.len() as u64) < len.min(TABLE) {
                    return Err(Damage::NameTableCut.into());
                }
                skip(reader, len.saturating_sub(TABLE) + len % 2)?;
                continue;
            }
            field if field.starts_with(b"#1/") => {
                let long = decimal(&field[3..]).filter(|&long| long <= len.min(1 << 16));
                let Some(long) = long else { return Err(Damage::NameLengthMissing.into()) };
                let mut name = Vec::new();
                reader.take(long).read_to_end(&mut name)?;
                left -= long;
                let end = memchr::memchr(0, &name).unwrap_or(name.len());
                name[..end].to_vec()
            }
            field => match field.strip_prefix(b"/").and_then(decimal) {
                Some(at) => long_name(&table, at).to_vec(),
                None => field.strip_suffix(b"/").unwrap_or(field).to_vec(),
            },
        };
        walker.sized(place, &name, left, reader)?;
        skip(reader, len % 2)?;
    }
}

fn long_name(table: &[u8], at: u64) -> &[u8] {
    let rest = usize::try_from(at).ok().and_then(|at| table.get(at..)).unwrap_or_default();
    let line = &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len())];
    line.strip_suffix(b"/").unwrap_or(line)
}

fn decimal(field: &[u8]) -> Option<u64> {
    std::str::from_utf8(field.trim_ascii()).ok()?.parse().ok()
}
