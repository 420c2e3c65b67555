//! Which time the ledger's day is read from. A wall clock that jumps ahead must not open the next
//! day's money, so within one process it is believed only as far as time has really passed. What
//! the provider's clock says can forbid a day, and never opens one.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// How far two clocks may be apart and still agree.
pub const TOLERANCE: SignedDuration = SignedDuration::from_secs(60);

/// A clock that is steered runs a little faster than the other one: at most by one part in this
/// many. The fastest steering of common systems is one part in two thousand.
const STEERING: u32 = 1000;

/// The wall clock, held against the time that has passed.
#[derive(Clone, Copy, Debug, Default)]
pub struct DayClock {
    anchor: Option<Anchor>,
}

/// What the wall clock said when so much time had passed.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    wall: Timestamp,
    passed: Duration,
}

/// The wall clock and the ledger's day do not fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// The clock is further ahead than time has passed, so its day was not opened.
    Ahead {
        /// What the clock said.
        wall: Timestamp,
        /// The day that the ledger keeps.
        day: Date,
    },
    /// The clock says a day before the ledger's, which never goes back.
    Behind {
        /// What the clock said.
        wall: Timestamp,
        /// The day that the ledger keeps.
        day: Date,
    },
}

impl DayClock {
    /// The time that is believed when the wall clock says `wall`, and `passed` has passed on a
    /// clock that nobody sets: never later than `wall`, and never more than a minute later than
    /// what has passed since the earliest wall time that was seen.
    pub fn believe(&mut self, wall: Timestamp, passed: Duration) -> Timestamp {
        let Some(anchor) = self.anchor else {
            self.anchor = Some(Anchor { wall, passed });
            return wall;
        };
        let gone = passed.saturating_sub(anchor.passed);
        let expected = later(anchor.wall, gone);
        let furthest = later(expected, gone / STEERING);
        let bound = expected.saturating_add(TOLERANCE).unwrap_or(Timestamp::MAX);
        let next = if wall > bound { expected } else { wall.min(furthest) };
        self.anchor = Some(Anchor { wall: next, passed: passed.max(anchor.passed) });
        wall.min(bound)
    }

    /// The provider says that it was `date` when `passed` had passed. That can only make the time
    /// that is believed earlier.
    pub fn lower(&mut self, date: Timestamp, passed: Duration) {
        let known = self.anchor.map(|it| later(it.wall, passed.saturating_sub(it.passed)));
        if known.is_none_or(|known| date < known) {
            self.anchor = Some(Anchor { wall: date, passed });
        }
    }
}

impl Doubt {
    /// What is to be said about a clock that says `wall` while the ledger is at `day`.
    pub fn of(wall: Timestamp, day: Date, zone: &TimeZone) -> Option<Self> {
        let day_of = |time: Timestamp| zone.to_datetime(time).date();
        // Another process may have seen midnight a moment earlier.
        let latest = wall.saturating_add(TOLERANCE).unwrap_or(Timestamp::MAX);
        if day_of(wall) > day {
            Some(Self::Ahead { wall, day })
        } else if day_of(latest) < day {
            Some(Self::Behind { wall, day })
        } else {
            None
        }
    }
}

impl std::fmt::Display for Doubt {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ahead { wall, day } => write!(
                out,
                "this machine's clock says {wall:.0}, ahead of the time that has passed or of the \
                 provider's clock: the ledger stays at {day}, and no later day's money is opened"
            ),
            Self::Behind { wall, day } => write!(
                out,
                "this machine's clock says {wall:.0}, but the ledger has reached {day}, and its \
                 day never goes back"
            ),
        }
    }
}

/// The latest day that it may be by the provider's clock, which said `date` in an answer that took
/// so long: nobody knows at which moment of it.
pub fn latest_day(date: Timestamp, took: Duration, zone: &TimeZone) -> Date {
    let latest = later(date, took).saturating_add(TOLERANCE).unwrap_or(Timestamp::MAX);
    zone.to_datetime(latest).date()
}

/// Whether our clock was ahead: it said `sent` before a request left, and the answer, which came
/// later, says that it is `date`.
pub fn is_ahead(sent: Timestamp, date: Timestamp) -> bool {
    sent.duration_since(date) > TOLERANCE
}

fn later(time: Timestamp, by: Duration) -> Timestamp {
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn the_wall_clock_is_believed_only_as_far_as_time_has_passed() {
        // What the wall clock says, what has passed in seconds, and what is believed.
        let table = [
            ("10:00:00", 0, "10:00:00"),
            ("10:00:30", 30, "10:00:30"),
            ("10:01:20", 30, "10:01:20"),
            ("10:02:00", 60, "10:02:00"),
            ("10:02:01", 60, "10:02:00"),
            ("23:00:00", 120, "10:03:00"),
            ("22:00:00", 3600, "11:01:00"),
            ("09:00:00", 3660, "09:00:00"),
            ("10:00:00", 3720, "09:02:00"),
            ("10:00:00", 7200, "10:00:00"),
        ];
        let mut clock = DayClock::default();
        for (wall, passed, believed) in table {
            let wall = at(&format!("2026-11-21T{wall}Z"));
            let expected = at(&format!("2026-11-21T{believed}Z"));
            // Clocks that agree may run apart by a thousandth of what has passed.
            let found = clock.believe(wall, secs(passed));
            assert!(
                found.duration_since(expected).abs() <= SignedDuration::from_secs(4),
                "{found}"
            );
        }
    }

    #[test]
    fn a_machine_that_slept_opens_the_next_day() {
        let mut clock = DayClock::default();
        clock.believe(at("2026-11-21T22:00:00Z"), secs(0));
        let awake = at("2026-11-22T08:00:00Z");
        assert_eq!(clock.believe(awake, secs(10 * 3600)), awake);
    }

    #[test]
    fn a_date_can_forbid_a_day_and_never_opens_one() {
        let mut clock = DayClock::default();
        clock.believe(at("2026-11-21T12:00:00Z"), secs(0));
        clock.lower(at("2026-11-25T12:00:00Z"), secs(10));
        let wall = at("2026-11-21T12:00:20Z");
        assert_eq!(clock.believe(wall, secs(20)), wall, "a later date changes nothing");
        clock.lower(at("2026-11-20T12:00:30Z"), secs(30));
        let believed = clock.believe(at("2026-11-21T12:00:40Z"), secs(40));
        assert_eq!(believed, at("2026-11-20T12:01:40Z"));
    }

    #[test]
    fn a_slow_answer_proves_nothing() {
        let sent = at("2026-11-21T23:59:00Z");
        assert!(!is_ahead(sent, at("2026-11-22T00:20:00Z")), "it took twenty minutes");
        assert!(!is_ahead(sent, at("2026-11-21T23:58:00Z")));
        assert!(is_ahead(sent, at("2026-11-21T23:57:59Z")));
    }

    #[test]
    fn the_providers_day_is_the_latest_that_it_can_be() {
        let of = |text, took| latest_day(at(text), secs(took), &TimeZone::UTC).to_string();
        assert_eq!(of("2026-11-21T23:58:59Z", 0), "2026-11-21");
        assert_eq!(of("2026-11-21T23:59:00Z", 0), "2026-11-22");
        assert_eq!(of("2026-11-21T23:50:00Z", 600), "2026-11-22");
    }

    #[test]
    fn doubts_are_told_when_the_days_differ() {
        let zone = TimeZone::UTC;
        let day = "2026-11-21".parse().expect("a day");
        let of = |text: &str| Doubt::of(at(text), day, &zone);
        assert_eq!(of("2026-11-21T00:00:00Z"), None);
        assert_eq!(of("2026-11-21T23:59:59Z"), None);
        assert!(matches!(of("2026-11-22T00:00:00Z"), Some(Doubt::Ahead { .. })));
        assert_eq!(of("2026-11-20T23:59:30Z"), None, "another process was a moment earlier");
        let behind = of("2026-11-20T12:00:00Z").expect("a doubt");
        let shown = "this machine's clock says 2026-11-20T12:00:00Z, but the ledger has reached \
                     2026-11-21, and its day never goes back";
        assert_eq!(behind.to_string(), shown);
    }

    proptest! {
        /// Whatever the wall clock and the provider say, in whichever steps.
        #[test]
        fn no_time_is_believed_before_it_has_passed(
            steps in prop::collection::vec((0_u64..5000, -9999_i64..9999, any::<bool>()), 1..60),
        ) {
            let start = at("2026-11-21T12:00:00Z");
            let mut clock = DayClock::default();
            prop_assert_eq!(clock.believe(start, Duration::ZERO), start);
            let mut passed = Duration::ZERO;
            for (gone, shift, is_date) in steps {
                passed += secs(gone);
                let true_time = later(start, passed);
                let said = true_time + SignedDuration::from_mins(shift);
                if is_date {
                    clock.lower(said, passed);
                    continue;
                }
                let believed = clock.believe(said, passed);
                prop_assert!(believed <= said);
                let furthest = later(true_time, passed / STEERING);
                prop_assert!(believed <= furthest.saturating_add(TOLERANCE).expect("near"));
            }
        }

        /// A wall clock that is right, but for a minute, is believed.
        #[test]
        fn a_clock_that_agrees_is_believed(
            steps in prop::collection::vec((0_u64..5000, 0_i64..30), 1..60),
        ) {
            let start = at("2026-11-21T12:00:00Z");
            let mut clock = DayClock::default();
            let mut passed = Duration::ZERO;
            for (gone, shift) in steps {
                passed += secs(gone);
                let said = later(start, passed).saturating_add(SignedDuration::from_secs(shift));
                let said = said.expect("near");
                prop_assert_eq!(clock.believe(said, passed), said);
            }
        }
    }
}
