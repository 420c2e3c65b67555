//! What the gate lets through, by hand-made tables; the long ones are in `fixtures/urls`.

use proptest::prelude::*;

use super::*;

fn list(text: &str) -> AllowList {
    text.parse().expect(text)
}

fn first(text: &str, allowed: &AllowList) -> Result<CheckedUrl, EgressError> {
    check_url(text, None, allowed)
}

fn peer(text: &str) -> IpAddr {
    text.parse().expect(text)
}

#[test]
fn an_opened_network_opens_its_addresses_and_nothing_else() {
    let allowed = list("127.0.0.1/32");
    first("http://127.0.0.1:8123/x.png", &allowed).expect("opened");
    first("https://127.0.0.1/x.png", &allowed).expect("opened");
    first("http://2130706433:8123/x.png", &allowed).expect("the same address");
    for text in [
        "http://127.0.0.2:8123/x.png",
        "http://localhost:8123/x.png",
        "http://[::1]:8123/x.png",
        "http://[::ffff:127.0.0.1]:8123/x.png",
        "http://refs.example/x.png",
        "https://refs.example:8123/x.png",
        "http://8.8.8.8/x.png",
    ] {
        assert!(first(text, &allowed).is_err(), "{text}");
    }
    // A name is judged by where it leads.
    let named = first("https://refs.example/x.png", &allowed).expect("a public name");
    named.check_peer(peer("127.0.0.1"), &allowed).expect("opened");
    named.check_peer(peer("8.8.8.8"), &allowed).expect("public");
    for other in ["127.0.0.2", "::1", "::ffff:127.0.0.1", "169.254.169.254"] {
        named.check_peer(peer(other), &allowed).expect_err(other);
    }
}

#[test]
fn an_opened_host_opens_what_its_name_leads_to_and_nothing_else() {
    let allowed = list("localhost");
    for text in ["http://localhost:8123/x.png", "http://LOCALHOST.:8123/x.png"] {
        let url = first(text, &allowed).expect(text);
        for address in ["127.0.0.1", "::1", "10.0.0.1", "8.8.8.8"] {
            url.check_peer(peer(address), &allowed).expect(address);
        }
    }
    for text in [
        "http://127.0.0.1:8123/x.png",
        "http://[::1]:8123/x.png",
        "http://a.localhost:8123/x.png",
        "http://localhost.example/x.png",
        "gopher://localhost:8123/x.png",
        "http://user@localhost:8123/x.png",
    ] {
        assert!(first(text, &allowed).is_err(), "{text}");
    }
    let other = first("https://refs.example/x.png", &allowed).expect("a public name");
    other.check_peer(peer("127.0.0.1"), &allowed).expect_err("only the name is open");
}

#[test]
fn a_redirect_from_the_public_gets_nothing_from_the_list_row_67() {
    let allowed = list("127.0.0.0/8,minio,cdn.example");
    let public = first("https://refs.example/a/x.png", &allowed).expect("public");
    let next = |text: &str| check_url(text, Some(&public), &allowed);
    assert_eq!(next("y.png").expect("relative").url().path(), "/a/y.png");
    next("//cdn2.example/y.png").expect("public");
    let cdn = next("https://cdn.example/y.png").expect("opened, but public without it");
    cdn.check_peer(peer("127.0.0.1"), &allowed).expect_err("a redirect gets nothing");
    next("https://other.example/")
        .expect("public")
        .check_peer(peer("127.0.0.1"), &allowed)
        .expect_err("nor a name that leads into a network");
    for (text, error) in [
        ("https://127.0.0.1/", EgressError::IntoOpened),
        ("https://minio/", EgressError::IntoOpened),
        ("https://cdn.example:9000/", EgressError::IntoOpened),
        ("http://refs.example/", EgressError::Downgrade),
        ("http://127.0.0.1/", EgressError::Downgrade),
        ("https://localhost/", EgressError::LocalName("localhost".to_owned())),
        ("file:///etc/passwd", EgressError::Scheme("file".to_owned())),
        ("https://a@b.example/", EgressError::UserInfo),
        ("//a@b.example/", EgressError::UserInfo),
        ("/\\evil.example/", EgressError::Backslash),
        ("https:y.png", EgressError::NoHost),
        ("https:///y.png", EgressError::NoHost),
        (" /y.png", EgressError::ControlCharacter),
    ] {
        assert_eq!(next(text), Err(error), "{text}");
    }
}

#[test]
fn a_redirect_out_of_what_is_opened_is_refused_row_67() {
    let allowed = list("10.0.0.0/8,minio,192.168.0.1");
    let out = |entry: &str| Err(EgressError::OutOfOpened(entry.to_owned()));
    let network = first("http://10.0.0.1:9000/x.png", &allowed).expect("opened");
    let next = |text: &str| check_url(text, Some(&network), &allowed);
    next("http://10.9.9.9/y.png").expect("the same entry");
    next("/y.png").expect("the same host");
    let name = next("https://refs.example/y.png").expect("a name may lead into it");
    name.check_peer(peer("10.1.1.1"), &allowed).expect("the same entry");
    for other in ["8.8.8.8", "192.168.0.1", "127.0.0.1"] {
        name.check_peer(peer(other), &allowed).expect_err(other);
    }
    for text in ["http://192.168.0.1/", "http://minio/", "https://8.8.8.8/", "http://127.0.0.1/"] {
        assert_eq!(next(text), out("10.0.0.0/8"), "{text}");
    }
    let host = first("http://minio:9000/x.png", &allowed).expect("opened");
    let next = |text: &str| check_url(text, Some(&host), &allowed);
    next("http://minio:9001/y.png").expect("the same entry");
    for text in ["http://10.0.0.1/", "https://refs.example/", "http://minio.example/"] {
        assert_eq!(next(text), out("minio"), "{text}");
    }
    // A name that has led into a network stays in it.
    let named = first("https://refs.example/", &allowed).expect("public by its text");
    let inside = named.clone().arrived_at(peer("10.0.0.1"), &allowed).expect("opened");
    assert_eq!(check_url("https://8.8.8.8/", Some(&inside), &allowed), out("10.0.0.0/8"));
    let outside = named.arrived_at(peer("8.8.8.8"), &allowed).expect("public");
    assert_eq!(
        check_url("https://10.0.0.1/", Some(&outside), &allowed),
        Err(EgressError::IntoOpened)
    );
}

#[test]
fn ports_and_schemes_are_ordinary_row_71_73() {
    let none = AllowList::default();
    for text in ["https://a.example/", "https://a.example:443/", "https://a.example:8443/"] {
        first(text, &none).expect(text);
    }
    for port in [0, 1, 22, 25, 80, 6379, 8080, 9200, 65535] {
        let text = format!("https://a.example:{port}/");
        assert_eq!(first(&text, &none), Err(EgressError::Port(port)), "{text}");
    }
    for text in ["http://a.example/", "http://a.example:443/"] {
        assert_eq!(first(text, &none), Err(EgressError::PlainHttp), "{text}");
    }
    first("http://a.example:22/", &list("a.example")).expect("a person has said so");
}

proptest! {
    #[test]
    fn no_error_names_the_query(
        base in "(https?|ftp)://([a-z@:0-9.\\\\]{1,12}|127.0.0.1|localhost)(/[a-z]{0,4})?",
        end in "[?#](sig=SECRETQUERY)?[ -~]{0,9}SECRETQUERY"
    ) {
        if let Err(error) = first(&format!("{base}{end}"), &AllowList::default()) {
            let said = format!("{error} {error:?}");
            prop_assert!(!said.contains("SECRETQUERY"), "{}", said);
        }
    }

    #[test]
    fn no_text_makes_the_gate_fall_over(text in any::<String>(), entry in any::<String>()) {
        let none = AllowList::default();
        let public = first("https://a.example/b", &none).expect("public");
        let _ = (first(&text, &none), check_url(&text, Some(&public), &none));
        if let Ok(list) = entry.parse::<AllowList>() {
            prop_assert_eq!(list.to_string().parse(), Ok(list));
        }
    }
}
