//! Gets the references of a row, before any money moves.

use std::sync::Arc;

use futures_util::future::join_all;

use crate::domain::event::RunEvent;
use crate::domain::request::LoadedReference;
use crate::domain::row::Row;
use crate::pipeline::context::RunContext;
use crate::pipeline::stop::with_sources;

/// The class of a row that is rejected since a reference cannot be used.
pub const REFERENCE_ERROR: &str = "reference";

/// Why a row goes no further than its references.
pub(crate) enum NoReferences {
    /// One of them cannot be used; the sentence says which, and why.
    Unusable(String),
    /// The run was told to stop while they were fetched.
    Stopped,
}

/// Gets every reference of the row, in its order; a mask comes last.
///
/// # Errors
/// When one of them cannot be used, or the run stops.
pub(crate) async fn fetch(
    cx: &RunContext,
    row: &Row,
) -> Result<Arc<[LoadedReference]>, NoReferences> {
    let wanted: Vec<_> = row.references.iter().chain(&row.options.mask).collect();
    if wanted.is_empty() {
        return Ok(Arc::default());
    }
    let got = tokio::select! {
        // Biased: a run that stops does not wait for what it will not send.
        biased;
        () = cx.stop.draining() => return Err(NoReferences::Stopped),
        // All of them are polled together, so that none can hold what another one waits for.
        got = join_all(wanted.into_iter().map(|reference| cx.references.get(reference))) => got,
    };
    for reason in cx.references.take_news() {
        cx.events.emit(RunEvent::ReferenceNews { reason }).await;
    }
    let loaded: Result<Vec<LoadedReference>, _> = got.into_iter().collect();
    loaded.map(Arc::from).map_err(|error| NoReferences::Unusable(with_sources(&*error)))
}
