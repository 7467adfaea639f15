//! The distinct places of a finding: a line in `HEAD` or the index and the same line in the work tree are one
//! place.
//!
//! Input: a finding. Output: its places, each with the location to show and its attribution.

use super::document::{ChangeStatusWord, LocationRecord, Record};
use super::trace::TraceRecord;
use ddpatrol_detect::Evidence;
use ddpatrol_scan::finding::Part;
use std::collections::HashMap;

/// Where a place is, most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Whereabouts {
    New,
    /// A later commit of the change removes it again.
    ChangeHistory,
    Moved,
    Head,
    Staged,
    Files,
    Stdin,
    Names,
    Elsewhere,
    History,
    Unreachable,
    AlsoUnpushed,
    Preexisting,
}

impl Whereabouts {
    /// Returns the words in the heading of a section.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::New => "new in this change",
            Self::Moved => "moved in this change",
            Self::ChangeHistory => "only in the history of this change",
            Self::Head => "in HEAD",
            Self::Staged => "staged",
            Self::Files => "in files",
            Self::Stdin => "in standard input",
            Self::Names => "in names of branches and tags",
            Self::Elsewhere => "reachable, not in HEAD",
            Self::History => "in history",
            Self::Unreachable => "unreachable",
            Self::AlsoUnpushed => "also unpushed",
            Self::Preexisting => "before this change",
        }
    }

    fn of(place: &LocationRecord) -> Self {
        match (place.change_status, &place.git) {
            (Some(ChangeStatusWord::New), _) if place.removal_in_change().is_some() => {
                Self::ChangeHistory
            }
            (Some(ChangeStatusWord::New), _) => Self::New,
            (Some(ChangeStatusWord::Moved), _) => Self::Moved,
            (Some(ChangeStatusWord::AlsoUnpushed), _) => Self::AlsoUnpushed,
            (Some(ChangeStatusWord::Preexisting), _) => Self::Preexisting,
            (None, None) if place.part == Part::Ref => Self::Names,
            (None, None) if place.path.is_none() => Self::Stdin,
            (None, None) => Self::Files,
            (None, Some(git)) if git.in_head => Self::Head,
            (None, Some(git)) if git.staged => Self::Staged,
            (None, Some(git)) if !git.reachable => Self::Unreachable,
            (None, Some(git)) if git.removed.is_empty() => Self::Elsewhere,
            (None, Some(_)) => Self::History,
        }
    }
}

/// A place of a finding.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// The location to show: the one in the work tree, if the place is in `HEAD` or the index, too.
    pub(super) shown: &'a LocationRecord,
    /// The location with the attribution, if there is one; otherwise the one to show.
    pub(super) recorded: &'a LocationRecord,
    /// The attribution, if it is in a repository's history.
    pub(super) git: Option<&'a TraceRecord>,
    pub(super) whereabouts: Whereabouts,
    /// The number of places that it represents.
    pub(super) count: usize,
}

impl<'a> Place<'a> {
    /// Returns the web page of the place, if one is known.
    pub(super) fn url(&self) -> Option<&'a str> {
        self.recorded.url.as_deref().or(self.shown.url.as_deref())
    }
}

/// Returns the distinct places of a finding, the most urgent first.
pub(super) fn places(record: &Record) -> Vec<Place<'_>> {
    let is_file = |it: &LocationRecord| {
        it.git.is_none() && it.change_status.is_none() && it.path.is_some() && it.part != Part::Ref
    };
    let key = |it: &LocationRecord| it.path.as_ref().map(|path| path.as_bytes().to_vec());
    let mut files: HashMap<_, Vec<&LocationRecord>> = HashMap::new();
    for file in record.locations.iter().filter(|it| is_file(it)) {
        files.entry(key(file)).or_default().push(file);
    }
    let mut places = Vec::new();
    for place in record.locations.iter().filter(|it| !is_file(it)) {
        let whereabouts = Whereabouts::of(place);
        let is_here = matches!(whereabouts, Whereabouts::Head | Whereabouts::Staged);
        let same = files.get_mut(&key(place)).filter(|_| is_here);
        let twin = same.and_then(|files| {
            let is_twin =
                |it: &&&LocationRecord| (it.part, &it.encoding) == (place.part, &place.encoding);
            let on_line = |it: &&LocationRecord| is_twin(&it) && it.line == place.line;
            let at = files.iter().position(on_line);
            let at = at.or_else(|| files.iter().position(|it| is_twin(&it)))?;
            Some(files.remove(at))
        });
        places.push(Place {
            shown: twin.unwrap_or(place),
            recorded: place,
            git: place.git.as_ref(),
            whereabouts,
            count: place.count().max(twin.map_or(0, LocationRecord::count)),
        });
    }
    // Work tree files that `HEAD` does not contain, in the order of the finding.
    for file in record.locations.iter().filter(|it| is_file(it)) {
        let left =
            files.get(&key(file)).is_some_and(|it| it.iter().any(|it| std::ptr::eq(*it, file)));
        if left {
            let whereabouts = Whereabouts::of(file);
            places.push(Place {
                shown: file,
                recorded: file,
                git: None,
                whereabouts,
                count: file.count(),
            });
        }
    }
    places.sort_by_key(|it| (it.whereabouts, it.shown.removal_in_change().is_some()));
    places
}

/// Returns where a token is: the words for the most urgent of its places.
pub(super) fn whereabouts(places: &[Place<'_>]) -> &'static str {
    places.first().map_or(Whereabouts::Unreachable, |it| it.whereabouts).words()
}

/// Returns the number of distinct places of a finding.
pub(super) fn count(record: &Record) -> usize {
    places(record).iter().map(|it| it.count).sum()
}

/// Returns the number of distinct places of proven tokens that are not suppressed.
pub(super) fn proven_places(records: &[Record]) -> usize {
    let is_proven = |it: &&Record| it.evidence == Evidence::Proven && it.suppression.is_none();
    records.iter().filter(is_proven).map(count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::*;

    fn in_head(line: u64) -> LocationRecord {
        LocationRecord { git: Some(git()), line, ..place("a") }
    }

    #[test]
    fn head_and_the_work_tree_at_the_same_path_count_once() {
        let file = |line| LocationRecord { line, ..place("a") };
        let of = |locations| count(&record(locations));
        assert_eq!(of(vec![in_head(3), file(3)]), 1);
        // The line may differ: attribution reports the line in the commit that introduced the token.
        assert_eq!(of(vec![in_head(3), file(9)]), 1);
        assert_eq!(of(vec![in_head(3), file(3), file(4)]), 2);
        assert_eq!(of(vec![in_head(3), place("b")]), 2);
        let git = TraceRecord { in_head: false, removed: vec![commit('b')], ..git() };
        assert_eq!(of(vec![LocationRecord { git: Some(git), ..place("a") }, place("a")]), 2);
    }

    #[test]
    fn the_work_tree_is_shown_with_the_attribution_of_head() {
        let record = record(vec![in_head(3), LocationRecord { line: 9, ..place("a") }]);
        let places = places(&record);
        assert_eq!((places[0].shown.line, places[0].git.is_some()), (9, true));
        assert_eq!(places[0].whereabouts, Whereabouts::Head);
    }
}
