//! Runs that are handed over to a bucket: it is asked before anything is paid for, and has all of
//! it in the end.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;

use crate::adapters::output::hand_over::{HandOver, HandOverError};
use crate::adapters::references::stores::Stores;
use crate::adapters::system::TokioClock;
use crate::commands::failure::Failure;
use crate::commands::world::World;
use crate::domain::ids::RunId;
use crate::domain::report::RunReport;
use crate::domain::settings::RunSettings;
use crate::exit::Exit;
use crate::report::words::count;

/// How long one request to the bucket may take: an image may be large, and the way to it narrow.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Refuses a run that could not be handed over: nothing has been sent.
pub(super) fn refuse_without_store(world: &World, settings: &RunSettings) -> Result<(), Failure> {
    let Some(place) = &settings.out_bucket else { return Ok(()) };
    let stores = Stores::of_environment(&world.invocation.env, TIMEOUT);
    match stores.missing(place.bucket.kind) {
        Some(missing) => {
            let text = format!("the run cannot be handed over to {place}: {missing}");
            Err(Failure::new(Exit::Invalid, text))
        }
        None => Ok(()),
    }
}

/// Who hands the files of a run over, where the user wants that.
pub(super) fn hand_over(
    world: &World,
    settings: &RunSettings,
    folder: &Path,
    run_id: RunId,
) -> Result<Option<HandOver>, Failure> {
    let Some(place) = &settings.out_bucket else { return Ok(None) };
    let stores = Stores::of_environment(&world.invocation.env, TIMEOUT);
    let stores = stores.through(settings.fetch.proxy.clone());
    let store = stores.store(&place.bucket, None);
    let store = store.map_err(|error| Failure::new(Exit::Invalid, error))?;
    let clock = Arc::new(TokioClock::live());
    Ok(Some(HandOver::new(store, place.clone(), folder, run_id.to_string(), clock)))
}

/// Hands over whatever the bucket does not have yet; what it does not take is in the result.
pub(super) fn finish(
    world: &World,
    settings: &RunSettings,
    folder: &Path,
    mut report: RunReport,
) -> RunReport {
    let Some(place) = &settings.out_bucket else { return report };
    match all(world, settings, folder, report.run_id) {
        Ok(problems) if problems.is_empty() => {
            world.printer.say(&format!("handed over to {place}/{}", report.run_id));
        }
        Ok(problems) => {
            let n_files = count(problems.len() as u64, "file");
            let reason = format!("{n_files} not handed over: {}", problems[0]);
            fail(&mut report, Exit::Environment, reason);
        }
        Err(failure) => fail(&mut report, failure.exit, failure.to_string()),
    }
    report
}

fn all(
    world: &World,
    settings: &RunSettings,
    folder: &Path,
    run_id: RunId,
) -> Result<Vec<HandOverError>, Failure> {
    let failed = |error| Failure::new(Exit::Environment, error);
    // Connections of the run's own runtime have ended with it.
    let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        let Some(hand) = hand_over(world, settings, folder, run_id)? else { return Ok(Vec::new()) };
        match hand.begin().await {
            Ok(()) => Ok(hand.rest().await),
            Err(error) => Ok(vec![error]),
        }
    })
}

/// The end of a run whose files are not all where they should be. They are on the disk, and the
/// same command hands them over.
fn fail(report: &mut RunReport, exit: Exit, reason: String) {
    let was = Exit::ALL.into_iter().find(|exit| exit.code() == report.exit).unwrap_or(Exit::Bug);
    let worst = was.or_worse(exit);
    if worst != was {
        report.exit = worst.code();
        report.verdict = worst.word();
        report.reason = format!("{reason}; they are on the disk, the same command tries again");
    }
}
