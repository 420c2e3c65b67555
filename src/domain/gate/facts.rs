//! What gates are measured by: facts of finished rows and attempts, and gauges of the run.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::money::NanoUsd;
use crate::domain::row::Outcome;

/// What selectors choose rows and attempts by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowTags {
    /// The provider.
    pub provider: Arc<str>,
    /// The model.
    pub model: Arc<str>,
    /// The size asked for; empty when none is.
    pub size: Arc<str>,
    /// The quality asked for; empty when none is.
    pub quality: Arc<str>,
    /// How many images the row asks for.
    pub variants: u8,
    /// Whether the row has references.
    pub has_refs: bool,
    /// The kind of the row's (or attempt's) last error.
    pub error_kind: Option<&'static str>,
}

/// What became of one row; told once, when the row is finished.
///
/// Rows that are held or cancelled may still be sent by a later call, so they are not counted as
/// finished even when they are told.
#[derive(Clone, Debug)]
pub struct RowFacts {
    /// What became of it.
    pub outcome: Outcome,
    /// Whether a rejected row counts in `errors`: it was accepted at first, and skipping was not
    /// asked for. Rows of other outcomes count as their outcome says.
    pub counts_as_error: bool,
    /// From the first byte sent to the last image stored, retries included.
    pub latency: Option<Duration>,
    /// From being ready to the first send.
    pub queue: Option<Duration>,
    /// How long fetching its references took.
    pub fetch: Option<Duration>,
    /// HTTP attempts of all its images.
    pub attempts: u32,
    /// Attempts beyond the first of each request.
    pub retries: u32,
    /// Attempts that met a time-out.
    pub timeouts: u32,
    /// Attempts that were told to slow down.
    pub throttles: u32,
    /// Its settled cost.
    pub cost: NanoUsd,
    /// Whether that cost is all: no attempt of it is `unknown` or without a price.
    pub cost_known: bool,
    /// Images that it asks for.
    pub images_expected: u32,
    /// Images that are stored.
    pub images_stored: u32,
    /// Images that do not decode, have a wrong size or no bytes.
    pub images_invalid: u32,
    /// Images that show nothing.
    pub images_blank: u32,
    /// Images that are like another one of their row.
    pub images_duplicate: u32,
    /// What selectors choose it by.
    pub tags: RowTags,
}

/// One HTTP attempt; told before its row is finished.
#[derive(Clone, Debug)]
pub struct AttemptFacts {
    /// From the first byte sent to the last one received.
    pub latency: Duration,
    /// What selectors choose it by.
    pub tags: RowTags,
}

/// Rows of the run by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowCounts {
    /// All rows that the run would send at 100 %.
    pub planned: u64,
    /// Every image made.
    pub ok: u64,
    /// Some images made.
    pub partial: u64,
    /// No image made.
    pub failed: u64,
    /// Refused by the provider's content policy.
    pub refused: u64,
    /// Declined by us.
    pub rejected: u64,
    /// Outside the canary share.
    pub held: u64,
    /// Done already.
    pub skipped: u64,
    /// Not sent because the run was stopped.
    pub cancelled: u64,
    /// Sent, answer not known.
    pub unknown: u64,
}

/// Gauges of the run, now or at its end.
#[derive(Clone, Debug, Default)]
pub struct RunFacts {
    /// Active time of the run.
    pub elapsed: Duration,
    /// Time until the run is expected to end; nothing while that cannot be said.
    pub eta: Option<Duration>,
    /// Settled cost of the run.
    pub settled: NanoUsd,
    /// Cost held for attempts in flight.
    pub reserved: NanoUsd,
    /// Cost whose fate is not known.
    pub unknown: NanoUsd,
    /// Estimate of the rows whose actual cost is `settled_where_estimated`.
    pub estimate_of_settled: NanoUsd,
    /// Settled cost of the rows that had an estimate and whose cost is known.
    pub settled_where_estimated: NanoUsd,
    /// Estimate of the rows not sent yet.
    pub estimate_of_unsent: NanoUsd,
    /// The worst case of the rows not sent yet, if it has a bound.
    pub worst_case_of_unsent: Option<NanoUsd>,
    /// Settled, reserved and unknown money of the day.
    pub exposure_today: NanoUsd,
    /// The limit of the day.
    pub limit_per_day: NanoUsd,
    /// Bytes of the images stored.
    pub bytes_out: u64,
    /// Rows by state.
    pub rows: RowCounts,
}

impl RowTags {
    /// The text of a tag that a plan knows: anything but what becomes of a row.
    pub(super) fn planned<'a>(&'a self, tag: Tag, numbers: &'a mut String) -> &'a str {
        match tag {
            Tag::Provider => &self.provider,
            Tag::Model => &self.model,
            Tag::Size => &self.size,
            Tag::Quality => &self.quality,
            Tag::Variants => {
                // Two digits at most; the buffer is the caller's so that nothing is allocated.
                let tens = self.variants / 10;
                numbers.clear();
                if tens > 0 {
                    numbers.push(char::from(b'0' + tens % 10));
                }
                numbers.push(char::from(b'0' + self.variants % 10));
                numbers
            }
            Tag::HasRefs => {
                if self.has_refs {
                    "true"
                } else {
                    "false"
                }
            }
            Tag::Outcome => "",
            Tag::ErrorKind => self.error_kind.unwrap_or(""),
        }
    }
}

impl RowCounts {
    /// Counts rows of one outcome.
    pub fn add(&mut self, outcome: Outcome, count: u64) {
        *match outcome {
            Outcome::Ok => &mut self.ok,
            Outcome::Partial => &mut self.partial,
            Outcome::Failed => &mut self.failed,
            Outcome::Refused => &mut self.refused,
            Outcome::Rejected => &mut self.rejected,
            Outcome::Held => &mut self.held,
            Outcome::Skipped => &mut self.skipped,
            Outcome::Cancelled => &mut self.cancelled,
            Outcome::Unknown => &mut self.unknown,
        } += count;
    }

    /// Rows that were sent.
    pub fn sent(&self) -> u64 {
        self.ok + self.partial + self.failed + self.refused + self.unknown
    }

    /// Rows for which nothing more will be done in this run, the held ones left out.
    pub fn finished(&self) -> u64 {
        self.settled() + self.cancelled
    }

    /// Rows that this run will not touch again.
    pub fn settled(&self) -> u64 {
        self.sent() + self.rejected + self.skipped
    }

    /// Rows inside the canary share.
    pub fn selected(&self) -> u64 {
        self.planned.saturating_sub(self.held)
    }

    /// Rows inside the canary share that are not finished.
    pub fn pending(&self) -> u64 {
        self.selected().saturating_sub(self.settled() + self.cancelled)
    }

    /// Rows that a later call may still send, held ones included.
    pub fn open(&self) -> u64 {
        self.planned.saturating_sub(self.settled())
    }
}

/// A tag that selectors know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Provider,
    Model,
    Size,
    Quality,
    Variants,
    HasRefs,
    Outcome,
    ErrorKind,
}

/// Every tag with its name.
pub(super) const TAGS: [(&str, Tag); 8] = [
    ("provider", Tag::Provider),
    ("model", Tag::Model),
    ("size", Tag::Size),
    ("quality", Tag::Quality),
    ("variants", Tag::Variants),
    ("has_refs", Tag::HasRefs),
    ("outcome", Tag::Outcome),
    ("error_kind", Tag::ErrorKind),
];

impl Tag {
    pub(super) fn named(name: &str) -> Option<Self> {
        TAGS.into_iter().find(|(known, _)| *known == name).map(|(_, tag)| tag)
    }
}
