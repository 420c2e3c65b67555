//! The end of a run: its last event, its report, and what is printed.

use std::time::Duration;

use crate::cli::args::run::FormatArg;
use crate::commands::failure::Failure;
use crate::commands::run::launch::Ended;
use crate::commands::run::report::{Header, fill, refused};
use crate::commands::run::verdict::{choose, verdict_word};
use crate::commands::world::World;
use crate::domain::event::RunEvent;
use crate::domain::measure::Measure;
use crate::domain::money::NanoUsd;
use crate::domain::plan::Plan;
use crate::domain::report::RunReport;
use crate::domain::settings::{Mode, RunSettings};
use crate::exit::Exit;
use crate::pipeline::stop::StopReason;
use crate::report::gate_table::{gate_table, result_line};
use crate::report::remarks::{images_line, references_line};
use crate::report::words;

/// The report of a run that began; its last event is told here.
pub(super) fn ended(
    header: &Header,
    settings: &RunSettings,
    plan: &Plan,
    ended: Ended,
) -> RunReport {
    let Ended { measure, references, reasons, elapsed, finished_at, closing } = ended;
    let measure = measure.lock().expect("the event task does not panic with the lock");
    let mut report = judged(header, settings, plan, &measure, &reasons, elapsed);
    if header.mode == Mode::Live {
        report.references = references;
    }
    report.finished_at = finished_at;
    let (verdict, reason) = (report.verdict, report.reason.clone());
    drop(measure);
    closing.finish(RunEvent::RunFinished { exit: report.exit, verdict, reason });
    report
}

/// The report of a run of which nothing is left to do: it says again what it came to.
pub(super) fn again(
    header: &Header,
    settings: &RunSettings,
    plan: &Plan,
    measure: &Measure,
) -> RunReport {
    let mut report = judged(header, settings, plan, measure, &[], Duration::ZERO);
    report.finished_at = crate::adapters::system::now();
    report
}

/// What the counters come to.
fn judged(
    header: &Header,
    settings: &RunSettings,
    plan: &Plan,
    measure: &Measure,
    reasons: &[StopReason],
    elapsed: Duration,
) -> RunReport {
    let gates = measure.verdicts(elapsed);
    let (rows, n_rows) = (&measure.stats().rows, measure.frame().rows);
    let all_copied = n_rows > 0 && rows.skipped == n_rows;
    let (exit, reason) = choose(plan, header.mode, reasons, &gates, all_copied);
    let mut report = refused(header, Some(plan), exit, &reason);
    fill(&mut report, measure, elapsed.saturating_add(measure.active_before()));
    report.verdict = verdict_word(exit, &gates);
    report.simulated = header.mode == Mode::DryRun || settings.is_simulated();
    report.gates = gates;
    report
}

/// Prints the result and gives the process's exit: the same number everywhere.
pub(super) fn print(world: &World, header: &Header, report: &RunReport) -> Exit {
    let printer = &world.printer;
    match header.format {
        FormatArg::Json | FormatArg::Ndjson => {
            let text = serde_json::to_string(report).expect("plain values serialize");
            printer.result(&format!("{text}\n"));
        }
        FormatArg::Table => {
            let mut text = String::new();
            if !report.gates.is_empty() {
                let simulated = header.mode == Mode::DryRun;
                text = gate_table(&report.gates, simulated, printer.width(), printer.color());
            }
            if header.mode == Mode::Live {
                text.push_str(&references_line(&report.references));
                text.push_str(&images_line(&report.images));
            }
            if let Some(folder) = &report.folder {
                let more = if report.has_more() { "; the same command goes on" } else { "" };
                text.push_str(&format!("Run {} in {folder}{more}\n", report.run_id.alias()));
            }
            if header.mode == Mode::Live && report.cost.unknown > NanoUsd::ZERO {
                text.push_str(&unknown_money(header, report.cost.unknown));
            }
            if header.mode == Mode::DryRun {
                text.push_str("DRY RUN: nothing was sent, nothing was spent\n");
            }
            text.push_str(&result_line(report));
            printer.result(&text);
        }
    }
    Exit::ALL.into_iter().find(|exit| exit.code() == report.exit).unwrap_or(Exit::Bug)
}

/// Tells a failure before the run began, and gives the same report as any other end.
pub(super) fn failed(
    world: &World,
    header: &Header,
    plan: Option<&Plan>,
    failure: &Failure,
) -> Exit {
    let printer = &world.printer;
    match &failure.picture {
        Some(picture) => printer.say(picture.trim_end()),
        None => printer.error(failure.error.as_ref(), failure.hint.as_deref()),
    }
    let mut report = refused(header, plan, failure.exit, &failure.to_string());
    if let Some((n_good, n_bad)) = failure.rows {
        report.rows.planned = n_good + n_bad;
        report.rows.accepted = n_good;
        report.rows.rejected = n_bad;
    }
    print(world, header, &report)
}

/// What is said of money that may be gone: it is never hidden.
fn unknown_money(header: &Header, unknown: NanoUsd) -> String {
    let place = header.ledger.as_ref().map_or(String::new(), |path| format!(" --ledger {path}"));
    format!(
        "{} may have been billed and brought nothing: it stays held, see imagemill ledger \
         summary{place}; the same command with --only unknown --paid-retry-on all buys it again\n",
        words::dollars(unknown)
    )
}
