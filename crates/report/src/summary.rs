//! Summary sentences of a scan, shared by all formats for people.
//!
//! Input: a document. Output: sentences without scanned content. Notes and lines of other functions can contain
//! it; writers escape them.

use super::document::{Document, Record};
use super::places::{self, Whereabouts};
use super::response;
use ddpatrol_detect::Evidence;
use ddpatrol_scan::quantity::{bytes, count, number};
use std::collections::{BTreeMap, BTreeSet};

/// Maximum numbers of kinds of tokens and of authors in the first line.
const MAX_KINDS: usize = 3;
const MAX_AUTHORS: usize = 5;

/// Counts equal texts; the most frequent first, then by text.
fn ranked(texts: impl Iterator<Item = String>) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    texts.for_each(|it| *counts.entry(it).or_default() += 1);
    let mut ranked: Vec<(String, usize)> = counts.into_iter().collect();
    ranked.sort_by_key(|(_, len)| std::cmp::Reverse(*len));
    ranked
}

/// Shortens the name of a kind of token.
fn short_name(name: &str) -> String {
    name.replace("Personal Access Token", "PAT").replace(" (classic)", "")
}

impl Document {
    /// Returns the number of proven tokens and places, or why there are none.
    #[must_use]
    pub fn verdict(&self) -> String {
        let summary = &self.summary;
        if summary.proven == 0 {
            return self.nothing_proven();
        }
        let places = count(summary.proven_places, "place");
        format!("{} proven in {places}.", count(summary.proven, "token"))
    }

    /// Describes a result without proven tokens. Only a complete scan without any finding has none.
    fn nothing_proven(&self) -> String {
        let summary = &self.summary;
        let has_read = summary.files + summary.objects + summary.git_files > 0;
        let unread = self.diagnostics.len();
        let listed = self.findings.iter().filter(|it| it.suppression.is_none()).count();
        if !has_read && unread > 0 {
            let items = count(unread, "item");
            format!("Nothing was scanned: {items} could not be read.")
        } else if self.interrupted {
            "Interrupted: no proven token was found before the end.".to_owned()
        } else if !has_read {
            "Nothing was scanned: there is no content to read.".to_owned()
        } else if !self.complete {
            "Incomplete: no proven token in the scanned part.".to_owned()
        } else if listed > 0 {
            let candidates = count(listed, "candidate");
            format!("{candidates} without a valid checksum, no proven token.")
        } else if summary.suppressed.total() > 0 {
            "No proven tokens apart from suppressed ones.".to_owned()
        } else {
            "No proven tokens.".to_owned()
        }
    }

    /// Returns the first line of a summary: tokens, distinct places, repositories, kinds and authors.
    #[must_use]
    pub fn headline(&self) -> String {
        let is_leak = |it: &&Record| it.evidence == Evidence::Proven && it.suppression.is_none();
        let leaked: Vec<&Record> = self.findings.iter().filter(is_leak).collect();
        if leaked.is_empty() {
            return self.nothing_proven();
        }
        let places = leaked.iter().map(|it| places::count(it)).sum::<usize>();
        let is_unreachable = |it: &&Record| {
            places::places(it).iter().all(|it| it.whereabouts == Whereabouts::Unreachable)
        };
        let mut line = if leaked.iter().all(is_unreachable) {
            format!("{} in unreachable objects", count(leaked.len(), "token"))
        } else {
            format!("{} in {}", count(leaked.len(), "leaked token"), count(places, "place"))
        };
        let traces = leaked.iter().flat_map(|it| &it.locations).filter_map(|it| it.git.as_ref());
        let repositories: BTreeSet<_> = traces.map(|it| it.repository.as_bytes()).collect();
        if repositories.len() > 1 {
            line.push_str(&format!(", {}", count(repositories.len(), "repository")));
        }
        let kinds = ranked(leaked.iter().map(|it| short_name(&it.name)));
        let names: Vec<String> = kinds
            .iter()
            .take(MAX_KINDS)
            .map(|(name, len)| format!("{} {name}", number(len)))
            .collect();
        line.push_str(&format!(": {}", names.join(", ")));
        let others: usize = kinds.iter().skip(MAX_KINDS).map(|(_, len)| len).sum();
        if others > 0 {
            line.push_str(&format!(", {} of other kinds", number(others)));
        }
        let authors = leaked.iter().filter_map(|it| it.introduced());
        let authors = ranked(authors.map(|it| it.author.email.text().into_owned()));
        if authors.len() > 1 {
            let mut counts: Vec<String> =
                authors.iter().take(MAX_AUTHORS).map(|(_, len)| number(len)).collect();
            if authors.len() > MAX_AUTHORS {
                counts.push("…".to_owned());
            }
            line.push_str(&format!(
                " · {} ({})",
                count(authors.len(), "author"),
                counts.join(", ")
            ));
        }
        line
    }

    /// Returns whether everything was scanned.
    #[must_use]
    pub fn completeness(&self) -> String {
        let gaps = self.diagnostics.iter().filter(|it| it.acknowledged.is_none()).count();
        let verb = if gaps == 1 { "was" } else { "were" };
        let items = format!("{} {verb} not scanned", count(gaps, "item"));
        if self.interrupted {
            "Interrupted: this report is partial.".to_owned()
        } else if !self.complete {
            let is_strict = !self.diagnostics.iter().any(|it| it.is_unread());
            let strict = if is_strict && gaps > 0 { " (--strict)" } else { "" };
            format!("Incomplete{strict}: {items}.")
        } else if gaps > 0 {
            format!("Complete, except for unreadable content: {items}.")
        } else {
            "Complete: everything was scanned.".to_owned()
        }
    }

    /// Returns sentences on responses to findings, and on tokens that are not among the findings.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let summary = &self.summary;
        let mut lines = response::response_summary(&self.findings);
        // The first line counts them if there is nothing else.
        let is_counted = summary.proven == 0 && self.verdict().starts_with(char::is_numeric);
        if summary.shaped_candidates > 0 && !is_counted {
            let listed = self.findings.iter().any(|it| it.evidence == Evidence::Shaped);
            lines.push(format!(
                "{} without a valid checksum{}.",
                count(summary.shaped_candidates, "candidate"),
                if listed { "" } else { " (--show-shaped lists them)" },
            ));
        }
        lines.extend(self.suppressed());
        if summary.suppressed.new_places > 0 {
            let places = count(summary.suppressed.new_places, "new place");
            lines.push(format!("Baseline tokens occur in {places}."));
        }
        if summary.acknowledged > 0 {
            lines.push(format!(
                "{} acknowledged by the configuration.",
                count(summary.acknowledged, "issue")
            ));
        }
        if summary.already_there > 0 {
            let tokens = count(summary.already_there, "token");
            let them = if summary.already_there == 1 { "it" } else { "them" };
            lines.push(format!("{tokens} existed before the change (--all lists {them})."));
        }
        lines
    }

    /// Returns the numbers of suppressed tokens, if there are any.
    fn suppressed(&self) -> Option<String> {
        let suppressed = &self.summary.suppressed;
        let parts = [
            (suppressed.inline, "by an inline ddpatrol:allow"),
            (suppressed.allowed, "by the allowlist"),
            (suppressed.baseline, "by the baseline"),
        ];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(amount, _)| *amount > 0)
            .map(|(amount, by)| format!("{amount} {by}"))
            .collect();
        let tokens = count(suppressed.total(), "token");
        (!parts.is_empty()).then(|| format!("{tokens} suppressed: {}.", parts.join(", ")))
    }

    /// Returns what was scanned; the writer adds the full stop.
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

    /// Returns how much was unpacked, if anything was.
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

    /// Returns what was skipped by choice.
    #[must_use]
    pub fn skipped(&self) -> Option<String> {
        let left_out = &self.summary.left_out;
        let mut parts = Vec::new();
        if left_out.ignored_files > 0 {
            let files = count(left_out.ignored_files, "file");
            parts.push(format!("{files} by .gitignore (--no-ignore includes them)"));
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
        (!parts.is_empty()).then(|| format!("Skipped: {}.", parts.join("; ")))
    }
}

#[cfg(test)]
mod tests;
