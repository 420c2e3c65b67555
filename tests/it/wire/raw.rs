//! A server of a few lines that speaks whatever bytes a test wants, and notes what it was sent.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What the server does with the n-th request (from 0) of all connections together.
pub(crate) type Script = Arc<dyn Fn(usize, &Request) -> Act + Send + Sync>;

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The whole head.
    pub(crate) head: String,
    /// The whole body.
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// A header by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// What is done with a request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// These bytes, and the connection stays.
    Send(Vec<u8>),
    /// These bytes, and the connection ends.
    SendAndClose(Vec<u8>),
    /// The connection ends without a byte.
    Close,
}

/// A server that ends with this value.
pub(crate) struct RawServer {
    pub(crate) address: String,
    requests: Arc<Mutex<Vec<Request>>>,
    is_over: Arc<AtomicBool>,
}

impl RawServer {
    /// Starts one.
    pub(crate) fn start(script: impl Fn(usize, &Request) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let is_over = Arc::new(AtomicBool::new(false));
        let script: Script = Arc::new(script);
        let (kept, over) = (Arc::clone(&requests), Arc::clone(&is_over));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::Acquire) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                let (kept, script) = (Arc::clone(&kept), Arc::clone(&script));
                thread::spawn(move || serve(stream, &kept, &script));
            }
        });
        Self { address, requests, is_over }
    }

    /// The base URL that leads here.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// What came so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no holder panics").clone()
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        let _ = TcpStream::connect(&self.address);
    }
}

/// An answer with an image of one pixel row.
pub(crate) fn image_answer() -> Vec<u8> {
    answer("200 OK", "", &format!("{{\"data\":[{{\"b64_json\":\"{}\"}}]}}", PIXEL))
}

/// The smallest PNG, in base64.
pub(crate) const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk\
                                +M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// An answer with a status line, further header lines and a body.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{headers}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn serve(mut stream: TcpStream, kept: &Mutex<Vec<Request>>, script: &Script) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(20)));
    while let Some(request) = read_request(&mut stream) {
        let n = {
            let mut kept = kept.lock().expect("no holder panics");
            kept.push(request.clone());
            kept.len() - 1
        };
        match script(n, &request) {
            Act::Send(bytes) => {
                if stream.write_all(&bytes).is_err() {
                    return;
                }
            }
            Act::SendAndClose(bytes) => {
                let _ = stream.write_all(&bytes);
                return;
            }
            Act::Close => return,
        }
    }
}

fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1_024];
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        let n = stream.read(&mut buffer).ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&buffer[..n]);
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let mut request = Request { head, body: bytes.split_off(head_end) };
    let length: usize =
        request.header("content-length").map_or(0, |it| it.parse().expect("a length"));
    while request.body.len() < length {
        let n = stream.read(&mut buffer).ok().filter(|n| *n > 0)?;
        request.body.extend_from_slice(&buffer[..n]);
    }
    Some(request)
}
