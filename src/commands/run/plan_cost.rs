//! The money of a plan, and what is unusual about it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::commands::failure::Failure;
use crate::commands::run::going_on::GoingOn;
use crate::commands::run::plan_server;
use crate::commands::run::plan_sources::Sources;
use crate::domain::ledger::LimitScope;
use crate::domain::money::NanoUsd;
use crate::domain::plan::{PlanCost, PlanLimit};
use crate::domain::sanitize::one_line;
use crate::domain::settings::Mode;
use crate::exit::Exit;
use crate::report::words;

/// A price book older than this many days is worth a note.
const OLD_PRICES_DAYS: u32 = 30;

pub(super) fn cost(sources: &Sources<'_>, retries: u64) -> Result<PlanCost, Failure> {
    let Sources { settings, planned, display_zone, .. } = *sources;
    let (batch, money) = (&planned.batch, &planned.money);
    let chosen = batch.chosen();
    let too_much = || Failure::new(Exit::Invalid, "the batch costs more than can be counted");
    let add = |one: NanoUsd, other: NanoUsd| one.checked_add(other).ok_or_else(too_much);
    let at_retries = chosen.dearest.checked_mul(retries).ok_or_else(too_much)?;
    let smallest_limit = add(money.exposure(), chosen.maximum)?;
    let limits = limits(sources)?;
    let every_run = money.limit_of_every_run();
    let before = planned.spent_before();
    let of_run = add(before, chosen.maximum)?;
    let fits_run = settings.limit_per_run.is_none_or(|limit| of_run <= limit);
    Ok(PlanCost {
        expected: chosen.expected,
        first_attempts: chosen.maximum,
        paid_retries: retries,
        // A run with a limit of its own never spends more than that.
        maximum: add(chosen.maximum, at_retries)?
            .min(settings.limit_per_run.unwrap_or(NanoUsd::MAX).minus_or_zero(before))
            .min(every_run.minus_or_zero(before)),
        limit_per_day: money.limit_per_day,
        limit_origin: money.limit_origin.clone(),
        limit_is_ledgers: money.limit_is_ledgers,
        limit_per_run: settings.limit_per_run,
        exposure_today: money.exposure(),
        settled_today: money.settled,
        held_today: money.held,
        day: money.day.to_string(),
        resets: resets(money.day, &money.zone, display_zone),
        simulated: settings.is_simulated(),
        fits: fits_run
            && smallest_limit <= money.limit_per_day
            && limits.iter().all(PlanLimit::fits),
        smallest_limit,
        limits,
    })
}

/// What the plan wants of the ledger's limits beside that of the day.
fn limits(sources: &Sources<'_>) -> Result<Vec<PlanLimit>, Failure> {
    let batch = &sources.planned.batch;
    let chosen = batch.chosen();
    let mut limits = Vec::new();
    for it in &sources.planned.money.further {
        let wanted = match &it.limit.scope {
            LimitScope::Image => chosen.dearest,
            LimitScope::Model(model) => {
                batch.maximum_of_model(model).map_err(|error| Failure::new(Exit::Invalid, error))?
            }
            LimitScope::Day | LimitScope::Window | LimitScope::EveryRun | LimitScope::Run(_) => {
                chosen.maximum
            }
        };
        let per = one_line(&it.limit.scope.to_string()).into_owned();
        let taken = it.exposure.unwrap_or(NanoUsd::ZERO);
        // The limits of models that no row asks for say nothing.
        if wanted != NanoUsd::ZERO {
            limits.push(PlanLimit { per, limit: it.limit.value, taken, wanted });
        }
    }
    Ok(limits)
}

/// When the ledger's day ends, in the zone of display.
fn resets(day: jiff::civil::Date, zone: &TimeZone, display: &TimeZone) -> String {
    let end: Option<Timestamp> = day
        .tomorrow()
        .ok()
        .and_then(|next| next.to_zoned(zone.clone()).ok())
        .map(|midnight| midnight.timestamp());
    match end {
        Some(end) => end.to_zoned(display.clone()).strftime("%H:%M %Z").to_string(),
        None => "never".to_owned(),
    }
}

pub(super) fn unusual(sources: &Sources<'_>) -> Vec<String> {
    let Sources { settings, planned, book, .. } = *sources;
    let batch = &planned.batch;
    let mut notes = Vec::new();
    notes.extend(planned.money.note.clone());
    let misnamed = planned.source.iter().flat_map(|source| source.shape().misnamed());
    notes.extend(
        misnamed
            .map(|(name, meant)| format!("column {name:?} is not used; did you mean {meant:?}?")),
    );
    if let Some(first) = planned.going_on.as_ref().and_then(|run| Some((run, run.gone.first()?))) {
        let (n, first) = (first.0.gone.len() as u64, one_line(first.1));
        notes.push(format!(
            "{} gone from the run's folder, {first} first: paid for, and not made again",
            words::count(n, "stored image")
        ));
    }
    notes.extend(planned.going_on.as_ref().and_then(GoingOn::rebuilt_note));
    notes.extend(planned.twins.note());
    notes.extend(planned.missing_stores.iter().map(|missing| (*missing).to_owned()));
    if settings.mode == Mode::DryRun && batch.url_references() > 0 {
        notes.push(format!(
            "{} by URL: taken on trust here; imagemill refs check fetches them, for free",
            words::count(batch.url_references(), "reference")
        ));
    }
    notes.extend(plan_server::notes(sources));
    if settings.is_simulated() && &*settings.spec.format != "png" {
        notes.push(format!("the simulator paints png, not {}", settings.spec.format));
    }
    if let Some(days) = book.age_days(planned.money.day).filter(|days| *days > OLD_PRICES_DAYS) {
        notes.push(format!("the price book is {days} days old"));
    }
    let mut warnings: BTreeMap<String, u64> = BTreeMap::new();
    for class in batch.classes() {
        for warning in class.quote.iter().flat_map(|quote| &quote.warnings) {
            let text = format!("{} / {}: {warning}", class.spec.provider, class.spec.model);
            *warnings.entry(text).or_default() += class.n_rows;
        }
    }
    notes.extend(warnings.into_iter().map(|(text, n_rows)| format!("{text} ({n_rows} rows)")));
    notes
}
