//! The sums of a run's files (`SHA256SUMS`): `sha256sum -c SHA256SUMS` in the run's folder checks
//! them all.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Read};
use std::path::Path;

use crate::adapters::output::error::{RunFolderError, at};
use crate::adapters::output::files::{open_regular, write_whole};
use crate::domain::digest::Sha256Digest;

/// The name of the file in the run's folder.
const FILE_NAME: &str = "SHA256SUMS";

/// The longest file of sums that is read: a line of a hundred bytes for each of a million images.
const MAX_BYTES: u64 = 256 << 20;

/// Digests by the names of files, relative to the run's folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums(BTreeMap<String, Sha256Digest>);

impl Sums {
    /// Those of a run's folder; none where there are none of ours.
    pub fn of(run_folder: &Path) -> Self {
        let Ok((file, _)) = open_regular(&run_folder.join(FILE_NAME)) else {
            return Self::default();
        };
        let mut text = String::new();
        if file.take(MAX_BYTES).read_to_string(&mut text).is_err() {
            return Self::default();
        }
        let lines = text.lines().filter_map(|line| {
            let (digest, name) = line.split_once("  ")?;
            Some((name.to_owned(), Sha256Digest::parse(digest)?))
        });
        Self(lines.collect())
    }

    /// Notes a file.
    pub fn add(&mut self, name: &str, digest: Sha256Digest) {
        self.0.insert(name.to_owned(), digest);
    }

    /// Whether a file is as it was when it was noted.
    pub fn knows(&self, run_folder: &Path, name: &str) -> bool {
        let Some(digest) = self.0.get(name) else { return false };
        std::fs::read(run_folder.join(name)).is_ok_and(|bytes| Sha256Digest::of(&bytes) == *digest)
    }

    /// Writes them, in the order of the names.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write(&self, run_folder: &Path) -> Result<(), RunFolderError> {
        let mut text = String::new();
        for (name, digest) in &self.0 {
            // A name with such letters would need another form of line; ours have none.
            if name.contains(['\\', '\n', '\r']) {
                let path = run_folder.join(name);
                return Err(at(&path, io::Error::other("its name cannot stand in a list of sums")));
            }
            let _ = writeln!(text, "{digest}  {name}");
        }
        write_whole(&run_folder.join(FILE_NAME), text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_come_back_and_tell_a_file_that_was_edited() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(Sums::of(folder.path()), Sums::default());
        std::fs::write(folder.path().join("a b.csv"), "x").expect("a file");
        let mut sums = Sums::default();
        sums.add("a b.csv", Sha256Digest::of(b"x"));
        sums.add("A.png", Sha256Digest::of(b"y"));
        sums.write(folder.path()).expect("written");
        assert_eq!(Sums::of(folder.path()), sums);
        assert!(sums.knows(folder.path(), "a b.csv") && !sums.knows(folder.path(), "A.png"));
        std::fs::write(folder.path().join("a b.csv"), "edited").expect("a file");
        assert!(!sums.knows(folder.path(), "a b.csv"));
        let text = std::fs::read_to_string(folder.path().join(FILE_NAME)).expect("a file");
        assert_eq!(text.lines().next(), Some(&*format!("{}  A.png", Sha256Digest::of(b"y"))));
    }
}
