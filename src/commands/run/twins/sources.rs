//! Where the images of a row can come from: another row, or an earlier run.

use std::collections::BTreeMap;

use super::find::FindAsk;
use super::{Source, Twins};
use crate::adapters::output::kept::{KeptImage, KeptImages};
use crate::commands::failure::Failure;
use crate::commands::run::works::Works;
use crate::domain::digest::Sha256Digest;
use crate::domain::ids::SceneId;
use crate::domain::reference::Reference;
use crate::domain::request::{ask_identity, twin_identity};
use crate::domain::row::Row;

/// A row that others are copied from.
pub(super) struct Leader {
    position: u32,
    number: u64,
    scene_id: SceneId,
    was_tried: bool,
}

/// Of the rows that ask for the same, the one of which something was sent already, else the first
/// that has its turn.
pub(super) fn leaders(
    ask: &FindAsk<'_>,
    has_turn: &[bool],
) -> Result<BTreeMap<Sha256Digest, Leader>, Failure> {
    let mut leaders: BTreeMap<Sha256Digest, Leader> = BTreeMap::new();
    ask.works.each(|position, row, of_row| {
        let was_tried = ask.was_tried(of_row);
        if was_tried || has_turn[position as usize] {
            let (number, scene_id) = (row.number, row.scene_id.clone());
            let leader = Leader { position, number, scene_id, was_tried };
            let key = ask.works.twin(position, row);
            if leaders.get(&key).is_none_or(|it| was_tried && !it.was_tried) {
                leaders.insert(key, leader);
            }
        }
        Ok(())
    })?;
    Ok(leaders)
}

impl FindAsk<'_> {
    /// Whether anything was ever sent for it.
    pub(super) fn was_tried(&self, of_row: &[Sha256Digest]) -> bool {
        let history = self.going_on.map(|run| &run.history);
        let image = |work| history.and_then(|history| history.image(work));
        of_row.iter().any(|work| image(work).is_some_and(|image| image.attempts > 0))
    }

    /// Where the images of a row can come from.
    pub(super) fn source(
        &self,
        leaders: &BTreeMap<Sha256Digest, Leader>,
        position: u32,
        row: &Row,
        twins: &mut Twins,
    ) -> Result<Option<Source>, Failure> {
        if let Some(kept) = self.kept {
            let remote = |it: &Reference| matches!(it, Reference::Url(_));
            if row.references.iter().chain(&row.options.mask).any(remote) {
                twins.told.remote += 1;
            } else if let Some(images) = self.kept_images(kept, position, row) {
                return Ok(Some(Source::Kept(images)));
            }
        }
        let leader = leaders.get(&self.works.twin(position, row));
        Ok(leader
            .filter(|leader| leader.position != position)
            .map(|leader| Source::Row { number: leader.number, scene_id: leader.scene_id.clone() }))
    }

    /// The images of earlier runs for a row, when all of them are there.
    fn kept_images(&self, kept: &KeptImages, position: u32, row: &Row) -> Option<Vec<KeptImage>> {
        let Works { settings, .. } = self.works;
        let spec = self.works.spec(position, row);
        let references = row.references.iter().chain(&row.options.mask);
        let digest = |reference: &Reference| match reference {
            Reference::Local(path) => self.local.digest(path),
            Reference::Url(_) => None,
        };
        let references: Vec<Sha256Digest> = references.map(digest).collect::<Option<_>>()?;
        let image = |variant| {
            kept.get(&ask_identity(
                &row.prompt,
                variant,
                &spec,
                settings.origin(),
                &mut references.iter().copied(),
                row.options.mask.is_some(),
                settings.is_simulated(),
            ))
        };
        row.variants.each().map(image).collect()
    }
}

impl Works<'_> {
    /// What makes two rows ask for the same.
    fn twin(&self, position: u32, row: &Row) -> Sha256Digest {
        let settings = self.settings;
        let spec = self.spec(position, row);
        twin_identity(row, &spec, settings.origin(), settings.is_simulated())
    }
}
