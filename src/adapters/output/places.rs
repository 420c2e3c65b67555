//! What stands where in a run's folder.

/// The name of the plan in the run's folder.
pub const PLAN: &str = "plan.json";

/// The name of the journal in the run's folder.
pub(super) const JOURNAL: &str = "journal.jsonl";

/// The name of the file with the names of the rows.
pub(super) const ROW_NAMES: &str = "rows.jsonl";

/// The name of a plan that another one has taken the place of.
pub(super) fn kept_plan(n: u32) -> String {
    format!("plan-{n}.json")
}
