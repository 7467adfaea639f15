//! Scans histories of repositories: search, attribution, locations.
//!
//! Input: repositories. Output: locations, to the collector. The history itself reads objects and commits.

use super::describe::Describer;
use super::engine::Engine;
use crate::source::Source;
use crate::source::git::history::{History, OpenHistory, Sightings};
use crate::source::repositories::{Repositories, RepositoryEntry};
use ddpatrol_pack::Reader;
use ddpatrol_scan::sighting::{Placement, Sighting};
use std::collections::HashSet;

/// Scans repositories and their administrative files.
pub(super) fn scan_repositories(engine: &Engine<'_>, repositories: &Repositories) {
    repositories.each(engine.run, &mut |RepositoryEntry { history, admin_files }| {
        let read = scan_history(engine, history);
        let files = admin_files.and_then(|files| files.list(&read));
        if let Some(files) = files {
            files.read(engine, engine.run);
        }
    });
}

/// Scans a history; returns the names of the Git LFS objects that were searched with it.
fn scan_history(engine: &Engine<'_>, history: &History) -> HashSet<String> {
    let run = engine.run;
    if run.is_interrupted() {
        return HashSet::new();
    }
    let Some(mut open) = history.open(run) else { return HashSet::new() };
    engine.take_shaped();
    open.push_names(engine);
    open.push_lfs(engine);
    let mut sightings = engine.take_sightings();
    // The state does not contain Git LFS objects, so their tokens are attributed in each scan.
    if sightings.is_empty() && recall(engine, &mut open) {
        return open.lfs_names();
    }
    open.push_objects(engine);
    if run.is_interrupted() {
        return open.lfs_names();
    }
    sightings.append(&mut engine.take_sightings());
    engine.recall_shaped(open.known_shaped());
    add_objects(engine, &sightings);
    let mut placements = open.attribute(&sightings);
    engine.sort(&mut placements);
    let sightings = Sightings { sightings: &sightings, shaped: &engine.take_shaped() };
    open.remember(sightings, &placements, &|token| engine.key_of(token));
    describe(engine, &open, placements);
    open.lfs_names()
}

/// Adds the results of an earlier scan if the repository is unchanged; returns `true` if it did.
fn recall(engine: &Engine<'_>, open: &mut OpenHistory<'_>) -> bool {
    let Some(recall) = open.recall() else { return false };
    open.push_recalled(&recall, engine);
    let sightings = engine.take_sightings();
    let recalled = open.resolve(&recall, &sightings, &|token| engine.key_of(token));
    let Some(recalled) = recalled else { return false };
    engine.recall_shaped(open.known_shaped());
    for (token, object) in recalled.objects {
        let token = engine.sightings().token(token).clone();
        engine.collector.add_object(&token, object);
    }
    describe(engine, open, recalled.placements);
    true
}

fn add_objects(engine: &Engine<'_>, sightings: &[Sighting]) {
    let tokens = engine.sightings();
    for sighting in sightings {
        if let Some(object) = sighting.object() {
            engine.collector.add_object(tokens.token(sighting.token), object);
        }
    }
}

fn describe(engine: &Engine<'_>, open: &OpenHistory<'_>, mut placements: Vec<Placement>) {
    open.place_staged(&mut placements);
    engine.sort(&mut placements);
    let mut reader = Reader::default();
    Describer::new(engine).describe(&placements, &mut |holder| open.read(holder, &mut reader));
}
