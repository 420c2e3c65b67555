//! Fakes of the places that references come from, and of whoever signs them anew.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use imagemill::domain::digest::Sha256Digest;
use imagemill::domain::image::ImageKind;
use imagemill::domain::reference::Reference;
use imagemill::domain::request::{LoadedReference, ReferenceContent};
use imagemill::domain::signed_url::lifetime;
use imagemill::ports::clock::Clock;
use imagemill::ports::references::{
    FailedTry, Fetched, NextTry, ReferenceError, ReferenceSource, RefreshError, UrlRefresher,
};
use jiff::{SignedDuration, Timestamp};
use url::Url;

use crate::ledger::support::TestClock;

/// What a fake place does with a try.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Heard {
    /// It gives the image, unless the address has expired by its clock.
    Image,
    /// It fails, and may heal; after a pause if it asks for one.
    Heals(Option<Duration>),
    /// It refuses for good, whatever the signature.
    Refuses,
    /// It refuses the signature although it has not expired.
    DoubtsSignature,
    /// It never answers.
    Hangs,
}

/// A try that was made: when, and of what.
pub(crate) type Tried = (Duration, String);

/// What a place does with the n-th try of a reference.
pub(crate) type Script = Arc<dyn Fn(&str, u32) -> Heard + Send + Sync>;

/// A place that references come from.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) clock: Arc<TestClock>,
    /// How long an answer takes.
    pub(crate) takes: Duration,
    /// How far its clock is ahead.
    pub(crate) ahead: SignedDuration,
    /// What it does with the n-th try of a reference, counted from 1.
    pub(crate) hears: Script,
    pub(crate) tries: Arc<Mutex<Vec<Tried>>>,
    /// Tries that run, and the most that ran at once.
    pub(crate) running: Arc<Mutex<(u32, u32)>>,
}

impl Place {
    pub(crate) fn new(clock: &Arc<TestClock>) -> Self {
        Self {
            clock: Arc::clone(clock),
            takes: Duration::from_secs(1),
            ahead: SignedDuration::ZERO,
            hears: Arc::new(|_, _| Heard::Image),
            tries: Arc::default(),
            running: Arc::default(),
        }
    }

    pub(crate) fn hearing(
        mut self,
        hears: impl Fn(&str, u32) -> Heard + Send + Sync + 'static,
    ) -> Self {
        self.hears = Arc::new(hears);
        self
    }

    pub(crate) fn n_tries(&self) -> usize {
        self.tries.lock().expect("no holder panics").len()
    }

    pub(crate) fn most_at_once(&self) -> u32 {
        self.running.lock().expect("no holder panics").1
    }

    fn now(&self) -> Timestamp {
        self.clock.now() + self.ahead
    }
}

impl std::fmt::Debug for Place {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Place")
    }
}

/// Counts a try for as long as it lives.
struct Running(Arc<Mutex<(u32, u32)>>);

impl Running {
    fn begin(running: &Arc<Mutex<(u32, u32)>>) -> Self {
        let mut counts = running.lock().expect("no holder panics");
        counts.0 += 1;
        counts.1 = counts.1.max(counts.0);
        Self(Arc::clone(running))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.lock().expect("no holder panics").0 -= 1;
    }
}

#[async_trait]
impl ReferenceSource for Place {
    async fn fetch(&self, reference: &Reference) -> Result<Fetched, FailedTry> {
        let Reference::Url(text) = reference else { panic!("no files here") };
        let object = text.split('?').next().unwrap_or_default().to_owned();
        let nth = {
            let mut tries = self.tries.lock().expect("no holder panics");
            tries.push((self.clock.elapsed(), text.clone()));
            tries.iter().filter(|(_, tried)| tried.starts_with(&object)).count()
        };
        let _running = Running::begin(&self.running);
        let failed = |status: u16, next: NextTry| FailedTry {
            error: ReferenceError::Answered { reference: reference.clone(), status },
            next,
            date: Some(self.now()),
        };
        // A store looks at the signature when the request comes, not when it has answered.
        let ends = lifetime(&Url::parse(text).expect("an address")).expires;
        let is_expired = ends.is_some_and(|ends| ends <= self.now());
        let heard = (self.hears)(text, u32::try_from(nth).expect("few tries"));
        match heard {
            Heard::Hangs => std::future::pending::<()>().await,
            Heard::Image | Heard::Heals(_) | Heard::Refuses | Heard::DoubtsSignature => {
                self.clock.sleep(self.takes).await;
            }
        }
        match heard {
            Heard::Image if is_expired => Err(failed(403, NextTry::MayBeExpired)),
            Heard::DoubtsSignature => Err(failed(403, NextTry::MayBeExpired)),
            Heard::Heals(asked) => Err(failed(503, NextTry::MayHeal(asked))),
            Heard::Refuses => Err(failed(404, NextTry::Never)),
            Heard::Image | Heard::Hangs => Ok(Fetched {
                loaded: LoadedReference {
                    reference: reference.clone(),
                    kind: ImageKind::Png,
                    sha256: Sha256Digest::of(object.as_bytes()),
                    content: ReferenceContent::Memory(Bytes::from_static(b"png")),
                },
                n_received: 3,
                date: Some(self.now()),
            }),
        }
    }
}

/// Whoever signs addresses anew.
#[derive(Clone, Debug)]
pub(crate) struct Signer {
    pub(crate) clock: Arc<TestClock>,
    pub(crate) is_there: bool,
    /// What it answers with instead of the same object.
    pub(crate) other: Option<&'static str>,
    /// How long its signatures live, when not as long as asked.
    pub(crate) life: Option<Duration>,
    pub(crate) asked: Arc<Mutex<Vec<Tried>>>,
}

impl Signer {
    pub(crate) fn new(clock: &Arc<TestClock>) -> Self {
        let clock = Arc::clone(clock);
        Self { clock, is_there: true, other: None, life: None, asked: Arc::default() }
    }

    pub(crate) fn nobody(clock: &Arc<TestClock>) -> Self {
        Self { is_there: false, ..Self::new(clock) }
    }

    pub(crate) fn n_asked(&self) -> usize {
        self.asked.lock().expect("no holder panics").len()
    }
}

#[async_trait]
impl UrlRefresher for Signer {
    fn can_refresh(&self, _url: &str) -> bool {
        self.is_there
    }

    async fn refresh(&self, url: &str, life: Duration) -> Result<String, RefreshError> {
        self.asked.lock().expect("no holder panics").push((self.clock.elapsed(), url.to_owned()));
        self.clock.sleep(Duration::from_millis(200)).await;
        if !self.is_there {
            return Err(RefreshError::NoRefresher);
        }
        let object = url.split('?').next().unwrap_or_default();
        let life = self.life.unwrap_or(life);
        Ok(signed(self.other.unwrap_or(object), self.clock.now(), life))
    }
}

/// An address that lives for so long.
pub(crate) fn signed(object: &str, now: Timestamp, life: Duration) -> String {
    let ends = now + SignedDuration::try_from(life).expect("a life");
    format!("{object}?AWSAccessKeyId=A&Expires={}&Signature=s", ends.as_second())
}
