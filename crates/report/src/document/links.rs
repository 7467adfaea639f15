//! Owners of locations, and links to locations and commits.
//!
//! Input: locations, and the repositories that they are in. Output: owners from `CODEOWNERS`, and URLs of web
//! pages. A link that would contain a secret is left out, because a masked link leads nowhere.

use super::origins::Origins;
use super::paths::Within;
use super::{LocationRecord, uris};
use crate::trace::TraceRecord;
use ddpatrol_detect::redact::{Clean, Masker};
use ddpatrol_scan::finding::{Location, Part, Trace};
use std::collections::HashMap;
use std::path::Path;

/// Finds owners and creates links; reads each repository once.
#[derive(Debug, Default)]
pub(super) struct Linker {
    origins: Origins,
    /// The owners of the last path: a file often has many consecutive locations.
    last: Option<(Within, Vec<Clean>)>,
}

/// A location in the history of a repository.
#[derive(Clone, Copy, Debug)]
pub(super) struct TracedLocation<'a> {
    pub(super) location: &'a Location,
    pub(super) trace: &'a Trace,
    /// The top of the repository.
    pub(super) top: &'a Path,
    /// The path in the repository, if there is one.
    pub(super) within: Option<&'a Within>,
}

impl Linker {
    /// Returns the web page of the repository at `top`.
    pub(super) fn page(&mut self, top: &Path, masker: &mut Masker<'_>) -> Option<String> {
        let origin = self.origins.of(top);
        clean(origin.web.as_ref()?.page().to_owned(), masker)
    }

    /// Returns the owners of a path.
    pub(super) fn owners(&mut self, within: &Within, masker: &mut Masker<'_>) -> Vec<Clean> {
        if let Some((last, owners)) = &self.last
            && last == within
        {
            return owners.clone();
        }
        let origin = self.origins.of(&within.top);
        let names = origin.owners.of(&within.file);
        let owners: Vec<Clean> = names.iter().map(|it| masker.clean(it.as_bytes())).collect();
        self.last = Some((within.clone(), owners.clone()));
        owners
    }

    /// Adds links to the commits of a trace, and returns the link to the location. Commits that no reference
    /// reaches are not linked: a forge does not have them.
    pub(super) fn link(
        &mut self,
        traced: &TracedLocation<'_>,
        git: &mut TraceRecord,
        masker: &mut Masker<'_>,
    ) -> Option<String> {
        let TracedLocation { location, trace, top, within } = *traced;
        if !trace.reachable {
            return None;
        }
        let origin = self.origins.of(top);
        let web = origin.web.as_ref()?;
        for commit in git.introduced.iter_mut().chain(&mut git.removed) {
            commit.url = clean(web.commit(&commit.commit), masker);
        }
        let commit = trace.introduced.as_deref()?.id.to_string();
        let url = match (location.part, within) {
            (Part::Commit, _) => web.commit(&commit),
            (Part::Content, Some(within)) if !within.is_member() => {
                web.line(&commit, &uris::bytes(&within.below), location.start.line)
            }
            (Part::Content | Part::Name, Some(within)) => {
                web.file(&commit, &uris::bytes(&within.file))
            }
            _ => return None,
        };
        clean(url, masker)
    }
}

/// Gives locations in the work tree the link of the same location in `HEAD`.
pub(super) fn link_work_tree(places: &mut [LocationRecord]) {
    let key = |place: &LocationRecord| Some((place.path.clone()?, place.line, place.column));
    if places.iter().all(|it| it.git.is_some()) || places.iter().all(|it| it.url.is_none()) {
        return;
    }
    let in_head = places.iter().filter(|it| it.git.as_ref().is_some_and(|git| git.in_head));
    let linked: HashMap<_, String> =
        in_head.filter_map(|it| Some((key(it)?, it.url.clone()?))).collect();
    for place in places.iter_mut().filter(|it| it.git.is_none() && it.part == Part::Content) {
        place.url = key(place).and_then(|key| linked.get(&key).cloned());
    }
}

/// Returns a link if it contains no secret.
fn clean(url: String, masker: &mut Masker<'_>) -> Option<String> {
    (masker.clean(url.as_bytes()).as_bytes() == url.as_bytes()).then_some(url)
}
