//! Reads a journal back, line by line. Its last line may have been cut off with its process.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::adapters::output::files::{no_links, open_regular, private_file};
use crate::adapters::output::places::JOURNAL;
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
    let path = run_folder.join(JOURNAL);
    let io_error = |source| ReplayError::Io { path: path.clone(), source };
    let damaged = |source| ReplayError::Damaged { path: path.clone(), source };
    let file = match open_regular(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        file => file.map_err(io_error)?.0,
    };
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut text = Vec::with_capacity(1 << 10);
    let (mut whole, mut line, mut seq) = (0, 0, 0);
    loop {
        text.clear();
        let n_bytes =
            (&mut reader).take(MAX_LINE).read_until(b'\n', &mut text).map_err(io_error)?;
        let is_cut = text.last() != Some(&b'\n');
        if n_bytes == 0 || is_cut && !has_line_end(&mut reader).map_err(io_error)? {
            return Ok(whole);
        }
        line += 1;
        if is_cut {
            return Err(damaged(HistoryError::Long { line }));
        }
        let is_last = reader.fill_buf().map_err(io_error)?.is_empty();
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
            Err(_) if is_last => return Ok(whole),
            Err(source) => return Err(damaged(HistoryError::Line { line, source })),
        }
        whole += n_bytes as u64;
    }
}

/// The first event of a run's journal; nothing when there is none that can be read.
pub(super) fn first_event(run_folder: &Path) -> Option<Stamped> {
    let (file, _) = open_regular(&run_folder.join(JOURNAL)).ok()?;
    let mut text = Vec::new();
    BufReader::new(file).take(MAX_LINE).read_until(b'\n', &mut text).ok()?;
    Stamped::parse(&text).ok().flatten()
}

/// Whether there is another end of a line; what stands before it is passed over.
fn has_line_end(reader: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            return Ok(false);
        }
        if memchr::memchr(b'\n', bytes).is_some() {
            return Ok(true);
        }
        let n = bytes.len();
        reader.consume(n);
    }
}

/// Opens a journal to go on with it after `whole` bytes. What follows them was never promised; it
/// is kept beside the journal.
pub(super) fn reopen(run_folder: &Path, whole: u64) -> io::Result<File> {
    let path = run_folder.join(JOURNAL);
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    no_links(&mut options);
    let mut file = private_file(&mut options).open(&path)?;
    if file.metadata()?.len() > whole {
        file.seek(SeekFrom::Start(whole))?;
        let aside = run_folder.join(format!("{JOURNAL}.torn-{whole}"));
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        no_links(&mut options);
        io::copy(&mut file, &mut private_file(&mut options).open(aside)?)?;
        file.set_len(whole)?;
        file.sync_all()?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str =
        r#"{"seq":1,"ts":"2026-11-29T06:11:00Z","event":{"type":"rows_held","count":4}}"#;

    fn read(text: &[u8]) -> Result<u64, ReplayError> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(JOURNAL), text).expect("a journal");
        replay(folder.path(), &mut |_| {})
    }

    /// A line that is too long may be the torn end, and nothing else.
    #[test]
    fn an_endless_line_ends_a_journal_only_at_its_end() {
        let head = format!("{LINE}\n");
        let long = vec![b'x'; usize::try_from(MAX_LINE).expect("it fits") - 1];
        let whole = head.len() as u64;
        assert_eq!(read(&[head.as_bytes(), &long].concat()).expect("torn"), whole);
        let zeros = vec![0; 3 * long.len()];
        assert_eq!(read(&[head.as_bytes(), &zeros].concat()).expect("torn by a power cut"), whole);
        let more = LINE.replace(":1,", ":2,");
        let longer = [head.as_bytes(), &long, b"xx\n", more.as_bytes(), b"\n"].concat();
        let error = read(&longer).expect_err("what follows would be lost");
        assert!(format!("{error:?}").contains("Long { line: 2 }"), "{error:?}");
    }

    #[cfg(unix)]
    #[test]
    fn no_link_is_followed_and_no_pipe_is_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(JOURNAL);
        std::os::unix::fs::symlink("/dev/zero", &path).expect("a link");
        assert!(replay(folder.path(), &mut |_| {}).is_err());
        std::fs::remove_file(&path).expect("removed");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.expect("mkfifo runs").success());
        assert!(replay(folder.path(), &mut |_| {}).is_err());
    }
}
