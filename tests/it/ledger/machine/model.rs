//! The reference: a list of attempts, and invariants I1 to I3 by their words. In cents.

use std::collections::BTreeMap;

use imagemill::domain::ids::AttemptId;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

/// One attempt.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) max: i64,
    pub(super) from: Date,
    pub(super) time: Timestamp,
    pub(super) late: SignedDuration,
    pub(super) owner: usize,
    /// Its terminal record: the day and the amount.
    pub(super) end: Option<(Date, i64)>,
    /// The last day of an unknown.
    pub(super) until: Option<Date>,
}

/// Everything that the ledger must know.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) attempts: BTreeMap<AttemptId, Attempt>,
    pub(super) limit: i64,
    pub(super) day: Date,
}

impl Attempt {
    /// I2: `amount` on each day that the attempt's interval meets.
    pub(super) fn on(&self, day: Date, amount: i64) -> i64 {
        let ended = self.end.map_or(Date::MAX, |(day, _)| day);
        let last = ended.min(self.until.unwrap_or(Date::MAX));
        if self.from <= day && day <= last { amount } else { 0 }
    }

    pub(super) fn weight(&self) -> i64 {
        self.end.map_or(self.max, |(_, amount)| amount)
    }
}

impl Model {
    pub(super) fn exposure(&self, day: Date) -> i64 {
        self.attempts.values().map(|attempt| attempt.on(day, attempt.weight())).sum()
    }

    /// I3: today and every later day that it could touch.
    pub(super) fn fits(&self, max: i64) -> bool {
        self.days(4).iter().all(|day| self.exposure(*day) + max <= self.limit)
    }

    /// The ledger's day and those after it.
    pub(super) fn days(&self, n: usize) -> Vec<Date> {
        let later = |day: &Date| day.tomorrow().ok();
        std::iter::successors(Some(self.day), later).take(n).collect()
    }

    /// A group at `now`; days do not go back.
    pub(super) fn group(&mut self, now: Timestamp) {
        self.day = self.day.max(day_of(now));
    }

    /// I1 and I7: one end for each attempt, and no release of an unknown.
    pub(super) fn end(&mut self, rid: AttemptId, amount: Option<i64>) {
        let day = self.day;
        let attempt = self.attempts.get_mut(&rid).expect("it was granted");
        if attempt.end.is_none() && (amount.is_some() || attempt.until.is_none()) {
            attempt.end = Some((day, amount.unwrap_or(0)));
        }
    }

    /// Those that are meant and under way are unknown; a loss dates back to the end of its request.
    pub(super) fn unknown(
        &mut self,
        now: Option<Timestamp>,
        meant: impl Fn(AttemptId, usize) -> bool,
    ) {
        for (rid, attempt) in &mut self.attempts {
            if attempt.end.is_none() && attempt.until.is_none() && meant(*rid, attempt.owner) {
                let from = now.unwrap_or(attempt.time + SignedDuration::from_mins(2));
                let least = now.map_or(attempt.from, |_| self.day);
                attempt.until = Some(day_of(from + attempt.late).max(least));
            }
        }
    }
}

pub(super) fn day_of(time: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(time).date()
}
