//! What a run has done so far, read from its journal: the source that a run is continued from.
//!
//! The ledger is asked about what the journal does not tell: an attempt is durable there before it
//! is sent, while its events may have been lost with the process.

mod image;
mod ledger;
mod leftover;
mod line;
mod result;
mod standing;
mod summary;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

pub use image::{ImagePast, KeptAnswer, Owes};
pub use ledger::{LedgerAttempt, LedgerEnd, NoNames, RunAttempts, WorkNames};
pub use leftover::{Census, Leftover, LeftoverAsk, Past, RowFate};
pub use line::LineError;
pub use result::RowResult;
pub use standing::{Only, Standing};
pub use summary::{RunState, RunSummary};

use crate::domain::digest::Sha256Digest;
use crate::domain::event::{
    AttemptEnded, AttemptStarted, Ending, ImageStored, RowFinished, RunEvent, RunStarted, Stamped,
};
use crate::domain::ids::{AttemptId, RunId, SceneId};
use crate::domain::money::NanoUsd;

/// Why a journal cannot be continued from.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// A line is no event.
    #[error("line {line} is none of a journal")]
    Line {
        /// The line, counted from 1.
        line: u64,
        /// What is wrong with it.
        #[source]
        source: LineError,
    },
    /// A line is longer than any that this tool writes.
    #[error("line {line} is longer than a journal's can be")]
    Long {
        /// The line, counted from 1.
        line: u64,
    },
    /// Lines are missing or stand twice.
    #[error("line {line} has number {found}, and {expected} comes next")]
    Gap {
        /// The line, counted from 1.
        line: u64,
        /// Its number.
        found: u64,
        /// The number that should be there.
        expected: u64,
    },
}

/// What a run has done so far.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The run, once its first event has told it.
    pub run: Option<RunId>,
    /// The number of the last event.
    pub seq: u64,
    /// How long it was at work, over all its processes.
    pub active: Duration,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// How it ended, when it ended in order: exit code, verdict and reason.
    pub finished: Option<(u8, &'static str, String)>,
    session: Option<(Timestamp, Timestamp)>,
    images: BTreeMap<Sha256Digest, ImagePast>,
    /// The work of each attempt.
    attempts: BTreeMap<AttemptId, Sha256Digest>,
    /// Attempts of which nobody knows what they cost, and what was expected of each.
    unknown: BTreeMap<AttemptId, NanoUsd>,
    /// What the others cost, as the journal tells.
    ended: BTreeMap<AttemptId, NanoUsd>,
    rows: BTreeMap<SceneId, RowFinished>,
    /// Files of attempts that the journal does not know.
    files: BTreeSet<String>,
    money: MoneyPast,
}

/// The money of what a run has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MoneyPast {
    /// Charged.
    pub settled: NanoUsd,
    /// What the plan expected for that.
    pub expected_of_settled: NanoUsd,
    /// Held for attempts of which nobody knows what they cost.
    pub unknown: NanoUsd,
}

impl MoneyPast {
    /// An unknown attempt turned out to cost this much.
    fn end_unknown(&mut self, held: NanoUsd, amount: NanoUsd, expected: NanoUsd) {
        self.unknown = self.unknown.minus_or_zero(held);
        if amount > NanoUsd::ZERO {
            self.settled = self.settled.saturating_add(amount);
            self.expected_of_settled = self.expected_of_settled.saturating_add(expected);
        }
    }
}

impl History {
    /// Takes in the next event of the journal.
    pub fn fold(&mut self, stamped: &Stamped) {
        self.seq = stamped.seq;
        self.note_time(stamped);
        match &stamped.event {
            RunEvent::RunStarted(started) | RunEvent::RunResumed(started) => self.begin(started),
            RunEvent::AttemptStarted(started) => self.attempt_started(started),
            RunEvent::AttemptEnded(ended) => self.attempt_ended(ended),
            RunEvent::ImageStored(stored) => self.image_stored(stored),
            RunEvent::RowFinished(row) => {
                self.rows.insert(row.scene_id.clone(), (**row).clone());
            }
            RunEvent::RunFinished { exit, verdict, reason } => {
                self.finished = Some((*exit, verdict, reason.clone()));
            }
            RunEvent::RowStarted { .. }
            | RunEvent::RowsHeld { .. }
            | RunEvent::RowsCancelled { .. }
            | RunEvent::LaneParked { .. }
            | RunEvent::CircuitOpened { .. }
            | RunEvent::CircuitClosed
            | RunEvent::ClockDoubted { .. }
            | RunEvent::LedgerWaits { .. }
            | RunEvent::ReferenceNews { .. }
            | RunEvent::Overrun { .. }
            | RunEvent::Stopping { .. } => {}
        }
    }

    /// What is known of an image; nothing when no attempt was made for it.
    pub fn image(&self, work: &Sha256Digest) -> Option<&ImagePast> {
        self.images.get(work)
    }

    /// How a row ended when it was last worked on.
    pub fn row(&self, scene_id: &SceneId) -> Option<&RowFinished> {
        self.rows.get(scene_id)
    }

    /// How each row ended when it was last worked on.
    pub fn rows(&self) -> impl Iterator<Item = &RowFinished> {
        self.rows.values()
    }

    /// The work that an attempt was for.
    pub fn work_of(&self, rid: &AttemptId) -> Option<Sha256Digest> {
        self.attempts.get(rid).copied()
    }

    /// The work that an image is for.
    pub fn work_of_image(&self, stored: &ImageStored) -> Option<Sha256Digest> {
        stored.work.or_else(|| self.work_of(&stored.rid))
    }

    /// What is known of every image for which an attempt was made.
    pub fn images(&self) -> impl Iterator<Item = (&Sha256Digest, &ImagePast)> {
        self.images.iter()
    }

    /// The files of the images that are stored.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let of_images = self.images.values().filter_map(|image| image.file.as_ref());
        of_images.chain(&self.files).map(String::as_str)
    }

    /// An image whose process had died over it is there: it counts as stored.
    pub fn take_stored(&mut self, stored: &ImageStored) {
        self.image_stored(stored);
    }

    /// The attempt of such an image is settled, where it was taken for unknown.
    pub fn make_good(&mut self, rid: &AttemptId, held: NanoUsd, amount: NanoUsd) {
        let expected = self.unknown.remove(rid).unwrap_or(NanoUsd::ZERO);
        self.money.end_unknown(held, amount, expected);
        if let Some(image) = self.attempts.get(rid).and_then(|work| self.images.get_mut(work)) {
            image.clear_up(rid, amount);
        }
    }

    /// Whether anything is left that the ledger may know more of: an attempt without an end, or one
    /// of which nobody knew what it cost.
    pub fn may_be_cleared_up(&self) -> bool {
        !self.unknown.is_empty() || self.out().next().is_some()
    }

    /// Attempts so far.
    pub fn n_attempts(&self) -> u64 {
        self.attempts.len() as u64
    }

    /// Attempts that were bought although one before may have been billed.
    pub fn n_bought(&self) -> u64 {
        self.images.values().map(|image| u64::from(image.billed.saturating_sub(1))).sum()
    }

    /// The money so far.
    pub const fn money(&self) -> MoneyPast {
        self.money
    }

    /// Images of which an attempt is out, as far as the journal tells.
    pub fn out(&self) -> impl Iterator<Item = (&Sha256Digest, &ImagePast)> {
        self.images.iter().filter(|(_, image)| image.out().next().is_some())
    }

    fn begin(&mut self, started: &RunStarted) {
        self.run.get_or_insert(started.run_id);
        self.finished = None;
    }

    /// A process is at work from its first event to its last.
    fn note_time(&mut self, stamped: &Stamped) {
        self.started_at.get_or_insert(stamped.ts);
        let begins = matches!(stamped.event, RunEvent::RunStarted(_) | RunEvent::RunResumed(_));
        match &mut self.session {
            Some((_, last)) if !begins => {
                let more = stamped.ts.duration_since(*last);
                self.active += Duration::try_from(more).unwrap_or_default();
                *last = stamped.ts.max(*last);
            }
            session => *session = Some((stamped.ts, stamped.ts)),
        }
    }

    fn attempt_started(&mut self, started: &AttemptStarted) {
        // Only rehearsals leave the identity out, and they keep no journal.
        let Some(work) = started.work else { return };
        self.attempts.insert(started.rid, work);
        let image = self.images.entry(work).or_insert_with(|| ImagePast::begun(started));
        image.start(started);
    }

    fn attempt_ended(&mut self, ended: &AttemptEnded) {
        match ended.ending {
            Ending::Settled { amount, .. } => {
                self.money.settled = self.money.settled.saturating_add(amount);
                // What turned out to cost nothing says nothing about the price.
                let expected = if amount > NanoUsd::ZERO { ended.expected } else { amount };
                let sum = self.money.expected_of_settled.saturating_add(expected);
                self.money.expected_of_settled = sum;
                self.ended.insert(ended.rid, amount);
            }
            Ending::Unknown { .. } => {
                self.money.unknown = self.money.unknown.saturating_add(ended.max);
                self.unknown.insert(ended.rid, ended.expected);
            }
            Ending::Released { .. } => {
                self.ended.insert(ended.rid, NanoUsd::ZERO);
            }
        }
        if let Some(image) = self.attempts.get(&ended.rid).and_then(|it| self.images.get_mut(it)) {
            image.end(ended);
        }
    }

    fn image_stored(&mut self, stored: &ImageStored) {
        if let Some(work) = stored.work {
            // No attempt was made for a copy.
            self.images.entry(work).or_insert_with(|| ImagePast::copied(stored));
        }
        let work = self.work_of_image(stored);
        match work.and_then(|it| self.images.get_mut(&it)) {
            Some(image) => {
                (image.file, image.sha256) = (Some(stored.file.clone()), stored.sha256);
                image.check = stored.check();
                image.ask = stored.ask;
            }
            None => {
                self.files.insert(stored.file.clone());
            }
        }
    }
}
