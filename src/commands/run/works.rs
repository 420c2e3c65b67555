//! The rows of a batch, read one after the other with what is known of each of their images.

use std::sync::Arc;

use crate::adapters::rows::{RowIndex, RowSource};
use crate::commands::failure::Failure;
use crate::domain::batch::Batch;
use crate::domain::digest::Sha256Digest;
use crate::domain::ids::RunId;
use crate::domain::image_name::{ImageName, NameFacts};
use crate::domain::request::{ImageSpec, work_identity};
use crate::domain::row::Row;
use crate::domain::settings::RunSettings;
use crate::exit::Exit;
use crate::ports::rows::RowReader;

/// The rows of a batch, each with the identity of each of its images.
#[derive(Clone, Copy)]
pub(super) struct Works<'a> {
    pub(super) settings: &'a RunSettings,
    pub(super) batch: &'a Batch,
    pub(super) source: &'a RowSource,
    pub(super) index: &'a Arc<RowIndex>,
}

impl Works<'_> {
    /// Reads every row in the order of the input.
    pub(super) fn each(
        &self,
        mut visit: impl FnMut(u32, &Row, &[Sha256Digest]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let failed = |error| Failure::new(Exit::Invalid, error);
        let mut reader =
            self.source.reader(self.index).map_err(|error| Failure::new(Exit::Invalid, error))?;
        for position in 0..self.index.len() {
            let row = reader.read(position).map_err(failed)?;
            visit(position, &row, &self.identities(position, &row))?;
        }
        Ok(())
    }

    /// What is asked of the provider for a row.
    pub(super) fn spec(&self, position: u32, row: &Row) -> Arc<ImageSpec> {
        spec_of(self.settings, self.batch, position, row)
    }

    /// What an image is called in a run.
    pub(super) fn name(&self, run_id: RunId, position: u32, row: &Row, variant: u8) -> ImageName {
        let spec = self.spec(position, row);
        self.settings.names.name(&NameFacts { run_id, row, variant, spec: &spec })
    }

    /// The identity of each image of a row.
    pub(super) fn identities(&self, position: u32, row: &Row) -> Vec<Sha256Digest> {
        let spec = self.spec(position, row);
        let (origin, simulated) = (self.settings.origin(), self.settings.is_simulated());
        let work = |variant| work_identity(row, variant, &spec, origin, simulated);
        row.variants.each().map(work).collect()
    }
}

/// What is asked of whom for a row of a batch.
pub(super) fn spec_of(
    settings: &RunSettings,
    batch: &Batch,
    position: u32,
    row: &Row,
) -> Arc<ImageSpec> {
    batch.spec_for(batch.class_of(position), row, &settings.spec)
}
