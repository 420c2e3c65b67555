//! A disk that fails, in this process: real files behind the ledger's seam, beside a record of
//! what of them would survive a power loss.
//!
//! Each page that was written since the last sync is lost or kept on its own, the length too, and
//! a new name is only safe once its folder was synced. What the ledger writes outside of the seam
//! (`ledger.json`, its locks, its `tail`, its sync-error mark) is on the real disk: the first is
//! synced where it is written, the others may be lost with the power, and so they are, at random.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use imagemill::adapters::ledger::segment::DiskFolder;
use imagemill::domain::ledger::SegmentName;
use imagemill::ports::ledger::{SegmentFile, SegmentFolder};
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A write keeps only so many bytes.
    ShortWrite(usize),
    /// The disk has room for so many bytes more, until somebody makes room.
    Full(usize),
    /// A sync fails: each page that waited may be kept or lost, and the next sync is well.
    SyncError,
    /// An operation does nothing but fail.
    Error,
    /// The process dies in an operation, which is done up to a part of so many 255ths.
    Death(u8),
}

/// What is asked of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Append,
    Sync,
    Other,
}

/// The disk, which several processes share.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    root: PathBuf,
    state: Arc<Mutex<State>>,
}

/// The disk as one process sees it.
#[derive(Debug)]
pub(crate) struct Folder {
    disk: Disk,
    inner: DiskFolder,
    is_dead: Arc<AtomicBool>,
}

#[derive(Debug)]
struct OpenFile {
    disk: Disk,
    inner: Box<dyn SegmentFile>,
    name: SegmentName,
    is_dead: Arc<AtomicBool>,
}

#[derive(Debug)]
struct State {
    page: usize,
    chance: Xoshiro256PlusPlus,
    files: BTreeMap<SegmentName, Shadow>,
    fault: Option<(Fault, u32)>,
    room: Option<usize>,
    n_faults: u64,
}

/// What is known of a file beside its bytes.
#[derive(Debug, Default)]
struct Shadow {
    /// What a power loss leaves at least: pages that were written back, zeros between them.
    durable: Vec<u8>,
    /// The length that the last good sync promised.
    promised: usize,
    /// Pages that were written since.
    dirty: BTreeSet<usize>,
    /// The length of the file itself.
    length: usize,
    is_name_durable: bool,
}

impl Disk {
    pub(crate) fn new(root: &Path, page: usize, seed: u64) -> Self {
        let chance = Xoshiro256PlusPlus::seed_from_u64(seed);
        let files = BTreeMap::new();
        let state = State { page, chance, files, fault: None, room: None, n_faults: 0 };
        Self { root: root.to_owned(), state: Arc::new(Mutex::new(state)) }
    }

    /// The disk for a new process, and the mark of its death.
    pub(crate) fn process(&self) -> (Box<Folder>, Arc<AtomicBool>) {
        let is_dead = Arc::new(AtomicBool::new(false));
        let inner = DiskFolder::new(&self.root);
        (Box::new(Folder { disk: self.clone(), inner, is_dead: is_dead.clone() }), is_dead)
    }

    /// Something goes wrong after so many operations that it can happen to.
    pub(crate) fn plan(&self, fault: Fault, after: u32) {
        self.lock().fault = Some((fault, after));
    }

    /// Nothing goes wrong any more, and there is room.
    pub(crate) fn make_well(&self) {
        let mut state = self.lock();
        (state.fault, state.room) = (None, None);
    }

    /// Faults that have come true so far.
    pub(crate) fn n_faults(&self) -> u64 {
        self.lock().n_faults
    }

    /// Takes in what was written and synced past this disk, by a process that meets no fault.
    pub(crate) fn absorb(&self) {
        let folder = DiskFolder::new(&self.root);
        let mut state = self.lock();
        let page = state.page;
        for name in folder.segments().expect("a folder") {
            let bytes = std::fs::read(folder.path(name)).expect("a segment");
            let shadow = state.files.entry(name).or_default();
            if shadow.length == bytes.len() {
                // At least synced before it was left, as far as a sync reaches.
                shadow.synced(&bytes, page);
            } else {
                shadow.settle(bytes);
                shadow.is_name_durable = true;
            }
        }
    }

    /// The power fails. Every process must be dead.
    pub(crate) fn power_loss(&self, seed: u64) {
        let mut chance = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut state = self.lock();
        let page = state.page;
        for (name, mut shadow) in std::mem::take(&mut state.files) {
            let path = self.root.join(name.to_string());
            let is_found = shadow.is_name_durable || coin(&mut chance);
            let Some(view) = std::fs::read(&path).ok().filter(|_| is_found) else {
                let _ = std::fs::remove_file(&path);
                continue;
            };
            let left = shadow.after_power_loss(&view, page, &mut chance);
            std::fs::write(&path, &left).expect("the disk itself is well");
            shadow.settle(left);
            shadow.is_name_durable = true;
            state.files.insert(name, shadow);
        }
        let mut unsynced = vec![self.root.join("ledger.lock"), self.root.join("sync-error")];
        let owners = std::fs::read_dir(self.root.join("owners")).into_iter().flatten();
        unsynced.extend(owners.map(|entry| entry.expect("an entry").path()));
        unsynced.sort();
        for path in unsynced.into_iter().filter(|_| coin(&mut chance)) {
            let _ = std::fs::remove_file(path);
        }
        // What vouches for the newest lines is not synced either: it may be torn, or gone.
        let vouching = self.root.join("tail");
        if let Ok(bytes) = std::fs::read(&vouching)
            && coin(&mut chance)
        {
            let kept = chance.next_u32() as usize % (bytes.len() + 1);
            std::fs::write(&vouching, &bytes[..kept]).expect("the disk itself is well");
        }
        (state.fault, state.room) = (None, None);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A process may die in the middle of an operation; the disk goes on.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What goes wrong with an operation now; an error when it is not even tried.
    fn meet(&self, operation: Operation, is_dead: &AtomicBool) -> io::Result<Option<Fault>> {
        if is_dead.load(Ordering::SeqCst) {
            die();
        }
        let mut state = self.lock();
        let Some((fault, after)) = state.fault else { return Ok(None) };
        let concerns = match fault {
            Fault::ShortWrite(_) | Fault::Full(_) => operation == Operation::Append,
            Fault::SyncError => operation == Operation::Sync,
            Fault::Error | Fault::Death(_) => true,
        };
        if !concerns {
            return Ok(None);
        }
        if after > 0 {
            state.fault = Some((fault, after - 1));
            return Ok(None);
        }
        state.fault = None;
        state.n_faults += 1;
        match fault {
            Fault::Full(room) => state.room = Some(room),
            Fault::Error => return Err(io::Error::other("the disk said no")),
            Fault::Death(_) => is_dead.store(true, Ordering::SeqCst),
            Fault::ShortWrite(_) | Fault::SyncError => {}
        }
        Ok(Some(fault))
    }

    /// An operation that is done as a whole or not at all.
    fn whole(&self, is_dead: &AtomicBool) -> io::Result<()> {
        match self.meet(Operation::Other, is_dead)? {
            Some(Fault::Death(_)) => die(),
            Some(_) | None => Ok(()),
        }
    }
}

impl Folder {
    fn file(&self, name: SegmentName, inner: Box<dyn SegmentFile>) -> Box<dyn SegmentFile> {
        let (disk, is_dead) = (self.disk.clone(), self.is_dead.clone());
        Box::new(OpenFile { disk, inner, name, is_dead })
    }
}

impl SegmentFolder for Folder {
    fn segments(&self) -> io::Result<Vec<SegmentName>> {
        self.disk.whole(&self.is_dead)?;
        self.inner.segments()
    }

    fn open(&self, name: SegmentName) -> io::Result<Option<Box<dyn SegmentFile>>> {
        self.disk.whole(&self.is_dead)?;
        Ok(self.inner.open(name)?.map(|inner| self.file(name, inner)))
    }

    fn create(&self, name: SegmentName) -> io::Result<Box<dyn SegmentFile>> {
        self.disk.whole(&self.is_dead)?;
        let inner = self.inner.create(name)?;
        self.disk.lock().files.insert(name, Shadow::default());
        Ok(self.file(name, inner))
    }

    fn sync_folder(&self, name: SegmentName) -> io::Result<()> {
        match self.disk.meet(Operation::Sync, &self.is_dead)? {
            Some(Fault::SyncError) => return Err(io::Error::from_raw_os_error(EIO)),
            Some(Fault::Death(_)) => die(),
            Some(_) | None => self.inner.sync_folder(name)?,
        }
        for (known, shadow) in &mut self.disk.lock().files {
            shadow.is_name_durable |= known.day == name.day;
        }
        Ok(())
    }

    fn save_aside(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.disk.whole(&self.is_dead)?;
        if self.disk.lock().room.is_some_and(|room| room < bytes.len()) {
            return Err(io::Error::from_raw_os_error(ENOSPC));
        }
        self.inner.save_aside(name, bytes)
    }

    fn remove(&self, name: SegmentName) -> io::Result<()> {
        self.disk.whole(&self.is_dead)?;
        self.inner.remove(name)?;
        self.disk.lock().files.remove(&name);
        Ok(())
    }

    fn path(&self, name: SegmentName) -> PathBuf {
        self.inner.path(name)
    }
}

impl SegmentFile for OpenFile {
    fn length(&mut self) -> io::Result<u64> {
        self.disk.whole(&self.is_dead)?;
        self.inner.length()
    }

    fn is_linked(&mut self) -> io::Result<bool> {
        self.disk.whole(&self.is_dead)?;
        self.inner.is_linked()
    }

    fn read_from(&mut self, offset: u64) -> io::Result<Vec<u8>> {
        self.disk.whole(&self.is_dead)?;
        self.inner.read_from(offset)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let fault = self.disk.meet(Operation::Append, &self.is_dead)?;
        let mut most = match fault {
            Some(Fault::ShortWrite(most)) => most.min(bytes.len() - 1),
            Some(Fault::Death(part)) => bytes.len() * usize::from(part) / 255,
            Some(_) | None => bytes.len(),
        };
        if let Some(room) = &mut self.disk.lock().room {
            most = most.min(*room);
            *room -= most;
        }
        let mut written = 0;
        self.change(|inner| {
            written = inner.append(&bytes[..most])?;
            Ok(())
        })?;
        match fault {
            Some(Fault::Death(_)) => die(),
            _ if most == 0 => Err(io::Error::from_raw_os_error(ENOSPC)),
            _ => Ok(written),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        let fault = self.disk.meet(Operation::Sync, &self.is_dead)?;
        let view = self.inner.read_from(0)?;
        let mut state = self.disk.lock();
        let State { files, chance, page, .. } = &mut *state;
        let shadow = files.entry(self.name).or_default();
        match fault {
            // The kernel forgets which pages were dirty, so nobody will hear of them again.
            Some(Fault::SyncError) => {
                shadow.write_back(&view, *page, || coin(chance));
                shadow.dirty.clear();
                Err(io::Error::from_raw_os_error(EIO))
            }
            Some(Fault::Death(part)) => {
                shadow.write_back(&view, *page, || part % 2 == 0);
                die();
            }
            Some(_) | None => {
                self.inner.sync()?;
                shadow.synced(&view, *page);
                Ok(())
            }
        }
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        match self.disk.meet(Operation::Other, &self.is_dead)? {
            Some(Fault::Death(part)) if part % 2 == 0 => die(),
            Some(Fault::Death(_)) => {
                self.change(|inner| inner.truncate(length))?;
                die();
            }
            Some(_) | None => self.change(|inner| inner.truncate(length)),
        }
    }
}

impl OpenFile {
    /// Changes the file. Before that, some of what was changed earlier reaches the disk by itself.
    fn change(
        &mut self,
        change: impl FnOnce(&mut dyn SegmentFile) -> io::Result<()>,
    ) -> io::Result<()> {
        let view = self.inner.read_from(0)?;
        let mut state = self.disk.lock();
        let State { files, chance, page, .. } = &mut *state;
        let shadow = files.entry(self.name).or_default();
        shadow.write_back(&view, *page, || chance.next_u32() % 4 == 0);
        let changed = change(&mut *self.inner);
        let length = usize::try_from(self.inner.length()?).expect("a small file");
        let (from, to) = (view.len().min(length), view.len().max(length));
        shadow.dirty.extend(from / *page..to.div_ceil(*page));
        shadow.length = length;
        changed
    }
}

impl Shadow {
    /// The file is all on the disk, as it is.
    fn settle(&mut self, bytes: Vec<u8>) {
        (self.promised, self.length) = (bytes.len(), bytes.len());
        self.durable = bytes;
        self.dirty.clear();
    }

    /// A sync was well: every page that is known to be dirty is on the disk, and the length.
    fn synced(&mut self, view: &[u8], page: usize) {
        self.write_back(view, page, || true);
        self.durable.resize(view.len(), 0);
        self.promised = view.len();
    }

    /// Some dirty pages reach the disk.
    fn write_back(&mut self, view: &[u8], page: usize, mut is_written: impl FnMut() -> bool) {
        let durable = &mut self.durable;
        self.dirty.retain(|number| {
            let is_written = is_written();
            if is_written {
                copy_page(view, durable, *number, page);
            }
            !is_written
        });
    }

    fn after_power_loss(&self, view: &[u8], page: usize, chance: &mut impl Rng) -> Vec<u8> {
        let mut left = self.durable.clone();
        left.resize(left.len().max(view.len()), 0);
        for number in &self.dirty {
            if coin(chance) {
                copy_page(view, &mut left, *number, page);
            }
        }
        let (least, most) = (self.promised.min(view.len()), left.len());
        let length = match chance.next_u32() % 3 {
            0 => least,
            1 => most,
            _ => least + chance.next_u32() as usize % (most - least + 1),
        };
        left.truncate(length);
        left
    }
}

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// Copies a page; what stands behind the end of `view` is zero.
fn copy_page(view: &[u8], to: &mut Vec<u8>, number: usize, page: usize) {
    let (from, end) = (number * page, (number + 1) * page);
    to.resize(to.len().max(view.len().min(end)), 0);
    for at in from..end.min(to.len()) {
        to[at] = view.get(at).copied().unwrap_or(0);
    }
}

fn coin(chance: &mut impl Rng) -> bool {
    chance.next_u32() & 1 == 0
}

/// Nothing that a living process would do after an error is done. Unlike a panic, it says nothing.
fn die() -> ! {
    std::panic::resume_unwind(Box::new("the process is dead"))
}

/// A folder that is thrown away, in memory where the system has such a place: nothing here depends
/// on what the machine's own disk does at a sync.
pub(crate) fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix("imagemill-disk-").tempdir_in(place).expect("a folder")
}
