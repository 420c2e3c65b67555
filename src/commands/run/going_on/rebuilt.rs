//! Images that are made out of paid answers which nobody could read when they came.

use std::io;

use crate::adapters::output::rebuild::Rebuilt;
use crate::commands::run::going_on::GoingOn;
use crate::domain::history::{ImagePast, Owes};
use crate::domain::ids::AttemptId;
use crate::domain::image_name::ImageName;
use crate::domain::ledger::CostSource;
use crate::domain::money::NanoUsd;
use crate::report::words::count;

/// What is known of the money of the attempt that an image is taken for. One that was given back,
/// or was cleared up as not billed, owes nothing.
pub(super) fn owes(past: &ImagePast, rid: &AttemptId) -> Owes {
    let kept = past.kept.iter().rev().find(|kept| kept.rid == *rid).map(|kept| kept.owes);
    kept.or_else(|| past.owes(rid)).unwrap_or(Owes::Paid(NanoUsd::ZERO, CostSource::Reported))
}

impl GoingOn {
    /// The image in what was kept of the newest attempt that brought one which nobody could read.
    pub(super) fn rebuilt(
        &self,
        past: &ImagePast,
        name: &ImageName,
        asked: Option<(u32, u32)>,
    ) -> io::Result<Option<(AttemptId, Rebuilt)>> {
        for kept in past.kept.iter().rev() {
            if let Some(rebuilt) = Rebuilt::of(self.folder.path(), &kept.files, name, asked)? {
                return Ok(Some((kept.rid, rebuilt)));
            }
        }
        Ok(None)
    }

    /// What a plan says of images that are made out of what was kept.
    pub(in crate::commands::run) fn rebuilt_note(&self) -> Option<String> {
        let n = self.found.iter().filter(|work| work.image.rebuilt.is_some()).count() as u64;
        (n > 0).then(|| format!("{} made out of what is kept under raw/", count(n, "image")))
    }
}
