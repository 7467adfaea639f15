//! Steps for files in the index: unstage them, and remove the token.
//!
//! Input: locations of a change, or of blobs that a scan finds in the index. Output: steps.

use super::draft::Draft;
use super::target_repository::TargetRepository;
use crate::document::Paths;
use crate::escape::is_unsafe;
use crate::remediation::StepKind;
use crate::shell::quote;
use ddpatrol_detect::redact::Masker;
use ddpatrol_scan::finding::{Location, Part, Staged};
use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::path::{Path, PathBuf};

/// The characters with a meaning in the patterns of git.
const WILDCARDS: [char; 4] = ['*', '?', '[', '\\'];

/// Maximum number of repositories with a command.
const MAX_REPOSITORIES: usize = 10;

/// Returns the steps that unstage files that a scan finds in the index, for each repository: the index keeps
/// their blobs.
pub(super) fn unstage_uncommitted(
    places: &[&Location],
    paths: &mut Paths,
    masker: &mut Masker<'_>,
) -> Vec<Draft> {
    let mut staged: BTreeMap<(PathBuf, Staged), BTreeSet<String>> = BTreeMap::new();
    for place in places {
        let Some(state) = place.trace.as_deref().and_then(|it| it.staged) else { continue };
        // The work tree with the index, which need not be the one that the scan read the history of.
        let Some(within) = place.path.as_ref().and_then(|it| paths.file_within(it)) else {
            continue;
        };
        let file = quote(&from_top(&within.file));
        staged.entry((within.top.to_path_buf(), state)).or_default().insert(file);
    }
    let mut drafts = Vec::new();
    for ((top, state), files) in staged.into_iter().take(MAX_REPOSITORIES) {
        let files: Vec<String> = files.into_iter().collect();
        let operation = (state == Staged::InOperation).then_some("merge or similar operation");
        let git = TargetRepository::new(top, paths).git();
        drafts.push(unstage(&git, &files, operation, masker));
    }
    drafts
}

/// Returns the step that unstages files with a token; `operation` is in progress.
pub(super) fn unstage(
    git: &str,
    files: &[String],
    operation: Option<&str>,
    masker: &mut Masker<'_>,
) -> Draft {
    if let Some(operation) = operation {
        // `git reset -- FILE` would restore HEAD's version and discard the changes of the other side.
        let text = format!(
            "Remove it from the file, then stage the file again with `git add`. Do not unstage or \
             reset the file: a {operation} is in progress, and its changes to the file would be lost."
        );
        return Draft::new(StepKind::Remove, text, Vec::new());
    }
    let text =
        "Unstage the file, remove the token from it and stage it again; nothing is committed yet.";
    let command = format!("{git} reset -- {}", files.join(" "));
    let paths = files.iter().map(|it| masker.clean(it.as_bytes())).collect();
    let kind = StepKind::Unstage { git: masker.clean(git.as_bytes()), paths };
    Draft::new(kind, text, vec![command])
}

/// Returns the staged paths, relative to the top, as quoted pathspecs.
pub(super) fn staged(places: &[Location]) -> Vec<String> {
    let is_staged = |it: &&Location| {
        it.trace.is_none()
            && it.change_status.is_some()
            && matches!(it.part, Part::Content | Part::Name)
    };
    let staged = places.iter().filter(is_staged);
    // A member of an archive is staged with the archive.
    let staged = staged.filter_map(|it| it.path.as_ref()?.outermost().as_file());
    let mut files: Vec<String> = staged.map(|path| quote(&from_top(path))).collect();
    files.sort();
    files.dedup();
    files
}

/// Returns the pathspec of a path that is relative to the top of the work tree.
pub(super) fn from_top(path: &Path) -> String {
    let path = path.as_os_str().as_encoded_bytes();
    let Some(path) = str::from_utf8(path).ok().filter(|path| !path.contains(is_unsafe)) else {
        return format!(":(top,glob){}", glob(path));
    };
    // Characters after `:/` may be further pathspec magic, and wildcards match other files.
    let is_plain = path.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '.');
    match is_plain && !path.contains(WILDCARDS) {
        true => format!(":/{path}"),
        false => format!(":(top,literal){path}"),
    }
}

/// Returns a pattern that matches a path, with `?` for each byte that a report does not show as it is.
fn glob(path: &[u8]) -> String {
    let mut glob = String::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                c if is_unsafe(c) => glob.extend(iter::repeat_n('?', c.len_utf8())),
                c if WILDCARDS.contains(&c) => glob.extend(['\\', c]),
                c => glob.push(c),
            }
        }
        glob.extend(iter::repeat_n('?', chunk.invalid().len()));
    }
    glob
}
