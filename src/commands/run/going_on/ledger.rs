//! The ledger that a run which goes on books into.

use std::path::Path;

use crate::adapters::ledger::read::run_attempts;
use crate::commands::failure::{Failure, store_failure};
use crate::commands::ledger_access::ledger_exists;
use crate::commands::run::parts::OWN_LEDGER;
use crate::domain::history::{History, RunAttempts};
use crate::domain::ids::RunId;
use crate::exit::Exit;

/// The run's attempts in the ledger that it books into. A ledger of its own that is gone makes
/// nothing free; any other ledger must know the run, or its limits would be another's.
pub(super) fn attempts_of(
    ledger: Option<&Path>,
    run: &Path,
    run_id: RunId,
    history: &History,
) -> Result<Option<RunAttempts>, Failure> {
    let own = run.join(OWN_LEDGER);
    let folder = ledger.unwrap_or(&own);
    let attempts = match ledger_exists(folder) {
        true => Some(run_attempts(folder, run_id).map_err(store_failure)?),
        false => None,
    };
    let is_known = attempts.as_ref().is_some_and(|it| !it.is_empty());
    if history.n_attempts() == 0 || is_known || folder == own && attempts.is_none() {
        return Ok(attempts);
    }
    Err(other_ledger(folder))
}

/// Whoever names another ledger would spend under another limit.
pub(super) fn other_ledger(ledger: &Path) -> Failure {
    let text =
        format!("the run books into another ledger: {} knows nothing of it", ledger.display());
    Failure::new(Exit::Invalid, text).with_hint("name the run's ledger with --ledger DIR")
}
