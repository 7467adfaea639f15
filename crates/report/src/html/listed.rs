//! The order and grouping of findings, and their sort keys for the script.

use super::facets::Facets;
use crate::document::Record;
use crate::status::{Liveness, Presence};
use ddpatrol_detect::Evidence;
use jiff::Timestamp;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// State of a token as the page groups it, most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    Live,
    Unknown,
    Dead,
    Unproven,
}

/// Where a token still is, as the page groups it, most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    Head,
    History,
    Unreachable,
}

/// The group of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FindingGroup {
    pub(super) state: State,
    pub(super) reach: Reach,
}

/// A finding of the list.
pub(super) struct Listed<'a> {
    pub(super) record: &'a Record,
    pub(super) group: FindingGroup,
    pub(super) repositories: BTreeSet<usize>,
    pub(super) rule: usize,
    pub(super) owners: BTreeSet<usize>,
    /// Its number, from 1.
    pub(super) number: usize,
    /// Its rank by date, path, rule and author.
    pub(super) ranks: [usize; 4],
}

impl State {
    pub(super) const ALL: [Self; 4] = [Self::Live, Self::Unknown, Self::Dead, Self::Unproven];

    /// Returns its class and filter value.
    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Unknown => "unknown",
            Self::Dead => "dead",
            Self::Unproven => "unproven",
        }
    }

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Live => "Live",
            Self::Unknown => "Unknown",
            Self::Dead => "Dead",
            Self::Unproven => "Unproven",
        }
    }
}

impl Reach {
    pub(super) const ALL: [Self; 3] = [Self::Head, Self::History, Self::Unreachable];

    /// Returns its filter value.
    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::History => "history",
            Self::Unreachable => "unreachable",
        }
    }

    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Head => "in HEAD or files",
            Self::History => "in history",
            Self::Unreachable => "unreachable",
        }
    }
}

impl FindingGroup {
    pub(super) fn of(record: &Record) -> Self {
        let state = match record.liveness() {
            _ if record.evidence == Evidence::Shaped => State::Unproven,
            Liveness::Live => State::Live,
            Liveness::Unknown => State::Unknown,
            Liveness::Dead => State::Dead,
        };
        let reach = match record.presence() {
            Presence::Change | Presence::Here => Reach::Head,
            Presence::ChangeHistory | Presence::Elsewhere | Presence::Removed => Reach::History,
            Presence::Unreachable => Reach::Unreachable,
        };
        Self { state, reach }
    }

    pub(super) fn title(self) -> String {
        format!("{}, {}", self.state.title(), self.reach.words())
    }
}

/// Returns the findings in order of urgency.
pub(super) fn sorted<'a>(records: &[&'a Record], facets: &Facets<'_>) -> Vec<Listed<'a>> {
    let mut listed: Vec<Listed<'a>> = records
        .iter()
        .map(|&record| Listed {
            record,
            group: FindingGroup::of(record),
            repositories: facets.repositories_of(record),
            rule: facets.rule(record),
            owners: facets.owners_of(record),
            number: 0,
            ranks: [0; 4],
        })
        .collect();
    listed.sort_by_key(|it| it.group);
    for (at, it) in listed.iter_mut().enumerate() {
        it.number = at + 1;
    }
    let path = |it: &Listed<'_>| it.record.locations.first().map(|it| it.label());
    let author = |it: &Listed<'_>| {
        let commit = it.record.introduced();
        let name = commit.map(|it| it.author.name.text().to_lowercase());
        (name.is_none(), name)
    };
    rank(&mut listed, 0, |it| Reverse(moment(it.record)));
    rank(&mut listed, 1, path);
    rank(&mut listed, 2, |it| it.rule);
    rank(&mut listed, 3, author);
    listed
}

/// Stores the rank of each finding by a key; findings with the same key keep their order.
fn rank<K: Ord>(listed: &mut [Listed<'_>], index: usize, key: impl Fn(&Listed<'_>) -> K) {
    let mut order: Vec<usize> = (0..listed.len()).collect();
    order.sort_by_cached_key(|&at| key(&listed[at]));
    for (rank, at) in order.into_iter().enumerate() {
        listed[at].ranks[index] = rank;
    }
}

/// Returns when a token was introduced.
fn moment(record: &Record) -> Option<i64> {
    let date = &record.introduced()?.author.date;
    date.parse::<Timestamp>().ok().map(|it| it.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::*;

    #[test]
    fn the_most_urgent_finding_is_first() {
        let records = [
            verified(record(vec![place("a")]), "dead"),
            record(vec![place("c")]),
            record(vec![place("b")]),
            verified(record(vec![place("d")]), "live"),
        ];
        let records: Vec<&Record> = records.iter().collect();
        let facets = Facets::new(&document(vec![]), &records);
        let listed = sorted(&records, &facets);
        let places = listed.iter().map(|it| it.record.locations[0].label());
        assert_eq!(places.collect::<Vec<_>>(), ["d:3:5", "c:3:5", "b:3:5", "a:3:5"]);
        assert_eq!(listed.iter().map(|it| it.ranks[1]).collect::<Vec<_>>(), [3, 2, 1, 0]);
    }
}
