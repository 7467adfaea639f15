//! A strict HTML parser: unknown or malformed markup is a failure.

/// Elements without an end tag.
const VOID: [&str; 2] = ["meta", "input"];

/// Asserts that a page is well formed and returns its elements with their attributes.
///
/// Stricter than browsers: every `<` begins a tag, every attribute is quoted, and every
/// element is closed by its own end tag.
#[track_caller]
pub(super) fn elements(page: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut elements = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let mut rest = page.strip_prefix("<!DOCTYPE html>").expect("a document type");
    while let Some(at) = rest.find('<') {
        let (text, tag) = rest.split_at(at);
        assert!(!text.contains('>'), "a bare > in {text:?}");
        let end = end_of(tag);
        let inner = &tag[1..end];
        rest = &tag[end + 1..];
        if let Some(name) = inner.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "before {:.80}", rest);
            continue;
        }
        let is_closed = inner.ends_with('/');
        let inner = inner.trim_end_matches('/');
        let (name, attributes) = inner.split_once([' ', '\n']).unwrap_or((inner, ""));
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "{name:?}");
        elements.push((name.to_owned(), attributes_of(attributes)));
        if name == "script" || name == "style" {
            let close = format!("</{name}>");
            let at = rest.find(&close).expect("it is closed");
            rest = &rest[at + close.len()..];
        } else if !is_closed && !VOID.contains(&name) {
            open.push(name.to_owned());
        }
    }
    assert_eq!(open, [] as [&str; 0]);
    elements
}

/// Returns the end of a tag, ignoring `>` in quoted values.
fn end_of(tag: &str) -> usize {
    let mut quoted = false;
    tag.bytes()
        .position(|byte| {
            quoted ^= byte == b'"';
            byte == b'>' && !quoted
        })
        .expect("the tag ends")
}

fn attributes_of(mut text: &str) -> Vec<(String, String)> {
    let mut attributes = Vec::new();
    loop {
        text = text.trim_start();
        if text.is_empty() {
            return attributes;
        }
        let end = text.find(['=', ' ']).unwrap_or(text.len());
        let (name, after) = text.split_at(end);
        assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{name:?}");
        let Some(after) = after.strip_prefix("=\"") else {
            attributes.push((name.to_owned(), String::new()));
            text = after;
            continue;
        };
        let (value, after) = after.split_once('"').expect("the value ends");
        assert!(!value.contains('<'), "{value:?}");
        attributes.push((name.to_owned(), value.to_owned()));
        text = after;
    }
}
