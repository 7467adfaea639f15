//! Settings of valid configurations, and errors of invalid ones.

use super::*;
use jiff::civil::Date;
use std::path::PathBuf;

fn error_of(text: &str) -> String {
    Config::parse(Path::new("x.toml"), text).expect_err("it is wrong").to_string()
}

#[test]
fn every_setting_is_read() {
    let text = r#"
exclude = ["vendor/", "*.snap"]
fail_on = "shaped"
baseline = "known.json"

[rules]
add = ["rules/own.toml"]
leave_out = ["npm-token"]

[[allow]]
fingerprint = "0123456789abcdef0123456789ABCDEF"
reason = "the documentation's example"
expires = 2027-01-31

[[allow]]
fingerprint = "fffffffffffffffffffffffffffffff0"
reason = "revoked on Monday"
expires = "2027-02-01"
"#;
    let config = Config::parse(Path::new("x.toml"), text).expect("it is right");
    let at = |line, column| ConfigPosition { path: "x.toml".into(), line, column };
    let own = Located { value: PathBuf::from("rules/own.toml"), position: at(7, 8) };
    assert_eq!(config.rules, [own]);
    let npm = Located { value: "npm-token".to_owned(), position: at(8, 14) };
    assert_eq!(config.leave_out, [npm]);
    assert_eq!(config.exclude, ["vendor/", "*.snap"]);
    assert_eq!(config.fail_on, Some(FailLevel::Shaped));
    let known = Located { value: "known.json".into(), position: at(4, 12) };
    assert_eq!(config.baseline, Some(known));
    let [first, second] = &config.allowed[..] else { panic!("two entries: {config:?}") };
    assert_eq!(first.fingerprint.to_string(), "0123456789abcdef0123456789abcdef");
    assert_eq!(first.reason, "the documentation's example");
    assert_eq!(first.expires, Some(Date::constant(2027, 1, 31)));
    assert_eq!(second.expires, Some(Date::constant(2027, 2, 1)));
    assert_eq!(Config::parse(Path::new("x.toml"), "").expect("empty"), Config::default());
}

#[test]
fn errors_contain_a_position_and_a_suggestion() {
    let allow = |line: &str| {
        let entry = "[[allow]]\nfingerprint = \"0123456789abcdef0123456789abcdef\"\n";
        format!("{entry}{line}\n")
    };
    let good = allow("reason = \"an example\"");
    for (text, place, words) in [
        ("alow = []".to_owned(), "x.toml:1:1", "did you mean `allow`?"),
        ("\nfail-on = \"never\"".to_owned(), "x.toml:2:1", "did you mean `fail_on`?"),
        ("fail_on = \"provn\"".to_owned(), "x.toml:1:11", "did you mean \"proven\"?"),
        ("fail_on = 1".to_owned(), "x.toml:1:11", "expected a string, found an integer `1`"),
        ("rules = [\"own.toml\"]".to_owned(), "x.toml:1:9", "expected a table, found an array"),
        ("exclude = \"a\"".to_owned(), "x.toml:1:11", "expected an array, found a string"),
        ("[exclude]\na = 1".to_owned(), "x.toml:1:1", "expected an array, found a table"),
        ("exclude = [\"a\",\n\"b{c\"]".to_owned(), "x.toml:2:1", "invalid pattern `b{c`"),
        ("[rules]\nleaveout = []".to_owned(), "x.toml:2:1", "did you mean `leave_out`?"),
        ("[[allow]]\nfingerprint = \"12\"\nreason = \"x\"".to_owned(), "x.toml:2:15", "12 to 32 hex"),
        (allow(""), "x.toml:1:1", "missing field `reason`"),
        (allow("reason = \" ! \""), "x.toml:3:10", "in words why"),
        (allow("reason = \"words\"\nexpires = \"soon\""), "x.toml:4:11", "2027-01-31"),
        (allow("reason = \"words\"\nexpires = 2027-01-31T00:00:00Z"), "x.toml:4:11", "2027-01-31"),
        (allow("reason = \"words\"\nexpires = 7"), "x.toml:4:11", ""),
        (format!("{good}{good}"), "x.toml:5:15", "duplicate"),
        (
            format!("{good}{}", good.replace("0123456789abcdef0123456789abcdef", "fp:0123456789ab")),
            "x.toml:5:15",
            "give more digits",
        ),
        ("exclude = [\"!a\"]".to_owned(), "x.toml:1:12", "remove the `!`"),
        ("exclude = 1".to_owned(), "x.toml:1:11", ""),
        (
            "[[acknowledge]]\ncode = \"archive.encrypted2\"\npath = \"a\"\nreason = \"words\"\n\
             expires = 2027-01-01"
                .to_owned(),
            "x.toml:2:8",
            "did you mean \"archive.encrypted\"?",
        ),
        (
            "[[acknowledge]]\ncode = \"archive.encrypted\"\nreason = \"words\"\nexpires = 2027-01-01"
                .to_owned(),
            "x.toml:2:8",
            "either `path` or `object`",
        ),
        (
            "[[acknowledge]]\ncode = \"archive.encrypted\"\npath = \"a\"\nreason = \"words\"".to_owned(),
            "x.toml:1:1",
            "missing field `expires`",
        ),
        ("exclude = [".to_owned(), "x.toml:1:", ""),
    ] {
        let error = error_of(&text);
        assert!(error.starts_with(place) && error.contains(words), "{text}: {error}");
    }
}

/// The lines of the template that are examples, without their comment marks.
fn examples() -> String {
    let lines = TEMPLATE.lines().filter_map(|line| line.strip_prefix('#'));
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with(' '));
    lines.fold(String::new(), |text, line| text + line + "\n")
}

#[test]
fn the_template_contains_every_key_as_a_valid_example() {
    assert_eq!(Config::parse(Path::new("x.toml"), TEMPLATE).expect("comments"), Config::default());
    let config = Config::parse(Path::new("x.toml"), &examples()).expect("valid examples");
    assert!(config.baseline.is_some() && config.fail_on.is_some() && !config.allowed.is_empty());
    // The parser lists the keys that it knows.
    for table in ["", "[rules]\n", "[[allow]]\n"] {
        let error = toml::from_str::<file::ConfigFile>(&format!("{table}zzz = 1"));
        let error = error.expect_err("an unknown key");
        let known = error.message().split_once("expected ").expect("a list").1.to_owned();
        for key in known.split('`').skip(1).step_by(2) {
            let is_there = |line: &str| {
                line.starts_with(&format!("{key} = ")) || line.trim_matches(['[', ']']) == key
            };
            assert!(examples().lines().any(is_there), "the template lacks {key}");
        }
    }
}
