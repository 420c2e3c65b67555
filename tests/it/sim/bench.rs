//! The bench: one run of the real pipeline between the fakes, described by what is special in it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use imagemill::adapters::ledger::directory::DirectoryLedger;
use imagemill::adapters::ledger::memory::MemoryLedger;
use imagemill::adapters::system::SeededEntropy;
use imagemill::domain::batch::{Batch, Planner};
use imagemill::domain::fetch::FetchSettings;
use imagemill::domain::gate::{Gate, GateBook};
use imagemill::domain::history::Only;
use imagemill::domain::ids::SceneId;
use imagemill::domain::ledger::Ceilings;
use imagemill::domain::measure::{Frame, Measure};
use imagemill::domain::money::NanoUsd;
use imagemill::domain::pace::Rates;
use imagemill::domain::price::PriceBook;
use imagemill::domain::reference::Reference;
use imagemill::domain::reference_plan::UrlLives;
use imagemill::domain::request::ImageSpec;
use imagemill::domain::row::{CanaryChoice, Row, RowBrief, RowOptions, RowWants, Variants};
use imagemill::domain::settings::{
    Consent, Mode, OnBadRow, PaidRetries, PaidRetryOn, RowsInput, RunSettings,
};
use imagemill::domain::signed_url::lifetime;
use imagemill::domain::sim::SimSpec;
use imagemill::pipeline::context::{Advice, FirstAttempts, Overruns, RunContext};
use imagemill::pipeline::event_task::EventTask;
use imagemill::pipeline::lane::Lane;
use imagemill::pipeline::ledger_task::{self, TaskOptions};
use imagemill::pipeline::outlook::Outlook;
use imagemill::pipeline::persist::PersistHandle;
use imagemill::pipeline::reference_pool::ReferencePool;
use imagemill::pipeline::stop::{Stop, StopReason};
use imagemill::ports::clock::Clock;
use imagemill::ports::images::ImageStore;
use imagemill::ports::ledger::LedgerStore;
use imagemill::ports::rows::{RowReadError, RowReader};
use imagemill::ports::sink::EventSink;
use jiff::civil::date;
use jiff::{SignedDuration, Timestamp};

use crate::ledger::support::{self, TestClock, cents};
use crate::sim::fakes::{
    Call, FakeImages, FakeJournal, FakeLedger, FakeProvider, ImageFaults, LedgerFaults, Log, Play,
    Reply, Script,
};
use crate::sim::ran::Ran;
use crate::sim::reference_fakes::{Place, Signer, signed};

/// One image costs four cents, or at worst ten; the dear model thirty, or at worst forty.
const PRICES: &str = "schema = 1\n\
    [sim.m]\ndefault = true\nest_per_image.\"64x64\" = 0.04\nmax_per_image.\"64x64\" = 0.10\n\
    [sim.dear]\nest_per_image.\"64x64\" = 0.30\nmax_per_image.\"64x64\" = 0.40\n";

/// What is expected of an image of the usual model.
pub(crate) const EXPECTED: NanoUsd = NanoUsd::from_nanos(40_000_000);

/// The longest that a run may take in virtual time; one that hangs fails here at once.
const FOREVER: Duration = Duration::from_hours(24 * 400);

/// Something that is done to a run from outside.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Drain,
    Abort,
    /// Sets the wall clock.
    Jump(SignedDuration),
    /// Looks how many permits of the lane are free.
    Look,
}

/// The references of the rows of a run: one for each, whose address ends.
#[derive(Clone, Debug)]
pub(crate) struct References {
    /// How long the addresses live from the start of the run.
    pub(crate) life: Duration,
    /// Whether somebody signs them anew.
    pub(crate) has_signer: bool,
    /// Rows that are not run, by position; ascending.
    pub(crate) skip: Vec<u32>,
}

/// A run.
#[derive(Clone)]
pub(crate) struct Bench {
    pub(crate) rows: u32,
    pub(crate) variants: fn(u32) -> u8,
    pub(crate) is_dear: fn(u32) -> bool,
    pub(crate) concurrency: u32,
    pub(crate) rates: Rates,
    pub(crate) timeout: Duration,
    pub(crate) limit: NanoUsd,
    pub(crate) per_run: Option<NanoUsd>,
    pub(crate) paid_retries: PaidRetries,
    pub(crate) script: Script,
    pub(crate) folder: Option<PathBuf>,
    pub(crate) seed: u64,
    pub(crate) journal_fails_at: Option<usize>,
    pub(crate) images: ImageFaults,
    pub(crate) image_folder: Option<Arc<dyn ImageStore>>,
    pub(crate) ledger: LedgerFaults,
    pub(crate) acts: Vec<(Duration, Act)>,
    pub(crate) gates: Vec<Gate>,
    pub(crate) view_panics: bool,
    pub(crate) references: Option<References>,
}

impl Bench {
    /// Rows of one image each, eight at a time, that all succeed after ten seconds.
    pub(crate) fn new(rows: u32) -> Self {
        Self {
            rows,
            variants: |_| 1,
            is_dear: |_| false,
            concurrency: 8,
            rates: Rates::default(),
            timeout: Duration::from_hours(24),
            limit: NanoUsd::from_dollars(1_000),
            per_run: None,
            paid_retries: PaidRetries {
                share: Some("5".parse().expect("a percentage")),
                attempts: 2,
                on: vec![PaidRetryOn::ServerError],
            },
            script: Arc::new(|_| image()),
            folder: None,
            seed: 7,
            journal_fails_at: None,
            images: ImageFaults::default(),
            image_folder: None,
            ledger: LedgerFaults::default(),
            acts: Vec::new(),
            gates: Vec::new(),
            view_panics: false,
            references: None,
        }
    }

    pub(crate) fn plays(mut self, script: impl Fn(Call) -> Play + Send + Sync + 'static) -> Self {
        self.script = Arc::new(script);
        self
    }

    /// Runs it on a paused clock, and checks what must hold of every run.
    pub(crate) fn run(self) -> Ran {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().start_paused(true).build().expect("a runtime");
        let (concurrency, limit) = (self.concurrency, self.limit);
        let is_ledger_sound = self.ledger.commit.is_none();
        let ran = runtime
            .block_on(async { tokio::time::timeout(FOREVER, self.work()).await })
            .expect("the run hangs: nothing is left that could wake it");
        ran.check(concurrency, limit, is_ledger_sound);
        ran
    }

    async fn work(self) -> Ran {
        let clock = TestClock::new();
        let log = Log::new(Arc::clone(&clock));
        let stop = Arc::new(Stop::default());
        let settings = self.settings();
        let batch = self.batch(&settings.spec);
        let frame = Frame { rows: u64::from(self.rows), ..Frame::default() };
        let book = GateBook::new(self.gates.clone(), u64::from(self.rows), batch.whole().images);
        let measure = Arc::new(Mutex::new(Measure::new(book, frame)));
        let journal = FakeJournal { fails_at: self.journal_fails_at, ..FakeJournal::default() };
        let kept = Arc::clone(&journal.kept);
        let task = EventTask {
            clock: clock.clone(),
            journal: Some(Box::new(journal)),
            views: self.views(),
            measure: Arc::clone(&measure),
            stop: Arc::clone(&stop),
            seq: 0,
        };
        let (events, event_task) = task.spawn();
        let (ledger, ledger_task) = self.ledger(&clock, &log).await;
        let fakes = FakeImages::new(clock.clone(), self.images);
        let images = self.image_folder.clone().unwrap_or_else(|| fakes.clone());
        let (persist, persist_task) =
            PersistHandle::spawn(images.clone(), events.clone(), stop.clone(), clock.clone());
        let allowance = settings.paid_retries.allowance(batch.chosen().images);
        let cx = Arc::new(RunContext {
            run_id: support::run(),
            lane: Lane::new(self.concurrency, &self.rates),
            overruns: Overruns::default(),
            advice: Advice { key: "check the key".to_owned() },
            first_attempts_left: FirstAttempts::new(batch.chosen().maximum),
            past: BTreeMap::new(),
            paid_retries_left: AtomicU64::new(allowance),
            settings,
            batch,
            clock: clock.clone(),
            entropy: Arc::new(SeededEntropy::new(self.seed)),
            provider: Arc::new(self.provider(&clock, &log)),
            references: self.pool(&clock),
            images,
            ledger: ledger.clone(),
            events: events.clone(),
            persist,
            stop: Arc::clone(&stop),
        });
        let free_permits = self.act(&clock, &cx);
        self.feed(&cx).await;
        drop(cx);
        let persist_ended = persist_task.await;
        let closing = ledger.shutdown().await;
        ledger_task.await.expect("the ledger task does not panic");
        events.flush().await;
        drop(events);
        event_task.await.expect("the event task does not panic");
        let stats = measure.lock().expect("no holder panics").stats().clone();
        Ran {
            notes: log.take(),
            events: std::mem::take(&mut *kept.lock().expect("no holder panics")),
            reasons: stop.reasons(),
            stats,
            closing,
            sidecars: std::mem::take(&mut *fakes.persisted.lock().expect("no holder panics")),
            elapsed: clock.elapsed(),
            is_persist_sound: persist_ended.is_ok(),
            free_permits: std::mem::take(&mut *free_permits.lock().expect("no holder panics")),
        }
    }

    /// When the runs of benches start by the wall clock.
    pub(crate) fn started_at(&self) -> Timestamp {
        support::START.parse().expect("a time")
    }

    fn provider(&self, clock: &Arc<TestClock>, log: &Log) -> FakeProvider {
        let script = Arc::clone(&self.script);
        FakeProvider { script, clock: clock.clone(), log: log.clone() }
    }

    fn pool(&self, clock: &Arc<TestClock>) -> Arc<ReferencePool> {
        let has_signer = self.references.as_ref().is_some_and(|it| it.has_signer);
        let signer = if has_signer { Signer::new(clock) } else { Signer::nobody(clock) };
        Arc::new(ReferencePool::new(
            FetchSettings::default(),
            Arc::new(Place::new(clock)),
            Arc::new(signer),
            clock.clone(),
            Arc::new(SeededEntropy::new(self.seed)),
        ))
    }

    /// The addresses of the rows as the planning pass would note them.
    fn lives(&self) -> UrlLives {
        let mut lives = UrlLives::default();
        let can_refresh = self.references.as_ref().is_some_and(|it| it.has_signer);
        for position in 0..self.rows {
            for reference in self.references(u64::from(position) + 1) {
                let Reference::Url(text) = reference else { continue };
                let life = lifetime(&text.parse().expect("an address"));
                lives.add(position, 0, &life, can_refresh);
            }
        }
        lives
    }

    fn references(&self, number: u64) -> Vec<Reference> {
        let Some(references) = &self.references else { return Vec::new() };
        let object = format!("https://refs.example/{number}.png");
        vec![Reference::Url(signed(&object, self.started_at(), references.life))]
    }

    async fn feed(&self, cx: &Arc<RunContext>) {
        let outlook = Outlook::new(self.lives());
        imagemill::pipeline::run(cx, &mut Rows(self.clone()), outlook).await;
    }

    fn views(&self) -> Vec<Box<dyn EventSink>> {
        if self.view_panics { vec![Box::new(PanickingView)] } else { Vec::new() }
    }

    /// Does what is done from outside; returns where the looks go.
    fn act(&self, clock: &Arc<TestClock>, cx: &Arc<RunContext>) -> Arc<Mutex<Vec<usize>>> {
        let looks: Arc<Mutex<Vec<usize>>> = Arc::default();
        for (at, act) in self.acts.clone() {
            let (clock, stop, looks) = (Arc::clone(clock), Arc::clone(&cx.stop), looks.clone());
            // The run ends when its last context is gone; nobody outside may keep one.
            let cx = Arc::downgrade(cx);
            tokio::spawn(async move {
                clock.sleep(at).await;
                match act {
                    Act::Drain => stop.drain(StopReason::Interrupted),
                    Act::Abort => stop.abort(),
                    Act::Jump(by) => clock.jump(by),
                    Act::Look => {
                        let free = cx.upgrade().map(|cx| cx.lane.free_permits());
                        looks.lock().expect("no holder panics").extend(free);
                    }
                }
            });
        }
        looks
    }

    async fn ledger(
        &self,
        clock: &Arc<TestClock>,
        log: &Log,
    ) -> (ledger_task::LedgerHandle, tokio::task::JoinHandle<()>) {
        let (owner, inner): (_, Box<dyn LedgerStore>) = match &self.folder {
            Some(folder) => {
                let how = support::open_or_create(folder, self.limit);
                let owner = how.founding.owner;
                (owner, Box::new(DirectoryLedger::open(how).await.expect("a ledger")))
            }
            None => {
                let founding = support::founding(self.limit);
                let zone = jiff::tz::TimeZone::UTC;
                (founding.owner, Box::new(MemoryLedger::new(&founding, clock.now(), &zone)))
            }
        };
        let store = FakeLedger {
            inner,
            clock: Arc::clone(clock),
            log: log.clone(),
            faults: self.ledger,
            commits: 0,
        };
        let ceilings = Ceilings { per_day: None, per_run: self.per_run };
        let options = TaskOptions { ceilings, ..support::options(owner) };
        ledger_task::spawn(Box::new(store), clock.clone(), options)
    }

    fn batch(&self, spec: &ImageSpec) -> Batch {
        let book = PriceBook::parse(PRICES, "test").expect("a price book");
        let mut planner = Planner::new(&book, date(2026, 11, 21), spec, None);
        let skipped = |position: &u32| {
            self.references.as_ref().is_some_and(|it| it.skip.binary_search(position).is_ok())
        };
        for position in (0..self.rows).filter(|position| !skipped(position)) {
            let row = self.row(position);
            let brief = RowBrief {
                number: 1,
                references: "",
                mask: "",
                scene_id: row.scene_id.as_str(),
                variants: row.variants,
                n_url_references: 0,
                n_local_references: 0,
                n_prompt_bytes: 4,
                provider: None,
                model: row.options.model.as_deref(),
                size: None,
                quality: None,
                max_cost: None,
                canary: CanaryChoice::Auto,
                wants: RowWants::default(),
            };
            planner.add(&brief).expect("a good row");
        }
        planner.finish(None).expect("a batch")
    }

    fn row(&self, position: u32) -> Row {
        let number = u64::from(position) + 1;
        let model = (self.is_dear)(position).then(|| "dear".to_owned());
        Row {
            number,
            line: number + 1,
            scene_id: SceneId::new(format!("S-{number}")),
            prompt: "a cat".to_owned(),
            variants: Variants::try_from((self.variants)(position)).expect("1 to 10"),
            references: self.references(number),
            options: RowOptions { model, ..RowOptions::default() },
            canary: CanaryChoice::Auto,
            extra: Vec::new(),
        }
    }

    fn settings(&self) -> RunSettings {
        RunSettings {
            mode: Mode::Live,
            rows: RowsInput::Stdin,
            spec: ImageSpec {
                provider: "sim".into(),
                model: "m".into(),
                size: "64x64".into(),
                quality: "q".into(),
                format: "png".into(),
                background: None,
                seed: None,
                negative_prompt: None,
            },
            base_url: None,
            rehearsal: false,
            concurrency: self.concurrency,
            rates: self.rates,
            request_timeout: Some(self.timeout),
            consent: Consent { yes: true, confirm_above: NanoUsd::MAX, confirm_cost: None },
            limit_per_day: None,
            limit_per_run: self.per_run,
            fit_budget: false,
            fetch: FetchSettings::default(),
            on_bad_row: OnBadRow::Stop,
            rejected: None,
            paid_retries: self.paid_retries.clone(),
            sim: SimSpec::default(),
            gates: self.gates.clone(),
            canary: None,
            out: PathBuf::from("out"),
            out_bucket: None,
            names: "{scene_id}-v{variant}".parse().expect("a template"),
            ledger: None,
            prices: None,
            image_checks: true,
            dedupe: false,
            reuse: false,
            fresh: false,
            resume: None,
            only: Only::DEFAULT.to_vec(),
            plan_only: false,
        }
    }
}

/// The rows of a bench.
struct Rows(Bench);

impl RowReader for Rows {
    fn read(&mut self, position: u32) -> Result<Row, RowReadError> {
        Ok(self.0.row(position))
    }

    fn raw(&mut self, position: u32) -> Result<Vec<(String, String)>, RowReadError> {
        Err(RowReadError::NoSuchRow(position))
    }
}

/// A view with a defect.
struct PanickingView;

impl EventSink for PanickingView {
    fn show(&mut self, _events: &[imagemill::domain::event::Stamped]) {
        panic!("the view panics, as the test asked");
    }
}

/// An image after ten seconds, at the expected price.
pub(crate) fn image() -> Play {
    Play { after: Duration::from_secs(10), reply: Reply::Image, charge: EXPECTED }
}

/// An answer after ten seconds that is billed at nothing.
pub(crate) fn free(reply: Reply) -> Play {
    Play { after: Duration::from_secs(10), reply, charge: NanoUsd::ZERO }
}

/// An answer after ten seconds that is billed all the same.
pub(crate) fn billed(reply: Reply) -> Play {
    Play { after: Duration::from_secs(10), reply, charge: cents(10) }
}
