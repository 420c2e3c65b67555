//! From the plan to the run: a rehearsal at once, a live run once nothing speaks against it.

use crate::cli::layers::Layers;
use crate::commands::failure::Failure;
use crate::commands::run::flow::Start;
use crate::commands::run::folder::{name, run_folder};
use crate::commands::run::going_on::begin::{News, nothing_left};
use crate::commands::run::hand_over::finish;
use crate::commands::run::late::LateRows;
use crate::commands::run::planned::Planned;
use crate::commands::run::report::Header;
use crate::commands::run::reports::Asks;
use crate::commands::run::shows::{Shown, Shows};
use crate::commands::run::told::{Listener, Told};
use crate::commands::run::works::spec_of;
use crate::commands::run::{conclude, launch, live, plan_document, rejected_file, report, verdict};
use crate::commands::world::World;
use crate::domain::plan::Plan;
use crate::domain::report::RunReport;
use crate::domain::row::Row;
use crate::domain::settings::{Mode, RunSettings};
use crate::exit::Exit;
use crate::ports::sink::EventSink;

/// Runs a plan.
pub(super) fn start(
    world: &World,
    header: &mut Header,
    layers: &Layers,
    mut settings: RunSettings,
    mut planned: Planned,
    plan: &Plan,
    shows: &Shows,
) -> Result<RunReport, Failure> {
    if plan.rows.accepted == 0 {
        let reason = verdict::no_rows(plan);
        return Ok(report::refused(header, Some(plan), Exit::NoRows, &reason));
    }
    let late = LateRows::default();
    // A run that goes on is read back from its journal, which has what was told before.
    let listener = Listener::default();
    let listens = match header.mode {
        Mode::DryRun => shows.reports.is_asked(),
        Mode::Live => planned.going_on.is_none(),
    };
    let mut views = late.with_views(world, header.format);
    if listens {
        views.push(Box::new(listener.clone()));
    }
    let mut begin = begin(header, &settings, &planned, plan, (shows, views));
    if header.mode == Mode::DryRun {
        return rehearse(world, header, &settings, planned, plan, shows, (begin, late, listener));
    }
    let mut source = planned.source.take();
    if let Some(past) = nothing_left(&settings, &mut planned)? {
        let folder = planned.going_on.as_ref().expect("it has a past").folder.path();
        rejected_file::settle(world, header, &mut settings, folder, source.as_ref())
            .map_err(|error| Failure::new(Exit::Environment, error))?;
        name(header, &settings, &planned);
        let report = conclude::again(header, &settings, plan, &past);
        let places = (folder, &*planned.ledger_of(folder));
        let told = Told::of_journal(folder)?;
        let (batch, twins) = (&planned.batch, &planned.twins.names());
        let ended = Shown { world, settings: &settings, batch, report: &report, twins };
        ended.show(shows, source.as_ref(), &planned.reader.index(), places, told);
        return Ok(finish(world, &settings, folder, report));
    }
    let key = live::prepare(world, layers, &settings, plan, &planned)?;
    let folder = run_folder(world, header, &mut settings, plan, &mut planned, source.as_ref())?;
    name(header, &settings, &planned);
    let ready =
        launch::prepare(world, &settings, &mut planned, begin.now, key, (&folder, begin.run_id));
    let (runtime, parts) = ready.inspect_err(|_| {
        // Nothing was sent, so the same command may be tried again.
        folder.abandon();
        header.folder = None;
    })?;
    begin.folder = Some(folder.path().to_owned());
    let (batch, index) = (planned.batch.clone(), planned.reader.index());
    let twins = planned.twins.names();
    let ledger = planned.ledger_of(folder.path());
    let ended = launch::execute(runtime, settings.clone(), planned, begin, parts)?;
    let report = conclude::ended(header, &settings, plan, ended);
    late.write(world, &settings, source.as_mut());
    let told = if listens { listener.take() } else { Told::of_journal(folder.path())? };
    let twins = &twins;
    let ended = Shown { world, settings: &settings, batch: &batch, report: &report, twins };
    ended.show(shows, source.as_ref(), &index, (folder.path(), &ledger), told);
    Ok(finish(world, &settings, folder.path(), report))
}

/// What the run is started with; its folder is not known yet.
fn begin(
    header: &Header,
    settings: &RunSettings,
    planned: &Planned,
    plan: &Plan,
    (shows, views): (&Shows, Vec<Box<dyn EventSink>>),
) -> Start {
    Start {
        run_id: planned.going_on.as_ref().map_or(header.run_id, |run| run.run_id),
        identity: plan_document::identity(settings, &plan.bound.rows_sha256),
        now: header.started_at,
        progress: shows.progress,
        views,
        news: News::default(),
        folder: None,
    }
}

/// Rehearses a plan, and writes the reports that are asked for.
fn rehearse(
    world: &World,
    header: &Header,
    settings: &RunSettings,
    mut planned: Planned,
    plan: &Plan,
    shows: &Shows,
    (begin, late, listener): (Start, LateRows, Listener),
) -> Result<RunReport, Failure> {
    let mut source = planned.source.take();
    let index = planned.reader.index();
    // Only reports need the rows again; a rehearsal of a million keeps no copy for nothing.
    let batch = shows.reports.is_asked().then(|| planned.batch.clone());
    let ended = launch::rehearse(settings.clone(), planned, begin)?;
    let report = conclude::ended(header, settings, plan, ended);
    late.write(world, settings, source.as_mut());
    if let Some(batch) = batch {
        let asks = |position, row: &Row| spec_of(settings, &batch, position, row);
        let rows = source.as_ref().map(|it| (it, &index, &asks as &Asks<'_>));
        shows.reports.of_rehearsal(world, plan, &report, listener.take().picture, rows);
    }
    Ok(report)
}
