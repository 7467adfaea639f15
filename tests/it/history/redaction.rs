//! Reports of a history: they contain neither a token nor terminal control sequences.

use super::token;
use crate::support::repo::Repo;
use serde_json::Value;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// A repository with one token in each kind of place.
pub(super) struct Planted {
    pub(super) repo: Repo,
    pub(super) tokens: Vec<String>,
}

/// Creates a commit of another author.
fn commit_as(repo: &Repo, name: &[u8], email: &str, message: &str) {
    repo.git(&["add", "-A"]);
    let args = ["commit", "-q", "--allow-empty", "-m", message];
    let mut command = repo.command(repo.path(), &args);
    command.env("GIT_AUTHOR_NAME", OsStr::from_bytes(name)).env("GIT_AUTHOR_EMAIL", email);
    assert!(command.status().expect("git runs").success());
}

pub(super) fn planted() -> Planted {
    let repo = Repo::new();
    let tokens: Vec<String> = (0..20).map(token).collect();
    let of = |n: usize| tokens[n].as_str();
    repo.commit_file("x", "nothing");
    // This token occurs in every part of the description of its location.
    repo.write(format!("{}/{}.txt", of(0), of(1)), format!("a {} b\n{}", of(2), of(19)));
    let name = format!("N {}", of(3));
    let subject = format!("subject {}\n\nbody {}", of(5), of(6));
    commit_as(&repo, name.as_bytes(), &format!("{}@x.org", of(4)), &subject);
    repo.git(&["rm", "-q", "-r", of(0)]);
    commit_as(&repo, of(7).as_bytes(), of(8), &format!("remove {}", of(9)));
    repo.git(&["branch", &format!("b/{}", of(10))]);
    repo.git(&["tag", "-m", &format!("tag {}", of(11)), of(12)]);
    repo.git(&["update-ref", &format!("refs/pull/{}/head", of(13)), "HEAD"]);
    repo.git(&["notes", "add", "-m", of(14)]);
    repo.write("stashed", of(15));
    repo.git(&["stash", "push", "-q", "-u", "-m", of(16)]);
    repo.hash_object("blob", of(17));
    let blob = repo.hash_object("blob", "x");
    repo.git_with_input(&["mktree"], format!("100644 blob {blob}\t{}\n", of(18)));
    Planted { repo, tokens }
}

#[test]
fn every_tree_entry_is_located_inside_its_repository() {
    let repo = Repo::new();
    let blob = |seed| repo.hash_object("blob", token(seed));
    let tree = |entries: &[(&str, &str, &str)]| {
        let mut bytes = Vec::new();
        for (mode, name, id) in entries {
            bytes.extend(format!("{mode} {name}\0").into_bytes());
            let digits = (0..id.len()).step_by(2);
            bytes.extend(digits.map(|at| u8::from_str_radix(&id[at..at + 2], 16).expect("hex")));
        }
        repo.hash_object("tree", bytes)
    };
    let inner = tree(&[("100644", "main.c", &blob(1)), ("100644", "/etc/x", &blob(2))]);
    let up = tree(&[("40000", "..", &inner)]);
    let top = tree(&[
        ("40000", "..", &up),
        ("100644", "../../out", &blob(3)),
        ("100644", "/etc/passwd", &blob(4)),
        ("100644", "..\\out.c", &blob(5)),
    ]);
    let commit = repo.git(&["commit-tree", "-m", "hostile", &top]);
    repo.git(&["update-ref", "refs/heads/hostile", &commit]);
    let wanted = ["main.c", "etc/x", "out", "etc/passwd", "out.c"];
    let report = repo.scan_history();
    for (at, path) in wanted.iter().enumerate() {
        assert_eq!(report.only_location(&token(at as u64 + 1))["path"], *path);
    }
    let sarif =
        repo.run_without_git(repo.path(), &["scan", "--history-only", "--report", "sarif"]).json();
    let results = sarif["runs"][0]["results"].as_array().expect("a list");
    let uri = |it: &Value| {
        let place = &it["locations"][0]["physicalLocation"]["artifactLocation"];
        place["uri"].as_str().expect("a URI").to_owned()
    };
    let mut uris: Vec<String> = results.iter().map(uri).collect();
    let mut wanted = wanted.to_vec();
    uris.sort();
    wanted.sort_unstable();
    assert_eq!(uris, wanted);
}

#[test]
fn history_reports_mask_tokens_in_every_part_of_a_repository() {
    let Planted { repo, tokens } = planted();
    let report = repo.scan_history();
    for (n, token) in tokens.iter().enumerate() {
        assert!(!report.locations(token).is_empty(), "token {n} is found");
    }
    // Messages about unreadable objects and dangling references contain names, too.
    repo.write(format!(".git/refs/heads/{}", tokens[12]), "1".repeat(40));
    repo.write(format!(".git/refs/heads/{}x", tokens[13]), format!("ref: refs/{}", tokens[1]));
    repo.write("inner/.git", format!("gitdir: {}", tokens[0]));
    repo.write(format!("{}/.git", tokens[3]), "garbage");
    for format in
        ["text", "json", "jsonl", "sarif", "html", "markdown", "github", "csv", "junit", "gitlab"]
    {
        for more in
            [&[][..], &["--show-shaped", "--strict"], &["--rule", "npm-token"], &["--quiet"]]
        {
            let ran =
                repo.run_without_git(repo.path(), &[&["scan", "--report", format], more].concat());
            assert!(ran.code() == Some(1) || more.contains(&"npm-token"), "{ran:?}");
            let printed = ran.stdout() + &ran.stderr();
            for (n, token) in tokens.iter().enumerate() {
                // Prefix and alias are public.
                for at in (29..token.len() - 8).step_by(4) {
                    let part = &token[at..at + 8];
                    assert!(!printed.contains(part), "{format}: token {n} shows: {printed}");
                }
            }
        }
    }
}

#[test]
fn a_hostile_repository_cannot_control_the_terminal() {
    let repo = Repo::new();
    let hostile = "x\x1b[31m\u{202e}\u{200b}y\x07";
    let path = OsString::from(format!("{hostile}\nnext"));
    repo.write(&path, format!("{hostile} {}\n", token(1)));
    commit_as(
        &repo,
        hostile.as_bytes(),
        "a\x1b@x.org",
        &format!("{hostile}\r::error::{}", token(2)),
    );
    std::fs::remove_file(repo.path().join(&path)).expect("the file exists");
    commit_as(&repo, hostile.as_bytes(), "b\x1b@x.org", hostile);
    let reference = "refs/heads/\u{202e}x\u{200b}";
    repo.git(&["update-ref", reference, "HEAD"]);
    repo.git(&["tag", "-m", &format!("{hostile} {}", token(3)), &format!("\u{202e}{}", token(4))]);
    repo.write(".git/refs/heads/bad\x1b[31m\u{202e}", "garbage");
    let ran = repo.run_without_git(repo.path(), &["scan", "--color", "never"]);
    let text = ran.stdout();
    let unsafe_char = |c: char| (c.is_control() && c != '\n') || "\u{202e}\u{200b}".contains(c);
    assert!(!text.chars().any(unsafe_char), "{text:?}");
    assert!(!ran.stderr().chars().any(unsafe_char), "{ran:?}");
    assert!(text.contains("x\\u{1b}[31m\\u{202e}\\u{200b}y\\u{7}\\u{a}next:1:"), "{text}");
    assert!(
        text.lines().all(|line| !line.starts_with("next") && !line.starts_with("::")),
        "{text}"
    );
    let lines = text.lines().count();
    let ran = repo.run_without_git(repo.path(), &["scan", "--report", "json", "--quiet"]);
    assert!(!ran.stderr().chars().any(unsafe_char), "{ran:?}");
    let place = ran.only_location(&token(1));
    assert_eq!(place["path"], format!("{hostile}\nnext"), "JSON has escapes of its own");
    assert!(lines > 10);
}

#[test]
fn names_that_are_not_utf8_are_reported_losslessly() {
    let repo = Repo::new();
    let path = OsStr::from_bytes(b"caf\xe9/\xff.txt");
    repo.write(path, token(1));
    commit_as(&repo, b"J\xf6rg", "j@x.org", "message");
    std::fs::remove_file(repo.path().join(path)).expect("the file exists");
    repo.commit("gone");
    let place = repo.scan_history().only_location(&token(1));
    assert_eq!(place["path"], "caf\\xe9/\\xff.txt");
    assert_eq!(place["path_hex"], "636166e92fff2e747874");
    assert_eq!(place["git"]["introduced"]["author"]["name"], "Jörg", "git writes UTF-8");
}

fn validated(repo: &Repo, args: &[&str]) -> Value {
    let ran = repo.run_without_git(repo.path(), &[&["scan", "--report", "sarif"], args].concat());
    let sarif = ran.json();
    crate::support::sarif::assert_valid(&sarif);
    sarif
}

#[test]
fn sarif_is_valid_and_every_kind_of_place_has_a_physical_location() {
    let Planted { repo, tokens } = planted();
    let sarif = validated(&repo, &[]);
    let run = &sarif["runs"][0];
    let results = run["results"].as_array().expect("results");
    assert_eq!(results.len(), tokens.len());
    let mut kinds = std::collections::BTreeSet::new();
    for result in results {
        let related = result["relatedLocations"].as_array().into_iter().flatten();
        let places = result["locations"].as_array().expect("one").iter().chain(related);
        for place in places {
            let physical = &place["physicalLocation"];
            let uri = physical["artifactLocation"]["uri"].as_str().expect("a URI");
            assert!(!uri.is_empty() && !uri.starts_with('/'), "{uri}");
            assert!(physical["region"]["startLine"].as_u64() >= Some(1));
            let properties = &place["properties"];
            if properties.is_null() {
                kinds.insert("ref");
                continue;
            }
            let object = properties["object"].as_str().expect("an object");
            let kind = repo.git(&["cat-file", "-t", object]);
            kinds.insert(match &*kind {
                "blob" => "blob",
                "tree" => "tree",
                "commit" => "commit",
                _ => "tag",
            });
            if let Some(commit) = properties["commit"].as_str() {
                assert_eq!(repo.git(&["cat-file", "-t", commit]), "commit");
            }
        }
    }
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["blob", "commit", "ref", "tag", "tree"]);
    let provenance = &run["versionControlProvenance"][0];
    assert_eq!(provenance["revisionId"], repo.id("HEAD"));
    let uri = provenance["repositoryUri"].as_str().expect("a URI");
    assert!(!uri.is_empty());
    let absolute = repo.path().to_str().expect("UTF-8");
    validated(&repo, &[absolute]);
}

#[test]
fn the_first_sarif_location_is_that_of_the_introduction() {
    let repo = Repo::new();
    let first = repo.commit_file("a b/é.env", format!("é日本😀={}\n", token(1)));
    let gone = repo.commit_removal("a b/é.env");
    repo.commit_file("later", token(1));
    let sarif = validated(&repo, &["--history-only"]);
    let result = &sarif["runs"][0]["results"][0];
    let place = &result["locations"][0];
    let physical = &place["physicalLocation"];
    assert_eq!(physical["artifactLocation"]["uri"], "a%20b/%C3%A9.env");
    let region = &physical["region"];
    assert_eq!((&region["startLine"], &region["startColumn"]), (&1.into(), &7.into()));
    assert_eq!(region["endColumn"], 7 + token(1).len());
    assert_eq!(place["properties"]["commit"], first);
    assert_eq!(place["properties"]["removed"], serde_json::json!([gone]));
    assert_eq!(place["properties"]["object"], repo.id(&format!("{first}:a b/é.env")));
    let related = result["relatedLocations"].as_array().expect("the later one");
    assert_eq!(related.len(), 1);
    assert_eq!(related[0]["properties"]["commit"], repo.id("HEAD"));
}
