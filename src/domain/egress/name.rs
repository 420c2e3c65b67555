//! Names that lead to this machine, this network, or the services of a cloud.

/// Names that are local wherever they are asked, and everything below them.
///
/// Sources: RFC 6761 and RFC 6762 (with the names of its appendix G that private networks use),
/// RFC 8375, and ICANN's reservation of `internal`, below which the clouds have their metadata.
const LOCAL: [&str; 12] = [
    "localhost",
    "localdomain",
    "local",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
    "home.arpa",
    "localhost6",
    "localdomain6",
];

/// Public names under which clouds hand out credentials from inside.
const METADATA: [&str; 4] = [
    "metadata.packet.net",
    "metadata.platformequinix.com",
    "metadata.tencentyun.com",
    "metadata.nic.scaleway.com",
];

/// Whether a name is refused before anybody resolves it. A name of one label is one of the local
/// network: no public top-level domain serves images by its bare name.
pub(super) fn is_local(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    let is_below = |suffix: &&str| {
        name.strip_suffix(*suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    !name.contains('.') || LOCAL.iter().any(is_below) || METADATA.contains(&name)
}

/// Whether each label has letters: `a..b` and `.a` mean different things to different resolvers.
pub(super) fn is_whole(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.len() <= 253 && name.split('.').all(|label| (1..=63).contains(&label.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_names_are_known_row_59_64() {
        for name in [
            "localhost",
            "localhost.",
            "a.localhost",
            "localhost.localdomain",
            "printer.local",
            "metadata.google.internal",
            "metadata.google.internal.",
            "instance-data",
            "instance-data.ec2.internal",
            "metadata",
            "router.lan",
            "x.home.arpa",
            "intranet",
            "kubernetes.default.svc.cluster.local",
            "metadata.tencentyun.com",
            "ip6-localhost",
        ] {
            assert!(is_local(name), "{name}");
        }
        for name in ["refs.example", "local.example", "mylocalhost.example", "notlocal.co"] {
            assert!(!is_local(name), "{name}");
        }
    }

    #[test]
    fn names_have_whole_labels() {
        assert!(is_whole("a.example") && is_whole("a.example."));
        let long = format!("{}.example", "a".repeat(64));
        for name in ["a..example", ".example", "a.example..", "", &long] {
            assert!(!is_whole(name), "{name}");
        }
    }
}
