//! A ledger in a folder: made once, then shared by every process that spends under its limit.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::adapters::ledger::files::{Files, io_error, owner_path};
use crate::adapters::ledger::kept::{expect_no_note, leave_note};
use crate::adapters::ledger::lock::{LockFile, holder};
use crate::adapters::ledger::segment::{
    DiskFolder, private, private_folder, sync_names, write_new,
};
use crate::adapters::ledger::tail::TailFile;
use crate::adapters::system::zone_named;
use crate::domain::ledger::founding::to_microseconds;
use crate::domain::ledger::parse::LineError;
use crate::domain::ledger::{Founding, LedgerId, Money, OwnerId, Record, RecordKind};
use crate::ports::ledger::{
    CatchUp, DescriptionError, LedgerStore, LockLook, Manners, SegmentFolder, StoreError,
};

/// How long an end may wait for company before it is written and synced.
const LINGER: Duration = Duration::from_millis(200);
/// How often a process whose asks wait looks for money that another process gave back.
const POLL: Duration = Duration::from_millis(100);
/// The version of `ledger.json`.
const DESCRIPTION_VERSION: u64 = 1;

/// What `ledger.json` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The version of the ledger's files.
    pub version: u64,
    /// Which ledger.
    pub id: LedgerId,
    /// The IANA name of the time zone of its days.
    pub zone: String,
    /// Whose money it counts.
    pub money: Money,
    /// When it was made.
    pub created: Timestamp,
}

/// How to open a ledger.
#[derive(Debug)]
pub struct OpenOrCreate {
    /// Its folder.
    pub root: PathBuf,
    /// What it starts with when it has to be made; its owner is the one that opens it, and its
    /// money is the kind that will be spent.
    pub founding: Founding,
    /// The present moment.
    pub now: Timestamp,
}

/// A ledger in a folder, as one process uses it.
#[derive(Debug)]
pub struct DirectoryLedger {
    root: PathBuf,
    description: Description,
    zone: TimeZone,
    owner: OwnerId,
    /// Away while a blocking step has them; lost when such a step was abandoned.
    files: Option<Files>,
    /// Its lock tells others that this process is alive.
    owner_lock: Option<File>,
}

impl DirectoryLedger {
    /// Opens the ledger, or makes it when there is none, and takes this owner's lock.
    ///
    /// # Errors
    /// When the folder is no ledger, counts other money, or the system says so.
    pub async fn open(options: OpenOrCreate) -> Result<Self, StoreError> {
        let opened = tokio::task::spawn_blocking(|| Self::open_blocking(options)).await;
        opened.unwrap_or(Err(StoreError::Poisoned))
    }

    /// What [`Self::open`] does, for callers without a runtime.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_blocking(options: OpenOrCreate) -> Result<Self, StoreError> {
        let root = options.root.clone();
        let missing = root.ancestors().take_while(|folder| !folder.exists());
        let parents: Vec<PathBuf> = missing.filter_map(Path::parent).map(Path::to_owned).collect();
        private_folder(&root).map_err(io_error("create", &root))?;
        // A power loss must not take the ledger away with the name of its folder.
        for parent in parents {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { &parent };
            sync_names(parent).map_err(io_error("sync", parent))?;
        }
        let folder = Box::new(DiskFolder::new(&root));
        Self::open_in(options, folder)
    }

    /// Opens a ledger whose segments lie behind `folder`; the seam for tests.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_in(
        options: OpenOrCreate,
        folder: Box<dyn SegmentFolder>,
    ) -> Result<Self, StoreError> {
        let OpenOrCreate { root, founding, now } = options;
        // It is there as a whole or not at all, so only whoever makes it needs the lock.
        let description = match read_description(&root)? {
            Some(description) => description,
            None => make_once(&root, &*folder, &founding, now)?,
        };
        if description.money != founding.money {
            let (kept, spent) = (description.money, founding.money);
            return Err(StoreError::WrongMoney { path: root, kept, spent });
        }
        leave_note(&root, description.money, &text_of(&description));
        let zone = zone_of(&root, &description)?;
        let owner_lock = take_owner_lock(&root, founding.owner)?;
        let files = Some(Files::new(&root, folder));
        let owner_lock = Some(owner_lock);
        Ok(Self { root, description, zone, owner: founding.owner, files, owner_lock })
    }

    /// What `ledger.json` says.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The time zone of the ledger's days.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// One group without a runtime: catches up, then appends what `make` returns, durably.
    pub(super) fn group_blocking(
        &mut self,
        make: impl FnOnce(CatchUp) -> Result<Vec<Record>, StoreError>,
    ) -> Result<(), StoreError> {
        let files = self.files.as_mut().ok_or(StoreError::Poisoned)?;
        let found = files.begin()?;
        match expect_zone(&self.root, &self.description, &found.records).and_then(|()| make(found))
        {
            Ok(records) => {
                let parts = files.encode(&records);
                files.write(parts)
            }
            Err(error) => {
                files.abandon();
                Err(error)
            }
        }
    }

    /// What `retire` does, for callers without a runtime.
    pub(super) fn retire_blocking(&mut self) -> Result<(), StoreError> {
        let path = owner_path(&self.root, self.owner);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error("remove", &path)(error));
            }
            _ => {}
        }
        self.owner_lock = None;
        Ok(())
    }

    /// Runs one step on the files where it may block.
    async fn blocking<T: Send + 'static>(
        &mut self,
        step: impl FnOnce(&mut Files) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let mut files = self.files.take().ok_or(StoreError::Poisoned)?;
        let done = tokio::task::spawn_blocking(move || {
            let result = step(&mut files);
            (files, result)
        });
        let (files, result) = done.await.map_err(|_| StoreError::Poisoned)?;
        self.files = Some(files);
        result
    }
}

#[async_trait]
impl LedgerStore for DirectoryLedger {
    async fn begin(&mut self) -> Result<CatchUp, StoreError> {
        // Mostly nobody else has written, which a few questions to the system tell at once.
        let at_once = self.files.as_mut().ok_or(StoreError::Poisoned)?.begin_at_once()?;
        let found = match at_once {
            Some(found) => found,
            None => self.blocking(Files::begin).await?,
        };
        if let Err(error) = expect_zone(&self.root, &self.description, &found.records) {
            self.abandon().await?;
            return Err(error);
        }
        Ok(found)
    }

    async fn commit(&mut self, records: &[Record]) -> Result<(), StoreError> {
        let files = self.files.as_ref().ok_or(StoreError::Poisoned)?;
        let parts = files.encode(records);
        self.blocking(move |files| files.write(parts)).await
    }

    async fn abandon(&mut self) -> Result<(), StoreError> {
        let files = self.files.as_mut().ok_or(StoreError::Poisoned)?;
        files.abandon();
        Ok(())
    }

    async fn dead_owners(&mut self, owners: Vec<OwnerId>) -> Result<Vec<OwnerId>, StoreError> {
        self.blocking(move |files| files.dead_owners(owners)).await
    }

    async fn retire(&mut self) -> Result<(), StoreError> {
        self.retire_blocking()
    }

    fn lock_look(&self) -> LockLook {
        let root = self.root.clone();
        Box::new(move || holder(&root))
    }

    fn manners(&self) -> Manners {
        Manners { linger: Some(LINGER), poll: Some(POLL) }
    }
}

/// Reads `ledger.json`; nothing when there is none.
pub(super) fn read_description(root: &Path) -> Result<Option<Description>, StoreError> {
    let path = description_path(root);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error("read", &path)(error)),
    };
    let wrong = |source| StoreError::Description { path: path.clone(), source };
    let description: Description =
        serde_json::from_slice(&bytes).map_err(|error| wrong(DescriptionError::Json(error)))?;
    if description.version != DESCRIPTION_VERSION {
        return Err(wrong(DescriptionError::Version(description.version)));
    }
    Ok(Some(description))
}

/// The zone that `ledger.json` names.
pub(super) fn zone_of(root: &Path, description: &Description) -> Result<TimeZone, StoreError> {
    zone_named(&description.zone).map_err(|error| StoreError::Description {
        path: description_path(root),
        source: DescriptionError::Zone(error),
    })
}

/// The segments have their days from the zone in which they were begun: another one in
/// `ledger.json` would begin the next day at another hour, and nobody would see it.
pub(super) fn expect_zone(
    root: &Path,
    description: &Description,
    records: &[Record],
) -> Result<(), StoreError> {
    for record in records {
        if let RecordKind::Open(open) = &record.kind
            && *open.zone != *description.zone
        {
            let (described, kept) = (description.zone.clone(), open.zone.to_string());
            return Err(StoreError::OtherZone { path: description_path(root), described, kept });
        }
    }
    Ok(())
}

fn description_path(root: &Path) -> PathBuf {
    root.join("ledger.json")
}

/// The text of `ledger.json`.
fn text_of(description: &Description) -> String {
    serde_json::to_string(description).expect("a description is JSON") + "\n"
}

/// Makes a ledger, unless another process makes it first.
fn make_once(
    root: &Path,
    folder: &dyn SegmentFolder,
    founding: &Founding,
    now: Timestamp,
) -> Result<Description, StoreError> {
    let mut lock = LockFile::new(root);
    lock.take()?;
    let description = match read_description(root)? {
        Some(description) => description,
        None => make(root, folder, founding, now)?,
    };
    lock.give_back();
    Ok(description)
}

/// Makes a ledger, under its lock. `ledger.json` comes last: without it no one has spent, or
/// someone deleted it and the segments tell what it said.
fn make(
    root: &Path,
    folder: &dyn SegmentFolder,
    founding: &Founding,
    now: Timestamp,
) -> Result<Description, StoreError> {
    let path = description_path(root);
    let description = match identity_in_segments(root, folder)? {
        Some(known) => known,
        None => {
            expect_nothing_promised(root, folder)?;
            expect_no_note(root, founding.money)?;
            let time = to_microseconds(now);
            let zone = zone_named(&founding.zone).map_err(|error| StoreError::Description {
                path: path.clone(),
                source: DescriptionError::Zone(error),
            })?;
            write_first_segment(root, folder, founding, time, &zone)?;
            Description {
                version: DESCRIPTION_VERSION,
                id: founding.ledger,
                zone: founding.zone.to_string(),
                money: founding.money,
                created: time,
            }
        }
    };
    let text = text_of(&description);
    let new = root.join("ledger.json.new");
    write_new(&new, text.as_bytes()).map_err(io_error("write", &new))?;
    std::fs::rename(&new, &path).map_err(io_error("write", &path))?;
    sync_names(root).map_err(io_error("sync", root))?;
    Ok(description)
}

/// What existing segments say about the ledger; a segment without a whole line is removed.
fn identity_in_segments(
    root: &Path,
    folder: &dyn SegmentFolder,
) -> Result<Option<Description>, StoreError> {
    let promise = TailFile::new(root).promise();
    for name in folder.segments().map_err(io_error("list", root))? {
        let path = folder.path(name);
        let Some(mut file) = folder.open(name).map_err(io_error("open", &path))? else { continue };
        let bytes = file.read_from(0).map_err(io_error("read", &path))?;
        let found = crate::domain::ledger::scan::scan(&bytes, Default::default());
        match (found.records.first(), found.tail) {
            (Some(Record { time, kind: RecordKind::Open(open), .. }), _) => {
                return Ok(Some(Description {
                    version: DESCRIPTION_VERSION,
                    id: open.ledger,
                    zone: open.zone.to_string(),
                    money: open.money,
                    created: *time,
                }));
            }
            (_, crate::domain::ledger::scan::Tail::Fault(source)) => {
                return Err(StoreError::Corrupt { path, line: 1, offset: 0, source });
            }
            (None, _) if promise.is_some_and(|promise| promise.segment == name) => {
                let source = LineError::Promised;
                return Err(StoreError::Corrupt { path, line: 1, offset: 0, source });
            }
            _ => folder.remove(name).map_err(io_error("remove", &path))?,
        }
    }
    Ok(None)
}

/// Where something was promised, money was spent: no new ledger may take its place.
fn expect_nothing_promised(root: &Path, folder: &dyn SegmentFolder) -> Result<(), StoreError> {
    match TailFile::new(root).promise() {
        Some(promise) => Err(StoreError::Missing { path: folder.path(promise.segment) }),
        None => Ok(()),
    }
}

fn write_first_segment(
    root: &Path,
    folder: &dyn SegmentFolder,
    founding: &Founding,
    time: Timestamp,
    zone: &TimeZone,
) -> Result<(), StoreError> {
    let records = founding.records(time, zone.to_datetime(time).date());
    let name = crate::domain::ledger::SegmentName { day: records[0].day, number: 1 };
    let path = folder.path(name);
    let mut chain = crate::domain::ledger::line::Chain::default();
    let mut text = String::new();
    for record in &records {
        crate::domain::ledger::line::encode_into(&mut text, record, &mut chain);
    }
    let mut file = folder.create(name).map_err(io_error("create", &path))?;
    match file.append(text.as_bytes()).map_err(io_error("append to", &path))? {
        written if written == text.len() => {}
        _ => {
            let full = io::Error::new(io::ErrorKind::StorageFull, "only a part was written");
            return Err(io_error("append to", &path)(full));
        }
    }
    file.sync().map_err(io_error("sync", &path))?;
    folder.sync_folder(name).map_err(io_error("sync the folder of", &path))?;
    sync_names(root).map_err(io_error("sync", root))
}

fn take_owner_lock(root: &Path, owner: OwnerId) -> Result<File, StoreError> {
    let path = owner_path(root, owner);
    private_folder(&root.join("owners")).map_err(io_error("create", &root.join("owners")))?;
    let mut options = OpenOptions::new();
    let options = private(options.write(true).create_new(true));
    let file = options.open(&path).map_err(io_error("create", &path))?;
    file.lock().map_err(io_error("lock", &path))?;
    Ok(file)
}
