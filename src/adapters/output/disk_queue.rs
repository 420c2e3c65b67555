//! Small file work that waits for a thread: what is ready together makes one trip.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;
use tokio::task::{spawn_blocking, yield_now};

use crate::ports::images::ImageStoreError;

type Job = Box<dyn FnOnce() + Send>;

/// Work that waits.
#[derive(Clone, Default)]
pub(super) struct DiskQueue {
    waiting: Arc<Mutex<Vec<Job>>>,
}

impl DiskQueue {
    /// Hands in file work for a thread that may wait, together with what else is ready in this
    /// turn. It is done even when nobody waits for it any more.
    pub(super) fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Pending<T> {
        let (done, result) = oneshot::channel();
        self.push(Box::new(move || {
            // Nobody may be waiting any more.
            let _ = done.send(work());
        }));
        Pending(result)
    }

    /// Does file work and waits for it.
    ///
    /// # Errors
    /// Those of the work; `path` is named in them.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        path: PathBuf,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, ImageStoreError> {
        let mut pending = self.submit(work);
        pending.wait().await.map_err(|source| ImageStoreError::Io { path, source })
    }

    fn push(&self, job: Job) {
        let n_waiting = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.push(job);
            waiting.len()
        };
        if n_waiting > 1 {
            // The first one has called the thread.
            return;
        }
        let waiting = Arc::clone(&self.waiting);
        tokio::spawn(async move {
            yield_now().await;
            let jobs = std::mem::take(&mut *waiting.lock().unwrap_or_else(PoisonError::into_inner));
            // Each of the jobs tells its own end; one that panics takes no other with it.
            drop(spawn_blocking(move || {
                for job in jobs {
                    let _ = catch_unwind(AssertUnwindSafe(job));
                }
            }));
        });
    }
}

/// Work that was handed in.
#[derive(Debug)]
pub(super) struct Pending<T>(oneshot::Receiver<io::Result<T>>);

impl<T> Pending<T> {
    /// Waits for the work; when this is dropped before its end, somebody can wait again.
    ///
    /// # Errors
    /// Those of the work.
    pub(super) async fn wait(&mut self) -> io::Result<T> {
        // A panic of the work drops its sender.
        (&mut self.0).await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

impl fmt::Debug for DiskQueue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("DiskQueue")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn what_is_ready_together_is_done_once_and_in_order() {
        let queue = DiskQueue::default();
        let n_done = Arc::new(AtomicUsize::new(0));
        let job = |_: usize| {
            let n_done = Arc::clone(&n_done);
            queue.run(PathBuf::new(), move || Ok(n_done.fetch_add(1, Ordering::SeqCst)))
        };
        let (a, b, c) = tokio::join!(job(0), job(1), job(2));
        assert_eq!([a.expect("0"), b.expect("1"), c.expect("2")], [0, 1, 2]);
        assert_eq!(job(3).await.expect("later work is done too"), 3);
    }

    #[tokio::test]
    async fn an_error_and_a_panic_are_those_of_their_own_work() {
        let queue = DiskQueue::default();
        let fails = queue.run(PathBuf::from("a"), || Err::<(), _>(io::Error::other("full")));
        let panics = queue.run(PathBuf::from("b"), || -> io::Result<()> { panic!("on purpose") });
        let works = queue.run(PathBuf::from("c"), || Ok(7));
        let (failed, panicked, worked) = tokio::join!(fails, panics, works);
        assert!(failed.expect_err("it failed").to_string().contains('a'));
        assert!(panicked.expect_err("it panicked").to_string().contains('b'));
        assert_eq!(worked.expect("it worked"), 7);
    }
}
