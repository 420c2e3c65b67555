use jiff::Timestamp;
use uuid::Uuid;

use super::*;
use crate::domain::event::{JOURNAL_SCHEMA, RowWork, Tags};
use crate::domain::ledger::{CostSource, Evidence, UnknownClass};
use crate::domain::row::Outcome;
use crate::domain::settings::{PaidRetries, PaidRetryOn};

const CENT: NanoUsd = NanoUsd::from_nanos(10_000_000);

fn rid(n: u128) -> AttemptId {
    AttemptId::new(Uuid::from_u128(n))
}

fn work(n: u8) -> Sha256Digest {
    Sha256Digest([n; 32])
}

fn started(n: u128, of: u8) -> RunEvent {
    RunEvent::AttemptStarted(Box::new(AttemptStarted {
        rid: rid(n),
        row: u64::from(of),
        scene_id: SceneId::new(format!("R-{of}")),
        variant: 1,
        attempt: 1,
        max: CENT,
        work: Some(work(of)),
        name: None,
    }))
}

fn ended(n: u128, of: u8, ending: Ending, kind: Option<&'static str>) -> RunEvent {
    RunEvent::AttemptEnded(Box::new(AttemptEnded {
        rid: rid(n),
        row: u64::from(of),
        scene_id: SceneId::new(format!("R-{of}")),
        variant: 1,
        attempt: 1,
        max: CENT,
        expected: CENT,
        ending,
        latency: Duration::from_millis(7),
        kind,
        error: kind.map(str::to_owned),
        provider_request_id: Some("req".into()),
        kept: Vec::new(),
        tags: Tags::unsaid(),
    }))
}

fn stored(n: u128, of: u8) -> RunEvent {
    RunEvent::ImageStored(Box::new(ImageStored {
        rid: rid(n),
        row: u64::from(of),
        scene_id: SceneId::new(format!("R-{of}")),
        variant: 1,
        file: format!("images/R-{of}-v1.png"),
        n_bytes: 9,
        sha256: Some(work(of)),
        pixels: Some((3, 2)),
        flaws: Default::default(),
        look: None,
        ask: None,
        work: None,
    }))
}

fn row_finished(of: u8, outcome: Outcome) -> RunEvent {
    RunEvent::RowFinished(Box::new(RowFinished {
        row: u64::from(of),
        scene_id: SceneId::new(format!("R-{of}")),
        outcome,
        error_kind: Some("throttled"),
        reason: Some("it was put off".to_owned()),
        latency: Some(Duration::from_millis(40)),
        queue: None,
        fetch: Some(Duration::from_millis(3)),
        work: RowWork { attempts: 2, cost: CENT, images_expected: 1, ..RowWork::default() },
        counts_as_error: true,
        tags: Tags::unsaid(),
    }))
}

fn history(events: Vec<RunEvent>) -> History {
    let mut history = History::default();
    for (n, event) in events.into_iter().enumerate() {
        let ts = Timestamp::from_second(1_000 + n as i64).expect("a time");
        history.fold(&Stamped { seq: n as u64 + 1, ts, event });
    }
    history
}

const SETTLED: Ending = Ending::Settled { amount: CENT, source: CostSource::Price };
const RELEASED: Ending = Ending::Released { evidence: Evidence::RateLimited };

const fn unknown(class: UnknownClass) -> Ending {
    Ending::Unknown { class }
}

/// Whatever is written can be read: a line that is read and written again is the same line.
#[test]
fn every_event_is_read_as_it_was_written() {
    let at: Timestamp = "2026-11-29T06:11:00.5Z".parse().expect("a time");
    let begun = RunStarted {
        schema: JOURNAL_SCHEMA,
        run_id: RunId::new(Uuid::from_u128(5)),
        tool: "imagemill 0.1.0".into(),
        identity: work(9),
        rows: 3,
        images: 4,
    };
    let events = vec![
        RunEvent::RunStarted(Box::new(begun.clone())),
        RunEvent::RunResumed(Box::new(begun)),
        RunEvent::RowStarted { row: 1, scene_id: SceneId::new("a \"b\"\n\u{202e}") },
        started(1, 1),
        ended(1, 1, SETTLED, None),
        ended(2, 1, RELEASED, Some("throttled")),
        ended(3, 1, unknown(UnknownClass::ServerError), Some("server-error")),
        stored(1, 1),
        row_finished(1, Outcome::Partial),
        RunEvent::RowsHeld { count: 4 },
        RunEvent::RowsCancelled { count: 5 },
        RunEvent::LaneParked { until: at },
        RunEvent::CircuitOpened { failures: 10, probe_in: Duration::from_secs(5) },
        RunEvent::CircuitClosed,
        RunEvent::ClockDoubted {
            wall: at,
            day: "2026-11-28".parse().expect("a day"),
            reason: "it is late".to_owned(),
        },
        RunEvent::LedgerWaits { pid: Some(4), reason: "it waits".to_owned() },
        RunEvent::ReferenceNews { reason: "a host is slow".to_owned() },
        RunEvent::Overrun {
            rid: rid(1),
            scene_id: SceneId::new("a"),
            model: "m".into(),
            amount: CENT,
            max: CENT,
        },
        RunEvent::Stopping { reason: "it was told to".to_owned() },
        RunEvent::RunFinished { exit: 99, verdict: "fail", reason: "a gate".to_owned() },
    ];
    for event in events {
        let line = serde_json::to_string(&Stamped { seq: 1, ts: at, event }).expect("plain values");
        let read = Stamped::parse(line.as_bytes()).expect(&line).expect(&line);
        assert_eq!(serde_json::to_string(&read).expect("plain values"), line);
    }
}

#[test]
fn what_a_newer_version_adds_is_passed_over_and_what_is_missing_is_told() {
    let read = |text: &str| Stamped::parse(text.as_bytes());
    let line = |event: &str| format!(r#"{{"seq":1,"ts":"2026-11-29T06:11:00Z","event":{event}}}"#);
    assert!(read(&line(r#"{"type":"moon_rose","phase":3}"#)).expect("readable").is_none());
    let more = r#"{"type":"rows_held","count":4,"why":["a","b"]}"#;
    assert!(read(&line(more)).expect("readable").is_some());
    let missing = read(&line(r#"{"type":"rows_held"}"#)).expect_err("no count").to_string();
    assert_eq!(missing, r#"an event of type "rows_held" has no "count""#);
    let newer = line(r#"{"type":"run_started","schema":"imagemill.journal/2"}"#);
    assert!(matches!(read(&newer), Err(LineError::Version(_))));
    for text in ["", "{}", "[]", "nonsense", "\0\0\0"] {
        assert!(matches!(read(text), Err(LineError::Json(_))), "{text:?}");
    }
}

/// The table of phases: where an image stands, and what is done about it by itself.
#[test]
fn each_phase_stands_as_its_table_says() {
    let check = |events: Vec<RunEvent>, expect: Standing| {
        let history = history(events.clone());
        let standing = history.image(&work(1)).map(ImagePast::standing);
        assert_eq!(standing, Some(expect), "{events:?}");
    };
    let lost = unknown(UnknownClass::Timeout);
    check(vec![started(1, 1)], Standing::Out);
    check(vec![started(1, 1), ended(1, 1, SETTLED, None)], Standing::PaidLost);
    check(vec![started(1, 1), ended(1, 1, SETTLED, None), stored(1, 1)], Standing::Stored);
    check(vec![started(1, 1), ended(1, 1, SETTLED, Some("io"))], Standing::PaidLost);
    check(vec![started(1, 1), ended(1, 1, SETTLED, Some("refused"))], Standing::Refused);
    check(vec![started(1, 1), ended(1, 1, SETTLED, Some("not-an-image"))], Standing::Failed);
    check(vec![started(1, 1), ended(1, 1, RELEASED, Some("throttled"))], Standing::Pending);
    check(vec![started(1, 1), ended(1, 1, RELEASED, Some("invalid-request"))], Standing::Failed);
    check(
        vec![started(1, 1), ended(1, 1, lost, Some("timeout"))],
        Standing::Unknown(UnknownClass::Timeout),
    );
    check(
        vec![started(1, 1), ended(1, 1, unknown(UnknownClass::Refusal), None)],
        Standing::Refused,
    );
    // What may have been billed is not forgotten over a later attempt that cost nothing.
    let put_off = vec![
        started(1, 1),
        ended(1, 1, lost, Some("timeout")),
        started(2, 1),
        ended(2, 1, RELEASED, Some("throttled")),
    ];
    check(put_off, Standing::Unknown(UnknownClass::Timeout));
    let healed = vec![
        started(1, 1),
        ended(1, 1, lost, Some("timeout")),
        started(2, 1),
        ended(2, 1, SETTLED, None),
        stored(2, 1),
    ];
    let history = history(healed);
    assert_eq!(history.image(&work(1)).map(|image| image.billed), Some(2));
    assert_eq!((history.n_attempts(), history.n_bought()), (2, 1));
    assert_eq!((history.money().settled, history.money().unknown), (CENT, CENT));
}

fn policy(on: &[PaidRetryOn], attempts: u32) -> PaidRetries {
    PaidRetries { share: "100%".parse().ok(), attempts, on: on.to_vec() }
}

/// Which of seven images are made, by what is asked for.
fn made(only: &[Only], paid: &PaidRetries) -> Vec<u8> {
    let timeout = unknown(UnknownClass::Timeout);
    let history = history(vec![
        started(1, 1),
        ended(1, 1, SETTLED, None),
        stored(1, 1),
        started(2, 2),
        ended(2, 2, timeout, Some("timeout")),
        started(3, 3),
        ended(3, 3, SETTLED, None),
        started(4, 4),
        ended(4, 4, RELEASED, Some("refused")),
        started(5, 5),
        ended(5, 5, RELEASED, Some("invalid-request")),
        started(6, 6),
        ended(6, 6, RELEASED, Some("throttled")),
        row_finished(6, Outcome::Failed),
    ]);
    let mut leftover =
        Leftover::new(LeftoverAsk { history: &history, only, paid, n_images: 7, before: None });
    for n in 1..=7 {
        leftover.add(&SceneId::new(format!("R-{n}")), &[work(n)], true);
    }
    let made = (1..=7_u8).filter(|n| leftover.masks[usize::from(*n) - 1] == 1);
    let made: Vec<u8> = made.collect();
    assert_eq!(leftover.census().images, made.len() as u64);
    made
}

#[test]
fn nothing_that_may_be_billed_is_made_again_by_itself() {
    let all = policy(&PaidRetryOn::ALL, 3);
    assert_eq!(made(&Only::DEFAULT, &all), [6, 7]);
    assert_eq!(made(&[Only::Pending], &all), [6, 7]);
    assert_eq!(made(&[Only::Failed], &all), [5, 6]);
    assert_eq!(made(&[Only::Refused], &all), [4]);
    assert_eq!(made(&[Only::Unknown], &all), [2, 3]);
    assert_eq!(made(&[Only::New], &all), [] as [u8; 0]);
    // Also with --only unknown it takes the kind, the number of attempts, and the allowance.
    assert_eq!(made(&[Only::Unknown], &policy(&[PaidRetryOn::Timeout], 2)), [2]);
    assert_eq!(made(&[Only::Unknown], &policy(&[PaidRetryOn::ServerError], 2)), [] as [u8; 0]);
    assert_eq!(made(&[Only::Unknown], &policy(&PaidRetryOn::ALL, 1)), [] as [u8; 0]);
    let one = PaidRetries { share: "14%".parse().ok(), ..policy(&PaidRetryOn::ALL, 2) };
    assert_eq!(made(&[Only::Unknown], &one), [2], "an allowance of one");
}

/// A ledger that is gone makes nothing free: what was out may have been billed.
#[test]
fn what_was_out_is_unknown_also_when_no_ledger_tells_of_it() {
    let mut history = history(vec![started(1, 1)]);
    let paid = policy(&PaidRetryOn::ALL, 3);
    let made = |history: &History| {
        let only = Only::DEFAULT;
        let ask = LeftoverAsk { history, only: &only, paid: &paid, n_images: 1, before: None };
        let mut leftover = Leftover::new(ask);
        leftover.add(&SceneId::new("R-1"), &[work(1)], true);
        leftover.masks[0]
    };
    assert_eq!(made(&history), 0);
    let events = history.catch_up(&RunAttempts::of(RunId::new(Uuid::nil())), &NoNames);
    assert!(matches!(events[..], [RunEvent::AttemptEnded(_)]), "{events:?}");
    assert_eq!(
        history.image(&work(1)).map(ImagePast::standing),
        Some(Standing::Unknown(UnknownClass::Lost))
    );
    assert_eq!((history.money().unknown, made(&history)), (CENT, 0));
}

#[test]
fn rows_are_told_apart_by_what_they_were() {
    let history = history(vec![
        started(1, 1),
        ended(1, 1, SETTLED, None),
        stored(1, 1),
        started(2, 2),
        ended(2, 2, SETTLED, None),
        stored(2, 2),
    ]);
    let before = ["R-1", "R-2", "R-3", "R-4"].map(SceneId::new);
    let paid = policy(&[], 1);
    let only = Only::DEFAULT;
    let ask = LeftoverAsk {
        history: &history,
        only: &only,
        paid: &paid,
        n_images: 4,
        before: Some(&before),
    };
    let mut leftover = Leftover::new(ask);
    // The third had not had its turn, the second asks for something else, the fifth is new.
    for (name, n) in [("R-3", 3), ("R-1", 1), ("R-2", 22), ("R-5", 5)] {
        leftover.add(&SceneId::new(name), &[work(n)], true);
    }
    let census = leftover.census();
    assert_eq!((census.done, census.pending, census.changed), (1, 1, 1));
    assert_eq!((census.added, census.removed, census.reordered), (1, 1, true));
    assert_eq!(leftover.masks, [1, 0, 1, 1]);
}

#[test]
fn a_run_is_at_work_from_the_first_to_the_last_event_of_each_process() {
    let begun = |run| {
        RunEvent::RunStarted(Box::new(RunStarted {
            schema: JOURNAL_SCHEMA,
            run_id: RunId::new(Uuid::from_u128(run)),
            tool: "t".into(),
            identity: work(1),
            rows: 1,
            images: 1,
        }))
    };
    let mut history = History::default();
    let mut at = |seq, second, event| {
        let ts = Timestamp::from_second(second).expect("a time");
        history.fold(&Stamped { seq, ts, event });
    };
    at(1, 100, begun(1));
    at(2, 104, RunEvent::RowsHeld { count: 1 });
    // A clock that goes back takes no time away, and the pause between two processes is no work.
    at(3, 103, RunEvent::RowsHeld { count: 1 });
    at(4, 9_000, begun(1));
    at(5, 9_002, RunEvent::RunFinished { exit: 0, verdict: "pass", reason: String::new() });
    assert_eq!(history.active, Duration::from_secs(6));
    assert_eq!(history.started_at, Timestamp::from_second(100).ok());
    assert_eq!(history.finished, Some((0, "pass", String::new())));
}

/// What a ledger says of attempts for one work: each with its end, and whether that was cleared up.
fn ledger(of: u8, attempts: &[(u128, Option<Ending>, Option<NanoUsd>)]) -> RunAttempts {
    let run = RunId::new(Uuid::nil());
    let mut ledger = RunAttempts::of(run);
    for (n, (number, end, resolved)) in (1_u32..).zip(attempts) {
        ledger.add(
            rid(*number),
            LedgerAttempt {
                work: work(of),
                row: u64::from(of),
                variant: 1,
                attempt: n,
                max: CENT,
                end: match (end, resolved) {
                    (_, Some(amount)) => LedgerEnd::Resolved(*amount),
                    (Some(end), None) => LedgerEnd::Ended(*end),
                    (None, None) => LedgerEnd::Open,
                },
            },
        );
    }
    ledger
}

#[test]
fn an_attempt_that_may_be_billed_is_not_forgotten_over_an_answer() {
    let lost = unknown(UnknownClass::Timeout);
    for kind in ["refused", "invalid-request"] {
        let events = vec![
            started(1, 1),
            ended(1, 1, lost, Some("timeout")),
            started(2, 1),
            ended(2, 1, RELEASED, Some(kind)),
        ];
        let standing = history(events).image(&work(1)).map(ImagePast::standing);
        assert_eq!(standing, Some(Standing::Unknown(UnknownClass::Timeout)), "{kind}");
    }
}

/// Whoever clears up one attempt says nothing about the others.
#[test]
fn an_image_is_free_to_make_only_when_no_attempt_of_it_is_owed() {
    let lost = unknown(UnknownClass::Timeout);
    let standing = |first: Option<NanoUsd>, second: Option<NanoUsd>| {
        let mut history = history(vec![
            started(1, 1),
            ended(1, 1, lost, Some("timeout")),
            started(2, 1),
            ended(2, 1, lost, Some("timeout")),
        ]);
        let known = ledger(1, &[(1, Some(lost), first), (2, Some(lost), second)]);
        let events = history.catch_up(&known, &NoNames);
        assert!(events.is_empty(), "{events:?}");
        let image = history.image(&work(1)).expect("it has a past");
        (image.standing(), image.billed, history.money().unknown, history.money().settled)
    };
    let (free, two) = (NanoUsd::ZERO, NanoUsd::from_nanos(20_000_000));
    let timeout = Standing::Unknown(UnknownClass::Timeout);
    assert_eq!(standing(None, Some(free)), (timeout, 1, CENT, free));
    assert_eq!(standing(Some(free), None), (timeout, 1, CENT, free));
    assert_eq!(standing(Some(CENT), Some(free)), (Standing::PaidLost, 1, free, CENT));
    assert_eq!(standing(Some(CENT), None), (timeout, 2, CENT, CENT));
    assert_eq!(standing(Some(free), Some(free)), (Standing::Pending, 0, free, free));
    assert_eq!(standing(Some(CENT), Some(CENT)), (Standing::PaidLost, 2, free, two));
}

/// The journal may lag behind by several attempts of one image: each of them gets its end.
#[test]
fn every_attempt_that_the_ledger_knows_is_started_and_ended() {
    let lost = unknown(UnknownClass::Timeout);
    let mut history = history(vec![started(1, 1)]);
    let known = ledger(1, &[(1, Some(lost), None), (2, Some(RELEASED), None), (3, None, None)]);
    let events = history.catch_up(&known, &NoNames);
    let told: Vec<(&str, AttemptId)> = events
        .iter()
        .filter_map(|event| {
            if let RunEvent::AttemptStarted(it) = event {
                return Some(("started", it.rid));
            }
            if let RunEvent::AttemptEnded(it) = event { Some(("ended", it.rid)) } else { None }
        })
        .collect();
    let expect = [("started", rid(3)), ("ended", rid(1)), ("ended", rid(3))];
    assert_eq!(told, expect);
    let image = history.image(&work(1)).expect("it has a past");
    assert_eq!((image.attempts, image.billed), (2, 2));
    assert_eq!(image.standing(), Standing::Unknown(UnknownClass::Lost));
    assert_eq!(history.money().unknown, CENT.saturating_add(CENT));
    assert_eq!((history.n_attempts(), history.n_bought()), (2, 1));
}

/// What was cleared up while nobody was at work is told as it is, not as unknown once more.
#[test]
fn what_was_cleared_up_before_its_end_was_told_is_no_unknown() {
    for (amount, expect) in [(NanoUsd::ZERO, Standing::Pending), (CENT, Standing::PaidLost)] {
        let mut history = history(vec![started(1, 1)]);
        let events = history.catch_up(&ledger(1, &[(1, None, Some(amount))]), &NoNames);
        let [RunEvent::AttemptEnded(ended)] = &events[..] else { panic!("{events:?}") };
        assert!(matches!(ended.ending, Ending::Settled { amount: it, .. } if it == amount));
        let standing = history.image(&work(1)).map(ImagePast::standing);
        assert_eq!(standing, Some(expect), "{amount}");
        assert_eq!((history.money().settled, history.money().unknown), (amount, NanoUsd::ZERO));
    }
}

#[test]
fn rows_without_a_turn_take_nothing_of_the_allowance() {
    let timeout = unknown(UnknownClass::Timeout);
    let events = (1..=3).flat_map(|n| {
        [started(u128::from(n), n), ended(u128::from(n), n, timeout, Some("timeout"))]
    });
    let history = history(events.collect());
    let paid = PaidRetries { share: "34%".parse().ok(), ..policy(&PaidRetryOn::ALL, 2) };
    let only = [Only::Unknown];
    let ask =
        LeftoverAsk { history: &history, only: &only, paid: &paid, n_images: 3, before: None };
    let mut leftover = Leftover::new(ask);
    for n in 1..=3 {
        leftover.add(&SceneId::new(format!("R-{n}")), &[work(n)], n == 2);
    }
    assert_eq!(leftover.masks, [0, 1, 0]);
}
