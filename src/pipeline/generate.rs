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
use crate::pipeline::ledger_task::Reservation;
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
    /// The file for it could not be opened, so nothing was sent.
    NoFile,
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
            Self::NotKept | Self::NoFile => Some("io"),
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
    /// Attempts bought again after one that may have been billed.
    pub(crate) bought: u32,
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
            bought: 0,
            sent_at: None,
            ended_at: None,
        }
    }

    /// Ends the story. An image that was given up after an attempt that may have been billed is
    /// `unknown`: nothing later may make that attempt look as if it had not been.
    fn end(mut self, ending: VariantEnding, reason: Option<String>) -> Self {
        let given_up = match ending {
            VariantEnding::Cancelled
            | VariantEnding::OverBudget
            | VariantEnding::Throttled
            | VariantEnding::NoFile => true,
            VariantEnding::Stored
            | VariantEnding::Refused
            | VariantEnding::Failed
            | VariantEnding::NotAnImage
            | VariantEnding::NotKept
            | VariantEnding::Unknown => false,
        };
        self.ending = if given_up && self.bought > 0 { VariantEnding::Unknown } else { ending };
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
    loop {
        let admission = admit(cx, &job, report.attempts + 1, report.bought > 0).await;
        let (permit, held) = match admission {
            Admission::Admitted { permit, reservation } => (permit, reservation),
            Admission::Stopped => return report.end(VariantEnding::Cancelled, None),
            Admission::OverBudget(reason) => {
                // A paid retry happens only while it fits; why it was wanted says more then.
                let reason = (report.bought == 0).then_some(reason);
                return report.end(VariantEnding::OverBudget, reason);
            }
        };
        report.attempts += 1;
        let answer = attempt(cx, &job, &held, &mut report).await;
        drop(permit);
        match decide(cx, &answer, &mut report, held.rid) {
            Next::End(ending, reason) => return report.end(ending, reason),
            Next::Again(pause) => {
                report.reason = Some(answer.sentence());
                tokio::select! {
                    // Biased: a stop that arrives with the end of the pause wins.
                    biased;
                    () = cx.stop.draining() => {
                        return report.end(VariantEnding::Cancelled, None);
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
    held: &Reservation,
    report: &mut VariantReport,
) -> Answer {
    let rid = held.rid;
    let is_first = report.bought == 0;
    if is_first {
        cx.first_attempts_left.leave(held.max);
    }
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
    let answer = exchange(cx, job, held, report.attempts).await;
    let ended = cx.clock.elapsed();
    report.ended_at = Some(ended);
    if is_first && matches!(answer, Answer::RateLimited { .. } | Answer::HeldTooLong) {
        // Before its hold is given back, so that no paid retry takes the money in between.
        cx.first_attempts_left.come_back(held.max);
    }
    let ending = settle(cx, job, rid, report.attempts, &answer, ended.saturating_sub(begun)).await;
    if let Ending::Settled { amount, .. } = ending {
        report.cost = report.cost.saturating_add(amount);
    }
    report.timeouts += u32::from(matches!(answer, Answer::TimedOut { .. }));
    report.throttles += u32::from(matches!(answer, Answer::RateLimited { .. }));
    answer
}

/// What follows from an answer; money has ended already.
fn decide(cx: &RunContext, answer: &Answer, report: &mut VariantReport, rid: AttemptId) -> Next {
    let end = |ending| Next::End(ending, Some(answer.sentence()));
    match answer {
        Answer::Image { .. } => Next::End(VariantEnding::Stored, None),
        Answer::NotAnImage { .. } => end(VariantEnding::NotAnImage),
        Answer::NotKept { .. } => end(VariantEnding::NotKept),
        Answer::Refused => end(VariantEnding::Refused),
        Answer::BadRequest { .. } => end(VariantEnding::Failed),
        Answer::NotSent { .. } => end(VariantEnding::NoFile),
        // Nothing was sent, and the next hold is a fresh one.
        Answer::HeldTooLong => Next::Again(Duration::ZERO),
        Answer::RateLimited { .. } if report.throttles >= MAX_THROTTLES => {
            end(VariantEnding::Throttled)
        }
        Answer::RateLimited { retry_after } => Next::Again(*retry_after),
        Answer::Left => end(VariantEnding::Unknown),
        Answer::ServerError { .. } | Answer::TimedOut { .. } => {
            let policy = &cx.settings.paid_retries;
            let wanted = repurchase_kind(unknown_class(answer))
                .is_some_and(|kind| policy.on.contains(&kind));
            if wanted && report.bought + 1 < policy.attempts && cx.take_paid_retry() {
                report.bought += 1;
                Next::Again(paid_retry_pause(report.bought, rid))
            } else {
                end(VariantEnding::Unknown)
            }
        }
    }
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
        | Answer::HeldTooLong
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
            Self::NotSent { .. } | Self::HeldTooLong => Some(Evidence::NotSent),
            Self::Image { .. }
            | Self::NotAnImage { .. }
            | Self::NotKept { .. }
            | Self::ServerError { .. }
            | Self::TimedOut { .. }
            | Self::Left => None,
        }
    }

    /// The HTTP status that is the evidence, where one was answered.
    pub(crate) const fn status(&self) -> Option<u16> {
        match self {
            Self::BadRequest { status } | Self::ServerError { status } => Some(*status),
            Self::RateLimited { .. } => Some(429),
            Self::Image { .. }
            | Self::NotAnImage { .. }
            | Self::NotKept { .. }
            | Self::Refused
            | Self::NotSent { .. }
            | Self::HeldTooLong
            | Self::TimedOut { .. }
            | Self::Left => None,
        }
    }
}
