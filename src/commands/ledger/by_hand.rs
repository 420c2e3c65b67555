//! What people write into the ledger: the ends of unknown attempts, and adjustments.

use std::path::Path;

use crate::adapters::ledger::by_hand::{self, ByHand, Cost, Resolutions, Unknowns};
use crate::adapters::ledger::directory::OpenOrCreate;
use crate::adapters::system;
use crate::cli::args::ledger::{LedgerAdjustArgs, LedgerResolveArgs};
use crate::cli::env_vars;
use crate::commands::failure::{Failure, store_failure};
use crate::commands::ledger::{find_run, folder_with_ledger};
use crate::commands::ledger_access::{opening, summary};
use crate::commands::ledger_wait::patiently;
use crate::commands::world::World;
use crate::domain::ids::AttemptId;
use crate::domain::ledger::{DEFAULT_LIMIT_PER_DAY, LimitOrigin, Money};
use crate::domain::money::NanoUsd;
use crate::domain::sanitize::one_line;
use crate::exit::Exit;

pub(super) fn resolve(world: &World, args: &LedgerResolveArgs) -> Result<Exit, Failure> {
    let folder = folder_with_ledger(world, args.ledger.as_ref())?;
    let cost = match &args.amount {
        Some(text) => Cost::Amount(amount(text)?),
        None if args.not_billed => Cost::NotBilled,
        None => Cost::WorstCase,
    };
    if matches!(cost, Cost::Amount(amount) if amount.is_negative()) {
        return Err(Failure::new(Exit::Usage, "an attempt cannot have cost less than nothing"));
    }
    let which = match &args.run {
        Some(run) => Unknowns::OfRun(find_run(&folder, run)?),
        None if args.all => Unknowns::All,
        None => {
            Unknowns::These(args.rids.iter().map(|rid| attempt(rid)).collect::<Result<_, _>>()?)
        }
    };
    let by = who(world);
    let hand = ByHand { by: &by, why: &args.why };
    let how = options(&folder)?;
    let resolve = || by_hand::resolve(how, &which, cost, hand);
    let found = patiently(world.printer, &folder, resolve).map_err(store_failure)?;
    tell(world, &found)
}

fn tell(world: &World, found: &Resolutions) -> Result<Exit, Failure> {
    if let Some(rid) = found.not_unknown.first() {
        let text = format!("attempt {rid} is not unknown, so nothing was resolved");
        return Err(Failure::new(Exit::Invalid, text)
            .with_hint("imagemill ledger register --outcome unknown lists what can be resolved"));
    }
    let (mut freed, mut cost) = (NanoUsd::ZERO, NanoUsd::ZERO);
    let mut text = String::new();
    for one in &found.resolved {
        freed = freed.saturating_add(one.held);
        cost = cost.saturating_add(one.amount);
        let (held, amount) = (one.held.dollars(), one.amount.dollars());
        text.push_str(&format!("{} held {held}, cost {amount}\n", one.rid));
    }
    let n = found.resolved.len();
    let (freed, cost) = (freed.dollars(), cost.dollars());
    text.push_str(&match n {
        0 => "Nothing is unknown\n".to_owned(),
        1 => format!("Resolved 1 attempt: {freed} was held, it cost {cost}\n"),
        n => format!("Resolved {n} attempts: {freed} was held, they cost {cost}\n"),
    });
    world.printer.result(&text);
    Ok(Exit::Ok)
}

pub(super) fn adjust(world: &World, args: &LedgerAdjustArgs) -> Result<Exit, Failure> {
    let folder = folder_with_ledger(world, args.ledger.as_ref())?;
    let amount = amount(&args.amount)?;
    let on = args.on.parse().map_err(|_| {
        let text = format!("{:?} is no day: write one such as 2026-11-21", args.on);
        Failure::new(Exit::Usage, text)
    })?;
    let run = args.run.as_ref().map(|run| find_run(&folder, run)).transpose()?;
    let by = who(world);
    let hand = ByHand { by: &by, why: &args.why };
    let how = options(&folder)?;
    patiently(world.printer, &folder, || by_hand::adjust(how, amount, on, run, hand))
        .map_err(store_failure)?;
    let (amount, why) = (amount.dollars(), one_line(&args.why));
    world.printer.result(&format!("Adjusted {on} by {amount}, by {by}: {why}\n"));
    Ok(Exit::Ok)
}

pub(super) fn who(world: &World) -> String {
    world.invocation.env(env_vars::USER.name).unwrap_or("unknown").to_owned()
}

pub(super) fn amount(text: &str) -> Result<NanoUsd, Failure> {
    text.parse().map_err(|error| Failure::new(Exit::Usage, error))
}

fn attempt(text: &str) -> Result<AttemptId, Failure> {
    text.parse().map_err(|_| {
        Failure::new(Exit::Usage, format!("{text:?} is no attempt id"))
            .with_hint("imagemill ledger register --format csv has them")
    })
}

/// How the ledger is opened for writing by hand; its money stays of its kind.
pub(super) fn options(folder: &Path) -> Result<OpenOrCreate, Failure> {
    let now = system::now();
    let existing = summary(folder, now)?;
    let simulated = existing.is_some_and(|ledger| ledger.money == Money::Simulated);
    let default = (DEFAULT_LIMIT_PER_DAY, LimitOrigin::Default);
    Ok(opening(folder.to_owned(), simulated, default, now))
}
