//! What a gate came to, for tables and documents.

use serde::{Serialize, Serializer};

use super::expression::Severity;
use super::verdict::Verdict;
use crate::domain::money::NanoUsd;

/// What one gate came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GateResult {
    /// The gate as it was typed.
    pub gate: String,
    /// Its name, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Metric, selector and aggregation: `latency{model=a} p(95)`.
    pub label: String,
    /// The metric.
    pub metric: String,
    /// The aggregation.
    pub agg: String,
    /// The operator.
    pub op: String,
    /// The limit as it was typed.
    pub limit: String,
    /// The value for people, with its unit.
    pub value: Option<String>,
    /// The value for machines, in `unit`.
    pub value_number: Option<GateNumber>,
    /// What `value_number` is counted in: `ratio`, `ms`, `usd`, `count`, `bytes` or `number`.
    pub unit: &'static str,
    /// How many samples there were.
    pub n: u64,
    /// How many of them are bad: failures of a rate, samples of a percentile beyond the limit.
    pub k: Option<u64>,
    /// The lower bound of the value; this version has none.
    pub lower: Option<f64>,
    /// The upper bound of the value; this version has none.
    pub upper: Option<f64>,
    /// The verdict.
    pub verdict: Verdict,
    /// Whether the verdict counts.
    pub severity: Severity,
    /// Why, in a few words.
    pub reason: String,
}

/// A value for machines.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GateNumber {
    /// A whole number.
    Whole(i64),
    /// Any other number.
    Number(f64),
    /// Money, which is written as a decimal text.
    Money(NanoUsd),
}

impl Serialize for GateNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Whole(number) => serializer.serialize_i64(*number),
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::Money(amount) => amount.serialize(serializer),
        }
    }
}
