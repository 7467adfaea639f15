//! Size limits of formats: omitted findings are counted, suppressed findings are listed.

use super::{document, finding, plain, render, report, strict_html};
use serde_json::{Value, json};

fn commands(printed: &str, level: &str) -> usize {
    printed.lines().filter(|it| it.starts_with(&format!("::{level} "))).count()
}

#[test]
fn annotations_are_limited_to_ten_per_level_and_count_the_rest() {
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
    let printed = render(&document(&report), "github");
    for level in ["error", "warning", "notice"] {
        assert_eq!(commands(&printed, level), 10, "{printed}");
    }
    let shown = 10 + 8 + 8;
    assert!(
        printed.contains(&format!("::{} more findings are not annotated", 75 - shown)),
        "{printed}"
    );
    assert!(printed.contains("Incomplete: 1 item was not scanned.%0Ax: gone\n"), "{printed}");
}

#[test]
fn changed_lines_are_annotated_first_and_findings_without_a_line_separately() {
    let mut gone = finding(1, "gone.env");
    gone["locations"][0]["git"]["in_head"] = json!(false);
    let mut masked = plain(2, "x/ddpat_***.txt");
    masked["locations"][0]["part"] = json!("name");
    let mut new = plain(3, "src/new, file.rs");
    new["locations"][0]["standing"] = json!("new");
    let mut long = plain(4, "key.pem");
    long["locations"][0]["end_line"] = json!(99);
    let printed = render(&document(&report(&[gone, masked, new, long])), "github");
    let heads: Vec<&str> = printed
        .lines()
        .filter_map(|line| line.strip_prefix("::error "))
        .map(|line| line.split("title").next().expect("a head"))
        .collect();
    let first = "file=src/new%2C file.rs,line=4,endLine=4,col=1,endColumn=8,";
    assert_eq!(heads, [first, "file=key.pem,line=5,endLine=99,", "", ""]);
}

#[test]
fn markdown_fits_a_job_summary_and_states_what_it_omits() {
    let long = "a very long text with <&> ".repeat(200);
    let findings: Vec<Value> = (0..3_000).map(|n| finding(n, &long)).collect();
    let printed = render(&document(&report(&findings)), "markdown");
    assert!(printed.len() < 1_048_576, "{}", printed.len());
    let rows = printed.lines().filter(|it| it.starts_with('|')).count() - 2;
    assert!(printed.contains("more are not listed here"), "{}", &printed[..500]);
    assert!(rows > 100 && printed.contains("more are not detailed here"), "{rows}");
    let few = render(&document(&report(&findings[..2])), "markdown");
    assert!(!few.contains("not listed here") && !few.contains("not detailed here"));
}

#[test]
fn the_page_of_many_findings_is_small_and_states_what_it_omits() {
    let findings: Vec<Value> = (0..5_000).map(|n| plain(n, &format!("a/{n}"))).collect();
    let page = render(&document(&report(&findings)), "html");
    let elements = strict_html::elements(&page);
    let printed = elements.iter().filter(|(name, attributes)| {
        name == "details" && attributes.iter().any(|(_, value)| value == "finding")
    });
    assert_eq!(printed.count(), 5_000);
    assert!(page.len() < 12_000_000, "{}", page.len());
    // Only the first hundred are in the DOM of a browser with the script.
    let (first, _) = page.split_once("<noscript>").expect("the others are in a noscript element");
    assert_eq!(first.matches("<details class=\"finding\"").count(), 100);
    assert!(page.contains("From number 1,001 on, findings are shown in short form"));
    let mut many = findings;
    many.extend((0..5_500).map(|n| plain(n, "b")));
    let page = render(&document(&report(&many)), "html");
    assert!(page.contains("And 500 more, which <code>--report json</code> lists."));
}

#[test]
fn a_page_of_few_findings_needs_no_script() {
    let findings: Vec<Value> = (0..100).map(|n| plain(n, &format!("a/{n}"))).collect();
    let page = render(&document(&report(&findings)), "html");
    assert!(!page.contains("<noscript>"));
    let (list, _) = page.split_once("<script>").expect("one");
    assert_eq!(list.matches("<details class=\"finding\"").count(), 100);
}

#[test]
fn the_page_lists_live_tokens_first_and_issues_last() {
    let mut live = plain(2, "live.env");
    live["verification"] = json!({"verdict": "live", "reason": "200"});
    live["revocation"] = Value::Null;
    let mut report = report(&[plain(1, "unknown.env"), live]);
    report["diagnostics"] = json!([
        {"kind": "opaque", "path": "x.7z", "message": "lost"},
        {
            "kind": "unread", "path": "y.7z", "message": "known",
            "acknowledged": {"reason": "vendored"}
        },
    ]);
    let page = render(&document(&report), "html");
    let (_, main) = page.split_once("<main>").expect("one");
    let order = [
        "Live, in HEAD or files",
        "live.env",
        "unknown.env",
        "x.7z",
        "1 acknowledged item",
        "y.7z",
    ];
    let places = order.map(|it| main.find(it).unwrap_or_else(|| panic!("{it}: {main}")));
    assert!(places.is_sorted(), "{places:?}");
    assert!(main.contains("acknowledged: vendored"));
}

#[test]
fn the_token_is_highlighted_and_web_pages_are_linked() {
    let mut one = plain(1, "a.env");
    one["token"]["redacted"] = json!("ddpat_x_***");
    one["locations"][0]["snippet"] = json!("KEY=\"ddpat_x_***\" # <b>");
    one["locations"][0]["url"] = json!("https://github.com/a/b/blob/c/a.env#L2");
    one["locations"][0]["owners"] = json!(["@a/platform"]);
    let page = render(&document(&report(&[one])), "html");
    assert!(page.contains("KEY=&quot;<mark>ddpat_x_***</mark>&quot; # &lt;b&gt;"), "{page}");
    assert!(page.contains("href=\"https://github.com/a/b/blob/c/a.env#L2\""), "{page}");
    assert!(page.contains("@a/platform"));
}

#[test]
fn the_page_loads_nothing_and_allows_only_its_own_script_and_style() {
    use sha2::Digest;
    for findings in [0, 1, 4] {
        let findings: Vec<Value> = (0..findings).map(|n| plain(n, "a")).collect();
        let page = render(&document(&report(&findings)), "html");
        let policy = strict_html::elements(&page)
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

/// Encodes base64 bit by bit.
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
fn suppressed_findings_are_listed_separately_with_their_reasons() {
    let mut known = plain(1, "sample.py");
    known["suppression"] = json!({"by": "allow", "reason": "a sample", "expires": "2027-01-01"});
    let mut report = report(&[plain(0, "a"), known]);
    report["unused"] = json!([{"by": "baseline", "fingerprint": "f00", "what": "ddpat_x"}]);
    report["summary"]["suppressed"] =
        json!({"inline": 0, "allowed": 1, "baseline": 0, "new_places": 0});
    let document = document(&report);
    let why = "suppressed: on the allowlist: a sample (until 2027-01-01)";
    for format in ["html", "markdown"] {
        let printed = render(&document, format);
        assert!(printed.contains(why), "{format}");
        assert!(printed.contains("1 token suppressed: 1 by the allowlist."), "{printed}");
        assert!(printed.contains("entry f00"), "{format}");
        assert!(printed.contains("Skipped: 3 files by .gitignore"), "{format}");
    }
    let printed = render(&document, "github");
    assert!(!printed.contains("sample.py") && commands(&printed, "error") == 1, "{printed}");
    assert!(printed.contains("1 token suppressed"), "{printed}");
}

#[test]
fn incompleteness_is_reported_first() {
    let mut report = report(&[]);
    report["complete"] = json!(false);
    report["diagnostics"] = json!([{"kind": "unread", "path": null, "message": "lost"}]);
    let document = document(&report);
    let printed = render(&document, "markdown");
    assert!(printed.starts_with("> [!CAUTION]\n> **Incomplete: 1 item was not scanned.**\n"));
    assert!(render(&document, "github").starts_with("::warning title=ddpatrol%3A incomplete::"));
    let page = render(&document, "html");
    let (banner, verdict) = (page.find("class=\"incomplete\""), page.find("<main>"));
    assert!(banner.is_some() && banner < verdict);
    assert!(page.contains("not everything was"));
}
