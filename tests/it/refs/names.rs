//! Names that lead home, today or the second time; and proxies that would ask for them elsewhere.

use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;

use imagemill::domain::egress::EgressError;
use imagemill::domain::fetch::FetchSettings;
use imagemill::ports::references::{NextTry, ReferenceError};

use crate::refs::site::{FakeNames, OPENED, PNG, Site, image, port, said};
use crate::wire::raw::{Act, RawServer};

#[tokio::test]
async fn a_name_that_leads_home_is_refused_after_one_question_row_64_65_66() {
    for answer in [
        &["127.0.0.1"][..],
        &["::1", "10.0.0.1"],
        &["169.254.169.254"],
        &["::ffff:127.0.0.1"],
        &["64:ff9b::7f00:1", "fd00:ec2::254"],
    ] {
        let names = FakeNames::new(&[answer]);
        let site = Site::with_names("10.9.0.0/16", Arc::clone(&names));
        let failed = site.fails("https://refs.example/x.png?sig=SECRET").await;
        let ReferenceError::Refused { source, .. } = &failed.error else {
            panic!("{answer:?}: {}", said(&failed));
        };
        assert!(matches!(source, EgressError::Address { .. }), "{answer:?}: {source}");
        assert_eq!((failed.next, names.n_asked()), (NextTry::Never, 1), "{answer:?}");
        assert!(!said(&failed).contains("SECRET"), "{}", said(&failed));
    }
}

#[tokio::test]
async fn the_connection_leads_to_the_one_answer_there_is_row_65() {
    let server = RawServer::start(|_, _| Act::SendAndClose(image()));
    // The second answer would be another machine; nobody asks for it.
    let names = FakeNames::new(&[&["127.0.0.1"], &["127.0.0.9"]]);
    let site = Site::with_names(OPENED, Arc::clone(&names));
    let url = format!("http://{OPENED}:{}/x.png", port(&server.address));
    site.fetch(&url).await.expect("fetched");
    assert_eq!((names.n_asked(), server.requests().len()), (1, 1));
}

#[tokio::test]
async fn a_name_without_an_address_may_have_one_later() {
    let site = Site::with_names("", FakeNames::new(&[&[]]));
    let failed = site.fails("https://refs.example/x.png").await;
    assert!(said(&failed).ends_with("the name has no address"), "{}", said(&failed));
    assert_eq!(failed.next, NextTry::MayHeal(None));
}

/// Part of [`no_proxy_of_the_environment_is_asked_row_69`], and true in any environment.
#[tokio::test]
async fn a_fetch_goes_straight_row_69() {
    let server = RawServer::start(|_, _| Act::SendAndClose(image()));
    let url = format!("http://{OPENED}:{}/x.png", port(&server.address));
    Site::allowing(OPENED).fetch(&url).await.expect("fetched");
    assert!(server.requests()[0].head.starts_with("GET /x.png HTTP/1.1"), "asked as an origin");
    let failed = Site::allowing("").fails("https://refs.example/x.png").await;
    assert!(matches!(failed.error, ReferenceError::Refused { .. }), "{}", said(&failed));
    let failed = Site::allowing("").fails("http://169.254.169.254/latest/").await;
    assert!(matches!(failed.error, ReferenceError::Refused { .. }), "{}", said(&failed));
}

#[test]
fn no_proxy_of_the_environment_is_asked_row_69() {
    let proxy = TcpListener::bind("127.0.0.1:0").expect("a free port");
    proxy.set_nonblocking(true).expect("it does not wait");
    let address = format!("http://{}", proxy.local_addr().expect("an address"));
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.args(["--exact", "refs::names::a_fetch_goes_straight_row_69"]);
    for name in ["http_proxy", "https_proxy", "all_proxy"] {
        child.env(name, &address).env(name.to_uppercase(), &address);
    }
    child.env_remove("no_proxy").env_remove("NO_PROXY");
    let ran = child.output().expect("it starts");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
    assert!(proxy.accept().is_err(), "somebody has asked the proxy");
}

#[tokio::test]
async fn a_proxy_that_the_user_names_is_asked_row_69() {
    let proxy = RawServer::start(|_, _| Act::SendAndClose(image()));
    let settings = FetchSettings {
        allowed: OPENED.parse().expect("a list"),
        proxy: Some(format!("http://proxy.test:{}", port(&proxy.address))),
        ..FetchSettings::default()
    };
    let names = FakeNames::new(&[&["127.0.0.1"]]);
    let site = Site::with(&settings, Arc::clone(&names));
    let fetched = site.fetch(&format!("http://{OPENED}/x.png")).await.expect("fetched");
    assert_eq!(fetched.n_received, PNG.len() as u64);
    assert!(proxy.requests()[0].head.starts_with(&format!("GET http://{OPENED}/x.png ")));
    // The texts of addresses are judged all the same.
    let failed = site.fails("http://169.254.169.254/latest/").await;
    assert!(matches!(failed.error, ReferenceError::Refused { .. }), "{}", said(&failed));
    assert_eq!((proxy.requests().len(), names.n_asked()), (1, 1), "for the proxy's own name");
}
