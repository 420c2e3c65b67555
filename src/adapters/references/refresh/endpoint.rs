//! A service that signs addresses anew: posted to, never followed elsewhere.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, ClientBuilder, Proxy};
use url::Url;

use super::{MAX_ANSWER, TIMEOUT, is_web, question, read_answer};
use crate::adapters::http::paid::cause;
use crate::adapters::http::trust::{plain_client, strict_builder, trusting_client};
use crate::domain::egress::{EgressError, check_url};
use crate::domain::fetch::FetchSettings;
use crate::ports::references::{RefreshError, UrlRefresher};

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

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
        let proxy = settings.proxy.as_deref().map(Proxy::all).transpose().map_err(no_client)?;
        let client = if url.scheme() == "http" && proxy.is_none() {
            plain_client(policy(None))
        } else {
            trusting_client(|| policy(proxy.clone())).map(|(client, _)| client)
        };
        Ok(Self { url, client: client.map_err(|error| no_client(error.0))? })
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

/// One exchange with the address as it is named, through no proxy but the one that the user named.
fn policy(proxy: Option<Proxy>) -> ClientBuilder {
    let builder = strict_builder().connect_timeout(CONNECT_TIMEOUT).timeout(TIMEOUT);
    match proxy {
        None => builder,
        Some(proxy) => builder.proxy(proxy),
    }
}

/// Why there is no client, without the address that the error may name: a proxy's may have a
/// password in it.
fn no_client(error: reqwest::Error) -> EndpointError {
    EndpointError::Client(error.without_url())
}
