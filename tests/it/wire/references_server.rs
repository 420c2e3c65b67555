//! References of the rehearsal server, as they come over a socket.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use imagemill::adapters::fixture::reference_picture;
use imagemill::adapters::system::{TokioClock, now};
use imagemill::domain::seed::SeedPlan;
use imagemill::domain::sim::store;
use imagemill::ports::clock::Clock;
use object_store::ObjectStoreExt;
use object_store::aws::AmazonS3Builder;
use object_store::signer::Signer;

use crate::support::sim_server::SimServer;

/// An answer as it came.
#[derive(Debug)]
struct Got {
    status: u16,
    head: String,
    body: Vec<u8>,
    /// Whether the connection ended in the middle, or was still sending when it was left.
    is_cut: bool,
}

impl Got {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The width and height of the picture.
    fn size(&self) -> (usize, usize) {
        let size = imagesize::blob_size(&self.body).unwrap_or_else(|_| panic!("{self:?}"));
        (size.width, size.height)
    }
}

/// Asks for a path and reads until the end, at most so many bytes and for so long.
fn ask_with(address: &str, line: &str, headers: &str, most: usize, patience: Duration) -> Got {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_millis(100))).expect("a time-out");
    write!(stream, "{line} HTTP/1.1\r\nHost: {address}\r\n{headers}Connection: close\r\n\r\n")
        .expect("a request");
    let begin = TokioClock::live();
    let mut bytes = Vec::new();
    let mut buffer = [0; 64 * 1_024];
    let is_cut = loop {
        if bytes.len() >= most || begin.elapsed() >= patience {
            break true;
        }
        match stream.read(&mut buffer) {
            Ok(0) => break false,
            Ok(n) => bytes.extend_from_slice(&buffer[..n]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break true,
        }
    };
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Got { status: 0, head: String::new(), body: bytes, is_cut };
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
    Got { status, head, body: bytes.split_off(end + 4), is_cut }
}

fn ask(server: &SimServer, path: &str) -> Got {
    let line = format!("GET {path}");
    ask_with(&server.address, &line, "", usize::MAX, Duration::from_secs(20))
}

#[test]
fn a_reference_is_the_picture_that_seed_makes() {
    let server = SimServer::start("");
    let plan = SeedPlan::default();
    let row = plan.rows_with_reference().next().expect("one");
    let got = ask(&server, "/refs/BATCH-005.png");
    assert_eq!((got.status, got.header("content-type")), (200, Some("image/png")));
    assert_eq!(got.body, reference_picture(&plan, &row));
    assert_eq!(got.header("content-length"), Some(&*got.body.len().to_string()));
    assert!(got.header("date").is_some() && got.header("last-modified").is_some(), "{}", got.head);
    assert_ne!(ask(&server, "/refs/BATCH-010.png").body, got.body);
    let large = ask(&server, "/refs/size/5000000/a.png");
    assert_eq!((large.body.len(), large.size()), (5_000_000, (64, 64)));
    let line = "HEAD /refs/BATCH-005.png";
    let head = ask_with(&server.address, line, "", usize::MAX, Duration::from_secs(20));
    assert_eq!(head.header("content-length"), got.header("content-length"));
    assert!(head.body.is_empty());
    let missing = ask(&server, "/refs/slwo/3s/a.png");
    assert_eq!(missing.status, 404);
    assert!(missing.text().contains("<Code>NoSuchKey</Code>"), "{}", missing.text());
    assert!(missing.text().contains("slow/TIME"), "{}", missing.text());
    let seen = &server.stats()["references"];
    assert_eq!((&seen["requests"], &seen["served"]), (&5.into(), &4.into()));
    assert_eq!((&seen["in_flight"], &seen["max_in_flight"]), (&0.into(), &1.into()));
    assert_eq!(server.stats()["requests"], 0, "none of them was for an image");
}

#[test]
fn a_reference_that_the_client_has_is_not_sent_again() {
    let server = SimServer::start("");
    let first = ask(&server, "/refs/a.png");
    let tag = first.header("etag").expect("a tag").to_owned();
    let again = |path: &str, tag: &str| {
        let (line, header) = (format!("GET {path}"), format!("If-None-Match: {tag}\r\n"));
        ask_with(&server.address, &line, &header, usize::MAX, Duration::from_secs(20))
    };
    let second = again("/refs/a.png", &tag);
    assert_eq!((second.status, second.body.len()), (304, 0));
    assert_eq!(second.header("etag"), Some(&*tag));
    assert_eq!(again("/refs/a.png", &format!("\"other\", W/{tag}")).status, 304);
    assert_eq!(again("/refs/b.png", &tag).status, 200);
    assert_eq!(again("/refs/size/9000/a.png", &tag).status, 200);
    assert_eq!(server.stats()["references"]["not_modified"], 2);
}

#[test]
fn bodies_that_are_not_what_they_seem() {
    let server = SimServer::start("");
    let page = ask(&server, "/refs/wrong-type/a.png");
    assert_eq!((page.status, page.header("content-type")), (200, Some("image/png")));
    assert!(page.text().starts_with("<!doctype html>"), "{}", page.text());
    let drawing = ask(&server, "/refs/svg/a.png");
    assert_eq!(drawing.header("content-type"), Some("image/svg+xml"));
    assert!(drawing.text().starts_with("<svg "), "{}", drawing.text());
    assert_eq!(ask(&server, "/refs/bomb/a.png").size(), (65_535, 65_535));
    let packed = ask(&server, "/refs/gzip/a.png");
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    let plain = ask(&server, "/refs/a.png").body;
    let at = packed.body.windows(plain.len()).position(|window| window == plain);
    assert_eq!((packed.body[..2].to_vec(), at), (vec![0x1f, 0x8b], Some(15)));
    assert_eq!(server.stats()["references"]["served"], 1, "faults are not served pictures");
}

#[test]
fn bodies_that_do_not_end_as_they_should() {
    let server = SimServer::start("");
    let short = ask(&server, "/refs/short/a.png");
    let length: usize = short.header("content-length").expect("a length").parse().expect("one");
    assert!(short.body.len() < length, "{} of {length}", short.body.len());
    let dropped = ask(&server, "/refs/drop/a.png");
    assert_eq!((dropped.status, dropped.body.len()), (0, 0));
    let line = "GET /refs/endless/a.png";
    let endless = ask_with(&server.address, line, "", 8 << 20, Duration::from_secs(20));
    assert!(endless.is_cut && endless.body.len() > 7 << 20, "{}", endless.head);
    assert_eq!(endless.header("content-length"), None);
    assert!(endless.body.windows(4).any(|window| window == b"IHDR"));
    let line = "GET /refs/trickle/a.png";
    let trickle = ask_with(&server.address, line, "", usize::MAX, Duration::from_millis(1_100));
    // A byte comes in a chunk of six.
    let n_bytes = trickle.body.len() / 6;
    assert!(trickle.is_cut && (2..=6).contains(&n_bytes), "{n_bytes}: {trickle:?}");
    let begin = TokioClock::live();
    assert_eq!(ask(&server, "/refs/slow/300ms/a.png").size(), (64, 64));
    assert!(begin.elapsed() >= Duration::from_millis(300));
    let until_gone = TokioClock::live();
    while server.stats()["references"]["in_flight"] != 0 {
        assert!(until_gone.elapsed() < Duration::from_secs(10), "{}", server.stats());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn statuses_and_redirects() {
    let server = SimServer::start("");
    assert_eq!(ask(&server, "/refs/status/503/a.png").status, 503);
    assert_eq!(ask(&server, "/refs/status/410/a.png").status, 410);
    assert_eq!(ask(&server, "/refs/status/101/a.png").status, 404);
    let flaky = || ask(&server, "/refs/flaky/2/a.png").status;
    assert_eq!([flaky(), flaky(), flaky(), flaky()], [503, 503, 200, 200]);
    assert_eq!(ask(&server, "/refs/flaky/2/b.png").status, 503, "each picture is counted alone");
    let leads = |path: &str| {
        let got = ask(&server, path);
        assert_eq!(got.status, 302, "{path}");
        got.header("location").expect("a place").to_owned()
    };
    assert_eq!(leads("/refs/redirect/a.png"), "/refs/a.png");
    let looped = "/refs/redirect-loop/a.png?x=1";
    assert_eq!(leads(looped), looped);
    let private = "http://169.254.169.254/";
    assert!(leads("/refs/redirect-to-private/a.png").starts_with(private));
}

#[test]
fn requests_at_once_are_counted() {
    let server = SimServer::start("");
    std::thread::scope(|scope| {
        for n in 0..3 {
            let server = &server;
            scope.spawn(move || ask(server, &format!("/refs/slow/500ms/{n}.png")));
        }
    });
    let seen = &server.stats()["references"];
    assert_eq!((&seen["in_flight"], &seen["max_in_flight"]), (&0.into(), &3.into()));
}

/// An address of a path that is signed now, as `(path and query)`.
fn signed(server: &SimServer, path: &str, life: Duration) -> String {
    format!("{path}?{}", store::presign(&server.address, path, now(), life))
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn an_address_opens_what_it_was_signed_for_until_it_expires() {
    let server = SimServer::start("--refs-signed");
    let path = signed(&server, "/refs/a.png", Duration::from_secs(2));
    assert_eq!(ask(&server, &path).size(), (64, 64));
    let other = path.replace("a.png", "b.png");
    let later = path.replace("X-Amz-Expires=2", "X-Amz-Expires=3600");
    for changed in [other, later, format!("{path}&x=1")] {
        let got = ask(&server, &changed);
        assert_eq!(got.status, 403, "{changed}");
        assert_eq!(got.header("content-type"), Some("application/xml"));
        assert!(got.text().contains("<Code>SignatureDoesNotMatch</Code>"), "{}", got.text());
    }
    std::thread::sleep(Duration::from_millis(2_200));
    let got = ask(&server, &path);
    assert_eq!(got.status, 403);
    let xml = got.text();
    assert!(xml.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>"), "{xml}");
    assert!(xml.contains("<Code>AccessDenied</Code><Message>Request has expired</Message>"));
    assert!(xml.contains("<X-Amz-Expires>2</X-Amz-Expires><Expires>20"), "{xml}");
    let seen = &server.stats()["references"];
    assert_eq!((&seen["refused_expired"], &seen["refused_signature"]), (&1.into(), &3.into()));
    assert_eq!((&seen["served"], &seen["in_flight"]), (&1.into(), &0.into()));
}

#[test]
fn a_signature_is_checked_whether_or_not_it_is_needed() {
    for (args, without) in [("", 200), ("--refs-signed", 403)] {
        let server = SimServer::start(args);
        assert_eq!(ask(&server, "/refs/a.png").status, without, "{args}");
        let good = signed(&server, "/refs/a.png", MINUTE);
        assert_eq!(ask(&server, &good).status, 200, "{args}");
        assert_eq!(ask(&server, &good[..good.len() - 4]).status, 403, "{args}");
        assert_eq!(ask(&server, "/refs/a.png?X-Amz-Date=20260101T000000Z").status, 400, "{args}");
        let stranger = good.replace("imagemill-sim", "somebody");
        assert!(ask(&server, &stranger).text().contains("InvalidAccessKeyId"), "{args}");
        let by_header = |key: &str| {
            let header = format!("Authorization: AWS4-HMAC-SHA256 Credential={key}/20261129/\r\n");
            let patience = Duration::from_secs(20);
            ask_with(&server.address, "GET /refs/a.png", &header, usize::MAX, patience).status
        };
        assert_eq!((by_header("imagemill-sim"), by_header("other")), (200, 403), "{args}");
    }
}

#[test]
fn faults_work_with_a_signature_too() {
    let server = SimServer::start("--refs-signed");
    let status = |path: &str| ask(&server, &signed(&server, path, MINUTE)).status;
    assert_eq!(status("/refs/status/500/a.png"), 500);
    assert_eq!([status("/refs/flaky/1/a.png"), status("/refs/flaky/1/a.png")], [503, 200]);
    assert_eq!(status("/refs/drop/a.png"), 0);
    assert_eq!(ask(&server, "/refs/drop/a.png").status, 403, "the signature comes first");
    let got = ask(&server, &signed(&server, "/refs/redirect/a.png", MINUTE));
    assert_eq!(got.status, 302);
    assert_eq!(ask(&server, got.header("location").expect("a place")).size(), (64, 64));
}

/// The rehearsal store through a client that others wrote: read directly, and by its signatures.
#[tokio::test]
async fn a_client_of_others_reads_and_signs_for_the_bucket() {
    // The first test of this process to get here wins; the others have the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = SimServer::start("--refs-signed");
    let bucket = |key: &str| {
        AmazonS3Builder::new()
            .with_endpoint(format!("http://{}", server.address))
            .with_allow_http(true)
            .with_region(store::REGION)
            .with_bucket_name(store::BUCKET)
            .with_access_key_id(key)
            .with_secret_access_key(store::PUBLIC_KEY)
            .build()
            .expect("a store")
    };
    let ours = bucket(store::PUBLIC_KEY);
    let place = object_store::path::Path::from("BATCH-005.png");
    let head = ours.head(&place).await.expect("the head");
    let bytes = ours.get(&place).await.expect("an answer").bytes().await.expect("the object");
    assert_eq!(head.size, bytes.len() as u64);
    assert!(bucket("other").get(&place).await.is_err());
    let address = ours.signed_url(http::Method::GET, &place, MINUTE).await.expect("an address");
    let target = format!("{}?{}", address.path(), address.query().expect("a signature"));
    let got = tokio::task::spawn_blocking(move || ask(&server, &target)).await.expect("no panic");
    assert_eq!((got.status, &got.body[..]), (200, &bytes[..]));
}
