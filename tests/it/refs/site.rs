//! What these tests share: a source with settings and names of the test's own, and answers.

use std::io::{self, Read};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use imagemill::adapters::references::cache::ContentCache;
use imagemill::adapters::references::web::{Names, WebReferences};
use imagemill::adapters::system::TokioClock;
use imagemill::domain::fetch::FetchSettings;
use imagemill::domain::reference::Reference;
use imagemill::ports::references::{FailedTry, Fetched, ReferenceSource};

/// The head of a PNG of 2 by 3 pixels: nobody looks further.
pub(crate) const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x02\0\0\0\x03\x08\x02\0\0\0";

/// The name that most tests open; it leads to this machine.
pub(crate) const OPENED: &str = "refs.test";

/// The longest that a try may take here: what hangs has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Answers for every name: the first for the first question, and so on; the last one stays.
#[derive(Debug)]
pub(crate) struct FakeNames {
    answers: Mutex<Vec<Vec<IpAddr>>>,
    asked: AtomicUsize,
}

impl FakeNames {
    pub(crate) fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |texts: &&[&str]| texts.iter().map(|it| it.parse().expect(it)).collect();
        let answers = Mutex::new(answers.iter().rev().map(parse).collect());
        Arc::new(Self { answers, asked: AtomicUsize::new(0) })
    }

    /// How often anybody has asked.
    pub(crate) fn n_asked(&self) -> usize {
        self.asked.load(Ordering::Acquire)
    }
}

#[async_trait]
impl Names for FakeNames {
    async fn addresses(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.fetch_add(1, Ordering::AcqRel);
        let mut answers = self.answers.lock().expect("no holder panics");
        let last = answers.len() == 1;
        let answer = if last { answers.last().cloned() } else { answers.pop() };
        Ok(answer.unwrap_or_default())
    }
}

/// A source and the folder in which it keeps what it gets.
pub(crate) struct Site {
    folder: tempfile::TempDir,
    web: WebReferences,
}

impl Site {
    /// A source for which this is open; every name leads to 127.0.0.1.
    pub(crate) fn allowing(allowed: &str) -> Self {
        Self::with_names(allowed, FakeNames::new(&[&["127.0.0.1"]]))
    }

    /// The same with other answers for names.
    pub(crate) fn with_names(allowed: &str, names: Arc<FakeNames>) -> Self {
        let allowed = allowed.parse().expect("a list");
        Self::with(&FetchSettings { allowed, ..FetchSettings::default() }, names)
    }

    /// The same with other settings.
    pub(crate) fn with(settings: &FetchSettings, names: Arc<FakeNames>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = ContentCache::in_folder(folder.path().join("cache"));
        let clock = Arc::new(TokioClock::live());
        let web = WebReferences::with_names(settings, cache, clock, names).expect("a client");
        Self { folder, web }
    }

    /// One try.
    pub(crate) async fn fetch(&self, url: &str) -> Result<Fetched, FailedTry> {
        let reference = Reference::Url(url.to_owned());
        let tried = tokio::time::timeout(PATIENCE, self.web.fetch(&reference)).await;
        tried.unwrap_or_else(|_| panic!("{url} hangs"))
    }

    /// One try that fails; its error with all its causes, as a report has them, and what may
    /// follow.
    pub(crate) async fn fails(&self, url: &str) -> FailedTry {
        match self.fetch(url).await {
            Ok(fetched) => panic!("{url} was fetched: {fetched:?}"),
            Err(failed) => failed,
        }
    }

    /// The folder of what is kept.
    pub(crate) fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    /// All files below it.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        collect(&self.cache(), &mut files);
        files
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() { collect(&path, files) } else { files.push(path) }
    }
}

/// An error and its causes.
pub(crate) fn said(failed: &FailedTry) -> String {
    let mut text = failed.error.to_string();
    let mut source = std::error::Error::source(&failed.error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// An answer with a status line, further header lines and a body of bytes.
pub(crate) fn reply(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// An image as a server that is well answers it.
pub(crate) fn image() -> Vec<u8> {
    reply("200 OK", "Content-Type: image/png\r\n", PNG)
}

/// A redirect.
pub(crate) fn redirect(target: &str) -> Vec<u8> {
    reply("302 Found", &format!("Location: {target}\r\n"), b"")
}

/// A listener whose connections a test serves by hand, each on a thread and once its request has
/// come; returns its address.
pub(crate) fn by_hand(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            thread::spawn(move || {
                // A request of these tests fits into one read; an answer before it is none.
                if stream.read(&mut [0; 4_096]).is_ok_and(|n_read| n_read > 0) {
                    serve(stream);
                }
            });
        }
    });
    address
}

/// The port of an address.
pub(crate) fn port(address: &str) -> &str {
    address.rsplit(':').next().expect("a port")
}
