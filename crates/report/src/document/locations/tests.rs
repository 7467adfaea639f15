//! Tests of the expansion of locations that represent others.

use super::*;
use crate::tests::{clean, git, place, record};
use ddpatrol_scan::finding::Span;
use serde_json::Value;
use std::sync::Arc;

/// Returns a location at an offset, in line 1; the column is the offset.
fn at(path: &str, offset: u64) -> LocationRecord {
    LocationRecord {
        line: 1,
        end_line: 1,
        column: offset,
        end_column: offset + 4,
        offset,
        ..place(path)
    }
}

/// Returns a location that represents further ones.
fn leading(path: &str, offset: u64, further: &[u64]) -> LocationRecord {
    let spot = |&offset: &u64| Spot { offset, start: Position { line: 2, column: offset } };
    let further = Spots::from(further.iter().map(spot).collect::<Vec<_>>());
    LocationRecord { further, ..at(path, offset) }
}

fn visited(places: &[LocationRecord]) -> Vec<(String, u64)> {
    let mut visited = Vec::new();
    let result = each::<()>(places, &mut |it| {
        visited.push((it.label(), it.offset));
        Ok(())
    });
    assert_eq!(result, Ok(()));
    visited
}

fn pairs(list: &[(&str, u64)]) -> Vec<(String, u64)> {
    list.iter().map(|&(label, offset)| (label.to_owned(), offset)).collect()
}

#[test]
fn further_locations_are_merged_by_offset_within_a_content() {
    let places = [at("a", 1), leading("a", 3, &[5, 9]), leading("a", 4, &[7]), at("b", 2)];
    assert_eq!(
        visited(&places),
        pairs(&[
            ("a:1:1", 1),
            ("a:1:3", 3),
            ("a:1:4", 4),
            ("a:2:5", 5),
            ("a:2:7", 7),
            ("a:2:9", 9),
            ("b:1:2", 2),
        ])
    );
    assert_eq!(count(&places), 7);
}

#[test]
fn locations_of_different_contents_are_not_mixed() {
    let other = || LocationRecord { git: Some(git()), ..leading("a", 1, &[3]) };
    let name = || LocationRecord { part: Part::Name, ..at("a", 2) };
    // The same path in the work tree, in a commit, and as a name.
    let offsets: Vec<u64> =
        visited(&[leading("a", 1, &[3]), other(), name()]).iter().map(|it| it.1).collect();
    assert_eq!(offsets, [1, 3, 1, 3, 2]);
}

#[test]
fn a_further_location_has_the_extent_of_its_record_and_no_snippet() {
    let leader =
        LocationRecord { line: 4, column: 2, end_line: 6, end_column: 3, ..leading("a", 1, &[8]) };
    let mut last = None;
    let result = each::<()>(&[leader], &mut |it| {
        last = Some(it.clone());
        Ok(())
    });
    assert_eq!(result, Ok(()));
    let last = last.expect("two places");
    assert_eq!((last.line, last.column, last.end_line, last.end_column), (2, 8, 4, 3));
    assert!(last.snippet.as_bytes().is_empty() && last.further.is_empty());
}

#[test]
fn the_first_error_ends_the_iteration() {
    let mut visits = 0;
    let result = each(&[leading("a", 1, &[2, 3])], &mut |it| {
        visits += 1;
        if it.offset == 2 { Err("enough") } else { Ok(()) }
    });
    assert_eq!((result, visits), (Err("enough"), 2));
}

#[test]
fn json_lists_all_locations_and_all_spans_in_objects() {
    let object = |spans: &[(u64, u64)]| {
        let spans: Vec<Span> = spans.iter().map(|&(offset, len)| Span { offset, len }).collect();
        ObjectRecord {
            id: "a".repeat(40),
            kind: "blob".to_owned(),
            offset: spans.first().map_or(7, |it| it.offset),
            length: 9,
            spans: Arc::from(spans),
        }
    };
    let mut it = record(vec![leading("a", 1, &[2]), at("b", 3)]);
    it.objects = vec![object(&[(1, 9), (5, 8)]), object(&[(2, 9)]), object(&[])];
    let value = serde_json::to_value(&it).expect("a record");
    let numbers = |list: &str, field: &str| -> Vec<Option<u64>> {
        let list = value[list].as_array().expect("a list");
        list.iter().map(|it| it[field].as_u64()).collect()
    };
    assert_eq!(numbers("locations", "offset"), [Some(1), Some(2), Some(3)]);
    assert_eq!(numbers("objects", "offset"), [Some(1), Some(5), Some(2), Some(7)]);
    assert_eq!(numbers("objects", "length"), [Some(9), Some(8), Some(9), Some(9)]);
    assert_eq!(value["locations"][1]["snippet"], Value::from(""));
}

#[test]
fn a_uri_is_derived_from_the_fields_of_a_location() {
    let uri = |it: &LocationRecord| it.uri().into_owned();
    assert_eq!(uri(&place("a b")), "a%20b");
    let within = LocationRecord { repository_path: Some(clean("b")), ..place("r/b") };
    assert_eq!(uri(&within), "b");
    let own = LocationRecord { uri: Some("c%20d".to_owned()), ..within.clone() };
    assert_eq!(uri(&own), "c%20d");
    let no_path = LocationRecord { path: None, ..place("") };
    assert_eq!(uri(&no_path), "stdin");
    let object = LocationRecord { git: Some(git()), ..no_path.clone() };
    assert_eq!(uri(&object), format!("git/blob/{}", "f".repeat(40)));
    let path = |it: &LocationRecord| it.uri_path().map(|it| it.into_owned());
    assert_eq!(path(&within).as_deref(), Some(&b"b"[..]));
    assert_eq!(path(&own).as_deref(), Some(&b"c d"[..]));
    assert_eq!((path(&no_path), path(&object)), (None, None));
}
