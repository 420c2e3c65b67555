//! The planning pass: reads every row once, prices it, and makes the plan. Nothing is sent.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::adapters::rows::{FileRowReader, ReadOptions, RowSource};
use crate::cli::layers::Layers;
use crate::commands::failure::Failure;
use crate::commands::ledger_access;
use crate::commands::money_view::MoneyView;
use crate::commands::reference_parts::{ReferencePlaces, refresher};
use crate::commands::rows_input::{input_of, rows_failure};
use crate::commands::run::freshness;
use crate::commands::run::objections::{check_gates, refuse_unpriced};
use crate::commands::run::pass::{Pass, PassAsk};
use crate::commands::run::reference_objections::Refused;
use crate::commands::world::World;
use crate::domain::batch::Batch;
use crate::domain::fetch::StoreKind;
use crate::domain::gate::GateBook;
use crate::domain::measure::{Frame, Measure};
use crate::domain::price::PriceBook;
use crate::domain::reference_plan::{FreshnessCounts, UrlLives};
use crate::domain::row_format::RowFormat;
use crate::domain::settings::RunSettings;
use crate::exit::Exit;
use crate::ports::references::UrlRefresher;

/// The most readings of all rows. Who leaves out the rows that come too late lets others in when a
/// budget chooses the rows; what still comes too late then is rejected when its turn comes.
const MAX_PASSES: u32 = 5;

/// What the planning pass found.
pub(super) struct Planned {
    /// The good rows, their order and their cost.
    pub(super) batch: Batch,
    /// Reads them again.
    pub(super) reader: FileRowReader,
    /// The input, until whoever writes some of its rows again takes it.
    pub(super) source: Option<RowSource>,
    /// Rows of the input that are not good.
    pub(super) n_bad: u64,
    /// Where references are read and kept.
    pub(super) reference_places: ReferencePlaces,
    /// When the addresses of references end.
    pub(super) lives: UrlLives,
    /// The kinds of stores that references are read from.
    pub(super) stores: BTreeSet<StoreKind>,
    /// How fresh they are.
    pub(super) freshness: FreshnessCounts,
    /// Who signs addresses anew.
    pub(super) refresher: Arc<dyn UrlRefresher>,
    /// The SHA-256 of the rows' bytes; empty where nothing is bound to it.
    pub(super) rows_sha256: String,
    /// What the ledger says.
    pub(super) money: MoneyView,
}

impl Planned {
    /// Counters and gates before the first event.
    pub(super) fn measure(&self, settings: &RunSettings) -> Measure {
        let batch = &self.batch;
        let book = GateBook::new(settings.gates.clone(), batch.n_rows(), batch.whole().images);
        let frame = Frame {
            rows: batch.n_rows(),
            rows_selected: batch.n_selected(),
            images_selected: batch.chosen().images,
            expected: batch.chosen().expected,
            maximum: batch.chosen().maximum,
            exposure_before: self.money.exposure(),
            limit_per_day: self.money.limit_per_day,
        };
        Measure::new(book, frame)
    }
}

/// What the planning pass needs to know.
pub(super) struct PlanningAsk<'a> {
    /// The settings of the run.
    pub(super) settings: &'a RunSettings,
    /// The layers, for the ledger's folder.
    pub(super) layers: &'a Layers,
    /// The price book.
    pub(super) book: &'a PriceBook,
    /// How the rows are written, when the user says so.
    pub(super) format: Option<RowFormat>,
    /// The present moment.
    pub(super) now: Timestamp,
    /// Whether the bytes of the rows must be known.
    pub(super) binds: bool,
}

/// Reads and prices every row; rows whose references would be dead when their turn comes are bad
/// rows as well, and then the others are planned without them.
pub(super) fn plan(world: &World, ask: &PlanningAsk<'_>) -> Result<Planned, Failure> {
    let settings = ask.settings;
    let money = ledger_access::view(world, ask.layers, settings, ask.now)?;
    let (input, folder) = input_of(world, &settings.rows);
    let reference_places = ReferencePlaces::of(world, &folder, &settings.fetch);
    let options = ReadOptions { format: ask.format, spool_folder: None };
    let failed = |error| rows_failure(world, error);
    let mut source = RowSource::open(&input, &options).map_err(failed)?;
    let (refresher, problem) = refresher(world, &settings.fetch);
    let pass_ask = PassAsk { world, ask, money: &money, refresher: &*refresher };
    let mut refused = Refused::new();
    let mut n_passes = 0;
    let (pass, freshness) = loop {
        let mut pass = Pass::run(&pass_ask, &mut source, &refused).map_err(failed)?;
        let (counts, too_late) = freshness::judge(&mut pass, ask);
        n_passes += 1;
        if too_late.is_empty() || n_passes == MAX_PASSES {
            break (pass, counts);
        }
        refused.extend(too_late);
    };
    let Pass { index, batch, bad, lives, stores } = pass;
    bad.finish(u64::from(index.len()))?;
    let batch = batch.map_err(|error| Failure::new(Exit::Invalid, error))?;
    if let Some(problem) = problem.filter(|_| batch.url_references() > 0) {
        return Err(problem);
    }
    refuse_unpriced(&batch)?;
    check_gates(&settings.gates, &batch)?;
    let rows_sha256 = match ask.binds {
        true => source.sha256().map_err(failed)?,
        false => String::new(),
    };
    let (n_bad, index) = (index.n_bad(), Arc::new(index));
    let reader = source.reader(&index).map_err(failed)?;
    Ok(Planned {
        batch,
        reader,
        source: Some(source),
        n_bad,
        reference_places,
        lives,
        stores,
        freshness,
        refresher,
        rows_sha256,
        money,
    })
}
