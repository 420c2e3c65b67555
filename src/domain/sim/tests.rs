use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn spec(text: &str) -> SimSpec {
    text.parse().expect(text)
}

fn reply(spec: &SimSpec, row: u64, variant: u8, attempt: u32) -> SimReply {
    spec.reply(&SimKey { row, variant, attempt })
}

#[test]
fn specifications_are_read_and_written() {
    let check = |text: &str, canonical: &str| {
        let read = spec(text);
        assert_eq!(read.to_string(), canonical, "{text}");
        assert_eq!(spec(canonical), read, "{text}");
    };
    check("", "latency=12s");
    check(
        "latency=12s±30%,errors=2%,429=5%,refusals=1%,seed=7",
        "latency=12s±30%,errors=2%,429=5%,refusals=1%,seed=7",
    );
    check("latency=1500ms +- 0.25% , throttles=5%", "latency=1s 500ms±0.25%,429=5%");
    check("seed=18446744073709551615", "latency=12s,seed=18446744073709551615");
    check(
        "zero-usage=1%,drops=2%,empty=3%,malformed=4%,truncated=5%",
        "latency=12s,drops=2%,truncated=5%,malformed=4%,empty=3%,zero-usage=1%",
    );
    check(
        "timeouts=0.0001%,bad-requests=99%,not-images=0.9999%,retry-after=1m",
        "latency=12s,timeouts=0.0001%,bad-requests=99%,not-images=0.9999%,retry-after=1m",
    );
    check("errors=100%,latency=0s", "latency=0s,errors=100%");
    let live = SimSpec::live_default().overridden("errors=2%").expect("valid");
    assert_eq!(live.to_string(), "latency=50ms,errors=2%");
    assert_eq!(SimSpec::default().to_string(), "latency=12s");
}

#[test]
fn a_mistake_is_named_with_its_column() {
    let check = |text: &str, message: &str| {
        let error = text.parse::<SimSpec>().expect_err(text).to_string();
        assert!(error.starts_with(message), "{text}: {error}");
    };
    check("eror=2%", "column 1: unknown key \"eror\", did you mean \"errors\"?; the keys are ");
    check("latency=12s±30%,foo=1", "column 17: unknown key \"foo\"; the keys are latency, ");
    check("seed=7, errors", "column 9: \"errors\" has no value; write key=value");
    check("seed=7,", "column 8: \"\" has no value");
    check("429=1%,throttles=2%", "column 8: \"429\" is given twice");
    check("errors=2", "column 8: \"2\" is not a percentage");
    check("errors=-2%", "column 8: \"-2%\" is not a percentage");
    check("errors=0.00001%", "column 8: \"0.00001%\" is not a percentage");
    check("errors=101%", "column 8: \"101%\" is not a percentage");
    check("seed=1,latency=12", "column 16: \"12\" is not a time up to 24h");
    check("latency=25h", "column 9: \"25h\" is not a time up to 24h");
    check("latency=1s±130%", "column 9: \"1s±130%\" is not a percentage");
    check("seed=-1", "column 6: \"-1\" is not a whole number");
    check("errors=60%,429=50%", "the shares add up to 110%, more than 100%");
}

#[test]
fn the_draws_of_a_seed_are_pinned() {
    let rough = spec("latency=12s±30%,errors=10%,429=20%,refusals=10%,timeouts=5%,seed=7");
    let shown: Vec<_> = (1..=3)
        .flat_map(|variant| (1..=4).map(move |attempt| (variant, attempt)))
        .map(|(variant, attempt)| {
            let key = SimKey::of("BATCH-001", variant, attempt);
            let reply = rough.reply(&key);
            format!("{:?} {}", reply.kind, reply.latency.as_millis())
        })
        .collect();
    let expected = [
        "Image 10252",
        "Refused 10340",
        "Refused 12027",
        "Image 12784",
        "Image 14717",
        "RateLimited { retry_after: 2s } 50",
        "Image 14066",
        "Image 14539",
        "Image 10270",
        "Refused 12985",
        "Image 12307",
        "RateLimited { retry_after: 2s } 50",
    ];
    assert_eq!(shown, expected, "a seed must mean the same in every version");
}

#[test]
fn a_row_name_has_a_stable_hash() {
    assert_eq!(SimKey::row_of(""), 0xcbf2_9ce4_8422_2325);
    assert_eq!(SimKey::row_of("a"), 0xaf63_dc4c_8601_ec8c);
    assert_eq!(SimKey::row_of("foobar"), 0x8594_4171_f739_67e8);
}

#[test]
fn shares_come_out_as_asked() {
    let rough = spec(
        "latency=12s±30%,errors=2%,429=5%,refusals=1%,timeouts=0.5%,bad-requests=3%,\
         not-images=10%,drops=4%,truncated=3%,malformed=2%,empty=1%,zero-usage=6%,seed=3",
    );
    let n = 100_000_u64;
    let mut counts = [0_u64; 12];
    let (mut sum, mut images) = (Duration::ZERO, 0);
    for row in 0..n {
        let reply = reply(&rough, row, 1, 1);
        let kind = match reply.kind {
            SimKind::ServerError => 0,
            SimKind::RateLimited { .. } => 1,
            SimKind::Refused => 2,
            SimKind::TimedOut => 3,
            SimKind::BadRequest => 4,
            SimKind::NotAnImage => 5,
            SimKind::Image => 6,
            SimKind::Dropped => 7,
            SimKind::Truncated => 8,
            SimKind::Malformed => 9,
            SimKind::Empty => 10,
            SimKind::NoUsage => 11,
        };
        counts[kind] += 1;
        if reply.kind == SimKind::Image {
            let seconds = reply.latency.as_secs_f64();
            assert!((8.4..=15.6).contains(&seconds), "{seconds}");
            (sum, images) = (sum + reply.latency, images + 1);
        }
    }
    let expected_ppm = [
        20_000_u64, 50_000, 10_000, 5_000, 30_000, 100_000, 625_000, 40_000, 30_000, 20_000,
        10_000, 60_000,
    ];
    for (count, ppm) in counts.into_iter().zip(expected_ppm) {
        let mean = n as f64 * ppm as f64 / 1e6;
        let spread = (mean * (1.0 - ppm as f64 / 1e6)).sqrt();
        let off = (count as f64 - mean).abs() / spread;
        assert!(off < 4.0, "{count} of {n}, expected {mean}, {off} standard errors away");
    }
    let mean = sum.as_secs_f64() / f64::from(images);
    assert!((mean - 12.0).abs() < 0.05, "mean latency {mean}");
}

#[test]
fn quick_answers_are_quick_and_lost_ones_slow() {
    let latency = |text: &str| reply(&spec(text), 1, 1, 1).latency;
    assert_eq!(latency("429=100%"), Duration::from_millis(50));
    assert_eq!(latency("bad-requests=100%,latency=10ms"), Duration::from_millis(10));
    assert_eq!(latency("errors=100%"), Duration::from_secs(12));
    assert_eq!(latency("timeouts=100%"), Duration::from_secs(300));
    let wait = Duration::from_secs(9);
    let throttled = reply(&spec("429=100%,retry-after=9s"), 1, 1, 1).kind;
    assert_eq!(throttled, SimKind::RateLimited { retry_after: wait });
}

#[test]
fn a_steady_run_is_forecast_exactly() {
    let check = |images, concurrency, seconds| {
        let forecast = forecast(images, concurrency, &SimSpec::default());
        assert_eq!(forecast, Duration::from_secs(seconds), "{images} at {concurrency}");
    };
    check(199, 8, 300);
    check(200, 8, 300);
    check(201, 8, 312);
    check(1, 8, 12);
    check(0, 8, 0);
    check(5, 0, 60);
    check(1_000_000, 8, 1_500_000);
    let far = forecast(u64::MAX, 1, &SimSpec::default());
    assert!(far > Duration::from_secs(u64::MAX / 2), "{far:?}");
}

#[test]
fn a_pace_is_forecast_too() {
    let check = |images, concurrency, interval, text: &str, seconds: f64| {
        let interval = Some(Duration::from_secs(interval));
        let flow = Flow { concurrency, interval };
        let got = forecast_with(images, flow, &spec(text), RetryPlan::default_for(images));
        let off = (got.as_secs_f64() / seconds - 1.0).abs();
        assert!(off < 0.02, "{images} at {concurrency}, {interval:?}, {text}: {got:?}");
    };
    // The pace decides: one more begins each interval, and the last one takes its time.
    check(10, 8, 3, "latency=12s", 9.0 * 3.0 + 12.0);
    check(1_000, 4, 10, "latency=12s", 999.0 * 10.0 + 12.0);
    // The slots decide: the first round is staggered, and so is every one after it.
    check(16, 8, 1, "latency=12s", 12.0 + 7.0 + 12.0);
    check(1, 8, 60, "latency=12s", 12.0);
    // The same where latencies differ, whether all images are tried out or a part of them.
    check(200, 100, 2, "latency=12s±1%", 199.0 * 2.0 + 12.0);
    check(50_000, 8, 6, "latency=12s±30%", 49_999.0 * 6.0 + 12.0);
    check(50_000, 8, 1, "latency=12s±1%", 50_000.0 / 8.0 * 12.0);
}

/// The mean time of `trials` runs, each image in turn on the slot that is free first; written
/// apart from the forecast, without its heap, its stretching and its seeds.
fn simulated(images: u64, slots: usize, spec: &SimSpec, trials: u64) -> f64 {
    let mut total = 0.0;
    for trial in 0..trials {
        let mut free = vec![0.0_f64; slots];
        let mut again: Vec<(f64, u64, u32, u32)> = Vec::new();
        let (mut next, mut allowance, mut end) = (0, images / 20, 0.0_f64);
        loop {
            let slot = (0..slots).min_by(|a, b| free[*a].total_cmp(&free[*b])).expect("a slot");
            let due = (0..again.len()).min_by(|a, b| again[*a].0.total_cmp(&again[*b].0));
            let due = due.filter(|at| next == images || again[*at].0 <= free[slot]);
            let (ready, image, attempt, paid) = match due {
                Some(at) => again.remove(at),
                None if next < images => {
                    next += 1;
                    (0.0, next, 1, 1)
                }
                None => break,
            };
            let row = 1_000_003 * image + 7_777_777_777 * (trial + 1);
            let reply = reply(spec, row, 2, attempt);
            free[slot] = free[slot].max(ready) + reply.latency.as_secs_f64();
            end = end.max(free[slot]);
            match reply.kind {
                SimKind::RateLimited { retry_after } => {
                    let ready = free[slot] + retry_after.as_secs_f64();
                    again.push((ready, image, attempt + 1, paid));
                }
                SimKind::ServerError if paid < 2 && allowance > 0 => {
                    allowance -= 1;
                    again.push((free[slot], image, attempt + 1, paid + 1));
                }
                SimKind::ServerError
                | SimKind::Image
                | SimKind::Refused
                | SimKind::TimedOut
                | SimKind::BadRequest
                | SimKind::NotAnImage
                | SimKind::Dropped
                | SimKind::Truncated
                | SimKind::Malformed
                | SimKind::Empty
                | SimKind::NoUsage => {}
            }
        }
        total += end;
    }
    total / trials as f64
}

#[test]
fn a_rough_run_is_forecast_to_two_percent() {
    let check = |images: u64, slots: u32, text: &str| {
        let spec = spec(text);
        let expected = simulated(images, slots as usize, &spec, (40_000 / images).clamp(4, 100));
        let got = forecast(images, slots, &spec).as_secs_f64();
        let off = (got / expected - 1.0).abs();
        assert!(off < 0.02, "{images} at {slots}, {text}: {got} for {expected}, off by {off}");
    };
    check(100, 8, "latency=12s±30%");
    check(199, 8, "latency=12s±30%,errors=2%,429=5%,refusals=1%,seed=7");
    check(199, 1, "latency=12s±90%");
    check(199, 50, "latency=12s±30%,429=20%");
    check(500, 8, "latency=12s±1%");
    check(1_000, 64, "latency=2s±50%,errors=20%");
    check(1_000, 8, "errors=10%,429=10%,retry-after=30s,seed=3");
    check(20_000, 8, "latency=12s±30%,errors=2%,429=5%");
    check(20_003, 100, "latency=12s±100%");
}

#[test]
fn a_provider_that_only_throttles_has_an_end() {
    let elapsed = forecast(100, 8, &spec("429=100%"));
    assert!(elapsed < Duration::from_secs(60), "{elapsed:?}");
}

proptest! {
    #[test]
    fn no_text_panics(text in "[a-z0-9=,%±+.-]{0,40}|\\PC{0,40}") {
        let _ = text.parse::<SimSpec>();
    }

    #[test]
    fn the_order_of_asking_changes_nothing(rows in prop::collection::vec(any::<u64>(), 1..40)) {
        let rough = spec("latency=1s±50%,errors=30%,429=30%");
        let forward: Vec<_> = rows.iter().map(|row| reply(&rough, *row, 1, 1)).collect();
        let mut backward: Vec<_> =
            rows.iter().rev().map(|row| reply(&rough, *row, 1, 1)).collect();
        backward.reverse();
        prop_assert_eq!(forward, backward);
    }
}
