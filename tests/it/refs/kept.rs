//! What is kept from one run to the next: an object is asked for once more, not fetched.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use crate::refs::site::{OPENED, PNG, Site, port, redirect, reply};
use crate::wire::raw::{Act, RawServer};

/// A server that has one state of everything, and says so; `/moved` leads to it.
fn server() -> RawServer {
    RawServer::start(|_, request| {
        if request.head.starts_with("GET /moved") {
            return Act::Send(redirect("/x.png"));
        }
        match request.header("if-none-match") {
            Some("\"one\"") => Act::Send(b"HTTP/1.1 304 Not Modified\r\n\r\n".to_vec()),
            _ => {
                let headers = "ETag: \"one\"\r\nLast-Modified: Fri, 06 Nov 2020 08:49:37 GMT\r\n";
                Act::Send(reply("200 OK", headers, PNG))
            }
        }
    })
}

#[tokio::test]
async fn what_has_not_changed_is_not_fetched_again() {
    let server = server();
    let site = Site::allowing(OPENED);
    let base = format!("http://{OPENED}:{}", port(&server.address));
    let url = |signature: u32| format!("{base}/x.png?X-Amz-Signature={signature}");
    let first = site.fetch(&url(1)).await.expect("fetched");
    assert_eq!(first.n_received, PNG.len() as u64);
    let second = site.fetch(&url(2)).await.expect("still good");
    assert_eq!(second.n_received, 0);
    assert_eq!(second.loaded.content, first.loaded.content);
    assert_eq!(second.loaded.sha256, first.loaded.sha256);
    // Without its file, or with another one in its place, it is fetched.
    let object = site.files().into_iter().find(|it| it.extension().is_none()).expect("an object");
    for damage in [None, Some(&b"short"[..])] {
        match damage {
            None => fs::remove_file(&object).expect("removed"),
            Some(bytes) => fs::write(&object, bytes).expect("written"),
        }
        let again = site.fetch(&url(3)).await.expect("fetched");
        assert_eq!(again.n_received, PNG.len() as u64);
        assert_eq!(fs::read(&object).expect("there"), PNG);
    }
    let asked = server.requests();
    assert_eq!(asked.len(), 4);
    // A date may be that of another object behind a like address.
    assert!(asked.iter().all(|request| request.header("if-modified-since").is_none()));
}

#[tokio::test]
async fn an_address_without_signature_is_asked_with_all_that_is_known() {
    let server = server();
    let site = Site::allowing(OPENED);
    let url = format!("http://{OPENED}:{}/x.png", port(&server.address));
    site.fetch(&url).await.expect("fetched");
    assert_eq!(site.fetch(&url).await.expect("still good").n_received, 0);
    let asked = server.requests();
    let date = asked.last().and_then(|request| request.header("if-modified-since"));
    assert_eq!(date, Some("Fri, 06 Nov 2020 08:49:37 GMT"));
}

#[tokio::test]
async fn a_kept_file_with_other_bytes_of_the_same_length_is_not_used() {
    let server = server();
    let site = Site::allowing(OPENED);
    let url = format!("http://{OPENED}:{}/x.png", port(&server.address));
    site.fetch(&url).await.expect("fetched");
    let object = site.files().into_iter().find(|it| it.extension().is_none()).expect("an object");
    fs::write(&object, vec![0; PNG.len()]).expect("written");
    let again = site.fetch(&url).await.expect("fetched");
    assert_eq!(again.n_received, PNG.len() as u64);
    assert_eq!(fs::read(&object).expect("there"), PNG);
    let asked = server.requests();
    let is_bare = |n: usize| asked[n].header("if-none-match").is_none();
    assert_eq!((asked.len(), is_bare(1), is_bare(2)), (3, false, true));
    // What came then is remembered like any other.
    assert_eq!(site.fetch(&url).await.expect("still good").n_received, 0);
}

#[tokio::test]
async fn a_file_that_goes_while_the_server_is_asked_is_fetched_again() {
    let folder = Arc::new(OnceLock::<PathBuf>::new());
    let doomed = Arc::clone(&folder);
    let server = RawServer::start(move |_, request| {
        if request.header("if-none-match").is_none() {
            return Act::Send(reply("200 OK", "ETag: \"one\"\r\n", PNG));
        }
        fs::remove_file(doomed.get().expect("it was kept")).expect("removed");
        Act::Send(b"HTTP/1.1 304 Not Modified\r\n\r\n".to_vec())
    });
    let site = Site::allowing(OPENED);
    let url = format!("http://{OPENED}:{}/x.png", port(&server.address));
    site.fetch(&url).await.expect("fetched");
    let object = site.files().into_iter().find(|it| it.extension().is_none()).expect("an object");
    folder.set(object.clone()).expect("once");
    let again = site.fetch(&url).await.expect("fetched");
    assert_eq!(again.n_received, PNG.len() as u64);
    assert_eq!(fs::read(&object).expect("there"), PNG);
}

#[tokio::test]
async fn what_a_redirect_has_led_to_is_fetched_each_time() {
    let server = server();
    let site = Site::allowing(OPENED);
    let url = format!("http://{OPENED}:{}/moved", port(&server.address));
    for _ in 0..2 {
        assert_eq!(site.fetch(&url).await.expect("fetched").n_received, PNG.len() as u64);
    }
    let asked = server.requests();
    assert_eq!(asked.len(), 4);
    assert!(asked.iter().all(|request| request.header("if-none-match").is_none()));
}

#[tokio::test]
async fn an_answer_that_was_not_asked_for_is_none() {
    let server = RawServer::start(|_, _| Act::Send(b"HTTP/1.1 304 Not Modified\r\n\r\n".to_vec()));
    let site = Site::allowing("127.0.0.1");
    site.fails(&format!("http://{}/", server.address)).await;
}
