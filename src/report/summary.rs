//! What a scan came to, a sentence each: the same in every format that people read.
//!
//! Sentences hold nothing of the scanned content, but for the notes and lines that their own
//! functions return, which the writer of a format escapes.

use super::document::Document;
use super::response;
use crate::detect::Evidence;
use ddpatrol_scan::quantity::{bytes, count};

impl Document {
    /// Says what was found.
    #[must_use]
    pub fn verdict(&self) -> String {
        let summary = &self.summary;
        if summary.proven == 0 {
            return "No proven tokens.".to_owned();
        }
        let places = count(summary.proven_locations, "place");
        format!("{} proven in {places}.", count(summary.proven, "token"))
    }

    /// Says whether everything was looked at.
    #[must_use]
    pub fn completeness(&self) -> String {
        let gaps = self.diagnostics.len();
        let verb = if gaps == 1 { "was" } else { "were" };
        let things = format!("{} {verb} not looked at", count(gaps, "thing"));
        if self.interrupted {
            "Interrupted: this report is partial.".to_owned()
        } else if !self.complete {
            let is_strict = !self.diagnostics.iter().any(|it| it.is_unread());
            let strict = if is_strict && gaps > 0 { " (--strict)" } else { "" };
            format!("Incomplete{strict}: {things}.")
        } else if gaps > 0 {
            format!("Complete, but for what cannot be read: {things}.")
        } else {
            "Complete: everything that was to be looked at was.".to_owned()
        }
    }

    /// Says what was done about the findings, and what is not among them.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let summary = &self.summary;
        let mut lines = response::response_summary(&self.findings);
        if summary.shaped_candidates > 0 {
            let listed = self.findings.iter().any(|it| it.evidence == Evidence::Shaped);
            lines.push(format!(
                "{} of a token's shape without proof{}.",
                count(summary.shaped_candidates, "look-alike"),
                if listed { "" } else { " (--show-shaped lists them)" },
            ));
        }
        lines.extend(self.suppressed());
        if summary.suppressed.new_places > 0 {
            let places = count(summary.suppressed.new_places, "new place");
            lines.push(format!("Tokens of the baseline stand in {places}."));
        }
        if summary.already_there > 0 {
            let tokens = count(summary.already_there, "token");
            let them = if summary.already_there == 1 { "it" } else { "them" };
            lines.push(format!("{tokens} already there before the change (--all lists {them})."));
        }
        lines
    }

    /// Says how much does not count.
    fn suppressed(&self) -> Option<String> {
        let suppressed = &self.summary.suppressed;
        let parts = [
            (suppressed.inline, "by ddpatrol:allow in its line"),
            (suppressed.allowed, "by the allow list"),
            (suppressed.baseline, "by the baseline"),
        ];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(amount, _)| *amount > 0)
            .map(|(amount, by)| format!("{amount} {by}"))
            .collect();
        let tokens = count(suppressed.total(), "token");
        let verb = if suppressed.total() == 1 { "does" } else { "do" };
        (!parts.is_empty()).then(|| format!("{tokens} {verb} not count: {}.", parts.join(", ")))
    }

    /// Says what was read; a writer adds the full stop.
    #[must_use]
    pub fn reading(&self) -> String {
        let summary = &self.summary;
        let mut read = Vec::new();
        let has_objects = summary.objects > 0 || !self.repositories.is_empty();
        if summary.files > 0 || !has_objects {
            read.push(count(summary.files, "file"));
        }
        if has_objects {
            let objects = count(summary.objects, "git object");
            let of = match self.repositories.len() {
                0 | 1 => String::new(),
                len => format!(" of {}", count(len, "repository")),
            };
            read.push(format!("{objects}{of}"));
        }
        format!("Scanned {}, {}", read.join(", "), bytes(summary.bytes))
    }

    /// Says how much was unpacked, if anything was.
    #[must_use]
    pub fn unpacked(&self) -> Option<String> {
        let summary = &self.summary;
        (summary.archives > 0).then(|| {
            format!(
                "Unpacked {} with {}, {}.",
                count(summary.archives, "archive"),
                count(summary.members, "member"),
                bytes(summary.unpacked),
            )
        })
    }

    /// Says what was left out on purpose.
    #[must_use]
    pub fn left_out(&self) -> Option<String> {
        let left_out = &self.summary.left_out;
        let mut parts = Vec::new();
        if left_out.ignored_files > 0 {
            let files = count(left_out.ignored_files, "file");
            parts.push(format!("{files} by .gitignore (--no-ignore reads them)"));
        }
        if left_out.excluded > 0 {
            parts.push(format!(
                "{} by --exclude or the configuration",
                count(left_out.excluded, "path")
            ));
        }
        if left_out.too_large > 0 {
            parts.push(format!("{} by --max-file-size", count(left_out.too_large, "file")));
        }
        if left_out.symlinks > 0 {
            parts.push(format!("{} (not followed)", count(left_out.symlinks, "symbolic link")));
        }
        if left_out.special > 0 {
            parts.push(count(left_out.special, "device, socket or pipe"));
        }
        if left_out.git_folders > 0 {
            parts.push(count(left_out.git_folders, ".git folder"));
        }
        (!parts.is_empty()).then(|| format!("Left out: {}.", parts.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::document::{Note, Record, RepositoryRecord, SkippedCounts, Summary};
    use crate::report::tests::*;
    use crate::source::Severity;

    fn with(change: impl FnOnce(&mut Summary)) -> Document {
        let mut document = document(vec![]);
        change(&mut document.summary);
        document
    }

    fn repositories(len: usize) -> Vec<RepositoryRecord> {
        let absolute_uri = "file:///r".to_owned();
        vec![RepositoryRecord { path: clean("r"), head: None, uri: None, absolute_uri }; len]
    }

    #[test]
    fn the_verdict_counts_proven_tokens_and_places() {
        assert_eq!(with(|_| ()).verdict(), "No proven tokens.");
        let one = with(|it| (it.proven, it.proven_locations) = (1, 1));
        assert_eq!(one.verdict(), "1 token proven in 1 place.");
        let many = with(|it| (it.proven, it.proven_locations) = (2, 1_000));
        assert_eq!(many.verdict(), "2 tokens proven in 1,000 places.");
    }

    #[test]
    fn completeness_depends_on_what_was_not_read() {
        let of = |complete, interrupted, gaps: &[Severity]| {
            let diagnostics: Vec<Note> = gaps.iter().map(|&it| note(it)).collect();
            Document { complete, interrupted, diagnostics, ..document(vec![]) }.completeness()
        };
        let all = "Complete: everything that was to be looked at was.";
        assert_eq!(of(true, false, &[]), all);
        let one = "Complete, but for what cannot be read: 1 thing was not looked at.";
        assert_eq!(of(true, false, &[Severity::Opaque]), one);
        let strict = "Incomplete (--strict): 2 things were not looked at.";
        assert_eq!(of(false, false, &[Severity::Opaque, Severity::Opaque]), strict);
        let unread = "Incomplete: 2 things were not looked at.";
        assert_eq!(of(false, false, &[Severity::Opaque, Severity::Unread]), unread);
        assert_eq!(of(false, false, &[]), "Incomplete: 0 things were not looked at.");
        let interrupted = "Interrupted: this report is partial.";
        assert_eq!(of(false, true, &[Severity::Unread]), interrupted);
    }

    #[test]
    fn look_alikes_are_listed_on_request() {
        let mut few = with(|it| it.shaped_candidates = 1);
        let line = "1 look-alike of a token's shape without proof";
        assert_eq!(few.sentences(), [format!("{line} (--show-shaped lists them).")]);
        few.findings = vec![Record { evidence: Evidence::Shaped, ..record(vec![]) }];
        assert_eq!(few.sentences(), [format!("{line}.")]);
    }

    #[test]
    fn what_is_not_among_the_findings_is_counted() {
        assert_eq!(with(|_| ()).sentences(), Vec::<String>::new());
        let one = with(|it| {
            it.suppressed.inline = 1;
            it.already_there = 1;
            it.suppressed.new_places = 1;
        });
        assert_eq!(
            one.sentences(),
            [
                "1 token does not count: 1 by ddpatrol:allow in its line.",
                "Tokens of the baseline stand in 1 new place.",
                "1 token already there before the change (--all lists it).",
            ]
        );
        let many = with(|it| {
            (it.suppressed.allowed, it.suppressed.baseline, it.already_there) = (2, 3, 4);
        });
        assert_eq!(
            many.sentences(),
            [
                "5 tokens do not count: 2 by the allow list, 3 by the baseline.",
                "4 tokens already there before the change (--all lists them).",
            ]
        );
    }

    #[test]
    fn files_are_not_mentioned_where_only_objects_were_read() {
        let of = |files, objects, repositories_len| {
            let mut document =
                with(|it| (it.files, it.objects, it.bytes) = (files, objects, 1_500));
            document.repositories = repositories(repositories_len);
            document.reading()
        };
        assert_eq!(of(0, 0, 0), "Scanned 0 files, 1.5 kB");
        assert_eq!(of(2, 0, 0), "Scanned 2 files, 1.5 kB");
        assert_eq!(of(0, 3, 1), "Scanned 3 git objects, 1.5 kB");
        assert_eq!(of(0, 0, 1), "Scanned 0 git objects, 1.5 kB");
        assert_eq!(of(1, 3, 2), "Scanned 1 file, 3 git objects of 2 repositories, 1.5 kB");
    }

    #[test]
    fn archives_are_mentioned_if_any_was_opened() {
        assert_eq!(with(|it| it.members = 2).unpacked(), None);
        let some = with(|it| (it.archives, it.members, it.unpacked) = (1, 2, 3_000_000));
        let line = "Unpacked 1 archive with 2 members, 3.0 MB.";
        assert_eq!(some.unpacked().as_deref(), Some(line));
    }

    #[test]
    fn what_was_left_out_is_counted_by_its_reason() {
        assert_eq!(with(|_| ()).left_out(), None);
        let all = SkippedCounts {
            ignored_files: 1,
            excluded: 2,
            too_large: 3,
            symlinks: 4,
            special: 5,
            git_folders: 6,
        };
        assert_eq!(
            with(|it| it.left_out = all).left_out().as_deref(),
            Some(
                "Left out: 1 file by .gitignore (--no-ignore reads them); 2 paths by --exclude or \
                 the configuration; 3 files by --max-file-size; 4 symbolic links (not followed); \
                 5 devices, sockets or pipes; 6 .git folders."
            )
        );
        let one = with(|it| it.left_out.symlinks = 1);
        assert_eq!(one.left_out().as_deref(), Some("Left out: 1 symbolic link (not followed)."));
    }
}
