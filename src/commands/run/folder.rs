//! Whether a live run may start, and the folder that it gets.

use crate::adapters::output::run_folder::{RunFolder, RunFolderError};
use crate::adapters::rows::RowSource;
use crate::commands::failure::Failure;
use crate::commands::run::rejected_file;
use crate::commands::run::report::Header;
use crate::commands::run::verdict::over_budget;
use crate::commands::world::World;
use crate::domain::digest::Sha256Digest;
use crate::domain::plan::Plan;
use crate::domain::settings::RunSettings;
use crate::exit::Exit;

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

fn refused(error: RunFolderError) -> Failure {
    match &error {
        RunFolderError::AlreadyRun { .. } => Failure::new(Exit::Usage, error)
            .with_hint("--fresh starts it anew beside the old one, and pays for every image again"),
        RunFolderError::Busy { .. } => {
            Failure::new(Exit::Environment, error).with_hint("wait until that process has ended")
        }
        RunFolderError::Io { .. } => Failure::new(Exit::Environment, error),
    }
}

/// Makes the run's folder and moves the bad rows into it.
pub(super) fn run_folder(
    world: &World,
    header: &Header,
    settings: &RunSettings,
    plan: &Plan,
    identity: &Sha256Digest,
    source: Option<&RowSource>,
) -> Result<RunFolder, Failure> {
    let mut text = serde_json::to_string_pretty(plan).expect("plain values serialize");
    text.push('\n');
    let out = world.path(&settings.out);
    let folder =
        RunFolder::create(&out, header.run_id, identity, &text, settings.fresh).map_err(refused)?;
    rejected_file::settle(world, header, settings, source)
        .map_err(|error| Failure::new(Exit::Environment, error))?;
    Ok(folder)
}
