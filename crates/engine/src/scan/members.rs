//! Scans archives in git objects: tokens in their members are attributed to the object.
//!
//! Such tokens have no offset in the object. Their locations depend on the path of the archive, so the
//! archive is walked again once the object is attributed.

use super::scope::within;
use crate::detect::{Detector, EncodedArchive, Haystack, Match, Scratch};
use crate::source::archive::{
    self, ArchiveFile, ArchiveOptions, Format, GitHandling, Input, MemberSink, WalkCount,
};
use crate::source::{Run, add};
use ddpatrol_pack::Kind;
use ddpatrol_scan::Issue;
use ddpatrol_scan::blob::{Blob, Origin};
use ddpatrol_scan::finding::{ENCODED, MatchWindow};
use ddpatrol_scan::issue::{ArchiveIssue, ArchiveLimit};
use ddpatrol_scan::place::Place;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

/// Number of bytes of an object that are inspected to detect an archive.
pub(super) const HEAD: usize = archive::HEAD;

/// Returns the archive format of a whole blob, if it is an archive.
pub(super) fn format(bytes: &[u8]) -> Option<Format> {
    let head = &bytes[..bytes.len().min(HEAD)];
    match archive::detect(head, Path::new("")) {
        None if archive::may_be_elsewhere(&mut archive::Memory(bytes)) => {
            archive::detect_whole(&mut Cursor::new(bytes), Path::new("")).ok().flatten()
        }
        format => format,
    }
}

/// Called with the matches in members: the window, the match, the token.
type OnMember<'a> = &'a mut dyn FnMut(&mut MatchWindow<'_>, Match, &[u8]);

/// The parameters of a walk.
pub(super) struct Walk<'a> {
    pub(super) detector: &'a Detector,
    pub(super) options: &'a ArchiveOptions,
    pub(super) run: &'a Run,
    pub(super) reporting: Reporting,
}

/// Whether a walk counts members and reports issues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reporting {
    Full,
    /// An earlier walk has done so.
    Silent,
}

impl Walk<'_> {
    /// Calls `on_match` with every match in the members of an archive; `place` is the archive.
    pub(super) fn walk(&self, bytes: &[u8], format: Format, place: Place, on_match: OnMember<'_>) {
        let found = ArchiveFile { place, format, layer: None };
        let scratch = Scratch::interruptible(self.run.stop_flag()).collecting_archives();
        let mut members = Members { walk: self, scratch, on_match };
        let input = Input::Whole(&mut Cursor::new(bytes));
        if let Err(error) = archive::walk(input, &found, self.options, &mut members) {
            members.issue(ArchiveIssue::NotOpened(error), &found.place);
        }
    }
}

/// Whether bytes are an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IsArchive {
    Yes,
    No,
}

/// The bytes of a blob, and the archives that it contains as base64.
pub(super) struct ArchiveContent<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) encoded: &'a [EncodedArchive],
}

/// Where archives are encoded.
pub(super) struct EncodedPlace<'a> {
    /// The blob that contains them.
    pub(super) blob: &'a Place,
    /// The offset of the searched bytes in the blob.
    pub(super) offset: u64,
}

impl Walk<'_> {
    /// Calls `on_match` with every match in the members of an archive, and of archives that are encoded in
    /// it. Returns whether there are any.
    pub(super) fn content(
        &self,
        content: &ArchiveContent<'_>,
        place: &Place,
        on_match: OnMember<'_>,
    ) -> IsArchive {
        let format = format(content.bytes);
        if let Some(format) = format {
            self.walk(content.bytes, format, place.clone(), on_match);
        }
        self.encoded(content.encoded, &EncodedPlace { blob: place, offset: 0 }, on_match);
        let is_any = format.is_some() || !content.encoded.is_empty();
        if is_any { IsArchive::Yes } else { IsArchive::No }
    }

    /// Calls `on_match` with every match in the members of archives that were decoded from base64. Their
    /// places name the offset of the base64.
    pub(super) fn encoded(
        &self,
        archives: &[EncodedArchive],
        place: &EncodedPlace<'_>,
        on_match: OnMember<'_>,
    ) {
        let EncodedPlace { blob, offset } = place;
        // Content is never a container.
        let container = match blob {
            Place::Content(compressed) => Arc::clone(compressed),
            _ => Arc::new(Place::clone(blob)),
        };
        for archive in archives {
            let Some(format) = format(&archive.bytes) else { continue };
            let at = offset + archive.start as u64;
            let path = format!("{ENCODED}{at}").into();
            let place = Place::Member { container: Arc::clone(&container), path };
            let depth = 1 + place.containers().filter(|it| it.is_member()).count();
            if depth > self.options.depth {
                let limit = ArchiveLimit::Depth { format: format.name(), depth };
                if self.reporting == Reporting::Full {
                    self.run.report(ArchiveIssue::Limit(limit), Some(place));
                }
                continue;
            }
            self.walk(&archive.bytes, format, place, on_match);
        }
    }
}

struct Members<'a> {
    walk: &'a Walk<'a>,
    scratch: Scratch,
    on_match: OnMember<'a>,
}

impl MemberSink for Members<'_> {
    fn blob(&mut self, blob: &Blob<'_>) {
        let within = within(blob.origin, blob.offset);
        let mut window = MatchWindow::new(blob);
        let detector = self.walk.detector;
        let on_match = &mut self.on_match;
        let haystack = Haystack { bytes: blob.bytes, kind: within };
        detector.find(haystack, blob.own.clone(), &mut self.scratch, |found, token| {
            on_match(&mut window, found, token);
        });
        let archives = self.scratch.take_archives();
        if let (false, Origin::File(place)) = (archives.is_empty(), blob.origin) {
            let place = EncodedPlace { blob: &place.to_place(), offset: blob.offset };
            self.walk.encoded(&archives, &place, &mut **on_match);
        }
        if self.scratch.take_overrun() && self.walk.reporting == Reporting::Full {
            report_overrun(self.walk.run, blob.origin);
        }
    }

    fn issue(&mut self, issue: ArchiveIssue, place: &Place) {
        if self.walk.reporting == Reporting::Full {
            self.walk.run.report(issue, Some(place));
        }
    }

    fn count(&mut self, counted: WalkCount) {
        if self.walk.reporting == Reporting::Silent {
            return;
        }
        let tally = &self.walk.run.tally;
        match counted {
            WalkCount::Archive => add(&tally.archives, 1),
            WalkCount::Member => add(&tally.members, 1),
            WalkCount::Unpacked(len) => add(&tally.unpacked, len),
            WalkCount::Input(_) => {}
        }
    }

    fn is_interrupted(&self) -> bool {
        self.walk.run.is_interrupted()
    }

    /// A repository in a git object has no place to be read from.
    fn git_handling(&self) -> GitHandling {
        GitHandling::Objects
    }
}

/// Reports encoded text that was not decoded to its end.
pub(super) fn report_overrun(run: &Run, origin: Origin<'_>) {
    let place = match origin {
        Origin::File(place) => Some(place.to_place()),
        Origin::Stdin => None,
        Origin::Object(id, kind) => Some(Place::Object(id, kind)),
        Origin::Lfs(id) => Some(Place::Object(id, Kind::Blob)),
        Origin::Name(_) | Origin::Text(_) | Origin::Ref(..) => Some(Place::Stdin),
    };
    run.report(Issue::DecodingLimit, place);
}
