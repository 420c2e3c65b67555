//! The ledger that a run which goes on books into.

use std::path::Path;

use crate::adapters::ledger::read::run_attempts;
use crate::commands::failure::{Failure, store_failure};
use crate::commands::ledger_access::ledger_exists;
use crate::commands::run::parts::OWN_LEDGER;
use crate::domain::history::{History, RunAttempts};
use crate::domain::ids::RunId;
use crate::exit::Exit;

/// The run's attempts in the ledger that it books into. That in its own folder is its own whatever
/// it knows; any other must know the run, or its limits would be another's. Where there is none any
/// more, a person who names the run goes on: nothing becomes free by it.
pub(super) fn attempts_of(
    ask: &LedgerAsk<'_>,
    run_id: RunId,
    history: &History,
) -> Result<Option<RunAttempts>, Failure> {
    let own = ask.run.join(OWN_LEDGER);
    let folder = ask.ledger.unwrap_or(&own);
    let attempts = match ledger_exists(folder) {
        true => Some(run_attempts(folder, run_id).map_err(store_failure)?),
        false => None,
    };
    let is_known = attempts.as_ref().is_some_and(|it| !it.is_empty());
    let elsewhere = ask.told.filter(|told| *told != folder && ledger_exists(told));
    // Where its plan says that it lay, there may be a new one by now.
    let is_its_place = attempts.is_none() || ask.told == Some(folder);
    let is_lost = is_its_place && ask.is_named && elsewhere.is_none();
    let is_own = folder == own && elsewhere.is_none();
    if history.n_attempts() == 0 || is_known || is_own || is_lost {
        return Ok(attempts);
    }
    Err(other_ledger(folder, elsewhere))
}

/// Which ledger it is that a run is to go on with.
pub(super) struct LedgerAsk<'a> {
    /// The ledger; nothing for that in the run's own folder.
    pub(super) ledger: Option<&'a Path>,
    /// The run's folder.
    pub(super) run: &'a Path,
    /// Where the run's plan says that its ledger lies.
    pub(super) told: Option<&'a Path>,
    /// Whether a person named the run.
    pub(super) is_named: bool,
}

/// Whoever names another ledger would spend under another limit.
pub(super) fn other_ledger(ledger: &Path, told: Option<&Path>) -> Failure {
    let text =
        format!("the run books into another ledger: {} knows nothing of it", ledger.display());
    let hint = match told {
        Some(told) => format!("name the run's ledger: --ledger {}", told.display()),
        None => {
            "name the run's ledger with --ledger DIR; where that is lost, --resume RUN goes on \
                 without it"
                .to_owned()
        }
    };
    Failure::new(Exit::Invalid, text).with_hint(hint)
}
