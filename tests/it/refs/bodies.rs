//! Bodies that are slow, endless, cut, encoded, disguised or bombs.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use imagemill::domain::digest::Sha256Digest;
use imagemill::ports::references::{NextTry, ReferenceError};

use crate::refs::site::{PNG, Site, by_hand, reply, said};
use crate::wire::raw::{Act, RawServer};

/// The most bytes of a reference.
const CAP: u64 = 20 * 1024 * 1024;

/// One answer for everybody.
fn serving(answer: Vec<u8>) -> RawServer {
    RawServer::start(move |_, _| Act::SendAndClose(answer.clone()))
}

/// Waits until a condition holds; what takes longer than some seconds has failed.
async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        tokio::task::spawn_blocking(|| thread::sleep(Duration::from_millis(10))).await.expect("ok");
    }
    panic!("{what} never happened");
}

#[tokio::test]
async fn a_trickle_that_is_left_leaves_nothing_behind_row_75() {
    let is_closed = Arc::new(AtomicBool::new(false));
    let closed = Arc::clone(&is_closed);
    let address = by_hand(move |mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n");
        while stream.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(5));
        }
        closed.store(true, Ordering::Release);
    });
    let site = Site::allowing("127.0.0.1");
    let url = format!("http://{address}/");
    let brief = Duration::from_millis(300);
    let tried = tokio::time::timeout(brief, site.fetch(&url)).await;
    assert!(tried.is_err(), "nothing but the caller's deadline ends it");
    until("the end of the connection", || is_closed.load(Ordering::Acquire)).await;
    until("the end of the half-received file", || site.files().is_empty()).await;
}

#[tokio::test]
async fn an_endless_body_is_left_at_the_cap_row_76() {
    let n_sent = Arc::new(AtomicU64::new(0));
    let sent = Arc::clone(&n_sent);
    let address = by_hand(move |mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        let chunk = [&b"10000\r\n"[..], &vec![0; 0x1_0000], b"\r\n"].concat();
        while stream.write_all(&chunk).is_ok() {
            sent.fetch_add(0x1_0000, Ordering::AcqRel);
        }
    });
    let site = Site::allowing("127.0.0.1");
    let failed = site.fails(&format!("http://{address}/")).await;
    let ReferenceError::TooLarge { limit, .. } = failed.error else {
        panic!("{}", said(&failed));
    };
    assert_eq!((limit, failed.next), (CAP, NextTry::Never));
    // What lies in the buffers of both sides and in the queue to the disk comes on top.
    let most = CAP + 16 * 1024 * 1024;
    assert!(n_sent.load(Ordering::Acquire) <= most, "{n_sent:?}");
    until("the end of the file", || site.files().is_empty()).await;
}

#[tokio::test]
async fn a_length_that_lies_is_found_out_row_77() {
    let site = Site::allowing("127.0.0.1");
    let cut = [b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", PNG].concat();
    let server = serving(cut);
    let failed = site.fails(&format!("http://{}/", server.address)).await;
    assert!(matches!(failed.error, ReferenceError::BadAnswer { .. }), "{}", said(&failed));
    assert!(said(&failed).contains("broke off"), "{}", said(&failed));
    assert_eq!(failed.next, NextTry::MayHeal(None));
    // Too much is refused by its head: not one byte of the body is ever sent.
    let address = by_hand(|mut stream| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", CAP + 1);
        let _ = stream.write_all(head.as_bytes());
        thread::sleep(Duration::from_secs(30));
    });
    let failed = site.fails(&format!("http://{address}/")).await;
    assert!(matches!(failed.error, ReferenceError::TooLarge { .. }), "{}", said(&failed));
    // Bytes behind the length are not the object's.
    let server = serving([reply("200 OK", "", PNG), b"more".to_vec()].concat());
    let fetched = site.fetch(&format!("http://{}/", server.address)).await.expect("fetched");
    assert_eq!(fetched.loaded.sha256, Sha256Digest::of(PNG));
    until("the end of the other files", || site.files().len() == 1).await;
}

/// Without a length and without chunks, the end of the connection is all that tells the end.
#[tokio::test]
async fn a_body_without_a_length_must_have_the_end_of_its_image_row_77() {
    let site = Site::allowing("127.0.0.1");
    let png = [PNG, b"\0\0\0\0\0\0\0\0IEND\xae\x42\x60\x82"].concat();
    let jpeg =
        b"\xff\xd8\xff\xc0\0\x11\x08\0\x02\0\x02\x03\x01\x22\0\x02\x11\x01\x03\x11\x01\xff\xd9";
    let webp = b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x01\0\0\x01\0\0";
    for image in [&png[..], jpeg, webp] {
        for head in ["HTTP/1.1 200 OK\r\n", "HTTP/1.0 200 OK\r\n"] {
            let answer = |body: &[u8]| [head.as_bytes(), b"\r\n", body].concat();
            let server = serving(answer(image));
            let fetched = site.fetch(&format!("http://{}/", server.address)).await;
            assert_eq!(fetched.expect("it is whole").loaded.sha256, Sha256Digest::of(image));
            for n_missing in [1, image.len() - 12] {
                let server = serving(answer(&image[..image.len() - n_missing]));
                let failed = site.fails(&format!("http://{}/", server.address)).await;
                assert!(said(&failed).ends_with("it ends before its image does"), "{failed:?}");
                assert_eq!(failed.next, NextTry::MayHeal(None));
            }
        }
    }
    // Who says the length is believed, whatever the file looks like.
    let cut = &png[..png.len() - 1];
    let chunk = format!("{:x}\r\n", cut.len());
    let chunks = [chunk.as_bytes(), cut, b"\r\n0\r\n\r\n"].concat();
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for answer in [reply("200 OK", "", cut), [&head[..], &chunks].concat()] {
        let server = serving(answer);
        site.fetch(&format!("http://{}/", server.address)).await.expect("fetched");
    }
}

#[tokio::test]
async fn nothing_encoded_is_asked_for_or_taken_row_78() {
    let site = Site::allowing("127.0.0.1");
    for encoding in ["gzip", "br", "zstd", "deflate", "x", "identity, gzip", "GZIP"] {
        let server = serving(reply("200 OK", &format!("Content-Encoding: {encoding}\r\n"), PNG));
        let failed = site.fails(&format!("http://{}/", server.address)).await;
        assert!(matches!(failed.error, ReferenceError::BadAnswer { .. }), "{}", said(&failed));
        assert_eq!(failed.next, NextTry::Never);
        assert_eq!(server.requests()[0].header("accept-encoding"), Some("identity"));
    }
    let server = serving(reply("200 OK", "Content-Encoding: identity\r\n", PNG));
    site.fetch(&format!("http://{}/", server.address)).await.expect("fetched");
}

#[tokio::test]
async fn bytes_decide_whatever_the_header_says_row_79() {
    let site = Site::allowing("127.0.0.1");
    let image_head = "Content-Type: image/png\r\n";
    let disguised: [&[u8]; 9] = [
        b"<!doctype html><title>Sign in</title>",
        b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
        b"<?xml version=\"1.0\"?><svg/>",
        b"%PDF-1.7\n",
        b"GIF89a\x01\0\x01\0\0\0\0",
        b"BM\x3a\0\0\0",
        b"PK\x03\x04",
        b"\x89PNG\r\n\x1a\n",
        b"",
    ];
    for body in disguised {
        let server = serving(reply("200 OK", image_head, body));
        let failed = site.fails(&format!("http://{}/", server.address)).await;
        let is_page = said(&failed).ends_with("it is a web page, not an image");
        assert_eq!(is_page, body.starts_with(b"<!doctype"), "{}", said(&failed));
        let is_none = matches!(failed.error, ReferenceError::NotAnImage(_));
        assert!(is_page || is_none, "{}", said(&failed));
        assert_eq!(failed.next, NextTry::Never);
    }
    let server = serving(reply("200 OK", "Content-Type: text/html\r\n", PNG));
    let fetched = site.fetch(&format!("http://{}/", server.address)).await.expect("fetched");
    assert_eq!(fetched.loaded.kind.to_string(), "png");
    until("the end of the other files", || site.files().len() == 1).await;
}

#[tokio::test]
async fn a_bomb_is_known_by_its_header_row_80() {
    let site = Site::allowing("127.0.0.1");
    let mut bomb = PNG.to_vec();
    bomb[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
    let server = serving(reply("200 OK", "", &bomb));
    let failed = site.fails(&format!("http://{}/", server.address)).await;
    let ReferenceError::TooManyPixels { pixels, .. } = failed.error else {
        panic!("{}", said(&failed));
    };
    assert_eq!((pixels, failed.next), (1 << 32, NextTry::Never));
}

/// An animation of a billion frames is bytes like any other: nothing here decodes a frame.
#[tokio::test]
async fn frames_are_handed_on_and_not_looked_at_row_81() {
    let site = Site::allowing("127.0.0.1");
    let frames = b"\0\0\0\x08acTL\x3b\x9a\xca\0\0\0\0\0\0\0\0\0";
    let body = [PNG, b"\0\0\0\0", frames].concat();
    let server = serving(reply("200 OK", "", &body));
    let fetched = site.fetch(&format!("http://{}/", server.address)).await.expect("fetched");
    assert_eq!(fetched.loaded.sha256, Sha256Digest::of(&body));
    assert_eq!(std::fs::read(&site.files()[0]).expect("kept"), body);
}
