//! Lets an attempt in: a permit of the lane first, then the durable hold of its worst case. Who
//! has to wait for money waits without a permit, in the order of asking.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::ids::AttemptId;
use crate::domain::ledger::{Evidence, cut_tags};
use crate::domain::money::NanoUsd;
use crate::pipeline::clock_watch::tell_doubt;
use crate::pipeline::context::RunContext;
use crate::pipeline::generate::VariantJob;
use crate::pipeline::lane::Permit;
use crate::pipeline::ledger_task::{LATE_CALL, Reservation, ReserveAsk, ReserveError, Turn};
use crate::pipeline::stop::StopReason;
use jiff::Timestamp;

/// The most wall time between a hold and its first byte. A laptop that slept in between has a
/// hold in the wrong day, so it is given back and taken again.
const MAX_HOLD_BEFORE_SEND: Duration = Duration::from_secs(60);

/// What became of the wish to send.
pub(crate) enum Admission<'a> {
    /// The lane's permit and the durable hold are ours.
    Admitted { permit: Permit<'a>, reservation: Reservation },
    /// The limit does not allow it; the sentence says which.
    OverBudget(String),
    /// The run stops.
    Stopped,
}

/// Waits for a permit, then holds the worst case of one attempt durably. `is_retry` says that an
/// attempt at this image may have been billed already: a paid retry that does not fit is left
/// out, while a first attempt that does not fit stops the run.
pub(crate) async fn admit<'a>(
    cx: &'a Arc<RunContext>,
    job: &VariantJob,
    attempt: u32,
    is_retry: bool,
) -> Admission<'a> {
    let mut turn: Option<Turn<'a>> = None;
    loop {
        let permit = tokio::select! {
            // Biased: a draining run gives out no more permits.
            biased;
            () = cx.stop.draining() => return Admission::Stopped,
            permit = cx.lane.enter(&*cx.clock) => permit,
        };
        let beside = if is_retry { cx.first_attempts_left.sum() } else { NanoUsd::ZERO };
        let ask = ReserveAsk { beside, ..ask(cx, job, cx.entropy.attempt_id(), attempt) };
        let answer = cx.ledger.reserve_now(ask.clone()).await;
        tell_doubt(cx).await;
        match answer {
            Ok(Some(reservation)) if is_young(cx, reservation.time) && !cx.stop.is_draining() => {
                return Admission::Admitted { permit, reservation };
            }
            Ok(Some(reservation)) => give_back(cx, reservation.rid).await,
            Ok(None) => {
                // The permit goes back first: others may have money, or need none.
                drop(permit);
                match wait_for_room(cx, &mut turn, ask).await {
                    Some(Ok(())) => {}
                    Some(Err(error)) => return declined(cx, error, is_retry),
                    None => return Admission::Stopped,
                }
            }
            Err(error) => return declined(cx, error, is_retry),
        }
    }
}

/// Whether so little wall time has passed since `held` that the hold still stands for now.
pub(crate) fn is_young(cx: &RunContext, held: Timestamp) -> bool {
    cx.clock.now().duration_since(held).unsigned_abs() <= MAX_HOLD_BEFORE_SEND
}

/// Waits for the turn, then for room; nothing when the run stops meanwhile.
async fn wait_for_room<'a>(
    cx: &'a RunContext,
    turn: &mut Option<Turn<'a>>,
    ask: ReserveAsk,
) -> Option<Result<(), ReserveError>> {
    let waiting = async {
        let turn = match turn {
            Some(turn) => turn,
            None => turn.insert(cx.ledger.turn().await),
        };
        cx.ledger.room(turn, ask).await
    };
    tokio::select! {
        // Biased: a draining run waits for no money.
        biased;
        () = cx.stop.draining() => None,
        room = waiting => Some(room),
    }
}

/// Gives a hold back that nothing was sent for.
async fn give_back(cx: &RunContext, rid: AttemptId) {
    if let Err(error) = cx.ledger.release(rid, Evidence::NotSent, None).await {
        cx.stop.drain(error.stop_reason());
    }
}

fn declined<'a>(cx: &RunContext, error: ReserveError, is_retry: bool) -> Admission<'a> {
    match error {
        ReserveError::Refused(refusal) => {
            let doubt = cx.ledger.doubt().map_or(String::new(), |doubt| format!("; {doubt}"));
            let sentence = format!("{refusal}{doubt}");
            if !is_retry {
                cx.stop.drain(StopReason::Budget(sentence.clone()));
            }
            Admission::OverBudget(sentence)
        }
        ReserveError::Stopped(stopped) => {
            cx.stop.drain(stopped.stop_reason());
            Admission::Stopped
        }
    }
}

fn ask(cx: &RunContext, job: &VariantJob, rid: AttemptId, attempt: u32) -> ReserveAsk {
    let digest = if cx.is_rehearsal() { [0; 32] } else { job.identity(cx).0 };
    ReserveAsk {
        rid,
        run: cx.run_id,
        row: job.row.number,
        variant: u32::from(job.request.variant),
        attempt_no: attempt,
        provider: Arc::clone(&job.request.spec.provider),
        model: Arc::clone(&job.request.spec.model),
        max: job.quote.maximum,
        beside: NanoUsd::ZERO,
        request_digest: digest,
        timeout: cx.settings.timeout_for(&job.request.spec),
        late: LATE_CALL,
        // Nobody reads the ledger of a rehearsal.
        tags: if cx.is_rehearsal() { Vec::new() } else { cut_tags(&job.row.options.tags) },
        canary: cx.settings.canary.is_some(),
    }
}
