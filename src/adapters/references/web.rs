//! References over HTTP: each address and each redirect goes through the gate, each connection
//! leads to an address that the gate has let through, and what comes is streamed into the cache.

mod client;
mod names;

use std::error::Error as _;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use reqwest::Response;
use reqwest::header::{
    AGE, CONTENT_ENCODING, DATE, ETAG, HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED, LOCATION, TRANSFER_ENCODING,
};

use crate::adapters::http::paid::cause;
use crate::adapters::http::trust::ClientError;
use crate::adapters::references::cache::{ContentCache, Kept};
use crate::adapters::references::every::fetched;
use crate::adapters::references::inspect::{ContentError, MAX_BYTES};
use crate::adapters::references::local::content_error;
use crate::adapters::references::validators::Remembered;
use crate::adapters::references::web::client::Clients;
use crate::domain::egress::{AllowList, CheckedUrl, EgressError, check_url};
use crate::domain::fetch::FetchSettings;
use crate::domain::reference::Reference;
use crate::domain::retry_after::{http_date, retry_after};
use crate::domain::signed_url::lifetime;
use crate::ports::clock::Clock;
use crate::ports::references::{FailedTry, Fetched, NextTry, ReferenceError, ReferenceSource};

pub use names::{Names, SystemNames};

/// The most redirects that are followed: from the public name to the region to the store.
const MAX_HOPS: usize = 3;

/// References by `https`, and by `http` from hosts that are opened.
///
/// It sends no credentials of its own and takes no cookies. It has no deadline for a body: whoever
/// calls drops the call, and with it ends the connection, and the file that was being written.
#[derive(Debug)]
pub struct WebReferences {
    allowed: Arc<AllowList>,
    clients: Clients,
    cache: ContentCache,
    clock: Arc<dyn Clock>,
}

impl WebReferences {
    /// Makes a source that asks the machine's resolver for names.
    ///
    /// # Errors
    /// When the proxy is no address, or no certificates can be used.
    pub fn new(
        settings: &FetchSettings,
        cache: ContentCache,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ClientError> {
        Self::with_names(settings, cache, clock, Arc::new(SystemNames))
    }

    /// The same with another resolver.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_names(
        settings: &FetchSettings,
        cache: ContentCache,
        clock: Arc<dyn Clock>,
        names: Arc<dyn Names>,
    ) -> Result<Self, ClientError> {
        let allowed = Arc::new(settings.allowed.clone());
        let clients = Clients::new(settings, names, Arc::clone(&allowed))?;
        Ok(Self { allowed, clients, cache, clock })
    }
}

#[async_trait]
impl ReferenceSource for WebReferences {
    async fn fetch(&self, reference: &Reference) -> Result<Fetched, FailedTry> {
        let mut visit = Visit { web: self, reference, date: None };
        match reference {
            Reference::Url(text) => visit.run(text).await,
            Reference::Local(_) => {
                let (reference, problem) = (reference.clone(), "it is a file".to_owned());
                Err(visit.never(ReferenceError::NoStore { reference, problem }))
            }
        }
    }
}

/// One try at one reference.
struct Visit<'a> {
    web: &'a WebReferences,
    reference: &'a Reference,
    /// What time the last answer said it was.
    date: Option<Timestamp>,
}

impl Visit<'_> {
    /// Asks, and follows where it is sent.
    async fn run(&mut self, text: &str) -> Result<Fetched, FailedTry> {
        let mut url = self.checked(text, None)?;
        let is_signed = lifetime(url.url()).is_signed;
        // What is remembered belongs to the address itself; a redirect may lead elsewhere today.
        let mut remembered = self.web.cache.remembered(self.reference).await;
        let mut n_hops = 0;
        while n_hops <= MAX_HOPS {
            let response = self.ask(&url, remembered.as_ref()).await?;
            if self.date.is_none() {
                // The first answer's: it is the host that the row names.
                self.date = now_there(response.headers());
            }
            url = self.arrived(url, &response)?;
            match (response.status().as_u16(), remembered.take()) {
                (200, _) => return self.receive(response, n_hops == 0).await,
                (304, Some(known)) => match self.unchanged(known).await {
                    Some(fetched) => return Ok(fetched),
                    // It is asked for anew, without a word of what is not there any more.
                    None => url = self.checked(text, None)?,
                },
                (301 | 302 | 303 | 307 | 308, _) => {
                    let target = self.target(&response)?;
                    url = self.checked(&target, Some(&url))?;
                    n_hops += 1;
                }
                (status, _) => return Err(self.answered(status, &response, is_signed)),
            }
        }
        Err(self.bad_answer(format!("more than {MAX_HOPS} redirects")))
    }

    /// An address that the gate lets through, or one that another one leads to.
    fn checked(&self, text: &str, from: Option<&CheckedUrl>) -> Result<CheckedUrl, FailedTry> {
        check_url(text, from, &self.web.allowed).map_err(|error| self.refused(error))
    }

    /// One request; its answer's head has come.
    async fn ask(
        &self,
        url: &CheckedUrl,
        known: Option<&Remembered>,
    ) -> Result<Response, FailedTry> {
        let client = self.web.clients.client(url.passage());
        let client = client.map_err(|error| self.unreachable(cause(&error.0), NextTry::Never))?;
        let mut request = client.get(url.url().clone());
        if let Some(etag) = known.and_then(|it| it.etag.as_deref()) {
            request = request.header(IF_NONE_MATCH, etag);
        }
        if let Some(modified) = known.and_then(|it| it.last_modified.as_deref()) {
            request = request.header(IF_MODIFIED_SINCE, modified);
        }
        request.send().await.map_err(|error| match refusal(&error) {
            Some(refusal) => self.refused(refusal),
            None => self.unreachable(cause(&error), NextTry::MayHeal(None)),
        })
    }

    /// Looks where the connection really ended; behind a proxy, the proxy decides.
    fn arrived(&self, url: CheckedUrl, response: &Response) -> Result<CheckedUrl, FailedTry> {
        if self.web.clients.has_proxy() {
            return Ok(url);
        }
        let Some(peer) = response.remote_addr() else {
            let problem = "the connection does not say where it leads".to_owned();
            return Err(self.unreachable(problem, NextTry::Never));
        };
        url.arrived_at(peer.ip(), &self.web.allowed).map_err(|error| self.refused(error))
    }

    /// Where a redirect leads.
    fn target(&self, response: &Response) -> Result<String, FailedTry> {
        let value = response.headers().get(LOCATION).map(|it| it.as_bytes().to_vec());
        let target = value.and_then(|bytes| String::from_utf8(bytes).ok());
        target.ok_or_else(|| self.bad_answer("a redirect that leads nowhere".to_owned()))
    }

    /// Takes the body, if it is what was asked for.
    async fn receive(&self, mut response: Response, is_direct: bool) -> Result<Fetched, FailedTry> {
        if response.content_length().is_some_and(|length| length > MAX_BYTES) {
            return Err(self.bad_content(ContentError::TooLarge { limit: MAX_BYTES }));
        }
        if response.headers().get_all(CONTENT_ENCODING).iter().any(|it| it != "identity") {
            let problem = "its bytes are encoded, which was not asked for";
            return Err(self.bad_answer(problem.to_owned()));
        }
        let validator = |name| header(response.headers(), name).map(str::to_owned);
        let (etag, last_modified) = (validator(ETAG), validator(LAST_MODIFIED));
        let cache = &self.web.cache;
        let is_measured = response.content_length().is_some() || is_chunked(response.headers());
        let incoming = if is_measured { cache.receive() } else { cache.receive_unmeasured() };
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    if !incoming.write(chunk).await {
                        break;
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    let problem = format!("its answer broke off: {}", cause(&error));
                    let next = NextTry::MayHeal(None);
                    return Err(FailedTry { next, ..self.bad_answer(problem) });
                }
            }
        }
        let kept = incoming.finish().await.map_err(|error| self.bad_content(error))?;
        if is_direct {
            let known = Remembered { kept: kept.clone(), etag, last_modified };
            self.web.cache.remember(self.reference, known).await;
        }
        Ok(fetched(self.reference, kept, self.date))
    }

    /// What is kept from earlier is still good, unless its file is damaged or gone.
    async fn unchanged(&self, known: Remembered) -> Option<Fetched> {
        let kept: Kept = known.kept;
        // Before it is read, so that no other run takes it for forgotten in between.
        self.web.cache.touch(&kept, self.web.clock.now()).await;
        let is_intact = self.web.cache.is_intact(&kept).await;
        is_intact.then(|| Fetched { n_received: 0, ..fetched(self.reference, kept, self.date) })
    }

    fn never(&self, error: ReferenceError) -> FailedTry {
        FailedTry { error, next: NextTry::Never, date: self.date }
    }

    fn refused(&self, source: EgressError) -> FailedTry {
        self.never(ReferenceError::Refused { reference: self.reference.clone(), source })
    }

    fn bad_answer(&self, problem: String) -> FailedTry {
        self.never(ReferenceError::BadAnswer { reference: self.reference.clone(), problem })
    }

    fn bad_content(&self, error: ContentError) -> FailedTry {
        let next = match error {
            // It was the connection that ended too early.
            ContentError::CutShort => NextTry::MayHeal(None),
            ContentError::TooLarge { .. }
            | ContentError::TooManyPixels { .. }
            | ContentError::NotAnImage
            | ContentError::WebPage
            | ContentError::Io(_) => NextTry::Never,
        };
        FailedTry { error: content_error(self.reference, error), next, date: self.date }
    }

    fn unreachable(&self, problem: String, next: NextTry) -> FailedTry {
        let way = if self.web.clients.has_proxy() { "through the proxy: " } else { "" };
        let (reference, problem) = (self.reference.clone(), format!("{way}{problem}"));
        let error = ReferenceError::Unreachable { reference, problem };
        FailedTry { error, next, date: self.date }
    }

    /// What may follow an answer that is neither the object nor a redirect. Stores say 400 too when
    /// a signature has ended.
    fn answered(&self, status: u16, response: &Response, is_signed: bool) -> FailedTry {
        let text = |name: &str| response.headers().get(name).and_then(|it| it.to_str().ok());
        let next = match status {
            401 | 403 | 410 => NextTry::MayBeExpired,
            400 if is_signed => NextTry::MayBeExpired,
            408 | 425 | 429 | 500 | 502..=504 => {
                NextTry::MayHeal(retry_after(text, self.web.clock.now()))
            }
            _ => NextTry::Never,
        };
        let error = ReferenceError::Answered { reference: self.reference.clone(), status };
        FailedTry { error, next, date: self.date }
    }
}

/// What time it is by the other side's clock: a cache on the way hands on an old answer's date, and
/// says how long ago that was.
fn now_there(headers: &HeaderMap) -> Option<Timestamp> {
    let date = header(headers, DATE).and_then(http_date)?;
    let age = match header(headers, AGE) {
        Some(age) => age.trim().parse::<u32>().ok()?,
        None => 0,
    };
    date.checked_add(SignedDuration::from_secs(i64::from(age))).ok()
}

/// A header's text.
fn header(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Whether a body that tells no length tells its end; else it ends wherever the connection does.
fn is_chunked(headers: &HeaderMap) -> bool {
    let last = headers.get_all(TRANSFER_ENCODING).iter().next_back();
    let coding = last.and_then(|it| it.to_str().ok()).and_then(|it| it.rsplit(',').next());
    coding.is_some_and(|it| it.trim().eq_ignore_ascii_case("chunked"))
}

/// The gate's own word, if it was the gate that kept a connection from being made.
fn refusal(error: &reqwest::Error) -> Option<EgressError> {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(refusal) = cause.downcast_ref::<EgressError>() {
            return Some(refusal.clone());
        }
        source = cause.source();
    }
    None
}
