//! The runs below a folder: which of them goes on with these rows, and which one a person names.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::adapters::output::run_folder::{PLAN, RunFolderError, at};
use crate::domain::digest::Sha256Digest;
use crate::domain::ids::RunId;

/// What a run must have in common with another to go on with it.
#[derive(Clone, Debug)]
pub struct Kinship {
    /// What makes two runs the same run: rows and request settings.
    pub identity: Sha256Digest,
    /// The request settings alone.
    pub request: Sha256Digest,
    /// The rows file as it was named; nothing for standard input, which tells nothing by its name.
    pub rows_path: Option<String>,
}

/// The part of an earlier run's plan that is needed to know it again.
#[derive(Debug, Default, Deserialize)]
pub struct PlanHead {
    /// What makes two runs the same run.
    pub identity: String,
    /// The request settings alone.
    #[serde(default)]
    pub request: String,
    bound: Option<BoundHead>,
}

#[derive(Debug, Deserialize)]
struct BoundHead {
    rows_path: String,
}

impl PlanHead {
    /// Of the run in a folder; empty when there is none of ours.
    pub fn of(folder: &Path) -> Self {
        let text = read_plan(&folder.join(PLAN)).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }
}

/// The runs below `out` that have exactly these rows and request settings, oldest first.
pub(super) fn same_runs(
    out: &Path,
    identity: &Sha256Digest,
) -> Result<Vec<PathBuf>, RunFolderError> {
    let wanted = identity.to_string();
    let runs = heads(out)?.into_iter();
    Ok(runs.filter(|(_, head)| head.identity == wanted).map(|(folder, _)| folder).collect())
}

/// The newest run below `out` that these rows may go on with: one with the same rows and request
/// settings, else one whose rows came from a file of that name and that asked for the same.
///
/// # Errors
/// When the file system refuses.
pub fn newest_kin(out: &Path, kin: &Kinship) -> Result<Option<PathBuf>, RunFolderError> {
    let mut runs = heads(out)?;
    let identity = kin.identity.to_string();
    if let Some(at) = runs.iter().rposition(|(_, head)| head.identity == identity) {
        return Ok(Some(runs.swap_remove(at).0));
    }
    let request = kin.request.to_string();
    let is_kin = |head: &PlanHead| {
        head.request == request
            && kin.rows_path.is_some()
            && head.bound.as_ref().map(|bound| &bound.rows_path) == kin.rows_path.as_ref()
    };
    let at = runs.iter().rposition(|(_, head)| is_kin(head));
    Ok(at.map(|at| runs.swap_remove(at).0))
}

/// Every run below `out`, oldest first.
///
/// # Errors
/// When the file system refuses.
pub fn all_runs(out: &Path) -> Result<Vec<PathBuf>, RunFolderError> {
    Ok(heads(out)?.into_iter().map(|(folder, _)| folder).collect())
}

/// The run that a person means: by its folder, its id, or the end of its id. Several may match.
///
/// # Errors
/// When the file system refuses.
pub fn named(out: &Path, text: &str) -> Result<Vec<PathBuf>, RunFolderError> {
    let folder = Path::new(text);
    if text.contains(std::path::is_separator) && folder.join(PLAN).is_file() {
        return Ok(vec![folder.to_owned()]);
    }
    let ends = |folder: &Path| {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.parse::<RunId>().is_ok() && !text.is_empty() && name.ends_with(text)
    };
    let runs = heads(out)?.into_iter().map(|(folder, _)| folder);
    Ok(runs.filter(|folder| ends(folder)).collect())
}

/// The folders below `out` that have a plan of ours, oldest first.
fn heads(out: &Path) -> Result<Vec<(PathBuf, PlanHead)>, RunFolderError> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(out) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        entries => entries.map_err(|source| at(out, source))?,
    };
    for entry in entries {
        let folder = entry.map_err(|source| at(out, source))?.path();
        // A folder without a readable plan is not one of our runs.
        let Some(text) = read_plan(&folder.join(PLAN)) else { continue };
        let Ok(head) = serde_json::from_str::<PlanHead>(&text) else { continue };
        found.push((folder, head));
    }
    // Their names are their ids, which sort by time.
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(found)
}

/// The longest plan that is read: those of this tool have some kilobytes.
const MAX_PLAN: u64 = 16 << 20;

/// A plan as text; nothing when it is none that this tool has written, such as a pipe or a link.
pub fn read_plan(path: &Path) -> Option<String> {
    let about = fs::symlink_metadata(path).ok()?;
    (about.is_file() && about.len() <= MAX_PLAN).then(|| fs::read_to_string(path).ok()).flatten()
}
