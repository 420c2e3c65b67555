//! Writes a fixture: the rows file, and its local reference pictures beside it.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::domain::digest::Sha256Digest;
use crate::domain::seed::{REFERENCE_FOLDER, ReferencePlace, SeedPlan, SeedRow, SeedSummary};
use crate::domain::sim::paint::paint_reference;

/// Bytes that are compared at a time.
const COMPARE_BUFFER: usize = 64 * 1024;

/// What happens to a file that is there already with other bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overwrite {
    /// It stays, and nothing is written.
    #[default]
    Refuse,
    /// It is replaced.
    Force,
}

/// Why a fixture was not written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file is there already with other bytes; nothing was written.
    #[error("{} is there already with other content", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The rows file's name is no name of a file.
    #[error("{} does not name a file", .path.display())]
    NoName {
        /// As given.
        path: PathBuf,
    },
    /// The disk refused.
    #[error("failed to {action} {}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

/// Writes the rows file `out` and, when the references are local, their pictures into `refs/`
/// beside it. Files that are there already with the same bytes stay as they are.
///
/// # Errors
/// When a file is there already with other bytes, before anything is written, or when the disk
/// refuses.
pub fn write(plan: &SeedPlan, out: &Path, overwrite: Overwrite) -> Result<SeedSummary, Error> {
    let no_name = || Error::NoName { path: out.to_owned() };
    let name = out.file_name().ok_or_else(no_name)?;
    let folder = out.parent().unwrap_or(Path::new(""));
    if !folder.as_os_str().is_empty() {
        fs::create_dir_all(folder).map_err(io_error("create", folder))?;
    }
    let mut part_name = std::ffi::OsString::from(".");
    part_name.push(name);
    part_name.push(".part");
    let part = folder.join(part_name);
    let sha256 = write_part(plan, &part)?;
    let written = place(plan, &part, out, folder, overwrite);
    if !matches!(written, Ok(Placed::Moved)) {
        // What is left over is ours and holds nothing that cannot be made again.
        fs::remove_file(&part).ok();
    }
    Ok(SeedSummary {
        unchanged: written? == Placed::Unchanged,
        file: out.display().to_string(),
        totals: plan.totals(),
        seed: plan.seed(),
        reference_base: plan.references_at().base().map(str::to_owned),
        signed_until: plan.references_at().signed_until(),
        sha256,
    })
}

/// Writes the rows only, to any place: standard output, for instance. Returns their SHA-256.
///
/// # Errors
/// When the place refuses.
pub fn write_rows(plan: &SeedPlan, out: &mut dyn Write) -> io::Result<String> {
    let mut digest = Sha256::new();
    let mut put = |text: &str| {
        digest.update(text.as_bytes());
        out.write_all(text.as_bytes())
    };
    put(&plan.head())?;
    for row in plan.rows() {
        put(&plan.text_of(&row))?;
    }
    out.flush()?;
    Ok(Sha256Digest::finish(digest).to_string())
}

/// The picture that a row refers to: its number on a ground that the seed and the row decide.
pub fn reference_picture(plan: &SeedPlan, row: &SeedRow) -> Vec<u8> {
    paint_reference(row.scene_id.as_str(), plan.seed())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Placed {
    Moved,
    Unchanged,
}

fn write_part(plan: &SeedPlan, part: &Path) -> Result<String, Error> {
    let file = File::create(part).map_err(io_error("create", part))?;
    let mut out = BufWriter::new(file);
    write_rows(plan, &mut out).map_err(io_error("write", part))
}

/// Puts everything in its place: first looks for what is in the way, then writes.
fn place(
    plan: &SeedPlan,
    part: &Path,
    out: &Path,
    folder: &Path,
    overwrite: Overwrite,
) -> Result<Placed, Error> {
    let unchanged = match same_file(part, out)? {
        Compared::Same => true,
        Compared::Missing => false,
        Compared::Other if overwrite == Overwrite::Force => false,
        Compared::Other => return Err(Error::Exists { path: out.to_owned() }),
    };
    if *plan.references_at() == ReferencePlace::Local {
        let refs = folder.join(REFERENCE_FOLDER);
        place_references(plan, &refs, overwrite)?;
    }
    if unchanged {
        return Ok(Placed::Unchanged);
    }
    fs::rename(part, out).map_err(io_error("create", out))?;
    Ok(Placed::Moved)
}

fn place_references(plan: &SeedPlan, refs: &Path, overwrite: Overwrite) -> Result<(), Error> {
    let path_of = |row: &SeedRow| refs.join(format!("{}.png", row.scene_id));
    let mut missing = Vec::new();
    for row in plan.rows_with_reference() {
        let path = path_of(&row);
        match fs::read(&path) {
            Ok(bytes) if bytes == reference_picture(plan, &row) => {}
            Ok(_) if overwrite == Overwrite::Refuse => return Err(Error::Exists { path }),
            Ok(_) => missing.push(row),
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push(row),
            Err(error) => return Err(io_error("read", &path)(error)),
        }
    }
    if !missing.is_empty() {
        fs::create_dir_all(refs).map_err(io_error("create", refs))?;
    }
    for row in missing {
        let path = path_of(&row);
        let part = refs.join(format!(".{}.part", row.scene_id));
        fs::write(&part, reference_picture(plan, &row)).map_err(io_error("write", &part))?;
        fs::rename(&part, &path).map_err(io_error("create", &path))?;
    }
    Ok(())
}

enum Compared {
    Same,
    Other,
    Missing,
}

fn same_file(left: &Path, right: &Path) -> Result<Compared, Error> {
    let open = |path: &Path| File::open(path).map(BufReader::new);
    let mut right_file = match open(right) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Compared::Missing),
        Err(error) => return Err(io_error("read", right)(error)),
    };
    let mut left_file = open(left).map_err(io_error("read", left))?;
    let (mut one, mut other) = (Vec::new(), Vec::new());
    loop {
        one.clear();
        other.clear();
        let limit = COMPARE_BUFFER as u64;
        left_file.by_ref().take(limit).read_to_end(&mut one).map_err(io_error("read", left))?;
        right_file.by_ref().take(limit).read_to_end(&mut other).map_err(io_error("read", right))?;
        if one != other {
            return Ok(Compared::Other);
        }
        if one.is_empty() {
            return Ok(Compared::Same);
        }
    }
}

fn io_error<'a>(action: &'static str, path: &'a Path) -> impl Fn(io::Error) -> Error + 'a {
    move |source| Error::Io { action, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::row_format::RowFormat;

    fn names(folder: &Path) -> BTreeSet<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let name = |entry: io::Result<fs::DirEntry>| {
            entry.expect("an entry").file_name().into_string().expect("plain")
        };
        entries.map(name).collect()
    }

    #[test]
    fn a_fixture_is_written_once_and_found_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("deep/er/rows.csv");
        let plan = SeedPlan::default();
        let first = write(&plan, &out, Overwrite::Refuse).expect("written");
        assert!(!first.unchanged);
        let expected: BTreeSet<_> =
            (5..=100).step_by(5).map(|n| format!("BATCH-{n:03}.png")).collect();
        let parent = out.parent().expect("a parent");
        assert_eq!(names(&parent.join("refs")), expected);
        assert_eq!(names(parent), ["refs", "rows.csv"].map(String::from).into());
        let again = write(&plan, &out, Overwrite::Refuse).expect("the same");
        assert_eq!(again, SeedSummary { unchanged: true, ..first });
    }

    #[test]
    fn other_bytes_are_never_overwritten_unless_forced() {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("rows.csv");
        let plan = SeedPlan::new(10, None).expect("valid");
        fs::write(&out, "mine").expect("written");
        let refused = write(&plan, &out, Overwrite::Refuse);
        assert!(matches!(refused, Err(Error::Exists { path }) if path == out));
        assert_eq!(names(folder.path()), ["rows.csv"].map(String::from).into());
        assert_eq!(fs::read(&out).expect("there"), b"mine");
        assert!(!write(&plan, &out, Overwrite::Force).expect("written").unchanged);

        // A changed picture holds everything back, the rows file included.
        let picture = folder.path().join("refs/BATCH-05.png");
        assert!(!picture.exists(), "three digits at least");
        let picture = folder.path().join("refs/BATCH-005.png");
        fs::write(&picture, "mine").expect("written");
        fs::remove_file(&out).expect("there");
        let refused = write(&plan, &out, Overwrite::Refuse);
        assert!(matches!(refused, Err(Error::Exists { path }) if path == picture));
        assert!(!out.exists());
        write(&plan, &out, Overwrite::Force).expect("written");
        assert_ne!(fs::read(&picture).expect("there"), b"mine");
        assert_eq!(names(folder.path()), ["refs", "rows.csv"].map(String::from).into());
    }

    #[test]
    fn a_seed_changes_the_pictures_and_nothing_else() {
        let plan = SeedPlan::default();
        let other = plan.clone().with_seed(43);
        let pictures = |plan: &SeedPlan| -> BTreeSet<Vec<u8>> {
            plan.rows_with_reference().map(|row| reference_picture(plan, &row)).collect()
        };
        assert_eq!(pictures(&plan).len(), 20);
        assert!(pictures(&plan).is_disjoint(&pictures(&other)));
        let rows = |plan: &SeedPlan| {
            let mut out = Vec::new();
            write_rows(plan, &mut out).expect("a buffer");
            out
        };
        assert_eq!(rows(&plan), rows(&other));
        assert_ne!(rows(&plan), rows(&plan.clone().with_format(RowFormat::Jsonl)));
        let row = plan.rows_with_reference().next().expect("one");
        let file = reference_picture(&plan, &row);
        let size = imagesize::blob_size(&file).expect("a picture");
        assert_eq!((size.width, size.height), (64, 64));
    }

    #[test]
    fn a_place_that_is_no_file_is_an_error() {
        let plan = SeedPlan::default();
        let refused = write(&plan, Path::new("/"), Overwrite::Force);
        assert!(matches!(refused, Err(Error::NoName { .. })));
        let folder = tempfile::tempdir().expect("a folder");
        let refused = write(&plan, folder.path(), Overwrite::Force);
        assert!(matches!(refused, Err(Error::Io { .. })), "{refused:?}");
    }
}
