//! What every client has in common: how it asks, and whose certificates it trusts.

use reqwest::{Certificate, Client, ClientBuilder};

/// How this tool calls itself.
const USER_AGENT: &str = concat!("imagemill/", env!("CARGO_PKG_VERSION"));

/// Whose certificates a client trusts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Roots {
    /// Those of the machine.
    System,
    /// Those that are built in, since the machine has none.
    Bundled,
    /// None at all: the address is one of plain HTTP.
    None,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be made")]
pub struct ClientError(#[source] pub(crate) reqwest::Error);

/// What every client here begins with: it asks the address that it was given, once, as it is. No
/// retries, no redirects, no proxy of the environment, no decompression, HTTP/1.1 only: each of
/// those could send a request twice, somewhere else, or hide the size of what comes.
pub(crate) fn strict_builder() -> ClientBuilder {
    Client::builder()
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
}

/// Builds a client that trusts the machine's certificates, or the built-in ones where it has none.
///
/// # Errors
/// When not even those can be used.
pub(crate) fn trusting_client(
    policy: impl Fn() -> ClientBuilder,
) -> Result<(Client, Roots), ClientError> {
    use_ring();
    if let Ok(client) = policy().build() {
        return Ok((client, Roots::System));
    }
    let bundled = webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .filter_map(|certificate| Certificate::from_der(certificate).ok());
    let client = policy().tls_certs_only(bundled).build().map_err(ClientError)?;
    Ok((client, Roots::Bundled))
}

/// Builds a client that trusts nobody: it is for plain HTTP only.
///
/// # Errors
/// When it cannot be built.
pub(crate) fn plain_client(policy: ClientBuilder) -> Result<Client, ClientError> {
    use_ring();
    policy.tls_certs_only([]).build().map_err(ClientError)
}

/// Chooses the one cryptography for the whole process.
fn use_ring() {
    // An earlier client has installed it already, or this one does.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
