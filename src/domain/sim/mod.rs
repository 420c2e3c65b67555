//! The simulator's engine: what a rehearsal provider answers, decided by numbers alone.

mod behavior;
mod bill;
mod engine;
mod forecast;
pub mod paint;
mod spec;
pub mod store;

pub use behavior::{Behavior, MAGIC_WORDS, MagicWord, Oddity};
pub use bill::{Charged, SimPrice};
pub use engine::{SimKey, SimKind, SimReply};
pub use forecast::{Flow, RetryPlan, forecast, forecast_with};
pub use spec::{Share, SimSpec, SpecError};

#[cfg(test)]
mod tests;
