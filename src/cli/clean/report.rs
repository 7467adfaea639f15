//! The messages of `ddpatrol clean`.
//!
//! Input: a plan or its result. Output: lines on standard output, redacted and escaped, with commands that
//! can be pasted. Decides nothing.

use super::search::{fingerprint, is_in_history};
use super::{Plan, Renames};
use crate::cli::args::CleanArgs;
use crate::cli::messages::print_line;
use crate::report::document::Record;
use crate::report::shell::quote;
use ddpatrol_scan::quantity::count;
use std::io;
use std::path::Path;

/// Maximum number of entries of a list.
const MAX_LISTED: usize = 20;

impl Plan {
    /// Prints what would be done, and what would remain.
    pub(super) fn show(&self, args: &CleanArgs) -> io::Result<()> {
        let repository = &self.repository;
        print_line(&format!("Repository  {}", repository.folder.display()))?;
        print_line(&match &repository.remote {
            Some(remote) => format!("Remote      {} ({})", remote.name, remote.shown_url),
            None => "Remote      none".to_owned(),
        })?;
        let number = |prefix: &str| {
            let prefix = prefix.as_bytes();
            repository.references.iter().filter(|it| it.name.starts_with(prefix)).count()
        };
        let (branches, tags) = (number("refs/heads/"), number("refs/tags/"));
        let others = repository.references.len() - branches - tags;
        print_line(&format!("References  branches: {branches}, tags: {tags}, others: {others}"))?;
        let records = &self.sighted.records;
        let (found, all) = (records.len(), self.targets.fingerprints.len());
        let of = if found < all { format!(" of {all} in the report") } else { String::new() };
        print_line(&format!("Tokens      {found}{of}"))?;
        for record in records.iter().take(MAX_LISTED) {
            let objects = count(record.objects.len() as u64, "object");
            let id = fingerprint(record).map_or_else(String::new, |it| it.to_string());
            let id = id.get(..12).unwrap_or_default();
            let note = if is_in_history(record) { "" } else { ", not in the history" };
            let redacted = &record.token.redacted;
            print_line(&format!("  {} {redacted}  fp:{id}  in {objects}{note}", record.rule))?;
        }
        omitted(records.len())?;
        self.show_remaining(args)
    }

    /// Prints the tokens that a rewrite does not remove.
    fn show_remaining(&self, args: &CleanArgs) -> io::Result<()> {
        let sighted = &self.sighted;
        list("Not readable, so that nothing is rewritten", &sighted.unread)?;
        let archives = sighted.archives().into_iter();
        let archives: Vec<String> =
            archives.map(|(id, path)| format!("{} {path}", id.get(..12).unwrap_or(&id))).collect();
        if args.drop_archives {
            list("Archives that are replaced by a line of text", &archives)?;
        } else {
            list("Archives that cannot be cleaned (--drop-archives replaces them)", &archives)?;
        }
        let outside = sighted.outside_history();
        list("Outside the history: edit these files yourself", &outside)?;
        let lfs = sighted.lfs_files();
        list("In Git LFS objects, which a rewrite does not change", &lfs)?;
        if !lfs.is_empty() {
            print_line(
                "  Commit new versions of these files, and delete the old objects on the LFS server.",
            )?;
        }
        self.show_submodules(args)?;
        self.show_stashes()?;
        let is_unreachable = |it: &Record| {
            it.locations.iter().any(|place| place.git.as_ref().is_some_and(|git| !git.reachable))
        };
        if sighted.records.iter().any(|it| !is_in_history(it) && is_unreachable(it)) {
            let folder = self.folder();
            print_line("Tokens that no reference reaches are not in the clone. To delete them:")?;
            print_line(&format!("  git -C {folder} gc --prune=now"))?;
        }
        Ok(())
    }

    /// Prints the commands that clean submodules.
    fn show_submodules(&self, args: &CleanArgs) -> io::Result<()> {
        let submodules = &self.sighted.submodules;
        if submodules.is_empty() {
            return Ok(());
        }
        print_line("In submodules, which are repositories of their own. To clean them:")?;
        for submodule in submodules.iter().take(MAX_LISTED) {
            let command = command(args, &quote(submodule));
            print_line(&format!("  {command}"))?;
        }
        omitted(submodules.len())?;
        print_line(
            "  Then commit the new commits of the submodules here: old commits name the old ones.",
        )
    }

    /// Prints that only the newest stash is in the clone, if there are several.
    fn show_stashes(&self) -> io::Result<()> {
        let number = self.repository.stashes();
        if number < 2 {
            return Ok(());
        }
        print_line(&format!(
            "Of {number} stashes, the newest is in the clone. To clean another one, make a branch of it \
             before the rewrite:"
        ))?;
        print_line(&format!("  git -C {} stash branch NAME 'stash@{{1}}'", self.folder()))
    }

    /// Prints the command that carries out the plan.
    pub(super) fn show_next(&self, args: &CleanArgs) -> io::Result<()> {
        print_line(
            "Nothing was changed. Next: revoke the tokens, fetch, and rewrite a fresh clone:",
        )?;
        if let Some(remote) = &self.repository.remote {
            print_line(&format!("  git -C {} fetch {}", self.folder(), quote(&remote.name)))?;
        }
        let command = command(args, &self.folder());
        print_line(&format!("  {command} --yes"))
    }

    /// Prints where the clone is, how it is pushed, and what still contains the tokens.
    pub(super) fn show_result(&self, clone: &Path) -> anyhow::Result<()> {
        print_line(&format!("Cleaned     {}", clone.display()))?;
        print_line("A scan of it found none of these tokens. The repository itself is unchanged.")?;
        match self.push(clone)? {
            Some(command) => {
                print_line("Replace the old history when nobody pushes; this cannot be undone:")?;
                print_line(&format!("  {command}"))?;
                if self.repository.known_remote().is_some() {
                    print_line(
                        "  (git refuses branches that somebody pushed to since the last fetch: fetch, \
                         and clean again)",
                    )?;
                }
                if self.renames == Renames::Some {
                    print_line("  (--prune deletes references that the clone does not have)")?;
                }
            }
            None => print_line("The repository has no remote: use the clone in its place.")?,
        }
        print_line("What remains:")?;
        print_line(
            "- The repository and its other clones contain the tokens; a push from one of them",
        )?;
        print_line("  restores the old history. Everybody deletes them and clones again.")?;
        print_line(
            "- Forks, pull requests and caches of the host keep the old commits: ask its support.",
        )?;
        print_line("- A token that was public stays leaked: revoke it.")?;
        if self.repository.has_lfs_objects() {
            print_line(
                "- Git LFS objects are neither changed nor in the clone; its pointers still name them.",
            )?;
            if self.repository.remote.is_none() {
                let store = path(&self.repository.store.join("lfs"));
                print_line(&format!("  cp -R {store} {}", path(&clone.join("lfs"))))?;
            }
        }
        let signed = self.repository.signed_commits()?;
        if signed > 0 {
            print_line(&format!("- {} lost their signature.", count(signed as u64, "commit")))?;
        }
        if !self.unpublished.is_empty() {
            let number = self.unpublished.len();
            print_line(&format!(
                "- Unpublished branches are in the clone, but not pushed: {number}."
            ))?;
        }
        for remote in &self.repository.other_remotes {
            print_line(&format!("- The remote {remote} was not cleaned."))?;
        }
        Ok(())
    }

    pub(super) fn folder(&self) -> String {
        path(&self.repository.folder)
    }
}

/// Quotes the absolute path of a file for a shell.
fn absolute(file: &Path) -> String {
    path(&file.canonicalize().unwrap_or_else(|_| file.to_owned()))
}

/// Quotes a path for a shell.
pub(super) fn path(path: &Path) -> String {
    quote(&path.to_string_lossy())
}

fn list(heading: &str, entries: &[String]) -> io::Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    print_line(&format!("{heading}:"))?;
    for entry in entries.iter().take(MAX_LISTED) {
        print_line(&format!("  {entry}"))?;
    }
    omitted(entries.len())
}

fn omitted(len: usize) -> io::Result<()> {
    if len > MAX_LISTED {
        print_line(&format!("  … {} more", len - MAX_LISTED))?;
    }
    Ok(())
}

/// Returns the command for the repository in a quoted folder.
fn command(args: &CleanArgs, folder: &str) -> String {
    let from = match args.from.to_str() {
        Some("-") => "REPORT".to_owned(),
        _ => absolute(&args.from),
    };
    let mut command = format!("ddpatrol clean --from {from} --repo {folder}");
    for fingerprint in &args.fingerprints {
        command.push_str(&format!(" --fingerprint fp:{fingerprint}"));
    }
    for rules in &args.rules {
        command.push_str(&format!(" --rules {}", absolute(rules)));
    }
    if args.drop_archives {
        command.push_str(" --drop-archives");
    }
    command
}
