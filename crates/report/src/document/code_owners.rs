//! The owners of paths, as a `CODEOWNERS` file assigns them.
//!
//! Input: the text of the file, in the syntax of GitHub or GitLab. Output: the owners of a path. Invalid lines
//! are skipped, as both forges do.

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use std::path::Path;

/// The places of the file in a repository; the first that exists applies.
pub(super) const PLACES: [&str; 4] =
    [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"];

/// Maximum size of the file in bytes, as on GitHub.
pub(super) const MAX_SIZE: usize = 3_000_000;

/// A parsed `CODEOWNERS` file.
#[derive(Clone, Debug, Default)]
pub(super) struct CodeOwners {
    rules: Vec<OwnerRule>,
    /// The number of sections, at least one if there are rules.
    sections: usize,
}

#[derive(Clone, Debug)]
struct OwnerRule {
    pattern: Gitignore,
    /// Whether the pattern applies to everything below a folder that it matches.
    covers_folders: bool,
    owners: Vec<String>,
    section: usize,
}

impl CodeOwners {
    /// Parses a file.
    pub(super) fn parse(text: &str) -> Self {
        let mut rules = Vec::new();
        let (mut section, mut default) = (0, Vec::new());
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(owners) = section_owners(line) {
                (section, default) = (section + 1, owners);
                continue;
            }
            let mut words = words(line).into_iter().take_while(|word| !word.starts_with('#'));
            let Some(pattern) = words.next() else { continue };
            let mut owners: Vec<String> = words.collect();
            if owners.is_empty() {
                owners.clone_from(&default);
            }
            rules.extend(OwnerRule::new(&pattern, owners, section));
        }
        Self { rules, sections: section + 1 }
    }

    /// Returns the owners of a file: of the last rule that matches it, in every section.
    pub(super) fn of(&self, path: &Path) -> Vec<&str> {
        let mut found: Vec<Option<&OwnerRule>> = vec![None; self.sections];
        for rule in self.rules.iter().rev() {
            if found[rule.section].is_none() && rule.matches(path) {
                found[rule.section] = Some(rule);
                if self.sections == 1 {
                    break;
                }
            }
        }
        let mut owners: Vec<&str> = Vec::new();
        for owner in found.into_iter().flatten().flat_map(|rule| &rule.owners) {
            if !owners.contains(&owner.as_str()) {
                owners.push(owner);
            }
        }
        owners
    }
}

impl OwnerRule {
    fn new(pattern: &str, owners: Vec<String>, section: usize) -> Option<Self> {
        // Unlike in ignore files, `!` has no meaning.
        if pattern.starts_with('!') {
            return None;
        }
        let mut builder = GitignoreBuilder::new("");
        builder.add_line(None, pattern).ok()?;
        // `docs/*` does not match what is in folders of `docs`.
        let covers_folders = !pattern.ends_with("/*");
        Some(Self { pattern: builder.build().ok()?, covers_folders, owners, section })
    }

    fn matches(&self, path: &Path) -> bool {
        match self.covers_folders {
            true => self.pattern.matched_path_or_any_parents(path, false).is_ignore(),
            false => self.pattern.matched(path, false).is_ignore(),
        }
    }
}

/// Returns the default owners of a section that a line begins (`[Name] @owner`, `^[Name][2]`); `None` for
/// other lines.
fn section_owners(line: &str) -> Option<Vec<String>> {
    let rest = line.strip_prefix('^').unwrap_or(line).strip_prefix('[')?;
    let (_, mut rest) = rest.split_once(']')?;
    if let Some(approvals) = rest.strip_prefix('[') {
        rest = approvals.split_once(']')?.1;
    }
    Some(words(rest).into_iter().take_while(|word| !word.starts_with('#')).collect())
}

/// Splits a line at white space; a backslash keeps the space after it.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (c, words.last_mut()) {
            (c, _) if c.is_whitespace() => words.push(String::new()),
            ('\\', Some(word)) => match chars.next() {
                Some(' ') => word.push(' '),
                // The pattern keeps other escapes.
                next => word.extend([Some('\\'), next].into_iter().flatten()),
            },
            (c, Some(word)) => word.push(c),
            (_, None) => {}
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owners(text: &str, path: &str) -> Vec<String> {
        let parsed = CodeOwners::parse(text);
        parsed.of(Path::new(path)).into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn the_last_match_applies() {
        let text = "# all\n* @all\n*.js @js me@example.org # the team\n/build/ @ops\ndocs/* @docs\n\
                    apps/ @apps\n/apps/github\n**/logs @logs\n/a\\ b/ @space\n";
        for (path, expected) in [
            ("x", &["@all"][..]),
            ("deep/x.js", &["@js", "me@example.org"]),
            ("build/x.js", &["@ops"]),
            ("sub/build/x", &["@all"]),
            ("docs/a.md", &["@docs"]),
            ("docs/build-app/a.md", &["@all"]),
            ("sub/apps/x.js", &["@apps"]),
            ("apps/github/x", &[]),
            ("deep/logs/x", &["@logs"]),
            ("a b/x", &["@space"]),
        ] {
            assert_eq!(owners(text, path), expected, "{path}");
        }
    }

    #[test]
    fn each_section_has_its_own_last_match() {
        let text = "*.rb @ruby\n[Docs] @writers @editors\ndocs/\nREADME.md @me\n\
                    ^[Optional][2] @team\n*.md @ruby @team\n";
        assert_eq!(owners(text, "a.rb"), ["@ruby"]);
        assert_eq!(owners(text, "docs/a.rb"), ["@ruby", "@writers", "@editors"]);
        assert_eq!(owners(text, "README.md"), ["@me", "@ruby", "@team"]);
    }

    #[test]
    fn invalid_lines_are_skipped() {
        assert_eq!(owners("* @all\n!x @a\n[ @b\na[ @c\n", "x"), ["@all"]);
        assert!(owners("", "x").is_empty() && owners("\u{feff}\\", "x").is_empty());
    }
}
