//! `seed`: writes a fixture and tells what it comes to.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::adapters::fixture::{self, Overwrite};
use crate::domain::seed::SeedPlan;
use crate::report;

/// Where the rows go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeedTarget {
    /// A file; local references go beside it.
    File(PathBuf, Overwrite),
    /// The output itself; the plan's references should have a base address, since no picture is
    /// written.
    Output,
}

/// How the summary is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SummaryForm {
    /// For people.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

/// Why `seed` failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The fixture could not be written.
    #[error(transparent)]
    Fixture(#[from] fixture::Error),
    /// The output refused.
    #[error("failed to write the output")]
    Output(#[from] io::Error),
}

/// Writes the fixture to its target, and a summary to `out` unless the rows went there.
///
/// # Errors
/// When something other is in the way, or a write fails.
pub fn run(
    plan: &SeedPlan,
    target: &SeedTarget,
    form: SummaryForm,
    out: &mut dyn Write,
) -> Result<(), Error> {
    match target {
        SeedTarget::Output => {
            fixture::write_rows(plan, out)?;
        }
        SeedTarget::File(path, overwrite) => {
            let summary = fixture::write(plan, path, *overwrite)?;
            let text = match form {
                SummaryForm::Text => report::seed::text(&summary),
                SummaryForm::Json => report::seed::json(&summary),
            };
            out.write_all(text.as_bytes())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_has_the_rows_or_the_summary() {
        let plan = SeedPlan::default();
        let mut rows = Vec::new();
        run(&plan, &SeedTarget::Output, SummaryForm::Text, &mut rows).expect("a buffer");
        assert!(rows.starts_with(b"scene_id,prompt,variants,reference_urls\nBATCH-001,"));

        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rows.csv");
        let target = SeedTarget::File(path.clone(), Overwrite::Refuse);
        let mut summary = Vec::new();
        run(&plan, &target, SummaryForm::Text, &mut summary).expect("written");
        let summary = String::from_utf8(summary).expect("text");
        assert!(summary.contains("34 rows with 1 variant, 33 with 2, 33 with 3"), "{summary}");
        assert_eq!(std::fs::read(path).expect("written"), rows);
    }
}
