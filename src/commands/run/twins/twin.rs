//! A row for which nothing is sent, and how it ends.

use std::collections::BTreeMap;

use crate::adapters::output::kept::KeptImage;
use crate::domain::digest::Sha256Digest;
use crate::domain::event::{RowFinished, RowWork, Tags};
use crate::domain::ids::SceneId;
use crate::domain::image_name::ImageName;
use crate::domain::look::{ImageCheck, Look};
use crate::domain::row::Outcome;
use crate::domain::sanitize::one_line;

/// What becomes of a row for which nothing is sent.
#[derive(Clone, Debug)]
pub(super) struct Twin {
    /// The row's number, counted from 1.
    pub(super) number: u64,
    pub(super) scene_id: SceneId,
    pub(super) tags: Tags,
    /// Its images in their order.
    pub(super) images: Vec<TwinImage>,
    pub(super) source: Source,
}

/// An image of such a row.
#[derive(Clone, Debug)]
pub(super) struct TwinImage {
    pub(super) work: Sha256Digest,
    pub(super) name: ImageName,
    /// Whether an earlier process of the run has copied it.
    pub(super) is_there: bool,
    /// What is known of its looks then.
    pub(super) check: ImageCheck,
}

/// Where the images of such a row come from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// From a row of the same run, by its number.
    Row { number: u64, scene_id: SceneId },
    /// From earlier runs.
    Kept(Vec<KeptImage>),
}

/// How the row that is copied from has ended.
#[derive(Clone, Debug, Default)]
pub(super) struct LeaderEnd {
    pub(super) outcome: Option<Outcome>,
    /// Its images by their variants.
    pub(super) images: BTreeMap<u8, LeaderImage>,
}

/// An image of that row.
#[derive(Clone, Debug)]
pub(super) struct LeaderImage {
    /// Relative to the run's folder; empty in a rehearsal.
    pub(super) file: String,
    pub(super) sha256: Option<Sha256Digest>,
    pub(super) ask: Option<Sha256Digest>,
    pub(super) look: Option<Look>,
}

impl Twin {
    /// What is known of the looks of those that are there.
    pub(super) fn checks(&self) -> Vec<ImageCheck> {
        self.images.iter().filter(|image| image.is_there).map(|image| image.check).collect()
    }

    pub(super) fn n_there(&self) -> u32 {
        self.images.iter().map(|image| u32::from(image.is_there)).sum()
    }

    /// The end of the row: copied, or as the row that asks for the same has ended.
    pub(super) fn finished(
        &self,
        of_leader: Option<Outcome>,
        n_stored: u32,
        checks: &[ImageCheck],
    ) -> RowFinished {
        let n_images = u32::try_from(self.images.len()).expect("there are at most 10");
        let outcome = match of_leader {
            _ if n_stored == n_images => Outcome::Skipped,
            // Nobody has made it yet: a later call does.
            None | Some(Outcome::Ok | Outcome::Held | Outcome::Cancelled | Outcome::Skipped) => {
                Outcome::Cancelled
            }
            Some(outcome) => outcome,
        };
        let reason = match &self.source {
            _ if outcome == Outcome::Skipped => None,
            Source::Row { scene_id, .. } => Some(format!(
                "it asks for the same as {}, which has no such image",
                one_line(scene_id.as_str())
            )),
            Source::Kept(_) => Some("the image of an earlier run could not be copied".to_owned()),
        };
        RowFinished {
            row: self.number,
            scene_id: self.scene_id.clone(),
            outcome,
            error_kind: (!matches!(outcome, Outcome::Skipped | Outcome::Cancelled))
                .then_some("twin"),
            reason,
            latency: None,
            queue: None,
            fetch: None,
            work: RowWork {
                images_expected: n_images,
                images_stored: n_stored,
                ..RowWork::default()
            }
            .looked_at(checks),
            counts_as_error: false,
            tags: self.tags.clone(),
        }
    }
}
