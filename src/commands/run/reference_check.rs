//! Looks at what references need before anything is sent: every local file, and the credentials of
//! the stores. Both are free, so a rehearsal and a plan say what a live run would.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::adapters::references::local::LocalReferences;
use crate::adapters::rows::RowSource;
use crate::commands::failure::Failure;
use crate::commands::reference_parts::missing_for;
use crate::commands::rows_input::rows_failure;
use crate::commands::run::pass::Pass;
use crate::commands::run::planned::Planned;
use crate::commands::run::reference_objections::{Refused, RefusedRow};
use crate::commands::world::World;
use crate::domain::fetch::StoreKind;
use crate::domain::reference::Reference;
use crate::domain::settings::{Mode, OnBadRow, RunSettings};
use crate::exit::Exit;
use crate::pipeline::stop::with_sources;
use crate::ports::rows::RowReader;

/// The most files whose verdict is remembered: rows that share a file stand near each other.
const MOST_REMEMBERED: usize = 4096;

/// The selected rows that name a file which cannot be used, by their number.
pub(super) fn unusable(
    world: &World,
    pass: &Pass<'_>,
    source: &RowSource,
    references: &LocalReferences,
) -> Result<Refused, Failure> {
    let mut refused = Refused::new();
    let Ok(batch) = &pass.batch else { return Ok(refused) };
    if batch.local_references() == 0 {
        return Ok(refused);
    }
    let failed = |error| rows_failure(world, error);
    let mut reader = source.reader(&Arc::clone(&pass.index)).map_err(failed)?;
    let mut known = BTreeMap::new();
    for position in batch.selected() {
        if batch.class(batch.class_of(position)).n_references == 0 {
            continue;
        }
        let row = reader.read(position).map_err(|error| Failure::new(Exit::Invalid, error))?;
        let mut all = row.references.iter().chain(&row.options.mask).filter_map(local);
        if let Some(reason) = all.find_map(|path| verdict(&mut known, references, path)) {
            let number = pass.index.number(position);
            refused.insert(number, RefusedRow { reference: None, reason });
        }
    }
    Ok(refused)
}

fn local(reference: &Reference) -> Option<&str> {
    match reference {
        Reference::Local(path) => Some(path),
        Reference::Url(_) => None,
    }
}

/// Why a file cannot be used; it is looked at once, however many rows share it.
fn verdict(
    known: &mut BTreeMap<String, Option<String>>,
    references: &LocalReferences,
    path: &str,
) -> Option<String> {
    if let Some(verdict) = known.get(path) {
        return verdict.clone();
    }
    let verdict = references.check(path).err().map(|error| with_sources(&error));
    if known.len() == MOST_REMEMBERED {
        known.clear();
    }
    known.insert(path.to_owned(), verdict.clone());
    verdict
}

/// What is missing before references can be read from their stores.
pub(super) fn missing_stores(
    world: &World,
    settings: &RunSettings,
    kinds: &BTreeSet<StoreKind>,
) -> Vec<&'static str> {
    kinds.iter().filter_map(|kind| missing_for(world, &settings.fetch, *kind)).collect()
}

/// Refuses the plan of a live run as the run itself would.
pub(super) fn refuse_in_plan(settings: &RunSettings, planned: &Planned) -> Result<(), Failure> {
    match settings.mode {
        Mode::Live => refuse_missing_stores(settings, planned),
        Mode::DryRun => Ok(()),
    }
}

/// Refuses to start when references are in a store that the environment has no credentials for.
pub(super) fn refuse_missing_stores(
    settings: &RunSettings,
    planned: &Planned,
) -> Result<(), Failure> {
    match planned.missing_stores.first() {
        Some(missing) if settings.on_bad_row == OnBadRow::Stop => {
            Err(Failure::new(Exit::Invalid, *missing)
                .with_hint("--on-bad-row skip goes on without those rows; nothing was sent"))
        }
        Some(_) | None => Ok(()),
    }
}
