//! The report of a run, from what is known before it starts to its last counter.

use std::time::Duration;

use jiff::Timestamp;

use crate::cli::args::run::FormatArg;
use crate::commands::run::verdict::{no_rows, over_budget};
use crate::domain::fetch_tally::FetchTally;
use crate::domain::ids::RunId;
use crate::domain::measure::Measure;
use crate::domain::money::NanoUsd;
use crate::domain::plan::Plan;
use crate::domain::price::SIM_PROVIDER;
use crate::domain::reference_plan::FreshnessCounts;
use crate::domain::report::{ReportCost, ReportImages, ReportRows, RunReport, SCHEMA};
use crate::domain::settings::{Mode, RunSettings};
use crate::domain::stats::{FlawedImages, LatencySummary};
use crate::exit::Exit;

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
    /// The ledger of a live run that has started, when it is not the user's own.
    pub(super) ledger: Option<String>,
}

impl Header {
    /// The run has its folder.
    pub(super) fn start(&mut self, settings: &RunSettings) {
        let folder = settings.out.join(self.run_id.to_string());
        self.ledger = match &settings.ledger {
            Some(path) => Some(path.display().to_string()),
            None => settings.is_simulated().then(|| folder.join("ledger").display().to_string()),
        };
        self.folder = Some(folder.display().to_string());
    }
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
        simulated: header.mode == Mode::DryRun
            || provider == SIM_PROVIDER
            || plan.is_some_and(|plan| plan.cost.simulated),
        exit: exit.code(),
        verdict: exit.word(),
        reason: reason.to_owned(),
        provider,
        model,
        folder: header.folder.clone(),
        rows,
        images: ReportImages {
            expected: plan.map_or(0, |plan| plan.rows.images),
            ..ReportImages::default()
        },
        freshness: plan.map_or_else(FreshnessCounts::default, |plan| plan.rows.freshness),
        references: FetchTally::default(),
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

pub(super) fn fill(report: &mut RunReport, measure: &Measure, elapsed: Duration) {
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
    let FlawedImages { invalid, blank, duplicate } = stats.flawed;
    let expected = report.images.expected;
    report.images =
        ReportImages { expected, stored: stats.images_stored, invalid, blank, duplicate };
    report.attempts = stats.attempts;
    report.latency_ms = stats.latency();
    report.elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    report.avg_per_row_ms = report.elapsed_ms.checked_div(rows.sent()).unwrap_or(0);
    let errors = rows.partial + rows.failed + rows.unknown;
    report.error_rate = if rows.sent() == 0 { 0.0 } else { errors as f64 / rows.sent() as f64 };
    report.errors.clone_from(&stats.errors_by_kind);
    let money = &stats.money;
    // Of the whole run, also where it goes on.
    report.cost.estimated = measure.frame().expected;
    report.cost.maximum = report.cost.maximum.saturating_add(measure.spent_before());
    report.cost.settled = money.settled;
    report.cost.unknown = money.unknown.saturating_add(money.reserved);
    report.cost.exposure_today = measure.exposure();
    let expected = money.expected_of_settled.nanos();
    report.cost.drift =
        (expected > 0).then(|| money.settled.nanos() as f64 / expected as f64 - 1.0);
}

/// A run that stops after its plan: the plan alone decides the exit.
pub(super) fn plan_only(header: &Header, plan: &Plan) -> RunReport {
    let (exit, reason) = match () {
        () if plan.rows.accepted == 0 => (Exit::NoRows, no_rows(plan)),
        () if !plan.cost.fits => (Exit::Budget, over_budget(plan)),
        () => (Exit::Ok, "plan only".to_owned()),
    };
    refused(header, Some(plan), exit, &reason)
}
