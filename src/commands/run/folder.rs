//! Whether a live run may start, and the folder that it gets.

use std::path::{Path, PathBuf};

use crate::adapters::output::run_folder::{RunFolder, RunFolderError};
use crate::cli::args::run::RunArgs;
use crate::cli::layers::{self, Layers};
use crate::commands::failure::Failure;
use crate::commands::run::report::Header;
use crate::commands::run::verdict::over_budget;
use crate::commands::world::World;
use crate::domain::digest::Sha256Digest;
use crate::domain::ids::RunId;
use crate::domain::plan::Plan;
use crate::domain::settings::{Mode, RowsInput, RunSettings};
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

/// Where bad rows are written: as asked; a live run keeps them beside its folder until it has one.
pub(super) fn rejected_file(
    args: &RunArgs,
    header: &Header,
    layers: &Layers,
    rows: &RowsInput,
) -> Option<PathBuf> {
    match (&args.rejected, header.mode) {
        (Some(path), _) => Some(PathBuf::from(path)),
        (None, Mode::DryRun) => None,
        (None, Mode::Live) => {
            let out = layers.get(layers::OUT).map_or("out", |given| given.text.as_str());
            Some(own_rejected_file(Path::new(out), header, rows))
        }
    }
}

/// Where a live run keeps its bad rows until it has a folder: nobody else has this name.
fn own_rejected_file(out: &Path, header: &Header, rows: &RowsInput) -> PathBuf {
    out.join(format!("{}.{}", header.run_id, rejected_name(rows)))
}

/// Where such a file ends up once the run has its folder; any other file stays where it is.
pub(super) fn settled_rejected_file(path: &Path) -> PathBuf {
    let settled = || {
        let (run, name) = path.file_name()?.to_str()?.split_once('.')?;
        run.parse::<RunId>().ok()?;
        name.starts_with("rejected.").then(|| path.with_file_name(run).join(name))
    };
    settled().unwrap_or_else(|| path.to_owned())
}

/// The name of the file of bad rows: it has the input's format.
fn rejected_name(rows: &RowsInput) -> String {
    let extension = match rows {
        RowsInput::File(path) => path.extension().and_then(|it| it.to_str()).unwrap_or("csv"),
        RowsInput::Stdin => "txt",
    };
    format!("rejected.{extension}")
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
) -> Result<RunFolder, Failure> {
    let mut text = serde_json::to_string_pretty(plan).expect("plain values serialize");
    text.push('\n');
    let out = world.path(&settings.out);
    let folder =
        RunFolder::create(&out, header.run_id, identity, &text, settings.fresh).map_err(refused)?;
    let rejected = world.path(own_rejected_file(&settings.out, header, &settings.rows));
    if rejected.is_file() {
        let target = folder.path().join(rejected_name(&settings.rows));
        std::fs::rename(&rejected, &target)
            .map_err(|error| Failure::new(Exit::Environment, error))?;
    }
    Ok(folder)
}
