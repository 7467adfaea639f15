//! What to do about a finding, in order: revoke, replace, clean, prevent.
//!
//! Steps are made from what may be told, and pass the redactor once more as a whole: a command
//! names paths and the public part of a token, never the secret.

use super::redact::{Clean, Redactor};
use crate::detect::encoding::Encoding;
use crate::finding::{Finding, Location, Part, Standing};
use crate::rules::Rule;
use crate::source::git::repositories::root_of;
use ddpatrol_pack::Kind;
use ddpatrol_token::ByteSet;
use ddpatrol_token::secret::MASK;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What a step is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aim {
    /// The token is to be made worthless.
    Revoke,
    /// Whoever used it needs another.
    Replace,
    /// It is to be taken out of where it stands.
    Clean,
    /// The next one is not to get there.
    Prevent,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What it is for.
    pub aim: Aim,
    /// What to do, in a sentence or two.
    pub text: Clean,
    /// Commands for a POSIX shell that do it, started in the folder that was scanned from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<Clean>,
}

/// Where the history is rewritten.
const CLONE: &str = "../cleaned.git";
/// How many blobs a command names at the most.
const MOST_BLOBS: usize = 30;

/// What a step says before it has passed the redactor.
type Draft = (Aim, String, Vec<String>);

/// Where commands are started, and what they are to reach.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ground<'a> {
    /// The folder that commands are started in.
    pub here: Option<&'a Path>,
    /// The top of the work tree whose staged files were scanned.
    pub top: Option<&'a Path>,
}

/// Lists the steps for a finding.
pub(super) fn steps(
    finding: &Finding,
    rule: &Rule,
    redactor: &Redactor,
    ground: Ground<'_>,
) -> Vec<Step> {
    let revoke = rule
        .advice_for(finding.token.uuid)
        .unwrap_or_else(|| format!("Revoke it where {} issued it.", rule.issuer));
    let replace = "Replace it where it is used by a new token, which lives in a secret store or the \
                   environment.";
    let traces = finding.locations.iter().filter_map(|it| it.trace.as_deref());
    let repository = traces.into_iter().find(|it| !is_packed(&it.repository));
    let repository = repository.map(|trace| trace.repository.clone());
    let staged = || Some(ground.top?.join(".git"));
    let folder = repository.or_else(staged).and_then(|it| folder(&it, ground.here));
    let install = match &folder {
        Some(folder) => format!("ddpatrol hook install --repo {}", quote(folder)),
        None => "ddpatrol hook install".to_owned(),
    };
    let drafts: [Draft; 4] = [
        (Aim::Revoke, revoke, Vec::new()),
        (Aim::Replace, replace.to_owned(), Vec::new()),
        clean(finding, rule, folder.as_deref()),
        (
            Aim::Prevent,
            "Let a hook stop the next one before it is committed.".into(),
            vec![install],
        ),
    ];
    let spell = |text: &String| redactor.clean(text.as_bytes());
    drafts
        .iter()
        .map(|(aim, text, commands)| Step {
            aim: *aim,
            text: spell(text),
            commands: commands.iter().map(spell).collect(),
        })
        .collect()
}

/// Says how to take a token out of where it stands.
fn clean(finding: &Finding, rule: &Rule, folder: Option<&str>) -> Draft {
    let places = &finding.locations;
    let git = folder.map_or_else(|| "git".to_owned(), |it| format!("git -C {}", quote(it)));
    let traces = || {
        let all = places.iter().filter_map(|it| it.trace.as_deref());
        all.filter(|it| !is_packed(&it.repository))
    };
    if traces().next().is_none() {
        return untraced(places, &git);
    }
    if !traces().any(|it| it.reachable) {
        let text = "No branch or tag reaches it: unstage it if it is staged, then let git forget what is \
                    unreachable. That drops the reflogs and all stashes, too, so make branches of those \
                    that you need (`git stash branch`). Servers and clones keep it until they do the same.";
        let expire = format!("{git} reflog expire --expire=now --all");
        return (Aim::Clean, text.to_owned(), vec![expire, format!("{git} gc --prune=now")]);
    }
    // What the base has elsewhere is not to be had out by editing the change.
    let is_change = places.iter().any(|it| it.standing == Some(Standing::New));
    let brought = traces().find_map(|it| it.introduced.as_deref());
    if let (true, Some(commit)) = (is_change, brought) {
        let text = format!(
            "Take it out of the commits that hold it, the first is {}: mark that one `edit`, take the \
             token out, amend. A later commit that removes it leaves it in the history.",
            &commit.id.to_string()[..12]
        );
        // The first commit of all has no parent to begin behind.
        let id = commit.id;
        let from = format!("\"$({git} rev-parse --quiet --verify {id}^ || echo --root)\"");
        return (Aim::Clean, text, vec![format!("{git} rebase --interactive {from}")]);
    }
    rewrite(finding, rule, &git)
}

/// Says how to take a token out of a history that a branch or tag reaches.
fn rewrite(finding: &Finding, rule: &Rule, git: &str) -> Draft {
    let places = &finding.locations;
    let text = "Rewrite the history in a fresh clone, with git-filter-repo; then push it by force, and \
                have everybody clone anew. Forks, caches and pull requests keep the old one, so do \
                this after the token is revoked.";
    let mut text = text.to_owned();
    let mut commands =
        vec![format!("url=$({git} remote get-url origin) && git clone --mirror \"$url\" {CLONE}")];
    let mut filter = format!("git -C {CLONE} filter-repo");
    let has = |part| places.iter().any(|it| it.part == part);
    let is_traced = |it: &&Location| it.trace.is_some() && it.part == Part::Content;
    let (plain, disguised): (Vec<_>, Vec<_>) =
        places.iter().filter(is_traced).partition(|it| is_plain(it));
    let in_message = has(Part::Commit) || has(Part::Tag);
    if !plain.is_empty() || in_message {
        let expression = quote(&expression(finding, rule));
        commands.push(format!("printf '%s\\n' {expression} > ../leaked.txt"));
        filter.push_str(" --replace-text ../leaked.txt");
    }
    if in_message {
        filter.push_str(" --replace-message ../leaked.txt");
    }
    if !disguised.is_empty() {
        text.push_str(
            " Where it is encoded or packed no text can be replaced, so those files go as a whole: put \
             clean ones in their place.",
        );
        match blobs(finding) {
            Some(ids) => {
                commands.push(format!("printf '%s\\n' {ids} > ../leaked-blobs.txt"));
                filter.push_str(" --strip-blobs-with-ids ../leaked-blobs.txt");
            }
            None => text.push_str(" The JSON report lists them, for --strip-blobs-with-ids."),
        }
    }
    if has(Part::Name) || has(Part::Ref) {
        text.push_str(
            " It stands in names, too: rename those files (--path-rename), branches and tags.",
        );
    }
    let push = format!("git -C {CLONE} push --force");
    commands.push(filter);
    commands.push(format!("{push} --all \"$url\" && {push} --tags \"$url\""));
    (Aim::Clean, text, commands)
}

/// Tells whether a token stands in a file as it is.
fn is_plain(place: &Location) -> bool {
    let path = place.path.as_deref().map_or(&[][..], |it| it.as_os_str().as_encoded_bytes());
    place.encoding == Encoding::PLAIN
        && place.layer.is_none()
        && memchr::memmem::find(path, b"!/").is_none()
}

/// Lists the blobs that hold a token otherwise than as it is; `None` if they are too many.
fn blobs(finding: &Finding) -> Option<String> {
    let len = finding.secret.expose().len() as u64;
    let blobs = finding.objects.iter().filter(|it| it.kind == Kind::Blob);
    // Of what lies in an archive there is no length.
    let blobs = blobs.filter(|it| it.spans.iter().any(|span| span.len != len));
    let mut ids: Vec<String> = blobs.map(|it| it.id.to_string()).collect();
    ids.sort();
    ids.dedup();
    (!ids.is_empty() && ids.len() <= MOST_BLOBS).then(|| ids.join(" "))
}

/// Says how to take a token out of where no history has it.
fn untraced(places: &[Location], git: &str) -> Draft {
    let staged = staged(places);
    if !staged.is_empty() {
        let text = "Take it out of the file and stage the file again; nothing is committed yet.";
        let command = format!("{git} reset --quiet -- {}", staged.join(" "));
        return (Aim::Clean, text.to_owned(), vec![command]);
    }
    let text = match places.first().map(|it| (it.part, &it.path)) {
        Some((Part::Ref, _)) => {
            "Rename the branch or tag, and delete the old name wherever it was pushed."
        }
        Some((Part::Name, _)) => "Rename the file. What was copied elsewhere keeps its name.",
        Some((_, None)) => {
            "Take it out of where it came from. What was copied elsewhere stays there."
        }
        _ => "Take it out of the file. What was copied elsewhere stays there.",
    };
    (Aim::Clean, text.to_owned(), Vec::new())
}

/// Lists the staged paths, quoted.
fn staged(places: &[Location]) -> Vec<String> {
    let staged = places.iter().filter(|it| it.standing.is_some());
    let mut paths: Vec<String> = staged
        .filter_map(|it| it.path.as_deref())
        .map(|path| {
            let path = path.to_string_lossy();
            // Of a member its archive is staged.
            let file = path.split_once("!/").map_or(&*path, |(file, _)| file);
            quote(file.strip_suffix('!').unwrap_or(file))
        })
        .collect();
    paths.sort();
    paths.dedup();
    paths
}

/// Writes an expression of git-filter-repo that matches this token, and what it is replaced by. It
/// holds the public part of the token only.
fn expression(finding: &Finding, rule: &Rule) -> String {
    let redacted = &finding.token.redacted;
    let public = redacted.strip_suffix(MASK).unwrap_or(redacted);
    let hidden = finding.secret.expose().len().saturating_sub(public.len());
    let is_plain = rule.format.segments().iter().all(|segment| {
        segment
            .set
            .ranges()
            .into_iter()
            .all(|(first, last)| (first..=last).all(|byte| ByteSet::BASE62.contains(byte)))
    });
    let class = if is_plain { "[0-9A-Za-z]" } else { "[0-9A-Za-z._=-]" };
    let escaped: String = public
        .chars()
        .flat_map(|c| {
            let is_special = !c.is_ascii_alphanumeric() && c != '_';
            is_special.then_some('\\').into_iter().chain([c])
        })
        .collect();
    format!("regex:{escaped}{class}{{{hidden}}}==>{public}REMOVED")
}

/// Tells whether a repository was unpacked from an archive, where no command reaches it.
fn is_packed(git_dir: &Path) -> bool {
    let path = git_dir.as_os_str().as_encoded_bytes();
    path.ends_with(b"!") || memchr::memmem::find(path, b"!/").is_some()
}

/// Names the folder that git commands are to be run in; `None` if it is the current one.
fn folder(git_dir: &Path, here: Option<&Path>) -> Option<String> {
    let top = root_of(git_dir);
    let below = here.and_then(|here| top.strip_prefix(here).ok()).unwrap_or(top);
    let below = below.strip_prefix(".").unwrap_or(below);
    (!below.as_os_str().is_empty()).then(|| below.to_string_lossy().into_owned())
}

/// Quotes a word for a POSIX shell.
pub(crate) fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+,=".contains(c);
    if !word.is_empty() && !word.starts_with(['-', '=']) && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quote("a/b-c.d"), "a/b-c.d");
        assert_eq!(quote("a b;$(x)`y`"), "'a b;$(x)`y`'");
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote("-rf"), "'-rf'");
        assert_eq!(quote(""), "''");
    }

    #[test]
    fn commands_are_run_where_the_repository_lies() {
        let folder = |git_dir: &str| folder(Path::new(git_dir), Some(Path::new("/here")));
        assert_eq!(folder("./.git"), None);
        assert_eq!(folder("/here/.git"), None);
        assert_eq!(folder("sub/.git").as_deref(), Some("sub"));
        assert_eq!(folder("/here/sub/.git").as_deref(), Some("sub"));
        assert_eq!(folder("mirrors/x.git").as_deref(), Some("mirrors/x.git"));
        assert_eq!(folder("/else/x/.git").as_deref(), Some("/else/x"));
    }
}
