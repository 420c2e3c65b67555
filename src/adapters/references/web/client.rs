//! The clients for references. There is one for each right by which an address is asked: they
//! resolve names differently, and none may use a connection that another one was allowed to make.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
use reqwest::{Client, ClientBuilder, Proxy};

use crate::adapters::http::trust::{ClientError, strict_builder, trusting_client};
use crate::adapters::references::web::names::{GatedNames, Names};
use crate::domain::egress::{AllowList, Passage};
use crate::domain::fetch::FetchSettings;

/// How long a connection may take, its name and its certificates included. A host that does not
/// answer within it is down, and two more tries still fit into a row's patience.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long an idle connection is kept; servers commonly close theirs after five seconds.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// Clients by the right with which they ask.
pub(super) struct Clients {
    made: Mutex<BTreeMap<Passage, Client>>,
    names: Arc<dyn Names>,
    allowed: Arc<AllowList>,
    proxy: Option<Proxy>,
    per_host: usize,
}

impl fmt::Debug for Clients {
    /// The address of a proxy may have a password in it.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = out.debug_struct("Clients");
        shown.field("allowed", &self.allowed).field("has_proxy", &self.has_proxy());
        shown.finish_non_exhaustive()
    }
}

impl Clients {
    /// Makes the first client, so that whatever is wrong shows before a row is read.
    ///
    /// # Errors
    /// When the proxy is no address, or no certificates can be used.
    pub(super) fn new(
        settings: &FetchSettings,
        names: Arc<dyn Names>,
        allowed: Arc<AllowList>,
    ) -> Result<Self, ClientError> {
        let proxy = settings.proxy.as_deref().map(Proxy::all).transpose();
        let clients = Self {
            made: Mutex::default(),
            names,
            allowed,
            // So may an error about it.
            proxy: proxy.map_err(|error| ClientError(error.without_url()))?,
            per_host: settings.per_host as usize,
        };
        clients.client(&Passage::First)?;
        Ok(clients)
    }

    /// Whether a proxy that the user has named decides where requests go.
    pub(super) const fn has_proxy(&self) -> bool {
        self.proxy.is_some()
    }

    /// The client for addresses that are asked by this right.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn client(&self, passage: &Passage) -> Result<Client, ClientError> {
        let mut made = self.made.lock().expect("no holder panics");
        if let Some(client) = made.get(passage) {
            return Ok(client.clone());
        }
        let (client, _) = trusting_client(|| self.policy(passage))?;
        made.insert(passage.clone(), client.clone());
        Ok(client)
    }

    /// Redirects are followed elsewhere, hop by hop through the gate.
    fn policy(&self, passage: &Passage) -> ClientBuilder {
        let identity = HeaderValue::from_static("identity");
        let names = GatedNames {
            names: Arc::clone(&self.names),
            passage: self.proxy.is_none().then(|| passage.clone()),
            allowed: Arc::clone(&self.allowed),
        };
        let policy = strict_builder()
            .default_headers(HeaderMap::from_iter([(ACCEPT_ENCODING, identity)]))
            .dns_resolver(Arc::new(names))
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_max_idle_per_host(self.per_host)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .tcp_nodelay(true);
        match &self.proxy {
            Some(proxy) => policy.proxy(proxy.clone()),
            None => policy,
        }
    }
}
