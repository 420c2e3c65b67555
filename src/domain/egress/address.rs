//! Network addresses that no stranger's row may make this machine ask.
//!
//! Sources: IANA's registries of special-purpose addresses (IPv4 and IPv6, RFC 6890 and its
//! updates), and the classes of Stripe's egress proxy smokescreen. Networks that only translate or
//! tunnel are refused as a whole: what they lead to is another machine's decision.

// The types of addresses only; nothing here opens a socket.
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::fmt;

/// Why an address is not one of the public internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AddressClass {
    /// 0.0.0.0/8 and `::`: most systems take it for themselves.
    Unspecified,
    /// 127.0.0.0/8 and `::1`.
    Loopback,
    /// 10.0.0.0/8, 172.16.0.0/12 and 192.168.0.0/16.
    Private,
    /// 169.254.0.0/16 and fe80::/10.
    LinkLocal,
    /// 100.64.0.0/10: behind the address translation of a provider or a cloud.
    SharedSpace,
    /// fc00::/7.
    UniqueLocal,
    /// 224.0.0.0/4 and ff00::/8.
    Multicast,
    /// 255.255.255.255.
    Broadcast,
    /// 198.18.0.0/15 and 2001:2::/48.
    Benchmark,
    /// 192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24, 2001:db8::/32 and 3fff::/20.
    Documentation,
    /// Assigned to no ordinary host: protocols, the future, nobody.
    Reserved,
    /// 64:ff9b::/96 and 64:ff9b:1::/48: translated to an IPv4 address that nobody has judged.
    Nat64,
    /// 2002::/16 and 192.88.99.0/24: tunnelled to an IPv4 address.
    SixToFour,
    /// 2001::/32: tunnelled to an IPv4 address and port.
    Teredo,
    /// ::ffff:0:0/96: an IPv4 address in other clothes; what is refused as IPv4 keeps its class.
    Mapped,
    /// ::/96: the same, long given up.
    Compatible,
    /// fec0::/10, given up but still routed here and there.
    SiteLocal,
    /// Where clouds hand out credentials to whoever asks from inside.
    Metadata,
}

impl fmt::Display for AddressClass {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Unspecified => "unspecified",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::LinkLocal => "link-local",
            Self::SharedSpace => "shared (CGNAT)",
            Self::UniqueLocal => "unique-local",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Benchmark => "benchmark",
            Self::Documentation => "documentation",
            Self::Reserved => "reserved",
            Self::Nat64 => "NAT64",
            Self::SixToFour => "6to4",
            Self::Teredo => "Teredo",
            Self::Mapped => "IPv4-mapped",
            Self::Compatible => "IPv4-compatible",
            Self::SiteLocal => "site-local",
            Self::Metadata => "metadata",
        })
    }
}

/// Addresses of metadata and credential services. Some are public ones by their number only.
const METADATA_V4: [Ipv4Addr; 7] = [
    // AWS, Google, Azure, Oracle, DigitalOcean and more.
    Ipv4Addr::new(169, 254, 169, 254),
    // AWS: tasks of ECS, and pods of EKS.
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 170, 23),
    // Tencent.
    Ipv4Addr::new(169, 254, 0, 23),
    // Alibaba.
    Ipv4Addr::new(100, 100, 100, 200),
    // Oracle, of old.
    Ipv4Addr::new(192, 0, 0, 192),
    // Azure's wire server.
    Ipv4Addr::new(168, 63, 129, 16),
];

/// The same for IPv6: AWS (instances, pods) and Google.
const METADATA_V6: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

/// IPv4 networks by their first address and the length of their prefix.
const NETWORKS_V4: [([u8; 4], u8, AddressClass); 16] = [
    ([0, 0, 0, 0], 8, AddressClass::Unspecified),
    ([10, 0, 0, 0], 8, AddressClass::Private),
    ([100, 64, 0, 0], 10, AddressClass::SharedSpace),
    ([127, 0, 0, 0], 8, AddressClass::Loopback),
    ([169, 254, 0, 0], 16, AddressClass::LinkLocal),
    ([172, 16, 0, 0], 12, AddressClass::Private),
    ([192, 0, 0, 0], 24, AddressClass::Reserved),
    ([192, 0, 2, 0], 24, AddressClass::Documentation),
    ([192, 88, 99, 0], 24, AddressClass::SixToFour),
    ([192, 168, 0, 0], 16, AddressClass::Private),
    ([198, 18, 0, 0], 15, AddressClass::Benchmark),
    ([198, 51, 100, 0], 24, AddressClass::Documentation),
    ([203, 0, 113, 0], 24, AddressClass::Documentation),
    ([224, 0, 0, 0], 4, AddressClass::Multicast),
    ([255, 255, 255, 255], 32, AddressClass::Broadcast),
    ([240, 0, 0, 0], 4, AddressClass::Reserved),
];

/// IPv6 networks by their first 128 bits and the length of their prefix; the first that fits
/// counts.
const NETWORKS_V6: [(u128, u8, AddressClass); 19] = [
    (0, 128, AddressClass::Unspecified),
    (1, 128, AddressClass::Loopback),
    (0, 96, AddressClass::Compatible),
    (0xffff << 32, 96, AddressClass::Mapped),
    (0x0064_ff9b << 96, 96, AddressClass::Nat64),
    (0x0064_ff9b_0001 << 80, 48, AddressClass::Nat64),
    (0x2001 << 112, 32, AddressClass::Teredo),
    (0x2001_0002 << 96, 48, AddressClass::Benchmark),
    (0x2001_0db8 << 96, 32, AddressClass::Documentation),
    (0x2001 << 112, 23, AddressClass::Reserved),
    (0x2002 << 112, 16, AddressClass::SixToFour),
    (0x3fff << 112, 20, AddressClass::Documentation),
    (0xfc00 << 112, 7, AddressClass::UniqueLocal),
    (0xfe80 << 112, 10, AddressClass::LinkLocal),
    (0xfec0 << 112, 10, AddressClass::SiteLocal),
    (0xff00 << 112, 8, AddressClass::Multicast),
    // Everything below and above the one block from which public addresses are given out.
    (0, 3, AddressClass::Reserved),
    (0x4000 << 112, 2, AddressClass::Reserved),
    (0x8000 << 112, 1, AddressClass::Reserved),
];

/// The class of an address that is not public; nothing for a public one.
pub fn class_of(address: IpAddr) -> Option<AddressClass> {
    match address {
        IpAddr::V4(address) => class_of_v4(address),
        IpAddr::V6(address) => class_of_v6(address),
    }
}

fn class_of_v4(address: Ipv4Addr) -> Option<AddressClass> {
    if METADATA_V4.contains(&address) {
        return Some(AddressClass::Metadata);
    }
    let fits = |first: [u8; 4], prefix| is_within_v4(address, Ipv4Addr::from(first), prefix);
    let found = NETWORKS_V4.into_iter().find(|(first, prefix, _)| fits(*first, *prefix));
    found.map(|(_, _, class)| class)
}

fn class_of_v6(address: Ipv6Addr) -> Option<AddressClass> {
    if METADATA_V6.contains(&address) {
        return Some(AddressClass::Metadata);
    }
    // The canonical form first: most predicates of IPv6 do not know a mapped 127.0.0.1.
    if let Some(class) = address.to_ipv4_mapped().and_then(class_of_v4) {
        return Some(class);
    }
    let fits = |first: u128, prefix| is_within_v6(address, Ipv6Addr::from(first), prefix);
    let found = NETWORKS_V6.into_iter().find(|(first, prefix, _)| fits(*first, *prefix));
    found.map(|(_, _, class)| class)
}

/// Whether an address is in a network.
pub(super) fn is_within_v4(address: Ipv4Addr, first: Ipv4Addr, prefix: u8) -> bool {
    let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
    address.to_bits() & mask == first.to_bits() & mask
}

/// Whether an address is in a network.
pub(super) fn is_within_v6(address: Ipv6Addr, first: Ipv6Addr, prefix: u8) -> bool {
    let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
    address.to_bits() & mask == first.to_bits() & mask
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(text: &str) -> Option<AddressClass> {
        class_of(text.parse().expect(text))
    }

    #[test]
    fn every_special_network_is_known_from_its_first_to_its_last_address_row_63() {
        use AddressClass::*;
        for (first, last, wanted) in [
            ("0.0.0.0", "0.255.255.255", Unspecified),
            ("10.0.0.0", "10.255.255.255", Private),
            ("100.64.0.0", "100.127.255.255", SharedSpace),
            ("127.0.0.0", "127.255.255.255", Loopback),
            ("169.254.0.0", "169.254.255.255", LinkLocal),
            ("172.16.0.0", "172.31.255.255", Private),
            ("192.0.0.0", "192.0.0.255", Reserved),
            ("192.0.2.0", "192.0.2.255", Documentation),
            ("192.88.99.0", "192.88.99.255", SixToFour),
            ("192.168.0.0", "192.168.255.255", Private),
            ("198.18.0.0", "198.19.255.255", Benchmark),
            ("198.51.100.0", "198.51.100.255", Documentation),
            ("203.0.113.0", "203.0.113.255", Documentation),
            ("224.0.0.0", "239.255.255.255", Multicast),
            ("240.0.0.0", "255.255.255.254", Reserved),
            ("255.255.255.255", "255.255.255.255", Broadcast),
            ("::", "::", Unspecified),
            ("::1", "::1", Loopback),
            ("::2", "::ffff:ffff", Compatible),
            ("64:ff9b::", "64:ff9b::ffff:ffff", Nat64),
            ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", Nat64),
            ("100::", "100::ffff:ffff:ffff:ffff", Reserved),
            ("2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", Teredo),
            ("2001:1::", "2001:1:ffff:ffff:ffff:ffff:ffff:ffff", Reserved),
            ("2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", Benchmark),
            ("2001:10::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", Reserved),
            ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", Documentation),
            ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", SixToFour),
            ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", Documentation),
            ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reserved),
            ("4000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reserved),
            ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", UniqueLocal),
            ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", LinkLocal),
            ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", SiteLocal),
            ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Multicast),
        ] {
            assert_eq!(class(first), Some(wanted), "{first}");
            assert_eq!(class(last), Some(wanted), "{last}");
        }
    }

    #[test]
    fn what_lies_beside_a_special_network_is_public() {
        for text in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "191.255.255.255",
            "192.0.1.0",
            "192.0.3.0",
            "192.88.98.255",
            "192.88.100.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.99.255",
            "198.51.101.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "8.8.8.8",
            "2000::",
            "2001:200::",
            "2001:db7::",
            "2001:db9::",
            "2003::",
            "2600::1",
            "3ffe::",
            "3fff:1000::",
            "2606:4700:4700::1111",
        ] {
            assert_eq!(class(text), None, "{text}");
        }
    }

    #[test]
    fn a_mapped_address_is_what_it_maps_row_61() {
        for (text, wanted) in [
            ("::ffff:127.0.0.1", AddressClass::Loopback),
            ("::ffff:7f00:1", AddressClass::Loopback),
            ("::ffff:10.0.0.1", AddressClass::Private),
            ("::ffff:169.254.169.254", AddressClass::Metadata),
            ("::ffff:0.0.0.0", AddressClass::Unspecified),
            ("::ffff:8.8.8.8", AddressClass::Mapped),
            ("::127.0.0.1", AddressClass::Compatible),
            ("::ffff:0:127.0.0.1", AddressClass::Reserved),
        ] {
            assert_eq!(class(text), Some(wanted), "{text}");
        }
    }

    #[test]
    fn translated_and_tunnelled_addresses_are_refused_row_62() {
        for (text, wanted) in [
            ("64:ff9b::7f00:1", AddressClass::Nat64),
            ("64:ff9b::8.8.8.8", AddressClass::Nat64),
            ("64:ff9b:1::a00:1", AddressClass::Nat64),
            ("2002:7f00:1::", AddressClass::SixToFour),
            ("2002:808:808::1", AddressClass::SixToFour),
            ("2001:0:4136:e378:8000:63bf:3fff:fdd2", AddressClass::Teredo),
        ] {
            assert_eq!(class(text), Some(wanted), "{text}");
        }
    }

    #[test]
    fn metadata_services_are_known_by_their_addresses_row_64() {
        for text in [
            "169.254.169.254",
            "169.254.170.2",
            "169.254.170.23",
            "169.254.0.23",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "::ffff:a9fe:a9fe",
        ] {
            assert_eq!(class(text), Some(AddressClass::Metadata), "{text}");
        }
        assert_eq!(class("168.63.129.17"), None);
    }
}
