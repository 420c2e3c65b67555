//! The pace of a lane: requests evenly spaced, so that no minute has more than the provider allows.

use std::time::Duration;

/// A minute, in nanoseconds.
const MINUTE_NANOS: u64 = 60_000_000_000;

/// A lane that is parked for so little longer is no news: many requests are told the same.
const PARK_NEWS: Duration = Duration::from_secs(10);

/// How many requests and images may be asked for in a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Requests in a minute.
    pub requests_per_minute: Option<u32>,
    /// Images in a minute.
    pub images_per_minute: Option<u32>,
}

impl Rates {
    /// The least time between two requests of one image each; nothing without a rate.
    pub fn interval(&self) -> Option<Duration> {
        let rates = [self.requests_per_minute, self.images_per_minute];
        let least = rates.into_iter().flatten().min()?;
        Some(Duration::from_nanos(MINUTE_NANOS.div_ceil(u64::from(least.max(1)))))
    }
}

/// Spaces requests. Times are on the run's monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    interval: Option<Duration>,
    /// When the next request may go.
    next: Duration,
}

impl Pace {
    /// A pace of these rates; the first request may go at once.
    pub fn new(rates: &Rates) -> Self {
        Self { interval: rates.interval(), next: Duration::ZERO }
    }

    /// When the next request may go; nothing when it may go now.
    pub fn ready_at(&self, now: Duration) -> Option<Duration> {
        (self.next > now).then_some(self.next)
    }

    /// Notes that a request goes now.
    pub fn go(&mut self, now: Duration) {
        if let Some(interval) = self.interval {
            self.next = now.max(self.next).saturating_add(interval);
        }
    }

    /// Lets nothing go before this moment; whether it comes clearly later than what was set before.
    pub fn park_until(&mut self, moment: Duration) -> bool {
        let is_news = moment > self.next.saturating_add(PARK_NEWS);
        self.next = self.next.max(moment);
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(requests: u32, images: u32) -> Rates {
        let some = |n: u32| (n > 0).then_some(n);
        Rates { requests_per_minute: some(requests), images_per_minute: some(images) }
    }

    #[test]
    fn the_smaller_rate_decides() {
        assert_eq!(rates(0, 0).interval(), None);
        assert_eq!(rates(60, 0).interval(), Some(Duration::from_secs(1)));
        assert_eq!(rates(60, 5).interval(), Some(Duration::from_secs(12)));
        assert_eq!(rates(1, 5).interval(), Some(Duration::from_secs(60)));
    }

    #[test]
    fn no_minute_has_more_than_the_rate() {
        let mut pace = Pace::new(&rates(7, 0));
        let mut sent = Vec::new();
        let mut now = Duration::from_secs(3);
        while sent.len() < 100 {
            now = pace.ready_at(now).unwrap_or(now);
            pace.go(now);
            sent.push(now);
        }
        for (n, start) in sent.iter().enumerate() {
            let end = *start + Duration::from_secs(60);
            let in_minute = sent[n..].iter().filter(|moment| **moment < end).count();
            assert!(in_minute <= 7, "{in_minute} from {start:?} on");
        }
    }

    #[test]
    fn a_parked_lane_waits_and_then_keeps_its_pace() {
        let mut pace = Pace::new(&rates(60, 0));
        assert!(pace.park_until(Duration::from_secs(30)));
        assert!(!pace.park_until(Duration::from_secs(31)));
        let mut pace = Pace::new(&rates(60, 0));
        pace.park_until(Duration::from_secs(30));
        assert_eq!(pace.ready_at(Duration::from_secs(1)), Some(Duration::from_secs(30)));
        pace.go(Duration::from_secs(30));
        assert_eq!(pace.ready_at(Duration::from_secs(30)), Some(Duration::from_secs(31)));
    }
}
