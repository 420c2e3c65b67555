//! The gates of a run with their counters: observe rows and attempts, ask for doom, report.

use super::expression::{Abort, After, Aggregation, Amount, Gate, Insufficient, Limit, Severity};
use super::facts::{AttemptFacts, RowFacts, RowTags, RunFacts, Tag};
use super::metric::{Kind, Unit};
use super::outlook::{Outlook, Remaining, Value};
use super::result::GateResult;
use super::show;
use super::tally::{Tally, rank_of};
use super::verdict::{Fate, Rank, Verdict};
use crate::domain::row::Outcome;

/// Rows after which `abort=now` looks for the first time when `after=` does not say.
const ROWS_BEFORE_NOW: u64 = 20;

/// The gates of a run with their counters, whose size does not grow with the rows.
#[derive(Debug)]
pub struct GateBook {
    entries: Vec<Entry>,
    n_planned_rows: u64,
    n_planned_images: u64,
    n_rows: u64,
    n_images: u64,
    /// Kept to write a number into without taking memory for each row.
    numbers: String,
}

/// Why a run should stop now.
#[derive(Clone, Debug)]
pub struct Doom<'a> {
    /// The gate that stops it.
    pub gate: &'a Gate,
    /// Why, in a few words: `doomed at row 41: 5 of at most 100`.
    pub reason: String,
}

#[derive(Debug)]
struct Entry {
    gate: Gate,
    tags: Vec<Option<Tag>>,
    tally: Tally,
}

/// The gates of a run that names none.
pub fn default_gates() -> Vec<Gate> {
    ["elapsed < 10m abort=never", "errors rate < 5% abort=doomed"]
        .into_iter()
        .map(|text| Gate::parse(text).expect("the default gates are well formed"))
        .collect()
}

impl GateBook {
    /// A book for a run of so many rows and images, counted as if all were sent.
    pub fn new(gates: Vec<Gate>, n_planned_rows: u64, n_planned_images: u64) -> Self {
        let entry = |gate: Gate| Entry {
            tags: gate.selector.iter().map(|matcher| Tag::named(&matcher.tag)).collect(),
            tally: Tally::of(&gate, n_planned_rows),
            gate,
        };
        Self {
            entries: gates.into_iter().map(entry).collect(),
            n_planned_rows,
            n_planned_images,
            n_rows: 0,
            n_images: 0,
            numbers: String::with_capacity(4),
        }
    }

    /// The gates in their order.
    pub fn gates(&self) -> impl Iterator<Item = &Gate> {
        self.entries.iter().map(|entry| &entry.gate)
    }

    /// Counts a finished row; call once for each row.
    pub fn observe_row(&mut self, row: &RowFacts) {
        // Held and cancelled rows may still be sent by a later call, so they stay open.
        if matches!(row.outcome, Outcome::Held | Outcome::Cancelled) {
            return;
        }
        self.n_rows += 1;
        self.n_images += u64::from(row.images_expected);
        for entry in &mut self.entries {
            let is_of_rows = !entry.tally.is_of_attempts();
            if is_of_rows && entry.selects(&row.tags, Some(row.outcome), &mut self.numbers) {
                entry.tally.observe_row(row);
            }
        }
    }

    /// Counts an HTTP attempt; call before its row is finished.
    pub fn observe_attempt(&mut self, attempt: &AttemptFacts) {
        for entry in &mut self.entries {
            let is_of_attempts = entry.tally.is_of_attempts();
            if is_of_attempts && entry.selects(&attempt.tags, None, &mut self.numbers) {
                entry.tally.observe_attempt(attempt.latency);
            }
        }
    }

    /// The first gate that asks to stop the run now.
    pub fn doomed(&self, run: &RunFacts) -> Option<Doom<'_>> {
        let remaining = self.remaining(false);
        self.entries.iter().find_map(|entry| {
            let gate = &entry.gate;
            let abort = gate.abort();
            if !matches!(abort, Abort::Doomed | Abort::Now) || !self.is_after(gate, run) {
                return None;
            }
            let outlook = Outlook::of(gate, &entry.tally, remaining, run)?;
            let is_doomed = outlook.fate == Fate::Doomed && !outlook.is_too_small(gate);
            let breaks_now =
                abort == Abort::Now && outlook.within == Some(false) && !outlook.is_short(gate);
            let word = match (is_doomed, breaks_now) {
                (true, _) => "doomed",
                (false, true) => "broken",
                (false, false) => return None,
            };
            let why = entry.why_doomed(&outlook);
            let reason = format!("{word} at row {}: {why}", self.n_rows);
            Some(Doom { gate, reason })
        })
    }

    /// Judges every gate; `complete` when all rows that would be sent at 100 % are settled.
    pub fn report(&self, run: &RunFacts, complete: bool) -> Vec<GateResult> {
        let remaining = self.remaining(complete);
        self.entries.iter().map(|entry| entry.judge(remaining, run, complete)).collect()
    }

    fn remaining(&self, complete: bool) -> Remaining {
        if complete {
            return Remaining { rows: 0, images: 0, rows_seen: self.n_rows };
        }
        Remaining {
            rows: self.n_planned_rows.saturating_sub(self.n_rows),
            images: self.n_planned_images.saturating_sub(self.n_images),
            rows_seen: self.n_rows,
        }
    }

    fn is_after(&self, gate: &Gate, run: &RunFacts) -> bool {
        let by_default = if gate.abort() == Abort::Now { ROWS_BEFORE_NOW } else { 0 };
        match gate.clauses.after.unwrap_or(After::Rows(by_default)) {
            After::Rows(n_rows) => self.n_rows >= n_rows,
            After::Time(time) => run.elapsed >= time,
        }
    }
}

impl Entry {
    fn selects(&self, tags: &RowTags, outcome: Option<Outcome>, numbers: &mut String) -> bool {
        self.tags.iter().zip(&self.gate.selector).all(|(tag, matcher)| match (tag, outcome) {
            (Some(Tag::Outcome), Some(outcome)) => matcher.meets(outcome.word()),
            (Some(Tag::Outcome), None) | (None, _) => false,
            (Some(tag), _) => matcher.meets(tags.planned(*tag, numbers)),
        })
    }

    fn judge(&self, remaining: Remaining, run: &RunFacts, complete: bool) -> GateResult {
        let gate = &self.gate;
        let outlook = Outlook::of(gate, &self.tally, remaining, run);
        let value = outlook.as_ref().and_then(|outlook| self.value(outlook));
        let shown = value.map(|value| self.show(value, outlook.as_ref()));
        let is_too_small = outlook.as_ref().is_some_and(|outlook| outlook.is_too_small(gate));
        let (verdict, mut reason) = match &outlook {
            None => (Verdict::Inconclusive, "this version cannot evaluate it".to_owned()),
            Some(outlook) => self.verdict(outlook, shown.as_deref(), complete),
        };
        if is_too_small && verdict > Verdict::Pass {
            reason.push_str("; a warning only, for so few rows show no more than their maximum");
        }
        GateResult {
            gate: gate.text.clone(),
            name: gate.clauses.name.clone(),
            label: gate.label(),
            metric: gate.metric_name.clone(),
            agg: gate.aggregation.to_string(),
            op: gate.operator.sign().to_owned(),
            limit: gate.limit_text.clone(),
            value: shown,
            value_number: value.map(|value| show::number(value, gate.unit())),
            unit: gate.unit().report_word(),
            n: outlook.as_ref().map_or(0, |outlook| outlook.n),
            k: outlook.as_ref().and_then(|outlook| outlook.k),
            lower: None,
            upper: None,
            verdict,
            severity: if is_too_small { Severity::Warn } else { gate.severity() },
            reason,
        }
    }

    fn verdict(&self, outlook: &Outlook, shown: Option<&str>, complete: bool) -> (Verdict, String) {
        let gate = &self.gate;
        let limit = format!("{} {}", gate.operator, gate.limit_text);
        let settled = match outlook.fate {
            Fate::Doomed if !complete => {
                let why = self.why_doomed(outlook);
                Some((Verdict::Fail, format!("cannot pass any more: {why}")))
            }
            Fate::Assured if !complete => Some((Verdict::Pass, "cannot fail any more".to_owned())),
            Fate::Doomed | Fate::Assured | Fate::Open => None,
        };
        if let Some(settled) = settled {
            return settled;
        }
        let Some(within) = outlook.within else {
            let nothing = |rule: &str| format!("nothing was measured{rule}");
            return match gate.clauses.insufficient.unwrap_or_default() {
                Insufficient::Hold => (Verdict::NoData, nothing("")),
                Insufficient::Pass => (Verdict::Pass, nothing("; insufficient=pass")),
                Insufficient::Fail => (Verdict::Fail, nothing("; insufficient=fail")),
            };
        };
        if complete {
            let is_not = || format!("{} is not {limit}", shown.unwrap_or("the value"));
            return if within { (Verdict::Pass, String::new()) } else { (Verdict::Fail, is_not()) };
        }
        if outlook.is_short(gate) {
            let (n, min) = (outlook.n, gate.min_samples());
            return (Verdict::Inconclusive, format!("insufficient samples ({n} of {min})"));
        }
        let of_samples = matches!(gate.metric.kind(), Kind::Rate | Kind::Trend);
        match (within, outlook.k) {
            (true, _) if of_samples => (
                Verdict::WeakPass,
                format!("within the limit so far ({} of {})", outlook.n, self.at_most(outlook)),
            ),
            (true, _) => (Verdict::WeakPass, "within the limit so far".to_owned()),
            (false, Some(k)) => {
                (Verdict::Inconclusive, format!("{k} in {} proves nothing yet", outlook.n))
            }
            (false, None) => {
                (Verdict::Inconclusive, "beyond the limit so far, and more may come".to_owned())
            }
        }
    }

    fn at_most(&self, outlook: &Outlook) -> String {
        if self.tally.is_of_attempts() {
            return "any number".to_owned();
        }
        format!("at most {}", outlook.n_max)
    }

    fn why_doomed(&self, outlook: &Outlook) -> String {
        if outlook.k.is_some() {
            return format!("{} of {}", outlook.k_surely, self.at_most(outlook));
        }
        let gate = &self.gate;
        let value = self.value(outlook).map(|value| self.show(value, None));
        let value = value.unwrap_or_else(|| "the value".to_owned());
        format!("{value} is not {} {}", gate.operator, gate.limit_text)
    }

    /// The value of the gate; ranks are looked up, which may take sorting.
    fn value(&self, outlook: &Outlook) -> Option<Value> {
        if let (Tally::Trend(_, trend), Some(rank)) = (&self.tally, rank_of(self.gate.aggregation))
        {
            let numerator = i128::from(trend.at_rank(rank)?) * trend.pico_per_unit;
            return Some(Value { numerator, denominator: 1 });
        }
        outlook.value
    }

    fn show(&self, value: Value, outlook: Option<&Outlook>) -> String {
        let gate = &self.gate;
        let limit = match gate.limit {
            Limit::Fixed(Amount(pico)) => Some(pico),
            Limit::Baseline(_) => None,
        };
        let text = show::text(value, gate.unit(), limit);
        let kind = gate.metric.kind();
        match (gate.aggregation, kind, outlook) {
            (Aggregation::Rate, Kind::Rate, Some(Outlook { k: Some(k), n, .. })) => {
                format!("{text} ({k}/{n})")
            }
            (Aggregation::Rate, Kind::Counter, _) => {
                text + if gate.unit() == Unit::Money { "/h" } else { "/s" }
            }
            (Aggregation::Percentile(percent), _, Some(outlook))
                if outlook.n < gate.min_samples()
                    && Rank::Share(percent.billionths()).of(i128::from(outlook.n))
                        == i128::from(outlook.n) =>
            {
                format!("max of {}: {text}", outlook.n)
            }
            _ => text,
        }
    }
}
