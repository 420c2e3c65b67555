//! The rows of a plan, and what they ask of whom.

use std::collections::BTreeMap;

use crate::commands::run::planned::Planned;
use crate::domain::batch::Batch;
use crate::domain::plan::{PlanRequest, PlanRows};
use crate::domain::settings::RunSettings;

pub(super) fn rows(settings: &RunSettings, planned: &Planned) -> PlanRows {
    let batch = &planned.batch;
    let over = batch.n_over_budget();
    PlanRows {
        accepted: batch.n_rows(),
        rejected: planned.n_bad,
        images: batch.whole().images,
        selected: batch.n_selected(),
        images_selected: batch.chosen().images,
        held_by_canary: batch.n_held() - over,
        held_by_budget: over,
        canary: settings
            .canary
            .as_ref()
            .map(|share| format!("{} % (order {:?})", share.percent, share.name)),
        uncovered: batch.uncovered().iter().map(ToString::to_string).collect(),
        with_references: batch.whole().rows_with_references,
        url_references: batch.url_references(),
        local_references: batch.local_references(),
        freshness: planned.freshness,
    }
}

pub(super) fn requests(batch: &Batch) -> Vec<PlanRequest> {
    let mut by_ask: BTreeMap<[&str; 4], u64> = BTreeMap::new();
    for (class, sent) in batch.selected_classes().filter(|(_, sent)| sent.rows > 0) {
        let spec = &class.spec;
        let key = [&*spec.provider, &*spec.model, &*spec.size, &*spec.quality];
        *by_ask.entry(key).or_default() += sent.images;
    }
    by_ask
        .into_iter()
        .map(|([provider, model, size, quality], images)| PlanRequest {
            provider: provider.to_owned(),
            model: model.to_owned(),
            size: size.to_owned(),
            quality: quality.to_owned(),
            images,
        })
        .collect()
}
