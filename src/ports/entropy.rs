//! Chance as an argument: fresh identities.

use std::fmt::Debug;

use crate::domain::ids::{AttemptId, RunId};

/// Makes identities; a rehearsal uses a seeded one, so that it repeats.
pub trait Entropy: Debug + Send + Sync {
    /// A new run identity (UUIDv7).
    fn run_id(&self) -> RunId;

    /// A new attempt identity (UUIDv7).
    fn attempt_id(&self) -> AttemptId;
}
