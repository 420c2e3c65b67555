//! Reads the references of a row, before any money moves.

use std::sync::Arc;

use crate::domain::request::LoadedReference;
use crate::domain::row::Row;
use crate::pipeline::context::RunContext;
use crate::pipeline::stop::with_sources;

/// Reads every reference of the row in its order; a mask comes last.
///
/// # Errors
/// One sentence that says which reference cannot be used and why.
pub(crate) async fn fetch(cx: &RunContext, row: &Row) -> Result<Arc<[LoadedReference]>, String> {
    let mut loaded = Vec::with_capacity(row.references.len());
    for reference in row.references.iter().chain(&row.options.mask) {
        let fetched = cx.references.fetch(reference).await;
        loaded.push(fetched.map_err(|failed| with_sources(&failed.error))?.loaded);
    }
    Ok(loaded.into())
}
