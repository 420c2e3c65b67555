//! The pool of reference fetches: so many at once in all and from one host, each object once, with
//! a deadline for each try, and an address that is signed anew before it can expire.

mod hosts;
mod objects;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Semaphore;
use url::Url;

use crate::domain::fetch::{FetchSettings, StoreKind};
use crate::domain::fetch_tally::FetchTally;
use crate::domain::freshness::{Claim, decide, need, signature_life};
use crate::domain::reference::Reference;
use crate::domain::request::LoadedReference;
use crate::domain::retry::{MAX_FETCH_PAUSE, fetch_pause};
use crate::domain::signed_url::{Lifetime, lifetime, may_tell_life, same_object};
use crate::pipeline::reference_pool::hosts::Hosts;
use crate::pipeline::reference_pool::objects::{Object, Objects};
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;
use crate::ports::references::{
    FailedTry, Fetched, NextTry, ReferenceError, ReferenceSource, UrlRefresher,
};

/// The most refreshes at once: each may be a program.
const MAX_REFRESHES: usize = 4;

/// How long an object that could not be fetched is not tried again: rows that share it would
/// otherwise wait for the same dead host one after the other.
const HOLD_OFF: Duration = Duration::from_secs(60);

/// Gets references within limits.
#[derive(Debug)]
pub struct ReferencePool {
    source: Arc<dyn ReferenceSource>,
    refresher: Arc<dyn UrlRefresher>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    settings: FetchSettings,
    /// How long an address must live for all tries.
    need: Duration,
    permits: Semaphore,
    refreshes: Semaphore,
    hosts: Hosts,
    objects: Objects,
    tally: Mutex<FetchTally>,
    /// Whether the source takes addresses on trust, as in a rehearsal.
    is_rehearsal: bool,
}

impl ReferencePool {
    /// Makes a pool over a source.
    pub fn new(
        settings: FetchSettings,
        source: Arc<dyn ReferenceSource>,
        refresher: Arc<dyn UrlRefresher>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self {
            need: need(&settings),
            permits: Semaphore::new(settings.concurrency as usize),
            refreshes: Semaphore::new(MAX_REFRESHES),
            hosts: Hosts::new(settings.per_host),
            objects: Objects::default(),
            tally: Mutex::default(),
            is_rehearsal: false,
            source,
            refresher,
            clock,
            entropy,
            settings,
        }
    }

    /// The same over a source that takes addresses on trust: only what they say of their end
    /// counts.
    #[must_use]
    pub fn rehearsing(self) -> Self {
        Self { is_rehearsal: true, ..self }
    }

    /// Gets one reference; who asks for the same object at the same time waits for the same fetch.
    ///
    /// # Errors
    /// When it must not or cannot be used; the error is shared by all who asked for the object.
    pub async fn get(&self, reference: &Reference) -> Result<LoadedReference, Arc<ReferenceError>> {
        if self.is_rehearsal && !matches!(reference, Reference::Url(it) if may_tell_life(it)) {
            let fetched = self.source.fetch(reference).await;
            return fetched.map(|it| it.loaded).map_err(|failed| Arc::new(failed.error));
        }
        let shared = self.objects.of(reference);
        let n_failures = shared.n_failures();
        // Held while the object is fetched: a task that leaves gives it to the next.
        let mut object = shared.object.lock().await;
        match &object.ending {
            Some(Ok(loaded)) => {
                self.tally(|tally| tally.shared += 1);
                return Ok(LoadedReference { reference: reference.clone(), ..loaded.clone() });
            }
            Some(Err(error)) => return Err(Arc::clone(error)),
            None => {}
        }
        if let Some(error) = object.recent_failure(n_failures, self.clock.elapsed()) {
            return Err(error);
        }
        match self.obtain(reference, &mut object).await {
            Ok(loaded) => {
                object.ending = Some(Ok(loaded.clone()));
                Ok(loaded)
            }
            Err(Failed { error, holds }) => {
                let error = Arc::new(error);
                match holds {
                    Holds::Always => object.ending = Some(Err(Arc::clone(&error))),
                    Holds::AWhile => {
                        let until = self.clock.elapsed().saturating_add(HOLD_OFF);
                        shared.note_failure(&mut object, Arc::clone(&error), until);
                    }
                    Holds::OneAddress => {}
                }
                self.tally(|tally| tally.failed += 1);
                Err(error)
            }
        }
    }

    /// What has been done so far.
    pub fn tallied(&self) -> FetchTally {
        *self.tally.lock().expect("no holder panics")
    }

    /// What has come to light about hosts since this was asked last.
    pub fn take_news(&self) -> Vec<String> {
        self.hosts.take_news()
    }

    fn tally(&self, change: impl FnOnce(&mut FetchTally)) {
        change(&mut self.tally.lock().expect("no holder panics"));
    }

    /// Tries until there is an object or no hope.
    async fn obtain(
        &self,
        reference: &Reference,
        object: &mut Object,
    ) -> Result<LoadedReference, Failed> {
        let (mut current, mut has_refreshed) = self.claimed(reference, object).await?;
        let mut retry = 0;
        loop {
            let failed = match self.one_try(&current).await {
                Ok(fetched) => return Ok(self.received(reference, fetched)),
                Err(failed) => failed,
            };
            match failed.next {
                NextTry::Never => return Err(Failed::for_good(failed.error)),
                NextTry::MayBeExpired if has_refreshed || !self.can_refresh(reference) => {
                    return Err(Failed::of_address(failed.error));
                }
                // Not one of the retries: what has ended is no fault of the other side.
                NextTry::MayBeExpired => {
                    current = self.refreshed(reference, object).await?;
                    has_refreshed = true;
                }
                NextTry::MayHeal(asked) => {
                    retry += 1;
                    let is_too_long = asked.is_some_and(|asked| asked > MAX_FETCH_PAUSE);
                    if retry > self.settings.retries || is_too_long {
                        return Err(Failed { error: failed.error, holds: Holds::AWhile });
                    }
                    self.tally(|tally| tally.retries += 1);
                    self.clock.sleep(fetch_pause(retry, asked, self.entropy.attempt_id())).await;
                    if !self.lives_for_a_try(&current) && !has_refreshed {
                        current = match self.can_refresh(reference) {
                            true => self.refreshed(reference, object).await?,
                            false => return Err(expired(reference, "expired between two tries")),
                        };
                        has_refreshed = true;
                    }
                }
            }
        }
    }

    /// One try, within the limits on how many are made at once.
    async fn one_try(&self, reference: &Reference) -> Result<Fetched, FailedTry> {
        let host = self.hosts.of(reference);
        // The host first: who waits for a busy host must not keep others from theirs.
        let _at_host = match &host {
            Some(host) => Some(host.permits.acquire().await.expect("nobody closes it")),
            None => None,
        };
        let _permit = self.permits.acquire().await.expect("nobody closes it");
        self.tally(FetchTally::begin);
        let _running = Running(self);
        let after = self.settings.timeout;
        let tried = tokio::select! {
            // Biased: an object that is there with the end of its time is taken.
            biased;
            tried = self.source.fetch(reference) => tried,
            () = self.clock.sleep(after) => {
                let error = ReferenceError::TimedOut { reference: reference.clone(), after };
                Err(FailedTry { error, next: NextTry::MayHeal(None), date: None })
            }
        };
        let date = match &tried {
            Ok(fetched) => fetched.date,
            Err(failed) => failed.date,
        };
        if let (Some(host), Some(date)) = (&host, date) {
            self.hosts.note_date(host, date, self.clock.now());
        }
        tried
    }

    fn received(&self, reference: &Reference, fetched: Fetched) -> LoadedReference {
        self.tally(|tally| match reference {
            Reference::Local(_) => tally.files += 1,
            Reference::Url(_) => {
                tally.fetched += 1;
                tally.bytes += fetched.n_received;
                tally.unchanged += u64::from(fetched.n_received == 0);
            }
        });
        LoadedReference { reference: reference.clone(), ..fetched.loaded }
    }

    /// The address to ask, fresh for its row: as it is, or signed anew just now.
    async fn claimed(
        &self,
        reference: &Reference,
        object: &mut Object,
    ) -> Result<(Reference, bool), Failed> {
        let known = object.address.as_ref().unwrap_or(reference).clone();
        let Some(url) = web_address(&known) else { return Ok((known, false)) };
        let now = self.now_at(&known);
        let can_refresh = self.can_refresh(reference);
        match decide(&self.life(&url), now, self.need, self.settings.fresh_for, can_refresh) {
            Claim::Fetch => Ok((known, false)),
            Claim::Refresh => Ok((self.refreshed(reference, object).await?, true)),
            Claim::Reject(problem) => Err(expired(reference, &problem)),
        }
    }

    /// Signs the address of an object anew, for all rows that share it.
    async fn refreshed(
        &self,
        reference: &Reference,
        object: &mut Object,
    ) -> Result<Reference, Failed> {
        object.address = None;
        let Some(old) = web_address(reference) else { return Ok(reference.clone()) };
        let life = signature_life(Duration::ZERO, self.need.max(self.settings.fresh_for));
        let answer = {
            let _permit = self.refreshes.acquire().await.expect("nobody closes it");
            self.refresher.refresh(old.as_str(), life).await
        };
        let text =
            answer.map_err(|error| expired(reference, &format!("was not refreshed: {error}")))?;
        let Some(new) = Url::parse(&text).ok().filter(|new| same_object(&old, new)) else {
            return Err(expired(reference, "was refreshed to the address of another object"));
        };
        let now = self.now_at(reference);
        let claim = decide(&self.life(&new), now, self.need, Duration::ZERO, false);
        if let Claim::Reject(problem) = claim {
            return Err(expired(reference, &format!("{problem}, although it was refreshed")));
        }
        self.tally(|tally| tally.refreshed += 1);
        let new = Reference::Url(text);
        object.address = Some(new.clone());
        Ok(new)
    }

    /// The life of an address. A beginning that has come by our clock counts as come: whatever
    /// answers through a cache may name an old time as its own.
    fn life(&self, url: &Url) -> Lifetime {
        let life = lifetime(url);
        let has_begun = life.not_before.is_some_and(|begin| begin <= self.clock.now());
        if has_begun { Lifetime { not_before: None, ..life } } else { life }
    }

    fn can_refresh(&self, reference: &Reference) -> bool {
        web_address(reference).is_some_and(|url| self.refresher.can_refresh(url.as_str()))
    }

    /// Whether an address outlives one more try.
    fn lives_for_a_try(&self, reference: &Reference) -> bool {
        let Some(url) = web_address(reference) else { return true };
        let least = SignedDuration::try_from(self.settings.timeout).unwrap_or(SignedDuration::MAX);
        let life = lifetime(&url).expires.map(|end| end.duration_since(self.now_at(reference)));
        life.is_none_or(|life| life >= least)
    }

    /// The time by the clock of the host that the reference is at.
    fn now_at(&self, reference: &Reference) -> Timestamp {
        self.hosts.now_at(reference, self.clock.now())
    }
}

/// Counts a try as running for as long as it lives.
struct Running<'a>(&'a ReferencePool);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.tally(FetchTally::end);
    }
}

/// Why nothing came, and for whom that holds.
struct Failed {
    error: ReferenceError,
    holds: Holds,
}

/// For whom a failure holds.
enum Holds {
    /// For all who want the object: the answer will be the same.
    Always,
    /// For all who want it soon.
    AWhile,
    /// For this address of it; another one may have a better signature.
    OneAddress,
}

impl Failed {
    const fn for_good(error: ReferenceError) -> Self {
        Self { error, holds: Holds::Always }
    }

    const fn of_address(error: ReferenceError) -> Self {
        Self { error, holds: Holds::OneAddress }
    }
}

fn expired(reference: &Reference, problem: &str) -> Failed {
    let reference = reference.clone();
    Failed::of_address(ReferenceError::Expired { reference, problem: problem.to_owned() })
}

/// The parsed address of a reference that is asked over HTTP.
fn web_address(reference: &Reference) -> Option<Url> {
    match reference {
        Reference::Local(_) => None,
        Reference::Url(text) => {
            Url::parse(text).ok().filter(|url| StoreKind::of_scheme(url.scheme()).is_none())
        }
    }
}
