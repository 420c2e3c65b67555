//! The planning pass: reads every row once, prices it, and makes the plan. Nothing is sent.

use jiff::Timestamp;

use crate::adapters::output::kept::KeptImages;
use crate::adapters::rows::{ReadOptions, RowSource};
use crate::cli::layers::Layers;
use crate::commands::failure::Failure;
use crate::commands::ledger_access;
use crate::commands::reference_parts::{ReferencePlaces, refresher};
use crate::commands::rows_input::{input_of, rows_failure};
use crate::commands::run::going_on::GoingOn;
use crate::commands::run::going_on::which::find_going_on;
use crate::commands::run::names::check_names;
use crate::commands::run::objections::{check_gates, refuse_unpriced};
use crate::commands::run::pass::Pass;
use crate::commands::run::passes::{Passes, Read};
use crate::commands::run::planned::Planned;
use crate::commands::run::reference_check::missing_stores;
use crate::commands::world::World;
use crate::domain::ids::RunId;
use crate::domain::price::PriceBook;
use crate::domain::row_format::RowFormat;
use crate::domain::settings::RunSettings;
use crate::exit::Exit;

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
    /// The run, unless these rows go on with one.
    pub(super) run_id: RunId,
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
    let rows_sha256 = match ask.binds {
        true => source.sha256().map_err(failed)?,
        false => String::new(),
    };
    let mut going_on = find_going_on(world, ask, &rows_sha256, &money)?;
    let of_run = match &going_on {
        Some(run) => Some(ledger_access::view_of_run(money.clone(), &run.ledger, ask.now)?),
        None => None,
    };
    let kept = kept_images(world, settings, going_on.as_ref())?;
    let passes = Passes {
        world,
        ask,
        money: &money,
        of_run: of_run.as_ref(),
        refresher: &*refresher,
        local: &reference_places.local,
        kept: kept.as_ref(),
        seen: KeptImages::default(),
    };
    let Read { pass, freshness, twins } = passes.read(&mut source, &mut going_on)?;
    let Pass { index, batch, bad, lives, stores } = pass;
    bad.finish(u64::from(index.len()))?;
    let batch = batch.map_err(|error| Failure::new(Exit::Invalid, error))?;
    if let Some(problem) = problem.filter(|_| batch.url_references() > 0) {
        return Err(problem);
    }
    refuse_unpriced(&batch)?;
    let done = going_on.iter().flat_map(|run| run.left.fates.keys().copied());
    check_gates(settings, &batch, done.chain(twins.positions()))?;
    check_names(ask, going_on.as_ref(), &batch, &source, &index)?;
    let money = of_run.filter(|_| going_on.is_some()).unwrap_or(money);
    let n_bad = index.n_bad();
    let reader = source.reader(&index).map_err(failed)?;
    Ok(Planned {
        batch,
        reader,
        source: Some(source),
        n_bad,
        reference_places,
        lives,
        missing_stores: missing_stores(world, settings, &stores),
        freshness,
        refresher,
        rows_sha256,
        money,
        going_on,
        twins,
    })
}

/// The images that earlier runs have kept, when they are to be taken from there.
fn kept_images(
    world: &World,
    settings: &RunSettings,
    going_on: Option<&GoingOn>,
) -> Result<Option<KeptImages>, Failure> {
    let own = going_on.map(|run| run.folder.path());
    let kept = settings.reuse.then(|| KeptImages::of_runs(&world.path(&settings.out), own));
    kept.transpose().map_err(|error| Failure::new(Exit::Environment, error))
}
