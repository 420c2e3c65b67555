//! The planning pass: reads every row once, prices it, and makes the plan. Nothing is sent.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use crate::adapters::rows::{
    self, BadRow, FileRowReader, ReadOptions, RecordShape, RejectedWriter, RowInput, RowSource,
};
use crate::cli::layers::Layers;
use crate::commands::failure::{Failure, FileError};
use crate::commands::ledger_access::{self, MoneyView};
use crate::commands::world::World;
use crate::domain::batch::{self, Batch, Planner};
use crate::domain::cell::CellFault;
use crate::domain::column::Field;
use crate::domain::diagnostic::BadRowTally;
use crate::domain::gate::{Gate, StaticContext};
use crate::domain::price::PriceBook;
use crate::domain::row::RowBrief;
use crate::domain::row_format::RowFormat;
use crate::domain::settings::{Mode, OnBadRow, RowsInput, RunSettings};
use crate::exit::Exit;
use crate::report::diagnostic::render_tally;

/// How standard input is named.
const STDIN: &str = "-";

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
    /// What the ledger says.
    pub(super) money: MoneyView,
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
            &mut |brief| match url_objection(settings.mode, &brief) {
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
        let mut room = money.limit_per_day.minus_or_zero(money.exposure());
        if let Some(limit) = settings.limit_per_run {
            room = room.min(limit);
        }
        batch.fit(room).map_err(|error| Failure::new(Exit::Invalid, error))?;
    }
    let index = Arc::new(index);
    let reader = source.reader(&index).map_err(|error| rows_failure(world, error))?;
    Ok(Planned { batch, reader, n_bad: index.n_bad(), references_below, money })
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

/// Gathers bad rows: counts them, keeps a picture of the first, writes them where asked.
struct BadRows<'a> {
    world: &'a World,
    on_bad_row: OnBadRow,
    tally: BadRowTally,
    path: Option<PathBuf>,
    writer: Option<RejectedWriter>,
    problem: Option<std::io::Error>,
    shape: RecordShape,
}

impl<'a> BadRows<'a> {
    fn new(world: &'a World, settings: &RunSettings, shape: RecordShape) -> Self {
        Self {
            world,
            on_bad_row: settings.on_bad_row,
            tally: BadRowTally::default(),
            path: settings.rejected.as_ref().map(|path| world.path(path)),
            writer: None,
            problem: None,
            shape,
        }
    }

    fn take(&mut self, row: &BadRow) {
        self.tally.add(&row.first);
        let Some(path) = &self.path else { return };
        if self.problem.is_some() {
            return;
        }
        let written = match &mut self.writer {
            Some(writer) => writer.write(row),
            None => RejectedWriter::create(path, &self.shape).and_then(|mut writer| {
                writer.write(row)?;
                self.writer = Some(writer);
                Ok(())
            }),
        };
        self.problem = written.err();
    }

    fn finish(self, n_good: u64) -> Result<(), Failure> {
        let written = match (self.problem, self.writer) {
            (Some(problem), _) => Err(problem),
            (None, Some(writer)) => writer.finish().map(drop),
            (None, None) => Ok(()),
        };
        if let (Err(source), Some(path)) = (written, &self.path) {
            let path = path.display().to_string();
            return Err(Failure::new(
                Exit::Environment,
                FileError { action: "write", path, source },
            ));
        }
        if self.tally.n_rows == 0 {
            return Ok(());
        }
        let listed = self.path.as_ref().map(|path| path.display().to_string());
        let color = self.world.printer.color_stderr();
        let picture = render_tally(&self.tally, n_good, listed.as_deref(), color);
        let text =
            format!("{} of {} rows cannot be used", self.tally.n_rows, self.tally.n_rows + n_good);
        match self.on_bad_row {
            OnBadRow::Skip => {
                self.world.printer.say(picture.trim_end());
                self.world.printer.warn(&format!("{text}; the run goes on without them"));
                Ok(())
            }
            OnBadRow::Stop => Err(Failure::new(Exit::Invalid, text).with_picture(picture)),
        }
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

/// A live row is never sent without its references, and this version cannot fetch addresses.
fn url_objection(mode: Mode, brief: &RowBrief<'_>) -> Option<rows::Objection> {
    (mode == Mode::Live && brief.n_url_references > 0).then(|| rows::Objection {
        field: Field::References,
        fault: CellFault::new(
            "row.reference_urls",
            "a live run of this version cannot fetch references by URL",
            "not fetched",
            "download the reference and name the local file",
        ),
    })
}

/// An objection of the planner, as a fault of the cell that it is about.
fn objection(objection: &batch::Objection) -> rows::Objection {
    match objection {
        batch::Objection::OverMaxCost { worst, .. } => rows::Objection {
            field: Field::MaxCost,
            fault: CellFault::new(
                "row.max_cost",
                "one image may cost more than max_cost allows",
                format!("{} at worst", worst.dollars()),
                "raise max_cost, or ask for a cheaper size, quality or model",
            ),
        },
    }
}

/// Rows whose price nobody knows are not run, not even in rehearsal: the plan would lie.
fn refuse_unpriced(batch: &Batch) -> Result<(), Failure> {
    let mut unpriced =
        batch.classes().iter().filter(|class| class.n_rows > 0).filter_map(|class| {
            class.quote.as_ref().err().map(|error| (error, class.n_rows, &class.spec.provider))
        });
    let Some((error, mut n_rows, provider)) = unpriced.next() else { return Ok(()) };
    let text = error.to_string();
    let hint = format!("imagemill prices list {provider}; --prices FILE lays your own over it");
    n_rows += unpriced.map(|(_, n_rows, _)| n_rows).sum::<u64>();
    let text = format!("{text}; {n_rows} of {} rows have no price", batch.n_rows());
    Err(Failure::new(Exit::Invalid, text).with_hint(hint))
}

/// Gates that cannot be judged are refused before anything is sent.
fn check_gates(gates: &[Gate], batch: &Batch) -> Result<(), Failure> {
    let tags: Vec<_> = batch.planned_tags();
    let context = StaticContext { planned: &tags };
    for gate in gates {
        gate.check(&context).map_err(|error| {
            Failure::new(Exit::Invalid, format!("gate {:?}: {error}", gate.text()))
        })?;
    }
    Ok(())
}
