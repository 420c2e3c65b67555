//! What is left of a run, row by row: the rows as they are now, beside what was done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::adapters::rows::{RowIndex, RowSource};
use crate::commands::failure::Failure;
use crate::commands::run::going_on::{GoingOn, Left};
use crate::commands::run::works::Works;
use crate::domain::batch::Batch;
use crate::domain::digest::Sha256Digest;
use crate::domain::history::{Leftover, LeftoverAsk, RowFate, RunAttempts, WorkNames};
use crate::domain::ids::SceneId;
use crate::domain::money::NanoUsd;
use crate::domain::row::Outcome;
use crate::domain::settings::RunSettings;
use crate::exit::Exit;

/// What the rows and prices of today tell of works that the journal does not know.
struct Names(BTreeMap<Sha256Digest, (SceneId, NanoUsd)>);

impl WorkNames for Names {
    fn name(&self, work: &Sha256Digest) -> Option<(SceneId, NanoUsd)> {
        self.0.get(work).cloned()
    }
}

impl GoingOn {
    /// Leaves out of a batch what is done already. Returns whether these rows have anything in
    /// common with the run: where they have not, it is another batch in a file of the same name.
    pub(in crate::commands::run) fn leave_out(
        &mut self,
        settings: &RunSettings,
        batch: &mut Batch,
        source: &RowSource,
        index: &Arc<RowIndex>,
    ) -> Result<bool, Failure> {
        let works = Works { settings, batch, source, index };
        if !self.is_caught_up {
            self.catch_up(&works)?;
            self.is_caught_up = true;
        }
        let (masks, n_settled) = self.compare(&works)?;
        if self.left.fates.is_empty() && !self.is_certain {
            return Ok(false);
        }
        if let Some(doubt) = self.doubt.take() {
            return Err(doubt);
        }
        batch.go_on(masks, n_settled).map_err(|error| Failure::new(Exit::Invalid, error))?;
        Ok(true)
    }

    /// Takes over what the ledger and the disk know and the journal does not.
    fn catch_up(&mut self, works: &Works<'_>) -> Result<(), Failure> {
        // Without a ledger nobody knows what became of whatever was out: it may have been billed.
        let attempts = self.attempts.take().unwrap_or(RunAttempts::of(self.run_id));
        let mut names = Names(BTreeMap::new());
        works.each(|position, row, works_of_row| {
            let class = works.batch.class_of(position);
            for work in works_of_row.iter().filter(|work| attempts.has_work(work)) {
                let expected = works.batch.class(class).quote.as_ref();
                let expected = expected.map_or(NanoUsd::ZERO, |quote| quote.expected);
                names.0.insert(*work, (row.scene_id.clone(), expected));
            }
            Ok(())
        })?;
        self.lost_ends = self.history.lost_ends(&attempts);
        self.missing = self.history.catch_up(&attempts, &names);
        self.look_for_images(works)
    }

    /// Compares the rows with what was done.
    fn compare(&mut self, works: &Works<'_>) -> Result<(Vec<u16>, u64), Failure> {
        let (settings, n_images) = (works.settings, works.batch.chosen().images);
        let mut leftover = Leftover::new(LeftoverAsk {
            history: &self.history,
            only: &settings.only,
            paid: &settings.paid_retries,
            n_images,
            before: self.before.as_deref(),
        });
        let (mut positions, mut works_now) = (BTreeMap::new(), BTreeSet::new());
        let mut has_turn = vec![false; works.index.len() as usize];
        works.batch.selected().for_each(|position| has_turn[position as usize] = true);
        works.each(|position, row, works_of_row| {
            leftover.add(&row.scene_id, works_of_row, has_turn[position as usize]);
            if leftover.fates.contains_key(&position) {
                positions.insert(row.scene_id.clone(), position);
                works_now.extend(works_of_row);
            }
            Ok(())
        })?;
        let (census, allowance) = (leftover.census(), leftover.allowance());
        let Leftover { masks, fates, .. } = leftover;
        let n_settled = fates.values().filter(|fate| is_settled(fate)).count() as u64;
        let again = NanoUsd::ZERO;
        self.left = Left { fates, positions, works: works_now, census, allowance, n_images, again };
        Ok((masks, n_settled))
    }
}

/// Whether nothing is made of a row now and it has an end that counts.
pub(super) fn is_settled(fate: &RowFate) -> bool {
    !fate.is_open() && fate.outcome() != Outcome::Cancelled
}
