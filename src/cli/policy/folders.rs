//! The folders of policy files.
//!
//! Input: the scanned folders. Output: where their configuration is, where their baseline is or would be
//! written, and which policy files do not apply because several folders are scanned. Reads no files.

use crate::cli::args::SharedArgs;
use crate::config::{BASELINE_NAME, NAME};
use crate::report::shell::quote;
use ddpatrol_scan::quantity::count;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Maximum number of entries of a folder in which repositories are searched.
const MAX_ENTRIES: usize = 1000;

/// Maximum number of files that a note names.
const MAX_NAMED: usize = 3;

/// Returns the folder of the baseline that is used without a name: the top of the work tree; outside of a
/// work tree the scanned folder, or the current one if it contains the scanned one.
pub(super) fn baseline_folder(scanned: &Path) -> PathBuf {
    let top = repository_top(scanned);
    if top.join(".git").exists() || top.join(BASELINE_NAME).exists() {
        return top.to_owned();
    }
    let here = std::env::current_dir().and_then(std::fs::canonicalize);
    here.ok().filter(|here| scanned.starts_with(here)).unwrap_or_else(|| top.to_owned())
}

/// Returns the top of the work tree that contains a folder, or the folder outside of a work tree.
pub(in crate::cli) fn repository_top(folder: &Path) -> &Path {
    folder.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(folder)
}

/// Finds the folder with the configuration: `folder` or the nearest folder above it, up to the top of
/// a work tree.
pub(super) fn find(folder: &Path) -> Option<&Path> {
    for folder in folder.ancestors() {
        if folder.join(NAME).symlink_metadata().is_ok() {
            return Some(folder);
        }
        if folder.join(".git").exists() {
            break;
        }
    }
    None
}

/// Returns a note about baselines of scanned folders that do not apply, because `--config` names one policy for
/// the whole scan.
pub(in crate::cli) fn note_ignored(
    shared: &SharedArgs,
    start: &Path,
    paths: &[PathBuf],
) -> Option<String> {
    if shared.no_config || shared.config.is_none() || shared.baseline.is_some() {
        return None;
    }
    let applied = baseline_folder(start).join(BASELINE_NAME);
    let folders = scanned_folders(paths);
    let baselines = folders.iter().map(|folder| repository_top(folder).join(BASELINE_NAME));
    let ignored: BTreeSet<PathBuf> =
        baselines.filter(|it| *it != applied && it.is_file()).collect();
    let folder = ignored.first()?.parent()?;
    let named: Vec<String> = ignored.iter().take(MAX_NAMED).map(|it| shown(it)).collect();
    let more = match ignored.len() - named.len() {
        0 => String::new(),
        more => format!(" and {}", count(more as u64, "more file")),
    };
    Some(format!(
        "not applied, because --config names one policy for the whole scan: {}{more}; to apply the files of a \
         folder, scan it alone (`ddpatrol scan {}`), or name them with --baseline",
        named.join(", "),
        quote(&shown(folder))
    ))
}

/// Returns the folders of the paths, and the repositories up to two levels below them.
fn scanned_folders(paths: &[PathBuf]) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::new();
    for path in paths.iter().filter(|path| path.as_os_str() != "-") {
        let Ok(whole) = path.canonicalize() else { continue };
        if !whole.is_dir() {
            folders.extend(whole.parent().map(Path::to_owned));
            continue;
        }
        if !repository_top(&whole).join(".git").exists() {
            let near = subfolders(&whole);
            let is_plain = |folder: &&PathBuf| !folder.join(".git").exists();
            let far: Vec<PathBuf> =
                near.iter().filter(is_plain).flat_map(|it| subfolders(it)).collect();
            folders.extend(near.into_iter().chain(far).filter(|it| it.join(".git").exists()));
        }
        folders.insert(whole);
    }
    folders
}

/// Lists the folders in a folder, except for links.
fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().take(MAX_ENTRIES).flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.map(|entry| entry.path()).collect()
}

/// Formats a path relative to the current folder.
pub(in crate::cli) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let below = path.strip_prefix(here).unwrap_or(path);
    if below.as_os_str().is_empty() { ".".to_owned() } else { below.display().to_string() }
}
