//! A line of a journal, read back (format v1): the same vocabulary that is written.
//!
//! What a newer version adds is passed over: events of unknown types, and fields nobody knows.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use crate::domain::digest::Sha256Digest;
use crate::domain::event::{
    AttemptEnded, AttemptStarted, Ending, ImageStored, JOURNAL_SCHEMA, RowFinished, RowWork,
    RunEvent, RunStarted, Stamped, Tags,
};
use crate::domain::ids::{AttemptId, RunId, SceneId};
use crate::domain::image_name::ImageName;
use crate::domain::look::{Flaws, Look};
use crate::domain::money::NanoUsd;
use crate::domain::request::ImageSpec;
use crate::domain::row::Outcome;

/// Every short word that this version writes where it has a fixed vocabulary.
const WORDS: &[&str] = &[
    "bad-body",
    "budget",
    "connection",
    "denied",
    "error",
    "fail",
    "inconclusive",
    "interrupted",
    "invalid",
    "invalid-request",
    "io",
    "left",
    "no-data",
    "no-image",
    "no-rows",
    "not-an-image",
    "not-sent",
    "outstanding",
    "over-budget",
    "pass",
    "reference",
    "refused",
    "reset",
    "server-error",
    "stopped",
    "terminated",
    "throttled",
    "timeout",
    "unexpected",
    "unknown",
    "usage",
    "weak-pass",
];

/// A word of a newer version.
const OTHER_WORD: &str = "other";

/// Why a line is none of a journal.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// It is no JSON object of the right shape.
    #[error("it is no event")]
    Json(#[from] serde_json::Error),
    /// An event without something that it must have.
    #[error("an event of type {kind:?} has no {field:?}")]
    Missing {
        /// The type of the event.
        kind: String,
        /// What it has not.
        field: &'static str,
    },
    /// The journal has another version.
    #[error("the journal is of version {0:?}, and this tool reads {JOURNAL_SCHEMA:?}")]
    Version(String),
}

#[derive(Deserialize)]
struct WireLine<'a> {
    seq: u64,
    ts: Timestamp,
    #[serde(borrow)]
    event: Wire<'a>,
}

/// Every field of every event.
#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(rename = "type", borrow)]
    what: Cow<'a, str>,
    #[serde(default, borrow)]
    schema: Option<Cow<'a, str>>,
    run_id: Option<RunId>,
    tool: Option<String>,
    identity: Option<Sha256Digest>,
    rows: Option<u64>,
    images: Option<u64>,
    count: Option<u64>,
    row: Option<u64>,
    scene_id: Option<SceneId>,
    rid: Option<AttemptId>,
    variant: Option<u8>,
    attempt: Option<u32>,
    max: Option<NanoUsd>,
    expected: Option<NanoUsd>,
    amount: Option<NanoUsd>,
    model: Option<Arc<str>>,
    #[serde(default)]
    work: Option<WireWork>,
    ending: Option<Ending>,
    latency_ms: Option<u64>,
    queue_ms: Option<u64>,
    fetch_ms: Option<u64>,
    #[serde(default, borrow)]
    kind: Option<Cow<'a, str>>,
    error: Option<String>,
    provider_request_id: Option<Arc<str>>,
    kept: Option<Vec<String>>,
    name: Option<ImageName>,
    file: Option<String>,
    n_bytes: Option<u64>,
    sha256: Option<Sha256Digest>,
    pixels: Option<(u32, u32)>,
    flaws: Option<Flaws>,
    look: Option<Look>,
    ask: Option<Sha256Digest>,
    outcome: Option<Outcome>,
    #[serde(default, borrow)]
    error_kind: Option<Cow<'a, str>>,
    reason: Option<String>,
    counts_as_error: Option<bool>,
    exit: Option<u8>,
    #[serde(default, borrow)]
    verdict: Option<Cow<'a, str>>,
    until: Option<Timestamp>,
    failures: Option<u32>,
    probe_in_ms: Option<u64>,
    wall: Option<Timestamp>,
    day: Option<Date>,
    pid: Option<u32>,
}

/// What stands under `work`: the identity of an image's work, or the sums of a row's.
enum WireWork {
    Digest(Sha256Digest),
    Sums(RowWork),
}

impl<'de> Deserialize<'de> for WireWork {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = WireWork;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("a digest or an object")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<WireWork, E> {
                let digest = Sha256Digest::parse(text);
                digest.map(WireWork::Digest).ok_or_else(|| E::custom("not 64 hexadecimal digits"))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<WireWork, A::Error> {
                RowWork::deserialize(MapAccessDeserializer::new(map))
                    .map(WireWork::Sums)
                    .map_err(A::Error::custom)
            }
        }
        input.deserialize_any(Either)
    }
}

impl Stamped {
    /// Reads a line that a journal has; nothing for an event of a type that only a newer version
    /// knows. What selectors of gates see is not in the journal, and stays empty.
    ///
    /// # Errors
    /// When it is no event of this format.
    pub fn parse(line: &[u8]) -> Result<Option<Self>, LineError> {
        let WireLine { seq, ts, event } = serde_json::from_slice(line)?;
        Ok(event.into_event()?.map(|event| Self { seq, ts, event }))
    }
}

/// Takes a field that the event must have.
macro_rules! need {
    ($wire:ident . $field:ident) => {
        $wire.$field.ok_or_else(|| LineError::Missing {
            kind: $wire.what.to_string(),
            field: stringify!($field),
        })?
    };
}

impl Wire<'_> {
    fn into_event(self) -> Result<Option<RunEvent>, LineError> {
        let it = self;
        Ok(Some(match &*it.what {
            "run_started" => RunEvent::RunStarted(it.into_started()?),
            "run_resumed" => RunEvent::RunResumed(it.into_started()?),
            "row_started" => {
                RunEvent::RowStarted { row: need!(it.row), scene_id: need!(it.scene_id) }
            }
            "attempt_started" => RunEvent::AttemptStarted(it.into_attempt_started()?),
            "attempt_ended" => RunEvent::AttemptEnded(it.into_attempt_ended()?),
            "image_stored" => RunEvent::ImageStored(it.into_stored()?),
            "row_finished" => RunEvent::RowFinished(it.into_row_finished()?),
            "rows_held" => RunEvent::RowsHeld { count: need!(it.count) },
            "rows_cancelled" => RunEvent::RowsCancelled { count: need!(it.count) },
            "lane_parked" => RunEvent::LaneParked { until: need!(it.until) },
            "circuit_opened" => RunEvent::CircuitOpened {
                failures: need!(it.failures),
                probe_in: Duration::from_millis(need!(it.probe_in_ms)),
            },
            "circuit_closed" => RunEvent::CircuitClosed,
            "clock_doubted" => RunEvent::ClockDoubted {
                wall: need!(it.wall),
                day: need!(it.day),
                reason: need!(it.reason),
            },
            "ledger_waits" => RunEvent::LedgerWaits { pid: it.pid, reason: need!(it.reason) },
            "reference_news" => RunEvent::ReferenceNews { reason: need!(it.reason) },
            "overrun" => RunEvent::Overrun {
                rid: need!(it.rid),
                scene_id: need!(it.scene_id),
                model: need!(it.model),
                amount: need!(it.amount),
                max: need!(it.max),
            },
            "stopping" => RunEvent::Stopping { reason: need!(it.reason) },
            "run_finished" => RunEvent::RunFinished {
                exit: need!(it.exit),
                verdict: known(it.verdict.as_deref().unwrap_or(OTHER_WORD)),
                reason: need!(it.reason),
            },
            _ => return Ok(None),
        }))
    }

    fn into_started(self) -> Result<Box<RunStarted>, LineError> {
        let it = self;
        match it.schema.as_deref() {
            Some(JOURNAL_SCHEMA) => {}
            other => return Err(LineError::Version(other.unwrap_or_default().to_owned())),
        }
        Ok(Box::new(RunStarted {
            schema: JOURNAL_SCHEMA,
            run_id: need!(it.run_id),
            tool: need!(it.tool).into(),
            identity: need!(it.identity),
            rows: need!(it.rows),
            images: need!(it.images),
        }))
    }

    fn into_attempt_started(self) -> Result<Box<AttemptStarted>, LineError> {
        let it = self;
        Ok(Box::new(AttemptStarted {
            rid: need!(it.rid),
            row: need!(it.row),
            scene_id: need!(it.scene_id),
            variant: need!(it.variant),
            attempt: need!(it.attempt),
            max: need!(it.max),
            work: match it.work {
                Some(WireWork::Digest(digest)) => Some(digest),
                Some(WireWork::Sums(_)) | None => None,
            },
            name: it.name,
        }))
    }

    fn into_attempt_ended(self) -> Result<Box<AttemptEnded>, LineError> {
        let it = self;
        Ok(Box::new(AttemptEnded {
            rid: need!(it.rid),
            row: need!(it.row),
            scene_id: need!(it.scene_id),
            variant: need!(it.variant),
            attempt: need!(it.attempt),
            max: need!(it.max),
            expected: need!(it.expected),
            ending: need!(it.ending),
            latency: Duration::from_millis(it.latency_ms.unwrap_or(0)),
            kind: it.kind.as_deref().map(known),
            error: it.error,
            provider_request_id: it.provider_request_id,
            kept: it.kept.unwrap_or_default(),
            tags: Tags::unsaid(),
        }))
    }

    fn into_stored(self) -> Result<Box<ImageStored>, LineError> {
        let it = self;
        Ok(Box::new(ImageStored {
            rid: need!(it.rid),
            row: need!(it.row),
            scene_id: need!(it.scene_id),
            variant: need!(it.variant),
            file: need!(it.file),
            n_bytes: need!(it.n_bytes),
            sha256: it.sha256,
            pixels: it.pixels,
            flaws: it.flaws.unwrap_or_default(),
            look: it.look,
            ask: it.ask,
            work: match it.work {
                Some(WireWork::Digest(digest)) => Some(digest),
                Some(WireWork::Sums(_)) | None => None,
            },
        }))
    }

    fn into_row_finished(self) -> Result<Box<RowFinished>, LineError> {
        let it = self;
        Ok(Box::new(RowFinished {
            row: need!(it.row),
            scene_id: need!(it.scene_id),
            outcome: need!(it.outcome),
            error_kind: it.error_kind.as_deref().map(known),
            reason: it.reason,
            latency: it.latency_ms.map(Duration::from_millis),
            queue: it.queue_ms.map(Duration::from_millis),
            fetch: it.fetch_ms.map(Duration::from_millis),
            work: match it.work {
                Some(WireWork::Sums(sums)) => sums,
                Some(WireWork::Digest(_)) | None => RowWork::default(),
            },
            counts_as_error: it.counts_as_error.unwrap_or(false),
            tags: Tags::unsaid(),
        }))
    }
}

impl Tags {
    /// Tags that say nothing: a journal does not keep them.
    pub fn unsaid() -> Self {
        static NOTHING: LazyLock<Arc<ImageSpec>> = LazyLock::new(|| Arc::new(ImageSpec::unsaid()));
        Self { spec: Arc::clone(&NOTHING), variants: 1, has_refs: false }
    }
}

/// The word as this version has it.
fn known(word: &str) -> &'static str {
    WORDS.binary_search(&word).map_or(OTHER_WORD, |at| WORDS[at])
}
