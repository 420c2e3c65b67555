//! How long an answer may take: the provider's time only. What this process lost while it was
//! stopped, and what its own disk took, does not make a paid answer late.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::domain::failure::FailureClass;
use crate::ports::clock::Clock;
use crate::ports::images::{ImageBody, ImageStoreError};

/// A wait is cut into so many looks at the clock, to notice time that was lost.
const N_LOOKS: u32 = 32;

/// The shortest time between two looks.
const LEAST_LOOK: Duration = Duration::from_secs(1);

/// Waking up so much too late means that the process did not run; less is the scheduler.
const LATE: Duration = Duration::from_millis(250);

/// Time that an exchange spent on this machine's disk.
#[derive(Debug, Default)]
pub(crate) struct DiskTime(Mutex<Spent>);

#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    whole: Duration,
    /// Since when it waits for the disk, if it does.
    since: Option<Duration>,
}

impl DiskTime {
    fn begin(&self, now: Duration) {
        self.0.lock().expect("no holder panics").since = Some(now);
    }

    fn end(&self, now: Duration) {
        let mut spent = self.0.lock().expect("no holder panics");
        let since = spent.since.take().unwrap_or(now);
        spent.whole = spent.whole.saturating_add(now.saturating_sub(since));
    }

    fn until(&self, now: Duration) -> Duration {
        let Spent { whole, since } = *self.0.lock().expect("no holder panics");
        whole.saturating_add(since.map_or(Duration::ZERO, |since| now.saturating_sub(since)))
    }
}

/// Returns once the provider has had `allowed` for its answer.
pub(crate) async fn time_out(
    clock: &dyn Clock,
    allowed: Duration,
    disk: &DiskTime,
) -> FailureClass {
    let begun = clock.elapsed();
    let look = (allowed / N_LOOKS).max(LEAST_LOOK);
    let mut lost = Duration::ZERO;
    loop {
        let now = clock.elapsed();
        let ours = lost.saturating_add(disk.until(now));
        let left = begun.saturating_add(allowed).saturating_add(ours).saturating_sub(now);
        if left.is_zero() {
            return FailureClass::TimedOut { after: allowed };
        }
        let step = left.min(look);
        clock.sleep(step).await;
        let late = clock.elapsed().saturating_sub(now).saturating_sub(step);
        if late > LATE {
            lost = lost.saturating_add(late);
        }
    }
}

/// A body that notes how long its disk takes.
pub(crate) struct Timed<'a> {
    pub(crate) inner: &'a mut dyn ImageBody,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) disk: &'a DiskTime,
}

#[async_trait]
impl ImageBody for Timed<'_> {
    async fn write(&mut self, chunk: Bytes) -> Result<(), ImageStoreError> {
        self.disk.begin(self.clock.elapsed());
        let written = self.inner.write(chunk).await;
        self.disk.end(self.clock.elapsed());
        written
    }

    async fn extra(&mut self) -> Result<(), ImageStoreError> {
        self.disk.begin(self.clock.elapsed());
        let opened = self.inner.extra().await;
        self.disk.end(self.clock.elapsed());
        opened
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A clock on which each sleep takes longer than it should, as scripted.
    #[derive(Debug, Default)]
    struct Jumpy {
        now: Mutex<Duration>,
        late: Mutex<Vec<Duration>>,
    }

    #[async_trait]
    impl Clock for Jumpy {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }

        fn elapsed(&self) -> Duration {
            *self.now.lock().expect("one thread")
        }

        async fn sleep(&self, duration: Duration) {
            let late = self.late.lock().expect("one thread").pop().unwrap_or_default();
            *self.now.lock().expect("one thread") += duration + late;
        }
    }

    /// When it gives up on an answer that may take so many seconds.
    async fn gives_up_at(clock: &Jumpy, seconds: u32, disk: &DiskTime) -> Duration {
        let class = time_out(clock, seconds * SECOND, disk).await;
        assert_eq!(class, FailureClass::TimedOut { after: seconds * SECOND });
        clock.elapsed()
    }

    #[tokio::test]
    async fn the_provider_has_its_whole_time_and_no_more() {
        for seconds in [1, 3, 300, 86_400] {
            let at = gives_up_at(&Jumpy::default(), seconds, &DiskTime::default()).await;
            assert_eq!(at, seconds * SECOND);
        }
    }

    #[tokio::test]
    async fn time_that_the_process_lost_is_given_back() {
        let clock = Jumpy { late: vec![60 * SECOND, Duration::ZERO].into(), ..Jumpy::default() };
        assert_eq!(gives_up_at(&clock, 10, &DiskTime::default()).await, 70 * SECOND);
        // A little late is nothing but the scheduler.
        let late = Mutex::new(vec![LATE; 4]);
        let clock = Jumpy { late, ..Jumpy::default() };
        assert_eq!(gives_up_at(&clock, 10, &DiskTime::default()).await, 10 * SECOND);
    }

    #[tokio::test]
    async fn time_of_our_own_disk_is_given_back() {
        let disk = DiskTime::default();
        disk.begin(SECOND);
        disk.end(5 * SECOND);
        assert_eq!(gives_up_at(&Jumpy::default(), 10, &disk).await, 14 * SECOND);
        // While the disk is still at it, nobody gives up.
        let busy = DiskTime::default();
        busy.begin(Duration::ZERO);
        assert_eq!(busy.until(400 * SECOND), 400 * SECOND);
    }
}
