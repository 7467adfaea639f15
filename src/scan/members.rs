//! Scans archives in git objects: tokens in their members are attributed to the object.
//!
//! Such tokens have no offset in the object. Their locations depend on the path of the archive, so the
//! archive is walked again once the object is attributed.

use super::scope::within;
use crate::detect::{Detector, Haystack, Match, Scratch};
use crate::source::archive::{
    self, ArchiveFile, ArchiveOptions, Format, GitHandling, Input, MemberSink, WalkCount,
};
use crate::source::{Run, add};
use ddpatrol_pack::Kind;
use ddpatrol_scan::Issue;
use ddpatrol_scan::blob::{Blob, Origin};
use ddpatrol_scan::finding::MatchWindow;
use ddpatrol_scan::issue::ArchiveIssue;
use ddpatrol_scan::place::Place;
use std::io::Cursor;
use std::path::Path;

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
        let scratch = Scratch::interruptible(self.run.stop_flag());
        let mut members = Members { walk: self, scratch, on_match };
        let input = Input::Whole(&mut Cursor::new(bytes));
        if let Err(error) = archive::walk(input, &found, self.options, &mut members) {
            members.issue(ArchiveIssue::NotOpened(error), &found.place);
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
