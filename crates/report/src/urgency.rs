//! The order of findings by urgency, which formats for people share.
//!
//! Input: records. Output: records with their distinct places, the most urgent first.

use super::document::Record;
use super::places::{Place, Whereabouts, places};
use super::status::Liveness;
use ddpatrol_detect::Evidence;
use ddpatrol_respond::RevocationOutcome;

/// How urgent a finding is, most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    Live,
    Unknown,
    /// Revoked by this run.
    Revoked,
    /// Without a valid checksum.
    Shaped,
    /// Suppressed, but at a new place.
    Suppressed,
    Dead,
}

/// A finding with its distinct places.
#[derive(Debug)]
pub(super) struct Item<'a> {
    pub(super) record: &'a Record,
    /// Its distinct places, the most urgent first.
    pub(super) places: Vec<Place<'a>>,
}

impl Urgency {
    pub(super) fn of(record: &Record) -> Self {
        let revoked = record.revocation.as_ref().map(|it| it.outcome);
        match record.liveness() {
            _ if record.suppression.is_some() => Self::Suppressed,
            _ if record.evidence == Evidence::Shaped => Self::Shaped,
            Liveness::Live => Self::Live,
            Liveness::Unknown => Self::Unknown,
            Liveness::Dead if revoked == Some(RevocationOutcome::Revoked) => Self::Revoked,
            Liveness::Dead => Self::Dead,
        }
    }
}

impl<'a> Item<'a> {
    pub(super) fn new(record: &'a Record) -> Self {
        Self { record, places: places(record) }
    }

    /// Returns its rank: by urgency, then by the most urgent place.
    pub(super) fn rank(&self) -> (Urgency, Option<Whereabouts>) {
        (Urgency::of(self.record), self.places.first().map(|it| it.whereabouts))
    }

    /// Returns the number of its distinct places.
    pub(super) fn count(&self) -> usize {
        self.places.iter().map(|it| it.count).sum()
    }
}

/// Returns the listed findings in the order of the text report; equally urgent ones keep their order.
pub(super) fn by_urgency(records: &[Record]) -> Vec<Item<'_>> {
    let mut items: Vec<Item<'_>> =
        records.iter().filter(|it| it.is_listed()).map(Item::new).collect();
    items.sort_by_key(Item::rank);
    items
}
