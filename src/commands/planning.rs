//! The planning pass: reads every row once, prices it, and makes the plan. Nothing is sent.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use crate::adapters::rows::{FileRowReader, ReadOptions, RejectedWriter, RowInput, RowSource};
use crate::cli::layers::Layers;
use crate::commands::failure::{Failure, FileError};
use crate::commands::ledger_access::{self, MoneyView};
use crate::commands::world::World;
use crate::domain::batch::{Batch, Planner};
use crate::domain::diagnostic::BadRowTally;
use crate::domain::gate::{Gate, StaticContext};
use crate::domain::price::PriceBook;
use crate::domain::row_format::RowFormat;
use crate::domain::settings::{OnBadRow, RowsInput, RunSettings};
use crate::exit::Exit;
use crate::report::diagnostic::render_tally;

/// The most bad rows whose place is remembered for the picture; all are counted.
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
    let mut source = RowSource::open(&input, &options).map_err(|error| rows_failure(world, error))?;
    let mut planner = Planner::new(ask.book, money.day, &settings.spec, settings.canary.as_ref());
    let mut bad = BadRows::new(world, settings)?;
    let shape = source.shape().clone();
    let index = source
        .index(&mut |brief| planner.add(&brief).map_err(|it| it.into_refusal()), &mut |row| {
            bad.take(&shape, &row);
        })
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
}

impl<'a> BadRows<'a> {
    fn new(world: &'a World, settings: &RunSettings) -> Result<Self, Failure> {
        Ok(Self {
            world,
            on_bad_row: settings.on_bad_row,
            tally: BadRowTally::default(),
            path: settings.rejected.as_ref().map(|path| world.path(path)),
            writer: None,
            problem: None,
        })
    }

    fn take(
        &mut self,
        shape: &crate::adapters::rows::RecordShape,
        row: &crate::adapters::rows::BadRow,
    ) {
        self.tally.add(&row.first);
        let Some(path) = &self.path else { return };
        if self.problem.is_some() {
            return;
        }
        let written = match &mut self.writer {
            Some(writer) => writer.write(row),
            None => RejectedWriter::create(path, shape).and_then(|mut writer| {
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
            return Err(Failure::new(Exit::Environment, FileError { action: "write", path, source }));
        }
        if self.tally.n_rows == 0 {
            return Ok(());
        }
        let picture = render_tally(&self.tally, self.world.printer.color_stderr());
        let n_bad = self.tally.n_rows;
        let text = format!("{n_bad} of {} rows cannot be used", n_bad + n_good);
        match self.on_bad_row {
            OnBadRow::Skip => {
                self.world.printer.say(&picture);
                self.world.printer.warn(&format!("{text}; the run goes on without them"));
                Ok(())
            }
            OnBadRow::Stop => {
                let fix = match &self.path {
                    Some(path) => format!("the rows stand in {} with the reason", path.display()),
                    None => "--rejected FILE writes them out with the reason".to_owned(),
                };
                Err(Failure::new(Exit::Invalid, text).with_picture(picture).with_hint(format!(
                    "{fix}; --on-bad-row skip goes on with the other {n_good}"
                )))
            }
        }
    }
}

fn rows_failure(world: &World, error: crate::adapters::rows::Error) -> Failure {
    use crate::adapters::rows::Error;
    match error {
        Error::Input(diagnostic) => {
            let picture =
                crate::report::diagnostic::render(&diagnostic, world.printer.color_stderr());
            Failure::new(Exit::Invalid, diagnostic.title.clone()).with_picture(picture)
        }
        Error::Io { .. } => Failure::new(Exit::Invalid, error),
    }
}

/// Rows whose price nobody knows are not run, not even in rehearsal: the plan would lie.
fn refuse_unpriced(batch: &Batch) -> Result<(), Failure> {
    let mut unpriced = batch.classes().iter().filter(|class| class.n_rows > 0).filter_map(|class| {
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
