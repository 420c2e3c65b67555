//! What follows from an answer, once its money has ended: the image is done, it is tried again, or
//! the whole run stops.

use std::time::Duration;

use jiff::SignedDuration;

use crate::domain::event::{Ending, RunEvent};
use crate::domain::failure::{Denial, FailureClass, Recourse};
use crate::domain::ids::AttemptId;
use crate::domain::retry::{
    MAX_CONNECTION_TRIES, MAX_PARK, MAX_THROTTLES, PARK_ABOVE, connection_pause, paid_retry_pause,
    throttle_pause,
};
use crate::domain::settings::PaidRetryOn;
use crate::pipeline::context::RunContext;
use crate::pipeline::exchange::Answer;
use crate::pipeline::generate::{VariantEnding, VariantReport};
use crate::pipeline::stop::StopReason;

/// What the loop does after an attempt.
pub(crate) enum Next {
    /// The image's story is over.
    End(VariantEnding, Option<String>),
    /// Try again after a pause, without holding anything.
    Again(Duration),
}

/// What follows from an answer; money has ended already.
pub(crate) async fn decide(
    cx: &RunContext,
    answer: &Answer,
    report: &mut VariantReport,
    rid: AttemptId,
) -> Next {
    let end = |ending| Next::End(ending, Some(answer.sentence()));
    match answer {
        Answer::Image { .. } => Next::End(VariantEnding::Stored, None),
        Answer::NotAnImage { .. } => end(VariantEnding::NotAnImage),
        Answer::NotKept { .. } => end(VariantEnding::NotKept),
        Answer::NotSent { .. } => end(VariantEnding::NoFile),
        // Nothing was sent, and the next hold is a fresh one.
        Answer::HeldTooLong => Next::Again(Duration::ZERO),
        Answer::Left => end(VariantEnding::Lost),
        Answer::Failed(failure) => {
            let class = failure.class;
            match class.recourse() {
                Recourse::Free(asked) => put_off(cx, answer, asked, report, rid, &end).await,
                Recourse::Paid(kind, asked) => {
                    let pause = buy_again(cx, class, kind, asked, report, rid);
                    if let (Some(_), Some(wait)) = (pause, asked) {
                        park(cx, wait).await;
                    }
                    pause.map_or_else(|| end(given_up(class)), Next::Again)
                }
                Recourse::None => {
                    if let FailureClass::Denied { denial, .. } = class {
                        cx.stop.drain(StopReason::Provider(denied(cx, denial, answer)));
                    }
                    end(given_up(class))
                }
            }
        }
    }
}

/// Nothing was billed: the image is tried again, unless that has been so for too long.
async fn put_off(
    cx: &RunContext,
    answer: &Answer,
    asked: Option<Duration>,
    report: &VariantReport,
    rid: AttemptId,
    end: &(dyn Fn(VariantEnding) -> Next + Sync),
) -> Next {
    if let Some(FailureClass::NoConnection { .. }) = answer.class() {
        if report.unconnected >= MAX_CONNECTION_TRIES {
            let place = cx.settings.origin().unwrap_or("the provider");
            let text = format!("{place} cannot be reached: {}", answer.sentence());
            cx.stop.drain(StopReason::Provider(text));
            return end(VariantEnding::Cancelled);
        }
        return Next::Again(connection_pause(report.unconnected, rid));
    }
    if report.throttles >= MAX_THROTTLES {
        if report.answered_before == Some(cx.lane.n_answered()) {
            // Nobody else got anything either: the account may do nothing at all.
            let text = "the provider puts every request off; look at the account's rate limits";
            cx.stop.drain(StopReason::Provider(text.to_owned()));
        }
        return end(VariantEnding::Throttled);
    }
    let pause = throttle_pause(report.throttles, asked, rid);
    match asked {
        Some(wait) if wait > MAX_PARK => {
            let until = until(cx, wait);
            let text = format!("the provider asks to wait until {until}; try again then");
            cx.stop.drain(StopReason::Provider(text));
            return end(VariantEnding::Cancelled);
        }
        Some(wait) => park(cx, wait).await,
        None => {}
    }
    Next::Again(pause)
}

/// A long wait is that of the whole lane: others would be told the same.
async fn park(cx: &RunContext, wait: Duration) {
    if wait > PARK_ABOVE && cx.lane.park_until(cx.clock.elapsed().saturating_add(wait)) {
        let until = cx.clock.now().saturating_add(signed(wait)).expect("within an hour");
        cx.events.emit(RunEvent::LaneParked { until }).await;
    }
}

/// The pause before another purchase of an image that may have been billed already, when there is
/// an allowance for it.
fn buy_again(
    cx: &RunContext,
    class: FailureClass,
    kind: PaidRetryOn,
    asked: Option<Duration>,
    report: &mut VariantReport,
    rid: AttemptId,
) -> Option<Duration> {
    let policy = &cx.settings.paid_retries;
    let wanted = policy.on.contains(&kind) && asked.is_none_or(|wait| wait <= MAX_PARK);
    if !wanted || report.bought + 1 >= policy.attempts || !cx.take_paid_retry() {
        return None;
    }
    report.bought += 1;
    report.bought_after = Some(class);
    Some(paid_retry_pause(report.bought, rid).max(asked.unwrap_or_default()))
}

/// How the story of an image ends that is not tried again.
fn given_up(class: FailureClass) -> VariantEnding {
    match class {
        FailureClass::Refused { .. } => VariantEnding::Refused,
        FailureClass::Invalid { .. } => VariantEnding::Failed,
        FailureClass::NoImage { .. } => VariantEnding::NoImage,
        FailureClass::Denied { .. } if !matches!(class.ending(), Ending::Unknown { .. }) => {
            // Not the row's fault: it is as if it had not had its turn yet.
            VariantEnding::Cancelled
        }
        FailureClass::NoConnection { .. } | FailureClass::RateLimited { .. } => {
            VariantEnding::Cancelled
        }
        FailureClass::Denied { .. }
        | FailureClass::ServerError { .. }
        | FailureClass::Unexpected { .. }
        | FailureClass::TimedOut { .. }
        | FailureClass::Reset
        | FailureClass::BadBody => VariantEnding::Unknown(class),
    }
}

/// Why the run stops, and what to fix.
fn denied(cx: &RunContext, denial: Denial, answer: &Answer) -> String {
    let provider = &cx.settings.spec.provider;
    let fix = match denial {
        Denial::Credentials => cx.advice.key.clone(),
        Denial::Billing => "add credit or raise the limit in the provider's console".to_owned(),
        Denial::NotFound => "check --model and --base-url".to_owned(),
        Denial::Redirect => "give the address that it leads to as --base-url".to_owned(),
        Denial::Final => "look at the account in the provider's console".to_owned(),
    };
    format!("{provider}: {}; {fix}", answer.sentence())
}

fn until(cx: &RunContext, wait: Duration) -> String {
    match cx.clock.now().checked_add(signed(wait)) {
        Ok(moment) => format!("{moment:.0}"),
        Err(_) => "the end of time".to_owned(),
    }
}

fn signed(wait: Duration) -> SignedDuration {
    SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX)
}
