//! What is made now, once canary and budget have chosen the rows, and which rows are not new.

use std::collections::BTreeSet;

use crate::commands::run::going_on::GoingOn;
use crate::domain::batch::Batch;
use crate::domain::ids::SceneId;
use crate::domain::money::NanoUsd;
use crate::domain::settings::PaidRetries;

impl GoingOn {
    /// Counts what is made now, once it is known which rows have their turn.
    pub(in crate::commands::run) fn count_what_is_made(&mut self, batch: &Batch) {
        let (mut bought, mut again) = (0, NanoUsd::ZERO);
        for position in batch.selected() {
            let Some(fate) = self.left.fates.get(&position) else { continue };
            let n = fate.images.iter().filter(|image| image.is_bought_again()).count() as u64;
            let quote = batch.class(batch.class_of(position)).quote.as_ref();
            let maximum = quote.map_or(NanoUsd::ZERO, |quote| quote.maximum);
            again = again.saturating_add(maximum.checked_mul(n).unwrap_or(NanoUsd::MAX));
            bought += n;
        }
        let left = &mut self.left;
        // What a budget holds leaves its part of the allowance to others.
        left.allowance += left.census.bought_again.saturating_sub(bought);
        (left.census.images, left.census.bought_again) = (batch.chosen().images, bought);
        left.again = again;
    }

    /// Images that are copied and not sent give nothing to what may be bought again.
    pub(in crate::commands::run) fn leave_twins(&mut self, paid: &PaidRetries, n_copied: u64) {
        let left = &mut self.left;
        let less = left.n_images.saturating_sub(n_copied);
        let share = paid.allowance(left.n_images).saturating_sub(paid.allowance(less));
        left.allowance = left.allowance.saturating_sub(share);
    }

    /// The names of rows that are not new: they were there before, or something was made of them.
    /// Nothing where nobody knows which were there.
    pub(in crate::commands::run) fn known_rows(&self) -> Option<BTreeSet<&SceneId>> {
        let before = self.before.as_ref()?;
        Some(before.iter().chain(self.left.positions.keys()).collect())
    }
}
