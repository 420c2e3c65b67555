//! Finds rows that need not be sent: others ask for the same, or an earlier run has their images.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::sources::leaders;
use super::{LeaderEnd, LeaderImage, Source, Twin, TwinImage, Twins};
use crate::adapters::output::kept::KeptImages;
use crate::adapters::references::local::LocalReferences;
use crate::commands::failure::Failure;
use crate::commands::run::going_on::GoingOn;
use crate::commands::run::works::Works;
use crate::domain::digest::Sha256Digest;
use crate::domain::event::Tags;
use crate::domain::history::Standing;
use crate::domain::ids::RunId;
use crate::domain::money::NanoUsd;
use crate::domain::row::Row;

/// What is looked at.
pub(super) struct FindAsk<'a> {
    /// The rows.
    pub(super) works: Works<'a>,
    /// The run.
    pub(super) run_id: RunId,
    /// What it has done so far, where it goes on.
    pub(super) going_on: Option<&'a GoingOn>,
    /// The images of earlier runs, where they are to be taken.
    pub(super) kept: Option<&'a KeptImages>,
    /// Where local references are.
    pub(super) local: &'a LocalReferences,
    /// The digests of those that were read.
    pub(super) digests: RefCell<BTreeMap<String, Option<Sha256Digest>>>,
    /// What was looked at of the run's own images.
    pub(super) seen: &'a KeptImages,
    /// Up to where the images of earlier runs are taken, for each request.
    pub(super) taken: RefCell<BTreeMap<Sha256Digest, usize>>,
}

/// Finds them among the rows that have their turn.
pub(super) fn find(ask: &FindAsk<'_>, dedupe: bool) -> Result<(Twins, BTreeSet<u32>), Failure> {
    let works = &ask.works;
    let mut has_turn = vec![false; works.index.len() as usize];
    works.batch.selected().for_each(|position| has_turn[position as usize] = true);
    let leaders = if dedupe { leaders(ask, &has_turn)? } else { BTreeMap::new() };
    let (mut twins, mut rows, mut known) = (Twins::default(), BTreeSet::new(), BTreeSet::new());
    works.each(|position, row, of_row| {
        let is_open = has_turn[position as usize] && !ask.was_tried(of_row);
        let source = if is_open { ask.source(&leaders, position, row, &mut twins)? } else { None };
        let Some(source) = source else { return Ok(()) };
        if let Source::Row { number, .. } = &source {
            known.insert(*number);
        }
        twins.count(&source, ask, position);
        twins.all.push(ask.twin(position, row, of_row, source));
        rows.insert(position);
        Ok(())
    })?;
    twins.known = ask.known(&known)?;
    twins.positions.clone_from(&rows);
    Ok((twins, rows))
}

impl FindAsk<'_> {
    fn twin(&self, position: u32, row: &Row, of_row: &[Sha256Digest], source: Source) -> Twin {
        let image = |(work, variant): (&Sha256Digest, u8)| {
            let past = self.history().and_then(|history| history.image(work));
            TwinImage {
                work: *work,
                name: self.works.name(self.run_id, position, row, variant),
                is_there: past.is_some_and(|image| image.standing() == Standing::Stored),
                check: past.map(|image| image.check).unwrap_or_default(),
            }
        };
        Twin {
            number: row.number,
            scene_id: row.scene_id.clone(),
            tags: Tags::of(self.works.spec(position, row), row),
            images: of_row.iter().zip(row.variants.each()).map(image).collect(),
            source,
        }
    }

    /// What is known of the rows of these numbers, as far as the run has told it.
    fn known(&self, numbers: &BTreeSet<u64>) -> Result<BTreeMap<u64, LeaderEnd>, Failure> {
        let mut known = BTreeMap::new();
        let Some(history) = self.going_on.map(|run| &run.history) else { return Ok(known) };
        self.works.each(|_, row, of_row| {
            if !numbers.contains(&row.number) {
                return Ok(());
            }
            let images = of_row.iter().zip(row.variants.each()).filter_map(|(work, variant)| {
                let past = history.image(work)?;
                let (sha256, ask, look) = (past.sha256, past.ask, past.check.look);
                Some((variant, LeaderImage { file: past.file.clone()?, sha256, ask, look }))
            });
            let outcome = history.result(&row.scene_id, of_row, false).outcome;
            known.insert(row.number, LeaderEnd { outcome, images: images.collect() });
            Ok(())
        })?;
        Ok(known)
    }
}

impl Twins {
    fn count(&mut self, source: &Source, ask: &FindAsk<'_>, position: u32) {
        let batch = ask.works.batch;
        let n_images = batch.n_variants(position);
        let quote = batch.class(batch.class_of(position)).quote.as_ref();
        let each = quote.map_or(NanoUsd::ZERO, |quote| quote.expected);
        let saved = each.checked_mul(n_images).unwrap_or(NanoUsd::ZERO);
        self.told.saved = self.told.saved.saturating_add(saved);
        let (rows, images) = match source {
            Source::Row { .. } => (&mut self.told.rows, &mut self.told.images),
            Source::Kept(_) => (&mut self.told.kept_rows, &mut self.told.kept_images),
        };
        *rows += 1;
        *images += n_images;
    }
}
