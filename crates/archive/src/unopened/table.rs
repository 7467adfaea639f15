//! The signatures of formats that are not opened.
//!
//! Input: the first bytes of content. Output: the format. Every signature that ordinary text could begin
//! with has a check of the fields after it.

use super::Unopened;
use crate::zip_directory::{u16_at, u32_at};

/// A signature at the beginning of a file.
struct ContainerSignature {
    magic: &'static [u8],
    format: Unopened,
    /// Checks the fields after the magic bytes.
    is_valid: fn(&[u8]) -> bool,
}

const fn sig(
    magic: &'static [u8],
    format: Unopened,
    is_valid: fn(&[u8]) -> bool,
) -> ContainerSignature {
    ContainerSignature { magic, format, is_valid }
}

/// For signatures that are long, or contain bytes that text does not.
const fn always(_: &[u8]) -> bool {
    true
}

/// The signatures, sorted by their first byte.
const SIGNATURES: &[ContainerSignature] = &[
    sig(b"\x19\x85", Unopened::Jffs2, |head| {
        matches!(head.get(2..4), Some([0x20, 3] | [0xe0, 1 | 2]))
    }),
    sig(b"\x1f\x1e", Unopened::Pack, is_pack),
    sig(b"\x31\x18\x10\x06", Unopened::Ubi, always),
    sig(b"\x37\xe4\x53\x96\xc9\xdb\xd6\x07", Unopened::Zisofs, always),
    sig(b"7kSt\xa0\x31\x83\xd3", Unopened::Zpaq, always),
    sig(b"<<< ", Unopened::Vdi, |head| head.get(64..68) == Some(b"\x7f\x10\xda\xbe")),
    sig(b"AA01", Unopened::AppleArchive, is_apple_archive),
    sig(b"ALZ\x01", Unopened::Alz, always),
    sig(b"ANDROID BACKUP\n", Unopened::AndroidBackup, is_backup),
    sig(b"ArC\x01", Unopened::FreeArc, always),
    sig(b"COWD", Unopened::Vmdk, |head| matches!(le32(head, 4), Some(1..=3))),
    sig(b"CWS", Unopened::Flash, |head| is_flash(head) && head.get(8) == Some(&0x78)),
    sig(b"E=\xcd\x28", Unopened::Cramfs, always),
    sig(b"ISc(", Unopened::InstallShield, |head| matches!(head.get(7), Some(1 | 2 | 4))),
    sig(b"ITSF", Unopened::Chm, |head| matches!(le32(head, 4), Some(2..=4))),
    sig(b"KDMV", Unopened::Vmdk, |head| matches!(le32(head, 4), Some(1..=3))),
    sig(b"KWAJ\x88\xf0\x27\xd1", Unopened::Kwaj, always),
    sig(b"LPKSHHRH", Unopened::Journal, |head| {
        le32(head, 12).is_some_and(|flags| flags < 0x100 && flags & JOURNAL_COMPRESSED != 0)
    }),
    sig(b"LRZI", Unopened::Lrzip, |head| head.get(4) == Some(&0) && head.get(5) < Some(&32)),
    sig(b"LUKS\xba\xbe", Unopened::Luks, |head| matches!(be16(head, 6), Some(1 | 2))),
    sig(b"MAM\x04", Unopened::Prefetch, always),
    sig(b"MSWIM\0\0\0", Unopened::Wim, always),
    sig(b"ORC", Unopened::Orc, |head| head.get(3..16).is_some_and(has_control)),
    sig(b"Obj\x01", Unopened::Avro, always),
    sig(b"PAR1\x15", Unopened::Parquet, always),
    sig(b"PARE", Unopened::Parquet, |head| head.get(4..16).is_some_and(has_control)),
    sig(b"QED\0", Unopened::Qed, always),
    sig(b"QFI\xfb", Unopened::Qcow, |head| matches!(be32(head, 4), Some(1..=3))),
    sig(b"REDIS00", Unopened::RedisDump, |head| head.get(9).is_some_and(|byte| *byte >= 0xf5)),
    sig(b"RZIP\x02", Unopened::Rzip, always),
    sig(b"Rar!\x1a\x07\0", Unopened::Rar, always),
    sig(b"Rar!\x1a\x07\x01\0", Unopened::Rar, always),
    sig(b"SIT!", Unopened::StuffIt, |head| head.get(10..14) == Some(b"rLau")),
    sig(b"SZDD\x88\xf0\x27\x33", Unopened::Szdd, always),
    sig(b"StuffIt (c)1997-", Unopened::StuffIt, |head| head.get(16..90).is_some_and(has_control)),
    sig(b"StuffIt!", Unopened::StuffIt, |head| head.get(8..12).is_some_and(has_control)),
    sig(b"UBI#\x01", Unopened::Ubi, always),
    sig(b"WLPWM\0\0\0", Unopened::Wim, always),
    sig(b"YAA1", Unopened::AppleArchive, is_apple_archive),
    sig(b"ZOO ", Unopened::Zoo, |head| le32(head, 20) == Some(0xfdc4_a7dc)),
    sig(b"ZWS", Unopened::Flash, is_flash),
    sig(b"\x60\xea", Unopened::Arj, is_arj),
    sig(b"bvx", Unopened::Lzfse, |head| {
        matches!(head.get(3), Some(b'1' | b'2' | b'n' | b'-'))
            && head.get(4..16).is_some_and(has_control)
    }),
    sig(b"conectix", Unopened::Vhd, is_vhd),
    sig(b"hsqs", Unopened::Squashfs, is_squashfs),
    sig(b"mozLz40\0", Unopened::MozLz4, always),
    sig(b"pbzx\0\0", Unopened::Pbzx, always),
    sig(b"qshs", Unopened::Squashfs, is_squashfs),
    sig(b"shsq", Unopened::Squashfs, is_squashfs),
    sig(b"sqsh", Unopened::Squashfs, is_squashfs),
    sig(b"vhdxfile", Unopened::Vhdx, |head| head.get(8..16).is_some_and(|it| it.contains(&0))),
    sig(b"xar!\0", Unopened::Xar, |head| be16(head, 6) == Some(1)),
    sig(b"zPQ", Unopened::Zpaq, |head| matches!(head.get(3..5), Some([1 | 2, 1]))),
    sig(b"\x7fELF", Unopened::AppImage, is_app_image),
    sig(b"\x85\x19", Unopened::Jffs2, |head| {
        matches!(head.get(2..4), Some([3, 0x20] | [1 | 2, 0xe0]))
    }),
    sig(b"\x89HDF\r\n\x1a\n", Unopened::Hdf5, always),
    sig(b"\x89LZO\0\r\n\x1a\n", Unopened::Lzop, always),
    sig(b"\xca\xfe\xd0\x0d", Unopened::Pack200, |head| {
        matches!(head.get(4..6), Some([0..=9, 150 | 160 | 170 | 171]))
    }),
    sig(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Unopened::Ole, always),
    sig(b"\xeb", Unopened::BitLocker, |head| head.get(3..11) == Some(b"-FVE-FS-")),
    sig(b"\xff\x06\0\0sNaPpY", Unopened::SnappyFramed, always),
];

/// The flags of a journal whose entries are compressed by XZ, LZ4 or zstd.
const JOURNAL_COMPRESSED: u32 = 1 | 2 | 8;

/// For each byte, the number of signatures that begin with a smaller one.
const STARTS: [u8; 257] = starts();

const fn starts() -> [u8; 257] {
    let mut starts = [0; 257];
    let mut at = 0;
    while at < SIGNATURES.len() {
        let mut byte = SIGNATURES[at].magic[0] as usize + 1;
        while byte < starts.len() {
            starts[byte] += 1;
            byte += 1;
        }
        at += 1;
    }
    starts
}

/// Detects a format that is not opened. The first byte selects the signatures to compare.
pub(crate) fn detect(head: &[u8]) -> Option<Unopened> {
    let first = usize::from(*head.first()?);
    let (from, to) = (usize::from(STARTS[first]), usize::from(STARTS[first + 1]));
    let found = SIGNATURES[from..to]
        .iter()
        .find(|it| head.starts_with(it.magic) && (it.is_valid)(head))
        .map(|it| it.format);
    found.or_else(|| behind_lengths(head))
}

/// Detects the formats whose magic bytes follow lengths and checksums.
fn behind_lengths(head: &[u8]) -> Option<Unopened> {
    if head.get(2) == Some(&b'-') && head.get(6) == Some(&b'-') && is_lha(head) {
        return Some(Unopened::Lha);
    }
    if head.get(1_024..1_028) == Some(b"\xe2\xe1\xf5\xe0") {
        return Some(Unopened::Erofs);
    }
    (head.get(7..14) == Some(b"**ACE**")).then_some(Unopened::Ace)
}

fn le32(head: &[u8], at: usize) -> Option<u32> {
    head.get(at..at + 4).map(|it| u32_at(it, 0))
}

fn be32(head: &[u8], at: usize) -> Option<u32> {
    le32(head, at).map(u32::swap_bytes)
}

fn be16(head: &[u8], at: usize) -> Option<u16> {
    head.get(at..at + 2).map(|it| u16_at(it, 0).swap_bytes())
}

/// Returns `true` if the bytes contain a control character that text does not.
fn has_control(bytes: &[u8]) -> bool {
    bytes.iter().any(|&byte| byte < b'\t' || (0x0e..0x20).contains(&byte))
}

/// Checks the number of levels of a Huffman tree.
fn is_pack(head: &[u8]) -> bool {
    matches!(be32(head, 2), Some(1..=0x7fff_ffff)) && matches!(head.get(6), Some(1..=24))
}

/// Checks the length of the header and its checksum.
fn is_arj(head: &[u8]) -> bool {
    let Some(len) = head.get(2..4).map(|it| usize::from(u16_at(it, 0))) else { return false };
    let header = head.get(4..4 + len);
    len >= 30
        && header.is_some_and(|it| {
            usize::from(it[0]) <= len && le32(head, 4 + len) == Some(crc32fast::hash(it))
        })
}

/// Checks the level, and the checksum of the levels that have one.
fn is_lha(head: &[u8]) -> bool {
    let is_method = matches!(
        head.get(3..6),
        Some([b'l', b'h', b'0'..=b'9' | b'd' | b'x'] | [b'l', b'z', b's' | b'2'..=b'8'])
            | Some([b'p', b'm', b'0'..=b'2' | b's'])
    );
    let sum = |it: &[u8]| it.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    is_method
        && match head.get(20) {
            Some(0 | 1) => {
                let header = head.get(2..2 + usize::from(head[0]));
                head[0] >= 20 && header.is_some_and(|it| sum(it) == head[1])
            }
            // A file of level 2 is at least as long as its header.
            Some(2) => u16_at(head, 0) >= 24,
            Some(3) => u16_at(head, 0) == 4,
            _ => false,
        }
}

/// Checks the major version, which is at the same offset in all versions and either byte order.
pub(crate) fn is_squashfs(head: &[u8]) -> bool {
    matches!(head.get(28..32), Some([1..=4, 0, 0 | 1, 0] | [0, 1..=4, 0, 0 | 1]))
}

/// Checks the lines for the version, the compression and the encryption.
/// The others are opened.
fn is_backup(head: &[u8]) -> bool {
    let mut lines = head.split(|byte| *byte == b'\n').skip(1);
    let version = lines.next().unwrap_or_default();
    version.len() < 3
        && version.iter().all(u8::is_ascii_digit)
        && matches!(lines.next(), Some(b"0" | b"1"))
        && lines.next() != Some(b"none")
}

fn is_app_image(head: &[u8]) -> bool {
    matches!(head.get(8..11), Some([b'A', b'I', 1 | 2]))
}

fn is_apple_archive(head: &[u8]) -> bool {
    // The length of the header, then the tags of its fields.
    head.get(4..6).is_some_and(|it| (6..4096).contains(&u16_at(it, 0)))
        && head.get(6..12).is_some_and(|it| it.starts_with(b"TYP") || it.starts_with(b"YOP"))
}

/// Checks the version, and that the length that follows is below 16 MiB.
fn is_flash(head: &[u8]) -> bool {
    matches!(head.get(3), Some(6..=43)) && head.get(7) == Some(&0)
}

/// Checks the footer of a VHD: its version and the kind of disk.
pub(crate) fn is_vhd(footer: &[u8]) -> bool {
    footer.starts_with(b"conectix")
        && be32(footer, 12) == Some(0x0001_0000)
        && matches!(be32(footer, 60), Some(2..=4))
}

/// Checks the trailer of a DMG: its version and length.
pub(crate) fn is_dmg(trailer: &[u8]) -> bool {
    trailer.starts_with(b"koly") && be32(trailer, 4) == Some(4) && be32(trailer, 8) == Some(512)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_sorted_by_their_first_byte() {
        assert!(SIGNATURES.is_sorted_by_key(|it| it.magic[0]));
        assert!(u8::try_from(SIGNATURES.len()).is_ok());
    }

    #[test]
    fn text_that_begins_as_a_signature_is_not_detected() {
        for signature in SIGNATURES {
            let Ok(text) = std::str::from_utf8(signature.magic) else { continue };
            if text.bytes().any(|byte| byte < b' ' && byte != b'\n') {
                continue;
            }
            for more in ["", " and more text", "=value\n", "0123456789 x\n", "\n\n", "-lh5-"] {
                let text = format!("{text}{more}{}", "lines of a text\n".repeat(90));
                let text = &text.as_bytes()[..1_024];
                assert_eq!(detect(text), None, "{}", text.escape_ascii());
            }
        }
    }
}
