//! Hostile texts in every field and name: every format renders them as text.

use super::{document, finding, render, report, strict_html};
use crate::support::mint::{self, Random};
use crate::support::repo::Repo;
use serde_json::json;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

const HOSTILE: [&str; 24] = [
    "\"><script>alert(1)</script>",
    "'><img src=x onerror=alert(1)>",
    "]]>",
    "--><img onerror=x>",
    "<!--",
    "</style></script></code></details></pre>",
    "&lt;script&gt;&#60;b&#62;",
    "::error::x",
    " ::stop-commands::x",
    "\n::set-output name=a::b",
    "\r\n::add-mask::x",
    "##[add-path]x",
    "%0A::error::x",
    "a,file=b,title=c::d",
    "`code` ``two`` ```three",
    "a | b \\| c \\",
    "@everyone @org/team #1 GH-1 a/b#2",
    "[x](javascript:alert(1)) ![y](https://x.example/y.png)",
    "https://x.example www.x.example me@x.example",
    "# a\n- b\n> c\n1. d",
    "**bold** _em_ ~~gone~~ $x$ :+1:",
    "\x1b[31m\x07\u{9b}",
    "\u{202e}\u{2066}\u{200b}\u{feff}",
    " <details open ontoggle=alert(1)> ",
];

/// Returns a report with this text in every field.
fn hostile(text: &str) -> ddpatrol::report::Document {
    let mut shaped = finding(1, text);
    shaped["evidence"] = json!("shaped");
    let mut known = finding(2, text);
    known["suppression"] = json!({"by": "allow", "reason": text, "expires": text});
    let mut news = finding(3, text);
    news["suppression"] = json!({"by": "baseline", "reason": text});
    news["locations"][0]["new_place"] = json!(true);
    let mut places = finding(4, text);
    let parts = ["name", "ref", "commit", "tag"].map(|part| {
        let mut place = places["locations"][0].clone();
        place["part"] = json!(part);
        place
    });
    places["locations"].as_array_mut().expect("a list").extend(parts);
    let mut report = report(&[finding(0, text), shaped, known, news, places]);
    report["complete"] = json!(false);
    report["notes"] = json!([text]);
    report["start_time"] = json!(text);
    report["end_time"] = json!(text);
    report["tool"]["version"] = json!(text);
    report["repositories"] = json!([
        {"path": text, "head": text, "url": text},
        {"path": format!("x{text}"), "head": text},
    ]);
    report["diagnostics"] = json!([
        {"kind": "unread", "path": text, "message": text, "repository": text, "commit": text},
        {
            "kind": "unread", "path": text, "message": text, "object": text,
            "acknowledged": {"reason": text, "expires": text}
        },
    ]);
    report["findings"][0]["locations"][0]["owners"] = json!([text, format!("x{text}")]);
    report["findings"][0]["locations"][0]["url"] = json!(text);
    report["unused"] = json!([{"by": "allow", "fingerprint": text, "what": text, "expired": text}]);
    document(&report)
}

fn is_unsafe(c: char) -> bool {
    (c.is_control() && c != '\n') || "\u{202e}\u{2066}\u{200b}\u{feff}".contains(c)
}

#[test]
fn no_text_becomes_an_html_element_or_attribute() {
    let kinds = |page: &str| -> BTreeSet<String> {
        let elements = strict_html::elements(page).into_iter();
        elements
            .flat_map(|(name, attributes)| {
                let named = attributes.into_iter().map(|(key, _)| key);
                named.map(|key| format!("@{key}")).chain([name]).collect::<Vec<_>>()
            })
            .collect()
    };
    let harmless = kinds(&render(&hostile("text"), "html"));
    assert!(harmless.contains("details") && harmless.contains("@class"), "{harmless:?}");
    for text in HOSTILE {
        let page = render(&hostile(text), "html");
        assert_eq!(kinds(&page), harmless, "{text:?}");
        assert!(!page.chars().any(is_unsafe), "{text:?}");
        for (name, attributes) in strict_html::elements(&page) {
            for (key, value) in attributes {
                assert!(!key.starts_with("on") && key != "style" && key != "src", "{name} {key}");
                // Links of the fixture are not web pages; only fragments of the page are left.
                assert!(key != "href" || value.starts_with('#'), "{name} {value}");
            }
        }
    }
}

#[test]
fn every_line_of_annotations_is_an_expected_command() {
    for text in HOSTILE {
        let printed = render(&hostile(text), "github");
        assert!(!printed.chars().any(is_unsafe), "{text:?}");
        let lines: Vec<&str> = printed.lines().collect();
        assert_eq!(lines.len(), render(&hostile("text"), "github").lines().count(), "{text:?}");
        for line in lines {
            assert!(!line.contains("##["), "{line}");
            // The runner parses the name and the properties up to the next `::`.
            let (head, _) = line[2..].split_once("::").expect("a command");
            let (name, properties) = head.split_once(' ').expect("properties");
            assert!(["error", "warning", "notice"].contains(&name), "{line}");
            let keys: Vec<&str> =
                properties.split(',').map(|it| it.split_once('=').expect("a value").0).collect();
            let whole = ["file", "line", "endLine", "col", "endColumn", "title"];
            assert!(keys == ["title"] || keys == whole, "{line}");
        }
    }
}

#[test]
fn no_text_becomes_markup_a_link_or_a_mention_in_markdown() {
    let rows = |text: &str| text.lines().filter(|it| it.starts_with('|')).count();
    let harmless = render(&hostile("text"), "markdown");
    for text in HOSTILE {
        let printed = render(&hostile(text), "markdown");
        assert!(!printed.chars().any(is_unsafe), "{text:?}");
        assert_eq!(printed.lines().count(), harmless.lines().count(), "{text:?}");
        assert_eq!(rows(&printed), rows(&harmless), "{text:?}");
        for line in printed.lines() {
            if line.starts_with('|') {
                assert_eq!(line.matches('|').count(), 7, "{line}");
            }
            let prose = without_code(line);
            let own = ["<details>", "</details>", "<summary>", "</summary>", "[!CAUTION]"];
            let prose = own.iter().fold(prose, |prose, it| prose.replace(it, ""));
            let prose = prose.trim_start_matches(['#', '>', ' ']);
            // The rest of a numeric character reference is not a reference to an issue.
            let prose = prose.replace("&#", "&");
            for bad in ["<", "@", "#", "](", "![", "://", "www.", "GH-", "`", "~~", "$"] {
                assert!(!prose.contains(bad), "{text:?}: {bad} in {line}");
            }
        }
    }
}

/// Removes text that Markdown renders literally: spans between single backticks, and `<code>` elements
/// whose content has no markup character.
fn without_code(line: &str) -> String {
    let mut rest = line.to_owned();
    while let Some((before, after)) = rest.split_once("<code>") {
        let (code, after) = after.split_once("</code>").expect("it is closed");
        assert!(!code.contains(['<', '>', '`', '*', '|', '\\', '[', '@']), "{line}");
        rest = format!("{before}{after}");
    }
    let parts: Vec<&str> = rest.split('`').collect();
    assert!(parts.len() % 2 == 1 && !rest.contains("``"), "{line}");
    parts.into_iter().step_by(2).collect()
}

/// Creates a repository with hostile text and a token in every name and message.
fn planted() -> (Repo, Vec<String>) {
    let repo = Repo::new();
    let mut tokens = Vec::new();
    let mut next = |text: &str| {
        tokens.push(mint::datadog(&mut Random(tokens.len() as u64), "ddpat_", 43, 0));
        let name = text.replace('/', "_").replace('\0', "");
        (name, tokens[tokens.len() - 1].clone())
    };
    for text in HOSTILE {
        let (name, token) = next(text);
        repo.write(format!("x{name}"), &token);
        let (name, token) = next(text);
        repo.write(format!("{name}{token}"), "");
        let (name, token) = next(text);
        repo.git(&["add", "-A"]);
        let message = format!("{name}\n\n{token}");
        let mut command = repo.command(repo.path(), &["commit", "-q", "-m", &message]);
        command.env("GIT_AUTHOR_NAME", format!("A{text}")).env("GIT_AUTHOR_EMAIL", text);
        assert!(command.status().expect("git runs").success());
    }
    let (_, token) = next("");
    repo.write(OsStr::from_bytes(b"caf\xe9\xff"), &token);
    for name in ["\"><script>", "`|@everyone", "#1<!--", "%0A\u{202e}"] {
        repo.commit("a branch's");
        repo.git(&["update-ref", &format!("refs/heads/x{name}"), "HEAD"]);
    }
    repo.git(&["rm", "-q", "-r", "."]);
    repo.commit("gone");
    (repo, tokens)
}

#[test]
fn reports_of_a_hostile_repository_are_masked_and_independent_of_workers() {
    let (repo, tokens) = planted();
    let harmless = ["script", "style", "meta", "svg"];
    for format in ["html", "markdown", "github", "text"] {
        let run = |threads| {
            let args = ["scan", "--report", format, "--threads", threads, "--show-shaped"];
            repo.run_without_git(repo.path(), &args)
        };
        let ran = run("1");
        assert_eq!(ran.code(), Some(1), "{ran:?}");
        let printed = ran.stdout() + &ran.stderr();
        for (n, token) in tokens.iter().enumerate() {
            for at in (29..token.len() - 8).step_by(4) {
                assert!(!printed.contains(&token[at..at + 8]), "{format} shows token {n}");
            }
        }
        assert!(!printed.chars().any(is_unsafe), "{format}");
        if format == "text" {
            assert!(!printed.lines().any(|it| it.trim_start().starts_with("::")), "{printed}");
            assert!(!printed.contains("##["), "{printed}");
            continue;
        }
        assert_eq!(ran.stdout(), run("5").stdout(), "{format}");
        if format == "html" {
            let elements = strict_html::elements(&ran.stdout());
            let count = |name: &str| elements.iter().filter(|(it, _)| it == name).count();
            assert_eq!(harmless.map(|name| count(name).min(2)), [1, 1, 2, 2]);
            assert_eq!(count("img"), 0);
        }
    }
}
