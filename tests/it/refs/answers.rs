//! What follows from a server's answer, and what an error may tell.

use std::time::Duration;

use imagemill::ports::references::{NextTry, ReferenceError};

use crate::refs::site::{OPENED, PNG, Site, by_hand, port, reply, said};
use crate::wire::raw::{Act, RawServer};

/// A server that answers `/403` with 403, and so on.
fn statuses(headers: &'static str) -> RawServer {
    RawServer::start(move |_, request| {
        let path = request.head.split([' ', '?']).nth(1).expect("a path").trim_start_matches('/');
        Act::Send(reply(&format!("{path} So"), headers, PNG))
    })
}

#[tokio::test]
async fn a_status_says_what_may_follow() {
    let server = statuses("");
    let site = Site::allowing("127.0.0.1");
    for (statuses, next) in [
        (&[401, 403, 410][..], NextTry::MayBeExpired),
        (&[408, 425, 429, 500, 502, 503, 504], NextTry::MayHeal(None)),
        (&[201, 202, 203, 205, 206, 300, 304, 305, 400, 404, 405, 416, 451, 501], NextTry::Never),
    ] {
        for status in statuses {
            let failed = site.fails(&format!("http://{}/{status}", server.address)).await;
            let ReferenceError::Answered { status: answered, .. } = failed.error else {
                panic!("{status}: {}", said(&failed));
            };
            assert_eq!((answered, failed.next), (*status, next));
        }
    }
    assert!(site.files().is_empty(), "none of these is the object");
}

#[tokio::test]
async fn the_pause_and_the_time_of_the_other_side_are_handed_on() {
    let server = statuses("Retry-After: 7\r\nDate: Fri, 06 Nov 2020 08:49:37 GMT\r\n");
    let site = Site::allowing("127.0.0.1");
    let failed = site.fails(&format!("http://{}/503", server.address)).await;
    assert_eq!(failed.next, NextTry::MayHeal(Some(Duration::from_secs(7))));
    let date = "2020-11-06T08:49:37Z".parse().ok();
    assert_eq!(failed.date, date);
    let fetched = site.fetch(&format!("http://{}/200", server.address)).await.expect("fetched");
    assert_eq!((fetched.date, fetched.n_received), (date, PNG.len() as u64));
}

#[tokio::test]
async fn what_breaks_may_heal() {
    let site = Site::allowing("127.0.0.1");
    let server = RawServer::start(|_, _| Act::Close);
    let failed = site.fails(&format!("http://{}/", server.address)).await;
    assert_eq!(failed.next, NextTry::MayHeal(None), "{}", said(&failed));
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = free.local_addr().expect("an address");
    drop(free);
    let failed = site.fails(&format!("http://{address}/")).await;
    assert_eq!(failed.next, NextTry::MayHeal(None), "{}", said(&failed));
    assert!(matches!(failed.error, ReferenceError::Unreachable { .. }), "{}", said(&failed));
}

/// Every error that a signed address can end in; none may have the signature in it, nor may a file.
#[tokio::test]
async fn no_error_and_no_file_has_the_signature_row_85() {
    let server = RawServer::start(|_, request| {
        let path = request.head.split([' ', '?']).nth(1).expect("a path").trim_start_matches('/');
        let query = request.head.split([' ', '?']).nth(2).expect("a query");
        match path {
            "image" => Act::Send(
                [b"HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 29\r\n\r\n", PNG].concat(),
            ),
            "cut" => Act::SendAndClose(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx".to_vec()),
            "junk" => Act::SendAndClose(b"no HTTP at all\r\n\r\n".to_vec()),
            "text" => Act::Send(reply("200 OK", "", b"hello")),
            "encoded" => Act::Send(reply("200 OK", "Content-Encoding: br\r\n", b"hello")),
            "away" => {
                let target = format!("Location: http://10.0.0.1/?{query}\r\n");
                Act::Send(reply("302 Found", &target, b""))
            }
            "circle" => Act::Send(reply("302 Found", &format!("Location: ?{query}\r\n"), b"")),
            "close" => Act::Close,
            status => Act::Send(reply(&format!("{status} So"), "", b"")),
        }
    });
    let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=5EC2E7&sig=5EC2E7";
    let site = Site::allowing(OPENED);
    let base = format!("http://{OPENED}:{}", port(&server.address));
    let paths = ["cut", "junk", "text", "encoded", "away", "circle", "close", "403", "404", "503"];
    let mut urls: Vec<String> = paths.map(|path| format!("{base}/{path}?{query}")).into();
    urls.extend([
        format!("http://refs.example/x.png?{query}"),
        format!("https://localhost/x.png?{query}"),
        format!("https://refs.example/x.png?{query}"),
        format!("https://refs.example:22/x.png?{query}"),
        format!("https://refs.example\\/x.png?{query}"),
        format!("https://refs.example/x\n.png?{query}"),
        format!("https://a b/x.png?{query}"),
        format!("ftp://refs.example/x.png?{query}"),
    ]);
    for url in &urls {
        let failed = site.fails(url).await;
        let all = format!("{} {:?}", said(&failed), failed);
        assert!(!all.contains("5EC2E7") && !all.contains("X-Amz"), "{all}");
    }
    let fetched = site.fetch(&format!("{base}/image?{query}")).await.expect("fetched");
    assert!(!format!("{fetched:?}").contains("5EC2E7"));
    let files = site.files();
    assert_eq!(files.len(), 2, "the object, and what its server called it: {files:?}");
    for file in files {
        let bytes = std::fs::read(&file).expect("a file");
        let all = format!("{} {}", file.display(), String::from_utf8_lossy(&bytes));
        assert!(!all.contains("5EC2E7") && !all.contains(OPENED), "{all}");
    }
}

#[tokio::test]
async fn a_host_that_takes_no_connection_is_given_up_after_three_seconds_row_74() {
    // A queue of one that nobody empties: the kernel lets further connections hang.
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let listener = socket.listen(1).expect("it listens");
    let address = listener.local_addr().expect("an address");
    let mut waiting = Vec::new();
    for _ in 0..8 {
        let brief = Duration::from_millis(100);
        match tokio::time::timeout(brief, tokio::net::TcpStream::connect(address)).await {
            Ok(stream) => waiting.push(stream),
            Err(_) => break,
        }
    }
    if waiting.len() == 8 {
        // This system lets everybody in at once: there is nothing to see here.
        return;
    }
    let site = Site::allowing("127.0.0.1");
    let url = format!("http://{address}/");
    let tried = tokio::time::timeout(Duration::from_secs(6), site.fails(&url)).await;
    let failed = tried.expect("it does not hang");
    assert!(matches!(failed.error, ReferenceError::Unreachable { .. }), "{}", said(&failed));
    assert_eq!(failed.next, NextTry::MayHeal(None));
    drop((listener, waiting));
}

#[tokio::test]
async fn a_head_that_never_ends_is_no_answer() {
    let address = by_hand(|mut stream| {
        use std::io::Write;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream.write_all(b"X-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n").is_ok() {}
    });
    let failed = Site::allowing("127.0.0.1").fails(&format!("http://{address}/")).await;
    assert!(matches!(failed.error, ReferenceError::Unreachable { .. }), "{}", said(&failed));
}

#[tokio::test]
async fn an_old_answer_out_of_a_cache_is_no_clock_row_91() {
    let aged = |age: &str| format!("Date: Fri, 06 Nov 2020 08:00:00 GMT\r\n{age}");
    for (age, expect) in [
        ("", Some("2020-11-06T08:00:00Z")),
        ("Age: 3600\r\n", Some("2020-11-06T09:00:00Z")),
        ("Age: soon\r\n", None),
    ] {
        let site = Site::allowing("127.0.0.1");
        let headers: &'static str = aged(age).leak();
        let server = statuses(headers);
        let failed = site.fails(&format!("http://{}/503", server.address)).await;
        assert_eq!(failed.date.map(|it| it.to_string()).as_deref(), expect, "{age:?}");
    }
}
