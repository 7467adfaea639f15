//! Scans changes: search, search of the base if the change contains a token, classification, locations.
//!
//! Input: a change. Output: locations, to the collector. Git objects are read by the change itself.

use super::describe::Describer;
use super::engine::Engine;
use crate::source::git::changes::{Change, ChangePart};
use ddpatrol_pack::Reader;

/// Scans a change.
pub(super) fn scan_change(engine: &Engine<'_>, change: &dyn Change) {
    change.read(engine, engine.run, &mut |part| scan_part(engine, part));
}

fn scan_part(engine: &Engine<'_>, part: &ChangePart<'_>) {
    part.push(engine);
    let new = engine.take_sightings();
    if new.is_empty() {
        return;
    }
    let base = part.push_base(&new, engine);
    let old = engine.take_sightings();
    let mut placements = part.classify(&new, &base, &old);
    engine.sort(&mut placements);
    let mut reader = Reader::default();
    Describer::new(engine).describe(&placements, &mut |holder| part.read(holder, &mut reader));
}
