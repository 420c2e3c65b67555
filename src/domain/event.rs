//! The one event vocabulary (journal format v1): everything shown, logged, gated or kept.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::domain::digest::Sha256Digest;
use crate::domain::ids::{AttemptId, RunId, SceneId};
use crate::domain::image_name::ImageName;
use crate::domain::ledger::{CostSource, Evidence, UnknownClass};
use crate::domain::look::{Flaws, ImageCheck, Look, n_duplicates};
use crate::domain::money::NanoUsd;
use crate::domain::request::ImageSpec;
use crate::domain::row::{Outcome, Row};

/// The name and version of the journal's format; it stands in its first event.
pub const JOURNAL_SCHEMA: &str = "imagemill.journal/1";

/// An event with its place in the run.
#[derive(Clone, Debug, Serialize)]
pub struct Stamped {
    /// Counted from 1 without gaps.
    pub seq: u64,
    /// When it happened, wall clock, UTC.
    pub ts: Timestamp,
    /// What happened.
    pub event: RunEvent,
}

/// What can happen in a run.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RunEvent {
    /// The run begins.
    RunStarted(Box<RunStarted>),
    /// The run goes on in another process, after one that ended or died.
    RunResumed(Box<RunStarted>),
    /// A row has been read and is worked on.
    RowStarted {
        /// Its number among the data records, counted from 1.
        row: u64,
        /// Its name.
        scene_id: SceneId,
    },
    /// An attempt holds its worst case and is about to be sent.
    AttemptStarted(Box<AttemptStarted>),
    /// An attempt has ended, and its money has a state.
    AttemptEnded(Box<AttemptEnded>),
    /// An image and its sidecar are durable.
    ImageStored(Box<ImageStored>),
    /// Nothing more will be done for a row.
    RowFinished(Box<RowFinished>),
    /// Rows that lie outside the canary share; none of them is sent.
    RowsHeld {
        /// How many.
        count: u64,
    },
    /// Rows that were never started because the run stopped first.
    RowsCancelled {
        /// How many.
        count: u64,
    },
    /// The provider asked for a long wait: nothing is sent until then.
    LaneParked {
        /// Until when, wall clock, UTC.
        until: Timestamp,
    },
    /// The provider failed many times in a row: nothing is sent until a probe tells more.
    CircuitOpened {
        /// Failures in a row.
        failures: u32,
        /// The time until the next probe.
        #[serde(rename = "probe_in_ms", serialize_with = "as_millis")]
        probe_in: Duration,
    },
    /// A probe was answered: sending goes on.
    CircuitClosed,
    /// The machine's clock and the ledger's day do not fit together.
    ClockDoubted {
        /// What the clock said.
        wall: Timestamp,
        /// The day that the ledger keeps.
        day: Date,
        /// What is wrong, in one sentence.
        reason: String,
    },
    /// Another process holds the ledger's lock for long; the run waits.
    LedgerWaits {
        /// The process, where it is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        pid: Option<u32>,
        /// What is to be said, in one sentence.
        reason: String,
    },
    /// Something about the hosts of references that a person should know.
    ReferenceNews {
        /// What is to be said, in one sentence.
        reason: String,
    },
    /// An attempt cost more than its worst case; the difference is booked.
    Overrun {
        /// The attempt.
        rid: AttemptId,
        /// The row's name.
        scene_id: SceneId,
        /// The model whose price is too low.
        model: Arc<str>,
        /// What it cost.
        amount: NanoUsd,
        /// The worst case that was held.
        max: NanoUsd,
    },
    /// No new attempt will be admitted.
    Stopping {
        /// Why, in one sentence.
        reason: String,
    },
    /// The run has ended.
    RunFinished {
        /// The exit code.
        exit: u8,
        /// The verdict over all gates.
        verdict: &'static str,
        /// Why, in one sentence.
        reason: String,
    },
}

impl RunEvent {
    /// What happened to the whole lane in one sentence, without a final period.
    pub fn lane_news(&self) -> Option<String> {
        match self {
            Self::LaneParked { until } => {
                Some(format!("the provider asks to wait; nothing is sent until {until:.0}"))
            }
            Self::CircuitOpened { failures, probe_in } => Some(format!(
                "the provider failed {failures} times in a row; one request tries again in {}",
                humantime::format_duration(*probe_in)
            )),
            Self::CircuitClosed => Some("the provider answers again".to_owned()),
            Self::ClockDoubted { reason, .. }
            | Self::LedgerWaits { reason, .. }
            | Self::ReferenceNews { reason } => Some(reason.clone()),
            Self::Overrun { scene_id, model, amount, max, .. } => Some(format!(
                "{scene_id} cost {}, more than the worst case of {}: the price of {model} is wrong",
                amount.dollars(),
                max.dollars()
            )),
            Self::RunStarted(_)
            | Self::RunResumed(_)
            | Self::RowStarted { .. }
            | Self::AttemptStarted(_)
            | Self::AttemptEnded(_)
            | Self::ImageStored(_)
            | Self::RowFinished(_)
            | Self::RowsHeld { .. }
            | Self::RowsCancelled { .. }
            | Self::Stopping { .. }
            | Self::RunFinished { .. } => None,
        }
    }
}

/// What a run begins with.
#[derive(Clone, Debug, Serialize)]
pub struct RunStarted {
    /// The name and version of this format.
    pub schema: &'static str,
    /// The run.
    pub run_id: RunId,
    /// The version of the tool.
    pub tool: std::borrow::Cow<'static, str>,
    /// What makes two runs the same run: rows and request settings.
    pub identity: Sha256Digest,
    /// Rows that it means to send; where it goes on, those that are left.
    pub rows: u64,
    /// Images that it means to make; where it goes on, those that are left.
    pub images: u64,
}

/// The beginning of an attempt.
#[derive(Clone, Debug, Serialize)]
pub struct AttemptStarted {
    /// The attempt.
    pub rid: AttemptId,
    /// The row's number, counted from 1.
    pub row: u64,
    /// The row's name.
    pub scene_id: SceneId,
    /// Which of the row's images, counted from 1.
    pub variant: u8,
    /// Which try for this image, counted from 1.
    pub attempt: u32,
    /// The worst case that is held.
    pub max: NanoUsd,
    /// The identity of the work; left out in rehearsals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work: Option<Sha256Digest>,
    /// What its image is called below the folder of images, without an extension: whoever looks for
    /// it later does not ask the rows and the template of that day. Left out in rehearsals, and
    /// where it is the usual name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<ImageName>,
}

/// The end of an attempt.
#[derive(Clone, Debug, Serialize)]
pub struct AttemptEnded {
    /// The attempt.
    pub rid: AttemptId,
    /// The row's number, counted from 1.
    pub row: u64,
    /// The row's name.
    pub scene_id: SceneId,
    /// Which of the row's images, counted from 1.
    pub variant: u8,
    /// Which try for this image, counted from 1.
    pub attempt: u32,
    /// The worst case that was held.
    pub max: NanoUsd,
    /// The expected price that the plan counted for it.
    pub expected: NanoUsd,
    /// How its money ended.
    pub ending: Ending,
    /// Time from the first byte sent to the end of the answer.
    #[serde(rename = "latency_ms", serialize_with = "as_millis")]
    pub latency: Duration,
    /// The class of what went wrong, such as `refused` or `server-error`; nothing when an image
    /// came. It decides what is done about the image when the run goes on later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    /// Why it brought no image, when it did not; foreign words are redacted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The provider's own name for the request, for support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_request_id: Option<Arc<str>>,
    /// Where what came is kept, relative to the run's folder, when it was no image.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
    /// What was asked of whom; for selectors of gates.
    #[serde(skip)]
    pub tags: Tags,
}

/// How the money of an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Ending {
    /// It cost this much.
    Settled {
        /// The amount in USD.
        amount: NanoUsd,
        /// Where that figure comes from.
        source: CostSource,
    },
    /// It cost nothing, and there is evidence for it.
    Released {
        /// The evidence.
        evidence: Evidence,
    },
    /// Nobody knows yet; the worst case stays held.
    Unknown {
        /// What went wrong.
        class: UnknownClass,
    },
}

/// A durable image.
#[derive(Clone, Debug, Serialize)]
pub struct ImageStored {
    /// The attempt that paid for it.
    pub rid: AttemptId,
    /// The row's number, counted from 1.
    pub row: u64,
    /// The row's name.
    pub scene_id: SceneId,
    /// Which of the row's images, counted from 1.
    pub variant: u8,
    /// The file, relative to the run's folder; empty in a rehearsal, which writes none.
    pub file: String,
    /// Its length in bytes.
    pub n_bytes: u64,
    /// The SHA-256 of its bytes; left out in rehearsals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256Digest>,
    /// Width and height in pixels, as its header says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pixels: Option<(u32, u32)>,
    /// What is wrong with it; left out where nothing is.
    #[serde(skip_serializing_if = "Flaws::is_empty")]
    pub flaws: Flaws,
    /// What makes it the answer to the same request in another row or run; left out in rehearsals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ask: Option<Sha256Digest>,
    /// The work that it stands for, where it is a copy of another row's or run's image: the attempt
    /// is then the one that paid for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work: Option<Sha256Digest>,
    /// How it looks, to compare it with the other images of its row; left out where it is the only
    /// one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub look: Option<Look>,
}

impl ImageStored {
    /// What is known of its looks.
    pub fn check(&self) -> ImageCheck {
        ImageCheck { flaws: self.flaws, look: self.look, sha256: self.sha256 }
    }
}

/// The end of a row.
#[derive(Clone, Debug, Serialize)]
pub struct RowFinished {
    /// The row's number, counted from 1.
    pub row: u64,
    /// The row's name.
    pub scene_id: SceneId,
    /// What became of it.
    pub outcome: Outcome,
    /// A short class of what went wrong, such as `server-error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_kind: Option<&'static str>,
    /// What went wrong, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// First byte sent to last image named; nothing when nothing was sent.
    #[serde(rename = "latency_ms", serialize_with = "as_optional_millis")]
    pub latency: Option<Duration>,
    /// From the start of the row to the first byte sent.
    #[serde(rename = "queue_ms", serialize_with = "as_optional_millis")]
    pub queue: Option<Duration>,
    /// The time that reading its references took.
    #[serde(rename = "fetch_ms", serialize_with = "as_optional_millis")]
    pub fetch: Option<Duration>,
    /// What it did at the provider, added up over its images.
    pub work: RowWork,
    /// Whether a row rejected late counts in the gate metric `errors`.
    pub counts_as_error: bool,
    /// What was asked of whom; for selectors of gates.
    #[serde(skip)]
    pub tags: Tags,
}

/// What the images of a row took, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RowWork {
    /// Attempts sent.
    pub attempts: u32,
    /// Attempts without an answer in time.
    pub timeouts: u32,
    /// Attempts that the provider put off.
    pub throttles: u32,
    /// What was settled.
    pub cost: NanoUsd,
    /// Images that the row asked for.
    pub images_expected: u32,
    /// Images that have their final name.
    pub images_stored: u32,
    /// Complete answers that were no image, and images that do not decode or have another size
    /// than was asked for.
    pub images_invalid: u32,
    /// Images that show nothing.
    #[serde(skip_serializing_if = "is_none")]
    pub images_blank: u32,
    /// Images that are like another one of their row.
    #[serde(skip_serializing_if = "is_none")]
    pub images_duplicate: u32,
}

impl RowWork {
    /// Counts what the looks of the row's images told.
    #[must_use]
    pub fn looked_at(mut self, checks: &[ImageCheck]) -> Self {
        let count = |is_so: fn(&Flaws) -> bool| {
            checks.iter().map(|check| u32::from(is_so(&check.flaws))).sum::<u32>()
        };
        self.images_invalid += count(Flaws::is_invalid);
        self.images_blank = count(|flaws| flaws.blank);
        self.images_duplicate = n_duplicates(checks);
        self
    }
}

/// What selectors of gates can see of a row.
#[derive(Clone, Debug)]
pub struct Tags {
    /// Provider, model, size and quality.
    pub spec: Arc<ImageSpec>,
    /// The number of variants.
    pub variants: u8,
    /// Whether the row has references.
    pub has_refs: bool,
}

impl Tags {
    /// Of a row that asks for this.
    pub fn of(spec: Arc<ImageSpec>, row: &Row) -> Self {
        Self { spec, variants: row.variants.get(), has_refs: !row.references.is_empty() }
    }
}

fn is_none(count: &u32) -> bool {
    *count == 0
}

fn as_millis<S: serde::Serializer>(value: &Duration, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_u64(u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
}

fn as_optional_millis<S: serde::Serializer>(
    value: &Option<Duration>,
    out: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => as_millis(value, out),
        None => out.serialize_none(),
    }
}
