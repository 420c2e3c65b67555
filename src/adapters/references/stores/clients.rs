//! The clients of stores: they know no proxy but the one that the user has named, and follow no
//! redirect.

use std::fmt;
use std::time::Duration;

use object_store::client::{HttpClient, HttpConnector};
use object_store::{ClientConfigKey, ClientOptions};
use reqwest::{ClientBuilder, NoProxy, Proxy};

use crate::adapters::http::trust::{strict_builder, trusting_client};

/// How long a connection to a store may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Where clouds hand out credentials to their own machines. A proxy elsewhere would get its own
/// ones, and must not see ours.
const METADATA_HOSTS: &str = "169.254.169.254,169.254.170.2,169.254.170.23,\
    fd00:ec2::254,fd00:ec2::23,metadata.google.internal";

/// Makes the clients of stores.
#[derive(Clone)]
pub(super) struct StoreClients {
    /// How long one request may take.
    pub(super) timeout: Duration,
    /// A proxy that the user has named.
    pub(super) proxy: Option<String>,
}

impl fmt::Debug for StoreClients {
    /// The address of a proxy may have a password in it.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = out.debug_struct("StoreClients");
        shown.field("timeout", &self.timeout).field("has_proxy", &self.proxy.is_some()).finish()
    }
}

impl StoreClients {
    fn policy(&self, options: &ClientOptions, proxy: Option<Proxy>) -> ClientBuilder {
        let is_on = |key| options.get_config_value(&key).is_some_and(|value| value == "true");
        let builder = strict_builder()
            .https_only(!is_on(ClientConfigKey::AllowHttp))
            .tls_danger_accept_invalid_certs(is_on(ClientConfigKey::AllowInvalidCertificates))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(self.timeout);
        match proxy {
            Some(proxy) => builder.proxy(proxy.no_proxy(NoProxy::from_string(METADATA_HOSTS))),
            None => builder,
        }
    }
}

impl HttpConnector for StoreClients {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let proxy = self.proxy.as_deref().map(Proxy::all).transpose();
        let proxy = proxy.map_err(|error| failed(error.without_url()))?;
        let made = trusting_client(|| self.policy(options, proxy.clone()));
        let (client, _) = made.map_err(|error| failed(error.0.without_url()))?;
        Ok(HttpClient::new(client))
    }
}

fn failed(error: reqwest::Error) -> object_store::Error {
    object_store::Error::Generic { store: "HTTP client", source: Box::new(error) }
}
