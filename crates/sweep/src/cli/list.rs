//! `list`: prints the repositories of organizations, users and groups.

use super::Exit;
use super::list_args::ListArgs;
use super::messages::print_note;
use super::run::{check_list, encode};
use super::setup;
use crate::list::{self, Choices, Hosts, RepositoryOwner, RequestSettings};
use crate::repository::Repository;
use crate::store::{Created, LIST, Store, SweepName};
use anyhow::{Context, bail};
use ddpatrol::report::escape::terminal;
use ddpatrol_scan::quantity::count;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};
use std::time::Duration;

/// Pause before a failed request is repeated the first time.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn run(args: ListArgs) -> anyhow::Result<Exit> {
    let store = match &args.sweep {
        Some(sweep) => Some((open_store(args.store.as_deref())?, sweep)),
        None => None,
    };
    let owners = owners(&args);
    let hosts = Hosts {
        github: args.github_url.clone(),
        gitlab: args.gitlab_url.clone(),
        gitea: args.gitea_url.clone(),
    };
    let choices = Choices { archived: args.archived, forks: args.forks, protocol: args.protocol };
    let settings = RequestSettings {
        cache: args.cache.as_deref(),
        max_wait: args.max_wait,
        retry_pause: RETRY_PAUSE,
        note: print_note,
    };
    let redactor = setup::redactor()?;
    let listing = list::list(&owners, &hosts, choices, &settings, &redactor).await?;
    if let Some((store, sweep)) = store {
        record(&store, sweep, &listing.repositories).await?;
    }
    print(&listing.repositories).context("cannot write standard output")?;
    let left_out = listing.left_out().map(|it| format!("; left out: {it}")).unwrap_or_default();
    let found = count(listing.repositories.len(), "repository");
    print_note(&format!("{found}{left_out}"));
    listing.gaps.iter().for_each(|gap| print_note(&format!("warning: {gap}")));
    Ok(if listing.gaps.is_empty() { Exit::Complete } else { Exit::Incomplete })
}

fn owners(args: &ListArgs) -> Vec<RepositoryOwner> {
    let github = args.github_org.iter().cloned().map(RepositoryOwner::GitHubOrg);
    let users = args.github_user.iter().cloned().map(RepositoryOwner::GitHubUser);
    let gitlab = args.gitlab_group.iter().cloned().map(RepositoryOwner::GitLabGroup);
    let gitea = args.gitea_org.iter().cloned().map(RepositoryOwner::GiteaOrg);
    github.chain(users).chain(gitlab).chain(gitea).collect()
}

fn open_store(location: Option<&str>) -> anyhow::Result<Store> {
    let variable = std::env::var("DDPATROL_SWEEP_STORE").ok().filter(|it| !it.is_empty());
    let location = location.map(str::to_owned).or(variable);
    Store::open(&location.context("--sweep requires --store")?)
}

/// Records the list as that of a sweep. A list that is recorded already must have the same repositories.
async fn record(store: &Store, sweep: &SweepName, list: &[Repository]) -> anyhow::Result<()> {
    if list.is_empty() {
        bail!("the list has no repositories: it is not recorded for the sweep `{sweep}`");
    }
    let encoded = encode(list)?;
    if store.create_file(sweep, LIST, &encoded).await? == Created::Exists {
        check_list(store, sweep, list).await?;
    }
    Ok(())
}

/// Prints the repositories as JSON lines.
fn print(repositories: &[Repository]) -> io::Result<()> {
    let mut output = BufWriter::new(io::stdout().lock());
    for repository in repositories {
        let line = serde_json::to_string(repository)?;
        writeln!(output, "{}", ascii_controls(&line))?;
    }
    output.flush()
}

/// Writes characters that would act on a terminal as JSON escapes.
fn ascii_controls(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        // The text is JSON, so such characters occur in its strings only.
        let is_safe = |it: &str| matches!(terminal(it), Cow::Borrowed(_));
        if character.is_ascii_graphic()
            || character == ' '
            || is_safe(character.encode_utf8(&mut [0; 4]))
        {
            text.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                // Writing to a string cannot fail.
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::ascii_controls;

    #[test]
    fn lines_are_json_without_control_characters() {
        let line = serde_json::to_string("ä \u{202e}\u{9b}31m\u{1b} \u{e0001}").unwrap();
        let escaped = ascii_controls(&line);
        assert!(!escaped.contains(['\u{202e}', '\u{9b}', '\u{1b}']), "{escaped}");
        assert!(escaped.contains('ä'));
        assert_eq!(
            serde_json::from_str::<String>(&escaped).unwrap(),
            serde_json::from_str::<String>(&line).unwrap()
        );
    }
}
