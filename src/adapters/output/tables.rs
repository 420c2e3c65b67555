//! Tables of a run for people: CSV files that no spreadsheet takes for a program, and that have
//! their name only when they are whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::domain::digest::Sha256Digest;
use crate::domain::sanitize::{lines, no_formula};

/// A table that is written.
#[derive(Debug)]
pub struct TableFile {
    out: csv::Writer<tempfile::NamedTempFile>,
    n_rows: u64,
}

impl TableFile {
    /// Starts a table in a folder.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn begin(folder: &Path, head: &[String]) -> io::Result<Self> {
        let file = tempfile::Builder::new().prefix(".table-").suffix(".tmp").tempfile_in(folder)?;
        let mut table = Self { out: csv::Writer::from_writer(file), n_rows: 0 };
        table.record(head)?;
        Ok(table)
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn row(&mut self, cells: &[String]) -> io::Result<()> {
        self.n_rows += 1;
        self.record(cells)
    }

    /// Rows so far.
    pub const fn n_rows(&self) -> u64 {
        self.n_rows
    }

    fn record(&mut self, cells: &[String]) -> io::Result<()> {
        // What begins a formula is told by the letter that it has, not by its picture.
        for cell in cells {
            self.out.write_field(lines(&no_formula(cell)).as_bytes()).map_err(io::Error::other)?;
        }
        self.out.write_record(None::<&[u8]>).map_err(io::Error::other)
    }

    /// Ends the table, syncs it and gives it its name; returns the digest of its bytes.
    ///
    /// # Errors
    /// When it cannot be written; a file that had the name before is then untouched.
    pub fn finish(self, path: &Path) -> io::Result<Sha256Digest> {
        let file = self.out.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
        file.as_file().sync_all()?;
        let digest = Sha256Digest::of(&fs::read(file.path())?);
        file.persist(path).map_err(|error| error.error)?;
        Ok(digest)
    }
}

/// The first name with a number that nobody has: `failed-1.csv`.
pub fn free_name(path: &Path) -> PathBuf {
    let part = |part: Option<&std::ffi::OsStr>| {
        part.map(|it| it.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let (stem, extension) = (part(path.file_stem()), part(path.extension()));
    let mut names = (1..).map(|n: u64| path.with_file_name(format!("{stem}-{n}.{extension}")));
    names.find(|name| !name.exists()).expect("numbers do not end")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_its_name_when_it_is_whole_and_no_formula_in_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let cells = |cells: &[&str]| cells.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let mut table = TableFile::begin(folder.path(), &cells(&["id", "=head"])).expect("begun");
        for cell in
            ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "a=1", "\"q\", and", "\u{1b}[2J", ""]
        {
            table.row(&cells(&["A", cell])).expect("written");
        }
        let path = folder.path().join("table.csv");
        assert!(!path.exists());
        assert_eq!(table.n_rows(), 11);
        let digest = table.finish(&path).expect("whole");
        let text = fs::read_to_string(&path).expect("a table");
        assert_eq!(digest, Sha256Digest::of(text.as_bytes()));
        let expect = "id,'=head\nA,'=1+1\nA,'+1\nA,'-1\nA,'@x\nA,' x\nA,'␍x\nA,\"'\nx\"\n\
            A,a=1\nA,\"\"\"q\"\", and\"\nA,␛[2J\nA,\n";
        assert_eq!(text, expect);
        assert_eq!(free_name(&path), folder.path().join("table-1.csv"));
    }
}
