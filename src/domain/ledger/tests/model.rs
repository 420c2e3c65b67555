//! The state against a naive list of attempts that computes invariants I2 and I3 by their words.

use jiff::civil::Date;
use jiff::{Span, Timestamp, tz::TimeZone};
use proptest::prelude::*;

use crate::domain::ledger::tests::samples::{Book, cents, release, reserve, run, settle};
use crate::domain::ledger::{Admission, Ask, Ceilings, UnknownClass};
use crate::domain::money::NanoUsd;

const LIMIT: i64 = 100;

#[derive(Clone, Copy, Debug)]
enum Step {
    Reserve(i64),
    Settle(usize, i64),
    Release(usize),
    Unknown(usize),
    Pass(i64),
}

/// One attempt, in cents: its days and its weight.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    rid: u64,
    max: i64,
    from: Date,
    ended: Option<(Date, i64)>,
    unknown_until: Option<Date>,
}

impl Attempt {
    /// I2: the weight on a day that the attempt's interval meets.
    fn weight_on(&self, day: Date) -> i64 {
        let last = match (self.ended, self.unknown_until) {
            (Some((end, _)), Some(until)) => end.min(until),
            (Some((end, _)), None) => end,
            (None, Some(until)) => until,
            (None, None) => Date::MAX,
        };
        let weight = self.ended.map_or(self.max, |(_, amount)| amount);
        if self.from <= day && day <= last { weight } else { 0 }
    }
}

fn exposure(attempts: &[Attempt], day: Date) -> i64 {
    attempts.iter().map(|attempt| attempt.weight_on(day)).sum()
}

fn day_of(time: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(time).date()
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1..=40i64).prop_map(Step::Reserve),
        3 => (0..8usize, 0..=40i64).prop_map(|(which, amount)| Step::Settle(which, amount)),
        1 => (0..8usize).prop_map(Step::Release),
        2 => (0..8usize).prop_map(Step::Unknown),
        2 => (1..=1500i64).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 0..80)
}

/// Applies a step to both; returns whether a reserve was admitted.
fn apply(book: &mut Book, attempts: &mut Vec<Attempt>, step: Step) -> bool {
    let today = book.state.segment().expect("a segment").day;
    let open: Vec<usize> =
        (0..attempts.len()).filter(|index| attempts[*index].ended.is_none()).collect();
    let pick = |which: usize| open.get(which % open.len().max(1)).copied();
    match step {
        Step::Reserve(max) => {
            let ceilings = Ceilings::default();
            let ask = Ask { run: run(2), model: "m", max: cents(max), beside: cents(0), ceilings };
            let later = |days: i64| today.checked_add(Span::new().days(days)).expect("a day");
            let fits = (0..4).all(|days| exposure(attempts, later(days)) + max <= LIMIT);
            let admission = book.state.admit(&ask, today, book.time);
            assert_eq!(admission == Admission::Admit, fits, "{admission:?}");
            if fits {
                let rid = attempts.len() as u64;
                book.push(reserve(rid, cents(max)));
                attempts.push(Attempt { rid, max, from: today, ended: None, unknown_until: None });
            }
            return fits;
        }
        Step::Settle(which, amount) => {
            if let Some(index) = pick(which) {
                let amount = amount.min(attempts[index].max);
                book.push(settle(attempts[index].rid, cents(amount)));
                attempts[index].ended = Some((today, amount));
            }
        }
        Step::Release(which) => {
            if let Some(index) = pick(which).filter(|i| attempts[*i].unknown_until.is_none()) {
                book.push(release(attempts[index].rid));
                attempts[index].ended = Some((today, 0));
            }
        }
        Step::Unknown(which) => {
            if let Some(index) = pick(which).filter(|i| attempts[*i].unknown_until.is_none()) {
                book.unknown(attempts[index].rid, UnknownClass::Timeout);
                let until = book.time + Span::new().hours(1);
                attempts[index].unknown_until = Some(day_of(until));
            }
        }
        Step::Pass(minutes) => {
            book.time += Span::new().minutes(minutes);
            if day_of(book.time) > today {
                book.roll(&book.time.to_string());
            }
        }
    }
    false
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_state_agrees_with_a_naive_list_and_no_day_goes_past_the_limit(steps in steps()) {
        let mut book = Book::new(cents(LIMIT), "2026-11-21T10:00:00Z");
        let mut attempts = Vec::new();
        for step in steps {
            apply(&mut book, &mut attempts, step);
            let today = book.state.segment().expect("a segment").day;
            let mut day = "2026-11-20".parse::<Date>().expect("a day");
            while day <= today.checked_add(Span::new().days(3)).expect("a day") {
                let naive = exposure(&attempts, day);
                prop_assert!(naive <= LIMIT, "{} cents on {}", naive, day);
                if day >= today {
                    prop_assert_eq!(book.state.exposure(day), cents(naive));
                }
                day = day.tomorrow().expect("a day");
            }
            let in_run: i64 =
                attempts.iter().map(|one| one.ended.map_or(one.max, |(_, amount)| amount)).sum();
            prop_assert_eq!(book.state.exposure_of_run(run(2)), cents(in_run));
        }
        let settled = attempts.iter().filter_map(|one| one.ended).map(|(_, amount)| amount).sum();
        let settled = NanoUsd::from_nanos(cents(settled).nanos());
        prop_assert_eq!(book.state.run(run(2)).settled, settled);
    }
}
