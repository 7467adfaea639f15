//! A wall clock of a process that a test can set while the process runs, with libfaketime (Debian
//! package faketime). The monotonic clock remains correct.

use std::path::PathBuf;
use tempfile::TempDir;

/// A wall clock that differs from the machine's by a chosen offset.
#[derive(Debug)]
pub(crate) struct WallClock {
    dir: TempDir,
}

impl WallClock {
    /// Creates a clock with an offset in libfaketime's notation: `+400d`, `-1h`, `+0`.
    pub(crate) fn new(offset: &str) -> Self {
        let clock = Self { dir: tempfile::tempdir().unwrap() };
        clock.set(offset);
        clock
    }

    /// Creates a clock that shows the beginning of 1970.
    pub(crate) fn at_the_epoch() -> Self {
        Self::new(&format!("-{}", jiff::Timestamp::now().as_second()))
    }

    /// Sets the clock, including that of running processes.
    pub(crate) fn set(&self, offset: &str) {
        let next = self.dir.path().join("next");
        std::fs::write(&next, format!("{offset}\n")).unwrap();
        std::fs::rename(next, self.file()).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("offset")
    }

    /// Returns the environment of a process with this clock.
    pub(crate) fn variables(&self) -> [(&'static str, PathBuf); 5] {
        [
            ("LD_PRELOAD", library()),
            ("FAKETIME_TIMESTAMP_FILE", self.file()),
            ("FAKETIME_NO_CACHE", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
            ("DONT_FAKE_MONOTONIC", "1".into()),
        ]
    }
}

fn library() -> PathBuf {
    let places = std::fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
    places
        .map(|place| place.join("faketime/libfaketimeMT.so.1"))
        .find(|library| library.exists())
        .expect("this test needs libfaketime (Debian: apt-get install faketime)")
}
