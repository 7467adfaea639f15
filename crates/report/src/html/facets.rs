//! Values that findings can be filtered by: repositories, rules and owners.
//!
//! Input: a document and the listed findings. Output: numbered values with their counts.

use crate::document::{Document, LocationRecord, Record};
use std::collections::{BTreeSet, HashMap};

/// Label of findings outside of repositories.
const NO_REPOSITORY: &str = "(no repository)";

/// The filter values of a page.
pub(super) struct Facets<'a> {
    /// The repositories with their numbers of findings.
    pub(super) repositories: Vec<Repository>,
    /// The rules by name.
    pub(super) rules: Vec<Facet<'a>>,
    /// The owners by name.
    pub(super) owners: Vec<Facet<'a>>,
    /// Numbers of repositories by the path of the folder.
    by_folder: HashMap<String, usize>,
}

/// A value and its number of findings.
pub(super) struct Facet<'a> {
    id: &'a [u8],
    pub(super) label: String,
    pub(super) amount: usize,
}

/// A repository and its numbers of findings and issues.
#[derive(Default)]
pub(super) struct Repository {
    pub(super) label: String,
    pub(super) url: Option<String>,
    pub(super) findings: usize,
    pub(super) live: usize,
    pub(super) issues: usize,
}

impl<'a> Facets<'a> {
    pub(super) fn new(document: &Document, records: &[&'a Record]) -> Self {
        let rules = facets(records.iter().map(|it| (it.rule.as_bytes(), it.name.clone())));
        let owners = records.iter().flat_map(|it| {
            let all = it.locations.iter().flat_map(|it| &it.owners);
            let unique: BTreeSet<&[u8]> = all.map(|it| it.as_bytes()).collect();
            unique.into_iter().map(|it| (it, String::from_utf8_lossy(it).into_owned()))
        });
        let owners = facets(owners);
        let mut facets =
            Self { repositories: Vec::new(), rules, owners, by_folder: HashMap::new() };
        for repository in &document.repositories {
            let at = facets.add(&repository.path.text(), Some(&repository.absolute_uri));
            facets.repositories[at].url.clone_from(&repository.url);
            // Objects without a path name their repository by its absolute path.
            if let Some(folder) = repository.absolute_uri.strip_prefix("file://") {
                let folder = folder_of(folder).to_owned();
                facets.by_folder.entry(folder).or_insert(at);
            }
        }
        for record in records {
            for place in &record.locations {
                if let Some(git) = &place.git {
                    facets.add(&git.repository.text(), None);
                }
            }
        }
        facets.count(document, records);
        facets
    }

    /// Adds a repository by the path of its git directory and returns its number.
    fn add(&mut self, path: &str, uri: Option<&str>) -> usize {
        let folder = folder_of(path);
        if let Some(at) = self.by_folder.get(folder) {
            return *at;
        }
        let at = self.repositories.len();
        self.by_folder.insert(folder.to_owned(), at);
        let name = uri.and_then(|uri| uri.trim_end_matches('/').rsplit('/').next());
        let label = match (folder, name) {
            ("", Some(name)) if !name.is_empty() && !name.contains('%') => name,
            ("", _) => ".",
            (folder, _) => folder,
        };
        self.repositories.push(Repository { label: label.to_owned(), ..Repository::default() });
        at
    }

    fn count(&mut self, document: &Document, records: &[&Record]) {
        for record in records {
            for at in self.repositories_of(record) {
                let is_live = record.liveness() == crate::status::Liveness::Live;
                self.repositories[at].findings += 1;
                self.repositories[at].live += usize::from(is_live);
            }
        }
        for note in &document.diagnostics {
            let of_path = |path: &str| self.repository_at(path);
            let at = match (&note.repository, &note.path) {
                (Some(path), _) => self.by_folder.get(folder_of(&path.text())).copied(),
                (None, Some(path)) => of_path(&path.text()),
                (None, None) => None,
            };
            if let Some(at) = at {
                self.repositories[at].issues += 1;
            }
        }
    }

    /// Returns the numbers of a finding's repositories.
    pub(super) fn repositories_of(&self, record: &Record) -> BTreeSet<usize> {
        record.locations.iter().filter_map(|it| self.repository_of(it)).collect()
    }

    fn repository_of(&self, place: &LocationRecord) -> Option<usize> {
        match (&place.git, &place.path) {
            (Some(git), _) => self.by_folder.get(folder_of(&git.repository.text())).copied(),
            (None, Some(path)) => self.repository_at(&path.text()),
            (None, None) => None,
        }
    }

    /// Returns the innermost repository that contains a path.
    fn repository_at(&self, path: &str) -> Option<usize> {
        let ends = path.rmatch_indices('/').map(|(at, _)| at).chain([0]);
        std::iter::once(path.len()).chain(ends).find_map(|at| {
            let is_root = at == 0 && path.starts_with('/');
            self.by_folder.get(&path[..at]).copied().filter(|_| !is_root)
        })
    }

    /// Returns the label of a repository.
    pub(super) fn repository(&self, at: Option<usize>) -> &str {
        at.map_or(NO_REPOSITORY, |at| &self.repositories[at].label)
    }

    /// Returns the number of a finding's rule.
    pub(super) fn rule(&self, record: &Record) -> usize {
        self.rules.iter().position(|it| it.id == record.rule.as_bytes()).unwrap_or_default()
    }

    /// Returns the numbers of a finding's owners.
    pub(super) fn owners_of(&self, record: &Record) -> BTreeSet<usize> {
        let all = record.locations.iter().flat_map(|it| &it.owners);
        all.filter_map(|owner| self.owners.iter().position(|it| it.id == owner.as_bytes()))
            .collect()
    }
}

/// Returns the folder of a repository from the path of its git directory; empty for the current folder.
fn folder_of(path: &str) -> &str {
    let folder = match path.strip_suffix(".git") {
        Some(rest) if rest.is_empty() || rest.ends_with('/') => rest,
        _ => path,
    };
    match folder.trim_end_matches('/') {
        "." => "",
        folder => folder.strip_prefix("./").unwrap_or(folder),
    }
}

/// Counts values; the result is in the order of the labels.
fn facets<'a>(values: impl Iterator<Item = (&'a [u8], String)>) -> Vec<Facet<'a>> {
    let mut counted: HashMap<&[u8], Facet<'a>> = HashMap::new();
    for (id, label) in values {
        counted.entry(id).or_insert(Facet { id, label, amount: 0 }).amount += 1;
    }
    let mut facets: Vec<Facet<'a>> = counted.into_values().collect();
    facets.sort_by(|one, two| (&one.label, one.id).cmp(&(&two.label, two.id)));
    facets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_a_repository_is_without_its_git_directory() {
        for (path, folder) in [
            (".git", ""),
            (".", ""),
            ("./.git", ""),
            ("a/.git", "a"),
            ("a/b.git", "a/b.git"),
            ("./a", "a"),
        ] {
            assert_eq!(folder_of(path), folder, "{path}");
        }
    }

    #[test]
    fn a_repository_by_its_absolute_path_is_the_same_repository() {
        use crate::document::RepositoryRecord;
        use crate::tests::*;
        use crate::trace::TraceRecord;
        let in_repository = |path: &str| {
            let git = TraceRecord { repository: clean(path), ..git() };
            record(vec![LocationRecord { git: Some(git), ..place("a") }])
        };
        let records = [in_repository(".git"), in_repository("/home/ada/shop/.git")];
        let records: Vec<&Record> = records.iter().collect();
        let repository = RepositoryRecord {
            path: clean(".git"),
            head: None,
            uri: None,
            absolute_uri: "file:///home/ada/shop".to_owned(),
            url: None,
        };
        let document = Document { repositories: vec![repository], ..document(vec![]) };
        let facets = Facets::new(&document, &records);
        let counted = facets.repositories.iter().map(|it| (it.label.as_str(), it.findings));
        assert_eq!(counted.collect::<Vec<_>>(), [("shop", 2)]);
    }
}
