//! From the plan to the run: a rehearsal at once, a live run once nothing speaks against it.

use std::time::Duration;

use crate::cli::layers::Layers;
use crate::commands::failure::Failure;
use crate::commands::run::flow::Start;
use crate::commands::run::folder::run_folder;
use crate::commands::run::going_on::begin::News;
use crate::commands::run::late::LateRows;
use crate::commands::run::planned::Planned;
use crate::commands::run::report::Header;
use crate::commands::run::shows::Shows;
use crate::commands::run::{
    conclude, launch, live, plan_document, rejected_file, report, results, verdict,
};
use crate::commands::world::World;
use crate::domain::event::RunEvent;
use crate::domain::measure::Measure;
use crate::domain::plan::Plan;
use crate::domain::report::RunReport;
use crate::domain::settings::{Mode, RunSettings};
use crate::exit::Exit;

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
    let (late, reports) = (LateRows::default(), &shows.reports);
    let begin = Start {
        run_id: planned.going_on.as_ref().map_or(header.run_id, |run| run.run_id),
        identity: plan_document::identity(&settings, &plan.bound.rows_sha256),
        now: header.started_at,
        progress: shows.progress,
        views: late.with_views(world, header.format).into_iter().chain(reports.view()).collect(),
        news: News::default(),
    };
    let mut source = planned.source.take();
    if header.mode == Mode::DryRun {
        let index = planned.reader.index();
        let ended = launch::rehearse(settings.clone(), planned, begin)?;
        let report = conclude::ended(header, &settings, plan, ended);
        late.write(world, &settings, source.as_mut());
        reports.of_rehearsal(world, plan, &report, source.as_ref().map(|it| (it, &index)));
        return Ok(report);
    }
    if let Some(past) = nothing_left(&settings, &mut planned)? {
        let folder = planned.going_on.as_ref().expect("it has a past").folder.path();
        rejected_file::settle(world, header, &mut settings, folder, source.as_ref())
            .map_err(|error| Failure::new(Exit::Environment, error))?;
        name(header, &settings, &planned);
        let report = conclude::again(header, &settings, plan, &past);
        let (batch, index) = (&planned.batch, &planned.reader.index());
        let places = (folder, &*planned.ledger_of(folder));
        shows.tell(world, results::write(world, &settings, batch, source.as_ref(), index, places));
        reports.of_run(world, &report, folder, source.as_ref().map(|it| (it, index)));
        return Ok(report);
    }
    let key = live::prepare(world, layers, &settings, plan, &planned)?;
    let folder = run_folder(world, header, &mut settings, plan, &mut planned, source.as_ref())?;
    name(header, &settings, &planned);
    let ready = launch::prepare(world, &settings, &planned, begin.now, key, &folder);
    let (runtime, parts) = ready.inspect_err(|_| {
        // Nothing was sent, so the same command may be tried again.
        folder.abandon();
        header.folder = None;
    })?;
    let (batch, index) = (planned.batch.clone(), planned.reader.index());
    let ledger = planned.ledger_of(folder.path());
    let ended = launch::execute(runtime, settings.clone(), planned, begin, parts)?;
    let report = conclude::ended(header, &settings, plan, ended);
    late.write(world, &settings, source.as_mut());
    let rows = source.as_ref();
    let places = (folder.path(), &*ledger);
    shows.tell(world, results::write(world, &settings, &batch, rows, &index, places));
    reports.of_run(world, &report, folder.path(), source.as_ref().map(|it| (it, &index)));
    Ok(report)
}

/// The counters of a run of which nothing is left: it buys nothing and says its verdict again.
fn nothing_left(settings: &RunSettings, planned: &mut Planned) -> Result<Option<Measure>, Failure> {
    if planned.batch.n_selected() > 0 {
        return Ok(None);
    }
    let first = planned.measure(settings);
    let Some(run) = planned.going_on.take_if(|run| !run.has_news()) else { return Ok(None) };
    let mut past = run.measure(first, settings, planned)?;
    planned.going_on = Some(run);
    if past.ends.has_news {
        return Ok(None);
    }
    for row in past.ends.not_done {
        past.measure.apply(&RunEvent::RowFinished(Box::new(row)), Duration::ZERO);
    }
    Ok(Some(past.measure))
}

/// The run has its name and its folder from here on; one that goes on has those that it had.
fn name(header: &mut Header, settings: &RunSettings, planned: &Planned) {
    if let Some(run) = &planned.going_on {
        header.run_id = run.run_id;
        header.started_at = run.history.started_at.unwrap_or(header.started_at);
    }
    header.start(settings);
    if let Some(run) = &planned.going_on {
        let path = run.folder.path();
        let has_its_name = path.file_name().is_some_and(|it| *it == *run.run_id.to_string());
        if settings.resume.is_some() || !has_its_name {
            header.folder = Some(path.display().to_string());
        }
    }
}
