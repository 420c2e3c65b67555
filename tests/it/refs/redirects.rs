//! Redirects: how many, where to, and what is sent along.

use imagemill::domain::egress::EgressError;
use imagemill::ports::references::{NextTry, ReferenceError};

use crate::refs::site::{OPENED, PNG, Site, image, port, redirect, reply, said};
use crate::wire::raw::{Act, RawServer};

/// A server that sends everybody on from `/n` to `/n-1`, and has an image at `/0`.
fn stairs() -> RawServer {
    RawServer::start(|_, request| {
        let path = request.head.split(' ').nth(1).expect("a path");
        match path.trim_start_matches('/').parse::<u32>().expect("a number") {
            0 => Act::Send(image()),
            n => Act::Send(redirect(&format!("/{}", n - 1))),
        }
    })
}

#[tokio::test]
async fn three_redirects_are_followed_and_no_more_row_67() {
    let server = stairs();
    let site = Site::allowing(OPENED);
    let url = |n: u32| format!("http://{OPENED}:{}/{n}", port(&server.address));
    let fetched = site.fetch(&url(3)).await.expect("fetched");
    assert_eq!(fetched.n_received, PNG.len() as u64);
    let failed = site.fails(&url(4)).await;
    assert!(said(&failed).ends_with("more than 3 redirects"), "{}", said(&failed));
    assert_eq!((failed.next, server.requests().len()), (NextTry::Never, 4 + 4));
}

#[tokio::test]
async fn a_redirect_carries_no_credentials_along_row_68() {
    let other = RawServer::start(|_, _| Act::SendAndClose(image()));
    let target = format!("http://{OPENED}:{}/y.png", port(&other.address));
    let server = RawServer::start(move |_, _| {
        let headers = format!("Location: {target}\r\nSet-Cookie: a=SECRET; Path=/\r\n");
        Act::SendAndClose(reply("307 Temporary Redirect", &headers, b""))
    });
    let site = Site::allowing(OPENED);
    let url = format!("http://{OPENED}:{}/x.png?sig=SECRET", port(&server.address));
    site.fetch(&url).await.expect("fetched");
    for requests in [server.requests(), other.requests()] {
        let head = requests[0].head.to_lowercase();
        for name in ["authorization", "cookie", "referer", "origin", "x-api-key"] {
            assert_eq!(requests[0].header(name), None, "{head}");
        }
    }
    assert!(!other.requests()[0].head.contains("SECRET"), "neither in its path");
}

#[tokio::test]
async fn an_opened_server_leads_nowhere_else_row_67() {
    let other = RawServer::start(|_, _| Act::SendAndClose(image()));
    let elsewhere = other.address.clone();
    let server = RawServer::start(move |_, request| {
        let path = request.head.split(' ').nth(1).expect("a path").trim_start_matches('/');
        let target = match path {
            "literal" => format!("http://{elsewhere}/"),
            "other-entry" => format!("http://minio:{}/", port(&elsewhere)),
            "public" => "https://refs.example/".to_owned(),
            "nowhere" => return Act::Send(reply("302 Found", "", b"")),
            _ => return Act::Send(reply("302 Found", "Location: \r\n", b"")),
        };
        Act::Send(redirect(&target))
    });
    let site = Site::allowing(&format!("{OPENED},minio,127.0.0.2"));
    let url = |path: &str| format!("http://{OPENED}:{}/{path}", port(&server.address));
    for path in ["literal", "other-entry", "public"] {
        let failed = site.fails(&url(path)).await;
        let ReferenceError::Refused { source, .. } = &failed.error else {
            panic!("{path}: {}", said(&failed));
        };
        assert_eq!(source, &EgressError::OutOfOpened(OPENED.to_owned()), "{path}");
    }
    let failed = site.fails(&url("nowhere")).await;
    assert!(said(&failed).ends_with("leads nowhere"), "{}", said(&failed));
    // An empty target is the same address once more, and that is a circle.
    let failed = site.fails(&url("empty")).await;
    assert_eq!(failed.next, NextTry::Never, "{}", said(&failed));
    assert!(other.requests().is_empty());
}
