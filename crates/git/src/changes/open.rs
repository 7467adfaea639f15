//! Opens the object store of a repository, with the folders that the environment adds.

use super::super::repo::Repository;
use super::super::store::Store;
use ddpatrol_scan::{Code, Run, Severity};

/// Opens the store, and reports what of it cannot be read.
pub(super) fn open_store(repository: &Repository, run: &Run) -> Store {
    open_store_with(repository, &mut |problem| {
        run.report_message(
            Severity::Unread,
            Code::StoreUnreadable,
            Some(repository.git_dir.clone()),
            problem,
        );
    })
}

pub(super) fn open_store_with(repository: &Repository, problem: &mut dyn FnMut(String)) -> Store {
    Store::open(&repository.object_folders(), repository.hash, &mut |error| {
        problem(error.to_string());
    })
}
