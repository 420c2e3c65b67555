//! `imagemill runs`: what the runs below a folder came to, from their plans and journals alone.

use std::path::{Path, PathBuf};

use crate::adapters::output::error::RunFolderError;
use crate::adapters::output::places::PLAN;
use crate::adapters::output::replay::replay;
use crate::adapters::output::row_names::read_row_names;
use crate::adapters::output::run_folder::RunFolder;
use crate::adapters::output::runs::{all_runs, read_plan};
use crate::cli::args::TableOrJson;
use crate::cli::args::runs::{RunsCommand, RunsListArgs, WhichRunArgs};
use crate::cli::layers;
use crate::commands::failure::Failure;
use crate::commands::which_run::the_run;
use crate::commands::world::World;
use crate::domain::history::{History, RunSummary};
use crate::domain::plan::Plan;
use crate::exit::Exit;
use crate::report::runs as view;
use crate::report::tables::{Lines, TableLook};

/// Does what was asked.
///
/// # Errors
/// When there is no such run, or its files cannot be read.
pub fn run(world: &World, command: &RunsCommand) -> Result<Exit, Failure> {
    match command {
        RunsCommand::List(args) => list(world, args),
        RunsCommand::Show(args) => {
            let summary = one(world, &args.run)?;
            world.printer.result(&match args.run.format {
                TableOrJson::Table => view::run_text(&summary, world.printer.width()),
                TableOrJson::Json => view::run_json(&summary),
            });
            Ok(Exit::Ok)
        }
        RunsCommand::Status(args) => {
            let summary = one(world, &args.run)?;
            world.printer.result(&match args.run.format {
                TableOrJson::Table => view::status_line(&summary),
                TableOrJson::Json => view::run_json(&summary),
            });
            Ok(if summary.is_outstanding() { Exit::Outstanding } else { Exit::Ok })
        }
    }
}

fn list(world: &World, args: &RunsListArgs) -> Result<Exit, Failure> {
    let out = out_folder(world, args.out.as_ref())?;
    let failed = |error: RunFolderError| Failure::new(Exit::Environment, error);
    let mut summaries = Vec::new();
    for folder in all_runs(&out).map_err(failed)? {
        match summary(world, &folder) {
            Ok(summary) => summaries.push(summary),
            // One that cannot be read hides no other.
            Err(failure) => world.printer.warn(&format!("{}: {failure}", folder.display())),
        }
    }
    let look = TableLook { width: world.printer.width(), lines: Lines::default() };
    world.printer.result(&match args.format {
        TableOrJson::Table => view::runs_table(look, &summaries),
        TableOrJson::Json => view::runs_json(&summaries),
    });
    Ok(Exit::Ok)
}

fn one(world: &World, args: &WhichRunArgs) -> Result<RunSummary, Failure> {
    let out = out_folder(world, args.out.as_ref())?;
    summary(world, &the_run(&out, &args.run)?)
}

/// What a run came to.
fn summary(world: &World, folder: &Path) -> Result<RunSummary, Failure> {
    let shown = folder.strip_prefix(&world.invocation.cwd).unwrap_or(folder).display().to_string();
    let text = read_plan(&folder.join(PLAN))
        .ok_or_else(|| Failure::new(Exit::Invalid, format!("{shown} has no plan")))?;
    let plan = Plan::parse(&text, &shown).map_err(|error| Failure::new(Exit::Invalid, error))?;
    let mut history = History::default();
    replay(folder, &mut |stamped| history.fold(stamped))
        .map_err(|error| Failure::new(Exit::Bug, error))?;
    let environment = |error: RunFolderError| Failure::new(Exit::Environment, error);
    let names = read_row_names(folder).map_err(environment)?;
    let at_work = RunFolder::is_at_work(folder).map_err(environment)?;
    let named = folder.file_name().unwrap_or_default().to_string_lossy().parse().ok();
    let run_id = history.run.or(named);
    let run_id = run_id
        .ok_or_else(|| Failure::new(Exit::Invalid, format!("{shown} is no run of this tool")))?;
    Ok(RunSummary::of(run_id, shown, &plan, &history, names.as_deref(), at_work))
}

fn out_folder(world: &World, given: Option<&String>) -> Result<PathBuf, Failure> {
    let (mut layers, _) = world.layers()?;
    layers.put_flag(layers::OUT, given);
    Ok(world.path(layers.out_folder()))
}
