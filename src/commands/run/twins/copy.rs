//! Copies one image of a row or a run to a row that asks for the same.

use std::collections::BTreeMap;
use std::path::Path;

use super::{LeaderEnd, Sharing, Source, Twin, TwinImage};
use crate::adapters::output::kept::KeptImage;
use crate::domain::event::ImageStored;
use crate::domain::ids::AttemptId;
use crate::domain::image::StoredImage;
use crate::domain::ledger::CostSource;
use crate::domain::money::NanoUsd;
use crate::domain::sidecar::Sidecar;

/// A copy that has its name.
pub(super) type Copied = (StoredImage, Sidecar);

impl Sharing {
    /// Copies one image, when there is one to be copied.
    pub(super) async fn one(
        &self,
        twin: &Twin,
        image: &TwinImage,
        variant: u8,
        ends: &BTreeMap<u64, LeaderEnd>,
    ) -> Result<Option<(Option<Copied>, ImageStored)>, String> {
        let stored = |rid: AttemptId| ImageStored {
            rid,
            row: twin.number,
            scene_id: twin.scene_id.clone(),
            variant,
            file: String::new(),
            n_bytes: 0,
            sha256: None,
            pixels: None,
            flaws: Default::default(),
            ask: None,
            work: Some(image.work),
            look: None,
        };
        let Some(folder) = &self.folder else {
            let is_made = match &twin.source {
                Source::Kept(_) => true,
                Source::Row { number, .. } => {
                    ends.get(number).is_some_and(|end| end.images.contains_key(&variant))
                }
            };
            return Ok(is_made.then(|| (None, stored(AttemptId::NONE))));
        };
        let Some(source) = twin.image(variant, ends, folder) else { return Ok(None) };
        let text = |error: &dyn std::fmt::Display| {
            format!("{} cannot be copied: {error}", source.path.display())
        };
        // What is not there as it was is not copied; the next call sends the row itself.
        let Ok((bytes, sidecar)) = source.read() else { return Ok(None) };
        let refused = |error: crate::ports::images::ImageStoreError| text(&error);
        let mut writer = self.images.begin(image.name.clone()).await.map_err(refused)?;
        writer.write(bytes).await.map_err(refused)?;
        let copy = writer.finish().await.map_err(refused)?;
        let sidecar = self.sidecar(twin, image, variant, &copy, &source.path, sidecar);
        let stored = ImageStored {
            file: sidecar.file.clone(),
            n_bytes: copy.n_bytes,
            sha256: Some(copy.sha256),
            pixels: copy.pixels,
            flaws: sidecar.flaws,
            ask: source.ask,
            look: source.look,
            ..stored(sidecar.rid)
        };
        Ok(Some((Some((copy, sidecar)), stored)))
    }

    fn sidecar(
        &self,
        twin: &Twin,
        image: &TwinImage,
        variant: u8,
        copy: &StoredImage,
        source: &Path,
        of_source: Sidecar,
    ) -> Sidecar {
        // Of another run: with its folder, and without what lies above that.
        let below = self.folder.as_ref().and_then(|folder| {
            let beside = || source.strip_prefix(folder.parent()?).ok();
            source.strip_prefix(folder).ok().or_else(beside)
        });
        Sidecar {
            run_id: self.run_id,
            scene_id: twin.scene_id.as_str().to_owned(),
            variant,
            work: image.work,
            amount: NanoUsd::ZERO,
            cost_source: CostSource::Reported.word().to_owned(),
            file: copy.path.to_string_lossy().into_owned(),
            copy_of: Some(below.unwrap_or(source).display().to_string()),
            ..of_source
        }
    }
}

impl Twin {
    /// How the row that it is copied from has ended.
    pub(super) fn end<'a>(&self, ends: &'a BTreeMap<u64, LeaderEnd>) -> Option<&'a LeaderEnd> {
        match &self.source {
            Source::Row { number, .. } => ends.get(number),
            Source::Kept(_) => None,
        }
    }

    /// The image that one of its images is copied from.
    fn image(
        &self,
        variant: u8,
        ends: &BTreeMap<u64, LeaderEnd>,
        folder: &Path,
    ) -> Option<KeptImage> {
        if let Source::Kept(images) = &self.source {
            return images.get(usize::from(variant) - 1).cloned();
        }
        let image = self.end(ends)?.images.get(&variant)?;
        let (path, sha256) = (folder.join(&image.file), image.sha256?);
        Some(KeptImage { path, sha256, ask: image.ask, look: image.look })
    }
}
