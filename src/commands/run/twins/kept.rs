//! Images of earlier runs for a row.

use super::find::FindAsk;
use crate::adapters::output::kept::{KeptImage, KeptImages};
use crate::commands::run::works::Works;
use crate::domain::digest::Sha256Digest;
use crate::domain::reference::Reference;
use crate::domain::request::ask_identity;
use crate::domain::row::Row;

impl FindAsk<'_> {
    /// The images of earlier runs for a row, when all of them are there. Rows that ask for the same
    /// get different ones, as they would have if they had been sent.
    pub(super) fn kept_images(
        &self,
        kept: &KeptImages,
        position: u32,
        row: &Row,
    ) -> Option<Vec<KeptImage>> {
        let Works { settings, .. } = self.works;
        let spec = self.works.spec(position, row);
        let references = row.references.iter().chain(&row.options.mask);
        let references: Vec<Sha256Digest> =
            references.map(|it| self.digest(it)).collect::<Option<_>>()?;
        let ask = |variant| {
            ask_identity(
                &row.prompt,
                variant,
                &spec,
                settings.origin(),
                &mut references.iter().copied(),
                row.options.mask.is_some(),
                settings.is_simulated(),
            )
        };
        let asks: Vec<Sha256Digest> = row.variants.each().map(ask).collect();
        let mut taken = self.taken.borrow_mut();
        let next = |ask| kept.next(ask, taken.get(ask).copied().unwrap_or(0));
        let found: Vec<(&KeptImage, usize)> = asks.iter().map(next).collect::<Option<_>>()?;
        let images = found.iter().map(|(image, _)| (*image).clone()).collect();
        taken.extend(asks.into_iter().zip(found.into_iter().map(|(_, behind)| behind)));
        Some(images)
    }

    /// The digest of a reference on the disk; many rows may have the same.
    fn digest(&self, reference: &Reference) -> Option<Sha256Digest> {
        let Reference::Local(path) = reference else { return None };
        let mut digests = self.digests.borrow_mut();
        *digests.entry(path.clone()).or_insert_with(|| self.local.digest(path))
    }
}
