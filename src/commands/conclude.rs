//! The end of a run: one function chooses the exit, and report, last line and code agree on it.

use std::time::Duration;

use jiff::Timestamp;

use crate::cli::args::run::FormatArg;
use crate::commands::failure::Failure;
use crate::commands::launch::Ended;
use crate::commands::world::World;
use crate::domain::event::RunEvent;
use crate::domain::gate::{GateResult, Verdict, overall};
use crate::domain::ids::RunId;
use crate::domain::measure::Measure;
use crate::domain::money::NanoUsd;
use crate::domain::plan::Plan;
use crate::domain::report::{ReportCost, ReportImages, ReportRows, RunReport, SCHEMA};
use crate::domain::settings::{Mode, RunSettings};
use crate::domain::stats::LatencySummary;
use crate::exit::Exit;
use crate::pipeline::stop::StopReason;
use crate::report::gate_table::{gate_table, result_line};

/// What is known of a run before it starts.
#[derive(Clone, Debug)]
pub(super) struct Header {
    /// The run.
    pub(super) run_id: RunId,
    /// Whether it spends.
    pub(super) mode: Mode,
    /// When it starts.
    pub(super) started_at: Timestamp,
    /// How the result is written.
    pub(super) format: FormatArg,
    /// The provider and the model, once they are known.
    pub(super) asked: Option<(String, String)>,
    /// The run's folder, when it has one.
    pub(super) folder: Option<String>,
}

/// The report of a run that never began.
pub(super) fn refused(header: &Header, plan: Option<&Plan>, exit: Exit, reason: &str) -> RunReport {
    let (provider, model) = header.asked.clone().unwrap_or_default();
    let rows = plan.map_or_else(ReportRows::default, |plan| ReportRows {
        planned: plan.rows.accepted + plan.rows.rejected,
        accepted: plan.rows.accepted,
        rejected: plan.rows.rejected,
        ..ReportRows::default()
    });
    RunReport {
        schema: SCHEMA,
        run_id: header.run_id,
        mode: header.mode.word(),
        simulated: header.mode == Mode::DryRun || provider == "sim",
        exit: exit.code(),
        verdict: exit.word(),
        reason: reason.to_owned(),
        provider,
        model,
        folder: header.folder.clone(),
        rows,
        images: ReportImages { expected: plan.map_or(0, |plan| plan.rows.images), stored: 0 },
        attempts: 0,
        latency_ms: LatencySummary::default(),
        elapsed_ms: 0,
        forecast_ms: plan.map_or(0, |plan| plan.forecast_ms),
        avg_per_row_ms: 0,
        error_rate: 0.0,
        errors: std::collections::BTreeMap::new(),
        cost: ReportCost {
            estimated: plan.map_or(NanoUsd::ZERO, |plan| plan.cost.expected),
            maximum: plan.map_or(NanoUsd::ZERO, |plan| plan.cost.maximum),
            settled: NanoUsd::ZERO,
            unknown: NanoUsd::ZERO,
            limit_per_day: plan.map_or(NanoUsd::ZERO, |plan| plan.cost.limit_per_day),
            exposure_today: plan.map_or(NanoUsd::ZERO, |plan| plan.cost.exposure_today),
            drift: None,
        },
        gates: Vec::new(),
        started_at: header.started_at,
        finished_at: header.started_at,
    }
}

/// The report of a run that began; its last event is told here.
pub(super) fn ended(
    header: &Header,
    settings: &RunSettings,
    plan: &Plan,
    ended: Ended,
) -> RunReport {
    let Ended { measure, reasons, elapsed, finished_at, closing } = ended;
    let (report, last) = {
        let measure = measure.lock().expect("the event task does not panic with the lock");
        let gates = measure.verdicts(elapsed);
        let (exit, reason) = choose(plan, header.mode, &reasons, &gates);
        let mut report = refused(header, Some(plan), exit, &reason);
        fill(&mut report, &measure, elapsed);
        report.simulated = header.mode == Mode::DryRun || settings.is_simulated();
        report.gates = gates;
        report.finished_at = finished_at;
        let last = RunEvent::RunFinished { exit: exit.code(), verdict: exit.word(), reason };
        (report, last)
    };
    closing.finish(last);
    report
}

/// The exit of a run and why: the worst of what stopped it and what its gates say.
fn choose(plan: &Plan, mode: Mode, reasons: &[StopReason], gates: &[GateResult]) -> (Exit, String) {
    let mut worst = (Exit::Ok, "every gate holds".to_owned());
    let mut consider = |exit: Exit, reason: String| {
        if worst.0.or_worse(exit) != worst.0 {
            worst = (exit, reason);
        }
    };
    if plan.rows.accepted == 0 {
        consider(Exit::NoRows, "the input has no rows".to_owned());
    }
    let gate = |wanted: Verdict| {
        let mut found = gates.iter().filter(|gate| {
            gate.verdict == wanted
                && gate.severity == crate::domain::gate::expression::Severity::Error
        });
        found.next().map(|gate| format!("{}: {}", gate.gate, gate.reason))
    };
    let verdict = overall(gates);
    match verdict {
        Verdict::Pass | Verdict::WeakPass => {}
        Verdict::Inconclusive | Verdict::NoData => {
            consider(Exit::Inconclusive, gate(verdict).unwrap_or_default());
        }
        Verdict::Fail => consider(Exit::GateFailed, gate(verdict).unwrap_or_default()),
    }
    for reason in reasons {
        let exit = match reason {
            StopReason::Interrupted => Exit::Interrupted,
            StopReason::Terminated => Exit::Terminated,
            StopReason::Budget(_) => Exit::Budget,
            StopReason::Gate(_) => continue,
            StopReason::Environment(_) => Exit::Environment,
            StopReason::Broken(_) => Exit::Bug,
        };
        consider(exit, reason.sentence());
    }
    if mode == Mode::DryRun && !plan.cost.fits {
        consider(Exit::Budget, over_budget(plan));
    }
    worst
}

/// Why a plan does not fit, and what would help.
pub(super) fn over_budget(plan: &Plan) -> String {
    let cost = &plan.cost;
    match cost.limit_per_run {
        Some(limit) if cost.first_attempts > limit => format!(
            "the run could cost {}, more than its own limit of {}",
            cost.first_attempts.dollars(),
            limit.dollars()
        ),
        Some(_) | None => format!(
            "the run could cost {} and {} of {} a day is taken; the smallest limit is {}",
            cost.first_attempts.dollars(),
            cost.exposure_today.dollars(),
            cost.limit_per_day.dollars(),
            cost.smallest_limit.dollars()
        ),
    }
}

fn fill(report: &mut RunReport, measure: &Measure, elapsed: Duration) {
    let stats = measure.stats();
    let rows = &stats.rows;
    report.rows.rejected += rows.rejected;
    report.rows.ok = rows.ok;
    report.rows.partial = rows.partial;
    report.rows.failed = rows.failed;
    report.rows.refused = rows.refused;
    report.rows.held = rows.held;
    report.rows.skipped = rows.skipped;
    report.rows.cancelled = rows.cancelled;
    report.rows.unknown = rows.unknown;
    report.images.stored = stats.images_stored;
    report.attempts = stats.attempts;
    report.latency_ms = stats.latency();
    report.elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    report.avg_per_row_ms = report.elapsed_ms.checked_div(rows.sent()).unwrap_or(0);
    let errors = rows.partial + rows.failed + rows.unknown;
    report.error_rate = if rows.sent() == 0 { 0.0 } else { errors as f64 / rows.sent() as f64 };
    report.errors.clone_from(&stats.errors_by_kind);
    let money = &stats.money;
    report.cost.settled = money.settled;
    report.cost.unknown = money.unknown.saturating_add(money.reserved);
    report.cost.exposure_today = measure.exposure();
    let expected = money.expected_of_settled.nanos();
    report.cost.drift =
        (expected > 0).then(|| money.settled.nanos() as f64 / expected as f64 - 1.0);
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
            if let Some(folder) = &report.folder {
                text.push_str(&format!("Run {} in {folder}\n", report.run_id));
            }
            if header.mode == Mode::DryRun && report.attempts > 0 {
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
    print(world, header, &refused(header, plan, failure.exit, &failure.to_string()))
}
