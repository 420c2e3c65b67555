//! What a run came to, in a few figures: from its plan and its journal, without its rows.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::history::{History, Standing};
use crate::domain::ids::{RunId, SceneId};
use crate::domain::money::NanoUsd;
use crate::domain::plan::Plan;
use crate::domain::row::Outcome;

/// Whether a run has an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// A process is at it.
    AtWork,
    /// Every row had its turn.
    Done,
    /// It ended in order, and rows are left.
    Stopped,
    /// Its process ended without a word.
    Died,
}

impl RunState {
    /// The state in a few words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::AtWork => "at work",
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::Died => "died",
        }
    }
}

/// What a run came to.
#[derive(Clone, Debug, Serialize)]
pub struct RunSummary {
    /// The run.
    pub run_id: RunId,
    /// Its folder.
    pub folder: String,
    /// Whether it has an end.
    pub state: RunState,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// How long it was at work, in milliseconds.
    pub elapsed_ms: u64,
    /// The rows file, as it was named.
    pub rows_path: String,
    /// The first provider that it asks.
    pub provider: String,
    /// The first model that it asks for.
    pub model: String,
    /// Whether the money is only simulated.
    pub simulated: bool,
    /// Rows by what became of them; `pending` have not had their turn, or were rejected for free.
    pub rows: BTreeMap<&'static str, u64>,
    /// Images that its rows ask for.
    pub images_expected: u64,
    /// Images that are durable.
    pub images_stored: u64,
    /// Attempts so far.
    pub attempts: u64,
    /// What was charged.
    pub settled: NanoUsd,
    /// What is held for attempts of which nobody knows what they cost.
    pub unknown: NanoUsd,
    /// The exit code of the process that ended it last.
    pub exit: Option<u8>,
    /// Its verdict.
    pub verdict: Option<&'static str>,
    /// Why, in one sentence.
    pub reason: Option<String>,
}

/// The word for rows that have not had their turn.
const PENDING: &str = "pending";

impl RunSummary {
    /// Puts together what a folder says; `names` are the rows as they were last, where they are
    /// known.
    pub fn of(
        run_id: RunId,
        folder: String,
        plan: &Plan,
        history: &History,
        names: Option<&[SceneId]>,
        at_work: bool,
    ) -> Self {
        let names: Option<BTreeSet<&SceneId>> = names.map(|names| names.iter().collect());
        let is_there = |name: &SceneId| names.as_ref().is_none_or(|names| names.contains(name));
        let rows = rows(plan.rows.accepted, history, &is_there);
        let is_whole = !rows.contains_key(PENDING);
        let stored = history
            .images()
            .filter(|(_, image)| image.standing() == Standing::Stored && is_there(&image.scene_id));
        let stored: BTreeSet<_> =
            stored.map(|(_, image)| (&image.scene_id, image.variant)).collect();
        let (out, money) = (held_for_out(history), history.money());
        let ask = plan.requests.first();
        Self {
            run_id,
            folder,
            state: match &history.finished {
                _ if at_work => RunState::AtWork,
                None => RunState::Died,
                Some(_) if is_whole => RunState::Done,
                Some(_) => RunState::Stopped,
            },
            started_at: history.started_at,
            elapsed_ms: u64::try_from(history.active.as_millis()).unwrap_or(u64::MAX),
            rows_path: plan.bound.rows_path.clone(),
            provider: bound(plan, "provider", ask.map(|ask| &ask.provider)),
            model: bound(plan, "model", ask.map(|ask| &ask.model)),
            simulated: plan.cost.simulated,
            rows,
            images_expected: plan.rows.images,
            images_stored: stored.len() as u64,
            attempts: history.n_attempts(),
            settled: money.settled,
            unknown: money.unknown.saturating_add(out),
            exit: history.finished.as_ref().map(|end| end.0),
            verdict: history.finished.as_ref().map(|end| end.1),
            reason: history.finished.as_ref().map(|end| end.2.clone()),
        }
    }

    /// Whether more is to be done.
    pub fn is_outstanding(&self) -> bool {
        self.state != RunState::Done
    }

    /// Rows with an outcome.
    pub fn n_rows(&self, outcome: Outcome) -> u64 {
        self.rows.get(outcome.word()).copied().unwrap_or(0)
    }
}

/// Rows by the last word on them.
fn rows(
    n_rows: u64,
    history: &History,
    is_there: &dyn Fn(&SceneId) -> bool,
) -> BTreeMap<&'static str, u64> {
    let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut n_ended = 0;
    for row in history.rows().filter(|row| is_there(&row.scene_id)) {
        if row.outcome.was_sent() || row.outcome == Outcome::Skipped {
            *counts.entry(row.outcome.word()).or_default() += 1;
            n_ended += 1;
        }
    }
    if n_rows > n_ended {
        counts.insert(PENDING, n_rows - n_ended);
    }
    counts
}

/// What is held for attempts whose end nobody has told.
fn held_for_out(history: &History) -> NanoUsd {
    history.out().fold(NanoUsd::ZERO, |sum, (_, image)| sum.saturating_add(image.held()))
}

/// What the plan is bound to, else what it asks for first.
fn bound(plan: &Plan, key: &str, asked: Option<&String>) -> String {
    plan.bound.settings.get(key).or(asked).cloned().unwrap_or_default()
}
