//! Where the records of the ledger are kept, and the seam to its files.

use std::fmt::Debug;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::ledger::parse::LineError;
use crate::domain::ledger::{BrokenRule, Money, OpenReason, OwnerId, Record, Repair, SegmentName};

/// Every point at which a test can make the ledger fail, in the order of a group's way, then those
/// at which an attempt can be left alone; see the cargo feature `failpoints`.
pub const FAIL_POINTS: [&str; 15] = [
    "ledger::lock",
    "ledger::read",
    "ledger::cut",
    "ledger::append",
    "ledger::append_half",
    "ledger::after_append",
    "ledger::sync",
    "ledger::after_sync",
    "ledger::create_segment",
    "ledger::sync_folder",
    "ledger::after_commit",
    "ledger::before_settle",
    "ledger::before_close",
    "attempt::before_send",
    "attempt::before_settle",
];

/// A place that keeps the records of one ledger, in their order.
///
/// A group is `begin`, then `commit` or `abandon`. Between them no other process appends.
#[async_trait]
pub trait LedgerStore: Debug + Send {
    /// Takes the ledger's lock and returns what others appended since the last group; the first
    /// call returns everything from the newest segment on.
    ///
    /// # Errors
    /// When the place cannot be locked or read, or promised bytes are damaged.
    async fn begin(&mut self) -> Result<CatchUp, StoreError>;

    /// Appends records in one write and gives the lock back. When this returns, the records
    /// survive a power loss. An open record starts its segment.
    ///
    /// # Errors
    /// When the records may not have been kept; the store then accepts nothing more.
    async fn commit(&mut self, records: &[Record]) -> Result<(), StoreError>;

    /// Gives the lock back without appending.
    ///
    /// # Errors
    /// When the lock cannot be given back.
    async fn abandon(&mut self) -> Result<(), StoreError>;

    /// Which of `owners` are no longer alive. Called between `begin` and `commit`.
    ///
    /// # Errors
    /// When their locks cannot be asked.
    async fn dead_owners(&mut self, owners: Vec<OwnerId>) -> Result<Vec<OwnerId>, StoreError>;

    /// Ends this owner's life after its last group.
    ///
    /// # Errors
    /// When its lock cannot be removed.
    async fn retire(&mut self) -> Result<(), StoreError>;

    /// A look at who holds the ledger's lock, for when [`Self::begin`] takes long.
    fn lock_look(&self) -> LockLook {
        Box::new(|| None)
    }

    /// How the store wants to be used.
    fn manners(&self) -> Manners;
}

/// How long whoever waits for the ledger's lock is silent about it. A group takes milliseconds.
pub const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// Looks who holds the ledger's lock; nothing when nobody can tell.
pub type LockLook = Box<dyn Fn() -> Option<LockHolder> + Send + Sync>;

/// Who holds the ledger's lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockHolder {
    /// The process.
    pub pid: u32,
    /// For how long.
    pub age: Duration,
}

/// What is said while the ledger's lock is waited for.
pub fn lock_wait(holder: Option<LockHolder>) -> String {
    match holder {
        Some(LockHolder { pid, age }) => {
            let secs = age.as_secs();
            format!(
                "process {pid} has held the ledger's lock for {secs}s; waiting for it (if it is \
                 stopped, kill -CONT {pid} lets it go on)"
            )
        }
        None => "another process holds the ledger's lock; waiting for it".to_owned(),
    }
}

/// What a store found when it took the lock.
#[derive(Debug, Default)]
pub struct CatchUp {
    /// What was appended by others, in order.
    pub records: Vec<Record>,
    /// Bytes that were cut off; the next commit must record it.
    pub repair: Option<Repair>,
    /// Why the next commit must start a new segment, if it must.
    pub new_segment: Option<OpenReason>,
}

/// How a store wants to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manners {
    /// How long an end may wait for company before it is written; nothing when writing is free.
    pub linger: Option<Duration>,
    /// How often to look for what other processes appended; nothing when there are none.
    pub poll: Option<Duration>,
}

/// Why the records could not be read or kept. Each of these stops spending.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file operation failed.
    #[error("cannot {step} {}", path.display())]
    Io {
        /// What was tried.
        step: &'static str,
        /// At which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Bytes that were promised are damaged or changed, or cannot be understood.
    #[error("{}: line {line} (byte {offset}) cannot be trusted", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// Its offset.
        offset: u64,
        /// What is wrong with it.
        #[source]
        source: LineError,
    },
    /// The records break a rule of the ledger.
    #[error(transparent)]
    Rule(#[from] BrokenRule),
    /// A file that must be there is not.
    #[error("{} is missing from the ledger", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A file is shorter than it was, or was replaced.
    #[error("{} was cut or replaced by someone else", path.display())]
    Replaced {
        /// The file.
        path: PathBuf,
    },
    /// `ledger.json` cannot be read.
    #[error("{} does not describe a ledger of this version", path.display())]
    Description {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: DescriptionError,
    },
    /// The folder held real money once, and is empty now.
    #[error("the ledger in {} is gone: it kept real money since {made}", path.display())]
    Gone {
        /// The folder.
        path: PathBuf,
        /// When the ledger was made.
        made: String,
        /// The note that says so.
        note: PathBuf,
    },
    /// Real attempts in a simulated ledger or the reverse.
    #[error("{} keeps {kept} money, and this run spends {spent} money", path.display())]
    WrongMoney {
        /// The ledger.
        path: PathBuf,
        /// What it keeps.
        kept: Money,
        /// What was to be spent.
        spent: Money,
    },
    /// `ledger.json` names another zone than the segments.
    #[error(
        "{} says that its days are those of {described}, but its segments are kept by {kept}",
        path.display()
    )]
    OtherZone {
        /// The file.
        path: PathBuf,
        /// The zone that it names.
        described: String,
        /// The zone of the segments.
        kept: String,
    },
    /// An earlier failure left it uncertain what was kept.
    #[error("the ledger accepts nothing more after an earlier failure")]
    Poisoned,
}

/// What is wrong with `ledger.json`.
#[derive(Debug, thiserror::Error)]
pub enum DescriptionError {
    /// It is no JSON object with the fields of this version.
    #[error("it is not as this version writes it")]
    Json(#[from] serde_json::Error),
    /// It has another version.
    #[error("its version is {0}")]
    Version(u64),
    /// The zone is not known here.
    #[error("its time zone is not known here")]
    Zone(#[from] jiff::Error),
}

/// One file of the ledger: all reading and writing of segments goes through this seam.
pub trait SegmentFile: Debug + Send {
    /// Its length in bytes.
    ///
    /// # Errors
    /// When the system says so.
    fn length(&mut self) -> io::Result<u64>;

    /// Whether the file can still be found under its name.
    ///
    /// # Errors
    /// When the system says so.
    fn is_linked(&mut self) -> io::Result<bool>;

    /// Reads from `offset` to the end.
    ///
    /// # Errors
    /// When the system says so.
    fn read_from(&mut self, offset: u64) -> io::Result<Vec<u8>>;

    /// Appends in one write; the number of bytes kept may be smaller than asked for.
    ///
    /// # Errors
    /// When the system says so.
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Returns when every byte so far survives a power loss.
    ///
    /// # Errors
    /// When the system says so; nothing may be assumed about the bytes then.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts the file.
    ///
    /// # Errors
    /// When the system says so.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
}

/// The folder of segments: the other half of the seam.
pub trait SegmentFolder: Debug + Send {
    /// The names of all segments, in order.
    ///
    /// # Errors
    /// When the system says so.
    fn segments(&self) -> io::Result<Vec<SegmentName>>;

    /// Opens a segment; nothing when there is none of this name.
    ///
    /// # Errors
    /// When the system says so.
    fn open(&self, name: SegmentName) -> io::Result<Option<Box<dyn SegmentFile>>>;

    /// Creates a segment that must not exist.
    ///
    /// # Errors
    /// When it exists or the system says so.
    fn create(&self, name: SegmentName) -> io::Result<Box<dyn SegmentFile>>;

    /// Makes the names in the segment's folder, and that folder's own name, durable.
    ///
    /// # Errors
    /// When the system says so.
    fn sync_folder(&self, name: SegmentName) -> io::Result<()>;

    /// Keeps bytes that were cut off under a new name, durably.
    ///
    /// # Errors
    /// When the system says so.
    fn save_aside(&self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Removes a segment that never held a whole line.
    ///
    /// # Errors
    /// When the system says so.
    fn remove(&self, name: SegmentName) -> io::Result<()>;

    /// The path of a segment, for messages.
    fn path(&self, name: SegmentName) -> PathBuf;
}
