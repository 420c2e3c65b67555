//! The names of all images before anything is sent: two images never share one.

use std::sync::Arc;

use crate::adapters::rows::{RowIndex, RowSource};
use crate::commands::failure::Failure;
use crate::commands::run::going_on::GoingOn;
use crate::commands::run::planning::PlanningAsk;
use crate::commands::run::works::Works;
use crate::domain::batch::Batch;
use crate::domain::digest::Sha256Digest;
use crate::domain::ids::RunId;
use crate::domain::image_name::{ImageName, has_column, meant};
use crate::domain::row::Row;
use crate::domain::sanitize::one_line;
use crate::exit::Exit;

/// A name as so many bytes of the digest of it, and whose it is: a million images take 16 MB.
type Mark = (u64, u32, u8);

/// Refuses a template that gives two images the same name, on a disk that does not tell upper from
/// lower case too, or that asks for a column which no row has. The usual template needs no look:
/// the names of rows are all different.
pub(super) fn check_names(
    ask: &PlanningAsk<'_>,
    going_on: Option<&GoingOn>,
    batch: &Batch,
    source: &RowSource,
    index: &Arc<RowIndex>,
) -> Result<(), Failure> {
    let settings = ask.settings;
    let run_id = going_on.map_or(ask.run_id, |run| run.run_id);
    if settings.names.is_usual() {
        return Ok(());
    }
    let works = Works { settings, batch, source, index };
    let mut marks: Vec<Mark> = Vec::new();
    let mut missing: Vec<&str> = settings.names.columns().collect();
    let mut columns = Vec::new();
    works.each(|position, row, _| {
        missing.retain(|column| !has_column(row, column));
        if columns.is_empty() {
            columns = row.extra.iter().map(|(name, _)| name.clone()).collect();
        }
        for variant in row.variants.each() {
            let name = works.name(run_id, position, row, variant);
            marks.push((mark(&name), position, variant));
        }
        Ok(())
    })?;
    if let Some(column) = missing.first() {
        return Err(no_column(column, &columns));
    }
    marks.sort_unstable();
    for pair in marks.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
        collision(&works, run_id, [pair[0], pair[1]])?;
    }
    Ok(())
}

fn mark(name: &ImageName) -> u64 {
    let digest = Sha256Digest::of(name.folded().as_bytes());
    let first: [u8; 8] = digest.0[..8].try_into().expect("a digest is longer");
    u64::from_be_bytes(first)
}

fn no_column(column: &str, columns: &[String]) -> Failure {
    let text = format!("no row has a column {column:?}, and --name asks for it");
    let hint = match meant(column, columns.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean {meant}?"),
        None => "imagemill name-test shows the names of the first rows".to_owned(),
    };
    Failure::new(Exit::Invalid, text).with_hint(hint)
}

/// Fails when both marks stand for the same name, and not only for the same digits.
fn collision(works: &Works<'_>, run_id: RunId, marks: [Mark; 2]) -> Result<(), Failure> {
    let mut told: Vec<(ImageName, String)> = Vec::new();
    works.each(|position, row, _| {
        for (_, _, variant) in marks.iter().filter(|(_, at, _)| *at == position) {
            let name = works.name(run_id, position, row, *variant);
            told.push((name, who(row, *variant)));
        }
        Ok(())
    })?;
    let [(one, first), (other, second)] = told.as_slice() else { return Ok(()) };
    if one.folded() != other.folded() {
        return Ok(());
    }
    let text = format!("two images would have the same name, {one}: {first}, and {second}");
    Err(Failure::new(Exit::Invalid, text).with_hint(
        "name what sets them apart in --name, such as {scene_id} and {variant}; imagemill \
         name-test ROWS shows the names",
    ))
}

fn who(row: &Row, variant: u8) -> String {
    format!("image {variant} of row {} ({})", row.number, one_line(row.scene_id.as_str()))
}
