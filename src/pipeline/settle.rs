//! Ends the money of one attempt: an actual cost, a release with evidence, or unknown.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::event::{AttemptEnded, Ending, RunEvent};
use crate::domain::failure::FailureClass;
use crate::domain::ids::AttemptId;
use crate::domain::money::NanoUsd;
use crate::domain::retry::MAX_OVERRUNS;
use crate::pipeline::context::RunContext;
use crate::pipeline::exchange::Answer;
use crate::pipeline::generate::VariantJob;
use crate::pipeline::stop::StopReason;

/// Books the end of an attempt, and tells it.
pub(crate) async fn settle(
    cx: &RunContext,
    job: &VariantJob,
    rid: AttemptId,
    attempt: u32,
    answer: &Answer,
    latency: Duration,
) -> Ending {
    let ending = answer.ending();
    let booked = match ending {
        Ending::Settled { amount, source } => {
            cx.ledger.settle(rid, amount, source, answer.request_id().cloned()).await
        }
        Ending::Released { evidence } => {
            let status = answer.class().and_then(FailureClass::status);
            cx.ledger.release(rid, evidence, status).await
        }
        Ending::Unknown { class } => cx.ledger.unknown(rid, class).await,
    };
    if let Err(error) = booked {
        // The hold stays in the file at its worst case, which is the careful reading.
        cx.stop.drain(error.stop_reason());
    }
    let ended = AttemptEnded {
        rid,
        row: job.row.number,
        scene_id: job.row.scene_id.clone(),
        variant: job.request.variant,
        attempt,
        max: job.quote.maximum,
        expected: job.quote.expected,
        ending,
        latency,
        kind: answer.kind(),
        error: remark(answer),
        provider_request_id: answer.request_id().cloned(),
        kept: answer.kept().iter().map(|it| it.to_string_lossy().into_owned()).collect(),
        tags: job.tags.clone(),
    };
    cx.events.emit(RunEvent::AttemptEnded(Box::new(ended))).await;
    if let Ending::Settled { amount, .. } = ending
        && amount > job.quote.maximum
    {
        shout_overrun(cx, job, rid, amount).await;
    }
    ending
}

/// What is to be said of an answer.
fn remark(answer: &Answer) -> Option<String> {
    match answer {
        Answer::Image { generation, .. } => (generation.n_extra > 0)
            .then(|| format!("{} more than was asked for, kept under raw/", generation.n_extra)),
        Answer::NotAnImage { .. }
        | Answer::NotKept { .. }
        | Answer::Failed(_)
        | Answer::Left
        | Answer::NotSent { .. }
        | Answer::HeldTooLong => Some(answer.sentence()),
    }
}

/// A charge above the worst case is shouted, and after a few of them the run stops: the ledger has
/// booked it, but the next one would go past its hold as well.
async fn shout_overrun(cx: &RunContext, job: &VariantJob, rid: AttemptId, amount: NanoUsd) {
    let model = &job.request.spec.model;
    let overrun = RunEvent::Overrun {
        rid,
        scene_id: job.row.scene_id.clone(),
        model: Arc::clone(model),
        amount,
        max: job.quote.maximum,
    };
    cx.events.emit(overrun).await;
    if cx.overruns.add(model) == MAX_OVERRUNS {
        let text = format!(
            "{model} cost more than its worst case {MAX_OVERRUNS} times: its price is wrong; give \
             the right one with --prices"
        );
        cx.stop.drain(StopReason::Environment(text));
    }
}
