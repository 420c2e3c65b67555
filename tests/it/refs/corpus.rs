//! Every hostile address of the corpus, really tried; a listener on this machine sees nobody.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use imagemill::domain::egress::{
    AddressClass, AllowList, CheckedUrl, EgressError, check_url, class_of,
};
use imagemill::ports::references::{NextTry, ReferenceError};

use crate::refs::site::{FakeNames, OPENED, Site, port, redirect, said};
use crate::wire::raw::{Act, RawServer};

/// Listeners that nobody may connect to; they accept nobody, so whoever came waits in them.
struct Trap {
    listeners: Vec<TcpListener>,
    port: u16,
}

impl Trap {
    fn new() -> Self {
        let first = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = first.local_addr().expect("an address").port();
        // Where a machine has no IPv6, or only one loopback address, there is nobody to reach.
        let others = ["[::1]", "127.0.0.2", "127.8.8.8"]
            .into_iter()
            .filter_map(|host| TcpListener::bind(format!("{host}:{port}")).ok());
        let listeners: Vec<TcpListener> = [first].into_iter().chain(others).collect();
        for listener in &listeners {
            listener.set_nonblocking(true).expect("it does not wait");
        }
        Self { listeners, port }
    }

    /// How many have come since this was last asked.
    fn n_caught(&self) -> usize {
        let mut n_caught = 0;
        for listener in &self.listeners {
            loop {
                match listener.accept() {
                    Ok(_) => n_caught += 1,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        n_caught
    }
}

/// The lines of a corpus with the names of characters and the port put in.
fn lines(name: &str, port: u16) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/urls").join(name);
    let text = fs::read_to_string(path).expect("a corpus");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let split = |line: &str| {
        let (address, class) = line.split_once('\t').unwrap_or((line, ""));
        let mut address = address.replace("{port}", &port.to_string());
        for (name, character) in [
            ("{lf}", "\n"),
            ("{cr}", "\r"),
            ("{tab}", "\t"),
            ("{nul}", "\0"),
            ("{esc}", "\u{1b}"),
            ("{del}", "\u{7f}"),
            ("{nel}", "\u{85}"),
            ("{sp}", " "),
        ] {
            address = address.replace(name, character);
        }
        (address, class.to_owned())
    };
    lines.map(split).collect()
}

/// The word of the corpus for a refusal.
fn word(error: &EgressError) -> &'static str {
    match error {
        EgressError::TooLong => "too-long",
        EgressError::ControlCharacter => "control",
        EgressError::Malformed(_) => "malformed",
        EgressError::Scheme(_) => "scheme",
        EgressError::Backslash => "backslash",
        EgressError::UserInfo => "userinfo",
        EgressError::NoHost => "no-host",
        EgressError::LocalName(_) => "local-name",
        EgressError::Address { class, .. } => class_word(*class),
        EgressError::PlainHttp => "plain-http",
        EgressError::Port(_) => "port",
        EgressError::Downgrade => "downgrade",
        EgressError::IntoOpened => "into-opened",
        EgressError::OutOfOpened(_) => "out-of-opened",
    }
}

fn class_word(class: AddressClass) -> &'static str {
    match class {
        AddressClass::Unspecified => "unspecified",
        AddressClass::Loopback => "loopback",
        AddressClass::Private => "private",
        AddressClass::LinkLocal => "link-local",
        AddressClass::SharedSpace => "shared",
        AddressClass::UniqueLocal => "unique-local",
        AddressClass::Multicast => "multicast",
        AddressClass::Broadcast => "broadcast",
        AddressClass::Benchmark => "benchmark",
        AddressClass::Documentation => "documentation",
        AddressClass::Reserved => "reserved",
        AddressClass::Nat64 => "nat64",
        AddressClass::SixToFour => "6to4",
        AddressClass::Teredo => "teredo",
        AddressClass::Mapped => "mapped",
        AddressClass::Compatible => "compatible",
        AddressClass::SiteLocal => "site-local",
        AddressClass::Metadata => "metadata",
    }
}

#[tokio::test]
async fn no_hostile_address_is_asked_row_59_60_61_62_63_64_70_71_72_73() {
    let trap = Trap::new();
    // Even a resolver that sends everybody home is not asked for any of them.
    let names = FakeNames::new(&[&["127.0.0.1", "::1"]]);
    let site = Site::with_names("", Arc::clone(&names));
    let lines = lines("hostile.txt", trap.port);
    assert!(lines.len() >= 200, "{}", lines.len());
    let mut wrong = Vec::new();
    for (address, wanted) in &lines {
        let failed = site.fails(address).await;
        let got = if let ReferenceError::Refused { source, .. } = &failed.error {
            word(source)
        } else {
            "something else"
        };
        if got != wanted || failed.next != NextTry::Never {
            wrong.push(format!("{address:?}: {got}, not {wanted}: {}", said(&failed)));
        }
        assert_eq!(trap.n_caught(), 0, "{address:?}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(names.n_asked(), 0);
    assert!(site.files().is_empty());
    // The trap does catch.
    drop(std::net::TcpStream::connect(("127.0.0.1", trap.port)).expect("connected"));
    assert_eq!(trap.n_caught(), 1);
}

#[tokio::test]
async fn no_redirect_leads_to_a_hostile_address_row_60_67() {
    let trap = Trap::new();
    let target = Arc::new(Mutex::new(String::new()));
    let told = Arc::clone(&target);
    let server =
        RawServer::start(move |_, _| Act::Send(redirect(&told.lock().expect("no holder panics"))));
    let start = format!("http://{OPENED}:{}/x.png", port(&server.address));
    let site = Site::allowing(OPENED);
    let public = check_url("https://refs.example/x.png", None, &AllowList::default());
    let public = public.expect("a public address");
    let lines = lines("hostile.txt", trap.port);
    let mut classes = BTreeSet::new();
    for (address, _) in &lines {
        target.lock().expect("no holder panics").clone_from(address);
        let failed = site.fails(&start).await;
        if !address.chars().any(char::is_control) && address.trim() == address {
            assert_eq!(failed.next, NextTry::Never, "{address:?}: {}", said(&failed));
            let ReferenceError::Refused { source, .. } = &failed.error else {
                panic!("{address:?}: {}", said(&failed));
            };
            classes.insert(word(source));
        }
        assert_eq!(trap.n_caught(), 0, "{address:?}");
        // A public server gets no further either; none can be played here.
        let next = |from: &CheckedUrl, allowed: &str| {
            check_url(address, Some(from), &allowed.parse().expect("a list"))
        };
        for allowed in ["", "0.0.0.0/1,128.0.0.0/1,::/1,8000::/1", "localhost,127.0.0.1,minio"] {
            assert!(next(&public, allowed).is_err(), "{address:?} {allowed:?}");
        }
    }
    assert!(server.requests().len() >= lines.len(), "each was really sent");
    assert!(classes.contains("out-of-opened") && classes.contains("scheme"), "{classes:?}");
}

#[test]
fn what_is_public_passes() {
    let none = AllowList::default();
    for (address, _) in lines("good.txt", 0) {
        if let Err(error) = check_url(&address, None, &none) {
            panic!("{address}: {error}");
        }
    }
    assert_eq!(class_of("8.8.8.8".parse().expect("an address")), None);
}
