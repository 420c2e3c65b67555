//! Rows that ask for the same as another row, and rows whose images an earlier run has kept:
//! nothing is sent for them, and each gets copies of those images.

mod copy;
mod find;
mod kept;
mod leaders;
mod leave;
mod share;
mod sources;
mod twin;

use std::collections::{BTreeMap, BTreeSet};

pub(super) use leaders::Leaders;
pub(super) use leave::{LeaveAsk, leave};
pub(super) use share::Sharing;

use crate::commands::run::twins::twin::{LeaderEnd, LeaderImage, Source, Twin, TwinImage};
use crate::domain::event::RowFinished;
use crate::domain::ids::SceneId;
use crate::domain::plan::PlanTwins;
use crate::domain::row::Outcome;
use crate::report::words::{count, dollars};

/// All of them, in the order of the rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Twins {
    all: Vec<Twin>,
    /// What is known of the rows that are copied from and not worked on now.
    known: BTreeMap<u64, LeaderEnd>,
    /// Where they stand.
    positions: BTreeSet<u32>,
    /// What the plan says of them.
    pub(super) told: PlanTwins,
    /// What it would say with `--dedupe`, where that was not given.
    pub(super) hint: PlanTwins,
}

impl Twins {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether nothing is to be copied any more: of each it is known how it ends.
    pub(super) fn are_settled(&self) -> bool {
        let is_settled = |twin: &Twin| match &twin.source {
            Source::Kept(_) => false,
            Source::Row { number, .. } => self.known.get(number).is_some_and(|end| {
                end.outcome.is_some_and(|it| it != Outcome::Ok) && end.images.is_empty()
            }),
        };
        self.all.iter().all(is_settled)
    }

    /// How they end where nothing is to be copied.
    pub(super) fn ends(&self) -> impl Iterator<Item = RowFinished> + '_ {
        self.all.iter().map(|twin| {
            let end = match &twin.source {
                Source::Row { number, .. } => self.known.get(number),
                Source::Kept(_) => None,
            };
            twin.finished(end.and_then(|end| end.outcome), twin.n_there(), &twin.checks())
        })
    }

    /// What a person who has not asked for it may want to know.
    pub(super) fn note(&self) -> Option<String> {
        (self.hint.rows > 0).then(|| {
            let (rows, saved) = (count(self.hint.rows, "row"), dollars(self.hint.saved));
            format!("{rows} for the very same as another one: --dedupe would save {saved}")
        })
    }

    /// Where they stand.
    pub(super) fn positions(&self) -> impl Iterator<Item = u32> + '_ {
        self.positions.iter().copied()
    }

    /// Images that are still to be copied.
    pub(super) fn n_images(&self) -> u64 {
        let images = self.all.iter().flat_map(|twin| &twin.images);
        images.filter(|image| !image.is_there).count() as u64
    }

    /// The names of these rows: what is told of one is its last word, although nothing was sent.
    pub(super) fn names(&self) -> BTreeSet<SceneId> {
        self.all.iter().map(|twin| twin.scene_id.clone()).collect()
    }
}
