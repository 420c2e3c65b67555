//! Where the images of a row can come from: another row, or an earlier run.

use std::collections::BTreeMap;

use super::find::FindAsk;
use super::{Source, Twins};
use crate::adapters::output::kept::KeptImage;
use crate::commands::failure::Failure;
use crate::commands::run::works::Works;
use crate::domain::digest::Sha256Digest;
use crate::domain::history::History;
use crate::domain::ids::SceneId;
use crate::domain::reference::Reference;
use crate::domain::request::twin_identity;
use crate::domain::row::{Outcome, Row};

/// A row that others are copied from.
pub(super) struct Leader {
    position: u32,
    number: u64,
    scene_id: SceneId,
    claim: Claim,
    /// Its images, where all of them are stored.
    stored: Vec<KeptImage>,
}

/// How much speaks for copying from a row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Claim {
    /// It has its turn now, and was rejected before.
    Rejected,
    /// It has its turn now.
    Turn,
    /// Something was sent for it.
    Tried,
    /// All of its images are stored.
    Stored,
}

/// Of the rows that ask for the same those that others are copied from.
#[derive(Default)]
pub(super) struct LeadersOf {
    /// The first one whose images are stored.
    stored: Option<Leader>,
    /// Of the others the one with the best claim; it leads where those images are gone.
    other: Option<Leader>,
}

/// The rows that others are copied from, by what they ask for.
pub(super) fn leaders(
    ask: &FindAsk<'_>,
    has_turn: &[bool],
) -> Result<BTreeMap<Sha256Digest, LeadersOf>, Failure> {
    let mut leaders: BTreeMap<Sha256Digest, LeadersOf> = BTreeMap::new();
    ask.works.each(|position, row, of_row| {
        let stored = ask.stored(of_row);
        let was_rejected = ask.history().and_then(|history| history.row(&row.scene_id));
        let was_rejected = was_rejected.is_some_and(|told| told.outcome == Outcome::Rejected);
        let claim = match () {
            () if !stored.is_empty() => Claim::Stored,
            () if ask.was_tried(of_row) => Claim::Tried,
            () if !has_turn[position as usize] => return Ok(()),
            () if was_rejected => Claim::Rejected,
            () => Claim::Turn,
        };
        let of_key = leaders.entry(ask.works.twin(position, row)).or_default();
        let place = if claim == Claim::Stored { &mut of_key.stored } else { &mut of_key.other };
        if place.as_ref().is_none_or(|it| claim > it.claim) {
            let (number, scene_id) = (row.number, row.scene_id.clone());
            *place = Some(Leader { position, number, scene_id, claim, stored });
        }
        Ok(())
    })?;
    Ok(leaders)
}

impl FindAsk<'_> {
    pub(super) fn history(&self) -> Option<&History> {
        self.going_on.map(|run| &run.history)
    }

    /// The images of a row, when all of them are stored.
    fn stored(&self, of_row: &[Sha256Digest]) -> Vec<KeptImage> {
        let stored = |work: &Sha256Digest| {
            let (run, image) = (self.going_on?, self.history()?.image(work)?);
            let path = run.folder.path().join(image.file.as_ref()?);
            let (sha256, look) = (image.sha256?, image.check.look);
            Some(KeptImage { path, sha256, ask: image.ask, look })
        };
        of_row.iter().map(stored).collect::<Option<_>>().unwrap_or_default()
    }

    /// Whether anything was ever sent for it.
    pub(super) fn was_tried(&self, of_row: &[Sha256Digest]) -> bool {
        let image = |work| self.history().and_then(|history| history.image(work));
        of_row.iter().any(|work| image(work).is_some_and(|image| image.attempts > 0))
    }

    /// Where the images of a row can come from.
    pub(super) fn source(
        &self,
        leaders: &BTreeMap<Sha256Digest, LeadersOf>,
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
        let Some(of_key) = leaders.get(&self.works.twin(position, row)) else { return Ok(None) };
        // What is not there as it was is copied to nobody.
        let is_there = |leader: &&Leader| leader.stored.iter().all(|it| self.seen.is_there(it));
        let leader = of_key.stored.as_ref().filter(is_there).or(of_key.other.as_ref());
        Ok(leader
            .filter(|leader| leader.position != position)
            .map(|leader| Source::Row { number: leader.number, scene_id: leader.scene_id.clone() }))
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
