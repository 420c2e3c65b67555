//! Which line belongs to which attempt, what is proposed, and that money is conserved.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::export::Amount;
use super::*;
use crate::domain::ids::AttemptId;
use crate::domain::ledger::tests::samples::{attempt, cents, reserve, run};
use crate::domain::ledger::{
    Ack, Adjust, Basis, CostSource, Evidence, Late, Limit, LimitOrigin, LimitScope, OwnerId,
    Record, RecordKind, Release, Resolve, Settle, Unknown, UnknownClass,
};
use crate::domain::money::NanoUsd;

/// The model of the sample reserves.
const MODEL: &str = "sim-\"1\"\u{2028}";

/// A moment of the sample day, in minutes from its start.
fn at(minutes: i64) -> Timestamp {
    let start: Timestamp = "2026-11-21T00:00:00Z".parse().expect("a time");
    start + SignedDuration::from_mins(minutes)
}

/// A ledger made of records with the minute of each.
#[derive(Clone, Default)]
struct Sample(Vec<(i64, RecordKind)>);

impl Sample {
    fn then(mut self, minute: i64, kind: RecordKind) -> Self {
        self.0.push((minute, kind));
        self
    }

    fn settled(self, minute: i64, rid: u64, amount: NanoUsd, id: &str) -> Self {
        let provider_id = Some(id.into()).filter(|_| !id.is_empty());
        let settle = Settle { rid: attempt(rid), amount, source: CostSource::Usage, provider_id };
        self.then(minute, reserve(rid, cents(6))).then(minute + 1, RecordKind::Settle(settle))
    }

    fn unknown(self, minute: i64, rid: u64) -> Self {
        let until = at(minute + 61);
        let late = Late {
            class: UnknownClass::Timeout,
            until,
            last_day: TimeZone::UTC.to_datetime(until).date(),
        };
        let unknown = Unknown { rid: attempt(rid), late };
        self.then(minute, reserve(rid, cents(6))).then(minute + 1, RecordKind::Unknown(unknown))
    }

    fn released(self, minute: i64, rid: u64, id: &str) -> Self {
        let (rid, provider_id) = (rid, id.into());
        let release =
            Release { rid: attempt(rid), evidence: Evidence::RateLimited, status: Some(429) };
        self.then(minute, reserve(rid, cents(6)))
            .then(minute, RecordKind::Ack(Ack { rid: attempt(rid), provider_id }))
            .then(minute + 1, RecordKind::Release(release))
    }

    /// Writes changes as the ledger does, days later.
    fn with(mut self, changes: &[Change]) -> Self {
        for change in changes {
            let by = "ann".into();
            let kind = match change {
                Change::Resolve { rid, amount, why, .. } => {
                    RecordKind::Resolve(Box::new(Resolve {
                        rid: *rid,
                        amount: *amount,
                        basis: Basis::Export,
                        by,
                        why: why.as_str().into(),
                    }))
                }
                Change::Adjust { run, amount, on, why, .. } => {
                    let (run, why) = (Some(*run), why.as_str().into());
                    RecordKind::Adjust(Box::new(Adjust { amount: *amount, on: *on, run, by, why }))
                }
            };
            self.0.push((5_000, kind));
        }
        self
    }

    fn books(&self) -> Books {
        let mut books = Books::default();
        for (seq, (minute, kind)) in self.0.iter().enumerate() {
            let (seq, time) = (seq as u64, at(*minute));
            let day = TimeZone::UTC.to_datetime(time).date();
            books.fold(&Record { seq, time, day, kind: kind.clone() });
        }
        books
    }
}

fn amount(text: &str) -> Amount {
    Amount::parse(text).expect(text)
}

/// A line with an id, or with none where it is empty.
fn line(id: &str, minute: i64, dollars: &str) -> Line {
    Line {
        place: Place::Line(2),
        request_id: Some(id.into()).filter(|_| !id.is_empty()),
        provider: None,
        model: Some(MODEL.into()),
        when: When::At(at(minute)),
        amount: amount(dollars),
    }
}

fn day_line(day: &str, model: &str, dollars: &str) -> Line {
    let when = When::parse(day).expect(day);
    Line { model: Some(model.into()), when, ..line("", 0, dollars) }
}

fn export(lines: &[Line]) -> Export {
    Export { lines: lines.to_vec(), is_partial: false }
}

fn rules() -> Rules {
    Rules {
        zone: TimeZone::UTC,
        since: None,
        until: None,
        provider: None,
        model: None,
        absent_is_free: false,
        tolerance: None,
        file: "costs.csv".to_owned(),
    }
}

fn compared(sample: &Sample, lines: &[Line], rules: &Rules) -> Reconciliation {
    reconcile(&sample.books(), &export(lines), rules).expect("it can be compared")
}

type Row = (Class, Option<Confidence>, Option<AttemptId>);

fn classes(result: &Reconciliation) -> Vec<Row> {
    let row = |it: &Finding| (it.class, it.confidence, it.rid);
    let mut rows: Vec<Row> = result.findings.iter().map(row).collect();
    rows.sort_unstable();
    rows
}

#[track_caller]
fn check(sample: &Sample, lines: &[Line], expect: &[Row]) -> Reconciliation {
    let result = compared(sample, lines, &rules());
    assert_eq!(classes(&result), expect);
    result
}

/// What is to be written: the attempt, whether it is resolved, and the amount.
fn changes(result: &Reconciliation) -> Vec<(AttemptId, bool, NanoUsd)> {
    let change = |change: Change| match change {
        Change::Resolve { rid, amount, .. } => (rid, true, amount),
        Change::Adjust { rid, amount, .. } => (rid, false, amount),
    };
    result.changes().into_iter().map(change).collect()
}

const EXACT: Option<Confidence> = Some(Confidence::Exact);
const LIKELY: Option<Confidence> = Some(Confidence::Likely);
const AMBIGUOUS: Option<Confidence> = Some(Confidence::Ambiguous);

#[test]
fn a_line_with_an_id_is_of_the_attempt_that_has_it() {
    let one = Some(attempt(1));
    let settled = Sample::default().settled(10, 1, cents(4), "req-1");
    let ours = attempt(1).to_string();
    for id in ["req-1", &ours] {
        let result = check(&settled, &[line(id, 10, "0.04")], &[(Class::Matched, EXACT, one)]);
        assert!(result.changes().is_empty() && result.is_within());
    }
    // The time does not matter, and two parts of one request are one amount.
    let parts = [line("req-1", 900, "0.03"), line("req-1", 900, "0.02")];
    let result = check(&settled, &parts, &[(Class::AmountDiffers, EXACT, one)]);
    assert_eq!(changes(&result), [(attempt(1), false, cents(1))]);
    assert!(!result.is_within());
    let result =
        check(&settled, &[line("req-1", 9, "0.01")], &[(Class::AmountDiffers, EXACT, one)]);
    assert_eq!(changes(&result), [(attempt(1), false, cents(-3))]);
    // The very same line twice may be a mistake of the export.
    let twice = [line("req-1", 10, "0.02"), line("req-1", 10, "0.02")];
    assert!(check(&settled, &twice, &[(Class::Unclear, AMBIGUOUS, one)]).changes().is_empty());
    // A refund without its charge says too little.
    let refund = [line("req-1", 10, "-0.04")];
    assert!(check(&settled, &refund, &[(Class::AmountDiffers, EXACT, one)]).changes().is_empty());
    let other = Line { provider: Some("other".into()), ..line("req-1", 10, "0.04") };
    let nobody = [(Class::OnlyTheirs, None, None), (Class::OnlyOurs, None, one)];
    check(&settled, &[other], &nobody);
}

#[test]
fn what_was_held_or_free_and_was_billed_is_proposed() {
    let one = Some(attempt(1));
    let unknown = Sample::default().unknown(10, 1);
    let id = attempt(1).to_string();
    for dollars in ["0.05", "0.09"] {
        let lines = [line(&id, 12, dollars)];
        let result = check(&unknown, &lines, &[(Class::UnknownBilled, EXACT, one)]);
        assert_eq!(changes(&result), [(attempt(1), true, dollars.parse().expect("money"))]);
    }
    let free = Sample::default().released(10, 1, "req-1");
    let lines = [line("req-1", 10, "0.04")];
    let result = check(&free, &lines, &[(Class::ReleasedBilled, EXACT, one)]);
    assert_eq!(changes(&result), [(attempt(1), false, cents(4))]);
    assert!(!result.is_within());
    let under_way = Sample::default().then(10, reserve(1, cents(6)));
    let lines = [line(&id, 10, "0.04")];
    assert!(check(&under_way, &lines, &[(Class::StillHeld, EXACT, one)]).changes().is_empty());
    // What a dead process left is unknown.
    let mut books = under_way.books();
    books.lose(|_: OwnerId| false);
    let result = reconcile(&books, &export(&lines), &rules()).expect("it can be compared");
    assert_eq!(classes(&result), [(Class::UnknownBilled, EXACT, one)]);
}

#[test]
fn a_line_without_an_id_is_likely_only_where_nothing_else_fits() {
    let (one, two) = (Some(attempt(1)), Some(attempt(2)));
    let unknown = Sample::default().unknown(10, 1);
    let likely = [(Class::UnknownBilled, LIKELY, one)];
    let alone = [(Class::OnlyTheirs, None, None), (Class::StillHeld, None, one)];
    check(&unknown, &[line("", 12, "0.04")], &likely);
    check(&unknown, &[line("", 9, "0.06")], &likely);
    check(&unknown, &[line("", 72, "0.06")], &likely);
    check(&unknown, &[line("", 8, "0.04")], &alone);
    check(&unknown, &[line("", 73, "0.04")], &alone);
    check(&unknown, &[line("", 12, "0.07")], &alone);
    // An id that nobody knows may be that of an answer that never came.
    check(&unknown, &[line("req-9", 12, "0.04")], &likely);
    check(&unknown, &[Line { model: None, ..line("", 12, "0.04") }], &likely);
    let other = Line { model: Some("other".into()), ..line("", 12, "0.04") };
    check(&unknown, &[other], &alone);
    let several = [(Class::Unclear, AMBIGUOUS, None), (Class::Unclear, AMBIGUOUS, None)];
    let lines = [line("", 12, "0.04"), line("", 13, "0.05")];
    let result =
        check(&unknown, &lines, &[several[0], several[1], (Class::Unclear, AMBIGUOUS, one)]);
    assert!(result.changes().is_empty());
    let both = unknown.clone().unknown(11, 2);
    let expect = [several[0], (Class::Unclear, AMBIGUOUS, one), (Class::Unclear, AMBIGUOUS, two)];
    assert!(check(&both, &lines[..1], &expect).changes().is_empty());
    let settled = Sample::default().settled(10, 1, cents(4), "");
    check(&settled, &[line("", 12, "0.04")], &[(Class::Matched, LIKELY, one)]);
    let expect = [(Class::OnlyTheirs, None, None), (Class::OnlyOurs, None, one)];
    check(&settled, &[line("", 12, "0.05")], &expect);
    // One that was free by evidence needs more than circumstances.
    let free = Sample::default().released(10, 1, "req-1");
    check(&free, &[line("", 10, "0.04")], &[(Class::OnlyTheirs, None, None)]);
    // An id that is known is in the export too, or the line is of another request.
    let known = Sample::default().settled(10, 1, cents(4), "req-1");
    check(&known, &[line("req-2", 12, "0.04")], &expect);
}

#[test]
fn a_rounded_amount_is_the_same_amount() {
    let settled = Sample::default().settled(10, 1, cents(6), "req-1");
    for id in ["req-1", ""] {
        let result = compared(&settled, &[line(id, 10, "0.060000000000000005")], &rules());
        assert_eq!(result.findings[0].class, Class::Matched, "{id}");
        assert!(result.is_within() && result.changes().is_empty());
    }
    let result = compared(&settled, &[line("req-1", 10, "0.060000001")], &rules());
    assert_eq!(result.findings[0].class, Class::AmountDiffers);
    assert!(!result.is_within());
}

#[test]
fn what_is_absent_is_free_only_on_demand_and_where_the_export_covers_it() {
    let sample = Sample::default().settled(1, 1, cents(4), "req-1").unknown(10, 2).settled(
        80,
        3,
        cents(4),
        "req-3",
    );
    let demand = Rules { absent_is_free: true, ..rules() };
    let around = [line("req-1", 1, "0.04"), line("req-3", 80, "0.04")];
    assert!(compared(&sample, &around, &rules()).changes().is_empty());
    let result = compared(&sample, &around, &demand);
    assert_eq!(changes(&result), [(attempt(2), true, NanoUsd::ZERO)]);
    let of = |lines: &[Line]| compared(&sample, lines, &demand).changes();
    // The late time must be over within the export: it is until minute 71.
    assert_eq!(of(&[line("req-1", 1, "0.04"), line("req-3", 70, "0.04")]), []);
    assert_eq!(of(&around[..1]), []);
    // Lines of another project, and lines without ids, cover nothing of ours.
    assert_eq!(of(&[line("a", 1, "9"), line("b", 80, "9")]), []);
    assert_eq!(of(&[around[0].clone(), line("", 80, "0.04")]), []);
    let page = Export { lines: around.to_vec(), is_partial: true };
    let result = reconcile(&sample.books(), &page, &demand).expect("it can be compared");
    assert!(result.changes().is_empty());
}

#[test]
fn a_line_of_nothing_frees_a_hold_only_by_its_id_and_on_demand() {
    let one = Some(attempt(1));
    let unknown = Sample::default().unknown(10, 1);
    let by_id = [line(&attempt(1).to_string(), 12, "0.00")];
    let guessed = [line("", 12, "0.00")];
    let demand = Rules { absent_is_free: true, ..rules() };
    let result = check(&unknown, &by_id, &[(Class::StillHeld, EXACT, one)]);
    assert_eq!(changes(&result), []);
    assert_eq!(changes(&compared(&unknown, &guessed, &rules())), []);
    let result = compared(&unknown, &by_id, &demand);
    assert_eq!(changes(&result), [(attempt(1), true, NanoUsd::ZERO)]);
    assert_eq!(changes(&compared(&unknown, &guessed, &demand)), []);
}

#[test]
fn one_page_of_several_proposes_nothing() {
    let unknown = Sample::default().unknown(10, 1);
    let lines = vec![line(&attempt(1).to_string(), 12, "0.04")];
    let page = Export { lines, is_partial: true };
    let result = reconcile(&unknown.books(), &page, &rules()).expect("it can be compared");
    assert!(result.changes().is_empty());
    assert_eq!(result.findings[0].class, Class::UnknownBilled);
}

#[test]
fn an_id_of_two_attempts_is_of_the_one_in_time_or_of_neither() {
    let sample =
        Sample::default().settled(10, 1, cents(4), "req-1").settled(20, 2, cents(4), "req-1");
    let result = compared(&sample, &[line("req-1", 20, "0.05")], &rules());
    assert_eq!(changes(&result), [(attempt(2), false, cents(1))]);
    let lines = [line("req-1", 15, "0.05")];
    let result = compared(&sample, &lines, &rules());
    assert!(result.findings.iter().all(|it| it.class == Class::Unclear), "{result:?}");
    assert_eq!((result.findings.len(), result.changes().len()), (3, 0));
}

#[test]
fn sums_of_a_day_are_compared_by_day_and_model_and_propose_nothing() {
    let sample = Sample::default()
        .settled(10, 1, cents(4), "req-1")
        .settled(20, 2, cents(5), "req-2")
        .unknown(30, 3);
    let item = format!("{MODEL}, image output");
    let lines = [day_line("2026-11-21", &item, "0.08"), day_line("2026-11-21", "other", "0.01")];
    let result = compared(&sample, &lines, &rules());
    let day = &result.days[0];
    assert_eq!((day.committed, day.held, day.billed), (cents(9), cents(6), cents(9)));
    assert_eq!((day.is_beyond, day.confidence), (false, Some(Confidence::Day)));
    let models: Vec<_> =
        day.models.iter().map(|it| (it.model.as_str(), it.committed, it.billed)).collect();
    assert_eq!(models, [("other", NanoUsd::ZERO, cents(1)), (MODEL.trim(), cents(9), cents(8))]);
    assert!(result.changes().is_empty());
    let more = compared(&sample, &[day_line("2026-11-21", &item, "0.0901")], &rules());
    assert!(!more.is_within());
    let tolerance = Some("1%".parse().expect("a share"));
    let rules = Rules { tolerance, ..rules() };
    assert!(!compared(&sample, &[day_line("2026-11-21", "x", "0.091")], &rules).is_within());
    assert!(compared(&sample, &[day_line("2026-11-21", "x", "0.0909")], &rules).is_within());
}

#[test]
fn days_are_those_of_the_line_and_only_those_of_the_export() {
    let midnight = 24 * 60;
    let sample = Sample::default()
        .settled(10, 1, cents(4), "req-1")
        .settled(midnight - 1, 2, cents(4), "req-2")
        .settled(3 * midnight, 3, cents(4), "req-3")
        .unknown(3 * midnight, 4);
    // The second was sent before midnight and ended after it; its line counts.
    let lines = [line("req-1", 10, "0.04"), line("req-2", midnight - 1, "0.04")];
    let result = compared(&sample, &lines, &rules());
    let days: Vec<_> =
        result.days.iter().map(|it| (it.day.to_string(), it.committed, it.billed)).collect();
    assert_eq!(days, [("2026-11-21".to_owned(), cents(8), cents(8))]);
    let held = result.findings.iter().find(|it| it.held > NanoUsd::ZERO).expect("it is listed");
    assert_eq!((held.rid, held.class), (Some(attempt(4)), Class::StillHeld));
    let since = Some(at(midnight - 5));
    let later = compared(&sample, &lines, &Rules { since, ..rules() });
    assert_eq!(later.days[0].committed, cents(4));
    let until = Some(at(5 * midnight));
    let all = compared(&sample, &lines, &Rules { until, ..rules() });
    assert_eq!(all.days.len(), 2);
    assert!(all.findings.iter().any(|it| it.class == Class::OnlyOurs));
    let east = Rules { zone: TimeZone::fixed(jiff::tz::offset(1)), ..rules() };
    assert_eq!(compared(&sample, &lines, &east).days.len(), 2);
    let sum = export(&[day_line("2026-11-21", "x", "1")]);
    let refused = reconcile(&sample.books(), &sum, &east);
    assert_eq!(refused, Err(Misfit::SeveralDays(Place::Line(2))));
    let model = Some("none".to_owned());
    let none = reconcile(&sample.books(), &export(&lines), &Rules { model, ..rules() });
    assert_eq!(none, Err(Misfit::NoLines));
}

#[test]
fn limits_and_what_people_booked_stand_beside_the_days() {
    let limit = |value| {
        RecordKind::Limit(Box::new(Limit {
            scope: LimitScope::Day,
            value,
            origin: LimitOrigin::Person,
            by: "ann".into(),
            why: "w".into(),
        }))
    };
    let on = "2026-11-21".parse().expect("a day");
    let (by, why) = ("ann".into(), "refund".into());
    let adjust = Adjust { amount: cents(-1), on, run: Some(run(2)), by, why };
    let sample = Sample::default()
        .then(1, limit(cents(500)))
        .settled(10, 1, cents(4), "req-1")
        .then(2_000, limit(cents(700)))
        .then(2_000, RecordKind::Adjust(Box::new(adjust)));
    let lines = [line("req-1", 10, "0.04")];
    let day = |rules: &Rules| compared(&sample, &lines, rules).days[0].clone();
    let all = day(&rules());
    assert_eq!((all.limit, all.committed, all.is_beyond), (Some(cents(500)), cents(3), true));
    // It is of a run of this provider; without a run nobody would know.
    let provider = |name: &str| Rules { provider: Some(name.to_owned()), ..rules() };
    assert_eq!(day(&provider("sim")).committed, cents(3));
    assert_eq!(compared(&sample, &lines, &rules()).providers, ["sim".into()].into());
    assert_eq!(day(&provider("other")).committed, NanoUsd::ZERO);
}

#[test]
fn a_hostile_id_cannot_pass_for_another_attempt() {
    let sample = Sample::default().released(10, 1, "x").settled(20, 2, cents(4), "req-2");
    let id = format!("export:{}\u{1b}[2J{}", attempt(2), "y".repeat(300));
    let books = sample.books();
    assert_eq!(books.attempts().len(), 2);
    let sample =
        sample.then(10, RecordKind::Ack(Ack { rid: attempt(1), provider_id: id.as_str().into() }));
    let result = compared(&sample, &[line(&id, 10, "0.05")], &rules());
    let [Change::Adjust { rid, why, .. }] = &result.changes()[..] else { panic!("{result:?}") };
    assert_eq!(*rid, attempt(1));
    assert!(why.starts_with(&format!("export:{rid} ")) && !why.contains('\u{1b}'), "{why}");
    assert!(why.len() < 256, "{why}");
    let after =
        compared(&sample.clone().with(&result.changes()), &[line(&id, 10, "0.05")], &rules());
    let committed = |it: &Reconciliation| it.findings.iter().map(|it| it.committed).max();
    assert_eq!((after.changes(), committed(&after)), (Vec::new(), Some(cents(5))));
}

proptest! {
    #[test]
    fn money_is_conserved_and_twice_is_once(
        attempts in proptest::collection::vec((0..4_u8, 0..6_i64, 0..9_i64, 0..3_u8), 0..40),
    ) {
        let mut sample = Sample::default();
        let mut lines = Vec::new();
        for (n, (what, ours, theirs, how)) in attempts.into_iter().enumerate() {
            let (rid, minute, id) = (n as u64 + 1, n as i64 * 7, format!("req-{n}"));
            sample = match what {
                0 => sample.settled(minute, rid, cents(ours), &id),
                1 => sample.unknown(minute, rid),
                2 => sample.released(minute, rid, &id),
                _ => sample.settled(minute, rid, cents(ours), ""),
            };
            let own = attempt(rid).to_string();
            let id = [id, own, String::new()][usize::from(how)].clone();
            lines.push(line(&id, minute, &cents(theirs).to_string()));
        }
        prop_assume!(!lines.is_empty());
        let first = compared(&sample, &lines, &rules());
        let booked = sample.with(&first.changes());
        let second = compared(&booked, &lines, &rules());
        prop_assert_eq!(second.changes(), []);
        let (mut ours, mut theirs) = (NanoUsd::ZERO, NanoUsd::ZERO);
        for it in second.findings.iter().filter(|it| {
            let frees = it.held > NanoUsd::ZERO && it.billed == Some(NanoUsd::ZERO);
            it.rid.is_some() && matches!(it.confidence, EXACT | LIKELY) && !frees
        }) {
            ours = ours.saturating_add(it.committed);
            theirs = theirs.saturating_add(it.billed.expect("a line"));
            prop_assert_eq!(it.class, Class::Matched);
        }
        prop_assert_eq!(ours, theirs);
        // Every dollar of the export is in a day, once.
        let sum = |amounts: Vec<NanoUsd>| {
            amounts.into_iter().fold(NanoUsd::ZERO, NanoUsd::saturating_add)
        };
        let all = sum(lines.iter().map(|line| line.amount.value).collect());
        prop_assert_eq!(sum(second.days.iter().map(|day| day.billed).collect()), all);
        prop_assert_eq!(sum(first.days.iter().map(|day| day.billed).collect()), all);
    }
}
