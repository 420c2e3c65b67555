//! Whether the addresses of a batch live until their rows are fetched, before any money moves.

use crate::commands::run::objections::Refused;
use crate::commands::run::pass::Pass;
use crate::commands::run::plan_document::forecast;
use crate::commands::run::planning::PlanningAsk;
use crate::domain::freshness::need;
use crate::domain::reference_plan::{FreshnessCounts, Pace, TooLate};
use crate::domain::settings::RunSettings;

/// Puts the rows whose addresses end first in front of the others, and judges every address.
/// Returns what it counted, and the rows that would be fetched too late by their number.
pub(super) fn judge(pass: &mut Pass<'_>, ask: &PlanningAsk<'_>) -> (FreshnessCounts, Refused) {
    let Ok(batch) = &mut pass.batch else { return Default::default() };
    let first = pass.lives.earliest_first(batch.selected());
    batch.hasten(&first);
    let settings = ask.settings;
    let pace = Pace {
        now: ask.now,
        whole: forecast(settings, batch),
        images: batch.chosen().images,
        least_life: need(&settings.fetch).max(settings.fetch.fresh_for),
    };
    let order = batch
        .selected()
        .map(|position| (position, u64::from(batch.class(batch.class_of(position)).variants)));
    let (counts, too_late) = pass.lives.judge(order, &pace);
    let refused = too_late
        .iter()
        .map(|row| (pass.index.number(row.position), reason(row, ask, settings)))
        .collect();
    (counts, refused)
}

fn reason(row: &TooLate, ask: &PlanningAsk<'_>, settings: &RunSettings) -> String {
    if row.expires <= ask.now {
        return format!("its address expired at {:.0}, and nobody can sign it anew", row.expires);
    }
    let least = humantime::format_duration(settings.fetch.fresh_for);
    format!(
        "its address expires at {:.0}, its turn comes at about {:.0}, and it must live for {least} \
         then; nobody can sign it anew",
        row.expires, row.start
    )
}
