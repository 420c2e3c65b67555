//! Verdicts, and the exact rules that lead to them: census, doomed, assured, sample.

use std::cmp::Ordering;
use std::fmt;

use serde::Serialize;

use super::expression::{Operator, Severity};
use super::result::GateResult;

/// What a gate says of the run; a later one is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The condition holds.
    Pass,
    /// The condition holds so far, of a batch that is not whole.
    WeakPass,
    /// What was seen does not decide.
    Inconclusive,
    /// There was nothing to see.
    NoData,
    /// The condition does not hold.
    Fail,
}

impl Verdict {
    /// The verdict as one word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::WeakPass => "weak-pass",
            Self::Inconclusive => "inconclusive",
            Self::NoData => "no-data",
            Self::Fail => "fail",
        }
    }

    /// The verdict as tables show it.
    pub const fn table_word(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::WeakPass => "WEAK",
            Self::Inconclusive => "HOLD",
            Self::NoData => "NODATA",
            Self::Fail => "FAIL",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.word())
    }
}

/// The worst verdict of the gates that count; a pass when there are none.
pub fn overall(results: &[GateResult]) -> Verdict {
    let counting = results.iter().filter(|result| result.severity == Severity::Error);
    counting.map(|result| result.verdict).max().unwrap_or(Verdict::Pass)
}

/// Whether a condition is decided although more may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It cannot pass any more.
    Doomed,
    /// It cannot fail any more.
    Assured,
    /// It can do either.
    Open,
}

/// The fate of `value OP limit` when the final value lies between two bounds, given as how they
/// compare with the limit; a bound that is missing is infinite.
pub(super) fn fate_in_range(
    operator: Operator,
    lowest: Option<Ordering>,
    highest: Option<Ordering>,
) -> Fate {
    let low = lowest.unwrap_or(Ordering::Less);
    let high = highest.unwrap_or(Ordering::Greater);
    let decided = |doomed: bool, assured: bool| match (doomed, assured) {
        (true, _) => Fate::Doomed,
        (false, true) => Fate::Assured,
        (false, false) => Fate::Open,
    };
    let outside = low.is_gt() || high.is_lt();
    let on_it = low.is_eq() && high.is_eq();
    match operator {
        Operator::Less => decided(low.is_ge(), high.is_lt()),
        Operator::AtMost => decided(low.is_gt(), high.is_le()),
        Operator::Greater => decided(high.is_le(), low.is_gt()),
        Operator::AtLeast => decided(high.is_lt(), low.is_ge()),
        Operator::Equal => decided(outside, on_it),
        Operator::NotEqual => decided(on_it, outside),
    }
}

/// How many samples lie below, on and above the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sides {
    pub(super) below: u64,
    pub(super) on: u64,
    pub(super) above: u64,
}

impl Sides {
    pub(super) fn n(self) -> u64 {
        self.below + self.on + self.above
    }

    /// Samples that are not within the limit themselves.
    pub(super) fn n_breaking(self, operator: Operator) -> u64 {
        let Self { below, on, above } = self;
        match operator {
            Operator::Less => on + above,
            Operator::AtMost => above,
            Operator::Greater => below + on,
            Operator::AtLeast => below,
            Operator::Equal => below + above,
            Operator::NotEqual => on,
        }
    }

    /// How the sample of rank `rank` (counted from 1, smallest first) compares with the limit.
    pub(super) fn at_rank(self, rank: u64) -> Ordering {
        if rank <= self.below {
            Ordering::Less
        } else if rank <= self.below + self.on {
            Ordering::Equal
        } else {
            Ordering::Greater
        }
    }

    /// The fate of a nearest-rank gate when up to `n_more` samples may come.
    ///
    /// With r = the rank among N = n + n_more samples, the sample of that rank is below the limit
    /// exactly when at most N - r samples are not; as N - r and r never fall while N grows,
    /// counting with the largest N decides for every smaller one too.
    pub(super) fn fate(self, operator: Operator, rank: Rank, n_more: u64) -> Fate {
        let n = i128::from(self.n()) + i128::from(n_more);
        let r = rank.of(n);
        let (room_above, room_below) = (n - r, r - 1);
        // At most `room` samples may be among `bad`.
        let at_most = |bad: u64, room: i128| {
            let bad = i128::from(bad);
            if bad > room {
                Fate::Doomed
            } else if bad + i128::from(n_more) <= room {
                Fate::Assured
            } else {
                Fate::Open
            }
        };
        let equal = || match (at_most(self.below, room_below), at_most(self.above, room_above)) {
            (Fate::Doomed, _) | (_, Fate::Doomed) => Fate::Doomed,
            (Fate::Assured, Fate::Assured) => Fate::Assured,
            (Fate::Assured | Fate::Open, Fate::Assured | Fate::Open) => Fate::Open,
        };
        match operator {
            Operator::Less => at_most(self.on + self.above, room_above),
            Operator::AtMost => at_most(self.above, room_above),
            Operator::Greater => at_most(self.below + self.on, room_below),
            Operator::AtLeast => at_most(self.below, room_below),
            Operator::Equal => equal(),
            Operator::NotEqual => match equal() {
                Fate::Doomed => Fate::Assured,
                Fate::Assured => Fate::Doomed,
                Fate::Open => Fate::Open,
            },
        }
    }
}

/// Which of the sorted samples a gate looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    Smallest,
    Largest,
    /// The nearest rank of a share in billionths.
    Share(u64),
}

impl Rank {
    /// The rank among `n` samples, counted from 1.
    pub(super) fn of(self, n: i128) -> i128 {
        const WHOLE: i128 = 1_000_000_000;
        match self {
            Self::Smallest => 1,
            Self::Largest => n,
            Self::Share(billionths) => {
                (i128::from(billionths) * n + (WHOLE - 1)).div_euclid(WHOLE).max(1)
            }
        }
    }
}
