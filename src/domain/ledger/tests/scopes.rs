//! Limits beside that of the day: per model, per image, per run, in any 24 hours.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::domain::ledger::tests::samples::{Book, cents, release, reserve, run, settle};
use crate::domain::ledger::{
    Adjust, Admission, Ask, Ceilings, LedgerState, LimitScope, Open, Record, RecordKind, Refusal,
    UnknownClass, WINDOW,
};
use crate::domain::money::NanoUsd;

fn book() -> Book {
    Book::new(cents(1000), "2026-11-21T10:00:00Z")
}

fn reserve_of(model: &str, rid: u64, max: NanoUsd) -> RecordKind {
    let RecordKind::Reserve(mut kind) = reserve(rid, max) else { panic!("a reserve") };
    kind.model = model.into();
    RecordKind::Reserve(kind)
}

fn admit(book: &Book, model: &str, max: NanoUsd) -> Admission {
    let day = book.state.segment().expect("a segment").day;
    let ceilings = Ceilings::default();
    let ask = Ask { run: run(2), model, max, beside: NanoUsd::ZERO, ceilings };
    book.state.admit(&ask, day, book.time)
}

fn refusal(answer: Admission) -> Refusal {
    let Admission::Refuse(refusal) = answer else { panic!("not refused: {answer:?}") };
    refusal
}

/// The state of someone who starts reading at the newest segment.
fn late_reader(book: &Book) -> LedgerState {
    let is_open = |kind: &RecordKind| matches!(kind, RecordKind::Open(_));
    let last = book.records.iter().rposition(|record| is_open(&record.kind)).expect("an open");
    let mut state = LedgerState::default();
    book.records[last..].iter().for_each(|record| state.fold(record).expect("by the rules"));
    state
}

#[test]
fn a_limit_per_model_counts_only_that_model_and_starts_anew_each_day() {
    let mut book = book();
    book.limit(LimitScope::Model("dear".into()), cents(20), "ann", "a trial");
    book.push(reserve_of("dear", 1, cents(10)));
    book.push(reserve_of("cheap", 2, cents(500)));
    assert_eq!(admit(&book, "dear", cents(10)), Admission::Admit);
    assert_eq!(admit(&book, "dear", cents(11)), Admission::Wait);
    assert_eq!(admit(&book, "cheap", cents(400)), Admission::Admit);
    book.push(settle(1, cents(8)));
    assert_eq!(admit(&book, "dear", cents(12)), Admission::Admit);
    let refused = refusal(admit(&book, "dear", cents(13)));
    assert_eq!((refused.settled, refused.smallest_limit), (cents(8), cents(21)));
    assert_eq!(
        refused.to_string(),
        "$0.13 would go past the limit of $0.20 per day of model dear: $0.08 settled, $0.00 \
         reserved, $0.00 unknown; the smallest limit that would do is $0.21"
    );
    // A segment that is full is followed by one of the same day, which knows what was spent.
    book.roll("2026-11-21T11:00:00Z");
    assert_eq!(refusal(admit(&book, "dear", cents(13))).settled, cents(8));
    assert_eq!(late_reader(&book).totals_of_model("dear", refused_day(&book)).settled, cents(8));
    book.roll("2026-11-22T00:00:00Z");
    assert_eq!(admit(&book, "dear", cents(20)), Admission::Admit);
    assert!(matches!(admit(&book, "dear", cents(21)), Admission::Refuse(_)));
}

fn refused_day(book: &Book) -> jiff::civil::Date {
    book.state.segment().expect("a segment").day
}

#[test]
fn a_limit_per_image_looks_at_one_worst_case_and_not_at_what_must_fit_beside_it() {
    let mut book = book();
    book.limit(LimitScope::Image, cents(5), "ann", "a trial");
    book.push(reserve(1, cents(500)));
    assert_eq!(admit(&book, "m", cents(5)), Admission::Admit);
    let refused = refusal(admit(&book, "m", cents(6)));
    assert_eq!(refused.to_string(), "$0.06 is more than the limit of $0.05 per image");
    let (model, beside, ceilings) = ("m", cents(100), Ceilings::default());
    let ask = Ask { run: run(2), model, max: cents(5), beside, ceilings };
    assert_eq!(book.state.admit(&ask, refused_day(&book), book.time), Admission::Admit);
}

#[test]
fn a_limit_for_every_run_binds_each_and_the_smallest_of_several_counts() {
    let mut book = book();
    book.limit(LimitScope::EveryRun, cents(50), "ann", "a trial");
    book.push(reserve(1, cents(40)));
    assert_eq!(admit(&book, "m", cents(10)), Admission::Admit);
    assert_eq!(admit(&book, "m", cents(11)), Admission::Wait);
    book.push(settle(1, cents(40)));
    assert_eq!(refusal(admit(&book, "m", cents(11))).limit, cents(50));
    book.limit(LimitScope::Run(run(2)), cents(45), "ann", "less");
    assert_eq!(refusal(admit(&book, "m", cents(6))).limit, cents(45));
    book.limit(LimitScope::Run(run(9)), cents(1), "ann", "another run");
    assert_eq!(admit(&book, "m", cents(5)), Admission::Admit);
    let ceilings = Ceilings { per_day: None, per_run: Some(cents(42)) };
    let ask = Ask { run: run(2), model: "m", max: cents(3), beside: cents(0), ceilings };
    let own = refusal(book.state.admit(&ask, refused_day(&book), book.time));
    assert_eq!((own.limit, own.scope), (cents(42), LimitScope::EveryRun));
}

#[test]
fn a_limit_in_24_hours_does_not_start_anew_at_midnight_row_21() {
    let mut book = Book::new(cents(1000), "2026-11-21T22:45:00Z");
    book.limit(LimitScope::Window, cents(100), "ann", "no burst at midnight");
    book.push(reserve(1, cents(60)));
    book.push(settle(1, cents(60)));
    book.push(reserve(2, cents(30)));
    book.unknown(2, UnknownClass::Timeout);
    book.roll("2026-11-22T00:30:00Z");
    assert_eq!(book.state.today().exposure(), cents(0), "the day is new");
    assert_eq!(admit(&book, "m", cents(10)), Admission::Admit);
    assert_eq!(refusal(admit(&book, "m", cents(11))).scope, LimitScope::Window);
    let late = late_reader(&book);
    assert_eq!(late.totals_in_window(book.time), book.state.totals_in_window(book.time));
    let at = |text: &str| book.state.totals_in_window(text.parse().expect("a time")).exposure();
    assert_eq!(at("2026-11-22T22:45:00Z"), cents(90));
    assert_eq!(at("2026-11-22T22:45:01Z"), cents(30), "what was settled is a day old");
    assert_eq!(at("2026-11-22T23:45:00Z"), cents(30), "it may have been charged an hour late");
    assert_eq!(at("2026-11-22T23:45:01Z"), cents(0));
    // A clock that goes back frees nothing and brings nothing back.
    book.time = "2026-11-20T00:00:00Z".parse().expect("a time");
    assert_eq!(admit(&book, "m", cents(10)), Admission::Admit);
}

#[test]
fn an_adjustment_weighs_where_its_money_may_lie() {
    let mut book = book();
    let adjust = |amount: i64, on: &str| {
        let (on, run) = (on.parse().expect("a day"), None);
        let (by, why) = ("ann".into(), "export".into());
        RecordKind::Adjust(Box::new(Adjust { amount: cents(amount), on, run, by, why }))
    };
    book.push(adjust(7, "2026-11-21"));
    let day = refused_day(&book);
    let sums = |book: &Book| {
        let of_model = book.state.totals_of_model("m", day).settled;
        (book.state.today().settled, of_model, book.state.totals_in_window(book.time).settled)
    };
    assert_eq!(sums(&book), (cents(7), cents(7), cents(7)));
    book.push(adjust(5, "2026-11-20"));
    assert_eq!(sums(&book), (cents(7), cents(7), cents(12)), "yesterday's may be hours old");
    book.push(adjust(-9, "2026-11-20"));
    assert_eq!(sums(&book), (cents(7), cents(7), cents(12)), "or a day: it frees nothing");
    book.push(adjust(-9, "2026-11-21"));
    assert_eq!(sums(&book), (cents(-2), cents(0), cents(3)), "no model is freed by it");
}

#[test]
fn a_limit_that_was_taken_away_refuses_nothing() {
    let mut book = book();
    for scope in [LimitScope::Image, LimitScope::Window, LimitScope::Model("m".into())] {
        book.limit(scope.clone(), cents(1), "ann", "a trial");
        assert!(matches!(admit(&book, "m", cents(2)), Admission::Refuse(_)), "{scope}");
        book.limit(scope, NanoUsd::MAX, "ann", "enough");
        assert_eq!(admit(&book, "m", cents(2)), Admission::Admit);
    }
}

#[test]
fn an_open_that_states_other_models_or_another_window_is_refused() {
    let mut book = book();
    book.push(reserve_of("dear", 1, cents(10)));
    book.push(settle(1, cents(8)));
    book.push(reserve_of("dear", 2, cents(10)));
    let mut before = book.state.clone();
    book.roll("2026-11-21T11:00:00Z");
    let [.., roll, open] = &book.records[..] else { panic!("a roll and an open") };
    before.fold(roll).expect("a roll");
    let changes: [fn(&mut Open); 4] = [
        |_| {},
        |open| open.carry[0].hold.model = Some("cheap".into()),
        |open| open.detail.as_mut().expect("detail").models.clear(),
        |open| open.detail.as_mut().expect("detail").window[0].amount = cents(1),
    ];
    for (n, change) in changes.iter().enumerate() {
        let RecordKind::Open(mut changed) = open.kind.clone() else { panic!("an open") };
        change(&mut changed);
        let record = Record { kind: RecordKind::Open(changed), ..open.clone() };
        assert_eq!(before.clone().fold(&record).is_ok(), n == 0, "{n}");
    }
}

#[test]
fn who_starts_reading_after_a_clock_went_back_counts_the_same_hours() {
    let mut book = book();
    book.push(reserve_of("dear", 1, cents(10)));
    book.roll("2026-11-21T09:45:00Z");
    let opened = book.records.len() - 1;
    book.push(settle(1, cents(8)));
    book.roll("2026-11-21T09:50:00Z");
    let mut late = LedgerState::default();
    book.records[opened..].iter().for_each(|record| late.fold(record).expect("by the rules"));
    let at = |state: &LedgerState, text: &str| {
        state.totals_in_window(text.parse().expect("a time")).settled
    };
    for state in [&late, &book.state] {
        assert_eq!(at(state, "2026-11-22T10:00:00Z"), cents(8), "spent at ten at the latest");
        assert_eq!(at(state, "2026-11-22T10:00:01Z"), cents(0));
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Reserve(bool, i64),
    Settle(usize, i64),
    Release(usize),
    Unknown(usize),
    Pass(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (any::<bool>(), 1..=40i64).prop_map(|(dear, max)| Step::Reserve(dear, max)),
        3 => (0..8usize, 0..=40i64).prop_map(|(which, amount)| Step::Settle(which, amount)),
        1 => (0..8usize).prop_map(Step::Release),
        2 => (0..8usize).prop_map(Step::Unknown),
        2 => (1..=700i64).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 0..100)
}

/// An attempt of the naive list: when and what it may have been charged.
#[derive(Clone, Copy, Debug)]
struct Naive {
    dear: bool,
    max: i64,
    from: Timestamp,
    unknown_until: Option<Timestamp>,
    end: Option<(Timestamp, i64)>,
}

impl Naive {
    /// The latest moment of a charge; nothing while it is open.
    fn last_charge(&self) -> Option<Timestamp> {
        let end = self.end.map(|(end, _)| end);
        [end, self.unknown_until].into_iter().flatten().min()
    }

    /// What may have been charged between two moments.
    fn between(&self, from: Timestamp, to: Timestamp) -> i64 {
        let meets = self.from <= to && self.last_charge().is_none_or(|last| last >= from);
        let weight = self.end.map_or(self.max, |(_, amount)| amount);
        if meets { weight } else { 0 }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_24_hours_and_no_day_of_a_model_go_past_their_limits(steps in steps()) {
        let mut book = Book::new(cents(100_000), "2026-11-21T10:00:00Z");
        book.limit(LimitScope::Window, cents(100), "ann", "a trial");
        book.limit(LimitScope::Model("dear".into()), cents(60), "ann", "a trial");
        let mut list: Vec<Naive> = Vec::new();
        for step in steps {
            let open: Vec<usize> = (0..list.len()).filter(|n| list[*n].end.is_none()).collect();
            let pick = |which: usize| open.get(which % open.len().max(1)).copied();
            let known = |n: &usize| list[*n].unknown_until.is_none();
            match step {
                Step::Reserve(dear, max) => {
                    let model = if dear { "dear" } else { "cheap" };
                    if admit(&book, model, cents(max)) == Admission::Admit {
                        book.push(reserve_of(model, list.len() as u64, cents(max)));
                        let (from, unknown_until, end) = (book.time, None, None);
                        list.push(Naive { dear, max, from, unknown_until, end });
                    }
                }
                Step::Settle(which, amount) => {
                    if let Some(n) = pick(which) {
                        let amount = amount.min(list[n].max);
                        book.push(settle(n as u64, cents(amount)));
                        list[n].end = Some((book.time, amount));
                    }
                }
                Step::Release(which) => {
                    if let Some(n) = pick(which).filter(known) {
                        book.push(release(n as u64));
                        list[n].end = Some((book.time, 0));
                    }
                }
                Step::Unknown(which) => {
                    if let Some(n) = pick(which).filter(known) {
                        book.unknown(n as u64, UnknownClass::Timeout);
                        list[n].unknown_until = Some(book.time + SignedDuration::from_hours(1));
                    }
                }
                Step::Pass(minutes) => {
                    let next = book.time + SignedDuration::from_mins(minutes);
                    book.roll(&next.to_string());
                    prop_assert_eq!(
                        late_reader(&book).totals_in_window(next),
                        book.state.totals_in_window(next)
                    );
                }
            }
            // Every window that ends when something was reserved or may be charged.
            let ends = list.iter().flat_map(|one| [Some(one.from), one.last_charge()]);
            for to in ends.flatten().chain([book.time]) {
                let from = to - WINDOW;
                let sum: i64 = list.iter().map(|one| one.between(from, to)).sum();
                prop_assert!(sum <= 100, "{sum} cents in the 24 hours before {to}");
            }
            let day = refused_day(&book);
            let start = day.to_zoned(jiff::tz::TimeZone::UTC).expect("a day").timestamp();
            let end = start + WINDOW - SignedDuration::from_micros(1);
            let dear = list.iter().filter(|one| one.dear).map(|one| one.between(start, end));
            prop_assert!(dear.sum::<i64>() <= 60);
        }
    }
}

#[test]
fn a_hold_names_its_model_in_the_next_segment() {
    let mut book = book();
    book.push(reserve_of("dear", 1, cents(10)));
    book.roll("2026-11-22T00:00:00Z");
    let RecordKind::Open(open) = &book.records.last().expect("records").kind else {
        panic!("an open")
    };
    assert_eq!(open.carry[0].hold.model.as_deref(), Some("dear"));
}
