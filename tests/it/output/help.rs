//! Help and manual page of every command.

use super::assert_text;
use crate::support::tree::Tree;

/// Lists all commands by parsing the program's help, so that a new one cannot be forgotten.
fn commands(tree: &Tree, above: &[String]) -> Vec<Vec<String>> {
    let args: Vec<&str> = above.iter().map(String::as_str).chain(["--help"]).collect();
    let help = tree.run(&args).stdout();
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = listed.take_while(|line| !line.is_empty()).filter_map(|line| {
        let name = line.strip_prefix("  ")?.split(' ').next()?;
        (!name.is_empty() && name != "help").then(|| name.to_owned())
    });
    let mut found = vec![above.to_vec()];
    for name in names {
        found.extend(commands(tree, &[above, &[name]].concat()));
    }
    found
}

#[test]
fn every_command_has_its_help_and_manual_page() {
    let tree = Tree::new();
    let commands = commands(&tree, &[]);
    assert!(commands.len() > 20, "the list of commands was not understood: {commands:?}");
    for command in commands {
        let name = if command.is_empty() { "program".to_owned() } else { command.join("-") };
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        for (kind, args) in [
            ("short", [&words[..], &["-h"]].concat()),
            ("long", [&words[..], &["--help"]].concat()),
            ("man", [&["man"], &words[..]].concat()),
        ] {
            let ran = tree.run(&args);
            assert_eq!((ran.code(), ran.stderr().as_str()), (Some(0), ""), "{args:?}");
            assert_text(&format!("help-{name}-{kind}"), tree.path(), &ran.stdout());
        }
    }
}

#[test]
fn the_short_help_of_scan_fits_a_screen() {
    let tree = Tree::new();
    let mut command = tree.command(&["scan", "-h"]);
    let ran = command.env("COLUMNS", "80").output().expect("the command runs");
    let help = String::from_utf8(ran.stdout).expect("help is UTF-8");
    assert!(help.lines().count() <= 50, "{} lines:\n{help}", help.lines().count());
    assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
}
