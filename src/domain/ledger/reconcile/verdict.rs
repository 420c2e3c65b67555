//! The whole reconciliation: findings, what should be written, and the days.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::domain::ids::RunId;
use crate::domain::ledger::entries::Outcome;
use crate::domain::ledger::reconcile::books::{Attempt, Books, reason};
use crate::domain::ledger::reconcile::export::{Export, Line, Place, When};
use crate::domain::ledger::reconcile::finding::{Change, Class, Confidence, Finding};
use crate::domain::ledger::reconcile::matching::{self, Fit, Matches, match_up, names_model};
use crate::domain::ledger::reconcile::sums::{DaySum, Sums};
use crate::domain::money::NanoUsd;
use crate::domain::percent::Percent;
use crate::domain::sanitize::{cut, one_line};

/// The longest name of a file, and of a request, in the reason of what is written.
const MOST_LETTERS: usize = 60;

/// What is compared, and how.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The zone of the days.
    pub zone: TimeZone,
    /// From this moment on; else from the first day of the export.
    pub since: Option<Timestamp>,
    /// Before this moment; else to the end of the export's last day.
    pub until: Option<Timestamp>,
    /// Only this provider.
    pub provider: Option<String>,
    /// Only this model.
    pub model: Option<String>,
    /// What is held and not in a complete export was not billed.
    pub absent_is_free: bool,
    /// How far the provider's figure may be above what is booked.
    pub tolerance: Option<Percent>,
    /// The name of the export's file.
    pub file: String,
}

/// Why an export cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// Nothing is left to compare.
    #[error("no line of the export is about this provider and model")]
    NoLines,
    /// A sum that lies in several days.
    #[error("{0} is a sum that lies in more than one day of this zone")]
    SeveralDays(Place),
}

/// What a reconciliation came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconciliation {
    /// What was found about each attempt and line, by day.
    pub findings: Vec<Finding>,
    /// The days.
    pub days: Vec<DaySum>,
    /// The providers of the attempts that were compared.
    pub providers: BTreeSet<Arc<str>>,
}

impl Reconciliation {
    /// What should be written.
    pub fn changes(&self) -> Vec<Change> {
        self.findings.iter().filter_map(|finding| finding.change.clone()).collect()
    }

    /// Whether the provider's figure is within what is booked on every day.
    pub fn is_within(&self) -> bool {
        self.days.iter().all(|day| !day.is_beyond)
    }
}

/// Compares the ledger with an export. Nothing is written; what should be is in the findings.
///
/// # Errors
/// When the export has nothing to compare, or sums that lie in several days.
pub fn reconcile(books: &Books, export: &Export, rules: &Rules) -> Result<Reconciliation, Misfit> {
    let is_wanted: Vec<bool> = books.attempts().iter().map(|it| rules.wants(it)).collect();
    let is_wanted_line: Vec<bool> = export.lines.iter().map(|it| rules.wants_line(it)).collect();
    let (since, until) = rules.window(export, &is_wanted_line)?;
    let matches = match_up(books, &is_wanted, &export.lines, &is_wanted_line);
    let only_sums =
        export.lines.iter().zip(&is_wanted_line).all(|(it, wanted)| !wanted || is_sum(it));
    let covered = Covered::default();
    let case = Case { books, export, rules, matches, since, until, only_sums, covered };
    let case = Case { covered: Covered::of(&case, &is_wanted_line), ..case };
    let mut found = Found { sums: case.sums(&is_wanted, &is_wanted_line), ..Found::default() };
    for (at, attempt) in books.attempts().iter().enumerate().filter(|(at, _)| is_wanted[*at]) {
        case.attempt(&mut found, at, attempt);
    }
    for (at, line) in export.lines.iter().enumerate().filter(|(at, _)| is_wanted_line[*at]) {
        case.line(&mut found, at, line);
    }
    found.findings.sort_by_key(|finding| (finding.day, finding.place, finding.rid));
    let days = found.sums.finish(rules.tolerance, |day| books.limit_on(day));
    Ok(Reconciliation { findings: found.findings, days, providers: found.providers })
}

impl Rules {
    fn wants(&self, attempt: &Attempt) -> bool {
        let same = |wanted: &Option<String>, is: &Option<Arc<str>>| {
            wanted.as_deref().is_none_or(|wanted| is.as_deref() == Some(wanted))
        };
        same(&self.provider, &attempt.provider) && same(&self.model, &attempt.model)
    }

    /// What a line does not say does not keep it out.
    fn wants_line(&self, line: &Line) -> bool {
        let provider = self.provider.as_deref().zip(line.provider.as_deref());
        let model = self.model.as_deref().zip(line.model.as_deref());
        provider.is_none_or(|(wanted, is)| wanted == is)
            && model.is_none_or(|(wanted, is)| names_model(is, wanted))
    }

    /// The span that is compared.
    fn window(
        &self,
        export: &Export,
        is_wanted: &[bool],
    ) -> Result<(Timestamp, Timestamp), Misfit> {
        let day = |time: Timestamp| self.zone.to_datetime(time).date();
        let mut days = None;
        for (line, _) in export.lines.iter().zip(is_wanted).filter(|(_, wanted)| **wanted) {
            let (first, last) = (day(line.when.start()), day(line.when.last()));
            if first != last {
                return Err(Misfit::SeveralDays(line.place));
            }
            let (from, to) = days.unwrap_or((first, first));
            days = Some((first.min(from), first.max(to)));
        }
        let (first, last) = days.ok_or(Misfit::NoLines)?;
        let start = |day: jiff::civil::Date| day.to_zoned(self.zone.clone()).ok();
        let from = start(first).map_or(Timestamp::MIN, |start| start.timestamp());
        let to = last.tomorrow().ok().and_then(start);
        let to = to.map_or(Timestamp::MAX, |end| end.timestamp());
        Ok((self.since.unwrap_or(from), self.until.unwrap_or(to)))
    }
}

/// The span for which an export tells of every request.
#[derive(Clone, Debug, Default)]
struct Covered {
    span: Option<(Timestamp, Timestamp)>,
    /// The providers of attempts that it has by their ids.
    providers: BTreeSet<Arc<str>>,
}

impl Covered {
    fn of(case: &Case<'_>, is_wanted_line: &[bool]) -> Self {
        let mut covered = Self::default();
        if case.export.is_partial {
            return covered;
        }
        let lines = case.export.lines.iter().zip(is_wanted_line);
        for (line, _) in lines.filter(|(line, wanted)| **wanted && line.request_id.is_some()) {
            let (from, to) = (line.when.start(), line.when.last());
            let (first, last) = covered.span.unwrap_or((from, to));
            covered.span = Some((first.min(from), last.max(to)));
        }
        for (attempt, fit) in case.books.attempts().iter().zip(&case.matches.attempts) {
            if let (Fit::Exact(_), Some(provider)) = (fit, &attempt.provider) {
                covered.providers.insert(Arc::clone(provider));
            }
        }
        covered
    }

    /// Whether every charge for an attempt would be in the export.
    fn has(&self, attempt: &Attempt) -> bool {
        let is_known = attempt.provider.as_ref().is_some_and(|it| self.providers.contains(it));
        let in_span = |(first, last): (Timestamp, Timestamp)| {
            first <= attempt.reserved_at && last >= attempt.until
        };
        is_known && self.span.is_some_and(in_span)
    }
}

/// What was found so far.
#[derive(Debug, Default)]
struct Found {
    findings: Vec<Finding>,
    sums: Sums,
    providers: BTreeSet<Arc<str>>,
}

/// Everything that a finding depends on.
struct Case<'a> {
    books: &'a Books,
    export: &'a Export,
    rules: &'a Rules,
    matches: Matches,
    since: Timestamp,
    until: Timestamp,
    /// Whether no line is about one request.
    only_sums: bool,
    covered: Covered,
}

/// What lines say of one attempt.
struct Bill {
    lines: Vec<usize>,
    amount: NanoUsd,
    rounded: i64,
}

impl Case<'_> {
    fn is_within(&self, time: Timestamp) -> bool {
        time >= self.since && time < self.until
    }

    fn day(&self, time: Timestamp) -> jiff::civil::Date {
        self.rules.zone.to_datetime(time).date()
    }

    /// Sums of days in the export, and what people booked by hand.
    fn sums(&self, is_wanted: &[bool], is_wanted_line: &[bool]) -> Sums {
        let mut sums = Sums::default();
        for (at, line) in self.export.lines.iter().enumerate() {
            if is_wanted_line[at] && is_sum(line) && self.is_within(line.when.start()) {
                let model = line.model.as_deref().map(matching::model_of);
                sums.sum_of_day(self.day(line.when.start()), model, line.amount.value);
            }
        }
        let wanted = self.books.attempts().iter().zip(is_wanted).filter(|(_, wanted)| **wanted);
        let runs: BTreeSet<RunId> = wanted.map(|(attempt, _)| attempt.run).collect();
        let is_all = self.rules.provider.is_none() && self.rules.model.is_none();
        for (day, run, amount) in self.books.by_hand() {
            let start = day.to_zoned(self.rules.zone.clone());
            let is_in = start.is_ok_and(|start| self.is_within(start.timestamp()));
            if is_in && (is_all || run.is_some_and(|run| runs.contains(&run))) {
                sums.committed(*day, *amount);
            }
        }
        sums
    }

    fn bill(&self, lines: Vec<usize>) -> Bill {
        let mut bill = Bill { lines, amount: NanoUsd::ZERO, rounded: 0 };
        for line in bill.lines.iter().map(|at| &self.export.lines[*at]) {
            bill.amount = bill.amount.saturating_add(line.amount.value);
            bill.rounded += i64::from(line.amount.is_rounded);
        }
        bill
    }

    fn attempt(&self, found: &mut Found, at: usize, attempt: &Attempt) {
        let (bill, confidence) = match &self.matches.attempts[at] {
            Fit::Nothing => (None, None),
            Fit::Exact(lines) => (Some(self.bill(lines.clone())), Some(Confidence::Exact)),
            Fit::Repeated(lines) => (Some(self.bill(lines.clone())), Some(Confidence::Ambiguous)),
            Fit::Likely(line) => (Some(self.bill(vec![*line])), Some(Confidence::Likely)),
            Fit::Several => (None, Some(Confidence::Ambiguous)),
        };
        let first = bill.as_ref().and_then(|bill| bill.lines.first());
        let first = first.map(|line| &self.export.lines[*line]);
        let moment = first.map_or(attempt.ended_at, |line| line.when.start());
        let is_within = self.is_within(moment);
        let day = self.day(moment);
        if is_within {
            found.sums.committed(day, attempt.committed);
            found.sums.held(day, attempt.held());
            if let Some(bill) = &bill {
                found.sums.billed(day, bill.amount, bill.rounded);
            }
            if let Some(model) = attempt.model.as_deref() {
                let is_named = |name: &str| names_model(name, model);
                found.sums.committed_of_model(day, attempt.committed, is_named);
            }
            found.providers.extend(attempt.provider.clone());
        }
        let (class, confidence, why) = self.judge(attempt, bill.as_ref(), confidence);
        let is_ours = attempt.committed != NanoUsd::ZERO && !self.only_sums;
        let says_something = class != Class::OnlyOurs || is_ours;
        if !says_something || !(is_within || attempt.held() > NanoUsd::ZERO) {
            return;
        }
        let change =
            is_within.then(|| self.change(attempt, class, confidence, bill.as_ref(), first));
        found.findings.push(Finding {
            class,
            confidence,
            day,
            rid: Some(attempt.rid),
            run: Some(attempt.run),
            provider: attempt.provider.clone(),
            model: attempt.model.clone(),
            outcome: Some(attempt.outcome),
            note: attempt.note,
            held: attempt.held(),
            committed: attempt.committed,
            billed: bill.as_ref().map(|bill| bill.amount),
            provider_request_id: first.and_then(|line| line.request_id.clone()),
            place: first.map(|line| line.place),
            lines: bill.map_or(0, |bill| bill.lines.len() as u64),
            reason: why,
            change: change.flatten(),
        });
    }

    /// The class of an attempt, how sure it is, and why.
    fn judge(
        &self,
        attempt: &Attempt,
        bill: Option<&Bill>,
        confidence: Option<Confidence>,
    ) -> (Class, Option<Confidence>, &'static str) {
        let Some(bill) = bill else {
            if confidence.is_some() {
                return (Class::Unclear, confidence, "several attempts and lines fit each other");
            }
            return self.judge_absent(attempt);
        };
        if confidence == Some(Confidence::Ambiguous) {
            return (Class::Unclear, confidence, "the same line stands twice");
        }
        let difference = bill.amount.nanos().abs_diff(attempt.committed.nanos());
        let is_same = difference <= bill.rounded.unsigned_abs();
        let (class, why) = match attempt.outcome {
            Outcome::Held => (Class::StillHeld, "billed, and still under way"),
            Outcome::Unknown if bill.amount > attempt.max => {
                (Class::UnknownBilled, "billed above its worst case")
            }
            // A line of nothing may be written before the charge, or by who does not know either.
            Outcome::Unknown if bill.amount == NanoUsd::ZERO => {
                if self.rules.absent_is_free && confidence == Some(Confidence::Exact) {
                    (Class::NotBilled, "a bill of nothing")
                } else {
                    (Class::StillHeld, "a bill of nothing, which frees no hold by itself")
                }
            }
            Outcome::Unknown => (Class::UnknownBilled, "billed"),
            _ if is_same => (Class::Matched, "the same amount"),
            Outcome::Released => {
                (Class::ReleasedBilled, "BILLED, although it was taken for free by evidence")
            }
            Outcome::Settled | Outcome::Resolved | Outcome::Adjusted => {
                let is_above = bill.amount > attempt.max;
                let why = if is_above {
                    "another amount, above its worst case"
                } else {
                    "another amount"
                };
                (Class::AmountDiffers, why)
            }
        };
        (class, confidence, why)
    }

    fn judge_absent(&self, attempt: &Attempt) -> (Class, Option<Confidence>, &'static str) {
        let is_covered = self.covered.has(attempt);
        match attempt.outcome {
            Outcome::Held => (Class::StillHeld, None, "under way"),
            Outcome::Unknown if self.only_sums => {
                (Class::StillHeld, None, "the export has only sums of days")
            }
            Outcome::Unknown if is_covered && self.rules.absent_is_free => {
                (Class::NotBilled, Some(Confidence::Absent), "not in an export that covers it")
            }
            Outcome::Unknown if is_covered => (Class::StillHeld, None, "not in the export"),
            Outcome::Unknown => {
                (Class::StillHeld, None, "not in the export, which does not cover its late time")
            }
            Outcome::Settled | Outcome::Released | Outcome::Resolved | Outcome::Adjusted => {
                (Class::OnlyOurs, None, "not in the export")
            }
        }
    }

    /// What should be written for an attempt. A page of several says too little to write anything,
    /// and a refund without its charge too.
    fn change(
        &self,
        attempt: &Attempt,
        class: Class,
        confidence: Option<Confidence>,
        bill: Option<&Bill>,
        first: Option<&Line>,
    ) -> Option<Change> {
        let amount = bill.map_or(NanoUsd::ZERO, |bill| bill.amount);
        let is_sure = match confidence? {
            Confidence::Exact | Confidence::Likely | Confidence::Absent => true,
            Confidence::Ambiguous | Confidence::Day => false,
        };
        if !is_sure || amount.is_negative() || self.export.is_partial {
            return None;
        }
        let short = |text: &str| cut(&one_line(text), MOST_LETTERS).into_owned();
        let place = first.map_or_else(|| "has no line of it".to_owned(), |it| it.place.to_string());
        let id = first.and_then(|line| line.request_id.as_deref()).unwrap_or("-");
        let why = reason(attempt.rid, &short(id), &short(&self.rules.file), &place);
        let (rid, run) = (attempt.rid, attempt.run);
        match class {
            Class::UnknownBilled | Class::NotBilled => {
                Some(Change::Resolve { rid, held: attempt.max, amount, why })
            }
            Class::AmountDiffers | Class::ReleasedBilled => {
                let amount = amount.checked_sub(attempt.committed)?;
                Some(Change::Adjust { rid, run, amount, on: attempt.day, why })
            }
            Class::Matched
            | Class::OnlyTheirs
            | Class::OnlyOurs
            | Class::StillHeld
            | Class::Unclear => None,
        }
    }

    /// A line that belongs to no attempt for sure.
    fn line(&self, found: &mut Found, at: usize, line: &Line) {
        let place = self.matches.lines[at];
        let moment = line.when.start();
        if place == matching::Place::Attempt || !self.is_within(moment) {
            return;
        }
        let day = self.day(moment);
        found.sums.billed(day, line.amount.value, i64::from(line.amount.is_rounded));
        if is_sum(line) {
            return;
        }
        let (class, confidence, reason) = match place {
            matching::Place::Several => (
                Class::Unclear,
                Some(Confidence::Ambiguous),
                "several attempts and lines fit each other",
            ),
            matching::Place::Nowhere | matching::Place::Attempt => {
                (Class::OnlyTheirs, None, "no attempt fits it")
            }
        };
        found.findings.push(Finding {
            class,
            confidence,
            day,
            rid: None,
            run: None,
            provider: line.provider.clone(),
            model: line.model.clone(),
            outcome: None,
            note: None,
            held: NanoUsd::ZERO,
            committed: NanoUsd::ZERO,
            billed: Some(line.amount.value),
            provider_request_id: line.request_id.clone(),
            place: Some(line.place),
            lines: 1,
            reason,
            change: None,
        });
    }
}

/// Whether a line is a sum over a span, and not about one request.
fn is_sum(line: &Line) -> bool {
    line.request_id.is_none() && matches!(line.when, When::Within(..))
}
