//! The address below which a provider's endpoints are: its version included, plain http allowed.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use url::{Host, Url};

/// A base URL such as `https://api.openai.com/v1`, without a slash at its end.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl {
    url: Url,
    text: String,
    origin: String,
}

/// Why a text is no base URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    /// The text has a blank or a control character, which some parsers drop silently.
    #[error("has a blank or a control character")]
    Blank,
    /// The text does not parse as an address.
    #[error("is no address such as http://127.0.0.1:8787/v1")]
    Address(#[source] url::ParseError),
    /// The scheme is none of the web's.
    #[error("has scheme {0:?}; only https and http are spoken")]
    Scheme(String),
    /// The address names no host.
    #[error("names no host")]
    NoHost,
    /// A key does not belong into an address.
    #[error("has a user name or password in it; name the key's variable with --api-key-env")]
    UserInfo,
    /// A query or a fragment cannot be extended to an endpoint.
    #[error("has a query or a fragment")]
    Query,
}

impl BaseUrl {
    /// Scheme, host and port: what a key is bound to.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The host as it is parsed.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// The address of an endpoint below it, such as `images/generations`.
    pub fn join(&self, path: &str) -> String {
        format!("{}/{path}", self.text)
    }

    /// Whether it leads to this machine only.
    pub fn is_loopback(&self) -> bool {
        match self.url.host() {
            Some(Host::Domain(name)) => {
                let name = name.strip_suffix('.').unwrap_or(name);
                name == "localhost"
            }
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
            None => false,
        }
    }

    /// Whether what is sent there can be read on the way.
    pub fn is_plain_http(&self) -> bool {
        self.url.scheme() == "http"
    }
}

impl FromStr for BaseUrl {
    type Err = BaseUrlError;

    fn from_str(text: &str) -> Result<Self, BaseUrlError> {
        if text.chars().any(|one| one.is_control() || one.is_whitespace()) {
            return Err(BaseUrlError::Blank);
        }
        let url = Url::parse(text).map_err(BaseUrlError::Address)?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(BaseUrlError::Scheme(url.scheme().to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BaseUrlError::UserInfo);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(BaseUrlError::Query);
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(BaseUrlError::NoHost);
        }
        let text = url.as_str().trim_end_matches('/').to_owned();
        let origin = url.origin().ascii_serialization();
        Ok(Self { url, text, origin })
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.text)
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, out)
    }
}

impl Serialize for BaseUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str) -> BaseUrl {
        text.parse().expect(text)
    }

    #[test]
    fn endpoints_are_below_it() {
        let check = |text: &str, joined: &str, origin: &str| {
            assert_eq!((base(text).join("models"), base(text).origin()), {
                (joined.to_owned(), origin)
            });
        };
        check("https://a.example/v1", "https://a.example/v1/models", "https://a.example");
        check("https://A.example:443/v1/", "https://a.example/v1/models", "https://a.example");
        check("http://127.0.0.1:8787", "http://127.0.0.1:8787/models", "http://127.0.0.1:8787");
    }

    #[test]
    fn this_machine_is_told_from_others_whatever_the_spelling() {
        for text in [
            "http://127.0.0.1/v1",
            "http://127.9.9.9",
            "http://[::1]:1",
            "http://localhost",
            "http://0x7f.1",
            "http://2130706433/v1",
            "http://[::ffff:127.0.0.1]/v1",
        ] {
            assert!(base(text).is_loopback(), "{text}");
        }
        for text in [
            "https://api.openai.com/v1",
            "http://localhost.example/v1",
            "http://0.0.0.0/v1",
            "http://10.0.0.1/v1",
            "http://127.0.0.1.example/v1",
        ] {
            assert!(!base(text).is_loopback(), "{text}");
        }
    }

    #[test]
    fn what_is_no_base_is_refused_by_name() {
        let check = |text: &str, expect: BaseUrlError| {
            assert_eq!(text.parse::<BaseUrl>(), Err(expect), "{text:?}");
        };
        check("https://key@a.example/v1", BaseUrlError::UserInfo);
        check("https://a.example/v1?key=1", BaseUrlError::Query);
        check("https://a.example/v1#x", BaseUrlError::Query);
        check("ftp://a.example/", BaseUrlError::Scheme("ftp".to_owned()));
        check("https://a.exa\tmple/", BaseUrlError::Blank);
        assert!(matches!("a.example".parse::<BaseUrl>(), Err(BaseUrlError::Address(_))));
    }
}
