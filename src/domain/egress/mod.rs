//! The gate for requests that rows ask for: where a reference may be fetched from. One function
//! judges a parsed address, one each network address that its host resolves to.
//!
//! What is open without a word: `https` on its ordinary ports, to public addresses. A person opens
//! more with an [`AllowList`]:
//!
//! - A *host* opens, for exactly this name, plain http, every port, and whatever addresses the name
//!   resolves to.
//! - A *network* opens the addresses in it that are written as such (plain http and every port
//!   too), and names that resolve into it. Such names are known by their address only after they
//!   are resolved, so they come by `https` on the ordinary ports alone, and `localhost` and its
//!   like stay closed.
//!
//! A redirect gets less than a row does, since no person has read it. From a public address it
//! leads to public addresses only, as if nothing were open. From an address that one entry has
//! opened it leads to what the *same* entry opens and nowhere else: neither to the public, whom the
//! inner service could tell something in the address, nor to another entry, which was not opened
//! for it. It never leads from `https` to `http`.

mod address;
mod allow;
mod name;
mod passage;

use core::net::IpAddr;

use url::{Host, Url};

use crate::domain::reference::MAX_REFERENCE_BYTES;

pub use address::{AddressClass, class_of};
pub use allow::{AllowError, AllowList};
pub(crate) use passage::Passage;

/// Ports on which references are served over https.
const PORTS: [u16; 2] = [443, 8443];

/// Why an address is not fetched; the text is fit for a report and names no query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// There are more bytes than an address may have.
    #[error("the address is longer than {MAX_REFERENCE_BYTES} bytes")]
    TooLong,
    /// A control character, or a blank at an end: parsers drop them silently.
    #[error("the address has a control character, or a blank at an end")]
    ControlCharacter,
    /// It does not parse.
    #[error("it is no address")]
    Malformed(#[source] url::ParseError),
    /// The scheme is none that is fetched.
    #[error("scheme {0:?} is not fetched")]
    Scheme(String),
    /// A backslash, which is a slash to some parsers and a letter to others.
    #[error("the address has a backslash")]
    Backslash,
    /// A user name or a password.
    #[error("the address has a user name or a password")]
    UserInfo,
    /// No host, or one with empty or overlong labels.
    #[error("the address names no whole host")]
    NoHost,
    /// The host's name is one of the local network or of a cloud's services.
    #[error("{0} is a local name that --allow-refs-from does not open")]
    LocalName(String),
    /// The host is, or resolves to, an address that is not public.
    #[error("{address} is a {class} address that --allow-refs-from does not open")]
    Address {
        /// The address.
        address: IpAddr,
        /// What kind of address it is.
        class: AddressClass,
    },
    /// Plain http to a host that nobody opened.
    #[error("plain http is fetched only from hosts that --allow-refs-from opens")]
    PlainHttp,
    /// A port on which references are not served.
    #[error("port {0} is none of https, and --allow-refs-from does not open the host")]
    Port(u16),
    /// A redirect from https to http.
    #[error("a redirect leads from https to http")]
    Downgrade,
    /// A redirect from a public address to one that only a row may ask for.
    #[error("a redirect leads from a public address to one that is not")]
    IntoOpened,
    /// A redirect from an opened address to what its own entry does not open.
    #[error("a redirect leads out of what {0} opens")]
    OutOfOpened(String),
}

/// An address that may be asked, as far as its text tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedUrl {
    url: Url,
    passage: Passage,
}

/// Judges an address before it is asked, and the target of each redirect (`from` is then the
/// address that sent us there, and the target may be relative to it).
///
/// # Errors
/// When it must not be asked; see [`EgressError`].
pub fn check_url(
    text: &str,
    from: Option<&CheckedUrl>,
    allowed: &AllowList,
) -> Result<CheckedUrl, EgressError> {
    let url = parse(text, from)?;
    let host = url.host().ok_or(EgressError::NoHost)?;
    let Some(from) = from else {
        let passage = match allowed.opening_of(&host) {
            Some(opening) => Passage::Opened(opening.clone()),
            None => public(&url, &host).map(|()| Passage::First)?,
        };
        return Ok(CheckedUrl { url, passage });
    };
    if from.url.scheme() == "https" && url.scheme() == "http" {
        return Err(EgressError::Downgrade);
    }
    let passage = match &from.passage {
        Passage::First | Passage::Public => match public(&url, &host) {
            Ok(()) => Passage::Public,
            Err(_) if allowed.opening_of(&host).is_some() => return Err(EgressError::IntoOpened),
            Err(error) => return Err(error),
        },
        Passage::Opened(opening) => {
            let out = || EgressError::OutOfOpened(opening.to_string());
            if !opening.opens(&host) {
                // Only a name can still resolve into a network.
                let is_name = matches!(host, Host::Domain(_)) && opening.is_network();
                (is_name && public(&url, &host).is_ok()).then_some(()).ok_or_else(out)?;
            }
            Passage::Opened(opening.clone())
        }
    };
    Ok(CheckedUrl { url, passage })
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
        self.passage.check_peer(peer, allowed).map(drop)
    }

    /// The same address once a connection to `peer` stands: its redirects are judged by where it
    /// really was.
    ///
    /// # Errors
    /// As [`Self::check_peer`].
    pub fn arrived_at(self, peer: IpAddr, allowed: &AllowList) -> Result<Self, EgressError> {
        let passage = self.passage.check_peer(peer, allowed)?;
        Ok(Self { url: self.url, passage })
    }

    /// Which network addresses its host may resolve to.
    pub(crate) const fn passage(&self) -> &Passage {
        &self.passage
    }
}

/// Parses an address of the web and refuses what parsers take differently.
fn parse(text: &str, from: Option<&CheckedUrl>) -> Result<Url, EgressError> {
    if text.len() > MAX_REFERENCE_BYTES {
        return Err(EgressError::TooLong);
    }
    if text.chars().any(char::is_control) || text.trim() != text {
        return Err(EgressError::ControlCharacter);
    }
    let url = match from {
        None => Url::parse(text),
        Some(from) => from.url.join(text),
    };
    let url = url.map_err(EgressError::Malformed)?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(EgressError::Scheme(url.scheme().to_owned()));
    }
    let before_query = text.split(['?', '#']).next().unwrap_or_default();
    if before_query.contains('\\') {
        return Err(EgressError::Backslash);
    }
    let authority = match scheme_length(before_query) {
        // `https:a` and `https:///a` have a host for some parsers and none for others.
        Some(length) => before_query[length + 1..].strip_prefix("//").ok_or(EgressError::NoHost)?,
        None => before_query.strip_prefix("//").unwrap_or("none"),
    };
    let authority = authority.split('/').next().unwrap_or_default();
    if authority.is_empty() {
        return Err(EgressError::NoHost);
    }
    if authority.contains('@') || !url.username().is_empty() || url.password().is_some() {
        return Err(EgressError::UserInfo);
    }
    match url.host() {
        Some(Host::Domain(name)) if !name::is_whole(name) => Err(EgressError::NoHost),
        Some(_) => Ok(url),
        None => Err(EgressError::NoHost),
    }
}

/// The length of the scheme that a text begins with; none for a relative address.
fn scheme_length(text: &str) -> Option<usize> {
    let length = text.find(':')?;
    let is_word = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text[..length].bytes().all(|it| it.is_ascii_alphanumeric() || b"+-.".contains(&it));
    is_word.then_some(length)
}

/// Judges an address that nobody has opened.
fn public(url: &Url, host: &Host<&str>) -> Result<(), EgressError> {
    let literal = match host {
        Host::Domain(name) if name::is_local(name) => {
            return Err(EgressError::LocalName((*name).to_owned()));
        }
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some(IpAddr::V4(*address)),
        Host::Ipv6(address) => Some(IpAddr::V6(*address)),
    };
    if let Some(address) = literal
        && let Some(class) = class_of(address)
    {
        return Err(EgressError::Address { address, class });
    }
    if url.scheme() != "https" {
        return Err(EgressError::PlainHttp);
    }
    match url.port_or_known_default() {
        Some(port) if !PORTS.contains(&port) => Err(EgressError::Port(port)),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
