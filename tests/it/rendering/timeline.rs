//! The timeline of the HTML report.

use super::{document, finding, render, report};
use serde_json::json;

#[test]
fn lanes_of_tokens_that_look_alike_have_different_labels() {
    let dated = |number: usize, path: &str| {
        let mut it = finding(number, "text");
        let person =
            json!({"name": "Ada", "email": "a@example.org", "date": "2026-01-02T03:04:05Z"});
        let commit = json!({
            "commit": "a".repeat(40), "author": person, "committer": person, "subject": "x"
        });
        it["token"] = json!({"redacted": "ghp_***", "alias": null, "uuid": null});
        it["fingerprint"] = json!(format!("{number}23456789abc{:020x}", 0));
        it["locations"][0]["path"] = json!(path);
        it["locations"][0]["git"]["introduced"] = commit;
        it["locations"][0]["git"]["removed"] = json!([]);
        it
    };
    let all = [dated(1, "src/client.py"), dated(2, "a/very/long/folder/<b>x</b>\u{202e}/prod.env")];
    let page = render(&document(&report(&all)), "html");
    let lanes = page.split("class=\"lanes\"").nth(1).and_then(|it| it.split("</ol>").next());
    let lanes = lanes.expect("lanes");
    assert_eq!(lanes.matches("ghp_***").count(), 2, "{lanes}");
    assert!(lanes.contains("fp:123456789abc · src/client.py"), "{lanes}");
    assert!(lanes.contains("fp:223456789abc · …"), "{lanes}");
    assert!(lanes.contains("&lt;b&gt;x&lt;/b&gt;") && lanes.contains("/prod.env"), "{lanes}");
    assert!(!lanes.contains('\u{202e}') && !lanes.contains("<b>"), "{lanes}");
}
