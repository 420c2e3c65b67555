//! What is said and done about a wall clock that is wrong: the ledger decides which day it keeps,
//! and the run tells it, or stops.

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

/// Holds the provider's clock against ours, which said `sent` before the request left. A day that
/// was opened too early ends the run: its money belongs to tomorrow.
pub(crate) async fn hold_against_date(cx: &RunContext, sent: Timestamp, answer: &Answer) {
    let Some(date) = answer.date().filter(|date| is_ahead(sent, *date)) else { return };
    match cx.ledger.provider_date(date).await {
        Ok(None) => {}
        Ok(Some(day)) => {
            let text = format!(
                "this machine's clock said {sent:.0} when a request was sent, and the provider's \
                 answer says that it is {date:.0}: the ledger's day {day} has begun too early; set \
                 the clock"
            );
            cx.stop.drain(StopReason::Environment(text));
        }
        Err(error) => cx.stop.drain(error.stop_reason()),
    }
}
