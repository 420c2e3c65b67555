//! Any bytes as an entry of `--allow-refs-from`, an address and a redirect: nothing may fall over,
//! and what passes the gate is what the gate says it is.
#![no_main]

use imagemill::domain::egress::{AllowList, CheckedUrl, EgressError, check_url, class_of};
use url::Host;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (mut lines, none) = (text.split('\n'), AllowList::default());
    let (entries, address) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let target = lines.next().unwrap_or(address);
    let allowed = entries.parse::<AllowList>().unwrap_or_default();
    assert_eq!(allowed.to_string().parse(), Ok(allowed.clone()), "it reads what it writes");

    // What nobody has opened is https to a public host, by whatever way.
    let closed = check_url(address, None, &none);
    if let Ok(checked) = &closed {
        check_public(checked);
    }
    match check_url(address, None, &allowed) {
        Ok(checked) => {
            if let Ok(next) = check_url(target, Some(&checked), &allowed) {
                let is_downgrade = checked.url().scheme() == "https";
                assert!(!is_downgrade || next.url().scheme() == "https", "{text:?}");
            }
        }
        Err(error) => {
            check_error(&error, address, None, &allowed);
            assert!(closed.is_err(), "an entry never closes anything: {text:?}");
        }
    }
    let public = check_url("https://refs.example/a/b", None, &none).expect("public");
    match check_url(target, Some(&public), &allowed) {
        // The list gives a redirect from the public nothing.
        Ok(next) => check_public(&next),
        Err(error) => check_error(&error, target, Some(&public), &allowed),
    }
});

fn check_public(checked: &CheckedUrl) {
    let url = checked.url();
    assert_eq!(url.scheme(), "https", "{url}");
    assert!(matches!(url.port_or_known_default(), Some(443 | 8443)), "{url}");
    assert!(url.username().is_empty() && url.password().is_none(), "{url}");
    match url.host().expect("a host") {
        Host::Ipv4(address) => assert_eq!(class_of(address.into()), None, "{url}"),
        Host::Ipv6(address) => assert_eq!(class_of(address.into()), None, "{url}"),
        Host::Domain(name) => assert!(!name.ends_with("localhost") || name.contains('.'), "{url}"),
    }
}

/// No error depends on what stands in the query, so none can tell it.
fn check_error(error: &EgressError, address: &str, from: Option<&CheckedUrl>, allowed: &AllowList) {
    let Some((before, _)) = address.split_once('?') else { return };
    let is_of_the_whole = matches!(
        error,
        EgressError::TooLong | EgressError::ControlCharacter | EgressError::Malformed(_)
    );
    if !is_of_the_whole {
        assert_eq!(check_url(&format!("{before}?"), from, allowed).as_ref(), Err(error));
    }
}
