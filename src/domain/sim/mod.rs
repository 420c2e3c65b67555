//! The simulator's engine: what a rehearsal provider answers, decided by numbers alone.

mod engine;
mod forecast;
mod spec;

pub use engine::{SimKey, SimKind, SimReply};
pub use forecast::{RetryPlan, forecast, forecast_with};
pub use spec::{Share, SimSpec, SpecError};

#[cfg(test)]
mod tests;
