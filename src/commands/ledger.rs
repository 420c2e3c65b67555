//! `imagemill ledger`: what it says, and what people write into it.

mod by_hand;
mod entries;
mod limits;
mod reconcile;
mod tail;

use std::path::{Path, PathBuf};

use crate::adapters::ledger::{audit, read};
use crate::adapters::system;
use crate::cli::args::TableOrJson;
use crate::cli::args::ledger::{LedgerCommand, LedgerReadArgs, LedgerShowArgs};
use crate::cli::layers;
use crate::commands::failure::{Failure, store_failure};
use crate::commands::ledger_access::{ledger_exists, summary};
use crate::commands::world::World;
use crate::domain::ids::RunId;
use crate::exit::Exit;
use crate::report::ledger as view;

/// Does what was asked.
///
/// # Errors
/// When there is no ledger, or it cannot be trusted or written.
pub fn run(world: &World, command: &LedgerCommand) -> Result<Exit, Failure> {
    match command {
        LedgerCommand::Summary(args) => show_summary(world, args),
        LedgerCommand::Show(args) => show(world, args),
        LedgerCommand::Check(args) => check(world, args),
        LedgerCommand::By(args) => entries::by(world, args),
        LedgerCommand::Register(args) => entries::register(world, args),
        LedgerCommand::Tail(args) => tail::tail(world, args),
        LedgerCommand::Export(args) => entries::export(world, args),
        LedgerCommand::Resolve(args) => by_hand::resolve(world, args),
        LedgerCommand::Adjust(args) => by_hand::adjust(world, args),
        LedgerCommand::Reconcile(args) => reconcile::reconcile(world, args),
        LedgerCommand::Limit(command) => limits::run(world, command),
    }
}

fn show_summary(world: &World, args: &LedgerReadArgs) -> Result<Exit, Failure> {
    let folder = folder_to_read(world, args.ledger.as_ref())?;
    let summary = summary(&folder, system::now())?;
    world.printer.result(&match (args.format, &summary) {
        (TableOrJson::Json, Some(summary)) => view::json(summary),
        (TableOrJson::Json, None) => view::no_ledger_json(system::now()),
        (TableOrJson::Table, Some(summary)) => view::summary(summary, &folder),
        (TableOrJson::Table, None) => view::no_ledger(&folder),
    });
    Ok(Exit::Ok)
}

fn show(world: &World, args: &LedgerShowArgs) -> Result<Exit, Failure> {
    let folder = folder_with_ledger(world, args.ledger.as_ref())?;
    let run = find_run(&folder, &args.run)?;
    let records = read::show(&folder, run).map_err(store_failure)?;
    world.printer.result(&match args.format {
        TableOrJson::Json => view::records_json(run, &records),
        TableOrJson::Table => view::records(&records),
    });
    Ok(Exit::Ok)
}

fn check(world: &World, args: &LedgerReadArgs) -> Result<Exit, Failure> {
    let folder = folder_to_read(world, args.ledger.as_ref())?;
    if !ledger_exists(&folder) {
        world.printer.say(view::no_ledger(&folder).trim_end());
        return Ok(Exit::Ok);
    }
    let report = audit::check(&folder).map_err(store_failure)?;
    match args.format {
        TableOrJson::Json => world.printer.result(&view::check_json(&report)),
        TableOrJson::Table => {
            if let Some(segment) = &report.torn_tail {
                world
                    .printer
                    .warn(&format!("{segment}: the last line is torn; the next run heals it"));
            }
            for finding in &report.findings {
                world.printer.say(&view::finding(finding));
            }
        }
    }
    Ok(if report.findings.is_empty() { Exit::Ok } else { Exit::Bug })
}

fn folder(world: &World, flag: Option<&String>) -> Result<PathBuf, Failure> {
    let (mut layers, _) = world.layers()?;
    layers.put_flag(layers::LEDGER, flag);
    Ok(world.ledger_folder(&layers))
}

/// The folder to read; one that was named has to be there.
fn folder_to_read(world: &World, flag: Option<&String>) -> Result<PathBuf, Failure> {
    let folder = folder(world, flag)?;
    if flag.is_some() && !ledger_exists(&folder) {
        let text = format!("there is no ledger in {}", folder.display());
        return Err(Failure::new(Exit::Invalid, text)
            .with_hint("simulated money is in the run's own folder: --ledger out/RUN/ledger"));
    }
    Ok(folder)
}

/// The folder of a ledger that has to be there.
fn folder_with_ledger(world: &World, flag: Option<&String>) -> Result<PathBuf, Failure> {
    let folder = folder(world, flag)?;
    if ledger_exists(&folder) {
        return Ok(folder);
    }
    Err(Failure::new(Exit::Invalid, view::no_ledger(&folder).trim_end().to_owned()))
}

fn find_run(folder: &Path, text: &str) -> Result<RunId, Failure> {
    read::find_run(folder, text).map_err(store_failure)?.ok_or_else(|| {
        Failure::new(Exit::Invalid, format!("the ledger has no run {text:?}"))
            .with_hint("name it by its id or by the last digits of it")
    })
}
