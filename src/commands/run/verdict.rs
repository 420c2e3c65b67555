//! One function chooses the exit of a run; report, last line and code agree on it.

use crate::domain::gate::{GateResult, Verdict, overall};
use crate::domain::plan::Plan;
use crate::domain::settings::Mode;
use crate::exit::Exit;
use crate::pipeline::stop::StopReason;
use crate::report::words;

/// The exit of a run and why: the worst of what stopped it and what its gates say.
pub(super) fn choose(
    plan: &Plan,
    mode: Mode,
    reasons: &[StopReason],
    gates: &[GateResult],
    all_copied: bool,
) -> (Exit, String) {
    let good = match overall(gates) {
        _ if gates.is_empty() => "no gates were asked for",
        Verdict::NoData if all_copied => ALL_COPIED,
        Verdict::WeakPass => "every gate holds so far, of a part of the rows",
        Verdict::Pass | Verdict::Inconclusive | Verdict::NoData | Verdict::Fail => {
            "every gate holds"
        }
    };
    let mut worst = (Exit::Ok, good.to_owned());
    let mut consider = |exit: Exit, reason: String| {
        if worst.0.or_worse(exit) != worst.0 {
            worst = (exit, reason);
        }
    };
    if plan.rows.accepted == 0 {
        consider(Exit::NoRows, no_rows(plan));
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
        // There was nothing to measure, and nothing is left to be measured.
        Verdict::NoData if all_copied => {}
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
            StopReason::Provider(_) | StopReason::Environment(_) => Exit::Environment,
            StopReason::Broken(_) => Exit::Bug,
        };
        consider(exit, reason.sentence());
    }
    if mode == Mode::DryRun && !plan.cost.fits {
        consider(Exit::Budget, over_budget(plan));
    }
    worst
}

/// Why a run is well in which nothing was sent.
const ALL_COPIED: &str = "every image was there already: nothing was sent, and no gate judges that";

/// The word of an end: where the gates alone decided it, it is theirs.
pub(super) fn verdict_word(exit: Exit, gates: &[GateResult]) -> &'static str {
    match exit {
        Exit::Ok if overall(gates) == Verdict::NoData => Verdict::Pass.word(),
        Exit::Ok | Exit::Inconclusive => overall(gates).word(),
        Exit::Bug
        | Exit::Usage
        | Exit::Invalid
        | Exit::NoRows
        | Exit::Outstanding
        | Exit::Environment
        | Exit::Budget
        | Exit::GateFailed
        | Exit::Interrupted
        | Exit::Terminated => exit.word(),
    }
}

/// Why a plan has no row.
pub(super) fn no_rows(plan: &Plan) -> String {
    match plan.rows.rejected {
        0 => "the input has no rows".to_owned(),
        n => format!("no row is left: {n} of {n} rows are rejected"),
    }
}

/// Why a plan does not fit, and what would help.
pub(super) fn over_budget(plan: &Plan) -> String {
    let cost = &plan.cost;
    let first_attempts = words::dollars(cost.first_attempts);
    if let Some(limit) = cost.limit_per_run.filter(|limit| cost.first_attempts > *limit) {
        let limit = words::dollars(limit);
        return format!("the run could cost {first_attempts}, more than its own limit of {limit}");
    }
    match cost.misfit() {
        Some(misfit) if cost.fits_day() => format!(
            "the run could take {} and {} of {} per {} is taken",
            words::dollars(misfit.wanted),
            words::dollars(misfit.taken),
            words::dollars(misfit.limit),
            misfit.per
        ),
        Some(_) | None => format!(
            "the run could cost {first_attempts} and {} of {} a day is taken; the smallest limit \
             is {}",
            words::dollars(cost.exposure_today),
            words::dollars(cost.limit_per_day),
            words::dollars(cost.smallest_limit)
        ),
    }
}
