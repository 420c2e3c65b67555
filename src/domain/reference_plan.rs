//! The addresses of a batch by their expiry: which rows go first, and which would come too late.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::freshness::{Claim, decide};
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

/// A row whose address cannot be used when its turn comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooLate {
    /// Its position in the index of rows.
    pub position: u32,
    /// Which of its references, counted from 0; the mask stands behind them.
    pub reference: u8,
    /// What speaks against it, as a sentence goes on behind the address.
    pub reason: String,
    /// When the row is expected to be fetched.
    pub start: Timestamp,
}

/// The addresses of a batch, sixteen bytes for each.
#[derive(Clone, Debug, Default)]
pub struct UrlLives {
    /// In the order of the positions.
    lives: Vec<UrlLife>,
    /// Why some can never be read; there are few different reasons.
    reasons: Vec<&'static str>,
}

#[derive(Clone, Copy, Debug)]
struct UrlLife {
    position: u32,
    /// Seconds since 1970; 0 when it says no end.
    expires: u32,
    /// Seconds since 1970; 0 when it says no beginning.
    begins: u32,
    reference: u8,
    /// Which of the reasons, counted from 1; 0 for none.
    unusable: u8,
    can_refresh: bool,
    is_in_bucket: bool,
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
    /// How long the fetch of an address may take with all its tries.
    pub need: Duration,
    /// How long an address must live when its row is claimed.
    pub fresh_for: Duration,
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
    /// Takes an address of the row at a position, and which of its references it is; rows come in
    /// the order of their positions.
    pub fn add(&mut self, position: u32, reference: u8, lifetime: &Lifetime, can_refresh: bool) {
        let unusable = lifetime.unusable.map_or(0, |reason| {
            let known = self.reasons.iter().position(|it| *it == reason);
            let index = known.unwrap_or_else(|| {
                self.reasons.push(reason);
                self.reasons.len() - 1
            });
            u8::try_from(index + 1).unwrap_or(u8::MAX)
        });
        self.lives.push(UrlLife {
            position,
            reference,
            expires: lifetime.expires.map_or(0, seconds),
            begins: lifetime.not_before.map_or(0, seconds),
            unusable,
            can_refresh,
            is_in_bucket: false,
        });
    }

    /// Takes an address that is read from its bucket, where nothing expires.
    pub fn add_in_bucket(&mut self, position: u32, reference: u8) {
        self.add(position, reference, &Lifetime::default(), false);
        if let Some(life) = self.lives.last_mut() {
            life.is_in_bucket = true;
        }
    }

    /// Whether there is any address whose end is known.
    pub fn has_ends(&self) -> bool {
        self.lives.iter().any(|life| life.expires != 0)
    }

    /// The rows among `selected` that have addresses, in the order in which they should be fetched:
    /// what ends and cannot be signed anew comes first, then what ends, the earliest end before
    /// others; then what says no end, which may come all the same. Objects in buckets can wait.
    pub fn earliest_first(&self, selected: impl Iterator<Item = u32>) -> Vec<u32> {
        if self.lives.iter().all(|life| life.is_in_bucket) {
            return Vec::new();
        }
        let mut rows: Vec<((u8, u32), u32)> = selected
            .filter_map(|position| {
                let of_row = self.of_row(position).iter().filter(|life| !life.is_in_bucket);
                let key = of_row.map(|life| match (life.expires, life.can_refresh) {
                    (0, _) => (2, 0),
                    (expires, false) => (0, expires),
                    (expires, true) => (1, expires),
                });
                key.min().map(|key| (key, position))
            })
            .collect();
        rows.sort_unstable();
        rows.into_iter().map(|(_, position)| position).collect()
    }

    /// Judges the addresses of the rows in `order`, given as the position of the row and its
    /// images. A row that comes too late takes no time of those behind it.
    pub fn judge(
        &self,
        order: impl Iterator<Item = (u32, u64)>,
        pace: &Pace,
    ) -> (FreshnessCounts, Vec<TooLate>) {
        let mut counts = FreshnessCounts::default();
        let mut too_late = Vec::new();
        if self.lives.is_empty() {
            return (counts, too_late);
        }
        let mut images_before = 0;
        for (position, images) in order {
            let start = pace.start(images_before);
            let mut first = None;
            for life in self.of_row(position) {
                match self.claim(life, start, pace) {
                    Claim::Fetch if life.is_in_bucket => {
                        counts.fresh += 1;
                        counts.in_buckets += 1;
                    }
                    Claim::Fetch if life.expires == 0 => counts.unknown += 1,
                    Claim::Fetch => counts.fresh += 1,
                    Claim::Refresh => counts.refreshed += 1,
                    Claim::Reject(reason) => {
                        counts.doomed += 1;
                        let reference = life.reference;
                        first.get_or_insert(TooLate { position, reference, reason, start });
                    }
                }
            }
            match first {
                Some(late) => too_late.push(late),
                None => images_before += images,
            }
        }
        (counts, too_late)
    }

    /// What is done with an address at a moment; one that is dead already says so by the present.
    fn claim(&self, life: &UrlLife, start: Timestamp, pace: &Pace) -> Claim {
        let lifetime = Lifetime {
            expires: moment(life.expires),
            not_before: moment(life.begins),
            unusable: life.unusable.checked_sub(1).map(|index| self.reasons[usize::from(index)]),
            ..Lifetime::default()
        };
        let Pace { now, need, fresh_for, .. } = *pace;
        let at = |when| decide(&lifetime, when, need, fresh_for, life.can_refresh);
        match at(start) {
            Claim::Reject(_) if matches!(at(now), Claim::Reject(_)) => at(now),
            Claim::Reject(reason) => {
                let end = moment(life.expires).map_or(String::new(), |it| format!(" ({it:.0})"));
                Claim::Reject(format!(
                    "{reason}{end} when the turn of its row comes, at about {start:.0}"
                ))
            }
            claim @ (Claim::Fetch | Claim::Refresh) => claim,
        }
    }

    fn of_row(&self, position: u32) -> &[UrlLife] {
        let from = self.lives.partition_point(|life| life.position < position);
        let n = self.lives[from..].iter().take_while(|life| life.position == position).count();
        &self.lives[from..from + n]
    }
}

/// What ended before 1970 is dead since then, and what lives beyond 2106 lives on.
fn seconds(moment: Timestamp) -> u32 {
    u32::try_from(moment.as_second().max(1)).unwrap_or(u32::MAX)
}

fn moment(seconds: u32) -> Option<Timestamp> {
    match seconds {
        0 => None,
        u32::MAX => Some(Timestamp::MAX),
        seconds => Timestamp::from_second(i64::from(seconds)).ok(),
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
            need: Duration::from_secs(40),
            fresh_for: Duration::from_secs(300),
        }
    }

    #[test]
    fn what_nobody_can_sign_anew_goes_first_and_no_known_end_before_none_at_all_row_87() {
        let mut lives = UrlLives::default();
        for (position, second, can_refresh) in
            [(0, 100, true), (1, 900, false), (2, 500, false), (4, 50, true), (4, 9_000, false)]
        {
            lives.add(position, 0, &life(second), can_refresh);
        }
        lives.add(5, 0, &Lifetime::default(), false);
        lives.add_in_bucket(6, 0);
        assert_eq!(lives.earliest_first(0..8), [2, 1, 4, 0, 5]);
        assert_eq!(lives.earliest_first([0, 1, 6].into_iter()), [1, 0]);
    }

    #[test]
    fn every_address_is_one_of_four_and_the_dead_are_named() {
        let mut lives = UrlLives::default();
        lives.add(0, 0, &life(301), false);
        lives.add(1, 0, &life(311), false);
        lives.add(2, 0, &life(250), true);
        lives.add(3, 0, &Lifetime::default(), false);
        lives.add(4, 0, &life(9_000), false);
        lives.add(4, 1, &life(251), false);
        lives.add_in_bucket(5, 0);
        let (counts, too_late) = lives.judge((0..6).map(|row| (row, 1)), &pace(6));
        let expect =
            FreshnessCounts { fresh: 3, in_buckets: 1, refreshed: 1, unknown: 1, doomed: 2 };
        assert_eq!(counts, expect);
        // A row with one image before it starts after 10 s, and 20 % more.
        let named: Vec<(u32, u8, Timestamp)> =
            too_late.iter().map(|it| (it.position, it.reference, it.start)).collect();
        assert_eq!(named, [(1, 0, at(12)), (4, 1, at(36))]);
        assert!(too_late[0].reason.contains("when the turn of its row comes"), "{too_late:?}");
        assert!(too_late[1].reason.contains("lives for 4m 11s more"), "{too_late:?}");
    }

    #[test]
    fn rows_that_come_too_late_take_no_time_of_the_others() {
        let (mut alone, mut behind) = (UrlLives::default(), UrlLives::default());
        for row in 0..100 {
            behind.add(row, 0, &life(-5), false);
            alone.add(row, 0, &life(1_500), false);
        }
        for row in 100..200 {
            behind.add(row, 0, &life(1_500), false);
        }
        let pace = pace(200);
        let (counts, _) = alone.judge((0..100).map(|row| (row, 1)), &pace);
        let (with_dead, _) = behind.judge((0..200).map(|row| (row, 1)), &pace);
        assert_eq!((with_dead.fresh, with_dead.doomed), (counts.fresh, counts.doomed + 100));
    }

    #[test]
    fn what_can_never_be_read_or_not_yet_is_doomed_with_its_reason() {
        let mut lives = UrlLives::default();
        let never = Lifetime { unusable: Some("does not allow reading"), ..life(9_000) };
        let not_yet = Lifetime { not_before: Some(at(8_000)), ..life(9_000) };
        lives.add(0, 0, &never, false);
        lives.add(1, 0, &not_yet, false);
        lives.add(2, 0, &never, true);
        let (counts, too_late) = lives.judge((0..3).map(|row| (row, 1)), &pace(3));
        assert_eq!((counts.doomed, counts.refreshed, counts.fresh), (2, 1, 0));
        assert_eq!(too_late[0].reason, "does not allow reading");
        assert!(too_late[1].reason.starts_with("is not valid before"), "{too_late:?}");
    }

    #[test]
    fn rows_that_are_not_sent_are_not_judged_and_far_ends_do_not_overflow() {
        let mut lives = UrlLives::default();
        lives.add(7, 0, &life(1), false);
        let far = Lifetime { expires: Some(Timestamp::MAX), ..Lifetime::default() };
        lives.add(8, 0, &far, false);
        let slow = Pace { whole: Duration::MAX, ..pace(2) };
        let (counts, too_late) = lives.judge([(8, u64::from(u32::MAX)), (9, 1)].into_iter(), &slow);
        assert_eq!((counts.fresh, counts.doomed, too_late.len()), (1, 0, 0));
        assert_eq!(slow.start(2), Timestamp::MAX);
    }
}
