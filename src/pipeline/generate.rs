//! Makes one image: the only loop over attempts. Each turn of it takes a permit of the lane,
//! holds the worst case durably, sends once, and ends the money before it gives the permit back.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fail::fail_point;

use crate::domain::digest::Sha256Digest;
use crate::domain::event::{AttemptStarted, Ending, RunEvent, Tags};
use crate::domain::failure::FailureClass;
use crate::domain::history::{Past, Standing};
use crate::domain::image::StoredImage;
use crate::domain::image_name::{ImageName, NameFacts};
use crate::domain::look::ImageCheck;
use crate::domain::money::NanoUsd;
use crate::domain::price::Quote;
use crate::domain::request::{ImageRequest, work_identity};
use crate::domain::row::Row;
use crate::pipeline::admit::{Admission, admit};
use crate::pipeline::clock_watch::{Sent, hold_against_date};
use crate::pipeline::context::RunContext;
use crate::pipeline::exchange::{Answer, exchange};
use crate::pipeline::lane::Permit;
use crate::pipeline::lane_news::tell_lane;
use crate::pipeline::ledger_task::Reservation;
use crate::pipeline::persist::Finished;
use crate::pipeline::recourse::{Next, decide};
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
    /// The identity of the work, once somebody has asked for it.
    pub(crate) work: OnceLock<Sha256Digest>,
    /// What earlier processes of the run have done for it.
    pub(crate) past: Option<Past>,
}

impl VariantJob {
    /// The identity of the work.
    pub(crate) fn identity(&self, cx: &RunContext) -> Sha256Digest {
        *self.work.get_or_init(|| {
            let (request, settings) = (&self.request, &cx.settings);
            let origin = settings.origin();
            let simulated = settings.is_simulated();
            work_identity(&self.row, request.variant, &request.spec, origin, simulated)
        })
    }

    /// What the image is called; a rehearsal keeps nothing, so nothing is called anything.
    pub(crate) fn image_name(&self, cx: &RunContext) -> ImageName {
        if cx.is_rehearsal() {
            return ImageName::default();
        }
        let (variant, spec) = (self.request.variant, &*self.request.spec);
        cx.settings.names.name(&NameFacts { run_id: cx.run_id, row: &self.row, variant, spec })
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
    /// A complete answer that has no image in it.
    NoImage,
    /// It is paid, but the disk refused it.
    NotKept,
    /// It was sent, and what became of it or of its money is not known.
    Unknown(FailureClass),
    /// It was sent, and the process left or its task died before the answer came.
    Lost,
    /// The limit did not allow it.
    OverBudget,
    /// The run stopped before it was made.
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
            Self::NoImage => Some("no-image"),
            Self::NotKept | Self::NoFile => Some("io"),
            Self::Unknown(class) => Some(class.kind()),
            Self::Lost => Some("unknown"),
            Self::OverBudget => Some("budget"),
        }
    }

    /// Whether nobody knows what became of it.
    pub(crate) const fn is_unknown(self) -> bool {
        matches!(self, Self::Unknown(_) | Self::Lost)
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
    /// How many requests of the lane had been answered when this one was first put off.
    pub(crate) answered_before: Option<u64>,
    /// What was settled.
    pub(crate) cost: NanoUsd,
    /// Attempts that found no connection, in a row.
    pub(crate) unconnected: u32,
    /// Attempts bought again after one that may have been billed.
    pub(crate) bought: u32,
    /// Why the last one that may have been billed brought nothing.
    pub(crate) bought_after: Option<FailureClass>,
    /// Whether an attempt of an earlier process may have been billed.
    pub(crate) was_billed: bool,
    /// What was said then.
    pub(crate) unknown_reason: Option<String>,
    /// What is known of the looks of its image; in a box, since reports are moved often and few say
    /// anything of it.
    pub(crate) check: Option<Box<ImageCheck>>,
    /// When the first byte was sent, on the run's clock.
    pub(crate) sent_at: Option<Duration>,
    /// When the last attempt ended, on the run's clock.
    pub(crate) ended_at: Option<Duration>,
}

impl VariantReport {
    /// What is known of the looks of its image.
    pub(crate) fn check(&self) -> ImageCheck {
        self.check.as_deref().copied().unwrap_or_default()
    }

    /// The report of a task that died: whatever it sent is unknown.
    pub(crate) fn lost() -> Self {
        Self { ending: VariantEnding::Lost, ..Self::new() }
    }

    /// The report of an image that is not made now, by what is known of it.
    pub(crate) fn of_past(past: &Past) -> Self {
        let ending = match past.standing {
            Standing::Stored => VariantEnding::Stored,
            Standing::Refused => VariantEnding::Refused,
            Standing::Failed if past.was_no_image => VariantEnding::NotAnImage,
            Standing::Failed => VariantEnding::Failed,
            Standing::Pending | Standing::Out => VariantEnding::Cancelled,
            Standing::PaidLost | Standing::Unknown(_) => VariantEnding::Lost,
        };
        let Past { attempts, cost, check, .. } = *past;
        let check = (check != ImageCheck::default()).then(|| Box::new(check));
        Self { ending, attempts, cost, check, ..Self::new() }
    }

    /// The report of an image that is made after earlier processes have tried.
    fn going_on(past: &Past) -> Self {
        let was_billed = past.standing.paid_retry().is_some();
        let bought = if was_billed { past.billed } else { 0 };
        Self { attempts: past.attempts, cost: past.cost, bought, was_billed, ..Self::new() }
    }

    fn new() -> Self {
        Self {
            ending: VariantEnding::Cancelled,
            reason: None,
            attempts: 0,
            timeouts: 0,
            throttles: 0,
            answered_before: None,
            cost: NanoUsd::ZERO,
            unconnected: 0,
            bought: 0,
            bought_after: None,
            was_billed: false,
            unknown_reason: None,
            check: None,
            sent_at: None,
            ended_at: None,
        }
    }

    /// Ends the story. An image that was given up after an attempt that may have been billed is
    /// `unknown`: nothing later may make that attempt look as if it had not been, but an image.
    fn end(mut self, ending: VariantEnding, reason: Option<String>) -> Self {
        let (has_cost, has_answer) = match ending {
            VariantEnding::Stored
            | VariantEnding::NotKept
            | VariantEnding::Unknown(_)
            | VariantEnding::Lost => (true, false),
            VariantEnding::Refused
            | VariantEnding::Failed
            | VariantEnding::NotAnImage
            | VariantEnding::NoImage => (false, true),
            VariantEnding::Cancelled
            | VariantEnding::OverBudget
            | VariantEnding::Throttled
            | VariantEnding::NoFile => (false, false),
        };
        let before = match self.bought_after {
            _ if has_cost => None,
            Some(class) => Some((VariantEnding::Unknown(class), self.unknown_reason.take())),
            None if self.was_billed => {
                let earlier = "an earlier attempt may have been billed";
                Some((VariantEnding::Lost, Some(earlier.to_owned())))
            }
            None => None,
        };
        let Some((before, why)) = before else {
            self.ending = ending;
            self.reason = reason.or(self.reason);
            return self;
        };
        self.ending = before;
        self.reason = match (reason.filter(|_| has_answer), why) {
            (Some(answer), Some(why)) => Some(format!("{answer}; before that: {why}")),
            (answer, why) => why.or(answer),
        };
        self
    }
}

/// Makes one image, or says why not.
pub(crate) async fn generate(cx: &Arc<RunContext>, job: VariantJob) -> VariantReport {
    let mut report = job.past.as_ref().map_or_else(VariantReport::new, VariantReport::going_on);
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
        let answer = attempt(cx, &job, permit, &held, &mut report).await;
        match decide(cx, &answer, &mut report, held.rid).await {
            Next::End(ending, reason) => return report.end(ending, reason),
            Next::Again(pause) => {
                report.reason = Some(answer.sentence());
                if matches!(answer.ending(), Ending::Unknown { .. }) {
                    report.unknown_reason.clone_from(&report.reason);
                }
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

/// Sends once, ends the money of that attempt, and gives the permit back.
async fn attempt(
    cx: &Arc<RunContext>,
    job: &VariantJob,
    permit: Permit<'_>,
    held: &Reservation,
    report: &mut VariantReport,
) -> Answer {
    let rid = held.rid;
    let is_first = report.bought == 0;
    if is_first {
        cx.first_attempts_left.leave(held.max);
    }
    let begun = cx.clock.elapsed();
    let started = AttemptStarted {
        rid,
        row: job.row.number,
        scene_id: job.row.scene_id.clone(),
        variant: job.request.variant,
        attempt: report.attempts,
        max: job.quote.maximum,
        work: (!cx.is_rehearsal()).then(|| job.identity(cx)),
        name: (!cx.is_rehearsal() && !cx.settings.names.is_usual()).then(|| job.image_name(cx)),
    };
    cx.events.emit(RunEvent::AttemptStarted(Box::new(started))).await;
    report.sent_at.get_or_insert(begun);
    fail_point!("attempt::before_send");
    let sent = Sent::now(cx);
    let answer = exchange(cx, job, held, report.attempts).await;
    fail_point!("attempt::before_settle");
    hold_against_date(cx, sent, &answer).await;
    let ended = cx.clock.elapsed();
    report.ended_at = Some(ended);
    if is_first && answer.is_put_off() {
        // Before its hold is given back, so that no paid retry takes the money in between.
        cx.first_attempts_left.come_back(held.max);
    }
    let ending = settle(cx, job, rid, report.attempts, &answer, ended.saturating_sub(begun)).await;
    if let Ending::Settled { amount, source } = ending {
        report.cost = report.cost.saturating_add(amount);
        if let Answer::Image { generation, image } = &answer {
            let check = match cx.is_rehearsal() {
                true => ImageCheck::default(),
                false => look_at(cx, job, image).await,
            };
            report.check = (!cx.is_rehearsal()).then(|| Box::new(check));
            let finished = Finished { rid, job, image, check, generation, amount, source };
            cx.persist.keep(cx, finished).await;
        }
    }
    let class = answer.class();
    report.timeouts += u32::from(matches!(class, Some(FailureClass::TimedOut { .. })));
    if let Some(FailureClass::RateLimited { .. }) = class {
        report.throttles += 1;
        report.answered_before.get_or_insert(cx.lane.n_answered());
    }
    match class {
        Some(FailureClass::NoConnection { .. }) => report.unconnected += 1,
        Some(_) | None => report.unconnected = 0,
    }
    tell_lane(cx, permit, &answer).await;
    answer
}

/// Looks at an image that came. Its money is settled by then; nothing that is seen changes that.
async fn look_at(cx: &RunContext, job: &VariantJob, image: &StoredImage) -> ImageCheck {
    let is_compared = job.row.variants.get() > 1;
    let sight = match cx.settings.image_checks {
        true => cx.images.look(image, is_compared).await,
        false => None,
    };
    ImageCheck::of(sight, &job.request.spec.size, image)
}
