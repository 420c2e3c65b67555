//! Whether the addresses of a batch live until their rows are fetched, before any money moves.

use crate::commands::run::pass::Pass;
use crate::commands::run::plan_document::forecast;
use crate::commands::run::planning::PlanningAsk;
use crate::commands::run::reference_check::missing_stores;
use crate::commands::run::reference_objections::{Refused, RefusedRow};
use crate::commands::world::World;
use crate::domain::freshness::need;
use crate::domain::reference_plan::{FreshnessCounts, Pace};

/// Puts the rows whose addresses end first in front of the others, and judges every address.
/// Returns what it counted, and the rows that would be fetched too late by their number.
pub(super) fn judge(
    world: &World,
    pass: &mut Pass<'_>,
    ask: &PlanningAsk<'_>,
) -> (FreshnessCounts, Refused) {
    let Ok(batch) = &mut pass.batch else { return Default::default() };
    let first = pass.lives.earliest_first(batch.selected());
    batch.hasten(&first);
    let settings = ask.settings;
    let pace = Pace {
        now: ask.now,
        whole: forecast(settings, batch),
        images: batch.chosen().images,
        need: need(&settings.fetch),
        fresh_for: settings.fetch.fresh_for,
    };
    let order = batch.selected().map(|position| (position, batch.n_variants(position)));
    let (counts, too_late) = pass.lives.judge(order, &pace);
    let buckets = settings.fetch.refresh.buckets.iter().map(|it| it.kind).collect();
    let why = missing_stores(world, settings, &buckets).first().map(|why| format!(": {why}"));
    let why = why.unwrap_or_default();
    let refused = too_late.into_iter().map(|row| {
        let reason = format!("{}; nobody can sign it anew{why}", row.reason);
        let reference = usize::from(row.reference);
        (pass.index.number(row.position), RefusedRow { reference: Some(reference), reason })
    });
    (counts, refused.collect())
}
