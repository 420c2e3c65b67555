//! `imagemill ledger`: summary, show, check, and the limit.

use crate::adapters::ledger::{audit, read};
use crate::adapters::system;
use crate::cli::args::TableOrJson;
use crate::cli::args::ledger::{
    LedgerCommand, LedgerReadArgs, LedgerShowArgs, LimitCommand, LimitSetArgs,
};
use crate::cli::{env_vars, layers};
use crate::commands::failure::{Failure, store_failure};
use crate::commands::ledger_access::{ledger_exists, opening, summary};
use crate::commands::world::World;
use crate::domain::ledger::LimitOrigin;
use crate::domain::money::NanoUsd;
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
        LedgerCommand::Limit(LimitCommand::Set(args)) => set_limit(world, args),
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
    let folder = folder(world, args.ledger.as_ref())?;
    if summary(&folder, system::now())?.is_none() {
        return Err(Failure::new(Exit::Invalid, view::no_ledger(&folder).trim_end().to_owned())
            .with_hint("simulated money is in the run's own folder: --ledger out/RUN/ledger"));
    }
    let run = read::find_run(&folder, &args.run).map_err(store_failure)?.ok_or_else(|| {
        Failure::new(Exit::Invalid, format!("the ledger has no run {:?}", args.run))
            .with_hint("name it by its id or by the last digits of it")
    })?;
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

fn set_limit(world: &World, args: &LimitSetArgs) -> Result<Exit, Failure> {
    let folder = folder(world, args.ledger.as_ref())?;
    let per_day: NanoUsd =
        args.per_day.parse().map_err(|error| Failure::new(Exit::Usage, error))?;
    if per_day.is_negative() {
        return Err(Failure::new(Exit::Usage, "a limit cannot be below zero"));
    }
    let now = system::now();
    let before = summary(&folder, now)?;
    let simulated = before
        .as_ref()
        .is_some_and(|ledger| ledger.money == crate::domain::ledger::Money::Simulated);
    let by = world.invocation.env(env_vars::USER.name).unwrap_or("unknown").to_owned();
    let default = (crate::domain::ledger::DEFAULT_LIMIT_PER_DAY, LimitOrigin::Default);
    let options = opening(folder.clone(), simulated, default, now);
    read::set_limit(options, per_day, &args.why, &by).map_err(store_failure)?;
    let was = before.map_or_else(
        || "new ledger".to_owned(),
        |ledger| format!("was {}", ledger.limit_per_day.dollars()),
    );
    world.printer.result(&format!(
        "Limit {} a day ({was}), by {by}: {}\n",
        per_day.dollars(),
        crate::domain::sanitize::one_line(&args.why)
    ));
    Ok(Exit::Ok)
}

fn folder(world: &World, flag: Option<&String>) -> Result<std::path::PathBuf, Failure> {
    let (mut layers, _) = world.layers()?;
    layers.put_flag(layers::LEDGER, flag);
    Ok(world.ledger_folder(&layers))
}

/// The folder to read; one that was named has to be there.
fn folder_to_read(world: &World, flag: Option<&String>) -> Result<std::path::PathBuf, Failure> {
    let folder = folder(world, flag)?;
    if flag.is_some() && !ledger_exists(&folder) {
        let text = format!("there is no ledger in {}", folder.display());
        return Err(Failure::new(Exit::Invalid, text)
            .with_hint("simulated money is in the run's own folder: --ledger out/RUN/ledger"));
    }
    Ok(folder)
}
