//! How a run is told to stop: first it drains, then it aborts.

use std::sync::Mutex;

use tokio_util::sync::CancellationToken;

/// Why a run stops before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// Ctrl-C.
    Interrupted,
    /// A termination signal.
    Terminated,
    /// The limit refused the next attempt.
    Budget(String),
    /// A gate cannot pass any more.
    Gate(String),
    /// The provider turns the run away, or cannot be reached.
    Provider(String),
    /// The disk or another part of the environment failed; images, journal or ledger cannot be
    /// written.
    Environment(String),
    /// The ledger cannot be trusted, or a task failed: nothing may be spent.
    Broken(String),
}

impl StopReason {
    /// The reason in one sentence, without a final period.
    pub fn sentence(&self) -> String {
        match self {
            Self::Interrupted => "interrupted by Ctrl-C".to_owned(),
            Self::Terminated => "terminated by a signal".to_owned(),
            Self::Budget(text)
            | Self::Gate(text)
            | Self::Provider(text)
            | Self::Environment(text)
            | Self::Broken(text) => text.clone(),
        }
    }
}

/// An error and every source of it, in one sentence.
pub(crate) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

/// The shared stop switch of a run.
#[derive(Debug, Default)]
pub struct Stop {
    drain: CancellationToken,
    abort: CancellationToken,
    reasons: Mutex<Vec<StopReason>>,
}

impl Stop {
    /// Admits nothing more; what is out finishes and is settled.
    ///
    /// A provider that turns a run away does so for everything in flight: its first word counts.
    pub fn drain(&self, reason: StopReason) {
        {
            let mut reasons = self.reasons.lock().expect("no holder panics");
            let is_provider = |reason: &StopReason| matches!(reason, StopReason::Provider(_));
            if !is_provider(&reason) || !reasons.iter().any(is_provider) {
                reasons.push(reason);
            }
        }
        self.drain.cancel();
    }

    /// Leaves now; what is out becomes `unknown`.
    pub fn abort(&self) {
        self.drain.cancel();
        self.abort.cancel();
    }

    /// Whether nothing more is admitted.
    pub fn is_draining(&self) -> bool {
        self.drain.is_cancelled()
    }

    /// Whether a task or the ledger has failed already.
    pub fn is_broken(&self) -> bool {
        let reasons = self.reasons.lock().expect("no holder panics");
        reasons.iter().any(|reason| matches!(reason, StopReason::Broken(_)))
    }

    /// Waits until nothing more is admitted.
    pub async fn draining(&self) {
        self.drain.cancelled().await;
    }

    /// Waits until everything must be left.
    pub async fn aborting(&self) {
        self.abort.cancelled().await;
    }

    /// Every reason that was given, the first one first.
    pub fn reasons(&self) -> Vec<StopReason> {
        self.reasons.lock().expect("no holder panics").clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_turns_a_run_away_once_and_other_reasons_stay() {
        let stop = Stop::default();
        let of = |text: &str| StopReason::Provider(text.to_owned());
        stop.drain(of("no credit (request 1)"));
        stop.drain(of("no credit (request 2)"));
        stop.drain(StopReason::Interrupted);
        assert_eq!(stop.reasons(), [of("no credit (request 1)"), StopReason::Interrupted]);
        assert!(stop.is_draining());
    }
}
