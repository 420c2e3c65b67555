//! What became of a row, as its run tells it.

use crate::domain::digest::Sha256Digest;
use crate::domain::history::History;
use crate::domain::ids::SceneId;
use crate::domain::money::NanoUsd;
use crate::domain::row::Outcome;

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowResult {
    /// How it ended; nothing while it is still to be worked on.
    pub outcome: Option<Outcome>,
    /// The files of its images, relative to the run's folder, in the order of the variants.
    pub files: Vec<String>,
    /// What was charged for it.
    pub cost: NanoUsd,
    /// Attempts sent.
    pub attempts: u32,
    /// Why it did not end well.
    pub error: Option<String>,
}

impl RowResult {
    /// The outcome as one word.
    pub const fn word(&self) -> &'static str {
        match self.outcome {
            Some(outcome) => outcome.word(),
            None => "pending",
        }
    }
}

impl History {
    /// What became of a row that asks for these works. What was made of it when it asked for
    /// something else does not count.
    pub fn result(&self, scene_id: &SceneId, works: &[Sha256Digest]) -> RowResult {
        let images: Vec<_> = works.iter().filter_map(|work| self.image(work)).collect();
        let told = self.row(scene_id).filter(|told| match told.outcome {
            Outcome::Cancelled | Outcome::Held => false,
            Outcome::Rejected | Outcome::Skipped => true,
            Outcome::Ok
            | Outcome::Partial
            | Outcome::Failed
            | Outcome::Refused
            | Outcome::Unknown => !images.is_empty(),
        });
        RowResult {
            outcome: told.map(|told| told.outcome),
            files: images.iter().filter_map(|image| image.file.clone()).collect(),
            cost: images.iter().fold(NanoUsd::ZERO, |sum, it| sum.saturating_add(it.cost)),
            attempts: images.iter().map(|image| image.attempts).sum(),
            error: told.and_then(|told| told.reason.clone()),
        }
    }

    /// The digests of the images that are stored, by their files.
    pub fn digests(&self) -> impl Iterator<Item = (&str, Sha256Digest)> {
        self.images().filter_map(|(_, image)| Some((image.file.as_deref()?, image.sha256?)))
    }
}
