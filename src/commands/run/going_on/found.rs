//! Images that are there although nothing says so: a process died between giving one its name and
//! telling it.

use std::collections::{BTreeMap, BTreeSet};

use crate::adapters::output::found::{FoundImage, find_image};
use crate::commands::failure::Failure;
use crate::commands::run::going_on::GoingOn;
use crate::commands::run::going_on::rows::Works;
use crate::domain::digest::Sha256Digest;
use crate::domain::event::{Ending, ImageStored, RunEvent};
use crate::domain::file_name::file_stem;
use crate::domain::history::{ImagePast, Standing};
use crate::domain::ids::AttemptId;
use crate::domain::ledger::CostSource;
use crate::domain::money::NanoUsd;
use crate::domain::request::ImageSpec;
use crate::domain::row::Row;
use crate::domain::settings::RunSettings;
use crate::domain::sidecar::{SCHEMA, Sidecar, SidecarReference};
use crate::exit::Exit;

/// An image that was found.
pub(in crate::commands::run) struct FoundWork {
    /// The attempt that it is taken for.
    pub(in crate::commands::run) rid: AttemptId,
    /// Its file.
    pub(in crate::commands::run) image: FoundImage,
    /// The sidecar for it.
    pub(in crate::commands::run) sidecar: Sidecar,
    /// What the journal is told.
    pub(in crate::commands::run) stored: ImageStored,
    /// Whether its money is still held, and what it cost where its sidecar says so.
    pub(in crate::commands::run) unsettled: Option<Option<NanoUsd>>,
}

impl GoingOn {
    /// Looks for the images of attempts whose process died before it told of them.
    pub(super) fn look_for_images(&mut self, works: &Works<'_>) -> Result<(), Failure> {
        let mut wanted: BTreeMap<Sha256Digest, ImagePast> = BTreeMap::new();
        for (work, image) in self.history.images().filter(|(_, it)| it.standing.may_be_there()) {
            wanted.insert(*work, image.clone());
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let taken: BTreeSet<String> = self.history.files().map(str::to_owned).collect();
        let (root, run_id) = (self.folder.path().to_owned(), self.run_id);
        let mut found = Vec::new();
        works.each(|position, row, works_of_row| {
            for (n, work) in works_of_row.iter().enumerate() {
                let Some(past) = wanted.get(work) else { continue };
                let stem = file_stem(row.scene_id.as_str());
                let variant = u8::try_from(n + 1).expect("there are at most 10");
                let image =
                    find_image(&root, &stem, variant, past.newest, &|file| taken.contains(file))
                        .map_err(|error| Failure::new(Exit::Environment, error))?;
                let Some(image) = image else { continue };
                let class = works.batch.class_of(position);
                let spec = works.batch.spec_for(class, row, &works.settings.spec);
                let worst =
                    works.batch.class(class).quote.as_ref().map_or(NanoUsd::ZERO, |it| it.maximum);
                let made = Made { run_id, row, variant, work: *work, past, worst };
                found.push(made.found(works.settings, &spec, image));
            }
            Ok(())
        })?;
        for work in &found {
            self.take_found(work);
        }
        self.found = found;
        Ok(())
    }

    /// The image counts as stored from here on; whose money was held is settled.
    fn take_found(&mut self, found: &FoundWork) {
        if found.unsettled.is_some() {
            let told = self.missing.iter_mut().find_map(|event| {
                if let RunEvent::AttemptEnded(it) = event { Some(it) } else { None }
                    .filter(|it| it.rid == found.rid)
            });
            // The end that is about to be told is the true one.
            if let Some(told) = told {
                let said = found.image.cost.map(|(_, source)| source);
                let source = said.unwrap_or(CostSource::Maximum);
                told.ending = Ending::Settled { amount: found.sidecar.amount, source };
                told.error = None;
                self.history.make_good(&found.rid, told.max, found.sidecar.amount);
            }
        }
        self.history.take_stored(&found.stored);
    }
}

/// What is known of an image that was found.
struct Made<'a> {
    run_id: crate::domain::ids::RunId,
    row: &'a Row,
    variant: u8,
    work: Sha256Digest,
    past: &'a ImagePast,
    worst: NanoUsd,
}

impl Made<'_> {
    fn found(&self, settings: &RunSettings, spec: &ImageSpec, image: FoundImage) -> FoundWork {
        let Self { row, past, .. } = *self;
        let is_held = matches!(past.standing, Standing::Unknown(_));
        let file = image.image.path.to_string_lossy().into_owned();
        let amount = image.cost.map(|(amount, _)| amount);
        let amount = amount.unwrap_or(if is_held { self.worst } else { past.cost });
        let stored = ImageStored {
            rid: past.newest,
            row: row.number,
            scene_id: row.scene_id.clone(),
            variant: self.variant,
            file: file.clone(),
            n_bytes: image.image.n_bytes,
            sha256: Some(image.image.sha256),
        };
        let references = row.references.iter().chain(&row.options.mask);
        let sidecar = Sidecar {
            schema: SCHEMA,
            run_id: self.run_id,
            rid: past.newest,
            scene_id: row.scene_id.as_str().to_owned(),
            variant: self.variant,
            work: self.work,
            prompt: row.prompt.clone(),
            request: spec.clone(),
            references: references
                .map(|it| SidecarReference { name: it.redacted().to_owned(), sha256: None })
                .collect(),
            amount,
            cost_source: past.source.unwrap_or(CostSource::Maximum).word().to_owned(),
            simulated: settings.is_simulated(),
            provider_request_id: None,
            file,
            kind: image.image.kind,
            n_bytes: image.image.n_bytes,
            sha256: image.image.sha256,
            width: image.image.pixels.map(|(width, _)| width),
            height: image.image.pixels.map(|(_, height)| height),
            finished_at: crate::adapters::system::now().to_string(),
        };
        let unsettled = is_held.then_some(image.cost.map(|(amount, _)| amount));
        FoundWork { rid: past.newest, image, sidecar, stored, unsettled }
    }
}
