//! What does not fit is counted; what does not count is told.

use super::{document, finding, markup, plain, report, spelled};
use serde_json::{Value, json};

fn commands(told: &str, level: &str) -> usize {
    told.lines().filter(|it| it.starts_with(&format!("::{level} "))).count()
}

#[test]
fn annotations_keep_within_ten_of_a_level_and_count_the_rest() {
    let mut findings: Vec<Value> = (0..25).map(|n| plain(n, &format!("file{n}"))).collect();
    findings.extend((25..50).map(|n| {
        let mut shaped = plain(n, &format!("file{n}"));
        shaped["evidence"] = json!("shaped");
        shaped
    }));
    findings.extend((50..75).map(|n| {
        let mut news = plain(n, &format!("file{n}"));
        news["suppression"] = json!({"by": "baseline"});
        news["locations"][0]["new_place"] = json!(true);
        news
    }));
    let mut report = report(&findings);
    report["complete"] = json!(false);
    report["diagnostics"] = json!([{"kind": "unread", "path": "x", "message": "gone"}]);
    report["unused"] = json!([{"by": "allow", "fingerprint": "f", "what": "w"}]);
    let told = spelled(&document(&report), "github");
    for level in ["error", "warning", "notice"] {
        assert_eq!(commands(&told, level), 10, "{told}");
    }
    let shown = 10 + 8 + 8;
    assert!(told.contains(&format!("::{} more findings are not annotated", 75 - shown)), "{told}");
    assert!(told.contains("Incomplete: 1 item was not scanned.%0Ax: gone\n"), "{told}");
}

#[test]
fn lines_of_the_change_are_annotated_first_and_what_has_no_line_stands_alone() {
    let mut gone = finding(1, "gone.env");
    gone["locations"][0]["git"]["in_head"] = json!(false);
    let mut masked = plain(2, "x/ddpat_***.txt");
    masked["locations"][0]["part"] = json!("name");
    let mut new = plain(3, "src/new, file.rs");
    new["locations"][0]["standing"] = json!("new");
    let mut long = plain(4, "key.pem");
    long["locations"][0]["end_line"] = json!(99);
    let told = spelled(&document(&report(&[gone, masked, new, long])), "github");
    let heads: Vec<&str> = told
        .lines()
        .filter_map(|line| line.strip_prefix("::error "))
        .map(|line| line.split("title").next().expect("a head"))
        .collect();
    let first = "file=src/new%2C file.rs,line=4,endLine=4,col=1,endColumn=8,";
    assert_eq!(heads, [first, "file=key.pem,line=5,endLine=99,", "", ""]);
}

#[test]
fn markdown_fits_a_jobs_summary_and_says_what_it_cut() {
    let long = "a very long text with <&> ".repeat(200);
    let findings: Vec<Value> = (0..3_000).map(|n| finding(n, &long)).collect();
    let told = spelled(&document(&report(&findings)), "markdown");
    assert!(told.len() < 1_048_576, "{}", told.len());
    let rows = told.lines().filter(|it| it.starts_with('|')).count() - 2;
    assert!(told.contains("more are not listed here"), "{}", &told[..500]);
    assert!(rows > 100 && told.contains("more are not detailed here"), "{rows}");
    let few = spelled(&document(&report(&findings[..2])), "markdown");
    assert!(!few.contains("not listed here") && !few.contains("not detailed here"));
}

#[test]
fn the_page_of_many_findings_is_lean_and_says_what_it_cut() {
    let findings: Vec<Value> = (0..5_000).map(|n| plain(n, &format!("a/{n}"))).collect();
    let page = spelled(&document(&report(&findings)), "html");
    let elements = markup::elements(&page);
    let told = elements.iter().filter(|(name, attributes)| {
        name == "details" && attributes.iter().any(|(_, value)| value.starts_with("finding "))
    });
    assert_eq!(told.count(), 5_000);
    assert!(page.len() < 10_000_000, "{}", page.len());
    assert!(page.contains("From number 251 on, findings are shown in short form"));
    let mut many = findings;
    many.extend((0..5_500).map(|n| plain(n, "b")));
    let page = spelled(&document(&report(&many)), "html");
    assert!(page.contains("And 500 more, which <code>--report json</code> lists."));
}

#[test]
fn the_page_loads_nothing_and_allows_its_own_script_and_style_only() {
    use sha2::Digest;
    for findings in [0, 1, 4] {
        let findings: Vec<Value> = (0..findings).map(|n| plain(n, "a")).collect();
        let page = spelled(&document(&report(&findings)), "html");
        let policy = markup::elements(&page)
            .into_iter()
            .flat_map(|(_, attributes)| attributes)
            .find(|(_, value)| value.starts_with("default-src"))
            .expect("a policy")
            .1;
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        for name in ["style", "script"] {
            let (_, inner) = page.split_once(&format!("<{name}>")).expect("one");
            let (inner, _) = inner.split_once(&format!("</{name}>")).expect("an end");
            let digest = sha2::Sha256::digest(inner.as_bytes());
            assert!(policy.contains(&format!("{name}-src 'sha256-{}'", base64(&digest))));
            assert!(!inner.contains("url(") && !inner.contains("@import"));
        }
        for bad in ["http-equiv=\"refresh\"", "unsafe", "<link", " src="] {
            assert!(!page.contains(bad), "{bad}");
        }
    }
}

/// Base64 bit by bit.
fn base64(bytes: &[u8]) -> String {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bits: String = bytes.iter().map(|it| format!("{it:08b}")).collect();
    bits.push_str(&"0".repeat((6 - bits.len() % 6) % 6));
    let digit = |at: usize| usize::from_str_radix(&bits[at..at + 6], 2).expect("six bits");
    let mut text: String =
        (0..bits.len()).step_by(6).map(|at| char::from(digits[digit(at)])).collect();
    text.push_str(&"=".repeat((4 - text.len() % 4) % 4));
    text
}

#[test]
fn what_does_not_count_is_told_with_its_reason_and_not_among_the_findings() {
    let mut known = plain(1, "sample.py");
    known["suppression"] = json!({"by": "allow", "reason": "a sample", "expires": "2027-01-01"});
    let mut report = report(&[plain(0, "a"), known]);
    report["unused"] = json!([{"by": "baseline", "fingerprint": "f00", "what": "ddpat_x"}]);
    report["summary"]["suppressed"] =
        json!({"inline": 0, "allowed": 1, "baseline": 0, "new_places": 0});
    let document = document(&report);
    let why = "suppressed: on the allow list: a sample (until 2027-01-01)";
    for format in ["html", "markdown"] {
        let told = spelled(&document, format);
        assert!(told.contains(why), "{format}");
        assert!(told.contains("1 token suppressed: 1 by the allowlist."), "{told}");
        assert!(told.contains("entry f00"), "{format}");
        assert!(told.contains("Skipped: 3 files by .gitignore"), "{format}");
    }
    let told = spelled(&document, "github");
    assert!(!told.contains("sample.py") && commands(&told, "error") == 1, "{told}");
    assert!(told.contains("1 token suppressed"), "{told}");
}

#[test]
fn incompleteness_is_said_first() {
    let mut report = report(&[]);
    report["complete"] = json!(false);
    report["diagnostics"] = json!([{"kind": "unread", "path": null, "message": "lost"}]);
    let document = document(&report);
    let told = spelled(&document, "markdown");
    assert!(told.starts_with("> [!CAUTION]\n> **Incomplete: 1 item was not scanned.**\n"));
    assert!(spelled(&document, "github").starts_with("::warning title=ddpatrol%3A incomplete::"));
    let page = spelled(&document, "html");
    let (banner, verdict) = (page.find("class=\"incomplete\""), page.find("<main>"));
    assert!(banner.is_some() && banner < verdict);
    assert!(page.contains("not everything was"));
}
