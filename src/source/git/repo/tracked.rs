//! What the index lists.

use super::program;
use super::{ProgramError, Repository};

impl Repository {
    /// Lists the paths in the index, their bytes counting from the top; none if there is no index.
    ///
    /// # Errors
    /// [`ProgramError`] if the index is of a form that only `git` reads (split, sparse, SHA-256), and that
    /// cannot.
    pub fn tracked(&self) -> Result<Vec<Vec<u8>>, ProgramError> {
        let index = self.index_file();
        if !index.exists() {
            return Ok(Vec::new());
        }
        self.check()?;
        if let Ok(index) = git2::Index::open(&index) {
            return Ok(index.iter().map(|entry| entry.path).collect());
        }
        let output = program::run(self, &["ls-files", "-z"], b"")?;
        let paths = output.stdout.split(|&byte| byte == 0).filter(|path| !path.is_empty());
        Ok(paths.map(<[u8]>::to_owned).collect())
    }
}
