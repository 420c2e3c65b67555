//! By what right an address is asked, and so which network addresses it may lead to.

use core::net::IpAddr;

use crate::domain::egress::EgressError;
use crate::domain::egress::address::class_of;
use crate::domain::egress::allow::{AllowList, Opening};

/// By what right an address is asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Passage {
    /// A row asks for it, and it is not open by its text: it leads to the public, or into a network
    /// that is open.
    First,
    /// It leads to the public only.
    Public,
    /// This entry has opened it, and it leads to what this entry opens.
    Opened(Opening),
}

impl Passage {
    /// Judges a network address; what is given back is the right by which it is asked, now that
    /// the address is known.
    pub(crate) fn check_peer(
        &self,
        address: IpAddr,
        allowed: &AllowList,
    ) -> Result<Self, EgressError> {
        let class = class_of(address);
        match (self, class) {
            (Self::Opened(Opening::Host(_)), _) => Ok(self.clone()),
            (Self::Opened(opening @ Opening::Network(network)), _) => {
                let out = || EgressError::OutOfOpened(opening.to_string());
                network.contains(address).then(|| self.clone()).ok_or_else(out)
            }
            (Self::First | Self::Public, None) => Ok(Self::Public),
            (Self::First, Some(class)) => match allowed.network_of(address) {
                Some(opening) => Ok(Self::Opened(opening.clone())),
                None => Err(EgressError::Address { address, class }),
            },
            (Self::Public, Some(class)) => Err(EgressError::Address { address, class }),
        }
    }
}

impl Opening {
    /// Whether it is a network, so that names can resolve into it.
    pub(super) const fn is_network(&self) -> bool {
        matches!(self, Self::Network(_))
    }
}
