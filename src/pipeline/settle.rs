//! Ends the money of one attempt: an actual cost, a release with evidence, or unknown.

use std::time::Duration;

use crate::domain::event::{AttemptEnded, Ending, RunEvent};
use crate::domain::ids::AttemptId;
use crate::pipeline::context::RunContext;
use crate::pipeline::exchange::Answer;
use crate::pipeline::generate::{VariantJob, unknown_class};
use crate::pipeline::persist::Finished;

/// Books the end of an attempt, tells it, and hands a finished image on to be made durable.
pub(crate) async fn settle(
    cx: &RunContext,
    job: &VariantJob,
    rid: AttemptId,
    attempt: u32,
    answer: &Answer,
    latency: Duration,
) -> Ending {
    let ending = ending(answer);
    let booked = match ending {
        Ending::Settled { amount, source } => {
            let request_id = generation(answer).and_then(|it| it.request_id.clone());
            cx.ledger.settle(rid, amount, source, request_id).await
        }
        Ending::Released { evidence } => cx.ledger.release(rid, evidence, answer.status()).await,
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
        error: (!matches!(answer, Answer::Image { .. })).then(|| answer.sentence()),
        tags: job.tags.clone(),
    };
    cx.events.emit(RunEvent::AttemptEnded(Box::new(ended))).await;
    if let (Answer::Image { generation, image }, Ending::Settled { amount, source }) =
        (answer, ending)
    {
        let finished = Finished { rid, job, image, generation, amount, source };
        cx.persist.keep(cx, finished).await;
    }
    ending
}

/// How the money of an answer ends.
fn ending(answer: &Answer) -> Ending {
    match (generation(answer), answer.evidence()) {
        (Some(generation), _) => {
            Ending::Settled { amount: generation.cost, source: generation.cost_source }
        }
        (None, Some(evidence)) => Ending::Released { evidence },
        (None, None) => Ending::Unknown { class: unknown_class(answer) },
    }
}

fn generation(answer: &Answer) -> Option<&crate::ports::provider::Generation> {
    match answer {
        Answer::Image { generation, .. } | Answer::NotAnImage { generation, .. } => {
            Some(generation)
        }
        Answer::NotKept { generation, .. } => generation.as_ref(),
        Answer::Refused
        | Answer::BadRequest { .. }
        | Answer::RateLimited { .. }
        | Answer::ServerError { .. }
        | Answer::TimedOut { .. }
        | Answer::Left
        | Answer::NotSent { .. }
        | Answer::HeldTooLong => None,
    }
}
