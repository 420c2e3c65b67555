//! `imagemill ledger limit`: what people allow, with who and why.

use crate::adapters::ledger::by_hand::{ByHand, NewLimit, set_limits};
use crate::adapters::system;
use crate::cli::args::TableOrJson;
use crate::cli::args::ledger::limits::{
    LimitCommand, LimitListArgs, LimitRemoveArgs, LimitSetArgs,
};
use crate::commands::failure::{Failure, store_failure};
use crate::commands::ledger::by_hand::{amount, options, who};
use crate::commands::ledger::{folder, folder_with_ledger};
use crate::commands::ledger_access::summary;
use crate::commands::ledger_wait::patiently;
use crate::commands::world::World;
use crate::domain::ledger::{LimitScope, cut_text};
use crate::domain::money::NanoUsd;
use crate::domain::sanitize::one_line;
use crate::exit::Exit;
use crate::report::ledger_limits as view;

/// Does what was asked of the limits.
pub(super) fn run(world: &World, command: &LimitCommand) -> Result<Exit, Failure> {
    match command {
        LimitCommand::List(args) => list(world, args),
        LimitCommand::Set(args) => set(world, args),
        LimitCommand::Remove(args) => remove(world, args),
    }
}

fn list(world: &World, args: &LimitListArgs) -> Result<Exit, Failure> {
    let folder = folder_with_ledger(world, args.ledger.as_ref())?;
    let summary = summary(&folder, system::now())?;
    let limits = summary.map_or_else(Vec::new, |ledger| ledger.limits);
    world.printer.result(&match args.format {
        TableOrJson::Json => view::limits_json(&limits),
        TableOrJson::Table => view::limits(&limits),
    });
    Ok(Exit::Ok)
}

fn set(world: &World, args: &LimitSetArgs) -> Result<Exit, Failure> {
    let mut limits = Vec::new();
    let mut put = |scope: LimitScope, text: &str| {
        let value = amount(text)?;
        if value.is_negative() {
            return Err(Failure::new(Exit::Usage, "a limit cannot be below zero"));
        }
        limits.push(NewLimit { scope, value: Some(value) });
        Ok(())
    };
    let given = [
        (LimitScope::Day, &args.per_day),
        (LimitScope::Window, &args.per_24h),
        (LimitScope::EveryRun, &args.per_run),
        (LimitScope::Image, &args.per_image),
    ];
    for (scope, text) in given {
        text.as_ref().map_or(Ok(()), |text| put(scope, text))?;
    }
    for text in &args.per_model {
        // The amount has no equals sign; the name of a model may have one.
        let Some((model, value)) = text.rsplit_once('=').filter(|(model, _)| !model.is_empty())
        else {
            let text = format!("{text:?} is no limit of a model: write MODEL=USD");
            return Err(Failure::new(Exit::Usage, text));
        };
        put(LimitScope::Model(cut_text(model)), value)?;
    }
    write(world, args.ledger.as_ref(), limits, &args.why, args.zone.as_deref())
}

fn remove(world: &World, args: &LimitRemoveArgs) -> Result<Exit, Failure> {
    let named = [
        (LimitScope::Window, args.per_24h),
        (LimitScope::EveryRun, args.per_run),
        (LimitScope::Image, args.per_image),
    ];
    let mut scopes: Vec<LimitScope> =
        named.into_iter().filter(|(_, is_meant)| *is_meant).map(|(scope, _)| scope).collect();
    scopes.extend(args.per_model.iter().map(|model| LimitScope::Model(cut_text(model))));
    let folder = folder_with_ledger(world, args.ledger.as_ref())?;
    let known = summary(&folder, system::now())?.map_or_else(Vec::new, |ledger| ledger.limits);
    let is_known = |scope: &&LimitScope| known.iter().any(|it| it.limit.scope == **scope);
    if let Some(scope) = scopes.iter().find(|scope| !is_known(scope)) {
        let text = format!("the ledger has no limit per {}", one_line(&scope.to_string()));
        return Err(Failure::new(Exit::Invalid, text).with_hint("imagemill ledger limit list"));
    }
    let limits = scopes.into_iter().map(|scope| NewLimit { scope, value: None }).collect();
    write(world, args.ledger.as_ref(), limits, &args.why, None)
}

fn write(
    world: &World,
    ledger: Option<&String>,
    limits: Vec<NewLimit>,
    why: &str,
    zone: Option<&str>,
) -> Result<Exit, Failure> {
    let folder = folder(world, ledger)?;
    let known = summary(&folder, system::now())?;
    let is_new = known.is_none();
    let by = who(world);
    let hand = ByHand { by: &by, why };
    let (mut how, new) = (options(&folder)?, limits.clone());
    if let Some(zone) = zone {
        system::zone_named(zone).map_err(|error| Failure::new(Exit::Usage, error))?;
        if let Some(known) = known.filter(|known| known.tz != zone) {
            let text = format!("the ledger's days are those of {}, and stay so", known.tz);
            return Err(Failure::new(Exit::Invalid, text)
                .with_hint("a ledger has one zone; --ledger DIR makes another ledger"));
        }
        how.founding.zone = zone.into();
    }
    let before =
        patiently(world.printer, &folder, || set_limits(how, new, hand)).map_err(store_failure)?;
    let mut text = String::new();
    for (limit, before) in limits.iter().zip(before) {
        let dollars = |value: Option<NanoUsd>| match value {
            Some(value) => value.dollars().to_string(),
            None => "none".to_owned(),
        };
        let was = match is_new && limit.scope == LimitScope::Day {
            true => "new ledger".to_owned(),
            false => format!("was {}", dollars(before)),
        };
        let (per, value) = (view::per(&limit.scope), dollars(limit.value));
        text.push_str(&format!("Limit {value} {per} ({was}), by {by}: {}\n", one_line(why)));
    }
    world.printer.result(&text);
    Ok(Exit::Ok)
}
