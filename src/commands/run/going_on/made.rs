//! What is told and kept of an image that was found.

use std::io;
use std::path::Path;

use crate::adapters::output::found::FoundImage;
use crate::adapters::system;
use crate::commands::run::going_on::found::FoundWork;
use crate::domain::digest::Sha256Digest;
use crate::domain::event::ImageStored;
use crate::domain::history::Owes;
use crate::domain::ids::{AttemptId, RunId};
use crate::domain::ledger::CostSource;
use crate::domain::look::{ImageCheck, Sight};
use crate::domain::request::ImageSpec;
use crate::domain::row::Row;
use crate::domain::settings::RunSettings;
use crate::domain::sidecar::{SCHEMA, Sidecar, SidecarReference};

/// What is known of an image that was found.
pub(super) struct Made<'a> {
    /// The run.
    pub(super) run_id: RunId,
    /// The row that asks for it.
    pub(super) row: &'a Row,
    /// Which of its images.
    pub(super) variant: u8,
    /// The identity of the work.
    pub(super) work: Sha256Digest,
    /// The attempt that it is taken for.
    pub(super) rid: AttemptId,
    /// What is known of the money of that attempt.
    pub(super) owes: Owes,
}

impl FoundWork {
    /// Writes the image, when it is made out of what was kept; it may get another name then.
    pub(super) fn write_rebuilt(&mut self, run_folder: &Path) -> io::Result<()> {
        let Some(rebuilt) = &mut self.image.rebuilt else { return Ok(()) };
        rebuilt.write(run_folder)?;
        self.image.image = rebuilt.image.clone();
        let file = rebuilt.image.path.to_string_lossy().into_owned();
        self.stored.file.clone_from(&file);
        self.sidecar.file = file;
        Ok(())
    }
}

impl Made<'_> {
    /// The image, with its sidecar and what the journal is told of it.
    pub(super) fn found(
        &self,
        settings: &RunSettings,
        spec: &ImageSpec,
        image: FoundImage,
        sight: Option<Sight>,
    ) -> FoundWork {
        let Self { row, rid, .. } = *self;
        let file = image.image.path.to_string_lossy().into_owned();
        let (amount, source) = image.cost.unwrap_or(match self.owes {
            Owes::Unknown(held) => (held, CostSource::Maximum),
            Owes::Paid(amount, source) => (amount, source),
        });
        let check = ImageCheck::of(sight, &spec.size, &image.image);
        let stored = ImageStored {
            rid,
            row: row.number,
            scene_id: row.scene_id.clone(),
            variant: self.variant,
            file: file.clone(),
            n_bytes: image.image.n_bytes,
            sha256: Some(image.image.sha256),
            pixels: image.image.pixels,
            flaws: check.flaws,
            // What its references were, only the process that read them knew.
            ask: None,
            work: None,
            look: check.look.filter(|_| row.variants.get() > 1),
        };
        let references = row.references.iter().chain(&row.options.mask);
        let sidecar = Sidecar {
            schema: SCHEMA.into(),
            run_id: self.run_id,
            rid,
            scene_id: row.scene_id.as_str().to_owned(),
            variant: self.variant,
            work: self.work,
            prompt: row.prompt.clone(),
            request: spec.clone(),
            references: references
                .map(|it| SidecarReference { name: it.redacted().to_owned(), sha256: None })
                .collect(),
            amount,
            cost_source: source.word().to_owned(),
            simulated: settings.is_simulated(),
            provider_request_id: None,
            file,
            kind: image.image.kind,
            n_bytes: image.image.n_bytes,
            sha256: image.image.sha256,
            width: image.image.pixels.map(|(width, _)| width),
            height: image.image.pixels.map(|(_, height)| height),
            flaws: check.flaws,
            copy_of: None,
            finished_at: system::now().to_string(),
        };
        let unsettled =
            matches!(self.owes, Owes::Unknown(_)).then_some(image.cost.map(|(amount, _)| amount));
        FoundWork { rid, image, sidecar, stored, unsettled }
    }
}
