//! Images that are there although nothing says so: a process died between giving one its name and
//! telling it.

use std::collections::{BTreeMap, BTreeSet};

use crate::adapters::output::found::{FoundImage, ImagesThere};
use crate::adapters::output::sight::sight;
use crate::commands::failure::Failure;
use crate::commands::run::going_on::GoingOn;
use crate::commands::run::going_on::ledger::other_ledger;
use crate::commands::run::going_on::made::Made;
use crate::commands::run::going_on::rebuilt::owes;
use crate::commands::run::works::Works;
use crate::domain::event::{Ending, ImageStored, RunEvent};
use crate::domain::ids::AttemptId;
use crate::domain::image::sides;
use crate::domain::image_name::ImageName;
use crate::domain::ledger::CostSource;
use crate::domain::money::NanoUsd;
use crate::domain::sidecar::Sidecar;
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
    /// Looks for the images of attempts whose process died before it told of them, and whether the
    /// others are still there.
    pub(super) fn look_for_images(&mut self, works: &Works<'_>) -> Result<(), Failure> {
        let failed = |error| Failure::new(Exit::Environment, error);
        let taken: BTreeSet<&str> = self.history.files().collect();
        let there = ImagesThere::look(self.folder.path(), &|file| taken.contains(file));
        let there = there.map_err(failed)?;
        let rivals = self.rivals();
        let (mut found, mut gone) = (Vec::new(), Vec::new());
        works.each(|position, row, works_of_row| {
            for (n, work) in works_of_row.iter().enumerate() {
                let variant = u8::try_from(n + 1).expect("there are at most 10");
                let past = self.history.image(work);
                if let Some(file) = past.and_then(|past| past.file.as_ref()) {
                    if !there.has(file) {
                        gone.push(file.clone());
                    }
                    continue;
                }
                let owner = match there.told(work) {
                    Some(head) if head.run_id == self.run_id => {
                        if self.history.work_of(&head.rid).is_none() {
                            return Err(other_ledger(&self.ledger, None));
                        }
                        Some(head.rid)
                    }
                    Some(_) | None => None,
                };
                let Some(past) = past else { continue };
                let (rid, image) = match owner {
                    Some(rid) => (rid, there.with_sidecar(work).map_err(failed)?),
                    None => {
                        // As it was called when it was sent, whatever rows and template say now.
                        let name = past.image_name();
                        let rid = past.may_be_there();
                        let is_only = rivals.get(&name) == Some(&1);
                        let rid = rid.filter(|_| is_only);
                        let asked = sides(&works.spec(position, row).size);
                        let bare = rid.map(|_| there.bare(&name)).transpose().map_err(failed)?;
                        match (rid, bare.flatten()) {
                            (Some(rid), Some(bare)) => (rid, Some(bare)),
                            _ => match self.rebuilt(past, &name, asked).map_err(failed)? {
                                Some((rid, rebuilt)) => (rid, Some(rebuilt.into())),
                                None => continue,
                            },
                        }
                    }
                };
                let Some(image) = image else { continue };
                // A whole image with a sidecar of its own is proof enough, whatever it cost.
                let owes = owes(past, &rid);
                let class = works.batch.class_of(position);
                let spec = works.batch.spec_for(class, row, &works.settings.spec);
                let run_id = self.run_id;
                let made = Made { run_id, row, variant, work: *work, rid, owes };
                let path = self.folder.path().join(&image.image.path);
                let is_compared = row.variants.get() > 1;
                let looks = works.settings.image_checks;
                let seen = looks.then(|| sight(&path, is_compared)).flatten();
                let seen = seen.filter(|_| image.rebuilt.is_none());
                found.push(made.found(works.settings, &spec, image, seen));
            }
            Ok(())
        })?;
        for work in &found {
            self.take_found(work);
        }
        (self.found, self.gone) = (found, gone);
        Ok(())
    }

    /// How many works could have left an image of a name that nobody told of: a row that was edited
    /// has several, and then the name of a file says nothing.
    fn rivals(&self) -> BTreeMap<ImageName, u32> {
        let mut rivals = BTreeMap::new();
        for (_, image) in self.history.images().filter(|(_, it)| it.may_be_there().is_some()) {
            *rivals.entry(image.image_name()).or_default() += 1;
        }
        rivals
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
            } else if found.image.rebuilt.is_some() {
                // It is held at its worst case until the ledger is told.
                let held = found.sidecar.amount;
                self.history.make_good(&found.rid, held, held);
            }
        }
        self.history.take_stored(&found.stored);
    }
}
