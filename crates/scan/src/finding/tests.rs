//! Data for the unit tests of findings.

use super::{Finding, Fingerprint, Location, Part, Spots, TokenId, Trace};
use crate::blob::Position;
use crate::place::{Place, STDIN};
use ddpatrol_detect::encoding::Encoding;
use ddpatrol_detect::redact::{Clean, Redactor};
use ddpatrol_detect::rules::{RuleIndex, RuleSet};
use ddpatrol_detect::{Detector, Evidence};
use ddpatrol_pack::Kind;
use ddpatrol_token::Secret;
use std::path::Path;
use std::sync::Arc;

pub(super) fn redactor() -> Redactor {
    let mut rules = RuleSet::default();
    for text in [
        include_str!("../../../../rules/datadog.toml"),
        include_str!("../../../../rules/github.toml"),
    ] {
        rules.add_text(Path::new("built-in.toml"), text).expect("built-in rules compile");
    }
    Redactor::new(Detector::new(Arc::new(rules)).expect("few rules"))
}

/// A token that the built-in rules prove.
pub(super) fn token(seed: u64) -> String {
    ddpatrol_test_mint::token(seed)
}

pub(super) fn clean(text: &str) -> Clean {
    serde_json::from_value(text.into()).expect("a string")
}

/// A place in the content of a file.
pub(super) fn location(path: &str) -> Location {
    Location {
        path: Some(Path::new(path).into()),
        part: Part::Content,
        offset: 0,
        len: 4,
        start: Position { line: 1, column: 1 },
        end: Position { line: 1, column: 5 },
        snippet: Clean::default(),
        encoding: Encoding::PLAIN,
        trace: None,
        change_status: None,
        inline: None,
        is_new_place: false,
        layer: None,
        further: Spots::default(),
        message: None,
        name_pattern: None,
    }
}

/// A place in the content of a member; its names are the file, the members that lead to it, and `!` for
/// the content of a compressed file.
pub(super) fn in_member(names: &[&str]) -> Location {
    Location { path: Some(place(names)), ..location("") }
}

pub(super) fn place(names: &[&str]) -> Place {
    let (first, members) = names.split_first().expect("a file");
    let outermost = if *first == STDIN { Place::Stdin } else { Path::new(first).into() };
    members.iter().fold(outermost, |container, name| match *name {
        "!" => Place::Content(Arc::new(container)),
        name => Place::Member { container: Arc::new(container), path: name.into() },
    })
}

pub(super) fn trace(git_dir: &str) -> Arc<Trace> {
    let object = "a".repeat(40).parse().expect("an id");
    Arc::new(Trace::new(Path::new(git_dir).into(), object, Kind::Blob))
}

/// A finding of [`token`], by the first rule.
pub(super) fn finding(seed: u64, locations: Vec<Location>) -> Finding {
    let token = token(seed);
    Finding {
        rule: RuleIndex(0),
        evidence: Evidence::Proven,
        token: TokenId { redacted: format!("{}***", &token[..29]), alias: None, uuid: None },
        fingerprint: Fingerprint::of(token.as_bytes()),
        secret: Secret::new(token.as_bytes()),
        locations,
        objects: Vec::new(),
        suppression: None,
    }
}
