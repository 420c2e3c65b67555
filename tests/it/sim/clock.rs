//! A run whose wall clock is set while it runs.

use std::time::Duration;

use imagemill::domain::event::RunEvent;
use imagemill::domain::money::NanoUsd;
use imagemill::pipeline::stop::StopReason;
use jiff::SignedDuration;

use crate::sim::bench::{Act, Bench};
use crate::sim::ran::Ran;

fn jumping(bench: Bench, hours: i64) -> Ran {
    let jump = Act::Jump(SignedDuration::from_hours(hours));
    Bench { acts: vec![(Duration::from_secs(25), jump)], ..bench }.run()
}

fn doubts(ran: &Ran) -> Vec<&str> {
    let mut doubts = Vec::new();
    for event in &ran.events {
        if let RunEvent::ClockDoubted { reason, .. } = event {
            doubts.push(reason.as_str());
        }
    }
    doubts
}

#[test]
fn a_clock_that_is_set_to_another_day_is_told_once_and_the_run_goes_on() {
    for (hours, said) in [(14, "ahead of the time that has passed"), (-34, "never goes back")] {
        let ran = jumping(Bench::new(60), hours);
        assert_eq!(ran.stats.rows.ok, 60);
        let doubts = doubts(&ran);
        assert_eq!(doubts.len(), 1, "{doubts:?}");
        assert!(doubts[0].contains(said), "{doubts:?}");
        assert!(doubts[0].contains("2026-11-21"), "{doubts:?}");
    }
}

#[test]
fn a_clock_that_is_set_within_the_day_is_not_talked_about() {
    let ran = jumping(Bench::new(60), 3);
    assert_eq!((ran.stats.rows.ok, doubts(&ran).len()), (60, 0));
}

#[test]
fn the_money_of_the_old_day_is_all_there_is_and_the_refusal_says_why() {
    let limit = NanoUsd::from_dollars(1);
    let ran = jumping(Bench { limit, ..Bench::new(60) }, 14);
    assert!(ran.stats.rows.ok < 25, "{:?}", ran.stats.rows);
    let [StopReason::Budget(text), ..] = &ran.reasons[..] else { panic!("{:?}", ran.reasons) };
    assert!(text.contains("per day") && text.contains("the ledger stays at 2026-11-21"), "{text}");
}
