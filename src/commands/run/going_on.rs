//! A run that goes on: which one it is, what it has done, and what is left of it.

pub(super) mod begin;
mod counted;
mod found;
mod ledger;
mod made;
pub(super) mod past;
mod rebuilt;
pub(super) mod rows;
pub(super) mod which;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use crate::adapters::output::run_folder::RunFolder;
use crate::commands::failure::Failure;
use crate::commands::run::going_on::found::FoundWork;
use crate::domain::digest::Sha256Digest;
use crate::domain::event::RunEvent;
use crate::domain::history::{Census, History, RowFate, RunAttempts};
use crate::domain::ids::{AttemptId, RunId, SceneId};
use crate::domain::money::NanoUsd;
use crate::domain::plan::PlanGoesOn;

/// A run that goes on; its folder is locked.
pub(super) struct GoingOn {
    /// The folder.
    pub(super) folder: Arc<RunFolder>,
    /// The run.
    pub(super) run_id: RunId,
    /// The ledger that it books into.
    pub(super) ledger: PathBuf,
    /// Bytes of its journal up to the last whole line.
    pub(super) whole: u64,
    /// What it has done so far.
    pub(super) history: History,
    /// Events that its journal lacks.
    pub(super) missing: Vec<RunEvent>,
    /// Attempts whose end the ledger has lost, and what they cost.
    pub(super) lost_ends: Vec<(AttemptId, NanoUsd)>,
    /// Images that are there although nothing says so.
    pub(super) found: Vec<FoundWork>,
    /// Files of images that it has told of and that are not there any more.
    pub(super) gone: Vec<String>,
    /// What is left of it.
    pub(super) left: Left,
    attempts: Option<RunAttempts>,
    /// Why it must not go on, should it turn out to be the same batch.
    doubt: Option<Failure>,
    is_caught_up: bool,
    /// The names of its rows as they were.
    before: Option<Vec<SceneId>>,
    /// Whether a person named it, or its rows and settings are exactly these.
    is_certain: bool,
}

/// What is left of a run.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// What is known of the rows that have a past, by their position.
    pub(super) fates: BTreeMap<u32, RowFate>,
    /// The same rows by their names.
    pub(super) positions: BTreeMap<SceneId, u32>,
    /// The images of those rows.
    pub(super) works: BTreeSet<Sha256Digest>,
    /// The sums.
    pub(super) census: Census,
    /// How many possibly billed images may still be bought again.
    pub(super) allowance: u64,
    /// The images of all rows that have their turn, whatever was done for them.
    pub(super) n_images: u64,
    /// The worst case of the images that are bought again.
    pub(super) again: NanoUsd,
}

impl GoingOn {
    /// What the plan says of it.
    pub(super) fn on_paper(&self) -> PlanGoesOn {
        let money = self.history.money();
        PlanGoesOn {
            run_id: self.run_id.to_string(),
            census: self.left.census,
            cost_settled: money.settled,
            cost_unknown: money.unknown,
        }
    }

    /// Whether anything was found out that the journal does not say.
    pub(super) fn has_news(&self) -> bool {
        !(self.missing.is_empty() && self.found.is_empty() && self.lost_ends.is_empty())
    }
}
