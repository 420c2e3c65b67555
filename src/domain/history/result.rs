//! What became of a row, as its run tells it.

use crate::domain::digest::Sha256Digest;
use crate::domain::history::{History, Past, RowFate};
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
    ///
    /// Of a row that asks for the same as another one (`is_twin`) nothing is sent: where it has no
    /// images, it ended as it was told.
    pub fn result(&self, scene_id: &SceneId, works: &[Sha256Digest], is_twin: bool) -> RowResult {
        let images: Vec<_> = works.iter().filter_map(|work| self.image(work)).collect();
        let pasts = works.iter().map(|work| Past::of(self.image(work), false)).collect();
        let stands = RowFate { images: pasts }.outcome();
        let told = self.row(scene_id);
        let outcome = match told.map(|told| told.outcome) {
            Some(Outcome::Rejected | Outcome::Skipped) if images.is_empty() => {
                told.map(|told| told.outcome)
            }
            Some(told) if is_twin && told.was_sent() && stands == Outcome::Cancelled => Some(told),
            // It stands as its images stand, whatever was told of it before.
            _ if images.is_empty() || stands == Outcome::Cancelled => None,
            _ => Some(stands),
        };
        let error = match outcome {
            None | Some(Outcome::Ok | Outcome::Skipped) => None,
            Some(outcome) => told
                .filter(|told| told.outcome == outcome)
                .and_then(|told| told.reason.clone())
                .or_else(|| Some("its images were not all made".to_owned())),
        };
        RowResult {
            outcome,
            files: images.iter().filter_map(|image| image.file.clone()).collect(),
            cost: images.iter().fold(NanoUsd::ZERO, |sum, it| sum.saturating_add(it.cost)),
            attempts: images.iter().map(|image| image.attempts).sum(),
            error,
        }
    }

    /// The digests of the images that are stored, by their files.
    pub fn digests(&self) -> impl Iterator<Item = (&str, Sha256Digest)> {
        self.images().filter_map(|(_, image)| Some((image.file.as_deref()?, image.sha256?)))
    }
}
