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

/// How long one request to the bucket may take: an image may be large, and the way to it narrow.
const TIMEOUT: Duration = Duration::from_secs(120);

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
    let problem = match all(world, settings, folder, report.run_id) {
        Ok(problems) if problems.is_empty() => {
            world.printer.say(&format!("handed over to {place}/{}", report.run_id));
            return report;
        }
        Ok(problems) => (Exit::Environment, problems[0].to_string()),
        Err(failure) => (failure.exit, failure.to_string()),
    };
    let (exit, why) = problem;
    let text = format!(
        "not all of the run is in {place}: {why}; it is on the disk, and the same command hands it \
         over"
    );
    world.printer.warn(&text);
    let was = Exit::ALL.into_iter().find(|exit| exit.code() == report.exit).unwrap_or(Exit::Bug);
    let worst = was.or_worse(exit);
    if worst != was {
        report.exit = worst.code();
        report.verdict = worst.word();
        report.reason = format!("{text}; before that: {}", report.reason);
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
        let work = async {
            match hand.begin().await {
                Ok(()) => hand.rest().await,
                Err(error) => vec![error],
            }
        };
        tokio::select! {
            problems = work => Ok(problems),
            exit = asked_to_leave() => {
                Err(Failure::new(exit, "it was told to leave while it was handed over"))
            }
        }
    })
}

/// Returns when somebody asks the process to leave, with the exit for that.
async fn asked_to_leave() -> Exit {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut term) = signal(SignalKind::terminate()) {
            return tokio::select! {
                _ = tokio::signal::ctrl_c() => Exit::Interrupted,
                _ = term.recv() => Exit::Terminated,
            };
        }
    }
    // Where nobody listens, nobody is heard.
    match tokio::signal::ctrl_c().await {
        Ok(()) => Exit::Interrupted,
        Err(_) => std::future::pending().await,
    }
}
