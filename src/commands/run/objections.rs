//! What the planning pass declines: rows that cannot be run, prices and gates that cannot count.

use crate::adapters::rows;
use crate::commands::failure::Failure;
use crate::domain::batch::{self, Batch};
use crate::domain::cell::CellFault;
use crate::domain::column::Field;
use crate::domain::gate::StaticContext;
use crate::domain::provider::{Mismatch, profile};
use crate::domain::row::RowBrief;
use crate::domain::settings::RunSettings;
use crate::exit::Exit;

/// Why a row cannot be run as it is: with that provider, or by this version.
pub(super) fn row_objection(
    settings: &RunSettings,
    brief: &RowBrief<'_>,
) -> Option<rows::Objection> {
    let provider = brief.provider.unwrap_or(&settings.spec.provider);
    let mismatch = profile(provider).and_then(|profile| profile.mismatch(brief));
    mismatch.map(|it| mismatch_objection(&it))
}

fn mismatch_objection(mismatch: &Mismatch) -> rows::Objection {
    let (field, code, label) = match mismatch {
        Mismatch::Seed(_) => (Field::Seed, "row.seed", "would not be sent"),
        Mismatch::NegativePrompt(_) => {
            (Field::NegativePrompt, "row.negative_prompt", "would not be sent")
        }
        Mismatch::Mask(_) => (Field::Mask, "row.mask", "would not be sent"),
        Mismatch::MaskAlone(_) => (Field::Mask, "row.mask", "has nothing to mask"),
        Mismatch::References(..) => (Field::References, "row.reference_urls", "too many"),
    };
    let fix = "empty the cell, or choose another provider for the row";
    rows::Objection { field, fault: CellFault::new(code, mismatch.to_string(), label, fix) }
}

/// An objection of the planner, as a fault of the cell that it is about.
pub(super) fn objection(objection: &batch::Objection) -> rows::Objection {
    match objection {
        batch::Objection::SimSize { size } => rows::Objection {
            field: Field::Size,
            fault: CellFault::new(
                "row.size",
                objection.to_string(),
                "not a size in pixels",
                format!("replace {size:?} (in the row or by --size) by one such as 1024x1024"),
            ),
        },
        batch::Objection::OverMaxCost { worst, .. } => rows::Objection {
            field: Field::MaxCost,
            fault: CellFault::new(
                "row.max_cost",
                "one image may cost more than max_cost allows",
                format!("{} at worst", worst.dollars()),
                "raise max_cost, or ask for a cheaper size, quality or model",
            ),
        },
    }
}

/// Rows whose price nobody knows are not run, not even in rehearsal: the plan would lie.
pub(super) fn refuse_unpriced(batch: &Batch) -> Result<(), Failure> {
    let mut unpriced =
        batch.classes().iter().filter(|class| class.n_rows > 0).filter_map(|class| {
            class.quote.as_ref().err().map(|error| (error, class.n_rows, &class.spec.provider))
        });
    let Some((error, mut n_rows, provider)) = unpriced.next() else { return Ok(()) };
    let text = error.to_string();
    let hint = format!("imagemill prices list {provider}; --prices FILE lays your own over it");
    n_rows += unpriced.map(|(_, n_rows, _)| n_rows).sum::<u64>();
    let text = format!("{text}; {n_rows} of {} rows have no price", batch.n_rows());
    Err(Failure::new(Exit::Invalid, text).with_hint(hint))
}

/// Gates that cannot be judged are refused before anything is sent.
pub(super) fn check_gates(
    settings: &RunSettings,
    batch: &Batch,
    done: impl Iterator<Item = u32>,
) -> Result<(), Failure> {
    let tags: Vec<_> = batch.planned_tags(done);
    let context = StaticContext { planned: &tags };
    for gate in &settings.gates {
        if gate.is_on_looks() && !settings.image_checks {
            let text = format!("gate {:?} needs a look at the images", gate.text());
            return Err(Failure::new(Exit::Invalid, text).with_hint("leave out --no-image-checks"));
        }
        gate.check(&context).map_err(|error| {
            Failure::new(Exit::Invalid, format!("gate {:?}: {error}", gate.text()))
        })?;
    }
    Ok(())
}
