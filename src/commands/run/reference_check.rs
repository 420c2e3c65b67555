//! Looks at every local reference before a live run spends, and when such a run is planned: a
//! missing file is found for free.

use crate::commands::failure::Failure;
use crate::commands::reference_parts::missing_for;
use crate::commands::run::planned::Planned;
use crate::commands::world::World;
use crate::domain::plan::Plan;
use crate::domain::reference::Reference;
use crate::domain::settings::{Mode, OnBadRow, RunSettings};
use crate::domain::{ids::SceneId, sanitize};
use crate::exit::Exit;
use crate::pipeline::stop::with_sources;
use crate::ports::rows::RowReader;

fn local(reference: &Reference) -> Option<&str> {
    match reference {
        Reference::Local(path) => Some(path),
        Reference::Url(_) => None,
    }
}

/// Refuses the plan of a live run as the run itself would; a plan that does not fit its budget is
/// refused for that.
pub(super) fn refuse_in_plan(
    settings: &RunSettings,
    plan: &Plan,
    planned: &mut Planned,
) -> Result<(), Failure> {
    match settings.mode {
        Mode::Live if plan.cost.fits => refuse_bad_references(settings, planned),
        Mode::Live | Mode::DryRun => Ok(()),
    }
}

/// Refuses to start when a reference cannot be used, unless bad rows are to be skipped; those are
/// then rejected when their turn comes, before money moves for them.
pub(super) fn refuse_bad_references(
    settings: &RunSettings,
    planned: &mut Planned,
) -> Result<(), Failure> {
    if settings.on_bad_row == OnBadRow::Skip || planned.batch.local_references() == 0 {
        return Ok(());
    }
    let references = &planned.reference_places.local;
    let mut first: Option<(SceneId, String)> = None;
    let mut n_bad = 0_u64;
    let positions: Vec<u32> = planned.batch.selected().collect();
    for position in positions {
        if planned.batch.class(planned.batch.class_of(position)).n_references == 0 {
            continue;
        }
        let row =
            planned.reader.read(position).map_err(|error| Failure::new(Exit::Invalid, error))?;
        let bad = row.references.iter().chain(&row.options.mask).find_map(|reference| {
            local(reference)
                .and_then(|path| references.check(path).err())
                .map(|error| with_sources(&error))
        });
        if let Some(problem) = bad {
            n_bad += 1;
            first.get_or_insert((row.scene_id, problem));
        }
    }
    let Some((scene_id, problem)) = first else { return Ok(()) };
    let text = format!(
        "{}: {problem}; {n_bad} of {} rows have a reference that cannot be used",
        sanitize::one_line(scene_id.as_str()),
        planned.batch.n_selected()
    );
    Err(Failure::new(Exit::Invalid, text)
        .with_hint("--on-bad-row skip goes on without those rows; nothing was sent"))
}

/// Refuses to start when references are in a store that the environment has no credentials for.
pub(super) fn refuse_missing_stores(
    world: &World,
    settings: &RunSettings,
    planned: &Planned,
) -> Result<(), Failure> {
    if settings.on_bad_row == OnBadRow::Skip {
        return Ok(());
    }
    let kinds = planned.stores.iter();
    match kinds.filter_map(|kind| missing_for(world, &settings.fetch, *kind)).next() {
        Some(missing) => Err(Failure::new(Exit::Invalid, missing)
            .with_hint("--on-bad-row skip goes on without those rows; nothing was sent")),
        None => Ok(()),
    }
}
