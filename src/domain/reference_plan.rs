//! The addresses of a batch by their expiry: which rows go first, and which would come too late.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::signed_url::Lifetime;

/// How much later than forecast a row may come, in percent of the forecast: a provider that is a
/// little slower than usual must not make a row too late that was called fresh.
const MARGIN_PERCENT: u32 = 20;

/// How many addresses of a batch are what; each is counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreshnessCounts {
    /// They outlive the moment at which their row is fetched, or are read from a bucket.
    pub fresh: u64,
    /// Of those, the ones that are read from a bucket, with the user's credentials.
    #[serde(default)]
    pub in_buckets: u64,
    /// They will be signed anew before they are fetched.
    pub refreshed: u64,
    /// They say no expiry.
    pub unknown: u64,
    /// They will be dead by then, and nobody can sign them anew.
    pub doomed: u64,
}

/// A row whose address will be dead when its turn comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLate {
    /// Its position in the index of rows.
    pub position: u32,
    /// When the address dies.
    pub expires: Timestamp,
    /// When the row is expected to be fetched.
    pub start: Timestamp,
}

/// The addresses of a batch, twelve bytes for each that says when it ends.
#[derive(Clone, Debug, Default)]
pub struct UrlLives {
    lives: Vec<UrlLife>,
    n_unknown: u64,
    n_in_buckets: u64,
}

#[derive(Clone, Copy, Debug)]
struct UrlLife {
    position: u32,
    /// Seconds since 1970.
    expires: u32,
    can_refresh: bool,
}

/// What is known of the moment at which rows are fetched.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The start of the run.
    pub now: Timestamp,
    /// How long the whole run takes.
    pub whole: Duration,
    /// The images of the whole run.
    pub images: u64,
    /// How long an address must live beyond the start of its fetch.
    pub least_life: Duration,
}

impl Pace {
    /// The moment before which a row is fetched that has so many images before it.
    pub fn start(&self, images_before: u64) -> Timestamp {
        let whole_ms = self.whole.as_millis() * u128::from(100 + MARGIN_PERCENT) / 100;
        let after = whole_ms * u128::from(images_before) / u128::from(self.images.max(1));
        later(self.now, Duration::from_millis(u64::try_from(after).unwrap_or(u64::MAX)))
    }
}

/// A moment so much later, as far as the calendar goes.
fn later(from: Timestamp, by: Duration) -> Timestamp {
    let by = jiff::SignedDuration::try_from(by).unwrap_or(jiff::SignedDuration::MAX);
    from.checked_add(by).unwrap_or(Timestamp::MAX)
}

impl UrlLives {
    /// Takes an address of the row at a position; rows come in the order of their positions.
    pub fn add(&mut self, position: u32, lifetime: &Lifetime, can_refresh: bool) {
        let Some(expires) = lifetime.expires else {
            self.n_unknown += 1;
            return;
        };
        // What ended before 1970 is dead, and what lives beyond 2106 lives on.
        let expires = u32::try_from(expires.as_second().max(0)).unwrap_or(u32::MAX);
        self.lives.push(UrlLife { position, expires, can_refresh });
    }

    /// Takes an address that is read from its bucket, where nothing expires.
    pub const fn add_in_bucket(&mut self) {
        self.n_in_buckets += 1;
    }

    /// Whether there is any address whose end is known.
    pub fn is_empty(&self) -> bool {
        self.lives.is_empty()
    }

    /// The rows among `selected` whose addresses end at a known time, in the order in which they
    /// should be fetched: what nobody can sign anew comes first, then the earliest end.
    pub fn earliest_first(&self, selected: impl Iterator<Item = u32>) -> Vec<u32> {
        let mut first: BTreeMap<u32, (bool, u32)> = BTreeMap::new();
        for life in &self.lives {
            let key = (life.can_refresh, life.expires);
            first.entry(life.position).and_modify(|it| *it = key.min(*it)).or_insert(key);
        }
        let mut rows: Vec<((bool, u32), u32)> = selected
            .filter_map(|position| first.get(&position).map(|key| (*key, position)))
            .collect();
        rows.sort_unstable();
        rows.into_iter().map(|(_, position)| position).collect()
    }

    /// Judges every address whose row has a place in `order`, given as the position of the row and
    /// its images; rows behind them have no address that is known to end.
    pub fn judge(
        &self,
        order: impl Iterator<Item = (u32, u64)>,
        pace: &Pace,
    ) -> (FreshnessCounts, Vec<TooLate>) {
        let mut counts = FreshnessCounts {
            fresh: self.n_in_buckets,
            in_buckets: self.n_in_buckets,
            unknown: self.n_unknown,
            ..FreshnessCounts::default()
        };
        let known: BTreeSet<u32> = self.lives.iter().map(|life| life.position).collect();
        let mut starts = BTreeMap::new();
        let mut images_before = 0;
        for (position, images) in order {
            if starts.len() == known.len() {
                break;
            }
            if known.contains(&position) {
                starts.insert(position, pace.start(images_before));
            }
            images_before += images;
        }
        let mut too_late: Vec<TooLate> = Vec::new();
        for life in &self.lives {
            let Some(start) = starts.get(&life.position).copied() else { continue };
            let expires =
                Timestamp::from_second(i64::from(life.expires)).expect("a time before 2107");
            if life.expires == u32::MAX || expires >= later(start, pace.least_life) {
                counts.fresh += 1;
            } else if life.can_refresh {
                counts.refreshed += 1;
            } else {
                counts.doomed += 1;
                if too_late.last().is_none_or(|last| last.position != life.position) {
                    too_late.push(TooLate { position: life.position, expires, start });
                }
            }
        }
        (counts, too_late)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(NOW + second).expect("in range")
    }

    fn life(second: i64) -> Lifetime {
        Lifetime { expires: Some(at(second)), is_signed: true, ..Lifetime::default() }
    }

    fn pace(images: u64) -> Pace {
        Pace {
            now: at(0),
            whole: Duration::from_secs(10 * images),
            images,
            least_life: Duration::from_secs(300),
        }
    }

    #[test]
    fn what_nobody_can_sign_anew_goes_first_and_the_earliest_end_before_others() {
        let mut lives = UrlLives::default();
        for (position, second, can_refresh) in
            [(0, 100, true), (1, 900, false), (2, 500, false), (4, 50, true), (4, 9_000, false)]
        {
            lives.add(position, &life(second), can_refresh);
        }
        lives.add(5, &Lifetime::default(), false);
        assert_eq!(lives.earliest_first(0..6), [2, 1, 4, 0]);
        assert_eq!(lives.earliest_first([0, 1, 5].into_iter()), [1, 0]);
    }

    #[test]
    fn every_address_is_one_of_four_and_the_dead_are_named() {
        let mut lives = UrlLives::default();
        lives.add_in_bucket();
        lives.add(0, &life(301), false);
        lives.add(1, &life(311), false);
        lives.add(2, &life(250), true);
        lives.add(3, &Lifetime::default(), false);
        lives.add(4, &life(250), false);
        lives.add(4, &life(251), false);
        let (counts, too_late) = lives.judge((0..6).map(|row| (row, 1)), &pace(6));
        let expect =
            FreshnessCounts { fresh: 2, in_buckets: 1, refreshed: 1, unknown: 1, doomed: 3 };
        assert_eq!(counts, expect);
        let named: Vec<(u32, Timestamp)> =
            too_late.iter().map(|it| (it.position, it.start)).collect();
        // A row with one image before it starts after 10 s, and 20 % more.
        assert_eq!(named, [(1, at(12)), (4, at(48))]);
        assert_eq!(too_late[0].expires, at(311));
    }

    #[test]
    fn rows_that_are_not_sent_are_not_judged_and_far_ends_do_not_overflow() {
        let mut lives = UrlLives::default();
        lives.add(7, &life(1), false);
        let far = Lifetime { expires: Some(Timestamp::MAX), ..Lifetime::default() };
        lives.add(8, &far, false);
        let slow = Pace { whole: Duration::MAX, ..pace(2) };
        let (counts, too_late) = lives.judge([(8, u64::from(u32::MAX)), (9, 1)].into_iter(), &slow);
        assert_eq!((counts.fresh, counts.doomed, too_late.len()), (1, 0, 0));
        assert_eq!(slow.start(2), Timestamp::MAX);
    }
}
