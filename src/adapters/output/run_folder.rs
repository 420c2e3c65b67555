//! The folder of one run: chosen under a lock, locked for the run's life, never reused.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::adapters::output::error::{RunFolderError, at};
use crate::adapters::output::files::{no_links, private_file, private_folder, write_whole};
use crate::adapters::output::places::{JOURNAL, PLAN, ROW_NAMES, kept_plan};
use crate::adapters::output::runs::same_runs;
use crate::domain::digest::Sha256Digest;
use crate::domain::ids::RunId;

/// The lock file of one run; held for the run's life.
const RUN_LOCK: &str = "run.lock";

/// The lock file of the folder of all runs; held while a run is chosen.
const CHOICE_LOCK: &str = ".choice.lock";

/// The folder of one run, locked.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// Whether it was made for this process.
    is_new: bool,
    _lock: File,
}

impl RunFolder {
    /// Makes the folder of a new run and writes its plan there.
    ///
    /// # Errors
    /// When the same run exists (unless `fresh`), is at work, or the file system refuses.
    pub fn create(
        out: &Path,
        run_id: RunId,
        identity: &Sha256Digest,
        plan: &str,
        fresh: bool,
    ) -> Result<Self, RunFolderError> {
        private_folder(out).map_err(|source| at(out, source))?;
        let choice = open_lock(&out.join(CHOICE_LOCK))?;
        choice.lock().map_err(|source| at(out, source))?;
        Self::refuse_same_run(out, identity, fresh)?;
        let path = out.join(run_id.to_string());
        private_folder(&path).map_err(|source| at(&path, source))?;
        // What is paid for must not vanish with the name of its folder.
        File::open(out).and_then(|folder| folder.sync_all()).map_err(|source| at(out, source))?;
        let lock = open_lock(&path.join(RUN_LOCK))?;
        lock.lock().map_err(|source| at(&path, source))?;
        write_whole(&path.join(PLAN), plan.as_bytes())?;
        Ok(Self { path, is_new: true, _lock: lock })
    }

    /// Looks whether the same run may be made; nothing is changed.
    ///
    /// # Errors
    /// When it exists (unless `fresh`), or is at work.
    pub fn refuse_same_run(
        out: &Path,
        identity: &Sha256Digest,
        fresh: bool,
    ) -> Result<(), RunFolderError> {
        for folder in same_runs(out, identity)? {
            match open_lock(&folder.join(RUN_LOCK))?.try_lock() {
                Ok(()) if fresh => {}
                Ok(()) => return Err(RunFolderError::AlreadyRun { folder }),
                Err(TryLockError::WouldBlock) => return Err(RunFolderError::Busy { folder }),
                Err(TryLockError::Error(source)) => return Err(at(&folder, source)),
            }
        }
        Ok(())
    }

    /// Takes over the folder of a run that has ended or died, to go on with it.
    ///
    /// # Errors
    /// When the run is at work, or the file system refuses.
    pub fn open(path: &Path) -> Result<Self, RunFolderError> {
        let lock = open_lock(&path.join(RUN_LOCK))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), is_new: false, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(RunFolderError::Busy { folder: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(at(path, source)),
        }
    }

    /// Whether a process is at work in a run's folder; nothing is made there.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn is_at_work(path: &Path) -> Result<bool, RunFolderError> {
        let lock = path.join(RUN_LOCK);
        if !lock.exists() {
            return Ok(false);
        }
        match open_lock(&lock)?.try_lock() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(source)) => Err(at(&lock, source)),
        }
    }

    /// Puts a new plan in place of the one before, which is kept as `plan-N.json`.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn plan_anew(&self, plan: &str) -> Result<(), RunFolderError> {
        let path = self.path.join(PLAN);
        if fs::read_to_string(&path).is_ok_and(|before| before == plan) {
            return Ok(());
        }
        let kept = (1..).map(|n| self.path.join(kept_plan(n)));
        let kept = kept.into_iter().find(|kept| !kept.exists()).expect("numbers do not end");
        match fs::read(&path) {
            Ok(before) => write_whole(&kept, &before)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(at(&path, error)),
        }
        write_whole(&path, plan.as_bytes())
    }

    /// Gives the folder up before anything was sent, so that the same command can be tried
    /// again. What has something in it stays, but is no run any more; the folder of a run that goes
    /// on stays as it is.
    pub fn abandon(&self) {
        let journal = self.path.join(JOURNAL);
        // What has begun may have paid, and is gone on with.
        if !self.is_new || fs::metadata(&journal).is_ok_and(|it| it.len() > 0) {
            return;
        }
        let _ = fs::remove_file(journal);
        // Whatever cannot be removed is told by its missing plan.
        let _ = fs::remove_file(self.path.join(PLAN));
        let _ = fs::remove_file(self.path.join(RUN_LOCK));
        let _ = fs::remove_file(self.path.join(ROW_NAMES));
        for name in ["images", "raw", "."] {
            let _ = fs::remove_dir(self.path.join(name).components().collect::<PathBuf>());
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Opens a lock file, and no other place that a link leads to.
fn open_lock(path: &Path) -> Result<File, RunFolderError> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    no_links(&mut options);
    private_file(&mut options).open(path).map_err(|source| at(path, source))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn run(number: u128) -> RunId {
        RunId::new(Uuid::from_u128(number))
    }

    #[test]
    fn the_same_run_is_known_again() {
        let out = tempfile::tempdir().expect("a folder");
        let identity = Sha256Digest::of(b"rows and settings");
        let plan = format!("{{\"identity\":\"{identity}\"}}");
        let create =
            |number, fresh| RunFolder::create(out.path(), run(number), &identity, &plan, fresh);
        let first = create(1, false).expect("a new run");
        assert!(matches!(create(2, false), Err(RunFolderError::Busy { .. })));
        assert!(matches!(create(2, true), Err(RunFolderError::Busy { .. })));
        drop(first);
        assert!(matches!(create(2, false), Err(RunFolderError::AlreadyRun { .. })));
        create(2, true).expect("a fresh run beside the old one");
        let other = Sha256Digest::of(b"other rows");
        RunFolder::create(out.path(), run(3), &other, "{}", false).expect("another run");
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_run_of_ours_is_passed_over_and_no_link_is_followed() {
        let out = tempfile::tempdir().expect("a folder");
        let place = |name: &str| out.path().join(name);
        for name in ["a", "b", "c"] {
            fs::create_dir(place(name)).expect("a folder");
        }
        // A pipe that nobody writes to, an endless file, and a folder.
        let made = std::process::Command::new("mkfifo").arg(place("a/plan.json")).status();
        assert!(made.expect("mkfifo runs").success());
        std::os::unix::fs::symlink("/dev/zero", place("b/plan.json")).expect("a link");
        fs::create_dir(place("c/plan.json")).expect("a folder");
        let identity = Sha256Digest::of(b"rows");
        RunFolder::refuse_same_run(out.path(), &identity, false).expect("none of them is a run");
        // The lock of a run that leads elsewhere makes no file there.
        let own = place(&run(4).to_string());
        fs::create_dir(&own).expect("a folder");
        fs::write(own.join("plan.json"), format!("{{\"identity\":\"{identity}\"}}")).expect("plan");
        std::os::unix::fs::symlink(place("elsewhere"), own.join("run.lock")).expect("a link");
        let refused = RunFolder::refuse_same_run(out.path(), &identity, false);
        assert!(matches!(refused, Err(RunFolderError::Io { .. })), "{refused:?}");
        assert!(!place("elsewhere").exists());
    }
}
