//! A service that signs addresses anew: posted to, never followed elsewhere.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Certificate, Client, ClientBuilder, Proxy};
use url::Url;

use super::{MAX_ANSWER, TIMEOUT, is_web, question, read_answer};
use crate::adapters::http::paid::cause;
use crate::domain::egress::{EgressError, check_url};
use crate::domain::fetch::FetchSettings;
use crate::ports::references::{RefreshError, UrlRefresher};

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How this tool calls itself.
const USER_AGENT: &str = concat!("imagemill/", env!("CARGO_PKG_VERSION"));

/// Why a service cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// Its address is none.
    #[error("the address of the refresh endpoint cannot be read")]
    Address(#[source] url::ParseError),
    /// Its address is neither one of https nor one of http that was opened.
    #[error("the refresh endpoint is not asked")]
    Refused(#[source] EgressError),
    /// There is no client.
    #[error("the client for the refresh endpoint cannot be made")]
    Client(#[source] reqwest::Error),
}

/// An address that is posted to.
pub struct RefreshEndpoint {
    url: Url,
    client: Client,
}

impl fmt::Debug for RefreshEndpoint {
    /// The rest of its address may have a token in it, and that of a proxy a password.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = self.url.origin().ascii_serialization();
        out.debug_struct("RefreshEndpoint").field("origin", &origin).finish_non_exhaustive()
    }
}

impl RefreshEndpoint {
    /// Takes an address that the user has named. One of https may be anywhere, since no row can
    /// choose it; one of plain http must have been opened.
    ///
    /// # Errors
    /// When it cannot be used; see [`EndpointError`].
    pub fn at(address: &str, settings: &FetchSettings) -> Result<Self, EndpointError> {
        let url = Url::parse(address).map_err(EndpointError::Address)?;
        if url.scheme() != "https" {
            check_url(address, None, &settings.allowed).map_err(EndpointError::Refused)?;
        }
        // An earlier client has installed it already, or this one does.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let proxy = settings.proxy.as_deref();
        let client = if url.scheme() == "http" && proxy.is_none() {
            policy(proxy)?.tls_certs_only([]).build()
        } else {
            policy(proxy)?.build().or_else(|_| bundled(proxy))
        };
        Ok(Self { url, client: client.map_err(no_client)? })
    }

    async fn ask(&self, url: &str) -> Result<Vec<u8>, String> {
        let request = self.client.post(self.url.clone());
        let request = request.header(CONTENT_TYPE, "application/json").body(question(url));
        let answer =
            request.send().await.map_err(|error| format!("failed: {}", problem(&error)))?;
        if !answer.status().is_success() {
            return Err(format!("answered with {}", answer.status().as_u16()));
        }
        let mut bytes = Vec::new();
        let mut chunks = answer.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| format!("failed: {}", problem(&error)))?;
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MAX_ANSWER {
                break;
            }
        }
        Ok(bytes)
    }
}

#[async_trait]
impl UrlRefresher for RefreshEndpoint {
    fn can_refresh(&self, url: &str) -> bool {
        is_web(url)
    }

    async fn refresh(&self, url: &str, _life: Duration) -> Result<String, RefreshError> {
        let failed = |why: &str| RefreshError::Failed(format!("the refresh endpoint {why}"));
        let answer = self.ask(url).await.map_err(|why| failed(&why))?;
        read_answer(&answer).map_err(failed)
    }
}

fn problem(error: &reqwest::Error) -> String {
    if error.is_timeout() { "it took too long".to_owned() } else { cause(error) }
}

/// One exchange with the address as it is named: no redirects, no repeats, and no proxy but the
/// one that the user has named.
fn policy(proxy: Option<&str>) -> Result<ClientBuilder, EndpointError> {
    let builder = Client::builder()
        .user_agent(USER_AGENT)
        .http1_only()
        .retry(reqwest::retry::never())
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT);
    match proxy {
        None => Ok(builder),
        Some(proxy) => Ok(builder.proxy(Proxy::all(proxy).map_err(no_client)?)),
    }
}

/// Why there is no client, without the address that the error may name: a proxy's may have a
/// password in it.
fn no_client(error: reqwest::Error) -> EndpointError {
    EndpointError::Client(error.without_url())
}

/// A client for a machine without certificates of its own.
fn bundled(proxy: Option<&str>) -> Result<Client, reqwest::Error> {
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
    let roots = roots.filter_map(|root| Certificate::from_der(root).ok());
    let builder = policy(proxy).expect("it could be made a moment ago");
    builder.tls_certs_only(roots).build()
}
