//! The runs below a folder: which of them goes on with these rows, and which one a person names.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use crate::adapters::output::error::{RunFolderError, at};
use crate::adapters::output::places::{PLAN, kept_plan};
use crate::adapters::output::replay::first_event;
use crate::domain::digest::Sha256Digest;
use crate::domain::event::RunEvent;
use crate::domain::ids::RunId;

/// What a run must have in common with another to go on with it.
#[derive(Clone, Debug)]
pub struct Kinship {
    /// What makes two runs the same run: rows and request settings.
    pub identity: Sha256Digest,
    /// The request settings alone.
    pub request: Sha256Digest,
    /// The rows file; nothing for standard input, which tells nothing by its name.
    pub rows_path: Option<PathBuf>,
    /// Where paths that do not begin at the root start.
    pub cwd: PathBuf,
}

impl Kinship {
    /// The same file, however it was named.
    fn is_same_file(&self, named: &str) -> bool {
        let Some(own) = &self.rows_path else { return false };
        tidied(&self.cwd.join(own)) == tidied(&self.cwd.join(named))
    }
}

/// A path without `.` and, where that says the same, without `..`.
fn tidied(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if tidy.file_name().is_some() => drop(tidy.pop()),
            Component::Prefix(_)
            | Component::RootDir
            | Component::ParentDir
            | Component::Normal(_) => tidy.push(part),
        }
    }
    tidy
}

/// The part of an earlier run's plan that is needed to know it again.
#[derive(Debug, Default, Deserialize)]
pub struct PlanHead {
    /// What makes two runs the same run.
    pub identity: String,
    /// The request settings alone.
    #[serde(default)]
    pub request: String,
    /// Where its ledger lies, when that is not in its own folder.
    pub ledger: Option<PathBuf>,
    bound: Option<BoundHead>,
}

#[derive(Debug, Deserialize)]
struct BoundHead {
    rows_path: String,
}

impl PlanHead {
    /// Of the plans of a run, the newest first: it may have gone on with other rows since.
    pub fn all_of(folder: &Path) -> Vec<Self> {
        let read = |name: &str| Self::parse(&read_plan(&folder.join(name))?);
        let kept = (1..).map(kept_plan).take_while(|name| folder.join(name).exists());
        // One that cannot be read hides no other.
        let mut before: Vec<Self> = kept.filter_map(|name| read(&name)).collect();
        before.reverse();
        read(PLAN).into_iter().chain(before).collect()
    }

    fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// The runs below `out` that have exactly these rows and request settings, oldest first.
pub(super) fn same_runs(
    out: &Path,
    identity: &Sha256Digest,
) -> Result<Vec<PathBuf>, RunFolderError> {
    let wanted = identity.to_string();
    let mut same = own_runs(out)?;
    same.retain(|folder| PlanHead::all_of(folder).iter().any(|head| head.identity == wanted));
    Ok(same)
}

/// The newest run below `out` that these rows may go on with: one with the same rows and request
/// settings, else one whose rows came from a file of that name and that asked for the same. Every
/// plan that a run has had counts.
///
/// # Errors
/// When the file system refuses.
pub fn newest_kin(out: &Path, kin: &Kinship) -> Result<Option<PathBuf>, RunFolderError> {
    let (identity, request) = (kin.identity.to_string(), kin.request.to_string());
    let is_kin = |head: &PlanHead| {
        head.request == request
            && head.bound.as_ref().is_some_and(|bound| kin.is_same_file(&bound.rows_path))
    };
    let mut newest = None;
    for folder in own_runs(out)?.into_iter().rev() {
        let heads = PlanHead::all_of(&folder);
        if heads.iter().any(|head| head.identity == identity) {
            return only_one(out, folder).map(Some);
        }
        if newest.is_none() && heads.iter().any(is_kin) {
            newest = Some(folder);
        }
    }
    newest.map(|folder| only_one(out, folder)).transpose()
}

/// The folder of a run, unless there is a second one of the same run: nobody knows then which of
/// them has what was paid for last.
fn only_one(out: &Path, folder: PathBuf) -> Result<PathBuf, RunFolderError> {
    let Some(run) = run_of(&folder) else { return Ok(folder) };
    let mut twins = all_runs(out)?.into_iter().filter(|it| *it != folder);
    match twins.find(|it| !is_id(&folder) && run_of(it) == Some(run)) {
        Some(other) => Err(RunFolderError::Twice { folder, other }),
        None => Ok(folder),
    }
}

/// The run that a journal is of.
fn run_of(folder: &Path) -> Option<RunId> {
    match first_event(folder)?.event {
        RunEvent::RunStarted(started) => Some(started.run_id),
        RunEvent::RunResumed(_)
        | RunEvent::RowStarted { .. }
        | RunEvent::AttemptStarted(_)
        | RunEvent::AttemptEnded(_)
        | RunEvent::ImageStored(_)
        | RunEvent::RowFinished(_)
        | RunEvent::RowsHeld { .. }
        | RunEvent::RowsCancelled { .. }
        | RunEvent::LaneParked { .. }
        | RunEvent::CircuitOpened { .. }
        | RunEvent::CircuitClosed
        | RunEvent::ClockDoubted { .. }
        | RunEvent::LedgerWaits { .. }
        | RunEvent::ReferenceNews { .. }
        | RunEvent::Overrun { .. }
        | RunEvent::Stopping { .. }
        | RunEvent::RunFinished { .. } => None,
    }
}

/// The runs below `out`, oldest first; those whose folders were renamed stand first. A copy of a
/// run that is still there is none.
fn own_runs(out: &Path) -> Result<Vec<PathBuf>, RunFolderError> {
    let (own, others): (Vec<_>, Vec<_>) = all_runs(out)?.into_iter().partition(|it| is_id(it));
    let mut runs: Vec<PathBuf> =
        others.into_iter().filter(|it| original_of(it).is_none()).collect();
    runs.extend(own);
    Ok(runs)
}

/// The folder beside it that a folder is a copy of.
pub fn original_of(folder: &Path) -> Option<PathBuf> {
    let original = folder.parent()?.join(run_of(folder)?.to_string());
    (original != folder && original.join(PLAN).exists()).then_some(original)
}

fn is_id(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    name.parse::<RunId>().is_ok()
}

/// Every run below `out`, oldest first.
///
/// # Errors
/// When the file system refuses.
pub fn all_runs(out: &Path) -> Result<Vec<PathBuf>, RunFolderError> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(out) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        entries => entries.map_err(|source| at(out, source))?,
    };
    for entry in entries {
        let folder = entry.map_err(|source| at(out, source))?.path();
        // A folder without a readable plan is not one of our runs.
        let plan = read_plan(&folder.join(PLAN));
        if plan.is_some_and(|text| PlanHead::parse(&text).is_some()) {
            found.push(folder);
        }
    }
    // Their names are their ids, which sort by time.
    found.sort();
    Ok(found)
}

/// The run that a person means: by its folder, its id, or the end of its id. Several may match.
///
/// # Errors
/// When the file system refuses.
pub fn named(out: &Path, text: &str) -> Result<Vec<PathBuf>, RunFolderError> {
    let folder = Path::new(text);
    if text.contains(std::path::is_separator) && folder.join(PLAN).is_file() {
        // Its own name, whatever leads there.
        return Ok(vec![folder.canonicalize().map_err(|source| at(folder, source))?]);
    }
    let ends = |folder: &Path| {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        !text.is_empty() && (is_id(folder) && name.ends_with(text) || name == text)
    };
    Ok(own_runs(out)?.into_iter().filter(|folder| ends(folder)).collect())
}

/// The longest plan that is read: those of this tool have some kilobytes.
const MAX_PLAN: u64 = 16 << 20;

/// A plan as text; nothing when it is none that this tool has written, such as a pipe or a link.
pub fn read_plan(path: &Path) -> Option<String> {
    let about = fs::symlink_metadata(path).ok()?;
    (about.is_file() && about.len() <= MAX_PLAN).then(|| fs::read_to_string(path).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_the_same_however_it_was_named() {
        let digest = Sha256Digest::of(b"x");
        let same = |own: &str, named: &str| {
            let rows_path = Some(PathBuf::from(own));
            let kin = Kinship { identity: digest, request: digest, rows_path, cwd: "/a/b".into() };
            kin.is_same_file(named)
        };
        assert!(same("rows.csv", "./rows.csv") && same("/a/b/rows.csv", "rows.csv"));
        assert!(same("rows.csv", "x/../rows.csv") && same("../rows.csv", "/a/rows.csv"));
        assert!(!same("rows.csv", "../rows.csv") && !same("rows.csv", "rows.tsv"));
    }

    #[test]
    fn a_run_is_known_by_every_plan_that_it_has_had_and_a_copy_is_none() {
        let out = tempfile::tempdir().expect("a folder");
        let digest = |text: &str| Sha256Digest::of(text.as_bytes());
        let plan = |folder: &str, name: &str, identity: &str, rows: &str| {
            fs::create_dir_all(out.path().join(folder)).expect("a folder");
            let text = format!(
                r#"{{"identity":"{}","request":"{}","bound":{{"rows_path":"{rows}"}}}}"#,
                digest(identity),
                digest("request")
            );
            fs::write(out.path().join(folder).join(name), text).expect("a plan");
        };
        let (first, second) =
            ("01900000-0000-7000-8000-000000000001", "01900000-0000-7000-8000-000000000002");
        plan(first, "plan.json", "new", "other.csv");
        plan(first, "plan-1.json", "old", "rows.csv");
        plan(second, "plan.json", "another", "third.csv");
        plan("a copy", "plan.json", "new", "other.csv");
        let kin = |identity: &str, rows: &str| {
            let (identity, request) = (digest(identity), digest("request"));
            let rows_path = Some(PathBuf::from(rows));
            let kin = Kinship { identity, request, rows_path, cwd: PathBuf::from("/") };
            newest_kin(out.path(), &kin).expect("readable")
        };
        let folder = |name: &str| Some(out.path().join(name));
        assert_eq!(kin("new", "x.csv"), folder(first));
        assert_eq!(kin("old", "x.csv"), folder(first));
        assert_eq!(kin("edited", "./rows.csv"), folder(first));
        assert_eq!(kin("edited", "third.csv"), folder(second));
        assert_eq!(kin("edited", "fourth.csv"), None);
    }
}
