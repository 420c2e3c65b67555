//! The vectors of the gate language, and the promises of its verdicts.

mod grammar;
mod promises;
mod verdicts;

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::domain::money::NanoUsd;
use crate::domain::row::Outcome;

fn gate(text: &str) -> Gate {
    Gate::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn tags() -> RowTags {
    RowTags {
        provider: Arc::from("openai"),
        model: Arc::from("gpt-image-2"),
        size: Arc::from("1024x1024"),
        quality: Arc::from("medium"),
        variants: 1,
        has_refs: false,
        error_kind: None,
    }
}

fn row(outcome: Outcome) -> RowFacts {
    let was_sent = outcome.was_sent();
    RowFacts {
        outcome,
        counts_as_error: false,
        latency: was_sent.then_some(Duration::from_secs(12)),
        queue: None,
        fetch: None,
        attempts: 1,
        retries: 0,
        timeouts: 0,
        throttles: 0,
        cost: NanoUsd::from_nanos(40_000_000),
        cost_known: outcome != Outcome::Unknown,
        images_expected: 1,
        images_stored: u32::from(outcome == Outcome::Ok),
        images_invalid: 0,
        images_blank: 0,
        images_duplicate: 0,
        tags: tags(),
    }
}
