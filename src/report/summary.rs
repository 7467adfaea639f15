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
        let mut lines = response::summary(&self.findings);
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
