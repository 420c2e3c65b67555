//! Accepts connections and hands requests on; a connection can be cut without an answer.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{Request, Response};
use axum::response::Json;
use axum::routing::{get, post};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::domain::price::PriceBook;
use crate::domain::sim::SimSpec;
use crate::ports::clock::Clock;
use crate::server::sim::answer::Cut;
use crate::server::sim::books::{Bill, Books, Stats};
use crate::server::sim::handle::{Shared, images};
use crate::server::sim::references;

/// How the server behaves.
#[derive(Clone, Debug)]
pub struct SimOptions {
    /// What it answers, and when.
    pub spec: SimSpec,
    /// What its images cost.
    pub book: PriceBook,
    /// Whose prices of the book it takes.
    pub provider: String,
    /// The length of an image's file, when it is to have one.
    pub n_image_bytes: Option<usize>,
    /// Whether references need a signature; one that is there is always checked.
    pub refs_signed: bool,
}

/// A server that listens.
#[derive(Debug)]
pub struct SimServer {
    listener: TcpListener,
    shared: Arc<Shared>,
}

impl SimServer {
    /// Listens on an address.
    ///
    /// # Errors
    /// When the address is taken or not this machine's.
    pub async fn bind(
        address: SocketAddr,
        options: SimOptions,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let SimOptions { spec, book, provider, n_image_bytes, refs_signed } = options;
        let books = Mutex::new(Books::default());
        let shared = Shared { spec, book, provider, n_image_bytes, refs_signed, clock, books };
        Ok(Self { listener, shared: Arc::new(shared) })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `end` is over; then returns what it would bill and what it saw.
    pub async fn serve(self, end: impl Future<Output = ()>) -> (Bill, Stats) {
        let router = router(Arc::clone(&self.shared));
        let mut connections = JoinSet::new();
        tokio::pin!(end);
        loop {
            tokio::select! {
                // Biased: the end comes before a connection that arrives with it.
                biased;
                () = &mut end => break,
                Some(_) = connections.join_next() => {}
                accepted = self.listener.accept() => if let Ok((stream, _)) = accepted {
                    self.shared.books().connected();
                    connections.spawn(connection(stream, router.clone()));
                }
            }
        }
        let books = self.shared.books();
        (books.bill(false), books.stats())
    }
}

async fn connection(stream: TcpStream, router: Router) {
    // Answers are written whole; waiting for more to send only delays them.
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(router);
    let handler = service_fn(move |request: Request<Incoming>| {
        let answer = service.call(request);
        async move {
            let response: Response<Body> = answer.await.unwrap_or_else(|never| match never {});
            match response.extensions().get::<Cut>() {
                Some(Cut) => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
                None => Ok(response),
            }
        }
    });
    // A connection that ends badly is the client's business, or was meant to.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), handler).await;
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/images/generations", post(images))
        .route("/v1/images/edits", post(images))
        .route("/v1/models", get(models))
        .route("/refs/{*key}", get(references::reference))
        .route("/bill", get(bill))
        .route("/stats", get(stats))
        .layer(DefaultBodyLimit::disable())
        .with_state(shared)
}

/// What `/bill` can be asked.
#[derive(Debug, Deserialize)]
struct BillQuery {
    /// Whether every request is listed.
    #[serde(default)]
    entries: u8,
}

async fn bill(State(shared): State<Arc<Shared>>, Query(query): Query<BillQuery>) -> Json<Bill> {
    Json(shared.books().bill(query.entries > 0))
}

async fn stats(State(shared): State<Arc<Shared>>) -> Json<Stats> {
    Json(shared.books().stats())
}

async fn models(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let known = shared
        .book
        .models(&shared.provider)
        .map(|models| models.map(|id| json!({ "id": id, "object": "model" })).collect::<Vec<_>>());
    Json(json!({ "object": "list", "data": known.unwrap_or_default() }))
}
