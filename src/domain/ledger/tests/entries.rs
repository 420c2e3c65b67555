//! What became of every attempt, and sums of it.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::samples::{attempt, cents, every_kind, reserve, run};
use crate::domain::ledger::entries::{Entries, EntryFilter, Group, Outcome, group, total};
use crate::domain::ledger::group_key::GroupKey;
use crate::domain::ledger::{Adjust, CostSource, Evidence, Record, RecordKind, Release, Settle};
use crate::domain::money::NanoUsd;

fn entries(kinds: Vec<RecordKind>) -> Entries {
    let mut entries = Entries::default();
    for (seq, kind) in kinds.into_iter().enumerate() {
        let time: Timestamp = "2026-11-21T23:30:00Z".parse().expect("a time");
        let time = time + jiff::SignedDuration::from_mins(seq as i64);
        let day = TimeZone::UTC.to_datetime(time).date();
        entries.fold(&Record { seq: seq as u64, time, day, kind });
    }
    entries
}

fn settle(rid: u64, amount: NanoUsd) -> RecordKind {
    let (source, provider_id) = (CostSource::Usage, Some("req-1".into()));
    RecordKind::Settle(Settle { rid: attempt(rid), amount, source, provider_id })
}

#[test]
fn an_attempt_is_one_entry_with_its_last_word() {
    let release = Release { rid: attempt(2), evidence: Evidence::NotFound, status: Some(404) };
    let all = entries(vec![
        reserve(1, cents(4)),
        reserve(2, cents(4)),
        reserve(3, cents(5)),
        settle(1, cents(3)),
        RecordKind::Release(release),
    ]);
    let all = all.wanted(&EntryFilter::default(), &TimeZone::UTC);
    let seen: Vec<_> = all.iter().map(|it| (it.outcome, it.note, it.cost, it.held)).collect();
    let zero = NanoUsd::ZERO;
    assert_eq!(
        seen,
        [
            (Outcome::Held, None, zero, cents(5)),
            (Outcome::Settled, Some("usage"), cents(3), zero),
            (Outcome::Released, Some("not-found"), zero, zero),
        ]
    );
    assert_eq!(all[1].provider_request_id.as_deref(), Some("req-1"));
    let sum = total(&all);
    assert_eq!((sum.attempts, sum.settled, sum.released, sum.open), (3, 1, 1, 1));
    assert_eq!((sum.cost, sum.held, sum.worst_case), (cents(3), cents(5), cents(4)));
    assert_eq!(sum.percent_of_worst_case(), Some(75));
}

#[test]
fn a_filter_and_the_zone_of_days_count_by_the_time_of_booking() {
    let on = "2026-11-02".parse().expect("a day");
    let adjust =
        Adjust { amount: cents(-1), on, run: None, by: "ann".into(), why: "refund".into() };
    let kinds = vec![
        reserve(1, cents(4)),
        reserve(2, cents(4)),
        settle(1, cents(4)),
        RecordKind::Adjust(Box::new(adjust)),
    ];
    let keys = |zone: &TimeZone, filter: &EntryFilter| -> Vec<String> {
        let entries = entries(kinds.clone()).wanted(filter, zone);
        let groups = group(&entries, &[GroupKey::Day], zone);
        groups.into_iter().map(|group| group.keys.join("/")).collect()
    };
    let all = EntryFilter::default();
    assert_eq!(keys(&TimeZone::UTC, &all), ["2026-11-02", "2026-11-21"]);
    let east = TimeZone::fixed(jiff::tz::offset(2));
    assert_eq!(keys(&east, &all), ["2026-11-02", "2026-11-22"]);
    let since = "2026-11-21T00:00:00Z".parse().ok();
    assert_eq!(keys(&TimeZone::UTC, &EntryFilter { since, ..all.clone() }), ["2026-11-21"]);
    let until = "2026-11-21T23:31:30Z".parse().ok();
    let early =
        entries(kinds.clone()).wanted(&EntryFilter { since, until, ..all.clone() }, &TimeZone::UTC);
    assert_eq!(early.len(), 1, "the settle came later: {early:?}");
    assert_eq!(early[0].rid, Some(attempt(2)));
    let other = EntryFilter { run: Some(run(9)), ..all };
    assert_eq!(keys(&TimeZone::UTC, &other), [""; 0]);
}

#[test]
fn every_key_has_a_text_for_every_entry() {
    let mut all = Entries::default();
    every_kind().iter().for_each(|record| all.fold(record));
    let all = all.wanted(&EntryFilter::default(), &TimeZone::UTC);
    for entry in &all {
        for word in GroupKey::WORDS {
            let key = GroupKey::from_word(word).expect(word);
            assert_eq!(key.to_string(), word);
            assert!(!key.text_of(entry, &TimeZone::UTC).is_empty(), "{key}: {entry:?}");
        }
    }
    assert!(all.iter().any(|entry| entry.outcome == Outcome::Adjusted));
}

#[test]
fn a_tag_is_a_name_alone_or_with_a_value() {
    let RecordKind::Reserve(mut one) = reserve(1, cents(4)) else { panic!("a reserve") };
    one.tags = ["sale", "client=acme=west", "clients=no", "empty="].map(Into::into).into();
    one.canary = true;
    let all = entries(vec![RecordKind::Reserve(one), reserve(2, cents(4))]);
    let all = all.wanted(&EntryFilter::default(), &TimeZone::UTC);
    let text = |n: usize, word: &str| {
        GroupKey::from_word(word).expect(word).text_of(&all[n], &TimeZone::UTC)
    };
    assert_eq!(text(0, "tag:sale"), "yes");
    assert_eq!(text(0, "tag:client"), "acme=west");
    assert_eq!(text(0, "tag:empty"), "");
    assert_eq!(text(0, "tag:sal"), "(none)");
    assert_eq!((text(0, "canary"), text(1, "canary")), ("yes".into(), "no".into()));
    assert_eq!(text(1, "tag:sale"), "(none)");
    assert_eq!((GroupKey::from_word("tag:"), GroupKey::from_word("tags")), (None, None));
}

proptest! {
    #[test]
    fn sums_by_any_keys_in_any_zone_are_the_same_money(
        steps in proptest::collection::vec((0..40_u64, 0..3_u8, 1..9_i64), 0..120),
        hours in -12..14_i8,
    ) {
        let mut kinds = Vec::new();
        let mut open = std::collections::BTreeSet::new();
        let mut ended = std::collections::BTreeSet::new();
        for (rid, what, amount) in steps {
            if !open.contains(&rid) && !ended.contains(&rid) {
                open.insert(rid);
                kinds.push(reserve(rid, cents(amount)));
            } else if what > 0 && open.remove(&rid) {
                ended.insert(rid);
                kinds.push(settle(rid, cents(amount)));
            }
        }
        let zone = TimeZone::fixed(jiff::tz::offset(hours));
        let all = entries(kinds).wanted(&EntryFilter::default(), &zone);
        let whole = total(&all);
        for keys in [
            &[GroupKey::Day][..],
            &[GroupKey::Run],
            &[GroupKey::Model, GroupKey::Week],
            &[GroupKey::Month, GroupKey::Outcome, GroupKey::Provider],
            &[GroupKey::Tag("client".into()), GroupKey::Canary],
        ] {
            let groups = group(&all, keys, &zone);
            let sum = |money: fn(&Group) -> NanoUsd| {
                groups.iter().fold(NanoUsd::ZERO, |sum, it| sum.saturating_add(money(it)))
            };
            prop_assert_eq!(sum(|it| it.cost), whole.cost);
            prop_assert_eq!(sum(|it| it.held), whole.held);
            prop_assert_eq!(groups.iter().map(|it| it.attempts).sum::<u64>(), whole.attempts);
        }
    }
}
