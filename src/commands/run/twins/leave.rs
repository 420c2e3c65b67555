//! Leaves rows out of a batch whose images are copied.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::Twins;
use super::find::{FindAsk, find};
use crate::adapters::output::kept::KeptImages;
use crate::adapters::references::local::LocalReferences;
use crate::adapters::rows::{RowIndex, RowSource};
use crate::commands::failure::Failure;
use crate::commands::run::going_on::GoingOn;
use crate::commands::run::planning::PlanningAsk;
use crate::commands::run::works::Works;
use crate::domain::batch::Batch;
use crate::domain::digest::Sha256Digest;
use crate::exit::Exit;

/// Rows up to which a plan says what `--dedupe` would save: looking for it reads them all again.
const MOST_HINTED: u64 = 1_000;

/// Where such rows are looked for.
pub(in crate::commands::run) struct LeaveAsk<'a> {
    /// What is planned.
    pub(in crate::commands::run) planning: &'a PlanningAsk<'a>,
    /// The rows.
    pub(in crate::commands::run) source: &'a RowSource,
    /// Where the good ones are.
    pub(in crate::commands::run) index: &'a Arc<RowIndex>,
    /// The images of earlier runs, where they are to be taken.
    pub(in crate::commands::run) kept: Option<&'a KeptImages>,
    /// What was looked at of the run's own images.
    pub(in crate::commands::run) seen: &'a KeptImages,
    /// Where local references are.
    pub(in crate::commands::run) local: &'a LocalReferences,
}

/// Leaves them out of the batch, when the user wants that.
pub(in crate::commands::run) fn leave(
    ask: &LeaveAsk<'_>,
    batch: &mut Batch,
    going_on: Option<&GoingOn>,
) -> Result<Twins, Failure> {
    let settings = ask.planning.settings;
    let is_wanted = settings.dedupe || ask.kept.is_some();
    if !is_wanted && batch.n_rows() > MOST_HINTED {
        return Ok(Twins::default());
    }
    let (source, index) = (ask.source, ask.index);
    let looked = FindAsk {
        works: Works { settings, batch, source, index },
        run_id: going_on.map_or(ask.planning.run_id, |run| run.run_id),
        going_on,
        kept: ask.kept,
        local: ask.local,
        digests: RefCell::default(),
        seen: ask.seen,
        taken: RefCell::new(taken_before(going_on)),
    };
    let (twins, rows) = find(&looked, settings.dedupe || !is_wanted)?;
    if !is_wanted {
        return Ok(Twins { hint: twins.told, ..Twins::default() });
    }
    batch.leave(&rows).map_err(|error| Failure::new(Exit::Invalid, error))?;
    Ok(twins)
}

/// How many images of earlier runs the run has taken for each request already.
fn taken_before(going_on: Option<&GoingOn>) -> BTreeMap<Sha256Digest, usize> {
    let mut taken = BTreeMap::new();
    let images = going_on.into_iter().flat_map(|run| run.history.images());
    let copies = images.filter(|(_, image)| image.attempts == 0);
    copies.filter_map(|(_, image)| image.ask).for_each(|ask| *taken.entry(ask).or_default() += 1);
    taken
}
