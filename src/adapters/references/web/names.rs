//! From the name of a host to the addresses that may be asked, once for each connection.

use std::fmt::Debug;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::domain::egress::{AllowList, Passage};

/// Who knows the addresses of a name.
#[async_trait]
pub trait Names: Debug + Send + Sync {
    /// All addresses of a name.
    ///
    /// # Errors
    /// When nobody knows it, or nobody answers.
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The machine's own resolver.
#[derive(Clone, Copy, Debug)]
pub struct SystemNames;

#[async_trait]
impl Names for SystemNames {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((host, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

/// Asks for the addresses of a name and hands on those only that may be asked, so that whoever
/// connects has no others. A second question could have a second answer; there is none.
#[derive(Debug)]
pub(super) struct GatedNames {
    pub(super) names: Arc<dyn Names>,
    pub(super) passage: Passage,
    pub(super) allowed: Arc<AllowList>,
}

impl Resolve for GatedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let (names, passage) = (Arc::clone(&self.names), self.passage.clone());
        let allowed = Arc::clone(&self.allowed);
        Box::pin(async move {
            let (mut open, mut refused) = (Vec::new(), None);
            for address in names.addresses(name.as_str()).await? {
                match passage.check_peer(address, &allowed) {
                    // The port is the one of the address that is asked.
                    Ok(_) => open.push(SocketAddr::new(address, 0)),
                    Err(error) => refused = refused.or(Some(error)),
                }
            }
            match refused {
                Some(error) if open.is_empty() => Err(error.into()),
                None if open.is_empty() => {
                    Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into())
                }
                Some(_) | None => Ok(Box::new(open.into_iter()) as Addrs),
            }
        })
    }
}
