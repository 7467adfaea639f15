use super::*;
use std::collections::BTreeSet;

/// An issue, with its severity, code and words.
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
            Unread, "file.missing", "there is no such file or folder";
        Issue::FileUnreadable { .. } = Issue::FileUnreadable { source: io_error(OTHER) },
            Unread, "file.unreadable", "cannot be read: why";
        Issue::WalkFailed { .. } = Issue::WalkFailed { source: "a loop".into() },
            Unread, "file.unreadable", "a loop";
        Issue::SpecialPath { .. } = Issue::SpecialPath { kind: "a device" },
            Unread, "file.special", "not read: it is a device; `-` reads standard input";
        Issue::SpecialFile { .. } = Issue::SpecialFile { kind: "a socket" },
            Opaque, "file.special", "not read: it is a socket";
        Issue::FileSize { .. } = Issue::FileSize { size: 7 },
            Opaque, "limit.file-size", "not read: 7 bytes exceed --max-file-size";
        Issue::StoreFileSize { .. } = Issue::StoreFileSize { size: 7 },
            Unread, "limit.file-size", "not scanned: 7 bytes exceed the limit for such a file";
        Issue::FileChanged = Issue::FileChanged,
            Unread, "file.changed", "it changed while it was read; scan it again";
        Issue::IgnoreRules { .. } = Issue::IgnoreRules { source: io_error(OTHER) },
            Opaque, "file.ignore-rules", "these ignore rules are not applied: why";
        Issue::IndexUnreadable { .. } = Issue::IndexUnreadable { source: "why".into() },
            Opaque, "git.index-unreadable",
            "the index cannot be read, so files in it that an ignore file names are left out \
             (--no-ignore reads them): why";
        Issue::LfsMissing { .. } = Issue::LfsMissing { source: "not here".into() },
            Opaque, "git.lfs-missing", "not here";
        Issue::LfsSkipped = Issue::LfsSkipped,
            Opaque, "git.lfs-skipped",
            "its Git LFS object is not scanned; `git lfs checkout` puts it in the place of this \
             pointer";
        Issue::SubmoduleMissing = Issue::SubmoduleMissing,
            Opaque, "git.submodule-missing",
            "the submodule is not checked out, so it is not scanned; \
             `git submodule update --init --recursive` checks it out";
        Issue::StreamUnreadable { stream: Stream::Stdin, .. } =
            Issue::StreamUnreadable { stream: Stream::Stdin, source: io_error(OTHER) },
            Unread, "stream.unreadable", "standard input could not be read to its end: why";
        Issue::StreamUnreadable { stream: Stream::Named, .. } =
            Issue::StreamUnreadable { stream: Stream::Named, source: io_error(OTHER) },
            Unread, "stream.unreadable", "the stream could not be read to its end: why";
        Issue::StreamSpool { .. } = Issue::StreamSpool { limit: 9 },
            Unread, "limit.archive",
            "an archive at its end was not looked for: input exceeds the limit of 9 bytes";
        Issue::EncodedTooLong { .. } = Issue::EncodedTooLong { limit: 16 << 20 },
            Opaque, "limit.decoding",
            "it has base64 of more than 16 MiB, of which what is encoded once more is looked for in \
             the first part only";
        Issue::DecodingLimit = Issue::DecodingLimit,
            Unread, "limit.decoding",
            "its base64 was decoded in part only: the content exceeds the limits on decoding; \
             decode it and scan the result";
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
            "not read to its end: it unpacks to more than 5 bytes for each of its own";
        A::Incomplete(U::Members(_)) = A::Incomplete(U::Members(5)),
            Unread, "limit.members",
            "not read to its end: it unpacks to more than 5 members";
        A::Limit(L::Depth { .. }) = A::Limit(L::Depth { format: "tar", depth: 8 }),
            Unread, "limit.archive",
            "not read: it is a tar archive in 8 others (--archive-depth)";
        A::Limit(L::Held(_)) = A::Limit(L::Held(5)),
            Unread, "limit.archive", "not read: 5 bytes are the most that is held of it";
        A::Limit(L::Unpack(_)) = A::Limit(L::Unpack(U::Bytes(5))),
            Unread, "limit.archive",
            "not read: it unpacks to more than 5 bytes (--max-unpacked)";
        A::Limit(L::ZipDirectories(_)) = A::Limit(L::ZipDirectories(5)),
            Unread, "limit.archive", "not read: it has more than 5 central directories";
        A::Limit(L::TarHeader(_)) = A::Limit(L::TarHeader(5)),
            Unread, "limit.archive", "not read: a header has more than 5 bytes";
        A::Limit(L::BundleHeader(_)) = A::Limit(L::BundleHeader(5)),
            Unread, "limit.archive", "not read: its header has more than 5 bytes";
        A::Limit(L::PackDelta { .. }) = A::Limit(L::PackDelta { len: 6, limit: 5 }),
            Unread, "limit.archive",
            "not read: the pack has a delta of 6 bytes; 5 are the most that is held";
        A::Limit(L::Repository) = A::Limit(L::Repository),
            Unread, "limit.archive", "not read: a repository in it is too large to be unpacked";
        A::Limit(L::Memory) = A::Limit(L::Memory),
            Unread, "limit.archive", "not read: it needs too much memory";
        A::Unsupported(N::ZipMethod(_)) = A::Unsupported(N::ZipMethod(7)),
            Opaque, "archive.unsupported", "not unpacked: its method 7 is not known";
        A::Unsupported(N::SevenZMethod(_)) =
            A::Unsupported(N::SevenZMethod("X".into())),
            Opaque, "archive.unsupported", "not unpacked: its method X is not known";
        A::Unsupported(N::SevenZVersion { .. }) =
            A::Unsupported(N::SevenZVersion { major: 1, minor: 2 }),
            Opaque, "archive.unsupported", "not unpacked: its version 1.2 is not known";
        A::Unsupported(N::EncryptedBlock { .. }) =
            A::Unsupported(N::EncryptedBlock { members: 2 }),
            Opaque, "archive.unsupported", "not unpacked: it is encrypted, and 2 members behind it";
        A::Unsupported(N::RpmCpio) = A::Unsupported(N::RpmCpio),
            Opaque, "archive.unsupported",
            "not unpacked: an rpm's cpio whose lengths stand in the rpm's header only";
        A::Unsupported(N::Brotli) = A::Unsupported(N::Brotli),
            Opaque, "archive.unsupported",
            "not unpacked: it is named .br and does not read as brotli";
        A::Unsupported(N::GitObjects) = A::Unsupported(N::GitObjects),
            Opaque, "archive.unsupported",
            "not unpacked: packed git objects, which are not read where histories are not";
        A::Unsupported(N::Sha256Bundle) = A::Unsupported(N::Sha256Bundle),
            Opaque, "archive.unsupported", "not unpacked: it names its objects by SHA-256";
        A::Unsupported(N::Lzw { .. }) = A::Unsupported(N::Lzw { streams: 3 }),
            Opaque, "archive.unsupported", "not unpacked: 3 of its streams are packed with LZW";
        A::Damaged(_) = A::Damaged(Damage::Checksum),
            Opaque, "archive.damaged", "damaged: a checksum does not agree";
    }
}

fn damage_rows() -> Vec<Row> {
    rows! { Damage => |damage| ArchiveIssue::Damaged(damage).into();
        Damage::ZipDirectoryMissing = Damage::ZipDirectoryMissing,
            Opaque, "archive.damaged",
            "damaged: it has no central directory; its entries are read as they lie";
        Damage::ZipDirectory = Damage::ZipDirectory,
            Opaque, "archive.damaged",
            "damaged: its central directory; its entries are read as they lie";
        Damage::ZipEntryMisplaced = Damage::ZipEntryMisplaced,
            Opaque, "archive.damaged", "damaged: it does not lie where it should";
        Damage::ZipEntryUnsized = Damage::ZipEntryUnsized,
            Opaque, "archive.damaged", "damaged: how long it is stood in the directory only";
        Damage::HeaderMissing = Damage::HeaderMissing,
            Opaque, "archive.damaged", "damaged: no header where one should be";
        Damage::BlocksSkipped { .. } = Damage::BlocksSkipped { blocks: 2 },
            Opaque, "archive.damaged",
            "damaged: no header where one should be; 2 blocks of 512 bytes were passed over";
        Damage::HeaderCut = Damage::HeaderCut,
            Opaque, "archive.damaged", "damaged: it ends within a header";
        Damage::OwnHeaderCut = Damage::OwnHeaderCut,
            Opaque, "archive.damaged", "damaged: it ends within its header";
        Damage::BundleHeaderCut = Damage::BundleHeaderCut,
            Opaque, "archive.damaged",
            "damaged: it ends within its header, or a line of that is too long";
        Damage::MemberCut = Damage::MemberCut,
            Opaque, "archive.damaged", "damaged: it ends within a member";
        Damage::NameLength = Damage::NameLength,
            Opaque, "archive.damaged", "damaged: a name has an impossible length";
        Damage::NameLengthMissing = Damage::NameLengthMissing,
            Opaque, "archive.damaged", "damaged: a name has no length";
        Damage::NameTableCut = Damage::NameTableCut,
            Opaque, "archive.damaged", "damaged: it ends within its table of names";
        Damage::PageSize = Damage::PageSize,
            Opaque, "archive.damaged", "damaged: its pages have an impossible size";
        Damage::LooseHeaderMissing = Damage::LooseHeaderMissing,
            Opaque, "archive.damaged", "damaged: it has no header";
        Damage::PackHeader = Damage::PackHeader,
            Opaque, "archive.damaged", "damaged: the pack's header is wrong";
        Damage::PackChecksum = Damage::PackChecksum,
            Opaque, "archive.damaged", "damaged: the pack: its checksum is wrong";
        Damage::PackObject { .. } =
            Damage::PackObject { number: 1, count: 3, source: io_error(OTHER) },
            Opaque, "archive.damaged", "damaged: the pack: object 1 of 3: why";
        Damage::PackIndex { .. } =
            Damage::PackIndex { message: "why".into() },
            Opaque, "archive.damaged", "damaged: the pack: why";
        Damage::Pack(_) = Damage::Pack(pack_error()),
            Opaque, "archive.damaged", "damaged: the pack: it is truncated";
        Damage::Checksum = Damage::Checksum,
            Opaque, "archive.damaged", "damaged: a checksum does not agree";
        Damage::SevenZHeader = Damage::SevenZHeader,
            Opaque, "archive.damaged", "damaged: its header is wrong";
        Damage::Decoder { .. } = Damage::Decoder { message: "why".into() },
            Opaque, "archive.damaged", "damaged: why";
        Damage::Block(_) = Damage::Block(io_error(OTHER)),
            Opaque, "archive.damaged", "damaged: why";
        Damage::Following { .. } =
            Damage::Following { damage: Damage::Checksum.into(), members: 1 },
            Opaque, "archive.damaged", "damaged: a checksum does not agree; and 1 member behind it";
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
fn an_io_error_of_the_file_system_matters_more_than_one_of_a_decoder() {
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
