//! The whole history of repositories that the real `git` made.

mod attribution;
mod cache;
mod corrupt;
mod deltas;
mod hidden_places;
mod large_blobs;
mod lfs;
mod object_stores;
mod redaction;

use crate::support::mint::token;
use serde_json::Value;

/// The commit that brought the token to this place; empty if none did.
fn introduced(place: &Value) -> &str {
    place["git"]["introduced"]["commit"].as_str().unwrap_or_default()
}

/// The commits that took the token away from this place.
fn removed(place: &Value) -> Vec<&str> {
    let list = place["git"]["removed"].as_array().expect("a list").iter();
    list.map(|it| it["commit"].as_str().expect("an id")).collect()
}

fn refs(place: &Value) -> Vec<&str> {
    let list = place["git"]["refs"].as_array().expect("a list").iter();
    list.map(|it| it.as_str().expect("a name")).collect()
}

fn is_reachable(place: &Value) -> bool {
    place["git"]["reachable"].as_bool().expect("a truth value")
}
