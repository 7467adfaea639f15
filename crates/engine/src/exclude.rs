//! The `exclude` patterns of a configuration.
//!
//! Input: patterns in `.gitignore` syntax, for paths below the configuration's folder. Output: whether a
//! path is excluded. Walks no folders.
//!
//! A scan of several folders has further patterns, which each apply to one folder. They are read when the scan
//! reaches the folder; see [`FolderExcludes`].

use ignore::DirEntry;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Compiled `exclude` patterns.
#[derive(Clone, Debug)]
pub struct Exclude {
    folder: PathBuf,
    globs: Gitignore,
    folders: Option<Arc<dyn FolderExcludes>>,
}

/// The exclusions of folders that are part of a scan and have a configuration of their own.
pub trait FolderExcludes: Debug + Send + Sync {
    /// Reads the configuration of a work tree that the scan has reached; `top` is absolute.
    fn reach(&self, top: &Path);

    /// Returns `true` if no folder that was reached has exclusions.
    fn is_empty(&self) -> bool;

    /// Returns `true` if `excludes` holds for the exclusions of a folder that contains `path`.
    fn any(&self, path: &Path, excludes: &dyn Fn(&Exclude) -> bool) -> bool;
}

/// The kind of a path; a pattern that ends in `/` matches folders only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathKind {
    /// A file, or anything else that is not a folder.
    File,
    /// A folder.
    Folder,
}

impl PathKind {
    /// Returns the kind of a walked entry; links are not followed.
    #[must_use]
    pub fn of(entry: &DirEntry) -> Self {
        let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
        if is_folder { Self::Folder } else { Self::File }
    }

    /// Returns `true` for a folder.
    #[must_use]
    pub fn is_folder(self) -> bool {
        self == Self::Folder
    }
}

/// An invalid pattern of paths.
#[derive(Debug, thiserror::Error)]
#[error("invalid pattern `{glob}`: {reason}")]
pub struct ExcludePatternError {
    glob: String,
    reason: String,
}

fn builder(folder: &Path) -> GitignoreBuilder {
    let mut builder = GitignoreBuilder::new(folder);
    // Git accepts `a[` as a name; in a configuration it is more likely a mistake.
    builder.allow_unclosed_class(false);
    builder
}

fn add(builder: &mut GitignoreBuilder, glob: &str) -> Result<(), ExcludePatternError> {
    builder.add_line(None, glob).map_err(|source| fault(glob, source))?;
    Ok(())
}

fn fault(glob: &str, source: ignore::Error) -> ExcludePatternError {
    let reason = match source {
        ignore::Error::Glob { err, .. } => err,
        other => other.to_string(),
    };
    ExcludePatternError { glob: glob.to_owned(), reason }
}

impl Default for Exclude {
    /// Excludes nothing.
    fn default() -> Self {
        Self { folder: PathBuf::new(), globs: Gitignore::empty(), folders: None }
    }
}

impl Exclude {
    /// Compiles patterns that are relative to `folder`, an absolute path.
    ///
    /// # Errors
    /// [`ExcludePatternError`] if a pattern is invalid.
    pub fn new(folder: PathBuf, globs: &[String]) -> Result<Self, ExcludePatternError> {
        let mut builder = builder(&folder);
        globs.iter().try_for_each(|glob| add(&mut builder, glob))?;
        let globs = builder.build().map_err(|source| fault(&globs.join(" "), source))?;
        Ok(Self { folder, globs, folders: None })
    }

    /// Checks the syntax of a pattern, without compiling it.
    ///
    /// # Errors
    /// [`ExcludePatternError`] if it is invalid.
    pub fn check(glob: &str) -> Result<(), ExcludePatternError> {
        add(&mut builder(Path::new("")), glob)
    }

    /// Adds the exclusions of folders, which each apply to one folder only.
    #[must_use]
    pub fn with_folders(self, folders: Arc<dyn FolderExcludes>) -> Self {
        Self { folders: Some(folders), ..self }
    }

    /// Reads the configuration of a work tree that the scan has reached; `top` returns its absolute path.
    pub fn reach(&self, top: impl FnOnce() -> PathBuf) {
        if let Some(folders) = &self.folders {
            folders.reach(&top());
        }
    }

    /// Returns `true` if `excludes` holds for the exclusions of a folder that contains `path`.
    fn in_folders(&self, path: &Path, excludes: &dyn Fn(&Self) -> bool) -> bool {
        self.folders.as_ref().is_some_and(|it| !it.is_empty() && it.any(path, excludes))
    }

    /// Returns `true` if a pattern matches a path or a folder above it; `path` is absolute.
    #[must_use]
    pub fn has(&self, path: &Path, kind: PathKind) -> bool {
        path.starts_with(&self.folder)
            && path != self.folder
            && self.globs.matched_path_or_any_parents(path, kind.is_folder()).is_ignore()
            || self.in_folders(path, &|it| it.has(path, kind))
    }

    /// Returns `true` if a pattern matches the path itself; `path` is absolute.
    #[must_use]
    pub fn has_itself(&self, path: &Path, kind: PathKind) -> bool {
        path.starts_with(&self.folder)
            && path != self.folder
            && self.globs.matched(path, kind.is_folder()).is_ignore()
            || self.in_folders(path, &|it| it.has_itself(path, kind))
    }

    /// Returns `true` if a pattern matches a file or a folder between it and `top`. Patterns that match
    /// `top` or a folder above it do not apply: the user has named `top`, or a repository there.
    #[must_use]
    pub fn has_below(&self, path: &Path, top: &Path) -> bool {
        if !path.starts_with(top) {
            return self.has(path, PathKind::File);
        }
        let mut above = path.ancestors().take_while(|it| *it != top);
        above.next().is_some_and(|file| self.has_itself(file, PathKind::File))
            || above.any(|folder| self.has_itself(folder, PathKind::Folder))
    }

    /// Returns `true` if there are no patterns.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.globs.is_empty() && self.folders.as_ref().is_none_or(|it| it.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_like_gitignore_below_the_folder() {
        let globs = ["/vendor/", "*.min.js", "docs/**/example*"].map(str::to_owned);
        let exclude = Exclude::new("/w".into(), &globs).expect("patterns");
        for (path, is_out) in [
            ("/w/vendor/a/b", true),
            ("/w/sub/vendor/a", false),
            ("/w/a/b.min.js", true),
            ("/w/docs/x/example.env", true),
            ("/w/docs/x/other", false),
            ("/elsewhere/a.min.js", false),
            ("/w", false),
        ] {
            assert_eq!(exclude.has(Path::new(path), PathKind::File), is_out, "{path}");
        }
        let error = Exclude::new("/w".into(), &["a[".to_owned()]).expect_err("no glob");
        assert!(error.to_string().contains("a["), "{error}");
    }
    fn exclude(globs: &[&str]) -> Exclude {
        let globs: Vec<String> = globs.iter().map(|&it| it.to_owned()).collect();
        Exclude::new("/w".into(), &globs).expect("patterns")
    }

    #[test]
    fn a_pattern_with_a_slash_at_its_end_matches_folders_only() {
        let exclude = exclude(&["build/"]);
        let has = |path: &str, kind| exclude.has_itself(Path::new(path), kind);
        assert!(has("/w/build", PathKind::Folder) && !has("/w/build", PathKind::File));
        // Matches the path's own name, not that of the folder around it.
        assert!(!has("/w/build/a", PathKind::File) && !has("/w/build/a", PathKind::Folder));
        assert!(exclude.has(Path::new("/w/build/a"), PathKind::File));
        assert!(!has("/elsewhere/build", PathKind::Folder) && !has("/w", PathKind::Folder));
    }

    #[test]
    fn folders_above_the_named_path_do_not_exclude_it() {
        let exclude = exclude(&["vendor", "*.snap"]);
        let below = |path: &str, top: &str| exclude.has_below(Path::new(path), Path::new(top));
        assert!(below("/w/vendor/a", "/w"));
        assert!(!below("/w/vendor/a", "/w/vendor"));
        assert!(below("/w/vendor/x/vendor/a", "/w/vendor"));
        assert!(below("/w/vendor/a.snap", "/w/vendor"));
        assert!(!below("/w/vendor", "/w/vendor"));
        // A path outside of the named folder is matched as a whole.
        assert!(below("/w/vendor/a", "/w/other"));
        assert!(!below("/w/a", "/w/other"));
    }

    #[test]
    fn without_patterns_nothing_is_excluded() {
        assert!(Exclude::default().is_empty() && exclude(&[]).is_empty());
        assert!(!exclude(&["a"]).is_empty());
        assert!(!Exclude::default().has(Path::new("/w/a"), PathKind::File));
    }
}
