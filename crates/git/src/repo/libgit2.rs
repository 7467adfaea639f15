//! Opens repositories with libgit2, and sets its global options once.

use super::error::LibraryError;
use super::repository::Repository;
use git2::RepositoryOpenFlags;
use std::ffi::OsStr;
use std::sync::Once;

/// Opens a repository for reading, without its work tree.
pub(super) fn open(repository: &Repository) -> Result<git2::Repository, LibraryError> {
    if let Some(what) = unsupported(repository) {
        return Err(LibraryError::Unsupported(what));
    }
    repository.check()?;
    set_options();
    // As bare, since the work tree is not needed.
    let flags =
        RepositoryOpenFlags::NO_SEARCH | RepositoryOpenFlags::NO_DOTGIT | RepositoryOpenFlags::BARE;
    Ok(git2::Repository::open_ext(&repository.git_dir, flags, [] as [&OsStr; 0])?)
}

/// Returns a feature of the repository that libgit2 accepts but handles wrongly.
fn unsupported(repository: &Repository) -> Option<&'static str> {
    let overrides = &repository.overrides;
    let config = &repository.config;
    let filled = |path: &str| {
        let file = repository.common_dir.join(path);
        file.metadata().is_ok_and(|metadata| metadata.len() > 0)
    };
    let cases = [
        (overrides.objects.is_some(), "GIT_OBJECT_DIRECTORY"),
        (!overrides.alternates.is_empty(), "GIT_ALTERNATE_OBJECT_DIRECTORIES"),
        (overrides.common_dir, "GIT_COMMON_DIR"),
        // It would interpret the placeholder of HEAD as an unborn branch.
        (config.get("extensions.refstorage").is_some_and(|v| v != b"files"), "this ref storage"),
        (repository.hash != ddpatrol_pack::HashKind::Sha1, "SHA-256"),
        // It would apply them.
        (filled("info/grafts"), "ignoring info/grafts"),
        // It reads the list from the work tree's own git directory.
        (
            repository.git_dir != repository.common_dir && filled("shallow"),
            "shallow repositories with linked work trees",
        ),
    ];
    cases.into_iter().find_map(|(holds, what)| holds.then_some(what))
}

/// Sets the global options of libgit2, before it opens its first repository.
#[expect(unsafe_code, reason = "libgit2's options are process-wide variables without a lock")]
fn set_options() {
    static OPTIONS: Once = Once::new();
    OPTIONS.call_once(|| {
        // Hashes are not verified, which is faster.
        git2::opts::strict_hash_verification(false);
        // SAFETY: these write variables that libgit2 reads when it opens a repository. Every
        // repository is opened in [`open`], after this `Once`, so nothing reads them meanwhile.
        unsafe {
            // The ownership check protects from configuration that runs programs; reading runs none.
            let owner = git2::opts::set_verify_owner_validation(false);
            // Other supported extensions are enabled by default. Reading a promised object that is
            // missing is an error.
            let extensions = git2::opts::set_extensions(&["partialclone"]);
            debug_assert!(owner.is_ok() && extensions.is_ok());
            // The user's own settings must not affect results.
            for level in [
                git2::ConfigLevel::ProgramData,
                git2::ConfigLevel::System,
                git2::ConfigLevel::XDG,
                git2::ConfigLevel::Global,
            ] {
                let emptied = git2::opts::set_search_path(level, "");
                debug_assert!(emptied.is_ok());
            }
        }
    });
}
