//! What can be known of a gate before anything is sent: whether this version can measure it and
//! whether any planned row would be measured.

use super::expression::{Abort, Evidence, Gate, Limit, Matcher};
use super::facts::{RowTags, TAGS, Tag};
use super::metric::Metric;
use super::parser::suggestion;
use super::source::Source;
use crate::domain::row::Outcome;

/// What is planned, as far as selectors ask.
#[derive(Clone, Copy, Debug)]
pub struct StaticContext<'a> {
    /// The tags of the planned rows; each combination is enough once.
    pub planned: &'a [RowTags],
}

/// Why a gate that reads well cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// The gate asks for statistics.
    #[error("'{0}' needs the statistics that this version does not have")]
    NeedsStatistics(String),
    /// The gate asks for a baseline.
    #[error("'baseline' needs a baseline and the statistics that this version does not have")]
    NeedsBaseline,
    /// The gate asks for a soak.
    #[error("'{0}' needs a soak, which this version does not have")]
    NeedsSoak(String),
    /// The gate asks for a metric of the user's own.
    #[error("'{0}' needs a metric command, which this version does not have")]
    NeedsMetricCommand(String),
    /// The metric is of the whole run.
    #[error("'{0}' is measured for the whole run and takes no selector")]
    TakesNoSelector(&'static str),
    /// The tag is not known.
    #[error("unknown tag '{tag}'; {advice}")]
    UnknownTag {
        /// The tag.
        tag: String,
        /// What could be meant.
        advice: String,
    },
    /// The tag is never this.
    #[error("'{matcher}' matches nothing: {advice}")]
    UnknownValue {
        /// The condition.
        matcher: String,
        /// What the tag can be.
        advice: String,
    },
    /// Nothing would be measured.
    #[error("the selector {{{0}}} matches no planned row")]
    MatchesNoRow(String),
}

impl Gate {
    /// Checks that this version can evaluate the gate and that it would measure something.
    ///
    /// # Errors
    /// What the gate asks for in vain.
    pub fn check(&self, context: &StaticContext<'_>) -> Result<(), CheckError> {
        self.check_measurable()?;
        if self.selector.is_empty() {
            return Ok(());
        }
        if !self.metric.takes_selector() {
            return Err(CheckError::TakesNoSelector(self.metric.name()));
        }
        let mut conditions = Vec::with_capacity(self.selector.len());
        for matcher in &self.selector {
            conditions.push((known_tag(matcher)?, matcher));
        }
        for (tag, matcher) in &conditions {
            self.check_value(*tag, matcher)?;
        }
        // What becomes of a row is not known yet, so those tags are left open.
        conditions.retain(|(tag, _)| !matches!(tag, Tag::Outcome | Tag::ErrorKind));
        let mut numbers = String::new();
        let mut meets = |tags: &RowTags| {
            conditions.iter().all(|(tag, matcher)| matcher.meets(tags.planned(*tag, &mut numbers)))
        };
        if context.planned.iter().any(&mut meets) {
            return Ok(());
        }
        let all: Vec<String> = self.selector.iter().map(Matcher::to_string).collect();
        Err(CheckError::MatchesNoRow(all.join(",")))
    }

    fn check_measurable(&self) -> Result<(), CheckError> {
        let clauses = &self.clauses;
        let statistics = |what: &str| Err(CheckError::NeedsStatistics(what.to_owned()));
        if matches!(self.limit, Limit::Baseline(_)) {
            return Err(CheckError::NeedsBaseline);
        }
        let name = || self.metric_name.clone();
        match self.metric.source() {
            Source::Soak => return Err(CheckError::NeedsSoak(name())),
            Source::Command => return Err(CheckError::NeedsMetricCommand(name())),
            Source::Share(_)
            | Source::Trend(_)
            | Source::Sum(_)
            | Source::Rows(_)
            | Source::Gauge(_) => {}
        }
        if clauses.window.is_some() {
            return Err(CheckError::NeedsSoak("window=".to_owned()));
        }
        if clauses.abort == Some(Abort::Likely) {
            return statistics("abort=likely");
        }
        if clauses.evidence == Some(Evidence::Strong) {
            return statistics("evidence=strong");
        }
        if clauses.confidence.is_some() {
            return statistics("confidence=");
        }
        if clauses.per.is_some() {
            return statistics("per=");
        }
        Ok(())
    }

    fn check_value(&self, tag: Tag, matcher: &Matcher) -> Result<(), CheckError> {
        let unknown =
            |advice: String| Err(CheckError::UnknownValue { matcher: matcher.to_string(), advice });
        let possible = |word: &str| Matcher { negated: false, ..matcher.clone() }.meets(word);
        match tag {
            Tag::HasRefs if !["true", "false"].into_iter().any(possible) => {
                unknown("has_refs is true or false".to_owned())
            }
            Tag::Outcome if self.metric == Metric::LatencyAttempt => {
                unknown("an attempt has no outcome, only its row has".to_owned())
            }
            Tag::Outcome if !OUTCOMES.into_iter().any(|outcome| possible(outcome.word())) => {
                let words: Vec<&str> = OUTCOMES.into_iter().map(Outcome::word).collect();
                unknown(format!("outcome is one of {}", words.join(", ")))
            }
            Tag::Provider
            | Tag::Model
            | Tag::Size
            | Tag::Quality
            | Tag::Variants
            | Tag::HasRefs
            | Tag::Outcome
            | Tag::ErrorKind => Ok(()),
        }
    }
}

/// Outcomes that a row can have when it is told; the others are never finished rows.
const OUTCOMES: [Outcome; 7] = [
    Outcome::Ok,
    Outcome::Partial,
    Outcome::Failed,
    Outcome::Refused,
    Outcome::Rejected,
    Outcome::Skipped,
    Outcome::Unknown,
];

fn known_tag(matcher: &Matcher) -> Result<Tag, CheckError> {
    Tag::named(&matcher.tag).ok_or_else(|| {
        let names = || TAGS.into_iter().map(|(name, _)| name);
        let advice = match suggestion(&matcher.tag, names()) {
            Some(likely) => format!("did you mean '{likely}'?"),
            None => format!("use one of: {}", names().collect::<Vec<_>>().join(", ")),
        };
        CheckError::UnknownTag { tag: matcher.tag.clone(), advice }
    })
}
