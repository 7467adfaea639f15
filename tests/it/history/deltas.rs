//! Objects with tokens, compared with a search in the output of `git cat-file`.

use super::redaction::{Planted, planted};
use super::{introduced, token};
use crate::support::mint::{self, Random};
use crate::support::repo::Repo;
use std::collections::{BTreeMap, BTreeSet};

/// Returns the objects that contain each token and its offsets, by a search in the output of
/// `git cat-file`.
fn naive(repo: &Repo, tokens: &[String]) -> BTreeMap<String, BTreeSet<(String, u64)>> {
    let all = ["cat-file", "--batch-all-objects", "--unordered", "--batch"];
    let stream = repo.git_bytes(&all, "");
    let mut found: BTreeMap<String, BTreeSet<(String, u64)>> = BTreeMap::new();
    let mut rest = &stream[..];
    while !rest.is_empty() {
        let end = rest.iter().position(|&byte| byte == b'\n').expect("a header");
        let header = std::str::from_utf8(&rest[..end]).expect("it is ASCII");
        let words: Vec<&str> = header.split(' ').collect();
        let len: usize = words[2].parse().expect("a length");
        let content = &rest[end + 1..][..len];
        rest = &rest[end + len + 2..];
        for at in memchr::memmem::find_iter(content, "ddpat_") {
            for token in tokens.iter().filter(|it| content[at..].starts_with(it.as_bytes())) {
                let places = found.entry(token.clone()).or_default();
                places.insert((words[0].to_owned(), at as u64));
            }
        }
    }
    found
}

fn assert_objects_are_those_of_git(repo: &Repo, tokens: &[String]) {
    let ran = repo.scan_history();
    let expected = naive(repo, tokens);
    assert_eq!(expected.len(), tokens.len(), "every token is planted");
    for token in tokens {
        let finding = ran.finding(token).expect("it is found");
        let objects = finding["objects"].as_array().expect("a list").iter().map(|it| {
            let id = it["id"].as_str().expect("an id").to_owned();
            (id, it["offset"].as_u64().expect("an offset"))
        });
        let objects: Vec<(String, u64)> = objects.collect();
        let set: BTreeSet<_> = objects.iter().cloned().collect();
        assert_eq!(set.len(), objects.len(), "each once");
        assert_eq!(set, expected[token]);
    }
}

#[test]
fn matches_equal_a_naive_search_for_every_packing() {
    let repo = Repo::new();
    let tokens: Vec<String> = (1..=4).map(token).collect();
    let mut random = Random(3);
    let mut lines: Vec<String> = (0..60).map(|_| random.base62(40)).collect();
    // One `git fast-import` stream is much faster than one git process for each commit.
    let mut stream = String::new();
    for version in 0..200 {
        for _ in 0..3 {
            let at = random.below(lines.len());
            lines[at] = random.base62(random.0 as usize % 50);
        }
        let from = random.below(lines.len());
        let line = lines.remove(from);
        let to = random.below(lines.len());
        lines.insert(to, line);
        let mut text = lines.clone();
        for (n, token) in tokens.iter().enumerate() {
            if version % (n + 2) != 0 {
                let at = random.below(text.len());
                text.insert(at, format!("{}{token}", "é".repeat(random.below(9))));
            }
        }
        // A token cut in two, and one directly after another.
        text.push(tokens[0][..40].to_owned());
        text.push(format!("{}{}", tokens[1], tokens[2]));
        let text = text.join("\n");
        stream += "commit refs/heads/main\n";
        stream +=
            &format!("committer A <a@example.com> {} +0000\ndata 1\n.\n", 1_700_000_000 + version);
        stream += &format!("M 644 inline d/x\ndata {}\n{text}\n", text.len());
        let name = &tokens[version % 4];
        stream += &format!("M 644 inline names/{name}-{}\ndata 0\n\n", version % 7);
    }
    repo.git_with_input(&["fast-import", "--quiet"], stream);
    repo.git(&["gc", "-q", "--aggressive", "--prune=now"]);
    assert_objects_are_those_of_git(&repo, &tokens);
    repo.git(&["-c", "pack.packSizeLimit=1m", "repack", "-adfq", "--depth=4000", "--window=50"]);
    assert_objects_are_those_of_git(&repo, &tokens);
    repo.git(&["-c", "pack.depth=0", "repack", "-adfq", "--depth=0"]);
    assert_objects_are_those_of_git(&repo, &tokens);
    let packs: Vec<_> =
        repo.packs(".pack").into_iter().map(|it| std::fs::read(it).expect("one")).collect();
    repo.packs("").into_iter().for_each(|it| std::fs::remove_file(it).expect("a writable file"));
    for pack in packs {
        repo.git_with_input(&["unpack-objects", "-q"], pack);
    }
    assert_objects_are_those_of_git(&repo, &tokens);
}

#[test]
fn the_number_of_workers_changes_nothing() {
    let Planted { repo, tokens } = planted();
    let mut random = Random(5);
    for n in 0..60 {
        let text: String = (0..20).map(|_| random.base62(60) + "\n").collect();
        let planted = if n % 3 == 0 { mint::any(&mut random).1 } else { tokens[n % 19].clone() };
        repo.write(format!("d{}/{n}", n % 7), format!("{text}{planted}\n"));
        repo.commit(format!("{n}"));
        if n % 20 == 10 {
            repo.git(&["repack", "-dq"]);
        }
    }
    let lost = repo.id("HEAD:d0/0");
    let _ = std::fs::remove_file(repo.loose(&lost));
    for args in [&[][..], &["--show-shaped"], &["--history-only"]] {
        let run = |threads| repo.scan(&[&["--threads", threads], args].concat());
        let one = run("1");
        assert!(one.json()["findings"].as_array().expect("a list").len() >= 40);
        for _ in 0..3 {
            assert_eq!(run("5").stdout(), one.stdout());
        }
    }
}

/// Returns the objects of each token, with the offset and length of each occurrence.
fn objects(repo: &Repo) -> BTreeMap<String, BTreeSet<(String, u64, u64)>> {
    let report = repo.scan_history().json();
    let findings = report["findings"].as_array().expect("a list").iter();
    let mut objects: BTreeMap<String, BTreeSet<(String, u64, u64)>> = BTreeMap::new();
    for finding in findings {
        let key = finding["fingerprint"].as_str().expect("a text").to_owned();
        for object in finding["objects"].as_array().expect("a list") {
            let number = |name: &str| object[name].as_u64().expect("a number");
            let id = object["id"].as_str().expect("an id").to_owned();
            objects.entry(key.clone()).or_default().insert((
                id,
                number("offset"),
                number("length"),
            ));
        }
    }
    objects
}

/// Returns a token in an encoding that small edits create and destroy. With `gentle`, only encodings that
/// do not make every later version of a file be scanned completely.
fn disguised(random: &mut Random, token: &str, gentle: bool) -> Vec<u8> {
    use crate::support::encode::{self, ESCAPES, Which};
    let text = format!("{}{token}{}", random.text(b"abc ", 3), random.text(b"xyz ", 3));
    let json =
        format!("{{\"kind\": \"Secret\", \"token\": \"{}\"}}", encode::base64(text.as_bytes()));
    if gentle && random.below(3) > 0 {
        let lines = encode::base64(text.as_bytes());
        let (wide, between) = ([40, 44, 48, 60][random.below(4)], ["\n", "\n  ", "\r\n# "]);
        let folded = encode::folded(&lines, wide, between[random.below(3)]);
        let len = folded.len().min(20 + random.below(100));
        return folded.into_bytes()[..len].to_vec();
    }
    let kind = if gentle { [2, 3, 6, 7][random.below(4)] } else { random.below(8) };
    match kind {
        0 => encode::base64(text.as_bytes()).into_bytes(),
        1 => encode::folded(&encode::base64(format!("{text}{text}").as_bytes()), 64, "\n  ")
            .into_bytes(),
        2 => encode::hex(text.as_bytes()).into_bytes(),
        3 => encode::escape(token, Which::Marks, ESCAPES[random.below(11)].1).into_bytes(),
        4 => encode::utf16_le(&text),
        5 => encode::base64(json.as_bytes()).into_bytes(),
        6 => format!("\"{}\" +\n  \"{}\"", &token[..20], &token[20..]).into_bytes(),
        _ => encode::escape(token, Which::All, ESCAPES[random.below(11)].1).into_bytes(),
    }
}

#[test]
fn encoded_tokens_in_deltas_equal_those_of_a_full_scan() {
    for seed in 0..12 {
        let gentle = seed % 2 == 1;
        let repo = Repo::new();
        let mut random = Random(40 + seed);
        let tokens: Vec<String> = (1..=5).map(|it| token(10 * seed + it)).collect();
        let mut content: Vec<u8> = Vec::new();
        for at in 0..40 {
            content.extend(random.text(b"abcdefghij klmn/opq.r_s=", 30).into_bytes());
            if at % 4 == 0 {
                content.extend(disguised(&mut random, &tokens[at % 5], gentle));
            }
            content.push(b'\n');
        }
        let mut stream: Vec<u8> = Vec::new();
        for version in 0..120 {
            for _ in 0..1 + random.below(3) {
                let at = random.below(content.len());
                match random.below(6) {
                    // Cutting and reinserting text creates junctions of copy instructions.
                    0 => {
                        let end = content.len().min(at + random.below(300));
                        let part: Vec<u8> = content.drain(at..end).collect();
                        let to = random.below(content.len());
                        content.splice(to..to, part);
                    }
                    1 => {
                        let end = content.len().min(at + random.below(12));
                        content.drain(at..end);
                    }
                    2 => {
                        let new = random.text(b"ABCabc123+/ \n", 8);
                        content.splice(at..at, new.into_bytes());
                    }
                    3 => {
                        let (token, by) = (&tokens[random.below(5)], random.below(9));
                        let text = disguised(&mut random, token, gentle);
                        let cut = random.below(text.len());
                        let part = if by < 5 { &text[..] } else { &text[..cut] };
                        content.splice(at..at, part.iter().copied());
                    }
                    4 => content[at] = b"aZ9\n ="[random.below(6)],
                    _ => {
                        let end = content.len().min(at + random.below(200));
                        let part = content[at..end].to_vec();
                        content.splice(at..at, part);
                    }
                }
            }
            let head = format!(
                "commit refs/heads/main\ncommitter A <a@example.com> {} +0000\ndata 1\n.\nM 644 inline x\ndata {}\n",
                1_700_000_000 + version,
                content.len()
            );
            stream.extend(head.into_bytes());
            stream.extend(&content);
            stream.push(b'\n');
        }
        repo.git_with_input(&["fast-import", "--quiet"], stream);
        repo.git(&["repack", "-adfq", "--depth=200", "--window=50"]);
        let packed = objects(&repo);
        assert!(packed.len() >= if gentle { 1 } else { 4 }, "{seed}: {packed:?}");
        repo.git(&["-c", "pack.depth=0", "repack", "-adfq", "--depth=0"]);
        assert_eq!(packed, objects(&repo), "{seed}");
    }
}

#[test]
fn a_line_joined_with_the_next_one_by_an_edit_is_scanned_again() {
    let repo = Repo::new();
    let mut random = Random(77);
    let filler: String =
        (0..80).map(|_| random.text(b"abcdef ghi klm opq r s", 60) + "\n").collect();
    let token = mint::classic(&mut random, "npm_", 30);
    // The first of two lines ends within the head, and neither is long enough to be decoded alone.
    let text = format!("{}{token}", random.base62(43));
    let lines = crate::support::encode::folded(
        &crate::support::encode::base64(text.as_bytes()),
        60,
        "\n# ",
    );
    assert_eq!(lines.split("\n# ").map(str::len).collect::<Vec<_>>(), [60, 52]);
    let apart = lines.replacen("\n# ", "\n! # ", 1);
    for (seconds, lines) in [(1, &lines), (2, &apart)] {
        repo.write("x", format!("{filler}{lines}\n{filler}"));
        repo.commit(format!("{seconds}"));
    }
    repo.git(&["repack", "-adfq", "--depth=50", "--window=50"]);
    let packed = objects(&repo);
    assert_eq!(packed.values().map(BTreeSet::len).collect::<Vec<_>>(), [1]);
    repo.git(&["-c", "pack.depth=0", "repack", "-adfq", "--depth=0"]);
    assert_eq!(packed, objects(&repo));
}

#[test]
fn tree_versions_that_differ_in_one_entry_are_all_scanned() {
    let repo = Repo::new();
    for dir in 0..40 {
        for file in 0..9 {
            repo.write(format!("d{dir:02}/f{file}"), format!("{dir} {file}"));
        }
    }
    repo.commit("clean");
    // The same entry at the same offset in each tree; one entry name contains a token.
    let mut commits = Vec::new();
    for turn in 0..4 {
        for dir in 0..40 {
            repo.write(format!("d{dir:02}/f5"), format!("{dir} again {turn}"));
        }
        if turn == 1 {
            repo.write("d25/f5", token(1));
        }
        commits.push(repo.commit("all change"));
    }
    for depth in ["--depth=1", "--depth=50"] {
        repo.git(&["repack", "-adfq", "--window=250", depth]);
        let place = repo.scan_history().only_location(&token(1));
        assert_eq!(place["path"], "d25/f5", "{depth}: {place}");
        assert_eq!(introduced(&place), commits[1], "{depth}: {place}");
        assert_eq!(place["git"]["removed"][0]["commit"], commits[2], "{depth}: {place}");
    }
}

#[test]
fn tokens_in_names_are_found_in_every_tree_that_contains_them() {
    let repo = Repo::new();
    for file in 0..60 {
        repo.write(format!("keys/plain-{file:02}"), format!("{file}"));
        repo.write(format!("other/plain-{file:02}"), format!("{file}"));
    }
    // A head without a token.
    repo.write("keys/ddpat_is_a_head", "1");
    repo.commit("clean");
    let tokens: Vec<String> = (1..=3).map(token).collect();
    for turn in 0..9 {
        // Most versions copy the names of the one before, and change other entries.
        repo.write(format!("keys/plain-{:02}", turn * 5), format!("again {turn}"));
        repo.write(format!("other/plain-{:02}", turn * 6), format!("again {turn}"));
        match turn {
            1 => drop(repo.write(format!("keys/{}", tokens[0]), "1")),
            3 => drop(repo.write(format!("other/{}/deep/{}", tokens[0], tokens[1]), "2")),
            5 => repo.remove(&format!("keys/{}", tokens[0])),
            7 => drop(repo.write(format!("keys/plain-{}.txt", tokens[2]), "3")),
            _ => {}
        }
        repo.commit("change");
    }
    for depth in ["--depth=0", "--depth=1", "--depth=50"] {
        repo.git(&["repack", "-adfq", "--window=250", depth]);
        assert_objects_are_those_of_git(&repo, &tokens);
    }
}
