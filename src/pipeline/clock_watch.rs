//! What is said and done about a wall clock that is wrong: the ledger decides which day it keeps,
//! and the run tells it, or stops.

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::event::RunEvent;
use crate::domain::ledger::clock::{Doubt, is_ahead};
use crate::pipeline::context::RunContext;
use crate::pipeline::exchange::Answer;
use crate::pipeline::stop::StopReason;

/// Tells the first doubt about the wall clock, once.
pub(crate) async fn tell_doubt(cx: &RunContext) {
    let Some(doubt) = cx.ledger.untold_doubt() else { return };
    let (Doubt::Ahead { wall, day } | Doubt::Behind { wall, day }) = doubt;
    cx.events.emit(RunEvent::ClockDoubted { wall, day, reason: doubt.to_string() }).await;
}

/// Our clocks before a request left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    wall: Timestamp,
    passed: Duration,
}

impl Sent {
    pub(crate) fn now(cx: &RunContext) -> Self {
        Self { wall: cx.clock.now(), passed: cx.clock.passed() }
    }
}

/// Holds the provider's clock against ours. A day that was opened too early ends the run: its money
/// belongs to tomorrow.
pub(crate) async fn hold_against_date(cx: &RunContext, sent: Sent, answer: &Answer) {
    let Sent { wall, passed } = sent;
    let Some(date) = answer.date().filter(|date| is_ahead(wall, *date)) else { return };
    let took = cx.clock.passed().saturating_sub(passed);
    match cx.ledger.provider_date(date, took).await {
        Ok(None) => {}
        Ok(Some(day)) => {
            let text = format!(
                "this machine's clock said {wall:.0} when a request was sent, and the provider's \
                 answer says that it is {date:.0}: the ledger's day {day} has begun too early; set \
                 the clock"
            );
            cx.stop.drain(StopReason::Environment(text));
        }
        Err(error) => cx.stop.drain(error.stop_reason()),
    }
}
