use super::*;
use std::collections::BTreeSet;

/// An issue, with its severity, code and message.
type Row = (Issue, Severity, &'static str, &'static str);

/// Makes rows from the variants of an enum. A variant without a row does not compile, because the
/// patterns must be exhaustive.
macro_rules! rows {
    ($enum:ident => $wrap:expr;
     $($pattern:pat = $issue:expr, $severity:ident, $code:literal, $words:literal;)+) => {{
        fn _has_row(issue: &$enum) {
            match issue {
                $($pattern => {})+
            }
        }
        let wrap: fn($enum) -> Issue = $wrap;
        vec![$((wrap($issue), Severity::$severity, $code, $words),)+]
    }};
}

mod git;

const OTHER: io::ErrorKind = io::ErrorKind::Other;

fn io_error(kind: io::ErrorKind) -> io::Error {
    io::Error::new(kind, "why")
}

fn pack_error() -> ddpatrol_pack::PackError {
    let fault = ddpatrol_pack::Fault::Truncated;
    ddpatrol_pack::PackError { path: "a.pack".into(), offset: Some(12), id: None, fault }
}

fn rows() -> Vec<Row> {
    rows! { Issue => |issue| issue;
        Issue::PathMissing = Issue::PathMissing,
            Unread, "file.missing", "no such file or folder";
        Issue::FileUnreadable { .. } = Issue::FileUnreadable { source: io_error(OTHER) },
            Unread, "file.unreadable", "cannot be read: why";
        Issue::WalkFailed { .. } = Issue::WalkFailed { source: "a loop".into() },
            Unread, "file.unreadable", "a loop";
        Issue::SpecialPath { .. } = Issue::SpecialPath { kind: "a device" },
            Unread, "file.special", "not read: it is a device; use `-` for standard input";
        Issue::SpecialFile { .. } = Issue::SpecialFile { kind: "a socket" },
            Opaque, "file.special", "not read: it is a socket";
        Issue::FileSize { .. } = Issue::FileSize { size: 7 },
            Opaque, "limit.file-size", "not read: 7 bytes exceed --max-file-size";
        Issue::StoreFileSize { .. } = Issue::StoreFileSize { size: 7 },
            Unread, "limit.file-size", "not scanned: 7 bytes exceed the limit for files of a git directory";
        Issue::FileChanged = Issue::FileChanged,
            Unread, "file.changed", "changed while it was read; scan it again";
        Issue::IgnoreRules { .. } = Issue::IgnoreRules { source: io_error(OTHER) },
            Opaque, "file.ignore-rules", "ignore rules not applied: why";
        Issue::IndexUnreadable { .. } = Issue::IndexUnreadable { source: "why".into() },
            Opaque, "git.index-unreadable",
            "cannot read the index, so tracked files that match ignore rules were skipped \
             (--no-ignore reads them): why";
        Issue::LfsMissing { .. } = Issue::LfsMissing { source: "not here".into() },
            Opaque, "git.lfs-missing", "not here";
        Issue::LfsSkipped = Issue::LfsSkipped,
            Opaque, "git.lfs-skipped",
            "its Git LFS object was not scanned; run `git lfs checkout` to replace the pointer with \
             the object";
        Issue::SubmoduleMissing = Issue::SubmoduleMissing,
            Opaque, "git.submodule-missing",
            "submodule not checked out, so it was not scanned; run \
             `git submodule update --init --recursive`";
        Issue::StreamUnreadable { stream: Stream::Stdin, .. } =
            Issue::StreamUnreadable { stream: Stream::Stdin, source: io_error(OTHER) },
            Unread, "stream.unreadable", "cannot read standard input to its end: why";
        Issue::StreamUnreadable { stream: Stream::Named, .. } =
            Issue::StreamUnreadable { stream: Stream::Named, source: io_error(OTHER) },
            Unread, "stream.unreadable", "cannot read the stream to its end: why";
        Issue::StreamSpool { .. } = Issue::StreamSpool { limit: 9 },
            Unread, "limit.archive",
            "not searched for an archive at its end: the input exceeds the limit of 9 bytes";
        Issue::EncodedTooLong { .. } = Issue::EncodedTooLong { limit: 16 << 20 },
            Opaque, "limit.decoding",
            "base64 longer than 16 MiB: nested encodings were decoded only in its first part";
        Issue::DecodingLimit = Issue::DecodingLimit,
            Unread, "limit.decoding",
            "base64 was decoded only in part: it exceeds the decoding limits; decode it and scan \
             the result";
        Issue::ArchiveInLargeObject = Issue::ArchiveInLargeObject,
            Opaque, "limit.object-size", "archives in git objects of this size are not opened";
        Issue::Recorded { .. } =
            Issue::Recorded { severity: Severity::Opaque, code: Code::PartialClone, message: "words".into() },
            Opaque, "git.partial-clone", "words";
        Issue::Git(_) = GitIssue::NotAGitFolder.into(),
            Opaque, "git.not-a-repository", "not a git repository";
        Issue::Archive(_) = ArchiveIssue::Encrypted.into(),
            Opaque, "archive.encrypted", "not unpacked: it is encrypted";
    }
}

fn archive_rows() -> Vec<Row> {
    use ArchiveIssue as A;
    use ArchiveLimit as L;
    use UnpackLimit as U;
    use Unsupported as N;
    rows! { ArchiveIssue => Issue::Archive;
        A::Encrypted = A::Encrypted,
            Opaque, "archive.encrypted", "not unpacked: it is encrypted";
        A::Unreadable(_) = A::Unreadable(io_error(OTHER)),
            Opaque, "archive.unreadable", "damaged, or cannot be read to its end: why";
        A::NotOpened(_) = A::NotOpened(io_error(io::ErrorKind::PermissionDenied)),
            Unread, "archive.unreadable", "cannot be unpacked: why";
        A::Incomplete(U::Bytes(_)) = A::Incomplete(U::Bytes(5)),
            Unread, "limit.unpacked-size",
            "not read to its end: it unpacks to more than 5 bytes (--max-unpacked)";
        A::Incomplete(U::Ratio(_)) = A::Incomplete(U::Ratio(5)),
            Unread, "limit.unpack-ratio",
            "not read to its end: it unpacks to more than 5 times its own size";
        A::Incomplete(U::Members(_)) = A::Incomplete(U::Members(5)),
            Unread, "limit.members",
            "not read to its end: it unpacks to more than 5 members";
        A::Limit(L::Depth { .. }) = A::Limit(L::Depth { format: "tar", depth: 8 }),
            Unread, "limit.archive",
            "not read: tar archive inside 8 other archives; raise --archive-depth to open it";
        A::Limit(L::Held(_)) = A::Limit(L::Held(5)),
            Unread, "limit.archive", "not read: exceeds the limit of 5 bytes for a nested archive";
        A::Limit(L::Unpack(_)) = A::Limit(L::Unpack(U::Bytes(5))),
            Unread, "limit.archive",
            "not read: it unpacks to more than 5 bytes (--max-unpacked)";
        A::Limit(L::ZipDirectories(_)) = A::Limit(L::ZipDirectories(5)),
            Unread, "limit.archive", "not read: more than 5 central directories";
        A::Limit(L::TarHeader(_)) = A::Limit(L::TarHeader(5)),
            Unread, "limit.archive", "not read: a header exceeds the limit of 5 bytes";
        A::Limit(L::BundleHeader(_)) = A::Limit(L::BundleHeader(5)),
            Unread, "limit.archive", "not read: its header exceeds the limit of 5 bytes";
        A::Limit(L::PackDelta { .. }) = A::Limit(L::PackDelta { len: 6, limit: 5 }),
            Unread, "limit.archive",
            "not read: a delta of 6 bytes in the pack exceeds the limit of 5 bytes";
        A::Limit(L::Repository) = A::Limit(L::Repository),
            Unread, "limit.archive", "not read: a repository in it exceeds the size limit";
        A::Limit(L::Memory) = A::Limit(L::Memory),
            Unread, "limit.archive", "not read: its decoder needs too much memory";
        A::Unsupported(N::Format { .. }) = A::Unsupported(N::Format { name: "RAR archives" }),
            Opaque, "archive.format", "not unpacked: RAR archives are not supported";
        A::Unsupported(N::ZipMethod(_)) = A::Unsupported(N::ZipMethod(7)),
            Opaque, "archive.unsupported", "not unpacked: unsupported compression method 7";
        A::Unsupported(N::CabMethod(_)) = A::Unsupported(N::CabMethod("LZX")),
            Opaque, "archive.unsupported", "not unpacked: unsupported compression method LZX";
        A::Unsupported(N::SevenZMethod(_)) =
            A::Unsupported(N::SevenZMethod("X".into())),
            Opaque, "archive.unsupported", "not unpacked: unsupported compression method X";
        A::Unsupported(N::SevenZVersion { .. }) =
            A::Unsupported(N::SevenZVersion { major: 1, minor: 2 }),
            Opaque, "archive.unsupported", "not unpacked: unsupported version 1.2";
        A::Unsupported(N::EncryptedBlock { .. }) =
            A::Unsupported(N::EncryptedBlock { members: 2 }),
            Opaque, "archive.unsupported", "not unpacked: it is encrypted, together with 2 members after it";
        A::Unsupported(N::RpmCpio) = A::Unsupported(N::RpmCpio),
            Opaque, "archive.unsupported",
            "not unpacked: cpio whose file sizes are recorded only in the rpm header";
        A::Unsupported(N::Brotli) = A::Unsupported(N::Brotli),
            Opaque, "archive.unsupported",
            "not unpacked: named .br, but not valid brotli";
        A::Unsupported(N::GitObjects) = A::Unsupported(N::GitObjects),
            Opaque, "archive.unsupported",
            "not unpacked: packed git objects, which a scan without git histories does not read";
        A::Unsupported(N::Sha256Bundle) = A::Unsupported(N::Sha256Bundle),
            Opaque, "archive.unsupported", "not unpacked: a bundle with SHA-256 object ids, which is not supported";
        A::Unsupported(N::PdfFonts { .. }) = A::Unsupported(N::PdfFonts { fonts: 2 }),
            Opaque, "archive.unsupported", "not unpacked: text in 2 fonts without a map to Unicode";
        A::Damaged(_) = A::Damaged(Damage::Checksum),
            Opaque, "archive.damaged", "damaged: checksum mismatch";
    }
}

fn damage_rows() -> Vec<Row> {
    rows! { Damage => |damage| ArchiveIssue::Damaged(damage).into();
        Damage::ZipDirectoryMissing = Damage::ZipDirectoryMissing,
            Opaque, "archive.damaged",
            "damaged: no central directory; entries were read in file order";
        Damage::ZipDirectory = Damage::ZipDirectory,
            Opaque, "archive.damaged",
            "damaged: invalid central directory; entries were read in file order";
        Damage::ZipEntryMisplaced = Damage::ZipEntryMisplaced,
            Opaque, "archive.damaged", "damaged: local header is not at the offset given by the central directory";
        Damage::ZipEntryUnsized = Damage::ZipEntryUnsized,
            Opaque, "archive.damaged", "damaged: entry size is recorded only in the central directory, which is missing";
        Damage::HeaderMissing = Damage::HeaderMissing,
            Opaque, "archive.damaged", "damaged: no header where one is expected";
        Damage::BlocksSkipped { .. } = Damage::BlocksSkipped { blocks: 2 },
            Opaque, "archive.damaged",
            "damaged: no header where one is expected; skipped 2 blocks of 512 bytes";
        Damage::HeaderCut = Damage::HeaderCut,
            Opaque, "archive.damaged", "damaged: truncated within a header";
        Damage::OwnHeaderCut = Damage::OwnHeaderCut,
            Opaque, "archive.damaged", "damaged: truncated within its header";
        Damage::BundleHeaderCut = Damage::BundleHeaderCut,
            Opaque, "archive.damaged",
            "damaged: truncated within its header, or a header line is too long";
        Damage::MemberCut = Damage::MemberCut,
            Opaque, "archive.damaged", "damaged: truncated within a member";
        Damage::NameLength = Damage::NameLength,
            Opaque, "archive.damaged", "damaged: invalid name length";
        Damage::NameLengthMissing = Damage::NameLengthMissing,
            Opaque, "archive.damaged", "damaged: name without a length";
        Damage::NameTableCut = Damage::NameTableCut,
            Opaque, "archive.damaged", "damaged: truncated within its table of names";
        Damage::PageSize = Damage::PageSize,
            Opaque, "archive.damaged", "damaged: invalid page size";
        Damage::LooseHeaderMissing = Damage::LooseHeaderMissing,
            Opaque, "archive.damaged", "damaged: no object header";
        Damage::PackHeader = Damage::PackHeader,
            Opaque, "archive.damaged", "damaged: invalid pack header";
        Damage::PackChecksum = Damage::PackChecksum,
            Opaque, "archive.damaged", "damaged: pack checksum mismatch";
        Damage::PackObject { .. } =
            Damage::PackObject { number: 1, count: 3, source: io_error(OTHER) },
            Opaque, "archive.damaged", "damaged: pack object 1 of 3: why";
        Damage::PackIndex { .. } =
            Damage::PackIndex { message: "why".into() },
            Opaque, "archive.damaged", "damaged: pack: why";
        Damage::Pack(_) = Damage::Pack(pack_error()),
            Opaque, "archive.damaged", "damaged: pack: it is truncated";
        Damage::Checksum = Damage::Checksum,
            Opaque, "archive.damaged", "damaged: checksum mismatch";
        Damage::SevenZHeader = Damage::SevenZHeader,
            Opaque, "archive.damaged", "damaged: invalid header";
        Damage::Decoder { .. } = Damage::Decoder { message: "why".into() },
            Opaque, "archive.damaged", "damaged: why";
        Damage::Block(_) = Damage::Block(io_error(OTHER)),
            Opaque, "archive.damaged", "damaged: why";
        Damage::Following { .. } =
            Damage::Following { damage: Damage::Checksum.into(), members: 1 },
            Opaque, "archive.damaged", "damaged: checksum mismatch; lost with 1 member after it";
    }
}

#[test]
fn every_issue_has_a_severity_a_code_and_words() {
    let rows = rows().into_iter().chain(archive_rows()).chain(damage_rows());
    let rows: Vec<Row> = rows.chain(git::rows()).collect();
    for (issue, severity, code, words) in &rows {
        let actual = (issue.severity(), issue.code().name(), issue.to_string());
        assert_eq!(actual, (*severity, *code, (*words).to_owned()), "{issue:?}");
    }
    let is_typed = |issue: &&Issue| !matches!(issue, Issue::Recorded { .. });
    let issues = rows.iter().map(|(issue, ..)| issue);
    let typed: BTreeSet<Code> = issues.filter(is_typed).map(Issue::code).collect();
    for &code in Code::ALL {
        let name = code.name();
        assert!(typed.contains(&code), "{name}");
    }
}

#[test]
fn an_io_error_of_the_file_system_is_more_severe_than_one_of_a_decoder() {
    for (kind, severity) in [
        (io::ErrorKind::InvalidData, Severity::Opaque),
        (io::ErrorKind::UnexpectedEof, Severity::Opaque),
        (io::ErrorKind::PermissionDenied, Severity::Unread),
        (io::ErrorKind::StorageFull, Severity::Unread),
    ] {
        assert_eq!(ArchiveIssue::Unreadable(io_error(kind)).severity(), severity, "{kind}");
    }
}

#[test]
fn an_issue_keeps_the_error_that_caused_it() {
    let source = |issue: Issue| issue.source().map(ToString::to_string);
    let io = || io_error(io::ErrorKind::Other);
    assert_eq!(source(Issue::FileUnreadable { source: io() }).as_deref(), Some("why"));
    assert_eq!(source(Issue::WalkFailed { source: "a loop".into() }).as_deref(), Some("a loop"));
    assert_eq!(source(ArchiveIssue::Unreadable(io()).into()).as_deref(), Some("why"));
    let damage = Damage::Following { damage: Box::new(Damage::Pack(pack_error())), members: 1 };
    let pack = source(ArchiveIssue::Damaged(damage).into());
    assert_eq!(pack.as_deref(), Some("a.pack, offset 12: it is truncated"));
    assert_eq!(source(Issue::PathMissing), None);
}
