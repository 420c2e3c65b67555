//! What was found about an attempt or a line, and what should be written for it.

use std::sync::Arc;

use jiff::civil::Date;
use serde::Serialize;

use crate::domain::ids::{AttemptId, RunId};
use crate::domain::ledger::entries::Outcome;
use crate::domain::ledger::reconcile::export::Place;
use crate::domain::ledger::words::words;
use crate::domain::money::NanoUsd;

words! {
    /// How an attempt and an export stand to each other.
    Class {
        /// Both say the same amount.
        Matched = "matched",
        /// Both know it, with different amounts.
        AmountDiffers = "amount-differs",
        /// Nobody knew what it cost; the export says it.
        UnknownBilled = "unknown-billed",
        /// It was taken for free by evidence, and was billed.
        ReleasedBilled = "released-billed",
        /// The provider counts it, and no attempt is known for it.
        OnlyTheirs = "only-theirs",
        /// The ledger has it, and the export has not.
        OnlyOurs = "only-ours",
        /// It holds money, and the export does not say what it cost.
        StillHeld = "still-held",
        /// It holds money, and is taken as not billed because it is not in the export.
        NotBilled = "not-billed",
        /// Several attempts or lines fit each other.
        Unclear = "unclear",
    }
}

words! {
    /// How sure it is that a line belongs to an attempt.
    Confidence {
        /// By the id of the request.
        Exact = "exact",
        /// By model, time and amount: nothing else fits either of them.
        Likely = "likely",
        /// By model, time and amount, and so do others; never written.
        Ambiguous = "ambiguous",
        /// By what a complete export does not have.
        Absent = "absent",
        /// By the sum of a day alone; never written.
        Day = "day",
    }
}

/// What was found about an attempt, or about lines without one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How the two sides stand.
    pub class: Class,
    /// How sure that is; nothing where one side alone has it.
    pub confidence: Option<Confidence>,
    /// The day on which it counts: the line's own, else the attempt's.
    pub day: Date,
    /// The attempt.
    pub rid: Option<AttemptId>,
    /// Its run.
    pub run: Option<RunId>,
    /// The provider.
    pub provider: Option<Arc<str>>,
    /// The model, or the line item.
    pub model: Option<Arc<str>>,
    /// What became of the attempt.
    pub outcome: Option<Outcome>,
    /// The ledger's own word for why.
    pub note: Option<&'static str>,
    /// What the ledger holds for it.
    pub held: NanoUsd,
    /// What the ledger has booked for it, adjustments included.
    pub committed: NanoUsd,
    /// What the export says; nothing when it says nothing.
    pub billed: Option<NanoUsd>,
    /// The id in the export.
    pub provider_request_id: Option<Arc<str>>,
    /// The first line that speaks of it.
    pub place: Option<Place>,
    /// How many lines do.
    pub lines: u64,
    /// Why it stands as it does.
    pub reason: &'static str,
    /// What should be written.
    pub change: Option<Change>,
}

/// What should be written into the ledger. Two are the same only when the ledger still says of the
/// attempt what it said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Change {
    /// End an unknown attempt.
    Resolve {
        /// The attempt.
        rid: AttemptId,
        /// What is held for it.
        held: NanoUsd,
        /// What it cost.
        amount: NanoUsd,
        /// The reference to the export.
        why: String,
    },
    /// Book a difference.
    Adjust {
        /// The attempt whose amount differs.
        rid: AttemptId,
        /// Its run.
        run: RunId,
        /// What is added.
        amount: NanoUsd,
        /// The attempt's day in the ledger's zone.
        on: Date,
        /// The reference to the export.
        why: String,
    },
}

impl Change {
    /// The attempt that it is about.
    pub const fn rid(&self) -> AttemptId {
        match self {
            Self::Resolve { rid, .. } | Self::Adjust { rid, .. } => *rid,
        }
    }
}
