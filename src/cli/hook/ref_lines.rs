//! The lines that git passes to `pre-push` and `pre-receive` hooks, one per reference.
//!
//! Input: a line. Output: ids and names, as an update or a range of commits. Reads no repository.

use crate::source::git::changes::{NamedRef, Update};
use ddpatrol_pack::{IdError, ObjectId};
use ddpatrol_scan::finding::ChangeStatus;

/// The update of a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct RefLine<'a> {
    /// The new target of the reference; `None` if it is deleted.
    new: Option<ObjectId>,
    /// The old target; `None` if the reference is new.
    old: Option<ObjectId>,
    /// The name of the reference in the receiving repository.
    remote: &'a [u8],
    /// The local revision that is pushed; `None` for `pre-receive`.
    local: Option<&'a [u8]>,
}

impl<'a> RefLine<'a> {
    /// Parses a line of `pre-push`: local name, new id, remote name, old id.
    pub(in crate::cli) fn of_push(line: &'a [u8]) -> Option<Self> {
        // The local revision can be any expression, and may contain spaces.
        let mut words = line.rsplitn(4, |&byte| byte == b' ');
        let (old, remote, new) =
            (target(words.next()?).ok()?, words.next()?, target(words.next()?).ok()?);
        Some(Self { new, old, remote, local: Some(words.next()?) })
    }

    /// Parses a line of `pre-receive`: old id, new id, name.
    pub(in crate::cli) fn of_receive(line: &'a [u8]) -> Option<Self> {
        let mut words = line.splitn(3, |&byte| byte == b' ');
        let (old, new) = (target(words.next()?).ok()?, target(words.next()?).ok()?);
        let remote = words.next()?;
        let is_name = !remote.is_empty() && !remote.contains(&b' ');
        is_name.then_some(Self { new, old, remote, local: None })
    }

    /// Returns the update; `None` if the reference is deleted.
    pub(in crate::cli) fn update(&self) -> Option<Update> {
        let change_status =
            if self.old.is_none() { ChangeStatus::New } else { ChangeStatus::Preexisting };
        let mut names = vec![NamedRef { name: self.remote.to_vec(), change_status }];
        if let Some(local) = self.local.filter(|&local| local != self.remote) {
            names.push(NamedRef { name: local.to_vec(), change_status: ChangeStatus::New });
        }
        Some(Update { new: self.new?, old: self.old, names })
    }

    /// Returns the range of commits, with an all-zero id for a missing end.
    pub(in crate::cli) fn range(&self) -> Option<String> {
        let some = self.new.or(self.old)?;
        let zeros = "0".repeat(2 * some.as_bytes().len());
        let text = |id: Option<ObjectId>| id.map_or_else(|| zeros.clone(), |id| id.to_string());
        Some(format!("{}..{}", text(self.old), text(self.new)))
    }
}

/// Parses the target of a reference; an all-zero id stands for none.
fn target(word: &[u8]) -> Result<Option<ObjectId>, IdError> {
    let id = ObjectId::from_hex(word)?;
    Ok((!id.is_null()).then_some(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn git_lines_are_parsed_and_others_are_rejected() {
        let (a, b, zero) = ("a".repeat(40), "b".repeat(40), "0".repeat(40));
        let id = |text: &str| text.parse::<ObjectId>().ok();
        let push = format!("refs/heads/x {a} refs/heads/y {b}");
        let line = RefLine::of_push(push.as_bytes()).expect("git's line");
        let update = line.update().expect("not deleted");
        assert_eq!((Some(update.new), update.old), (id(&a), id(&b)));
        let names: Vec<_> =
            update.names.iter().map(|it| (&it.name[..], &it.change_status)).collect();
        let expected: [(&[u8], _); 2] =
            [(b"refs/heads/y", &ChangeStatus::Preexisting), (b"refs/heads/x", &ChangeStatus::New)];
        assert_eq!(names, expected);
        assert_eq!(line.range(), Some(format!("{b}..{a}")));
        let spaced = format!(":/fix a bug {a} refs/heads/y {zero}");
        let line = RefLine::of_push(spaced.as_bytes()).expect("git's line");
        assert_eq!((line.new, line.old, line.local), (id(&a), None, Some(&b":/fix a bug"[..])));
        let deleted = format!("(delete) {zero} refs/heads/z {b}");
        let line = RefLine::of_push(deleted.as_bytes()).expect("git's line");
        assert_eq!((line.update(), line.range()), (None, Some(format!("{b}..{zero}"))));
        let receive = format!("{zero} {a} refs/heads/x");
        let line = RefLine::of_receive(receive.as_bytes()).expect("git's line");
        assert_eq!((line.new, line.old, line.remote), (id(&a), None, &b"refs/heads/x"[..]));
        for wrong in ["", "x", &push[..50], &receive[1..], &push, &receive[..82]] {
            assert_eq!(RefLine::of_receive(wrong.as_bytes()), None, "{wrong}");
        }
        for wrong in ["", "x", &push[..50], &receive, &push[13..]] {
            assert_eq!(RefLine::of_push(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
