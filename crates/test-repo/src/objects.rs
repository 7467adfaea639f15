//! Objects by their bytes and files: written as they are, found, deleted and damaged.

use crate::Repo;
use std::path::PathBuf;

impl Repo {
    /// Writes a loose object of any kind and content, valid or not, and returns its id.
    #[track_caller]
    pub fn hash_object(&self, kind: &str, content: impl AsRef<[u8]>) -> String {
        self.git_with_input(&["hash-object", "--literally", "-t", kind, "-w", "--stdin"], content)
    }

    /// Returns the file of a loose object with this id.
    pub fn loose(&self, id: &str) -> PathBuf {
        self.objects_dir().join(&id[..2]).join(&id[2..])
    }

    /// Returns the files of the pack folder whose names end with `end`, sorted.
    pub fn packs(&self, end: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.objects_dir().join("pack")).expect("a folder");
        let mut paths: Vec<_> = entries.map(|it| it.expect("an entry").path()).collect();
        paths.retain(|path| path.to_string_lossy().ends_with(end));
        paths.sort();
        paths
    }

    /// Deletes a loose object.
    #[track_caller]
    pub fn delete_object(&self, revision: &str) {
        std::fs::remove_file(self.loose(&self.id(revision))).expect("a loose object");
    }

    /// Overwrites a loose object.
    #[track_caller]
    pub fn corrupt_object(&self, revision: &str) {
        let path = self.loose(&self.id(revision));
        std::fs::remove_file(&path).expect("a loose object");
        std::fs::write(&path, "rubbish").expect("a file");
    }

    /// Returns the object directory of a bare repository or of one with a `.git` folder.
    fn objects_dir(&self) -> PathBuf {
        let git = self.path().join(".git");
        if git.is_dir() { git.join("objects") } else { self.path().join("objects") }
    }
}
