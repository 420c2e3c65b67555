//! The wait for company, so that many share one sync; whoever is in a hurry ends it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use crate::ports::clock::Clock;

/// Ends a wait for company: the one under way, or else the next one.
#[derive(Clone, Debug, Default)]
pub struct Hurry(Arc<Notify>);

impl Hurry {
    /// No more company comes, or somebody waits.
    pub fn now(&self) {
        self.0.notify_one();
    }
}

/// How long the first of a group waits for others, and how many they are at most.
pub(super) struct Linger {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) span: Duration,
    pub(super) hurry: Hurry,
    pub(super) most: usize,
}

impl Linger {
    /// Waits and takes in what came meanwhile.
    pub(super) async fn gather<T>(&self, inbox: &mut mpsc::Receiver<T>, group: &mut Vec<T>) {
        if self.span.is_zero() || group.len() >= self.most {
            return;
        }
        tokio::select! {
            // Biased, so that chance decides nothing.
            biased;
            () = self.hurry.0.notified() => {}
            () = self.clock.sleep(self.span) => {}
        }
        while group.len() < self.most
            && let Ok(item) = inbox.try_recv()
        {
            group.push(item);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use async_trait::async_trait;
    use jiff::Timestamp;

    use super::*;

    /// Counts the waits and makes none.
    #[derive(Debug, Default)]
    struct Counting(AtomicU32);

    #[async_trait]
    impl Clock for Counting {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }

        fn elapsed(&self) -> Duration {
            Duration::ZERO
        }

        async fn sleep(&self, _: Duration) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[tokio::test]
    async fn a_group_waits_for_company_unless_somebody_is_in_a_hurry() {
        let (hurry, counting) = (Hurry::default(), Arc::new(Counting::default()));
        let n_waits = || counting.0.load(Ordering::SeqCst);
        let (clock, span) = (Arc::clone(&counting) as _, Duration::from_millis(5));
        let linger = Linger { clock, span, hurry: hurry.clone(), most: 3 };
        let (sender, mut inbox) = mpsc::channel(8);
        for n in 2..6 {
            sender.send(n).await.expect("there is room");
        }
        let mut group = vec![1];
        linger.gather(&mut inbox, &mut group).await;
        assert_eq!((&group[..], n_waits()), (&[1, 2, 3][..], 1), "it waits");
        linger.gather(&mut inbox, &mut group).await;
        assert_eq!(n_waits(), 1, "a full group waits for nobody");
        hurry.now();
        let mut group = vec![0];
        linger.gather(&mut inbox, &mut group).await;
        assert_eq!((&group[..], n_waits()), (&[0, 4, 5][..], 1), "in a hurry");
    }
}
