//! Fakes for the ports. Those that move money write into one shared log, in the order of things.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use imagemill::domain::digest::Sha256Digest;
use imagemill::domain::event::{RunEvent, Stamped};
use imagemill::domain::failure::{Charge, FailureClass, RefusalStage};
use imagemill::domain::image::{ImageKind, StoredImage};
use imagemill::domain::image_name::ImageName;
use imagemill::domain::ledger::{CostSource, OwnerId, Record, RecordKind};
use imagemill::domain::look::Sight;
use imagemill::domain::money::NanoUsd;
use imagemill::domain::sidecar::Sidecar;
use imagemill::ports::clock::Clock;
use imagemill::ports::images::{ImageBody, ImageStore, ImageStoreError, ImageWriter};
use imagemill::ports::journal::{JournalError, JournalStore};
use imagemill::ports::ledger::{CatchUp, LedgerStore, Manners, StoreError};
use imagemill::ports::provider::{
    Attempt, ExchangeFailure, Generation, ImageProvider, ProviderError,
};
use jiff::SignedDuration;

use crate::ledger::support::TestClock;

/// The first bytes of a picture.
const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n and so on";

/// What happened, for all fakes together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Note {
    /// The ledger's store kept this record.
    Kept(RecordKind),
    /// The provider was called.
    Called(Call),
    /// The provider answered, or the call was dropped.
    Ended(Call),
    /// The provider's own books: what it charges for the call.
    Charged(Call, NanoUsd),
}

/// The shared log.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    clock: Arc<TestClock>,
    notes: Arc<Mutex<Vec<(Duration, Note)>>>,
}

impl Log {
    pub(crate) fn new(clock: Arc<TestClock>) -> Self {
        Self { clock, notes: Arc::default() }
    }

    fn note(&self, note: Note) {
        self.notes.lock().expect("no holder panics").push((self.clock.elapsed(), note));
    }

    pub(crate) fn take(&self) -> Vec<(Duration, Note)> {
        std::mem::take(&mut self.notes.lock().expect("no holder panics"))
    }
}

/// One call of the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Call {
    pub(crate) row: u64,
    pub(crate) variant: u8,
    pub(crate) attempt: u32,
}

/// What the provider does with a call: after how long it answers, how, and what it really charges.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Play {
    pub(crate) after: Duration,
    pub(crate) reply: Reply,
    pub(crate) charge: NanoUsd,
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Image,
    NotAnImage,
    Throttled(Duration),
    Failed(FailureClass),
    NotKept,
    NotSent(io::ErrorKind),
    Panic,
}

impl Reply {
    pub(crate) const SERVER_ERROR: Self =
        Self::Failed(FailureClass::ServerError { status: 503, retry_after: None });
    pub(crate) const TIMED_OUT: Self =
        Self::Failed(FailureClass::TimedOut { after: Duration::from_secs(10) });
    pub(crate) const BAD_REQUEST: Self = Self::Failed(FailureClass::Invalid { status: 422 });
    pub(crate) const REFUSED: Self = Self::Failed(FailureClass::Refused {
        status: 400,
        stage: RefusalStage::Input,
        charge: Charge::Free,
    });
}

/// How the provider plays.
pub(crate) type Script = Arc<dyn Fn(Call) -> Play + Send + Sync>;

pub(crate) struct FakeProvider {
    pub(crate) script: Script,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) log: Log,
}

impl std::fmt::Debug for FakeProvider {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("FakeProvider")
    }
}

/// Notes the end of a call even when its future is dropped.
struct Out<'a>(&'a Log, Call);

impl Drop for Out<'_> {
    fn drop(&mut self) {
        self.0.note(Note::Ended(self.1));
    }
}

#[async_trait]
impl ImageProvider for FakeProvider {
    async fn generate(
        &self,
        attempt: &Attempt<'_>,
        body: &mut dyn ImageBody,
    ) -> Result<Generation, ProviderError> {
        let Attempt { request, number: attempt, .. } = *attempt;
        let row = request.scene_id.as_str().trim_start_matches("S-").parse().expect("a number");
        let call = Call { row, variant: request.variant, attempt };
        self.log.note(Note::Called(call));
        let _out = Out(&self.log, call);
        let play = (self.script)(call);
        if play.charge > NanoUsd::ZERO {
            self.log.note(Note::Charged(call, play.charge));
        }
        self.clock.sleep(play.after).await;
        let bytes = match play.reply {
            Reply::Image => PICTURE,
            Reply::NotAnImage => b"no picture",
            Reply::Throttled(retry_after) => {
                let class = FailureClass::RateLimited { retry_after: Some(retry_after) };
                return Err(ExchangeFailure::new(class).into());
            }
            Reply::Failed(class) => return Err(ExchangeFailure::new(class).into()),
            Reply::NotKept => {
                return Err(ProviderError::NotKept { source: full("images/a.part") });
            }
            Reply::NotSent(kind) => {
                let name = "https://a.example/x.png".to_owned();
                return Err(ProviderError::NotSent { name, source: kind.into() });
            }
            Reply::Panic => panic!("the provider panics, as the test asked"),
        };
        body.write(Bytes::from_static(bytes))
            .await
            .map_err(|source| ProviderError::NotKept { source })?;
        let (cost, cost_source) = (play.charge, CostSource::Reported);
        Ok(Generation { cost, cost_source, request_id: None, n_extra: 0, date: None })
    }
}

/// A disk that is full.
pub(crate) fn full(path: &str) -> ImageStoreError {
    let source = io::Error::from(io::ErrorKind::StorageFull);
    ImageStoreError::Io { path: PathBuf::from(path), source }
}

/// How the keeper of images fails, from its n-th call on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ImageFaults {
    pub(crate) begin_from: Option<usize>,
    pub(crate) finish_from: Option<usize>,
    pub(crate) persist_from: Option<usize>,
    pub(crate) persist_panics: bool,
    /// The scene whose image is refused when it is to be made durable.
    pub(crate) persist_refuses: Option<&'static str>,
    /// How long a finished image waits for company.
    pub(crate) linger: Duration,
    /// How long the opening of a file takes.
    pub(crate) begin_takes: Duration,
    /// What is seen of every image.
    pub(crate) looks: Option<Sight>,
}

#[derive(Debug)]
pub(crate) struct FakeImages {
    pub(crate) clock: Arc<TestClock>,
    pub(crate) faults: ImageFaults,
    pub(crate) counts: [AtomicUsize; 3],
    pub(crate) persisted: Mutex<Vec<Sidecar>>,
}

impl FakeImages {
    pub(crate) fn new(clock: Arc<TestClock>, faults: ImageFaults) -> Arc<Self> {
        let counts = Default::default();
        Arc::new(Self { clock, faults, counts, persisted: Mutex::default() })
    }

    fn fails(&self, count: usize, from: Option<usize>) -> bool {
        let nth = self.counts[count].fetch_add(1, Ordering::SeqCst) + 1;
        from.is_some_and(|from| nth >= from)
    }
}

struct FakeWriter {
    name: String,
    bytes: Vec<u8>,
    finish_fails: bool,
}

#[async_trait]
impl ImageStore for FakeImages {
    async fn begin(&self, name: ImageName) -> Result<Box<dyn ImageWriter>, ImageStoreError> {
        self.clock.sleep(self.faults.begin_takes).await;
        if self.fails(0, self.faults.begin_from) {
            return Err(full(&name.to_string()));
        }
        let finish_fails = self.fails(1, self.faults.finish_from);
        let name = format!("images/{name}.png");
        Ok(Box::new(FakeWriter { name, bytes: Vec::new(), finish_fails }))
    }

    async fn persist(
        &self,
        finished: Vec<(StoredImage, Sidecar)>,
    ) -> Vec<Result<(), ImageStoreError>> {
        assert!(!self.faults.persist_panics, "persist panics, as the test asked");
        let all_fail = self.fails(2, self.faults.persist_from);
        let each = finished.into_iter().map(|(_, sidecar)| {
            if all_fail || self.faults.persist_refuses == Some(sidecar.scene_id.as_str()) {
                return Err(full("images"));
            }
            self.persisted.lock().expect("no holder panics").push(sidecar);
            Ok(())
        });
        each.collect()
    }

    async fn look(&self, _: &StoredImage, _: bool) -> Option<Sight> {
        self.faults.looks
    }

    fn linger(&self) -> Duration {
        self.faults.linger
    }
}

#[async_trait]
impl ImageBody for FakeWriter {
    async fn write(&mut self, chunk: Bytes) -> Result<(), ImageStoreError> {
        self.bytes.extend_from_slice(&chunk);
        Ok(())
    }

    async fn extra(&mut self) -> Result<(), ImageStoreError> {
        Ok(())
    }
}

#[async_trait]
impl ImageWriter for FakeWriter {
    async fn finish(self: Box<Self>) -> Result<StoredImage, ImageStoreError> {
        if self.finish_fails {
            return Err(full(&self.name));
        }
        if self.bytes != PICTURE {
            return Err(ImageStoreError::NotAnImage { kept: PathBuf::from("raw/kept.bin") });
        }
        Ok(StoredImage {
            path: PathBuf::from(self.name),
            kind: ImageKind::Png,
            n_bytes: self.bytes.len() as u64,
            sha256: Sha256Digest::of(&self.bytes),
            pixels: None,
        })
    }

    async fn keep(self: Box<Self>, answer: Bytes) -> Result<Vec<PathBuf>, ImageStoreError> {
        let came = !answer.is_empty() || !self.bytes.is_empty();
        Ok(came.then(|| PathBuf::from("raw/kept.json")).into_iter().collect())
    }

    async fn discard(self: Box<Self>) {}
}

/// A journal in memory that can fail.
#[derive(Debug, Default)]
pub(crate) struct FakeJournal {
    pub(crate) kept: Arc<Mutex<Vec<RunEvent>>>,
    pub(crate) fails_at: Option<usize>,
    pub(crate) appends: usize,
}

#[async_trait]
impl JournalStore for FakeJournal {
    async fn append(&mut self, events: &[Stamped]) -> Result<(), JournalError> {
        self.appends += 1;
        if self.fails_at == Some(self.appends) {
            let source = io::Error::from(io::ErrorKind::StorageFull);
            return Err(JournalError { path: "journal.jsonl".into(), source });
        }
        let events = events.iter().map(|stamped| stamped.event.clone());
        self.kept.lock().expect("no holder panics").extend(events);
        Ok(())
    }
}

/// How the ledger's store behaves.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LedgerFaults {
    /// The commit that fails, from 1.
    pub(crate) commit: Option<usize>,
    /// How long a commit takes.
    pub(crate) takes: Duration,
    /// The commit after which the wall clock jumps.
    pub(crate) jump: Option<(usize, SignedDuration)>,
}

/// A real store whose commits are noted, and that can fail.
#[derive(Debug)]
pub(crate) struct FakeLedger {
    pub(crate) inner: Box<dyn LedgerStore>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) log: Log,
    pub(crate) faults: LedgerFaults,
    pub(crate) commits: usize,
}

#[async_trait]
impl LedgerStore for FakeLedger {
    async fn begin(&mut self) -> Result<CatchUp, StoreError> {
        self.inner.begin().await
    }

    async fn commit(&mut self, records: &[Record]) -> Result<(), StoreError> {
        self.commits += 1;
        self.clock.sleep(self.faults.takes).await;
        if self.faults.commit == Some(self.commits) {
            let source = io::Error::from(io::ErrorKind::StorageFull);
            return Err(StoreError::Io { step: "sync", path: "0001.jsonl".into(), source });
        }
        self.inner.commit(records).await?;
        records.iter().for_each(|record| self.log.note(Note::Kept(record.kind.clone())));
        if let Some((commit, by)) = self.faults.jump
            && commit == self.commits
        {
            self.clock.shift(by);
        }
        Ok(())
    }

    async fn abandon(&mut self) -> Result<(), StoreError> {
        self.inner.abandon().await
    }

    async fn dead_owners(&mut self, owners: Vec<OwnerId>) -> Result<Vec<OwnerId>, StoreError> {
        self.inner.dead_owners(owners).await
    }

    async fn retire(&mut self) -> Result<(), StoreError> {
        self.inner.retire().await
    }

    fn manners(&self) -> Manners {
        self.inner.manners()
    }
}
