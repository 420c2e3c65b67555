//! The group on disk: lock, catch up, heal, one write, one sync, unlock. All of it blocks.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use fail::fail_point;

use crate::adapters::ledger::lock::LockFile;
use crate::adapters::ledger::segment::private;
use crate::adapters::ledger::tail::{TailFile, expect_kept};
use crate::domain::ledger::line::{Chain, encode_into};
use crate::domain::ledger::promise::Promise;
use crate::domain::ledger::scan::{Position, Scan, Tail, scan};
use crate::domain::ledger::{
    LineHash, OpenReason, OwnerId, Record, RecordKind, Repair, SegmentName,
};
use crate::ports::ledger::{CatchUp, SegmentFile, SegmentFolder, StoreError};

/// A segment beyond this size is followed by a new one.
const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
/// Stands in the ledger's folder after a sync error until a new segment has been started.
const SYNC_ERROR_MARK: &str = "sync-error";

/// The files of one ledger, as one process uses them.
#[derive(Debug)]
pub(super) struct Files {
    root: PathBuf,
    folder: Box<dyn SegmentFolder>,
    lock: LockFile,
    tail: TailFile,
    current: Option<Segment>,
    poisoned: bool,
}

/// The segment at the end of the ledger.
#[derive(Debug)]
struct Segment {
    name: SegmentName,
    file: Box<dyn SegmentFile>,
    end: Position,
    /// Bytes known to survive a power loss.
    durable: u64,
    /// The segment that follows, once this one has ended.
    next: Option<SegmentName>,
}

/// Lines for one segment.
#[derive(Debug)]
pub(super) struct Part {
    /// The segment to create; nothing for the one at hand.
    create: Option<SegmentName>,
    text: String,
    lines: u64,
    hash: LineHash,
    next: Option<SegmentName>,
}

impl Files {
    pub(super) fn new(root: &Path, folder: Box<dyn SegmentFolder>) -> Self {
        let lock = LockFile::new(root);
        let tail = TailFile::new(root);
        Self { root: root.to_owned(), folder, lock, tail, current: None, poisoned: false }
    }

    /// Takes the lock and catches up; the lock is kept only on success.
    pub(super) fn begin(&mut self) -> Result<CatchUp, StoreError> {
        if self.poisoned {
            return Err(StoreError::Poisoned);
        }
        self.lock.take()?;
        self.catch_up().inspect_err(|_| {
            self.poisoned = true;
            self.lock.give_back();
        })
    }

    /// What [`Self::begin`] does, where nothing has to be waited for: the lock is free, and nobody
    /// else has written. Otherwise nothing was done.
    pub(super) fn begin_at_once(&mut self) -> Result<Option<CatchUp>, StoreError> {
        if self.poisoned || self.current.is_none() || !self.lock.try_take()? {
            return Ok(None);
        }
        if self.is_as_left().unwrap_or(false) {
            return Ok(Some(CatchUp::default()));
        }
        self.lock.give_back();
        Ok(None)
    }

    /// Whether the newest segment is as this process left it, and the next group belongs into it.
    fn is_as_left(&mut self) -> io::Result<bool> {
        let Some(segment) = &mut self.current else { return Ok(false) };
        let end = segment.end.offset;
        let is_same = segment.file.is_linked()? && segment.file.length()? == end;
        let name = segment.next.unwrap_or_else(|| segment.name.next(segment.name.day));
        let is_last = is_same && self.folder.open(name)?.is_none();
        Ok(is_last && end <= SEGMENT_BYTES && !self.root.join(SYNC_ERROR_MARK).exists())
    }

    /// Encodes records for [`Self::write`]; only between `begin` and `write`.
    pub(super) fn encode(&self, records: &[Record]) -> Vec<Part> {
        let mut chain = match &self.current {
            Some(segment) => {
                Chain { previous: segment.end.hash.unwrap_or_default(), durable: segment.durable }
            }
            None => Chain::default(),
        };
        let mut parts: Vec<Part> = Vec::new();
        for record in records {
            let create = started_segment(record);
            if create.is_some() {
                chain.durable = 0;
            }
            if create.is_some() || parts.is_empty() {
                let text = String::with_capacity(512 * records.len());
                let hash = chain.previous;
                parts.push(Part { create, text, lines: 0, hash, next: None });
            }
            let part = parts.last_mut().expect("a part was just pushed");
            encode_into(&mut part.text, record, &mut chain);
            part.lines += 1;
            part.hash = chain.previous;
            part.next = next_segment(record);
        }
        parts
    }

    /// Appends and unlocks. After an error it is uncertain what was kept, so nothing more is.
    pub(super) fn write(&mut self, parts: Vec<Part>) -> Result<(), StoreError> {
        let mut result = Ok(());
        for part in parts {
            result = result.and_then(|()| match part.create {
                Some(name) => self.start_segment(name, &part),
                None => self.append(&part),
            });
        }
        self.poisoned |= result.is_err();
        if result.is_ok() {
            self.promise();
        }
        self.lock.give_back();
        fail_point!("ledger::after_commit", |_| {
            self.poisoned = true;
            Err(StoreError::Poisoned)
        });
        result
    }

    /// Vouches for what was just synced.
    fn promise(&mut self) {
        let Some(segment) = &self.current else { return };
        if let Some(hash) = segment.end.hash.filter(|_| segment.durable == segment.end.offset) {
            self.tail.write(&Promise { segment: segment.name, end: segment.durable, hash });
        }
    }

    pub(super) fn abandon(&mut self) {
        self.lock.give_back();
    }

    pub(super) fn dead_owners(&self, owners: Vec<OwnerId>) -> Result<Vec<OwnerId>, StoreError> {
        let mut dead = Vec::new();
        for owner in owners {
            if is_dead(&owner_path(&self.root, owner))? {
                dead.push(owner);
            }
        }
        Ok(dead)
    }

    fn catch_up(&mut self) -> Result<CatchUp, StoreError> {
        let mut found = CatchUp::default();
        if self.current.is_none() {
            self.open_newest(&mut found)?;
        } else {
            self.read_on(&mut found)?;
        }
        while let Some(mut segment) = self.follower()? {
            let name = segment.name;
            let promise = self.tail.promise();
            if !read_segment(&*self.folder, &mut segment, promise.as_ref(), &mut found)? {
                self.folder.remove(name).map_err(io_error("remove", &self.folder.path(name)))?;
                break;
            }
            self.adopt(segment)?;
        }
        let full = self.current.as_ref().is_some_and(|segment| segment.end.offset > SEGMENT_BYTES);
        if self.root.join(SYNC_ERROR_MARK).exists() {
            found.new_segment = Some(OpenReason::SyncError);
        } else if full {
            found.new_segment = Some(OpenReason::Size);
        }
        Ok(found)
    }

    /// The segment behind the current one: the one that its roll names, or after a sync error the
    /// next number of its day.
    fn follower(&self) -> Result<Option<Segment>, StoreError> {
        let Some(segment) = &self.current else { return Ok(None) };
        let name = segment.next.unwrap_or_else(|| segment.name.next(segment.name.day));
        let opened = self.folder.open(name).map_err(io_error("open", &self.folder.path(name)))?;
        let start = Position { hash: segment.end.hash, ..Position::default() };
        Ok(opened.map(|file| Segment { name, file, end: start, durable: 0, next: None }))
    }

    /// The newest segment that has an open; one without was never started.
    fn open_newest(&mut self, found: &mut CatchUp) -> Result<(), StoreError> {
        let names = self.folder.segments().map_err(io_error("list", &self.root))?;
        let promise = self.tail.promise();
        let promised = promise.map(|promise| promise.segment);
        let is_missing = |promised: &SegmentName| names.last().is_none_or(|last| last < promised);
        if let Some(missing) = promised.filter(is_missing) {
            return Err(StoreError::Missing { path: self.folder.path(missing) });
        }
        for name in names.into_iter().rev() {
            let path = self.folder.path(name);
            let Some(file) = self.folder.open(name).map_err(io_error("open", &path))? else {
                return Err(StoreError::Missing { path });
            };
            let mut segment =
                Segment { name, file, end: Position::default(), durable: 0, next: None };
            if read_segment(&*self.folder, &mut segment, promise.as_ref(), found)? {
                return self.adopt(segment);
            }
            self.folder.remove(name).map_err(io_error("remove", &path))?;
        }
        Err(StoreError::Missing { path: self.root.join("*/*.jsonl") })
    }

    /// Goes on in a segment that someone else made, and perhaps died before its name was durable.
    fn adopt(&mut self, segment: Segment) -> Result<(), StoreError> {
        sync_name(&*self.folder, segment.name, &self.root)?;
        self.current = Some(segment);
        Ok(())
    }

    /// Reads what others appended to the current segment.
    fn read_on(&mut self, found: &mut CatchUp) -> Result<(), StoreError> {
        let segment = self.current.as_mut().expect("the caller has seen a segment");
        let path = self.folder.path(segment.name);
        let linked = segment.file.is_linked().map_err(io_error("find", &path))?;
        let length = segment.file.length().map_err(io_error("measure", &path))?;
        if !linked || length < segment.end.offset {
            return Err(StoreError::Replaced { path });
        }
        if length > segment.end.offset {
            let promise = self.tail.promise();
            read_segment(&*self.folder, segment, promise.as_ref(), found)?;
        }
        Ok(())
    }

    fn append(&mut self, part: &Part) -> Result<(), StoreError> {
        let segment = self.current.as_mut().expect("begin has found a segment");
        let path = self.folder.path(segment.name);
        append_whole(&mut *segment.file, &path, segment.end.offset, part.text.as_bytes())?;
        segment.end.offset += part.text.len() as u64;
        segment.end.lines += part.lines;
        segment.end.hash = Some(part.hash);
        segment.next = part.next;
        fail_point!("ledger::after_append", |_| Err(StoreError::Poisoned));
        sync(&mut *segment.file, &self.root, &path)?;
        segment.durable = segment.end.offset;
        fail_point!("ledger::after_sync", |_| Err(StoreError::Poisoned));
        Ok(())
    }

    /// A segment that is left takes no line any more, so the next group does not sync what a dead
    /// process may have left in it. After a sync error there is nothing to be gained.
    fn sync_before_leaving(&mut self) -> Result<(), StoreError> {
        let may_be_lost = |segment: &&mut Segment| segment.durable < segment.end.offset;
        if self.root.join(SYNC_ERROR_MARK).exists() {
            return Ok(());
        }
        let Some(segment) = self.current.as_mut().filter(may_be_lost) else { return Ok(()) };
        sync(&mut *segment.file, &self.root, &self.folder.path(segment.name))
    }

    fn start_segment(&mut self, name: SegmentName, part: &Part) -> Result<(), StoreError> {
        self.sync_before_leaving()?;
        let path = self.folder.path(name);
        let mut file = self.folder.create(name).map_err(io_error("create", &path))?;
        append_whole(&mut *file, &path, 0, part.text.as_bytes())?;
        sync(&mut *file, &self.root, &path)?;
        sync_name(&*self.folder, name, &self.root)?;
        let offset = part.text.len() as u64;
        let end = Position { offset, lines: part.lines, hash: Some(part.hash) };
        self.current = Some(Segment { name, file, end, durable: offset, next: part.next });
        match std::fs::remove_file(self.root.join(SYNC_ERROR_MARK)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(io_error("remove", &self.root.join(SYNC_ERROR_MARK))(error))
            }
            _ => Ok(()),
        }
    }
}

/// Reads from the segment's end on and heals a torn tail; whether the segment has any whole line.
fn read_segment(
    folder: &dyn SegmentFolder,
    segment: &mut Segment,
    promise: Option<&Promise>,
    found: &mut CatchUp,
) -> Result<bool, StoreError> {
    let path = folder.path(segment.name);
    let start = segment.end.offset;
    let bytes = segment.file.read_from(start).map_err(io_error("read", &path))?;
    let Scan { records, end, durable, tail } = scan(&bytes, segment.end);
    if let Tail::Fault(source) = tail {
        return Err(StoreError::Corrupt { path, line: end.lines + 1, offset: end.offset, source });
    }
    expect_kept(promise, (segment.name, &path), &bytes, segment.end, end.offset)?;
    if matches!(tail, Tail::Torn) {
        let kept = usize::try_from(end.offset - start).expect("the bytes are in memory");
        let repair = cut(folder, segment, end.offset, &bytes[kept..])?;
        if end.offset > 0 {
            found.repair = Some(repair);
        }
    }
    segment.end = end;
    segment.durable = segment.durable.max(durable);
    segment.next = records.last().and_then(next_segment).or(segment.next);
    found.records.extend(records);
    Ok(end.offset > 0)
}

/// Saves bytes aside, then cuts them off.
fn cut(
    folder: &dyn SegmentFolder,
    segment: &mut Segment,
    at: u64,
    bytes: &[u8],
) -> Result<Repair, StoreError> {
    let path = folder.path(segment.name);
    let hash = LineHash::of(bytes);
    let name = segment.name;
    let side_file = format!("{}-{:04}-{at}-{hash}.bin", name.day, name.number);
    folder.save_aside(&side_file, bytes).map_err(io_error("save a torn end of", &path))?;
    segment.file.truncate(at).map_err(io_error("cut", &path))?;
    let side_file = format!("torn/{side_file}").into();
    Ok(Repair { segment: name, at, bytes: bytes.len() as u64, hash, side_file })
}

/// One write; a short one or an error is taken back.
fn append_whole(
    file: &mut dyn SegmentFile,
    path: &Path,
    at: u64,
    bytes: &[u8],
) -> Result<(), StoreError> {
    let error = match file.append(bytes) {
        Ok(written) if written == bytes.len() => return Ok(()),
        Ok(_) => io::Error::new(io::ErrorKind::StorageFull, "only a part was written"),
        Err(error) => error,
    };
    // When this fails too, the next reader heals the tail.
    let _ = file.truncate(at);
    Err(io_error("append to", path)(error))
}

/// A failed sync leaves a mark: no one may believe a later sync of the same file.
fn sync(file: &mut dyn SegmentFile, root: &Path, path: &Path) -> Result<(), StoreError> {
    file.sync().map_err(|error| {
        mark_sync_error(root);
        io_error("sync", path)(error)
    })
}

/// Makes a segment's name durable; a failure leaves the same mark.
fn sync_name(folder: &dyn SegmentFolder, name: SegmentName, root: &Path) -> Result<(), StoreError> {
    folder.sync_folder(name).map_err(|error| {
        mark_sync_error(root);
        io_error("sync the folder of", &folder.path(name))(error)
    })
}

fn mark_sync_error(root: &Path) {
    let mut options = OpenOptions::new();
    let _ = private(options.write(true).create(true)).open(root.join(SYNC_ERROR_MARK));
}

/// The segment that a record starts.
fn started_segment(record: &Record) -> Option<SegmentName> {
    if let RecordKind::Open(open) = &record.kind { Some(open.segment) } else { None }
}

/// The segment that a record rolls to.
fn next_segment(record: &Record) -> Option<SegmentName> {
    if let RecordKind::Roll(roll) = &record.kind { Some(roll.next) } else { None }
}

/// The lock file of an owner.
pub(super) fn owner_path(root: &Path, owner: OwnerId) -> PathBuf {
    root.join("owners").join(format!("{owner}.lock"))
}

/// Whether nobody holds the lock; a dead owner's file is removed, and a missing one means dead.
fn is_dead(path: &Path) -> Result<bool, StoreError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(io_error("open", path)(error)),
    };
    match file.try_lock() {
        Ok(()) => {
            let _ = std::fs::remove_file(path);
            Ok(true)
        }
        Err(std::fs::TryLockError::WouldBlock) => Ok(false),
        Err(std::fs::TryLockError::Error(error)) => Err(io_error("ask the lock", path)(error)),
    }
}

/// Whether the owner's process is alive, as far as a reader can tell.
pub(super) fn is_alive(root: &Path, owner: OwnerId) -> bool {
    File::open(owner_path(root, owner)).is_ok_and(|file| file.try_lock().is_err())
}

/// Names the step and the file of a failed operation.
pub(super) fn io_error(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { step, path, source }
}
