//! Splits findings by the folders that contain their locations.
//!
//! Input: findings, and folders with policies. Output: a finding is suppressed if the policy of a folder, or an
//! inline comment, suppresses each of its locations. A policy cannot suppress locations outside of its folder.

use crate::redact::Masker;
use ddpatrol_scan::finding::baseline::Roots;
use ddpatrol_scan::finding::suppression::{Suppression, UnusedSuppression};
use ddpatrol_scan::finding::suppressor::Suppressor;
use ddpatrol_scan::finding::{Finding, Location};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Findings that are judged folder by folder.
pub(super) struct FindingParts<'a> {
    findings: &'a mut [Finding],
    states: Vec<FindingState>,
    /// The parts of findings in each folder.
    by_folder: Vec<Vec<FindingPart>>,
}

/// The decisions about the locations of a finding.
struct FindingState {
    is_suppressed: Vec<bool>,
    first: Option<Suppression>,
}

/// A finding and the indices of some of its locations.
struct FindingPart {
    finding: usize,
    locations: Vec<usize>,
}

impl<'a> FindingParts<'a> {
    pub(super) fn new(findings: &'a mut [Finding], folders: &[&Path], roots: &Roots) -> Self {
        let indices: HashMap<&Path, usize> =
            folders.iter().enumerate().map(|(index, it)| (*it, index)).collect();
        let mut by_folder: Vec<Vec<FindingPart>> = folders.iter().map(|_| Vec::new()).collect();
        for (finding, it) in findings.iter().enumerate() {
            for (at, location) in it.locations.iter().enumerate() {
                let Some(place) = place_of(location, roots) else { continue };
                for &folder in place.ancestors().filter_map(|it| indices.get(it)) {
                    let parts = &mut by_folder[folder];
                    match parts.last_mut().filter(|it| it.finding == finding) {
                        Some(part) => part.locations.push(at),
                        None => parts.push(FindingPart { finding, locations: vec![at] }),
                    }
                }
            }
        }
        let state = |it: &Finding| FindingState {
            is_suppressed: vec![false; it.locations.len()],
            first: None,
        };
        let states = findings.iter().map(state).collect();
        Self { findings, states, by_folder }
    }

    /// Applies the decisions of a folder; returns unused entries.
    pub(super) fn apply(
        &mut self,
        folder: usize,
        decisions: &Suppressor,
        masker: &mut Masker<'_>,
    ) -> Vec<UnusedSuppression> {
        let parts = std::mem::take(&mut self.by_folder[folder]);
        self.apply_to(&parts, decisions, masker)
    }

    fn apply_to(
        &mut self,
        parts: &[FindingPart],
        decisions: &Suppressor,
        masker: &mut Masker<'_>,
    ) -> Vec<UnusedSuppression> {
        let extracted = parts.iter().map(|part| part.extract(self.findings));
        let mut extracted: Vec<Finding> = extracted.collect();
        let unused = decisions.apply(&mut extracted, masker);
        for (part, judged) in parts.iter().zip(extracted) {
            let Some(suppression) = judged.suppression else { continue };
            let finding = &mut self.findings[part.finding];
            let state = &mut self.states[part.finding];
            for (&at, location) in part.locations.iter().zip(judged.locations) {
                if finding.suppression.is_none() && !state.is_suppressed[at] {
                    finding.locations[at].is_new_place = location.is_new_place;
                }
                state.is_suppressed[at] = true;
            }
            state.first.get_or_insert(suppression);
        }
        unused
    }

    /// Marks the findings of which each location is suppressed.
    pub(super) fn finish(mut self, masker: &mut Masker<'_>) {
        let mut rest = Vec::new();
        for (finding, state) in self.states.iter().enumerate() {
            let open = |&at: &usize| !state.is_suppressed[at];
            let locations: Vec<usize> = (0..state.is_suppressed.len()).filter(open).collect();
            if state.first.is_some() && !locations.is_empty() {
                rest.push(FindingPart { finding, locations });
            }
        }
        // Comments suppress the remaining locations.
        self.apply_to(&rest, &Suppressor::default(), masker);
        for (finding, state) in self.findings.iter_mut().zip(self.states) {
            if finding.suppression.is_some() {
                continue;
            }
            if state.is_suppressed.iter().all(|&it| it) {
                finding.suppression = state.first;
            } else {
                finding.locations.iter_mut().for_each(|it| it.is_new_place = false);
            }
        }
    }
}

impl FindingPart {
    /// Returns the finding with these locations only.
    fn extract(&self, findings: &mut [Finding]) -> Finding {
        let finding = &mut findings[self.finding];
        let all = std::mem::take(&mut finding.locations);
        let locations = self.locations.iter().map(|&at| all[at].clone()).collect();
        let part = Finding { locations, suppression: None, ..finding.clone() };
        finding.locations = all;
        part
    }
}

/// Returns the absolute path of a location: that of its file, or of its repository.
fn place_of(location: &Location, roots: &Roots) -> Option<PathBuf> {
    let repository = || location.trace.as_ref().map(|it| it.repository.top_of_git_dir());
    let place = location.path.clone().or_else(repository)?;
    Some(roots.whole(&place.path()))
}
