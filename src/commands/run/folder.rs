//! Whether a live run may start, and the folder that it gets.

use std::io;
use std::sync::Arc;

use crate::adapters::output::error::RunFolderError;
use crate::adapters::output::row_names::write_row_names;
use crate::adapters::output::run_folder::RunFolder;
use crate::adapters::rows::RowSource;
use crate::commands::failure::Failure;
use crate::commands::run::going_on::GoingOn;
use crate::commands::run::plan_document::identity;
use crate::commands::run::planned::Planned;
use crate::commands::run::rejected_file;
use crate::commands::run::report::Header;
use crate::commands::run::verdict::over_budget;
use crate::commands::world::World;
use crate::domain::digest::Sha256Digest;
use crate::domain::plan::Plan;
use crate::domain::settings::RunSettings;
use crate::exit::Exit;
use crate::ports::rows::RowReader;

/// Refuses a live run whose first attempts do not fit the limits.
pub(super) fn refuse_over_budget(settings: &RunSettings, plan: &Plan) -> Result<(), Failure> {
    if plan.cost.fits {
        return Ok(());
    }
    let cost = &plan.cost;
    let limit = cost.smallest_limit;
    let hint = match settings.limit_per_run {
        Some(run) if plan.cost.first_attempts > run => {
            "--fit-budget runs the first rows that fit; or raise --limit-per-run".to_owned()
        }
        Some(_) | None if cost.fits_day() => {
            "--fit-budget runs the first rows that fit; or raise that limit: \
             imagemill ledger limit set --help"
                .to_owned()
        }
        Some(_) | None => {
            let lowered =
                settings.limit_per_day.as_ref().filter(|it| it.origin == cost.limit_origin);
            let raise = match lowered {
                Some(given) => format!("raise the limit that {} sets", given.origin),
                None if cost.limit_is_ledgers => format!(
                    "raise the limit: imagemill ledger limit set --per-day {limit} --why TEXT{}",
                    settings
                        .ledger
                        .as_ref()
                        .map_or(String::new(), |it| format!(" --ledger {}", it.display()))
                ),
                None => format!("raise the limit: --limit-per-day {limit}"),
            };
            format!(
                "--fit-budget runs the first rows that fit; or wait for the next day; or {raise}"
            )
        }
    };
    let text = format!("{}; nothing was sent, nothing was spent", over_budget(plan));
    Err(Failure::new(Exit::Budget, text).with_hint(hint))
}

/// Refuses a run that exists or is at work, before anybody is asked for anything.
pub(super) fn refuse_same_run(
    world: &World,
    settings: &RunSettings,
    identity: &Sha256Digest,
) -> Result<(), Failure> {
    RunFolder::refuse_same_run(&world.path(&settings.out), identity, settings.fresh)
        .map_err(refused)
}

pub(super) fn refused(error: RunFolderError) -> Failure {
    match &error {
        RunFolderError::AlreadyRun { .. } => Failure::new(Exit::Environment, error)
            .with_hint("it was made just now by another process; the same command goes on with it"),
        RunFolderError::Busy { .. } => {
            Failure::new(Exit::Environment, error).with_hint("wait until that process has ended")
        }
        RunFolderError::Twice { .. } => Failure::new(Exit::Invalid, error)
            .with_hint("--resume PATH goes on with one of them; the other would buy it all again"),
        RunFolderError::Io { .. } => Failure::new(Exit::Environment, error),
    }
}

/// Makes the run's folder, or takes over that of the run that goes on, and moves the bad rows into
/// it. The names of the rows are kept for whoever goes on later.
pub(super) fn run_folder(
    world: &World,
    header: &Header,
    settings: &mut RunSettings,
    plan: &Plan,
    planned: &mut Planned,
    source: Option<&RowSource>,
) -> Result<Arc<RunFolder>, Failure> {
    let ledger = planned.money.root.as_ref().map(|root| root.display().to_string());
    let plan_here = Plan { ledger, ..plan.clone() };
    let mut text = serde_json::to_string_pretty(&plan_here).expect("plain values serialize");
    text.push('\n');
    let folder = match &planned.going_on {
        Some(run) => {
            run.folder.plan_anew(&text).map_err(refused)?;
            Arc::clone(&run.folder)
        }
        None => {
            let identity = identity(settings, &plan.bound.rows_sha256);
            let (out, fresh) = (world.path(&settings.out), settings.fresh);
            let made = RunFolder::create(&out, header.run_id, &identity, &text, fresh);
            Arc::new(made.map_err(refused)?)
        }
    };
    let n_rows = u32::try_from(planned.batch.n_rows()).expect("rows are counted with 32 bits");
    let known = planned.going_on.as_ref().and_then(GoingOn::known_rows);
    let reader = &mut planned.reader;
    let name = |position| match reader.read(position) {
        // An added row stays one until something was made of it.
        Ok(row) if known.as_ref().is_some_and(|known| !known.contains(&row.scene_id)) => None,
        Ok(row) => Some(Ok(row.scene_id)),
        Err(error) => Some(Err(io::Error::other(error))),
    };
    write_row_names(folder.path(), &mut (0..n_rows).filter_map(name)).map_err(refused)?;
    rejected_file::settle(world, header, settings, folder.path(), source)
        .map_err(|error| Failure::new(Exit::Environment, error))?;
    Ok(folder)
}

/// The run has its name and its folder from here on; one that goes on has those that it had.
pub(super) fn name(header: &mut Header, settings: &RunSettings, planned: &Planned) {
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
