//! Records of the attribution of a token: commits, references and git objects.
//!
//! Input: the trace of a location, or a git object that contains a token. Output: records with redacted text.
//! This file reads no repository.

use super::document::uris;
use ddpatrol_detect::redact::{Clean, Masker};
use ddpatrol_scan::commit::{Commit, Signature};
use ddpatrol_scan::finding::{HeldObject, Span, Trace};
use jiff::Timestamp;
use jiff::tz::Offset;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The attribution of a location in a repository's history.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TraceRecord {
    /// The git directory, by the path that the scan used.
    pub repository: Clean,
    /// The object that contains the token.
    pub object: String,
    /// `blob`, `tree`, `commit` or `tag`.
    pub kind: String,
    /// The commit that introduced the token at this path; `null` if no commit contains the object.
    pub introduced: Option<CommitRecord>,
    /// Whether earlier history is missing in the clone, so that the token may be older.
    pub at_boundary: bool,
    /// The commits that removed it from this path, earliest first, at most 50.
    pub removed: Vec<CommitRecord>,
    /// The number of such commits, if the list is truncated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_total: Option<usize>,
    /// Whether it is at this path in `HEAD`; for a change, in its head.
    pub in_head: bool,
    /// Whether a reference reaches the commit, or the object if no commit contains it.
    pub reachable: bool,
    /// Whether the index contains the object, if no reference reaches it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub staged: bool,
    /// Some of these references.
    pub refs: Vec<Clean>,
    /// The number of these references.
    pub refs_total: usize,
}

/// A commit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CommitRecord {
    /// Its id.
    pub commit: String,
    /// The author.
    pub author: Person,
    /// The committer.
    pub committer: Person,
    /// The first line of its message.
    pub subject: Clean,
    /// The web page of the commit, if the host of a remote is a known forge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// A person and a date.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Person {
    /// The name.
    pub name: Clean,
    /// The email address.
    pub email: Clean,
    /// The date in ISO 8601, with the person's UTC offset.
    pub date: String,
}

/// A git object that contains a token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ObjectRecord {
    /// Its id.
    pub id: String,
    /// `blob`, `tree`, `commit` or `tag`.
    pub kind: String,
    /// The offset of the token in it, in bytes.
    pub offset: u64,
    /// The length of the token in bytes.
    pub length: u64,
    /// All spans of the token in the object, including the first.
    #[serde(skip, default = "nowhere")]
    pub spans: Arc<[Span]>,
}

fn nowhere() -> Arc<[Span]> {
    Arc::new([])
}

impl ObjectRecord {
    pub(super) fn new(object: &HeldObject) -> Self {
        // A token in a member has no offset in the object; it is written as an empty span at 0.
        let in_members = object.is_in_members.then(Span::default);
        let spans: Arc<[Span]> = match in_members {
            Some(empty) => std::iter::once(empty).chain(object.spans.iter().copied()).collect(),
            None => Arc::clone(&object.spans),
        };
        let first = spans.first().copied().unwrap_or_default();
        Self {
            id: object.id.to_string(),
            kind: object.kind.name().to_owned(),
            offset: first.offset,
            length: first.len,
            spans,
        }
    }
}

impl TraceRecord {
    /// Creates a record of a trace; secrets in its text are masked.
    pub(super) fn new(trace: &Trace, masker: &mut Masker<'_>) -> Self {
        let mut commit = |commit: &Commit| CommitRecord::new(commit, masker);
        let introduced = trace.introduced.as_deref().map(&mut commit);
        let removed = trace.removed.first.iter().map(|it| commit(it)).collect();
        Self {
            repository: uris::clean(&trace.repository.path(), masker),
            object: trace.object.to_string(),
            kind: trace.kind.name().to_owned(),
            introduced,
            at_boundary: trace.at_boundary,
            removed,
            removed_total: Some(trace.removed.total)
                .filter(|total| *total > trace.removed.first.len()),
            in_head: trace.in_head,
            reachable: trace.reachable,
            staged: trace.staged.is_some(),
            refs: trace.refs.iter().map(|name| masker.clean(name)).collect(),
            refs_total: trace.refs_total,
        }
    }

    /// Describes whether the token is still at this location, and which references reach it.
    pub(super) fn fate(&self) -> String {
        let mut parts = Vec::new();
        if self.in_head {
            parts.push("still in HEAD".to_owned());
        } else if let Some(first) = self.removed.first() {
            let more = match self.removed_total.unwrap_or(self.removed.len()) {
                1 => String::new(),
                len => format!(" and {} more", len - 1),
            };
            parts.push(format!("removed by {}{more}", first.line()));
        } else if self.reachable {
            parts.push("not in HEAD".to_owned());
        }
        if self.reachable {
            let names: Vec<String> = self.refs.iter().take(3).map(short_ref).collect();
            let more = match self.refs_total.saturating_sub(names.len()) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            parts.push(format!("on {}{more}", names.join(", ")));
        } else if self.staged {
            parts.push("staged, not committed".to_owned());
        } else {
            parts.push("unreachable from any branch or tag".to_owned());
        }
        if self.at_boundary {
            parts.push("possibly older: earlier history is not in this clone".to_owned());
        }
        parts.join("; ")
    }
}

impl Person {
    fn new(signature: &Signature, masker: &mut Masker<'_>) -> Self {
        Self {
            name: masker.clean(&signature.name),
            email: masker.clean(&signature.email),
            date: date(signature),
        }
    }

    /// Formats the name and the email address as Git does: `Ada <ada@example.org>`.
    pub(super) fn line(&self) -> String {
        let (name, email) = (self.name.text(), self.email.text());
        match (name.is_empty(), email.is_empty()) {
            (_, true) => name.into_owned(),
            (true, false) => format!("<{email}>"),
            (false, false) => format!("{name} <{email}>"),
        }
    }
}

/// Formats a date; one that is out of range as seconds since 1970.
fn date(signature: &Signature) -> String {
    let timestamp = Timestamp::from_second(signature.time).ok();
    let offset = Offset::from_seconds(signature.offset.saturating_mul(60)).ok();
    match (timestamp, offset) {
        (Some(timestamp), Some(offset)) => timestamp.display_with_offset(offset).to_string(),
        (Some(timestamp), None) => timestamp.to_string(),
        (None, _) => format!("@{}", signature.time),
    }
}

/// Returns the day of an RFC 3339 date.
pub(super) fn day(date: &str) -> &str {
    date.split('T').next().unwrap_or_default()
}

/// Abbreviates the id of an object.
pub(super) fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// Returns the name of a reference as Git abbreviates it: `main`, `tags/v1`, `remotes/origin/main`.
fn short_ref(name: &Clean) -> String {
    let name = name.text();
    let short = name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/"));
    short.unwrap_or(&name).to_owned()
}

impl CommitRecord {
    fn new(commit: &Commit, masker: &mut Masker<'_>) -> Self {
        Self {
            commit: commit.id.to_string(),
            author: Person::new(&commit.author, masker),
            committer: Person::new(&commit.committer, masker),
            subject: masker.clean(&commit.subject),
            url: None,
        }
    }

    /// Formats the commit as one line: id, day, author with email address, subject.
    pub(super) fn line(&self) -> String {
        let (id, day) = (short(&self.commit), day(&self.author.date));
        let (author, subject) = (self.author.line(), self.subject.text());
        format!("{id} ({day}, {author}) {subject}").trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::*;

    #[test]
    fn dates_have_the_offset_of_their_author() {
        let at = |time, offset| date(&Signature { time, offset, ..Signature::default() });
        assert_eq!(at(1_700_000_000, 330), "2023-11-15T03:43:20+05:30");
        assert_eq!(at(0, -480), "1969-12-31T16:00:00-08:00");
        assert_eq!(at(i64::MAX, 0), format!("@{}", i64::MAX));
    }

    #[test]
    fn a_location_in_head_is_reported_as_present_even_if_it_was_removed_before() {
        let removed = vec![commit('b')];
        let fate = |git: TraceRecord| git.fate();
        assert_eq!(fate(git()), "still in HEAD; on main");
        let again = TraceRecord { removed: removed.clone(), ..git() };
        assert_eq!(fate(again), "still in HEAD; on main");
        let gone = TraceRecord { in_head: false, removed, ..git() };
        let line = "removed by bbbbbbbbbbbb (2026-01-02, Ada <a@example.org>) a subject";
        assert_eq!(fate(gone.clone()), format!("{line}; on main"));
        let often = TraceRecord { removed_total: Some(60), ..gone };
        assert_eq!(fate(often), format!("{line} and 59 more; on main"));
    }

    #[test]
    fn other_locations_are_not_in_head_or_not_reachable() {
        let elsewhere = TraceRecord { in_head: false, ..git() };
        assert_eq!(elsewhere.fate(), "not in HEAD; on main");
        let unreachable = TraceRecord { reachable: false, at_boundary: true, ..elsewhere };
        assert_eq!(
            unreachable.fate(),
            "unreachable from any branch or tag; \
             possibly older: earlier history is not in this clone"
        );
    }

    #[test]
    fn at_most_three_references_are_listed() {
        let refs = ["a", "b", "c", "d"].map(clean).to_vec();
        let four = TraceRecord { refs: refs.clone(), refs_total: 4, ..git() };
        assert_eq!(four.fate(), "still in HEAD; on a, b, c and 1 more");
        let three = TraceRecord { refs: refs[..3].to_vec(), refs_total: 3, ..git() };
        assert_eq!(three.fate(), "still in HEAD; on a, b, c");
    }

    #[test]
    fn a_record_counts_the_commits_that_it_omits() {
        let redactor = redactor();
        let made = |len: usize, total| {
            let first = Arc::new(vec![full_commit('b'); len]);
            let removed = ddpatrol_scan::finding::Removed { first, total };
            let trace = Trace { removed, ..trace(".git") };
            TraceRecord::new(&trace, &mut redactor.masker())
        };
        assert_eq!((made(1, 1).removed.len(), made(1, 1).removed_total), (1, None));
        assert_eq!((made(2, 9).removed.len(), made(2, 9).removed_total), (2, Some(9)));
    }

    #[test]
    fn text_of_commits_and_references_is_masked() {
        let redactor = redactor();
        let commit = Commit {
            id: object('a'),
            author: signature(&token(2), 0),
            committer: Signature { email: token(3).into_bytes(), ..signature("x", 0) },
            subject: token(4).into_bytes(),
        };
        let trace = Trace {
            introduced: Some(Arc::new(commit)),
            refs: vec![token(5).into_bytes()],
            ..trace(&format!("{}/.git", token(6)))
        };
        let place = TraceRecord::new(&trace, &mut redactor.masker());
        let written = serde_json::to_string(&place).expect("a record");
        for seed in 2..7 {
            assert!(!written.contains(&token(seed)[30..]), "token {seed}: {written}");
            assert!(written.contains(&token(seed)[..20]), "token {seed}: {written}");
        }
    }

    #[test]
    fn the_line_of_a_commit_without_a_subject_ends_with_its_author() {
        let silent = CommitRecord { subject: clean(""), ..commit('c') };
        assert_eq!(silent.line(), "cccccccccccc (2026-01-02, Ada <a@example.org>)");
    }
}
