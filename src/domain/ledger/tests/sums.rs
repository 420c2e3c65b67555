//! The state: who may end what, what weighs where, and what is admitted.

use crate::domain::ledger::tests::samples::{
    Book, attempt, cents, owner, release, reserve, run, settle,
};
use crate::domain::ledger::{
    Admission, Ask, Ceilings, LimitScope, Record, RecordKind, Totals, UnknownClass, Violation,
};
use crate::domain::money::NanoUsd;

fn book() -> Book {
    Book::new(cents(100), "2026-11-21T10:00:00Z")
}

fn ask(max: NanoUsd) -> Ask<'static> {
    let (model, beside) = ("sim-1", NanoUsd::ZERO);
    Ask { run: run(2), model, max, beside, ceilings: Ceilings::default() }
}

fn refused(book: &Book, kind: RecordKind) -> Violation {
    let day = book.state.segment().expect("a segment").day;
    let record = Record { seq: book.state.seq() + 1, time: book.time, day, kind };
    book.state.clone().fold(&record).expect_err("against the rules")
}

#[test]
fn an_attempt_has_one_reserve_and_at_most_one_end_row_31() {
    let mut book = book();
    book.push(reserve(1, cents(4)));
    assert_eq!(refused(&book, reserve(1, cents(4))), Violation::ReservedTwice(attempt(1)));
    book.push(settle(1, cents(3)));
    for kind in [settle(1, cents(3)), release(1), settle(9, cents(1)), release(9)] {
        assert!(matches!(refused(&book, kind), Violation::NotOpen(_)));
    }
    book.push(reserve(2, cents(4)));
    book.unknown(2, UnknownClass::Timeout);
    assert_eq!(refused(&book, release(2)), Violation::IsUnknown(attempt(2)));
    assert_eq!(refused(&book, settle(2, cents(-1))), Violation::Negative(attempt(2)));
    book.push(settle(2, cents(4)));
    assert_eq!(book.state.today().settled, cents(7));
}

#[test]
fn numbers_days_and_segments_must_follow() {
    let mut book = book();
    book.push(reserve(1, cents(4)));
    let seq = book.state.seq();
    let day = book.state.segment().expect("a segment").day;
    let record = |seq, day| Record { seq, time: book.time, day, kind: settle(1, cents(1)) };
    let fold = |record: Record| book.state.clone().fold(&record);
    assert_eq!(fold(record(seq, day)), Err(Violation::Sequence { expected: seq + 1, found: seq }));
    let tomorrow = day.tomorrow().expect("a day");
    assert!(matches!(fold(record(seq + 1, tomorrow)), Err(Violation::Day { .. })));
    let open =
        book.state.next_open(day, crate::domain::ledger::OpenReason::Day, owner(), "".into());
    let open = RecordKind::Open(Box::new(open.expect("a segment to continue")));
    assert!(matches!(refused(&book, open), Violation::Segment(_)), "no roll came before");
}

#[test]
fn a_hold_weighs_on_both_days_that_it_meets_and_an_unknown_until_its_charge_is_late() {
    let mut book = Book::new(cents(100), "2026-11-21T22:00:00Z");
    (1..=3).for_each(|rid| book.push(reserve(rid, cents(10))));
    book.unknown(1, UnknownClass::Timeout);
    book.time = "2026-11-21T23:30:00Z".parse().expect("a time");
    book.unknown(2, UnknownClass::Reset);
    let day = |text: &str| text.parse().expect("a day");
    assert_eq!(book.state.exposure(day("2026-11-21")), cents(30));
    assert_eq!(book.state.exposure(day("2026-11-22")), cents(20), "the first one cannot charge");
    assert_eq!(book.state.exposure(day("2026-11-23")), cents(10), "the reserve is open-ended");
    book.roll("2026-11-22T00:00:01Z");
    assert_eq!(book.state.today().exposure(), cents(20));
    book.push(settle(3, cents(4)));
    book.push(settle(1, cents(9)));
    assert_eq!(book.state.today().settled, cents(4), "an old unknown was not charged today");
    assert_eq!(book.state.run(run(2)).settled, cents(13));
    assert_eq!(book.state.exposure_of_run(run(2)), cents(23));
    book.roll("2026-11-23T00:00:01Z");
    assert_eq!(book.state.today(), Totals::default());
    assert_eq!(book.state.exposure_of_run(run(2)), cents(23), "for ever in its run");
}

#[test]
fn admission_waits_for_holds_and_refuses_what_lasts_with_the_smallest_limit() {
    let mut book = book();
    (1..=2).for_each(|rid| book.push(reserve(rid, cents(40))));
    let day = book.state.segment().expect("a segment").day;
    assert_eq!(book.state.admit(&ask(cents(20)), day, book.time), Admission::Admit);
    assert_eq!(book.state.admit(&ask(cents(21)), day, book.time), Admission::Wait);
    book.push(settle(1, cents(30)));
    book.unknown(2, UnknownClass::Timeout);
    book.push(reserve(3, cents(10)));
    let Admission::Refuse(refusal) = book.state.admit(&ask(cents(31)), day, book.time) else {
        panic!("31 cents can never fit");
    };
    let figures = (refusal.settled, refusal.unknown, refusal.reserved, refusal.smallest_limit);
    assert_eq!(figures, (cents(30), cents(40), cents(10), cents(111)));
    for (limit, expected) in [(111, true), (110, false)] {
        let mut other = Book { state: book.state.clone(), records: Vec::new(), time: book.time };
        let mut limits = book.state.limits().to_vec();
        limits[0].value = cents(limit);
        other.push(RecordKind::Limit(Box::new(limits.remove(0))));
        let admitted = other.state.admit(&ask(cents(31)), day, book.time) == Admission::Admit;
        assert_eq!(admitted, expected, "{limit}");
    }
    let ceilings = Ceilings { per_day: None, per_run: Some(cents(90)) };
    let Admission::Refuse(refusal) =
        book.state.admit(&Ask { ceilings, ..ask(cents(21)) }, day, book.time)
    else {
        panic!("the run's own limit is smaller");
    };
    assert_eq!(refusal.scope, LimitScope::EveryRun);
    let ceilings = Ceilings { per_day: Some(cents(9000)), per_run: None };
    let raised = book.state.admit(&Ask { ceilings, ..ask(cents(31)) }, day, book.time);
    assert!(matches!(raised, Admission::Refuse(_)), "a flag cannot raise the ledger's limit");
    assert!(matches!(book.state.admit(&ask(NanoUsd::MAX), day, book.time), Admission::Refuse(_)));
    assert!(matches!(book.state.admit(&ask(cents(-1)), day, book.time), Admission::Refuse(_)));
}
