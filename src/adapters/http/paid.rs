//! The client for paid requests: one exchange, to the address it was given, and nothing else.
//!
//! No retries, no redirects, no proxy of the environment, no decompression, HTTP/1.1 only: each of
//! those could send a paid request twice, somewhere else, or make its size a surprise.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use reqwest::{Client, ClientBuilder};

use crate::adapters::http::trust::{plain_client, strict_builder, trusting_client};
use crate::domain::base_url::BaseUrl;
use crate::domain::failure::FailureClass;

pub use crate::adapters::http::trust::{ClientError, Roots};

/// How long a connection may take; nothing is sent before it stands.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an idle connection is kept. Servers commonly close theirs after five seconds, and a
/// request that crosses with such an end may have been seen or not: nobody knows what it costs.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// A client and whose certificates it trusts.
#[derive(Debug)]
pub struct PaidClient {
    /// The client.
    pub client: Client,
    /// Whose certificates it trusts.
    pub roots: Roots,
}

/// Makes a client for an address, or for one that is not known yet; it keeps one idle connection
/// for each of `n_slots`.
///
/// # Errors
/// When not even the built-in certificates can be used.
pub fn paid_client(base: Option<&BaseUrl>, n_slots: usize) -> Result<PaidClient, ClientError> {
    if base.is_some_and(BaseUrl::is_plain_http) {
        // Hundreds of files are not read for nothing; no redirect can lead to another scheme.
        return Ok(PaidClient { client: plain_client(policy(n_slots))?, roots: Roots::None });
    }
    let (client, roots) = trusting_client(|| policy(n_slots))?;
    Ok(PaidClient { client, roots })
}

fn policy(n_slots: usize) -> ClientBuilder {
    strict_builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_max_idle_per_host(n_slots)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .tcp_nodelay(true)
}

/// What an error of the client says about the request: only one that happened before the
/// connection stood is proof that nothing was sent.
pub fn failure_class(error: &reqwest::Error) -> FailureClass {
    if error.is_connect() || error.is_builder() {
        return FailureClass::NoConnection { refused: is_refused(error) };
    }
    FailureClass::Reset
}

/// What went wrong underneath, without the address.
pub fn cause(error: &reqwest::Error) -> String {
    let mut last = None;
    let mut source = error.source();
    while let Some(cause) = source {
        last = Some(cause.to_string());
        source = cause.source();
    }
    last.unwrap_or_else(|| "no cause is known".to_owned())
}

fn is_refused(error: &reqwest::Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(cause) = cause.downcast_ref::<io::Error>()
            && cause.kind() == io::ErrorKind::ConnectionRefused
        {
            return true;
        }
        source = cause.source();
    }
    false
}
