//! Reads a journal back, line by line. Its last line may have been cut off with its process.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::adapters::output::journal::FILE_NAME;
use crate::adapters::output::run_folder::{no_links, private_file};
use crate::domain::event::Stamped;
use crate::domain::history::HistoryError;

/// The longest line that is read.
const MAX_LINE: u64 = 1 << 20;

/// Why a journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The file system refused.
    #[error("failed to read the journal {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It says something that cannot be.
    #[error("the journal {} is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: HistoryError,
    },
}

/// Hands every event of a run's journal to `each`, in order; a run without one has none. Events of
/// unknown types are passed over. Returns the bytes up to the last whole line.
///
/// # Errors
/// When the file cannot be read, or is damaged anywhere but at its very end.
pub fn replay(run_folder: &Path, each: &mut dyn FnMut(&Stamped)) -> Result<u64, ReplayError> {
    let path = run_folder.join(FILE_NAME);
    let io_error = |source| ReplayError::Io { path: path.clone(), source };
    let damaged = |source| ReplayError::Damaged { path: path.clone(), source };
    let file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        file => file.map_err(io_error)?,
    };
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut text = Vec::with_capacity(1 << 10);
    let (mut whole, mut line, mut seq) = (0, 0, 0);
    loop {
        text.clear();
        let n_bytes =
            (&mut reader).take(MAX_LINE).read_until(b'\n', &mut text).map_err(io_error)?;
        if n_bytes == 0 || text.last() != Some(&b'\n') {
            return Ok(whole);
        }
        line += 1;
        match Stamped::parse(&text) {
            Ok(Some(stamped)) if stamped.seq <= seq => {
                let (found, expected) = (stamped.seq, seq + 1);
                return Err(damaged(HistoryError::Gap { line, found, expected }));
            }
            Ok(Some(stamped)) => {
                seq = stamped.seq;
                each(&stamped);
            }
            Ok(None) => {}
            // After a power cut a line may have its length and not its bytes: nobody was promised.
            Err(_) if reader.fill_buf().map_err(io_error)?.is_empty() => return Ok(whole),
            Err(source) => return Err(damaged(HistoryError::Line { line, source })),
        }
        whole += n_bytes as u64;
    }
}

/// Opens a journal to go on with it after `whole` bytes. What follows them was never promised; it
/// is kept beside the journal.
pub(super) fn reopen(run_folder: &Path, whole: u64) -> io::Result<File> {
    let path = run_folder.join(FILE_NAME);
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    no_links(&mut options);
    let mut file = private_file(&mut options).open(&path)?;
    if file.metadata()?.len() > whole {
        let mut rest = Vec::new();
        file.seek(SeekFrom::Start(whole))?;
        file.read_to_end(&mut rest)?;
        let aside = run_folder.join(format!("{FILE_NAME}.torn-{whole}"));
        private_file(OpenOptions::new().append(true).create(true)).open(aside)?.write_all(&rest)?;
        file.set_len(whole)?;
        file.sync_all()?;
    }
    Ok(file)
}
