//! A gate as a typed expression: metric, selector, aggregation, operator, limit and clauses.

use std::cmp::Ordering;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::metric::{Metric, Unit};
use super::parser::{self, ParseError};
use crate::domain::percent::Percent;

/// A condition on a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    pub(super) text: String,
    pub(super) metric: Metric,
    /// The name of a custom metric; the metric's own name otherwise.
    pub(super) metric_name: String,
    pub(super) selector: Vec<Matcher>,
    pub(super) aggregation: Aggregation,
    pub(super) operator: Operator,
    pub(super) limit: Limit,
    pub(super) limit_text: String,
    pub(super) clauses: Clauses,
}

/// One condition of a selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher {
    /// The tag looked at.
    pub tag: String,
    /// Whether the tag must not match.
    pub negated: bool,
    /// The text to match.
    pub value: String,
    /// Whether `*` in the value stands for any text; only bare values have it.
    pub has_wildcards: bool,
}

/// What is asked of the samples of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregation {
    /// The share, or for a counter the sum over time.
    Rate,
    /// How many.
    Count,
    /// The sum.
    Sum,
    /// The average.
    Average,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// The median by nearest rank.
    Median,
    /// The value itself.
    Value,
    /// The percentile by nearest rank; below 100.
    Percentile(Percent),
}

/// How the value is compared with the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

/// An exact amount: 10^-12 of a dollar, a second, a byte, a thing or the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(pub(super) i128);

/// What the value is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// A fixed amount.
    Fixed(Amount),
    /// The value of the baseline.
    Baseline(Term),
}

/// What is done to the baseline before the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// Nothing.
    Same,
    /// It is multiplied.
    Times(Amount),
    /// An amount is added.
    Plus(Amount),
    /// An amount is taken away.
    Minus(Amount),
}

/// When a gate stops the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abort {
    /// When it cannot pass any more, by arithmetic.
    Doomed,
    /// When it will very probably not pass.
    Likely,
    /// When its value breaks the limit now.
    Now,
    /// Never.
    Never,
}

/// From when on a gate may stop the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// From so many finished rows on.
    Rows(u64),
    /// From so much active time on.
    Time(Duration),
}

/// What a gate without samples says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Insufficient {
    /// No data, which is not a pass.
    #[default]
    Hold,
    /// It passes.
    Pass,
    /// It fails.
    Fail,
}

/// How much a sample must show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The value itself is within the limit.
    Point,
    /// The bound of the value is within the limit.
    Strong,
}

/// Whether a gate counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It decides the exit code.
    #[default]
    Error,
    /// It is shown and changes nothing.
    Warn,
}

/// What stands behind the value of a gate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clauses {
    /// `abort=`
    pub abort: Option<Abort>,
    /// `after=`
    pub after: Option<After>,
    /// `min=`
    pub min: Option<u64>,
    /// `insufficient=`
    pub insufficient: Option<Insufficient>,
    /// `evidence=`
    pub evidence: Option<Evidence>,
    /// `confidence=`
    pub confidence: Option<Percent>,
    /// `severity=`
    pub severity: Option<Severity>,
    /// `per=`
    pub per: Option<String>,
    /// `window=`
    pub window: Option<Duration>,
    /// `name=`
    pub name: Option<String>,
}

/// Parts of the smallest amount in one unit.
pub(super) const PICO: i128 = 1_000_000_000_000;

impl Gate {
    /// Reads a gate.
    ///
    /// # Errors
    /// The first place at which the text is no gate, with its column.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        parser::parse(text)
    }

    /// The gate as it was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it measures.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// The name of what it measures.
    pub fn metric_name(&self) -> &str {
        &self.metric_name
    }

    /// The conditions that a row must meet to be measured; all must hold.
    pub fn selector(&self) -> &[Matcher] {
        &self.selector
    }

    /// What it asks of the samples.
    pub fn aggregation(&self) -> Aggregation {
        self.aggregation
    }

    /// How it compares.
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// What it compares with.
    pub fn limit(&self) -> Limit {
        self.limit
    }

    /// What it compares with, as it was typed.
    pub fn limit_text(&self) -> &str {
        &self.limit_text
    }

    /// What stands behind its value.
    pub fn clauses(&self) -> &Clauses {
        &self.clauses
    }

    /// Whether it decides the exit code.
    pub fn severity(&self) -> Severity {
        self.clauses.severity.unwrap_or_default()
    }

    /// What its value is counted in.
    pub fn unit(&self) -> Unit {
        self.metric.unit_of(self.aggregation)
    }

    /// Metric, selector and aggregation without the limit: `latency{model=a} p(95)`.
    pub fn label(&self) -> String {
        use std::fmt::Write as _;
        let mut label = self.metric_name.clone();
        for (number, matcher) in self.selector.iter().enumerate() {
            let before = if number == 0 { '{' } else { ',' };
            // Writing to a text cannot fail.
            let _ = write!(label, "{before}{matcher}");
        }
        if !self.selector.is_empty() {
            label.push('}');
        }
        let by_default = self.metric.kind().default_aggregation() == Some(self.aggregation);
        if !by_default || self.aggregation == Aggregation::Rate {
            let _ = write!(label, " {}", self.aggregation);
        }
        label
    }

    /// Whether nobody can tell its value who has not looked at the images.
    pub const fn is_on_looks(&self) -> bool {
        matches!(self.metric, Metric::ImagesBlank | Metric::ImagesDuplicate)
    }

    /// When it stops the run: as written, else as soon as it is doomed. Gates on time, on the looks
    /// of images and warnings never do of their own: an image that is paid for stays as it is, and
    /// a run that stopped for its sake could never go on.
    pub fn abort(&self) -> Abort {
        let on_time = matches!(self.metric, Metric::Elapsed | Metric::ElapsedPerRow | Metric::Eta);
        let on_looks = matches!(
            self.metric,
            Metric::ImagesInvalid | Metric::ImagesBlank | Metric::ImagesDuplicate
        );
        let is_patient = on_time || on_looks || self.severity() == Severity::Warn;
        let unasked = if is_patient { Abort::Never } else { Abort::Doomed };
        self.clauses.abort.unwrap_or(unasked)
    }

    /// The fewest samples that say something.
    pub fn min_samples(&self) -> u64 {
        if let Some(min) = self.clauses.min {
            return min;
        }
        match self.aggregation {
            Aggregation::Average | Aggregation::Median => 5,
            // Below this many samples the percentile is just the maximum.
            Aggregation::Percentile(percent) => {
                let rest = Percent::HUNDRED.billionths() - percent.billionths();
                Percent::HUNDRED.billionths().div_ceil(rest)
            }
            Aggregation::Rate
            | Aggregation::Count
            | Aggregation::Sum
            | Aggregation::Min
            | Aggregation::Max
            | Aggregation::Value => 1,
        }
    }
}

impl Aggregation {
    /// The aggregation as one word; `p` for a percentile.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Average => "avg",
            Self::Min => "min",
            Self::Max => "max",
            Self::Median => "med",
            Self::Value => "value",
            Self::Percentile(_) => "p",
        }
    }
}

impl fmt::Display for Aggregation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percentile(percent) => out.pad(&format!("p({percent})")),
            Self::Rate
            | Self::Count
            | Self::Sum
            | Self::Average
            | Self::Min
            | Self::Max
            | Self::Median
            | Self::Value => out.pad(self.word()),
        }
    }
}

impl Operator {
    /// The sign.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        }
    }

    /// Whether a value that compares so with the limit is within it.
    pub const fn holds(self, value_to_limit: Ordering) -> bool {
        match self {
            Self::Less => value_to_limit.is_lt(),
            Self::AtMost => value_to_limit.is_le(),
            Self::Greater => value_to_limit.is_gt(),
            Self::AtLeast => value_to_limit.is_ge(),
            Self::Equal => value_to_limit.is_eq(),
            Self::NotEqual => value_to_limit.is_ne(),
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.sign())
    }
}

impl Matcher {
    /// Whether the text of a tag meets the condition.
    pub fn meets(&self, text: &str) -> bool {
        let same = if self.has_wildcards { like(&self.value, text) } else { self.value == text };
        same != self.negated
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negated { "!=" } else { "=" };
        let is_bare = !self.value.is_empty() && self.value.chars().all(parser::is_bare);
        if is_bare && self.has_wildcards == self.value.contains('*') {
            write!(out, "{}{sign}{}", self.tag, self.value)
        } else {
            write!(out, "{}{sign}\"{}\"", self.tag, self.value)
        }
    }
}

/// Whether `text` is like `pattern`, in which `*` stands for any text.
fn like(pattern: &str, text: &str) -> bool {
    let Some((front, mut pattern)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(front) else {
        return false;
    };
    // Taking the first place for each middle part leaves the most for the parts behind it.
    while let Some((part, rest)) = pattern.split_once('*') {
        let Some(place) = text.find(part) else {
            return false;
        };
        text = &text[place + part.len()..];
        pattern = rest;
    }
    text.ends_with(pattern)
}
