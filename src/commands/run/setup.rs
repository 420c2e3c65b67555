//! The settings of a run, and its plan on paper.

use std::path::PathBuf;

use crate::adapters::canary_file::StandingShare;
use crate::adapters::output::files::write_whole;
use crate::cli::args::run::{FormatArg, RunArgs};
use crate::cli::layers::{self, Layers, Origin, in_plans};
use crate::cli::resolve::{self, RunAsk};
use crate::commands::failure::Failure;
use crate::commands::run::flags::put_flags;
use crate::commands::run::rejected_file::rejected_file;
use crate::commands::run::report::Header;
use crate::commands::world::World;
use crate::domain::plan::Plan;
use crate::domain::price::PriceBook;
use crate::domain::settings::{CanaryShare, RowsInput, RunSettings};
use crate::exit::Exit;
use crate::report::plan_view::plan_view;

/// The settings of the run, the layers they come from, and the price book.
pub(super) fn settings(
    world: &World,
    args: &RunArgs,
    header: &Header,
    saved: Option<&Plan>,
) -> Result<(RunSettings, Layers, PriceBook), Failure> {
    let (mut layers, config) = world.layers()?;
    if let (Some(plan), Some(file)) = (saved, args.plan.as_ref().or(args.resume.as_ref())) {
        for setting in in_plans() {
            if let Some(text) = plan.bound.settings.get(setting.key) {
                let is_strangers = plan.bound.untrusted.iter().any(|key| key == setting.key);
                let from = if is_strangers { Origin::UntrustedPlan } else { Origin::Plan };
                layers.put(*setting, text, from(file.clone()));
            }
        }
    }
    put_flags(&mut layers, args);
    let prices = layers.get(layers::PRICES).map(|given| PathBuf::from(&given.text));
    let book = world.price_book(prices.as_deref())?;
    let standing = StandingShare::read(&world.invocation.cwd)
        .map_err(|error| Failure::new(Exit::Invalid, error))?
        .map(|share| CanaryShare { percent: share.percent, name: share.name });
    // A saved plan has its gates and its share already; what is set since changes nothing.
    let bound = saved.map(|plan| &plan.bound);
    let rows = rows_input(args, bound.map(|bound| bound.rows_path.as_str()));
    let ask = RunAsk {
        mode: header.mode,
        rejected: rejected_file(args, header, &layers, &rows),
        rows,
        gates: &args.gates,
        gates_only: args.gates_only,
        config_gates: bound.map(|it| it.gates.as_slice()).or(config.gates.as_deref()),
        standing_canary: if saved.is_some() { None } else { standing },
        fit_budget: args.fit_budget || bound.is_some_and(|bound| bound.fit_budget),
        no_image_checks: args.no_image_checks,
        dedupe: args.dedupe || bound.is_some_and(|bound| bound.dedupe),
        reuse: args.reuse || bound.is_some_and(|bound| bound.reuse),
        fresh: args.fresh,
        resume: args.resume.as_deref(),
        only: args.only.as_deref(),
        plan_only: args.plan_only,
        rehearsal: args.rehearsal || bound.is_some_and(|bound| bound.rehearsal),
        yes: args.yes,
        confirm_cost: args.confirm_cost.as_deref(),
    };
    let settings = resolve::run_settings(ask, &layers, &book).map_err(|error| {
        let exit = if error.is_usage() { Exit::Usage } else { Exit::Invalid };
        let hint = error.hint();
        let failure = Failure::new(exit, error);
        match hint {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    })?;
    Ok((settings, layers, book))
}

fn rows_input(args: &RunArgs, bound: Option<&str>) -> RowsInput {
    match args.rows.as_deref().or(bound) {
        Some("-") | None => RowsInput::Stdin,
        Some(path) => RowsInput::File(PathBuf::from(path)),
    }
}

/// Shows the plan where it belongs, and saves it when asked.
pub(super) fn show_plan(
    world: &World,
    args: &RunArgs,
    format: FormatArg,
    plan: &Plan,
) -> Result<(), Failure> {
    if let Some(file) = &args.plan_out {
        let mut text = serde_json::to_string_pretty(plan).expect("plain values serialize");
        text.push('\n');
        write_whole(&world.path(file), text.as_bytes())
            .map_err(|error| Failure::new(Exit::Environment, error))?;
    }
    if format == FormatArg::Table {
        world.printer.result(&plan_view(plan, world.printer.width()));
        if let Some(file) = &args.plan_out {
            world.printer.result(&format!("Saved plan: {file}\n"));
        }
    }
    Ok(())
}
