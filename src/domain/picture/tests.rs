use std::time::Duration;

use super::*;

#[test]
fn moments_are_bounded_and_lose_nothing() {
    let mut moments = Moments::default();
    let cent = NanoUsd::from_nanos(10_000_000);
    for second in 0..10_000_u64 {
        let at = Duration::from_secs(second);
        moments.started(at);
        moments.started(at);
        moments.ended(at, second % 10 == 0, cent);
        moments.ended(at, false, NanoUsd::ZERO);
        moments.stored(at);
    }
    let moments = moments.finish();
    assert!((60..=120).contains(&moments.len()), "{}", moments.len());
    assert_eq!(moments.iter().map(|it| it.images).sum::<u64>(), 10_000);
    assert_eq!(moments.iter().map(|it| it.throttled).sum::<u64>(), 1_000);
    assert!(moments.iter().all(|it| it.in_flight == 2), "{moments:?}");
    let last = moments.last().expect("a moment");
    assert_eq!(last.settled, NanoUsd::from_dollars(100));
    assert!(last.at_ms >= 9_999_000, "{last:?}");
}
