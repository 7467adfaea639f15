//! Benchmarks of the detector in memory: its rate compared with `memmem`, and the cost of one check.
//!
//! `cargo bench --bench detector [-- FOLDER]`; the text is 64 MB of the `.rs` files below FOLDER,
//! by default the sources of this project's dependencies.

#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]

mod measure;

use ddpatrol::detect::prefilter::Prefilter;
use ddpatrol::detect::{Detector, Evidence, Haystack, Scratch};
use ddpatrol::rules::{self, RuleSet};
use ddpatrol_token::{Check, Format, datadog};
use measure::{Contender, Timing, compare};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const TEXT_LEN: usize = 64_000_000;
const ROUNDS: usize = 15;

fn main() {
    let folder = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let folder = folder.map_or_else(dependencies, PathBuf::from);
    let mut text = Vec::with_capacity(TEXT_LEN + 1_000_000);
    gather(&folder, &mut text);
    assert!(text.len() >= TEXT_LEN, "{} contains only {} bytes", folder.display(), text.len());
    text.truncate(TEXT_LEN);
    println!("text: {} bytes of .rs files below {}", text.len(), folder.display());
    rates(&mut text);
    switch(&text);
    decisions();
}

fn dependencies() -> PathBuf {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    home.expect("cargo has a home").join("registry/src")
}

fn gather(folder: &Path, text: &mut Vec<u8>) {
    let entries = std::fs::read_dir(folder).expect("the folder can be read");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    for path in paths {
        if text.len() >= TEXT_LEN {
            return;
        }
        if path.is_dir() {
            gather(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.extend(std::fs::read(&path).expect("the file can be read"));
        }
    }
}

fn sample(format: &Format, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut fill = |bytes: &mut [u8]| {
        for byte in bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (state >> 56) as u8;
        }
    };
    // The last choice is the longest one: words need a long run.
    let choice = *format.choices().last().expect("a layout");
    format.mint(choice, &mut fill).expose().to_vec()
}

/// Compares the whole detector with `memmem` for one needle, over the same bytes.
fn rates(text: &mut [u8]) {
    let rules = rules::builtin().expect("the built-in rules compile");
    let one = rules.restricted_to(&["datadog-pat".to_owned()]).expect("a built-in rule");
    let formats = |rules: &RuleSet| -> Vec<Format> {
        rules.rules().iter().filter(|it| it.provable).map(|it| it.format.clone()).collect()
    };
    // Ten Datadog tokens and one of each rule, for the count.
    let other: Vec<Format> = formats(&rules);
    let datadog = formats(&one);
    for at in 0..10 {
        let token = sample(&datadog[0], at);
        text[1_000_000 * (at as usize + 1)..][..token.len()].copy_from_slice(&token);
    }
    for (at, format) in other.iter().enumerate() {
        let token = [b" ", &*sample(format, 99), b" "].concat();
        let place = 12_000_000 + at * (TEXT_LEN - 13_000_000) / other.len();
        text[place..][..token.len()].copy_from_slice(&token);
    }
    let text = &*text;
    let finder = memchr::memmem::Finder::new("ddpat_");
    let needles = finder.find_iter(text).count();
    let all = Detector::new(Arc::new(rules)).expect("few rules");
    let one = Detector::new(Arc::new(one)).expect("one rule");
    let proven = |detector: &Detector| {
        let mut count = 0;
        let haystack = Haystack::whole(text);
        detector.find(haystack, 0..text.len(), &mut Scratch::default(), |found, _| {
            count += usize::from(found.evidence == Evidence::Proven);
        });
        count
    };
    let timings = compare(
        ROUNDS,
        &mut [
            ("memmem, one needle", needles, Box::new(|| finder.find_iter(text).count())),
            ("detector, one rule", 11, Box::new(|| proven(&one))),
            ("detector, all rules", 10 + other.len(), Box::new(|| proven(&all))),
        ],
    );
    print_rates("rates", text.len(), &timings);
}

/// Compares `memmem` for one needle after the other with the packed searcher for all needles at once.
fn switch(text: &[u8]) {
    let rules = rules::builtin().expect("the built-in rules compile");
    let heads: Vec<&[u8]> =
        rules.rules().iter().filter_map(|rule| Some(&*rule.format.anchor()?.text)).collect();
    for count in [1, 2, 4, 8, 17, 32, 64] {
        let mut heads = heads.clone();
        heads.dedup();
        heads.truncate(count);
        let finders: Vec<_> = heads.iter().map(memchr::memmem::Finder::new).collect();
        let each = || finders.iter().map(|finder| finder.find_iter(text).count()).sum();
        let prefilter = Prefilter::new(&heads).expect("few needles");
        let at_once = || {
            let mut hits = 0;
            prefilter.find(text, 0..text.len(), |_| hits += 1);
            hits
        };
        let expected = each();
        let timings = compare(
            5,
            &mut [
                ("memmem, one after the other", expected, Box::new(each)),
                ("the prefilter", expected, Box::new(at_once)),
            ],
        );
        print_rates(&format!("switch, {count} needles"), text.len(), &timings);
    }
}

fn print_rates(title: &str, len: usize, timings: &[Timing]) {
    println!("{title}");
    for timing in timings {
        let rate = |time: std::time::Duration| len as f64 / time.as_secs_f64() / 1e9;
        println!(
            "  {:30} {:6.2} GB/s median, {:6.2} best, {:.2} of the first",
            timing.name,
            rate(timing.median),
            rate(timing.least),
            timings[0].median.as_secs_f64() / timing.median.as_secs_f64(),
        );
    }
}

/// The cost of checking one candidate.
fn decisions() {
    const COUNT: usize = 100_000;
    let format = datadog::access_token(datadog::PERSONAL_PREFIX).expect("the format is valid");
    let tokens: Vec<Vec<u8>> = (0..1000).map(|seed| sample(&format, seed)).collect();
    let damaged = |at: usize, byte: u8| -> Vec<Vec<u8>> {
        let change = |mut token: Vec<u8>| {
            token[at] = if token[at] == byte { byte + 1 } else { byte };
            token
        };
        tokens.iter().cloned().map(change).collect()
    };
    let typos = damaged(40, b'a');
    // The first digit of the checksum.
    let overflows = damaged(tokens[0].len() - 6, b'z');
    let work = |candidates: &'static [Vec<u8>], wanted: fn(Check) -> bool| {
        Box::new(move || {
            let all = candidates.iter().cycle().take(COUNT);
            all.filter(|it| wanted(format_of().check(black_box(it)))).count()
        }) as Box<dyn FnMut() -> usize>
    };
    let keep = |list: Vec<Vec<u8>>| -> &'static [Vec<u8>] { list.leak() };
    let mut contenders: Vec<Contender<'_>> = vec![
        (
            "a token",
            COUNT,
            work(keep(tokens.clone()), |check| matches!(check, Check::Proven { .. })),
        ),
        (
            "a typo in the secret: all four coverages",
            COUNT,
            work(keep(typos), |check| matches!(check, Check::Shaped { .. })),
        ),
        ("a checksum out of range", COUNT, work(keep(overflows), |check| check == Check::NoMatch)),
    ];
    println!("decisions");
    for timing in compare(ROUNDS, &mut contenders) {
        let nanos = timing.median.as_secs_f64() * 1e9 / COUNT as f64;
        let least = timing.least.as_secs_f64() * 1e9 / COUNT as f64;
        println!("  {:42} {nanos:6.1} ns median, {least:6.1} best", timing.name);
    }
}

fn format_of() -> &'static Format {
    static FORMAT: std::sync::OnceLock<Format> = std::sync::OnceLock::new();
    FORMAT.get_or_init(|| datadog::access_token(datadog::PERSONAL_PREFIX).expect("a valid format"))
}
