//! Makes one image: the only loop over attempts. Each turn of it takes a permit of the lane,
//! holds the worst case durably, sends once, and ends the money before it gives the permit back.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::event::{AttemptStarted, Ending, RunEvent, Tags};
use crate::domain::ids::AttemptId;
use crate::domain::ledger::{Evidence, UnknownClass};
use crate::domain::money::NanoUsd;
use crate::domain::price::Quote;
use crate::domain::request::{ImageRequest, WorkDigest, work_identity};
use crate::domain::retry::{MAX_THROTTLES, paid_retry_pause, repurchase_kind};
use crate::domain::row::Row;
use crate::pipeline::admit::{Admission, admit};
use crate::pipeline::context::RunContext;
use crate::pipeline::exchange::{Answer, exchange};
use crate::pipeline::settle::settle;

/// One image to make.
pub(crate) struct VariantJob {
    /// The row that wants it.
    pub(crate) row: Arc<Row>,
    /// What it costs, expected and at worst.
    pub(crate) quote: Arc<Quote>,
    /// What selectors of gates can see.
    pub(crate) tags: Tags,
    /// What the provider is asked for.
    pub(crate) request: ImageRequest,
}

impl VariantJob {
    /// The identity of the work.
    pub(crate) fn identity(&self, simulated: bool) -> WorkDigest {
        work_identity(&self.row, self.request.variant, &self.request.spec, None, simulated)
    }
}

/// How the making of an image ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VariantEnding {
    /// The image has its final name.
    Stored,
    /// The provider's content policy refused it.
    Refused,
    /// It was not made, and nothing is owed.
    Failed,
    /// The provider kept putting it off.
    Throttled,
    /// A complete, paid answer that is no image.
    NotAnImage,
    /// It is paid, but the disk refused it.
    NotKept,
    /// It was sent, and its answer is not known.
    Unknown,
    /// The limit did not allow it.
    OverBudget,
    /// The run stopped before it was sent.
    Cancelled,
}

impl VariantEnding {
    /// The class of the failure, for counters; nothing when it is none.
    pub(crate) const fn error_kind(self) -> Option<&'static str> {
        match self {
            Self::Stored | Self::Cancelled => None,
            Self::Refused => Some("refused"),
            Self::Failed => Some("invalid-request"),
            Self::Throttled => Some("throttled"),
            Self::NotAnImage => Some("not-an-image"),
            Self::NotKept => Some("io"),
            Self::Unknown => Some("unknown"),
            Self::OverBudget => Some("budget"),
        }
    }
}

/// What the making of one image took.
#[derive(Clone, Debug)]
pub(crate) struct VariantReport {
    /// How it ended.
    pub(crate) ending: VariantEnding,
    /// Why, when it did not end well.
    pub(crate) reason: Option<String>,
    /// Attempts sent.
    pub(crate) attempts: u32,
    /// Attempts without an answer in time.
    pub(crate) timeouts: u32,
    /// Attempts that the provider put off.
    pub(crate) throttles: u32,
    /// What was settled.
    pub(crate) cost: NanoUsd,
    /// When the first byte was sent, on the run's clock.
    pub(crate) sent_at: Option<Duration>,
    /// When the last attempt ended, on the run's clock.
    pub(crate) ended_at: Option<Duration>,
}

impl VariantReport {
    /// The report of a task that died: whatever it sent is unknown.
    pub(crate) fn lost() -> Self {
        Self { ending: VariantEnding::Unknown, ..Self::new() }
    }

    fn new() -> Self {
        Self {
            ending: VariantEnding::Cancelled,
            reason: None,
            attempts: 0,
            timeouts: 0,
            throttles: 0,
            cost: NanoUsd::ZERO,
            sent_at: None,
            ended_at: None,
        }
    }

    fn end(mut self, ending: VariantEnding, reason: Option<String>) -> Self {
        self.ending = ending;
        self.reason = reason.or(self.reason);
        self
    }
}

/// What the loop does after an attempt.
enum Next {
    /// The image's story is over.
    End(VariantEnding, Option<String>),
    /// Try again after a pause, without holding anything.
    Again(Duration),
}

/// Makes one image, or says why not.
pub(crate) async fn generate(cx: &Arc<RunContext>, job: VariantJob) -> VariantReport {
    let mut report = VariantReport::new();
    let mut bought = 0_u32;
    loop {
        let admission = admit(cx, &job, report.attempts + 1).await;
        let (permit, rid) = match admission {
            Admission::Admitted { permit, rid } => (permit, rid),
            Admission::Stopped => return report.end(VariantEnding::Cancelled, None),
            Admission::OverBudget(_) if bought > 0 => {
                // A paid retry happens only while it fits; the first hold stays as it is.
                return report.end(VariantEnding::Unknown, None);
            }
            Admission::OverBudget(reason) => {
                return report.end(VariantEnding::OverBudget, Some(reason));
            }
        };
        report.attempts += 1;
        let answer = attempt(cx, &job, rid, &mut report).await;
        drop(permit);
        let next = decide(cx, &answer, &mut report, &mut bought, rid);
        match next {
            Next::End(ending, reason) => return report.end(ending, reason),
            Next::Again(pause) => {
                report.reason = Some(answer.sentence());
                tokio::select! {
                    // Biased: a stop that arrives with the end of the pause wins.
                    biased;
                    () = cx.stop.draining() => {
                        let ending = ending_when_stopped(&answer);
                        return report.end(ending, None);
                    }
                    () = cx.clock.sleep(pause) => {}
                }
            }
        }
    }
}

/// Sends once, and ends the money of that attempt.
async fn attempt(
    cx: &Arc<RunContext>,
    job: &VariantJob,
    rid: AttemptId,
    report: &mut VariantReport,
) -> Answer {
    let begun = cx.clock.elapsed();
    let simulated = cx.settings.is_simulated();
    let started = AttemptStarted {
        rid,
        row: job.row.number,
        scene_id: job.row.scene_id.clone(),
        variant: job.request.variant,
        attempt: report.attempts,
        max: job.quote.maximum,
        work: (!cx.is_rehearsal()).then(|| job.identity(simulated)),
    };
    cx.events.emit(RunEvent::AttemptStarted(Box::new(started))).await;
    report.sent_at.get_or_insert(begun);
    let answer = exchange(cx, job, report.attempts).await;
    let ended = cx.clock.elapsed();
    report.ended_at = Some(ended);
    let ending = settle(cx, job, rid, report.attempts, &answer, ended.saturating_sub(begun)).await;
    if let Ending::Settled { amount, .. } = ending {
        report.cost = report.cost.saturating_add(amount);
    }
    report.timeouts += u32::from(matches!(answer, Answer::TimedOut { .. }));
    report.throttles += u32::from(matches!(answer, Answer::RateLimited { .. }));
    answer
}

/// What follows from an answer; money has ended already.
fn decide(
    cx: &RunContext,
    answer: &Answer,
    report: &mut VariantReport,
    bought: &mut u32,
    rid: AttemptId,
) -> Next {
    let end = |ending| Next::End(ending, Some(answer.sentence()));
    match answer {
        Answer::Image { .. } => Next::End(VariantEnding::Stored, None),
        Answer::NotAnImage { .. } => end(VariantEnding::NotAnImage),
        Answer::NotKept { .. } => end(VariantEnding::NotKept),
        Answer::Refused => end(VariantEnding::Refused),
        Answer::BadRequest { .. } | Answer::NotSent { .. } => end(VariantEnding::Failed),
        Answer::RateLimited { .. } if report.throttles >= MAX_THROTTLES => {
            end(VariantEnding::Throttled)
        }
        Answer::RateLimited { retry_after } => Next::Again(*retry_after),
        Answer::Left => end(VariantEnding::Unknown),
        Answer::ServerError { .. } | Answer::TimedOut { .. } => {
            let policy = &cx.settings.paid_retries;
            let wanted = repurchase_kind(unknown_class(answer))
                .is_some_and(|kind| policy.on.contains(&kind));
            if wanted && *bought + 1 < policy.attempts && cx.take_paid_retry() {
                *bought += 1;
                Next::Again(paid_retry_pause(*bought, rid))
            } else {
                end(VariantEnding::Unknown)
            }
        }
    }
}

/// The ending of an image whose next attempt was called off by a stop.
fn ending_when_stopped(answer: &Answer) -> VariantEnding {
    if answer.evidence().is_some() { VariantEnding::Cancelled } else { VariantEnding::Unknown }
}

/// The class under which an answer without a known cost is booked.
pub(crate) const fn unknown_class(answer: &Answer) -> UnknownClass {
    match answer {
        Answer::ServerError { .. } => UnknownClass::ServerError,
        Answer::TimedOut { .. } => UnknownClass::Timeout,
        Answer::Left => UnknownClass::Left,
        Answer::Image { .. }
        | Answer::NotAnImage { .. }
        | Answer::NotKept { .. }
        | Answer::Refused
        | Answer::BadRequest { .. }
        | Answer::NotSent { .. }
        | Answer::RateLimited { .. } => UnknownClass::BadBody,
    }
}

/// The evidence that an answer cost nothing, from the table of `DESIGN.md` section 6.
impl Answer {
    /// The evidence, or nothing when the attempt may have been billed.
    pub(crate) const fn evidence(&self) -> Option<Evidence> {
        match self {
            Self::RateLimited { .. } => Some(Evidence::RateLimited),
            Self::BadRequest { .. } | Self::Refused => Some(Evidence::Invalid),
            Self::NotSent { .. } => Some(Evidence::NotSent),
            Self::Image { .. }
            | Self::NotAnImage { .. }
            | Self::NotKept { .. }
            | Self::ServerError { .. }
            | Self::TimedOut { .. }
            | Self::Left => None,
        }
    }
}
