//! The names of a run's rows in their order (`imagemill.rows/1`): a line of JSON each, after one
//! that names the format. They tell later which rows were added, removed or moved.

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use crate::adapters::output::error::{RunFolderError, at};
use crate::adapters::output::files::open_regular;
use crate::adapters::output::places::ROW_NAMES;
use crate::domain::ids::SceneId;

/// The first line.
const HEADER: &str = r#"{"schema":"imagemill.rows/1"}"#;

/// Writes the names of a run's rows, in place of those of before.
///
/// # Errors
/// When the file system refuses; what `names` fails with is told as it is.
pub fn write_row_names(
    run_folder: &Path,
    names: &mut dyn Iterator<Item = io::Result<SceneId>>,
) -> Result<(), RunFolderError> {
    let path = run_folder.join(ROW_NAMES);
    let write = || {
        let file = tempfile::NamedTempFile::new_in(run_folder)?;
        let mut out = io::BufWriter::new(file);
        writeln!(out, "{HEADER}")?;
        for name in names {
            serde_json::to_writer(&mut out, &name?)?;
            out.write_all(b"\n")?;
        }
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|source: io::Error| at(&path, source))
}

/// Reads them back; nothing when there are none that this version understands.
///
/// # Errors
/// When the file system refuses.
pub fn read_row_names(run_folder: &Path) -> Result<Option<Vec<SceneId>>, RunFolderError> {
    let path = run_folder.join(ROW_NAMES);
    let file = match open_regular(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(|source| at(&path, source))?.0,
    };
    let mut lines = BufReader::new(file).lines();
    if !matches!(lines.next(), Some(Ok(line)) if line == HEADER) {
        return Ok(None);
    }
    let mut names = Vec::new();
    for line in lines {
        let line = line.map_err(|source| at(&path, source))?;
        let Ok(name) = serde_json::from_str(&line) else { return Ok(None) };
        names.push(name);
    }
    Ok(Some(names))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn names_come_back_as_they_were_whatever_is_in_them() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(read_row_names(folder.path()).expect("no file"), None);
        let names: Vec<SceneId> =
            ["A-1", "line\nbreak", "\u{202e}x", "\""].map(SceneId::new).into();
        write_row_names(folder.path(), &mut names.iter().cloned().map(Ok)).expect("a file");
        assert_eq!(read_row_names(folder.path()).expect("a file"), Some(names));
        fs::write(folder.path().join(ROW_NAMES), "{\"schema\":\"imagemill.rows/9\"}\n\"A\"\n")
            .expect("a file");
        assert_eq!(read_row_names(folder.path()).expect("a file"), None, "of a newer version");
    }
}
