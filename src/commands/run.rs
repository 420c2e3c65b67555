//! `imagemill run`: plan, then rehearse or spend, then say what came of it.

mod bad_rows;
mod conclude;
mod consent;
mod flags;
mod flow;
mod flow_parts;
mod folder;
mod freshness;
mod going_on;
mod hand_over;
mod late;
mod launch;
mod live;
pub mod name_test;
mod names;
mod objections;
mod parts;
mod pass;
mod passes;
mod plan_cost;
mod plan_document;
mod plan_rows;
mod plan_server;
mod plan_sources;
mod planned;
mod planning;
mod reference_check;
mod reference_objections;
mod registry;
mod rejected_file;
mod report;
mod reports;
mod result_columns;
mod result_rows;
mod results;
mod saved;
mod setup;
mod shows;
mod start;
mod told;
mod twins;
mod verdict;
mod works;

use crate::adapters::system::{self, SystemEntropy};
use crate::cli::args::run::{ModeArg, RunArgs};
use crate::commands::failure::Failure;
use crate::commands::progress_choice;
use crate::commands::report::write::asked;
use crate::commands::run::plan_sources::Sources;
use crate::commands::run::planning::PlanningAsk;
use crate::commands::run::report::Header;
use crate::commands::run::reports::Reports;
use crate::commands::run::saved::{resumed_plan, saved_plan};
use crate::commands::run::setup::{settings, show_plan};
use crate::commands::run::shows::Shows;
use crate::commands::signals;
use crate::commands::world::World;
use crate::domain::plan::Plan;
use crate::domain::report::RunReport;
use crate::domain::row_format::RowFormat;
use crate::domain::settings::Mode;
use crate::exit::Exit;
use crate::ports::entropy::Entropy;

/// Does what was asked, and prints the result whatever happens.
pub fn run(world: &World, args: &RunArgs) -> Exit {
    signals::survive_questions();
    let live = args.live || args.mode == Some(ModeArg::Live);
    let mut header = Header {
        run_id: SystemEntropy.run_id(),
        mode: if live { Mode::Live } else { Mode::DryRun },
        started_at: system::now(),
        format: args.format.unwrap_or_default(),
        asked: None,
        folder: None,
        ledger: None,
    };
    let mut plan = None;
    match proceed(world, args, &mut header, &mut plan) {
        Ok(report) => conclude::print(world, &header, &report),
        Err(failure) => conclude::failed(world, &header, plan.as_ref(), &failure),
    }
}

/// The way of a run; `plan` is set as soon as there is one, so that a failure can show it.
fn proceed(
    world: &World,
    args: &RunArgs,
    header: &mut Header,
    plan: &mut Option<Plan>,
) -> Result<RunReport, Failure> {
    let saved = args.plan.as_ref().map(|file| saved_plan(world, file)).transpose()?;
    let resumed = resumed_plan(world, args, header.mode)?;
    let bound = saved.as_ref().or(resumed.as_ref());
    let (settings, layers, book) = settings(world, args, header, bound)?;
    header.asked = Some((settings.spec.provider.to_string(), settings.spec.model.to_string()));
    let asks = asked(world, &args.reports, &[args.rows.as_ref(), args.plan.as_ref()])?;
    let reports = Reports::new(asks, !args.no_html);
    let progress = progress_choice::choose(world, args.progress.as_deref())?;
    let shows = Shows { progress, reports };
    let format = args.input_format.map(RowFormat::from);
    let ask = PlanningAsk {
        settings: &settings,
        layers: &layers,
        book: &book,
        format,
        run_id: header.run_id,
        now: header.started_at,
        binds: header.mode == Mode::Live || args.plan_out.is_some() || saved.is_some(),
    };
    let planned = planning::plan(world, &ask)?;
    let display_zone = world.display_zone(&layers)?;
    let sources = Sources {
        settings: &settings,
        layers: &layers,
        book: &book,
        planned: &planned,
        display_zone: &display_zone,
    };
    let made = plan_document::make(&sources)?;
    plan_document::must_match(saved.as_ref(), args.plan.as_deref(), &made)?;
    let made = plan.insert(made);
    show_plan(world, args, header.format, made)?;
    if args.plan_only {
        reference_check::refuse_in_plan(&settings, &planned)?;
        return Ok(report::plan_only(header, made));
    }
    start::start(world, header, &layers, settings, planned, made, &shows)
}
