//! The plans that a run can be bound to: one that was saved, and that of a run which goes on.

use crate::adapters::output::places::PLAN;
use crate::cli::args::run::RunArgs;
use crate::cli::layers;
use crate::commands::failure::Failure;
use crate::commands::which_run::the_run;
use crate::commands::world::{World, read_text};
use crate::domain::plan::Plan;
use crate::domain::settings::Mode;
use crate::exit::Exit;

/// Reads a plan that `--plan-out` saved.
pub(super) fn saved_plan(world: &World, file: &str) -> Result<Plan, Failure> {
    let text = read_text(&world.path(file))?;
    Plan::parse(&text, file).map_err(|error| Failure::new(Exit::Invalid, error))
}

/// The plan of the run that `--resume` names, when the command line does not say which rows.
pub(super) fn resumed_plan(
    world: &World,
    args: &RunArgs,
    mode: Mode,
) -> Result<Option<Plan>, Failure> {
    if mode == Mode::DryRun && (args.resume.is_some() || args.only.is_some()) {
        let text = "--resume and --only go on with a live run, and this is a dry run";
        return Err(Failure::new(Exit::Usage, text)
            .with_hint("add --live; with --plan-only it shows what is left, and buys nothing"));
    }
    let (Some(run), None) = (&args.resume, &args.rows) else { return Ok(None) };
    let (mut layers, _) = world.layers()?;
    layers.put_flag(layers::OUT, args.out.as_ref());
    let out = layers.out_folder();
    let folder = the_run(&world.path(out), run)?;
    let file = folder.join(PLAN);
    let plan = Plan::parse(&read_text(&file)?, &file.display().to_string());
    plan.map(Some).map_err(|error| Failure::new(Exit::Invalid, error))
}
