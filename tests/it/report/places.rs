//! Places with a mark in their names: a file is not taken for the member of an archive, nor the name of a
//! member for several.

use crate::archive::containers::python;
use crate::support::mint::token;
use crate::support::repo::Repo;
use crate::support::tree::{RunOutput, Tree};
use serde_json::{Value, json};

/// Creates a repository with a folder `d/a.zip!` next to an archive `d/a.zip`, so that a file and a member
/// have the path `d/a.zip!/b.env`, and with archives whose members have marks in their names. Returns it with
/// the tokens in: the file, the member, a member of one archive, and a member of two archives.
fn repo() -> (Repo, [String; 4]) {
    let tokens = [1, 2, 3, 4].map(token);
    let [_, member, marked, nested] = &tokens;
    let tree = Tree::new();
    python(
        &tree,
        &format!(
            "
import io, zipfile
def write(file, name, content):
    with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED) as z: z.writestr(name, content)
write('a.zip', 'b.env', '{member}')
write('c.zip', 'x.zip!/!y.env', '{marked}')
inner = io.BytesIO()
write(inner, 'f!/g.env', '{nested}')
write('n.zip', 'i!/e.zip', inner.getvalue())"
        ),
    );
    let repo = Repo::new();
    repo.write("d/a.zip!/b.env", format!("first\n{}", tokens[0]));
    for name in ["a.zip", "c.zip", "n.zip"] {
        let bytes = std::fs::read(tree.path().join(name)).expect("a file");
        repo.write(format!("d/{name}"), bytes);
    }
    (repo, tokens)
}

/// The path, the archive and the members of the only location of a token.
fn place_of(ran: &RunOutput, token: &str) -> [Value; 3] {
    let place = ran.only_location(token);
    ["path", "archive", "members"].map(|key| place[key].clone())
}

fn assert_places(ran: &RunOutput, tokens: &[String; 4]) {
    let null = Value::Null;
    let [file, member, marked, nested] = tokens;
    let place = [json!("d/a.zip!/b.env"), null.clone(), null.clone()];
    assert_eq!(place_of(ran, file), place, "{ran:?}");
    let place = [json!("d/a.zip!/b.env"), json!("d/a.zip"), null.clone()];
    assert_eq!(place_of(ran, member), place);
    let place = [json!("d/c.zip!/x.zip!/!y.env"), json!("d/c.zip"), null];
    assert_eq!(place_of(ran, marked), place);
    let names = json!(["i!/e.zip", "f!/g.env"]);
    let place = [json!("d/n.zip!/i!/e.zip!/f!/g.env"), json!("d/n.zip"), names];
    assert_eq!(place_of(ran, nested), place);
}

#[test]
fn json_distinguishes_a_file_from_a_member_of_the_same_path() {
    let (repo, tokens) = repo();
    assert_places(&repo.run(&["scan", "--files-only", "--report", "json"]), &tokens);
    repo.git(&["add", "-A"]);
    assert_places(&repo.run(&["staged", "--report", "json"]), &tokens);
    repo.git(&["commit", "-q", "-m", "all"]);
    assert_places(&repo.run(&["scan", "--history-only", "--report", "json"]), &tokens);
    // The places do not depend on the files that exist.
    repo.git(&["rm", "-q", "-r", "."]);
    assert_places(&repo.run(&["scan", "--history-only", "--report", "json"]), &tokens);
}

#[test]
fn sarif_nests_the_members_of_archives_and_no_folders() {
    let (repo, _) = repo();
    let ran = repo.run(&["scan", "--files-only", "--report", "sarif"]);
    let run = &ran.json()["runs"][0];
    let mut artifacts: Vec<(Value, Value)> = Vec::new();
    for it in run["artifacts"].as_array().expect("a list") {
        let parent = it["parentIndex"].as_u64().map(|at| &run["artifacts"][at as usize]);
        let name = |it: &Value| match it["location"].get("uri") {
            Some(uri) => uri.clone(),
            None => it["location"]["description"]["text"].clone(),
        };
        artifacts.push((name(it), parent.map_or(Value::Null, name)));
    }
    let pair = |name: &str, parent: &str| (json!(name), json!(parent));
    for wanted in [
        pair("b.env", "d/a.zip"),
        pair("x.zip!/!y.env", "d/c.zip"),
        pair("i!/e.zip", "d/n.zip"),
        pair("f!/g.env", "i!/e.zip"),
    ] {
        let decoded = |it: &Value| json!(it.as_str().unwrap_or_default().replace("%21", "!"));
        let has = |it: &&(Value, Value)| (decoded(&it.0), decoded(&it.1)) == wanted;
        assert_eq!(artifacts.iter().filter(has).count(), 1, "{wanted:?} in {artifacts:?}");
    }
    assert_eq!(artifacts.len(), 7, "{artifacts:?}");
    let results = run["results"].as_array().expect("a list").iter();
    let places = results.map(|it| &it["locations"][0]);
    let names: Vec<&Value> =
        places.clone().filter_map(|it| it["logicalLocations"][0].get("name")).collect();
    for name in ["b.env", "x.zip!/!y.env", "i!/e.zip!/f!/g.env"] {
        assert!(names.contains(&&json!(name)), "{name} in {names:?}");
    }
    let file = places.map(|it| &it["physicalLocation"]);
    let file = file.filter(|it| it["artifactLocation"]["uri"] == "d/a.zip%21/b.env");
    assert_eq!(file.map(|it| it["region"]["startLine"].clone()).collect::<Vec<_>>(), [2]);
    // A saved report keeps the members apart.
    let saved = repo.sibling("saved.json");
    let report = repo.run(&["scan", "--files-only", "--report", "json"]).stdout();
    std::fs::write(&saved, report).expect("a file");
    let again = repo.run(&["report", "--from", &saved.to_string_lossy(), "--report", "sarif"]);
    assert_eq!(again.json()["runs"][0]["artifacts"], run["artifacts"]);
}

#[test]
fn annotations_are_at_the_line_of_a_file_and_at_the_archive_of_a_member() {
    let (repo, _) = repo();
    let text = repo.run(&["scan", "--files-only", "--report", "github"]).stdout();
    let mut files: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_once(" file=")?.1.split("endLine").next())
        .map(|it| it.split(",title").next().unwrap_or(it))
        .collect();
    files.sort_unstable();
    let is_at = |start: &str| files.iter().filter(|it| it.starts_with(start)).count();
    assert_eq!(is_at("d/a.zip!/b.env,line=2"), 1, "{text}");
    assert_eq!((is_at("d/a.zip,"), is_at("d/c.zip,"), is_at("d/n.zip,")), (1, 1, 1), "{text}");
}

#[test]
fn a_link_leads_to_the_line_of_a_file_in_a_folder_with_a_mark() {
    let (repo, tokens) = repo();
    repo.write(".github/CODEOWNERS", "/d/a.zip @archive\n/d/a.zip!/ @folder\n");
    repo.git(&["add", "-A"]);
    repo.git(&["commit", "-q", "-m", "all"]);
    repo.git(&["remote", "add", "origin", "git@github.com:o/r.git"]);
    let head = repo.git(&["rev-parse", "HEAD"]);
    let ran = repo.run(&["scan", "--history-only", "--report", "json"]);
    let page = format!("https://github.com/o/r/blob/{head}/d");
    for (token, url, owner) in [
        (&tokens[0], format!("{page}/a.zip%21/b.env#L2"), json!(["@folder"])),
        (&tokens[1], format!("{page}/a.zip"), json!(["@archive"])),
        (&tokens[2], format!("{page}/c.zip"), Value::Null),
        (&tokens[3], format!("{page}/n.zip"), Value::Null),
    ] {
        let place = ran.only_location(token);
        let found = place["url"].as_str().expect("a link").replace("%21", "!");
        assert_eq!((found, &place["owners"]), (url.replace("%21", "!"), &owner), "{place}");
    }
}

#[test]
fn a_staged_file_in_a_folder_with_a_mark_is_unstaged_itself() {
    let (repo, tokens) = repo();
    repo.git(&["add", "-A"]);
    // The index decides, not the files that exist.
    std::fs::remove_dir_all(repo.path().join("d")).expect("a folder");
    let ran = repo.run(&["staged", "--report", "json"]);
    let unstage = |token: &str| {
        let finding = ran.finding(token).expect("a finding");
        finding["steps"][0]["commands"].to_string()
    };
    assert!(unstage(&tokens[0]).contains("d/a.zip!/b.env"), "{ran:?}");
    for (token, file) in [(1, "d/a.zip"), (2, "d/c.zip"), (3, "d/n.zip")] {
        let commands = unstage(&tokens[token]);
        assert!(commands.contains(file) && !commands.contains(&format!("{file}!")), "{commands}");
    }
}

#[test]
fn an_archive_with_the_name_of_standard_input_is_a_file() {
    let (repo, tokens) = repo();
    std::fs::rename(repo.path().join("d/a.zip"), repo.path().join("stdin")).expect("a file");
    let ran = repo.run(&["scan", "--files-only", "--report", "json"]);
    let place = ran.only_location(&tokens[1]);
    assert_eq!((&place["path"], &place["archive"]), (&json!("stdin!/b.env"), &json!("stdin")));
    assert_eq!(place["repository_path"], "stdin!/b.env");
}

#[test]
fn excluding_an_archive_excludes_its_members_in_the_history() {
    let (repo, tokens) = repo();
    repo.write(".ddpatrol.toml", "exclude = [\"*.zip\"]\n");
    repo.git(&["add", "-A"]);
    repo.git(&["commit", "-q", "-m", "all"]);
    let ran = repo.run(&["scan", "--history-only", "--report", "json"]);
    assert!(ran.finding(&tokens[0]).is_some(), "{ran:?}");
    for token in &tokens[1..] {
        assert_eq!(ran.finding(token), None);
    }
}

/// Returns the line, the line in the object and the column of the only location of a token.
fn lines_of(ran: &RunOutput, token: &str) -> [Value; 3] {
    let place = ran.only_location(token);
    ["line", "object_line", "column"].map(|key| place[key].clone())
}

#[test]
fn lines_of_messages_are_counted_from_the_beginning_of_the_message() {
    let tokens = [1, 2, 3, 4, 5].map(token);
    let [subject, body, tag, note, author] = &tokens;
    let repo = Repo::new();
    repo.write("a", "a");
    repo.git(&["add", "a"]);
    repo.commit(format!("{subject}\n\n- key: {body}\n"));
    repo.git(&["tag", "-a", "-m", &format!("v1\n\n{tag}"), "v1"]);
    repo.git(&["notes", "add", "-m", &format!("first\n{note}"), "HEAD"]);
    repo.git(&["commit", "--allow-empty", "--author", &format!("{author} <a@b>"), "-m", "third"]);
    let ran = repo.scan(&[]);
    // The header of the first commit is a tree, an author, a committer and an empty line.
    assert_eq!(lines_of(&ran, subject), [json!(1), json!(5), json!(1)], "{ran:?}");
    assert_eq!(lines_of(&ran, body), [json!(3), json!(7), json!(8)]);
    assert_eq!(lines_of(&ran, tag), [json!(3), json!(8), json!(1)]);
    assert_eq!(lines_of(&ran, note), [json!(2), Value::Null, json!(1)]);
    assert_eq!(lines_of(&ran, author), [json!(3), json!(3), json!(8)]);

    let text = repo.run(&["scan", "--limit", "0"]).stdout();
    for line in ["message line 1  ", "message line 3  ", "header line 3  "] {
        assert!(text.contains(line), "{text}");
    }
    let sarif: Value =
        serde_json::from_str(&repo.run(&["scan", "-f", "sarif"]).stdout()).expect("SARIF is JSON");
    let regions: Vec<String> = sarif["runs"][0]["results"]
        .as_array()
        .expect("results")
        .iter()
        .filter(|it| it["locations"][0]["logicalLocations"][0]["kind"] == "commit")
        .map(|it| it["locations"][0]["physicalLocation"]["region"]["startLine"].to_string())
        .collect();
    assert_eq!(regions.len(), 3, "{sarif:#}");
    for line in ["1", "3"] {
        assert!(regions.iter().any(|it| it == line), "{regions:?}");
    }
}

#[test]
fn a_change_counts_the_lines_of_its_messages_as_a_scan() {
    let (message, tag) = (token(1), token(2));
    let repo = Repo::with_files(&[("a", "a")]);
    let base = repo.id("HEAD");
    repo.commit_files(&[("a", "b")], &format!("subject\n\n{message}"));
    repo.git(&["tag", "-a", "-m", &format!("v1\n\nx\n{tag}"), "v1"]);
    let ran = repo.run(&["range", &format!("{base}..v1"), "--report", "json"]);
    assert_eq!(lines_of(&ran, &message)[0], json!(3), "{ran:?}");
    let text = repo.run(&["range", &format!("{base}..v1")]).stdout();
    assert!(text.contains("message line 3"), "{text}");
    let lines = repo.run(&["scan", "--report", "jsonl"]).stdout();
    let lines: Vec<&str> = lines.lines().filter(|it| it.contains("\"object_line\"")).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.iter().any(|it| it.contains("\"line\":4,")), "{lines:?}");
}
