//! One exchange over HTTP: send, decode the image while it arrives, read the bill.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, DATE, HeaderMap, HeaderValue};
use reqwest::{RequestBuilder, Response, Url};
use secrecy::{ExposeSecret, SecretString};

use crate::adapters::http::paid::{PaidClient, cause, failure_class};
use crate::adapters::providers::openai::answer::AnswerFrame;
use crate::adapters::providers::openai::refusal::{ErrorBody, RetryHeaders, classify};
use crate::adapters::providers::openai::request::Fields;
use crate::adapters::providers::openai::scan::{Piece, ScanError, Scanner};
use crate::domain::base_url::BaseUrl;
use crate::domain::failure::FailureClass;
use crate::domain::provider::Profile;
use crate::domain::redact::{code_word, has_secret, redact, without_key};
use crate::domain::request::ImageRequest;
use crate::domain::retry_after::{http_date, retry_after};
use crate::ports::clock::Clock;
use crate::ports::images::ImageBody;
use crate::ports::provider::{Attempt, ExchangeFailure, Generation, ImageProvider, ProviderError};

/// The most bytes of an answer. The largest images of today have some tens of megabytes.
const MAX_ANSWER: u64 = 128 << 20;

/// The most bytes of an answer without success; there is no image in it.
const MAX_ERROR: usize = 64 << 10;

/// How long the text of such an answer may take. Its status is known by then, and decides.
const ERROR_TIME: Duration = Duration::from_secs(10);

/// The header in which a client names its request.
const CLIENT_REQUEST_ID: &str = "x-client-request-id";

/// The header in which the provider does.
const REQUEST_ID: &str = "x-request-id";

/// The header in which the provider says whether another try makes sense.
const SHOULD_RETRY: &str = "x-should-retry";

/// Where the requests go, and with which key.
pub struct Remote {
    /// What is known of the provider.
    pub profile: &'static Profile,
    /// Its address.
    pub base: BaseUrl,
    /// The key that is bound to that address; nothing when none is.
    pub key: Option<SecretString>,
    /// The client.
    pub client: PaidClient,
    /// Time, for waits that are given as a date.
    pub clock: Arc<dyn Clock>,
}

/// A provider that speaks the dialect.
pub struct OpenAi {
    remote: Remote,
    headers: HeaderMap,
    generations: Url,
    edits: Url,
}

/// Why there is no provider.
#[derive(Debug, thiserror::Error)]
pub enum NotSendable {
    /// A header takes only what can be printed.
    #[error("the key has characters that no header can carry")]
    Key,
    /// What is a base URL with one more part is an address as well.
    #[error("{0} is no address")]
    Address(String),
}

impl OpenAi {
    /// Takes an address and the key that is bound to it.
    ///
    /// # Errors
    /// When the key cannot be sent in a header.
    pub fn new(remote: Remote) -> Result<Self, NotSendable> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(key) = &remote.key {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose_secret()))
                .map_err(|_| NotSendable::Key)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let endpoint = |path: &str| {
            let text = remote.base.join(path);
            Url::parse(&text).map_err(|_| NotSendable::Address(text))
        };
        let (generations, edits) = (endpoint("images/generations")?, endpoint("images/edits")?);
        Ok(Self { remote, headers, generations, edits })
    }

    async fn request(&self, attempt: &Attempt<'_>) -> Result<RequestBuilder, ProviderError> {
        let request = attempt.request;
        let fields = Fields::of(request, self.remote.profile);
        let client = &self.remote.client.client;
        let builder = if request.references.is_empty() {
            client.post(self.generations.clone()).json(&fields)
        } else {
            client.post(self.edits.clone()).multipart(fields.form(request).await?)
        };
        let id = attempt.rid.to_string();
        Ok(builder.headers(self.headers.clone()).header(CLIENT_REQUEST_ID, id))
    }

    /// What must not be shown of this exchange.
    fn secrets<'a>(&'a self, request: &'a ImageRequest) -> Vec<&'a str> {
        let key = self.remote.key.iter().map(|key| key.expose_secret());
        let texts = [Some(&*request.prompt), request.spec.negative_prompt.as_deref()];
        key.chain(texts.into_iter().flatten()).collect()
    }

    /// An answer without success.
    async fn refused(&self, mut response: Response, request: &ImageRequest) -> ExchangeFailure {
        let status = response.status().as_u16();
        let retry = self.retry_headers(response.headers());
        let id = request_id(response.headers(), &self.secrets(request));
        let body = tokio::select! {
            // Biased: a body that is there is read, however long it took.
            biased;
            body = error_body(&mut response) => body,
            () = self.remote.clock.sleep(ERROR_TIME) => Vec::new(),
        };
        let body = ErrorBody::read(&body);
        let mut failure = ExchangeFailure::new(classify(status, &body, retry));
        failure.detail = body.detail(&self.secrets(request));
        failure.request_id = id;
        failure
    }

    fn retry_headers(&self, headers: &HeaderMap) -> RetryHeaders {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let makes_sense = match text(SHOULD_RETRY) {
            Some("true") => Some(true),
            Some("false") => Some(false),
            Some(_) | None => None,
        };
        RetryHeaders { after: retry_after(text, self.remote.clock.now()), makes_sense }
    }

    /// A successful answer: its image goes to `body` while it arrives.
    async fn receive(
        &self,
        mut response: Response,
        attempt: &Attempt<'_>,
        body: &mut dyn ImageBody,
    ) -> Result<Generation, ProviderError> {
        let status = response.status().as_u16();
        let id = request_id(response.headers(), &self.secrets(attempt.request));
        let mut received = Received::default();
        loop {
            let broken = match response.chunk().await {
                Ok(Some(chunk)) => self.take(&mut received, chunk, body).await?,
                Ok(None) => break,
                Err(error) => Some((failure_class(&error), cause(&error))),
            };
            if let Some((class, detail)) = broken {
                return Err(self.unread(received, class, &detail, id, attempt.request));
            }
        }
        if let Some(error) = received.broken {
            let (class, detail) = (FailureClass::BadBody, error.to_string());
            return Err(self.unread(received, class, &detail, id, attempt.request));
        }
        let request = attempt.request;
        let frame = received.scanner.finish();
        let has_references = !request.references.is_empty();
        let parsed = AnswerFrame::parse(&frame.text).filter(|_| !frame.is_cut);
        let failure = |class, detail: Option<String>| ExchangeFailure {
            class,
            detail,
            request_id: id.clone(),
            answer: self.scrubbed(frame.text.clone()),
            kept: Vec::new(),
            date: None,
        };
        let Some(parsed) = parsed else {
            let detail = "it is no JSON of an answer".to_owned();
            return Err(failure(FailureClass::BadBody, Some(detail)).into());
        };
        if frame.n_images == 0 {
            let secrets = self.secrets(request);
            let (class, detail) =
                parsed.without_image(status, attempt.quote, has_references, &secrets);
            return Err(failure(class, detail).into());
        }
        let (cost, cost_source) = parsed.charge(attempt.quote, frame.n_images, has_references);
        let n_extra = u32::try_from(frame.n_images - 1).unwrap_or(u32::MAX);
        Ok(Generation { cost, cost_source, request_id: id, n_extra, date: None })
    }

    /// Takes the next bytes; returns why nothing more is read, if so.
    async fn take(
        &self,
        received: &mut Received,
        chunk: Bytes,
        body: &mut dyn ImageBody,
    ) -> Result<Option<(FailureClass, String)>, ProviderError> {
        received.n_bytes += chunk.len() as u64;
        if received.n_bytes > MAX_ANSWER {
            let detail = format!("more than {MAX_ANSWER} bytes");
            return Ok(Some((FailureClass::BadBody, detail)));
        }
        if received.broken.is_some() {
            body.write(self.scrubbed(chunk.into())).await?;
            return Ok(None);
        }
        let scanned = received.scanner.push(&chunk, &mut received.pieces);
        // It may be paid: what cannot be taken apart is kept to the end as it came.
        let rest = scanned.err().map(|broken| (broken.error, chunk.slice(broken.at..)));
        // What it came in is far larger than what came, and free before the disk is waited for.
        drop(chunk);
        for piece in received.pieces.drain(..) {
            match piece {
                Piece::Begin => {
                    received.n_begun += 1;
                    if received.n_begun > 1 {
                        body.extra().await?;
                    }
                }
                Piece::Bytes(bytes) => body.write(bytes.into()).await?,
            }
        }
        if let Some((error, rest)) = rest {
            received.broken = Some(error);
            body.extra().await?;
            body.write(self.scrubbed(rest.into())).await?;
        }
        Ok(None)
    }

    /// An answer that broke off or cannot be taken apart; what came of it is kept.
    fn unread(
        &self,
        received: Received,
        class: FailureClass,
        detail: &str,
        request_id: Option<Arc<str>>,
        request: &ImageRequest,
    ) -> ProviderError {
        ExchangeFailure {
            class,
            detail: Some(redact(detail, &self.secrets(request))),
            request_id,
            answer: self.scrubbed(received.scanner.finish().text),
            kept: Vec::new(),
            date: None,
        }
        .into()
    }

    /// The text of an answer as it may be kept: a key that it echoes is left out.
    fn scrubbed(&self, text: Vec<u8>) -> Bytes {
        match &self.remote.key {
            Some(key) => without_key(text, key.expose_secret()).into(),
            None => text.into(),
        }
    }
}

/// What came of an answer so far.
#[derive(Default)]
struct Received {
    scanner: Scanner,
    pieces: Vec<Piece>,
    n_bytes: u64,
    n_begun: u64,
    /// Why it cannot be taken apart any further.
    broken: Option<ScanError>,
}

/// The text of an answer without success, as far as it comes.
async fn error_body(response: &mut Response) -> Vec<u8> {
    let mut body = Vec::new();
    // What is missing of a text that nobody shows changes nothing.
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = MAX_ERROR - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == MAX_ERROR {
            break;
        }
    }
    body
}

/// The provider's own name for a request; nothing when it is no plain word, or shares anything
/// with a secret.
fn request_id(headers: &HeaderMap, secrets: &[&str]) -> Option<Arc<str>> {
    let text = headers.get(REQUEST_ID)?.to_str().ok()?;
    code_word(text).filter(|word| !has_secret(word, secrets)).map(Arc::from)
}

/// What time it is by the other side's clock.
fn date(headers: &HeaderMap) -> Option<Timestamp> {
    http_date(headers.get(DATE)?.to_str().ok()?)
}

#[async_trait]
impl ImageProvider for OpenAi {
    async fn generate(
        &self,
        attempt: &Attempt<'_>,
        body: &mut dyn ImageBody,
    ) -> Result<Generation, ProviderError> {
        let response = match self.request(attempt).await?.send().await {
            Ok(response) => response,
            Err(error) => {
                let detail = redact(&cause(&error), &self.secrets(attempt.request));
                return Err(ExchangeFailure::new(failure_class(&error)).with_detail(detail).into());
            }
        };
        let date = date(response.headers());
        let answered = if response.status().is_success() {
            self.receive(response, attempt, body).await
        } else {
            Err(self.refused(response, attempt.request).await.into())
        };
        answered.map(|generation| Generation { date, ..generation }).map_err(|error| match error {
            ProviderError::Failed(failure) => ExchangeFailure { date, ..*failure }.into(),
            ProviderError::NotKept { .. } | ProviderError::NotSent { .. } => error,
        })
    }
}

impl fmt::Debug for OpenAi {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "OpenAi({})", self.remote.base)
    }
}
