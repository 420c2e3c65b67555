//! The planning pass: reads every row once, prices it, and makes the plan. Nothing is sent.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use crate::adapters::rows::{self, FileRowReader, ReadOptions, RowInput, RowSource};
use crate::cli::layers::Layers;
use crate::commands::failure::Failure;
use crate::commands::ledger_access;
use crate::commands::money_view::MoneyView;
use crate::commands::run::bad_rows::BadRows;
use crate::commands::run::objections::{check_gates, objection, refuse_unpriced, row_objection};
use crate::commands::world::World;
use crate::domain::batch::{Batch, Planner};
use crate::domain::gate::GateBook;
use crate::domain::measure::{Frame, Measure};
use crate::domain::money::NanoUsd;
use crate::domain::price::PriceBook;
use crate::domain::row_format::RowFormat;
use crate::domain::settings::{RowsInput, RunSettings};
use crate::exit::Exit;

/// How standard input is named.
const STDIN: &str = "standard input";

/// What the planning pass found.
pub(super) struct Planned {
    /// The good rows, their order and their cost.
    pub(super) batch: Batch,
    /// Reads them again.
    pub(super) reader: FileRowReader,
    /// Rows of the input that are not good.
    pub(super) n_bad: u64,
    /// The folder in which local references are looked for.
    pub(super) references_below: PathBuf,
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

/// Reads and prices every row.
pub(super) fn plan(world: &World, ask: &PlanningAsk<'_>) -> Result<Planned, Failure> {
    let settings = ask.settings;
    let money = ledger_access::view(world, ask.layers, settings, ask.now)?;
    let (input, references_below) = input(world, &settings.rows);
    let options = ReadOptions { format: ask.format, spool_folder: None };
    let mut source =
        RowSource::open(&input, &options).map_err(|error| rows_failure(world, error))?;
    let mut planner = Planner::new(ask.book, money.day, &settings.spec, settings.canary.as_ref());
    let mut bad = BadRows::new(world, settings, source.shape().clone());
    let index = source
        .index(
            &mut |brief| match row_objection(settings, &brief) {
                Some(objection) => Err(objection),
                None => planner.add(&brief).map_err(|it| objection(&it)),
            },
            &mut |row| bad.take(&row),
        )
        .map_err(|error| rows_failure(world, error))?;
    let n_good = u64::from(index.len());
    bad.finish(n_good)?;
    let mut batch = planner
        .finish(settings.canary.as_ref())
        .map_err(|error| Failure::new(Exit::Invalid, error))?;
    refuse_unpriced(&batch)?;
    check_gates(&settings.gates, &batch)?;
    if settings.fit_budget {
        let mut room = money.room();
        room.all = room.all.min(settings.limit_per_run.unwrap_or(NanoUsd::MAX));
        batch.fit(&room).map_err(|error| Failure::new(Exit::Invalid, error))?;
    }
    let rows_sha256 = match ask.binds {
        true => source.sha256().map_err(|error| rows_failure(world, error))?,
        false => String::new(),
    };
    let index = Arc::new(index);
    let reader = source.reader(&index).map_err(|error| rows_failure(world, error))?;
    Ok(Planned { batch, reader, n_bad: index.n_bad(), references_below, rows_sha256, money })
}

/// The input as the reader wants it, and the folder of its local references.
fn input(world: &World, rows: &RowsInput) -> (RowInput, PathBuf) {
    match rows {
        RowsInput::Stdin => (RowInput::Stdin, world.invocation.cwd.clone()),
        RowsInput::File(path) => {
            let full = world.path(path);
            let folder = full.parent().map_or_else(|| world.invocation.cwd.clone(), Path::to_owned);
            (RowInput::Path(path.clone()), folder)
        }
    }
}

/// The name of the input as it is shown.
pub(super) fn input_name(rows: &RowsInput) -> String {
    match rows {
        RowsInput::Stdin => STDIN.to_owned(),
        RowsInput::File(path) => path.display().to_string(),
    }
}

fn rows_failure(world: &World, error: rows::Error) -> Failure {
    match error {
        rows::Error::Input(diagnostic) => {
            let picture =
                crate::report::diagnostic::render(&diagnostic, world.printer.color_stderr());
            Failure::new(Exit::Invalid, diagnostic.title.clone()).with_picture(picture)
        }
        rows::Error::Io { .. } => Failure::new(Exit::Invalid, error),
    }
}
