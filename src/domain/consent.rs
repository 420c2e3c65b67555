//! Consent to spend: when it is given, when it must be asked for, and when there is no way.

use crate::domain::money::NanoUsd;
use crate::domain::settings::Consent;

/// What stands between a plan and its first request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: it costs nothing, or consent was given.
    Granted,
    /// A person has to agree; a large amount has to be typed.
    Ask {
        /// Whether the amount has to be typed.
        by_amount: bool,
    },
    /// Nobody can be asked, and what was said does not cover it.
    Missing(Missing),
}

/// Why consent is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// Nothing was said, and there is no terminal.
    #[error(
        "live mode needs your consent to spend up to {}, and this is not a terminal", .0.dollars()
    )]
    Unsaid(NanoUsd),
    /// `--yes` covers less.
    #[error(
        "the run may cost up to {}, and --yes is answer enough only up to {}",
        .0.dollars(),
        .1.dollars()
    )]
    AboveYes(NanoUsd, NanoUsd),
    /// The plan costs more than was confirmed.
    #[error(
        "the run may cost up to {}, more than the {} of --confirm-cost",
        .0.dollars(),
        .1.dollars()
    )]
    Dearer(NanoUsd, NanoUsd),
}

/// Decides for a plan that may cost up to `maximum`.
pub fn decide(
    consent: &Consent,
    maximum: NanoUsd,
    limit_per_day: NanoUsd,
    can_ask: bool,
) -> Decision {
    if maximum <= NanoUsd::ZERO {
        return Decision::Granted;
    }
    if let Some(confirmed) = consent.confirm_cost {
        return match maximum <= confirmed {
            true => Decision::Granted,
            false => Decision::Missing(Missing::Dearer(maximum, confirmed)),
        };
    }
    if consent.yes && maximum <= consent.confirm_above {
        return Decision::Granted;
    }
    if can_ask {
        // More than half of a day's money deserves a second look.
        let by_amount = maximum.saturating_add(maximum) > limit_per_day;
        return Decision::Ask { by_amount };
    }
    Decision::Missing(match consent.yes {
        true => Missing::AboveYes(maximum, consent.confirm_above),
        false => Missing::Unsaid(maximum),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dollars(n: i64) -> NanoUsd {
        NanoUsd::from_dollars(n)
    }

    #[test]
    fn consent_is_decided_by_what_was_said_and_who_can_be_asked() {
        let check =
            |yes: bool, confirm: Option<i64>, cost: i64, can_ask: bool, expect: Decision| {
                let consent =
                    Consent { yes, confirm_above: dollars(1), confirm_cost: confirm.map(dollars) };
                let decision = decide(&consent, dollars(cost), dollars(10), can_ask);
                assert_eq!(decision, expect, "{yes} {confirm:?} {cost} {can_ask}");
            };
        let ask = |by_amount| Decision::Ask { by_amount };
        let missing = Decision::Missing;
        check(false, None, 0, false, Decision::Granted);
        check(false, None, 1, false, missing(Missing::Unsaid(dollars(1))));
        check(false, None, 1, true, ask(false));
        check(false, None, 5, true, ask(false));
        check(false, None, 6, true, ask(true));
        check(true, None, 1, false, Decision::Granted);
        check(true, None, 2, false, missing(Missing::AboveYes(dollars(2), dollars(1))));
        check(true, None, 2, true, ask(false));
        check(false, Some(8), 8, false, Decision::Granted);
        check(false, Some(8), 9, false, missing(Missing::Dearer(dollars(9), dollars(8))));
        // A script that confirmed less is not asked either: it would hang where nobody looks.
        check(true, Some(8), 9, true, missing(Missing::Dearer(dollars(9), dollars(8))));
    }
}
