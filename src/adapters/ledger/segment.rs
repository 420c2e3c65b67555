//! The ledger's files on a local file system, behind the seam at which tests make them fail.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use fail::fail_point;

use crate::adapters::ledger::tail::TailFile;
use crate::domain::ledger::SegmentName;
use crate::ports::ledger::{SegmentFile, SegmentFolder};

/// A folder of segments on disk.
#[derive(Clone, Debug)]
pub struct DiskFolder {
    root: PathBuf,
}

/// A segment on disk.
#[derive(Debug)]
pub struct DiskFile {
    file: File,
    path: PathBuf,
}

impl DiskFolder {
    /// The folder at `root`, which must exist when it is used.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The side file that vouches for the newest lines.
    pub(super) fn tail(&self) -> TailFile {
        TailFile::new(&self.root)
    }
}

impl SegmentFolder for DiskFolder {
    fn segments(&self) -> io::Result<Vec<SegmentName>> {
        let mut names = Vec::new();
        for day in names_in(&self.root)? {
            if day.parse::<jiff::civil::Date>().is_err() {
                continue;
            }
            let files = names_in(&self.root.join(&day))?;
            for file in files {
                names.extend(format!("{day}/{file}").parse::<SegmentName>());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn open(&self, name: SegmentName) -> io::Result<Option<Box<dyn SegmentFile>>> {
        let path = self.path(name);
        match OpenOptions::new().read(true).append(true).open(&path) {
            Ok(file) => Ok(Some(Box::new(DiskFile { file, path }))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn create(&self, name: SegmentName) -> io::Result<Box<dyn SegmentFile>> {
        fail_point!("ledger::create_segment", |_| Err(injected()));
        let path = self.path(name);
        private_folder(&self.root.join(name.day.to_string()))?;
        let mut options = OpenOptions::new();
        let file = private(options.read(true).append(true).create_new(true)).open(&path)?;
        Ok(Box::new(DiskFile { file, path }))
    }

    fn sync_folder(&self, name: SegmentName) -> io::Result<()> {
        fail_point!("ledger::sync_folder", |_| Err(injected()));
        sync_names(&self.root.join(name.day.to_string()))?;
        sync_names(&self.root)
    }

    fn save_aside(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let folder = self.root.join("torn");
        private_folder(&folder)?;
        write_new(&folder.join(name), bytes)
    }

    fn remove(&self, name: SegmentName) -> io::Result<()> {
        fs::remove_file(self.path(name))?;
        sync_names(&self.root.join(name.day.to_string()))
    }

    fn path(&self, name: SegmentName) -> PathBuf {
        self.root.join(name.to_string())
    }
}

impl SegmentFile for DiskFile {
    fn length(&mut self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn is_linked(&mut self) -> io::Result<bool> {
        is_same_file(&self.file, &self.path)
    }

    fn read_from(&mut self, offset: u64) -> io::Result<Vec<u8>> {
        fail_point!("ledger::read", |_| Err(injected()));
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(offset))?;
        self.file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        fail_point!("ledger::append", |_| Err(injected()));
        fail_point!("ledger::append_half", |_| self.file.write(&bytes[..bytes.len() / 2]));
        loop {
            match self.file.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                written => return written,
            }
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        fail_point!("ledger::sync", |_| Err(injected()));
        self.file.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        fail_point!("ledger::cut", |_| Err(injected()));
        self.file.set_len(length)
    }
}

/// Writes over the beginning of a file.
#[cfg(unix)]
pub(super) fn write_at_start(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, 0)
}

/// Writes over the beginning of a file.
#[cfg(not(unix))]
pub(super) fn write_at_start(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    io::Seek::rewind(file)?;
    io::Write::write_all(file, bytes)
}

/// Makes a folder, and those above it, for its owner only.
pub(super) fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Lets files be created for their owner only.
pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Writes a new file durably.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = private(options.write(true).create(true).truncate(true)).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    path.parent().map_or(Ok(()), sync_names)
}

/// Makes the names in a folder durable.
pub(super) fn sync_names(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// Whether `path` still leads to the open `file`.
pub(super) fn is_same_file(file: &File, path: &Path) -> io::Result<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let (held, found) = match (file.metadata()?, fs::metadata(path)) {
            (held, Ok(found)) => (held, found),
            (_, Err(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            (_, Err(error)) => return Err(error),
        };
        Ok((held.dev(), held.ino()) == (found.dev(), found.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        fs::exists(path)
    }
}

fn names_in(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.extend(entry?.file_name().into_string());
    }
    Ok(names)
}

/// The error that fail points inject.
#[cfg(feature = "failpoints")]
fn injected() -> io::Error {
    io::Error::other("injected by a fail point")
}
