//! A plain file server for benchmarks: every path is a picture of one length with other bytes.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use imagemill::domain::sim::paint::{paint_padded, reference_spec};

use crate::support::Failure;

/// What makes each file another one stands in its last bytes.
const N_TRAILER: usize = 32;

/// What a chunk adds to its content in a file.
const CHUNK_FRAME: usize = 12;

/// A server on a free port; it ends with this process.
pub(crate) struct FileServer {
    /// Where its files are.
    pub(crate) base: String,
}

impl FileServer {
    /// Starts one whose files all have this length.
    pub(crate) fn start(n_bytes: usize) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let base = format!("http://{}/refs", listener.local_addr()?);
        let spec = reference_spec("BENCH", 0);
        let bare = paint_padded(&spec, 0).len();
        let picture = paint_padded(&spec, n_bytes - bare - CHUNK_FRAME - N_TRAILER);
        let picture: Arc<[u8]> = picture.into();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let picture = Arc::clone(&picture);
                // A client that goes away ends its thread.
                thread::spawn(move || serve(stream, &picture));
            }
        });
        Ok(Self { base })
    }
}

/// Answers one request after the other.
fn serve(mut stream: TcpStream, picture: &[u8]) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut requests = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    while requests.read_line(&mut line)? > 0 {
        let path = line.split(' ').nth(1).unwrap_or_default();
        let trailer = format!("{path:>N_TRAILER$}");
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: {}\r\n\
             ETag: \"{path}\"\r\n\r\n",
            picture.len() + trailer.len()
        );
        while line.trim_end() != "" {
            line.clear();
            requests.read_line(&mut line)?;
        }
        line.clear();
        stream.write_all(head.as_bytes())?;
        stream.write_all(picture)?;
        stream.write_all(trailer.as_bytes())?;
    }
    Ok(())
}
