//! Any bytes with encoded tokens: windows yield the same matches as the whole, and the redactor masks every token.

#![no_main]

use ddpatrol::blob::Context;
use ddpatrol::blob::{Blob, Origin};
use ddpatrol::detect::{ContentKind, Detector, Haystack, Match, Scratch};
use ddpatrol::redact::Redactor;
use ddpatrol::rules;
use ddpatrol::source::window::Windows;
use ddpatrol::source::{BlobSink, Run};
use ddpatrol_fuzz::tokens::with_tokens;
use libfuzzer_sys::fuzz_target;
use std::sync::{Arc, LazyLock};

static DETECTOR: LazyLock<Detector> = LazyLock::new(detector);
static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| Redactor::new(detector()));

fn detector() -> Detector {
    let rules = rules::builtin().expect("the built-in rules compile");
    Detector::new(Arc::new(rules)).expect("few rules")
}

struct Collect(Scratch, Vec<(u64, usize, rules::RuleIndex)>);

impl BlobSink for Collect {
    fn blob(&mut self, blob: &Blob<'_>) {
        let kind = ContentKind::Blob { offset: blob.offset };
        let haystack = Haystack { bytes: blob.bytes, kind };
        DETECTOR.find(haystack, blob.own.clone(), &mut self.0, |found: Match, _: &[u8]| {
            self.1.push((blob.offset + found.start as u64, found.end - found.start, found.rule));
            let _ = blob.position_at(found.start);
        });
    }
}

fuzz_target!(|input: &[u8]| {
    let bytes = &*with_tokens(input);
    let mut whole = Collect(Scratch::default(), Vec::new());
    whole.blob(&Blob::whole(Origin::Stdin, bytes));
    let context = Context { before: DETECTOR.lookbehind(), after: DETECTOR.lookahead() };
    let mut windows = Windows::with_size(context, 0);
    let mut parts = Collect(Scratch::default(), Vec::new());
    let run = Run::default();
    windows.push_all(Origin::Stdin, &mut &*bytes, &mut parts, &run);
    // A division into windows may change the order of encoded tokens.
    whole.1.sort_unstable();
    parts.1.sort_unstable();
    assert_eq!(whole.1, parts.1);
    // Masks long runs of base64, too, which may be encoded more than once.
    let clean = REDACTOR.masker().clean_line(bytes, 0..bytes.len(), 0..0);
    for (offset, len, _) in whole.1 {
        let token = &bytes[offset as usize..][..len];
        assert!(!clean.as_bytes().windows(len).any(|window| window == token));
    }
});
