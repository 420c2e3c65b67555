//! What a person opens for references, by `--allow-refs-from`.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::fmt;
use std::str::FromStr;

use url::Host;

use crate::domain::egress::address::{is_within_v4, is_within_v6};

/// Hosts and networks that references may come from although the gate refuses them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowList {
    entries: Vec<Opening>,
}

/// One entry of the list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Opening {
    /// A host by its name: all that this name leads to.
    Host(String),
    /// A network, or one address of it.
    Network(Network),
}

/// Addresses that begin alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Network {
    /// The first address and the length of the prefix, up to 32.
    V4(Ipv4Addr, u8),
    /// The first address and the length of the prefix, up to 128.
    V6(Ipv6Addr, u8),
}

/// Why a text is neither a network nor a host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AllowError {
    /// It reads as neither.
    #[error("{0:?} is neither a network such as 127.0.0.0/8 nor a host such as refs.example")]
    Neither(String),
    /// Its address does not begin a network of that length.
    #[error("{text:?} is an address within a network; the network is {network}")]
    Within {
        /// The text.
        text: String,
        /// The network as it is written.
        network: String,
    },
    /// It would open every address, those that give away credentials among them.
    #[error("{0:?} opens every address, cloud metadata included; name the networks that you mean")]
    Everything(String),
}

impl AllowList {
    /// Whether nothing is open.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The first entry that opens a host by its name, or an address that stands for itself.
    pub(super) fn opening_of(&self, host: &Host<&str>) -> Option<&Opening> {
        self.entries.iter().find(|entry| entry.opens(host))
    }

    /// The first network that an address is in.
    pub(super) fn network_of(&self, address: IpAddr) -> Option<&Opening> {
        self.entries.iter().find(|entry| match entry {
            Opening::Host(_) => false,
            Opening::Network(network) => network.contains(address),
        })
    }
}

impl Opening {
    /// Whether it opens a host by its name, or an address that stands for itself.
    pub(super) fn opens(&self, host: &Host<&str>) -> bool {
        match (self, host) {
            (Self::Host(name), Host::Domain(asked)) => name == asked.trim_end_matches('.'),
            (Self::Network(network), Host::Ipv4(address)) => network.contains((*address).into()),
            (Self::Network(network), Host::Ipv6(address)) => network.contains((*address).into()),
            (Self::Host(_), Host::Ipv4(_) | Host::Ipv6(_))
            | (Self::Network(_), Host::Domain(_)) => false,
        }
    }
}

impl Network {
    /// Whether an address is in it. An IPv4 address in the clothes of IPv6 is not: whoever opens
    /// 127.0.0.1 has not opened its other spellings.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::V4(first, prefix), IpAddr::V4(it)) => is_within_v4(it, *first, *prefix),
            (Self::V6(first, prefix), IpAddr::V6(it)) => is_within_v6(it, *first, *prefix),
            (Self::V4(..), IpAddr::V6(_)) | (Self::V6(..), IpAddr::V4(_)) => false,
        }
    }

    /// Whether it is this address that the network is written with.
    fn begins_with(&self, address: IpAddr) -> bool {
        match self {
            Self::V4(first, _) => address == IpAddr::V4(*first),
            Self::V6(first, _) => address == IpAddr::V6(*first),
        }
    }

    /// The network of an address; nothing when the prefix is longer than the address.
    fn of(address: IpAddr, prefix: u8) -> Option<Self> {
        match address {
            IpAddr::V4(it) => {
                let mask = u32::MAX.checked_shl(32_u32.checked_sub(prefix.into())?).unwrap_or(0);
                Some(Self::V4(Ipv4Addr::from_bits(it.to_bits() & mask), prefix))
            }
            IpAddr::V6(it) => {
                let mask = u128::MAX.checked_shl(128_u32.checked_sub(prefix.into())?).unwrap_or(0);
                Some(Self::V6(Ipv6Addr::from_bits(it.to_bits() & mask), prefix))
            }
        }
    }
}

impl FromStr for Opening {
    type Err = AllowError;

    /// Reads `10.0.0.0/8`, `fd00::/8`, `127.0.0.1`, `::1`, `[::1]` or `refs.example`. Addresses
    /// have one spelling here: who opens something must not be surprised by what it is.
    fn from_str(text: &str) -> Result<Self, AllowError> {
        let bad = || AllowError::Neither(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let bare = address.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        let parsed = match bare {
            Some(inner) => Some(IpAddr::V6(inner.parse().map_err(|_| bad())?)),
            None => address.parse::<IpAddr>().ok(),
        };
        match (parsed, prefix) {
            (Some(address), None) => {
                let whole = if address.is_ipv4() { 32 } else { 128 };
                Network::of(address, whole).map(Self::Network).ok_or_else(bad)
            }
            (Some(address), Some(prefix)) => {
                let is_number = prefix.bytes().all(|byte| byte.is_ascii_digit());
                let prefix = prefix.parse().ok().filter(|_| is_number).ok_or_else(bad)?;
                let network = Network::of(address, prefix).ok_or_else(bad)?;
                if prefix == 0 {
                    return Err(AllowError::Everything(text.to_owned()));
                }
                if !network.begins_with(address) {
                    let network = Self::Network(network).to_string();
                    return Err(AllowError::Within { text: text.to_owned(), network });
                }
                Ok(Self::Network(network))
            }
            (None, Some(_)) => Err(bad()),
            (None, None) => host_name(text).map(Self::Host).ok_or_else(bad),
        }
    }
}

/// A host's name as addresses have it after parsing, without a point at its end.
fn host_name(text: &str) -> Option<String> {
    let Ok(Host::Domain(name)) = Host::parse(text) else { return None };
    let name = name.strip_suffix('.').unwrap_or(&name);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(plain);
    name.split('.').all(is_label).then(|| name.to_owned())
}

impl FromStr for AllowList {
    type Err = AllowError;

    /// Reads networks and hosts, separated by commas.
    fn from_str(text: &str) -> Result<Self, AllowError> {
        let entries = text.split(',').map(str::trim).filter(|it| !it.is_empty());
        Ok(Self { entries: entries.map(str::parse).collect::<Result<_, _>>()? })
    }
}

impl fmt::Display for AllowList {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, entry) in self.entries.iter().enumerate() {
            if n > 0 {
                out.write_str(",")?;
            }
            write!(out, "{entry}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Opening {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(name) => out.write_str(name),
            Self::Network(Network::V4(address, 32)) => write!(out, "{address}"),
            Self::Network(Network::V6(address, 128)) => write!(out, "{address}"),
            Self::Network(Network::V4(first, prefix)) => write!(out, "{first}/{prefix}"),
            Self::Network(Network::V6(first, prefix)) => write!(out, "{first}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_and_given_back() {
        for (text, wanted) in [
            ("", ""),
            ("127.0.0.1", "127.0.0.1"),
            ("127.0.0.1/32", "127.0.0.1"),
            (" 10.0.0.0/8 , localhost ,", "10.0.0.0/8,localhost"),
            ("[::1],fd00::/8,::1/128", "::1,fd00::/8,::1"),
            ("Refs.Example.", "refs.example"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("my_minio", "my_minio"),
        ] {
            let list: AllowList = text.parse().expect(text);
            assert_eq!(list.to_string(), wanted, "{text:?}");
            assert_eq!(wanted.parse::<AllowList>(), Ok(list), "{text:?}");
        }
    }

    #[test]
    fn nobody_opens_more_than_is_written() {
        for (text, told) in [
            ("10.1.2.3/8", "is an address within a network; the network is 10.0.0.0/8"),
            ("fd00::1/8", "is an address within a network; the network is fd00::/8"),
            ("0.0.0.0/0", "opens every address"),
            ("::/0", "opens every address"),
            ("8.8.8.8/0", "opens every address"),
        ] {
            let error = text.parse::<AllowList>().expect_err(text).to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_ambiguous_opens_nothing() {
        for text in [
            "127.1",
            "0x7f000001",
            "2130706433",
            "0177.0.0.1",
            "127.0.0.1.",
            "127.0.0.0/33",
            "127.0.0.0/+8",
            "127.0.0.0/",
            "/8",
            "::1/129",
            "[::1",
            "[127.0.0.1]",
            "*.example",
            ".example",
            "a..b",
            "localhost:8080",
            "http://localhost",
            "user@host",
            "a b",
            "refs.example/8",
            "127.0.0.0/8/8",
            "a\\b",
            "refs.example..",
            "256.0.0.1",
        ] {
            let neither = Err(AllowError::Neither(text.to_owned()));
            assert_eq!(text.parse::<AllowList>(), neither, "{text:?}");
        }
    }
}
