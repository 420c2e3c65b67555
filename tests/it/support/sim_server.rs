//! `imagemill sim` as a child process, its books, and the little HTTP that reading them takes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use imagemill::domain::money::NanoUsd;
use serde_json::Value;

use crate::support::sandbox::{IMAGEMILL, words};

/// A rehearsal server on a free port; it ends with this value.
#[derive(Debug)]
pub(crate) struct SimServer {
    child: Child,
    /// Host and port.
    pub(crate) address: String,
}

impl SimServer {
    /// Starts one with these arguments beside `--listen`.
    pub(crate) fn start(args: &str) -> Self {
        let mut child = Command::new(IMAGEMILL)
            .args(["sim", "--listen", "127.0.0.1:0"])
            .args(words(args))
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let mut first = String::new();
        let stdout = child.stdout.as_mut().expect("a pipe");
        BufReader::new(stdout).read_line(&mut first).expect("its first line");
        let address = first.trim().strip_prefix("listening on http://").expect(&first);
        let address = address.strip_suffix("/v1").expect(&first).to_owned();
        Self { child, address }
    }

    /// The base URL of its endpoints.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// What it would bill, request by request.
    pub(crate) fn bill(&self) -> Bill {
        Bill(get(&self.address, "/bill?entries=1"))
    }

    /// What it has seen.
    pub(crate) fn stats(&self) -> Value {
        get(&self.address, "/stats")
    }
}

impl Drop for SimServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The bill of a server.
#[derive(Clone, Debug)]
pub(crate) struct Bill(pub(crate) Value);

impl Bill {
    /// An amount of it.
    pub(crate) fn amount(&self, key: &str) -> NanoUsd {
        self.0[key].as_str().unwrap_or_else(|| panic!("{key}")).parse().expect("an amount")
    }

    /// What the client calls each request that is billed.
    pub(crate) fn client_request_ids(&self) -> Vec<String> {
        let entries = self.0["entries"].as_array().map_or(&[][..], Vec::as_slice);
        let name = |entry: &Value| entry["client_request_id"].as_str().map(str::to_owned);
        entries.iter().map(|entry| name(entry).expect("a name")).collect()
    }

    /// What is billed for the requests that a client calls by one of these names.
    pub(crate) fn sum_of(&self, client_request_ids: &[String]) -> NanoUsd {
        let entries = self.0["entries"].as_array().map_or(&[][..], Vec::as_slice);
        let wanted = |entry: &&Value| {
            let id = entry["client_request_id"].as_str().expect("a name");
            client_request_ids.iter().any(|wanted| wanted == id)
        };
        entries.iter().filter(wanted).fold(NanoUsd::ZERO, |sum, entry| {
            let amount: NanoUsd =
                entry["amount"].as_str().expect("an amount").parse().expect("an amount");
            sum.checked_add(amount).expect("a sum")
        })
    }
}

/// Gets a JSON document.
pub(crate) fn get(address: &str, path: &str) -> Value {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
        .expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}
