//! `ddpatrol pre-push` and `ddpatrol pre-receive`: what a push brings that the other side lacks.

use crate::cli::Exit;
use crate::cli::args::{ChangeArgs, PushArgs, ReceiveArgs};
use crate::cli::changes::{Judging, Trust, discover};
use crate::cli::complain;
use crate::source::git::changes::Revisions;
use crate::source::git::repo::Repository;
use anyhow::{Context, bail};
use ddpatrol_pack::ObjectId;
use std::ffi::{OsStr, OsString};
use std::io::Read;

/// A reference that a push changes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Update {
    /// What it points to afterwards; `None` if it is deleted.
    new: Option<ObjectId>,
    /// What it points to before; `None` if it is new.
    old: Option<ObjectId>,
}

/// Runs as git's `pre-push` hook, or as one of the pre-commit framework's, which has read what git
/// says and passes it on in variables.
pub(in crate::cli) fn pre_push(args: &PushArgs) -> anyhow::Result<Exit> {
    let repository = discover(None)?;
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let updates = match (variable("PRE_COMMIT_TO_REF"), variable("PRE_COMMIT_LOCAL_BRANCH")) {
        (Some(new), _) | (None, Some(new)) => {
            let commit = |name: &str| repository.resolve(OsStr::new(name));
            let old = variable("PRE_COMMIT_FROM_REF").and_then(|it| commit(&it).ok());
            vec![Update { new: Some(commit(&new)?), old }]
        }
        (None, None) => updates(&read()?, Order::NewFirst)?,
    };
    let remote = variable("PRE_COMMIT_REMOTE_NAME").or_else(|| args.remote.clone());
    let prefix = remote.map(|remote| format!("refs/remotes/{remote}/"));
    let mut there: Vec<ObjectId> = repository
        .refs()?
        .list
        .into_iter()
        .filter(|it| prefix.as_ref().is_some_and(|prefix| it.name.starts_with(prefix.as_bytes())))
        .filter_map(|it| it.commit)
        .collect();
    // What somebody else has pushed meanwhile need not be known here.
    let known = |id: &ObjectId| repository.resolve(OsStr::new(&id.to_string())).is_ok();
    there.splice(0..0, updates.iter().filter_map(|it| it.old).filter(known));
    let change = ChangeArgs { repo: None, all: args.all };
    let judging = Judging { telling: &args.telling, change: &change, trust: Trust::Head };
    let Some(revisions) = revisions(&updates, there) else { return Ok(Exit::Good) };
    judging.judge(&revisions)
}

/// Runs as git's `pre-receive` hook: git shows what was pushed beside what was there, and no
/// reference points to it yet.
pub(in crate::cli) fn pre_receive(args: &ReceiveArgs) -> anyhow::Result<Exit> {
    let repository = discover(None)?;
    let updates = updates(&read()?, Order::OldFirst)?;
    let there = existing(&repository)?;
    let change = ChangeArgs { repo: None, all: args.all };
    let judging = Judging { telling: &args.telling, change: &change, trust: Trust::Base };
    let Some(revisions) = revisions(&updates, there) else { return Ok(Exit::Good) };
    let exit = judging.judge(&revisions)?;
    match exit {
        Exit::Found => complain(
            "the push is rejected: take the tokens out of the commits named above (a commit that \
             removes them later does not suffice), and push again. Revoke them in any case: this \
             server's log and whoever saw them have them.",
        ),
        Exit::Failed => complain(
            "the push is rejected: not everything could be looked at, so nothing is known to be \
             clean. Ask whoever runs this server.",
        ),
        Exit::Good | Exit::Interrupted => {}
    }
    Ok(exit)
}

/// Lists the commits that references have; HEAD's first, because its configuration counts.
fn existing(repository: &Repository) -> anyhow::Result<Vec<ObjectId>> {
    let refs = repository.refs()?;
    let mut there: Vec<ObjectId> = refs.head.into_iter().collect();
    let mut others: Vec<ObjectId> = refs.list.into_iter().filter_map(|it| it.commit).collect();
    others.sort_unstable();
    others.dedup();
    others.retain(|id| Some(*id) != refs.head);
    there.append(&mut others);
    Ok(there)
}

/// Says what is to be judged; `None` if nothing is.
fn revisions(updates: &[Update], there: Vec<ObjectId>) -> Option<Revisions> {
    let new = updates.iter().filter_map(|it| it.new);
    let spell = |id: ObjectId| OsString::from(id.to_string());
    let list: Vec<OsString> = if there.is_empty() {
        // The other side has nothing: all of it is new.
        new.map(|id| OsString::from(format!("{}..{id}", zeros(id)))).collect()
    } else {
        new.map(spell).collect()
    };
    let not = there.into_iter().map(spell).collect();
    (!list.is_empty()).then_some(Revisions { list, not })
}

fn zeros(id: ObjectId) -> String {
    "0".repeat(id.to_string().len())
}

fn read() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .context("what is pushed cannot be read from standard input")?;
    Ok(text)
}

/// In what order git names the two ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// `pre-push`: local reference, new id, remote reference, old id.
    NewFirst,
    /// `pre-receive`: old id, new id, reference.
    OldFirst,
}

fn updates(text: &str, order: Order) -> anyhow::Result<Vec<Update>> {
    let mut updates = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<&str> = line.split(' ').collect();
        let ids = match (order, &words[..]) {
            (Order::NewFirst, [_, new, _, old]) | (Order::OldFirst, [old, new, _]) => {
                id(new).zip(id(old))
            }
            _ => None,
        };
        let Some((new, old)) = ids else {
            bail!(
                "a line on standard input is none that git gives to this hook: {line:?}; it is run \
                 by git, `ddpatrol hook install` sets it up"
            );
        };
        updates.push(Update { new, old });
    }
    Ok(updates)
}

/// Reads an id; all zeros is none.
#[expect(clippy::option_option, reason = "no id and no object are two things")]
fn id(word: &str) -> Option<Option<ObjectId>> {
    let id = word.parse().ok()?;
    Some(Some(id).filter(|_| !word.bytes().all(|byte| byte == b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_git_are_read_and_others_are_refused() {
        let (a, b, zero) = ("a".repeat(40), "b".repeat(40), "0".repeat(40));
        let push =
            format!("refs/heads/x {a} refs/heads/y {b}\n\n(delete) {zero} refs/heads/z {b}\n");
        let read = updates(&push, Order::NewFirst).expect("git's lines");
        let id = |text: &str| text.parse::<ObjectId>().ok();
        assert_eq!(read[0], Update { new: id(&a), old: id(&b) });
        assert_eq!(read[1], Update { new: None, old: id(&b) });
        let receive = format!("{zero} {a} refs/heads/x\n");
        let read = updates(&receive, Order::OldFirst).expect("git's lines");
        assert_eq!(read, [Update { new: id(&a), old: None }]);
        for wrong in ["x", &push[..50], &receive[1..]] {
            assert!(updates(wrong, Order::OldFirst).is_err(), "{wrong}");
        }
    }
}
