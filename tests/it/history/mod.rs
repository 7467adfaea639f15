//! Scans of the whole history of repositories created by the real `git`.

mod attribution;
mod cache;
mod corrupt;
mod deltas;
mod hidden_places;
mod issues;
mod large_blobs;
mod lfs;
mod object_stores;
mod redaction;

use crate::support::mint::token;
use serde_json::Value;

/// Returns the commit that introduced the token at a location, or an empty string.
fn introduced(place: &Value) -> &str {
    place["git"]["introduced"]["commit"].as_str().unwrap_or_default()
}

/// Returns the commits that removed the token from a location.
fn removed(place: &Value) -> Vec<&str> {
    let list = place["git"]["removed"].as_array().expect("a list").iter();
    list.map(|it| it["commit"].as_str().expect("an id")).collect()
}

fn refs(place: &Value) -> Vec<&str> {
    let list = place["git"]["refs"].as_array().expect("a list").iter();
    list.map(|it| it.as_str().expect("a name")).collect()
}

fn is_reachable(place: &Value) -> bool {
    place["git"]["reachable"].as_bool().expect("a boolean")
}
