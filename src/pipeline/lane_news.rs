//! Tells the lane how an exchange went, and everybody else what that changed.

use crate::domain::circuit::{Change, FAILURES_TO_OPEN, Health};
use crate::domain::event::RunEvent;
use crate::domain::failure::FailureClass;
use crate::pipeline::context::RunContext;
use crate::pipeline::exchange::Answer;
use crate::pipeline::lane::Permit;
use crate::pipeline::stop::StopReason;

/// Gives the permit back. A circuit whose probes fail too stops the run.
pub(crate) async fn tell_lane(cx: &RunContext, permit: Permit<'_>, answer: &Answer) {
    let health = answer.health();
    let is_put_off = matches!(answer.class(), Some(FailureClass::RateLimited { .. }));
    if health == Health::Answers && !is_put_off {
        cx.lane.count_answer();
    }
    match permit.end(health, cx.clock.elapsed()) {
        Change::None => {}
        Change::Opened(probe_in) => {
            let failures = FAILURES_TO_OPEN;
            cx.events.emit(RunEvent::CircuitOpened { failures, probe_in }).await;
        }
        Change::Closed => cx.events.emit(RunEvent::CircuitClosed).await,
        Change::GivenUp => {
            let text = format!(
                "the provider is down: {FAILURES_TO_OPEN} failures in a row, and both probes \
                 failed too"
            );
            cx.stop.drain(StopReason::Provider(text));
        }
    }
}
