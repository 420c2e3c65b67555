//! Lets an attempt in: a permit of the lane first, then the durable hold of its worst case.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::SemaphorePermit;

use crate::domain::ids::AttemptId;
use crate::domain::ledger::Evidence;
use crate::domain::retry::REQUEST_TIMEOUT;
use crate::pipeline::context::RunContext;
use crate::pipeline::generate::VariantJob;
use crate::pipeline::ledger_task::{LATE_CALL, ReserveAsk, ReserveError};
use crate::pipeline::stop::StopReason;

/// The most wall time between a hold and its first byte. A laptop that slept in between has a
/// hold in the wrong day, so it is given back and taken again.
const MAX_HOLD_BEFORE_SEND: Duration = Duration::from_secs(60);

/// What became of the wish to send.
pub(crate) enum Admission<'a> {
    /// The lane's permit and the durable hold are ours.
    Admitted { permit: SemaphorePermit<'a>, rid: AttemptId },
    /// The limit does not allow it; the sentence says which.
    OverBudget(String),
    /// The run stops.
    Stopped,
}

/// Waits for a permit, then holds the worst case of one attempt durably.
pub(crate) async fn admit<'a>(
    cx: &'a Arc<RunContext>,
    job: &VariantJob,
    attempt: u32,
) -> Admission<'a> {
    loop {
        let permit = tokio::select! {
            // Biased: a draining run gives out no more permits.
            biased;
            () = cx.stop.draining() => return Admission::Stopped,
            permit = cx.lane.acquire() => permit.expect("the lane is never closed"),
        };
        let rid = cx.entropy.attempt_id();
        let before = cx.clock.now();
        match cx.ledger.reserve(ask(cx, job, rid, attempt)).await {
            Ok(_) => {}
            Err(ReserveError::Refused(refusal)) => {
                let sentence = refusal.to_string();
                if attempt == 1 {
                    cx.stop.drain(StopReason::Budget(sentence.clone()));
                }
                return Admission::OverBudget(sentence);
            }
            Err(error) => {
                cx.stop.drain(StopReason::Broken(format!("the ledger failed: {error}")));
                return Admission::Stopped;
            }
        }
        let held = cx.clock.now().duration_since(before);
        let slept = Duration::try_from(held).map_or(true, |held| held > MAX_HOLD_BEFORE_SEND);
        if !slept && !cx.stop.is_draining() {
            return Admission::Admitted { permit, rid };
        }
        if let Err(error) = cx.ledger.release(rid, Evidence::NotSent, None).await {
            cx.stop.drain(StopReason::Broken(format!("the ledger failed: {error}")));
        }
    }
}

fn ask(cx: &RunContext, job: &VariantJob, rid: AttemptId, attempt: u32) -> ReserveAsk {
    let digest =
        if cx.is_rehearsal() { [0; 32] } else { job.identity(cx.settings.is_simulated()).0 };
    ReserveAsk {
        rid,
        run: cx.run_id,
        row: job.row.number,
        variant: u32::from(job.request.variant),
        attempt_no: attempt,
        provider: Arc::clone(&job.request.spec.provider),
        model: Arc::clone(&job.request.spec.model),
        max: job.quote.maximum,
        request_digest: digest,
        timeout: REQUEST_TIMEOUT,
        late: LATE_CALL,
    }
}
