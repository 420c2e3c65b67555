//! References below `/refs/`: small pictures, whole or with a fault that their path asks for. They
//! are the objects of a bucket, so that addresses of them can be signed and expire.

mod access;
mod body;
mod path;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LAST_MODIFIED, LOCATION,
};
use axum::http::{HeaderMap, HeaderName, Request, Response, StatusCode};
use bytes::Bytes;

use crate::domain::sim::{SimKey, store};
use crate::server::sim::answer;
use crate::server::sim::handle::Shared;
use crate::server::sim::references::path::{Conduct, FORMS};

/// What a picture is said to be.
const PICTURE: &str = "image/png";

/// What a store's error is.
const XML: &str = "application/xml";

/// When every picture was changed last: they never change.
const CHANGED: &str = "Sun, 01 Nov 2026 00:00:00 GMT";

/// An address that machines of a cloud ask for their own keys: no client may follow there.
const PRIVATE: &str = "http://169.254.169.254/latest/meta-data/";

/// Counts a request for a reference as in flight for as long as it lives.
#[derive(Debug)]
struct InFlight(Arc<Shared>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.books().references().end();
    }
}

/// What is known of a request when it is answered.
struct Asked {
    shared: Arc<Shared>,
    in_flight: InFlight,
    /// The name of the picture.
    name: String,
    /// The tag that the client has of it.
    known: Option<String>,
    /// The address as it was asked for, from the path on.
    target: String,
    /// Where the picture itself is.
    next: String,
}

/// `GET /refs/…`.
pub(super) async fn reference(
    State(shared): State<Arc<Shared>>,
    request: Request<Body>,
) -> Response<Body> {
    shared.books().references().begin();
    let in_flight = InFlight(Arc::clone(&shared));
    let uri = request.uri();
    let now = shared.clock.now();
    let access = match access::judge(uri, request.headers(), now, shared.refs_signed) {
        Ok(access) => access,
        Err(refusal) => return refusal.answer(now, shared.books().references()),
    };
    let prefix = format!("/{}/", store::BUCKET);
    let key = uri.path().strip_prefix(&prefix).unwrap_or_default();
    let Some((conduct, name)) = path::read(key) else {
        let text = format!("The specified key does not exist: it is {FORMS}.");
        return problem(404, "NoSuchKey", &text, "");
    };
    let target = uri.path_and_query().map_or(uri.path(), |target| target.as_str()).to_owned();
    let next = access::next(access, request.headers(), &format!("{prefix}{name}"), now);
    let known = text_of(request.headers(), &IF_NONE_MATCH).map(str::to_owned);
    let digest = SimKey::row_of(uri.path());
    Asked { shared: Arc::clone(&shared), in_flight, name: name.to_owned(), known, target, next }
        .answer(conduct, digest)
        .await
}

impl Asked {
    async fn answer(self, conduct: Conduct, digest: u64) -> Response<Body> {
        match conduct {
            Conduct::Plain => self.picture(None),
            Conduct::Size(n_bytes) => self.picture(Some(n_bytes)),
            Conduct::Slow(wait) => {
                self.shared.clock.sleep(wait).await;
                self.picture(None)
            }
            Conduct::Flaky(times) if self.shared.books().nth(digest) <= times => {
                problem(503, "SlowDown", "Please reduce your request rate.", "")
            }
            Conduct::Flaky(_) => self.picture(None),
            Conduct::Status(status) => problem(status, "AsTold", "As it was told to be.", ""),
            Conduct::Trickle => {
                let (bytes, clock) = (self.bytes(None), Arc::clone(&self.shared.clock));
                open_end(body::trickle(bytes, self.in_flight, clock))
            }
            Conduct::Endless => {
                let bytes = self.bytes(None);
                open_end(body::endless(bytes, self.in_flight))
            }
            Conduct::Short => {
                let mut bytes = self.bytes(None);
                let length = bytes.len();
                bytes.truncate(length / 2);
                let clock = Arc::clone(&self.shared.clock);
                sized(200, PICTURE, length, body::broken(bytes, self.in_flight, clock))
            }
            Conduct::Drop => answer::cut(),
            Conduct::Gzip => {
                let bytes = Bytes::from(body::gzip(&self.bytes(None)));
                let mut response = self.content(PICTURE, bytes);
                put(&mut response, CONTENT_ENCODING, "gzip");
                response
            }
            Conduct::WrongType => self.content(PICTURE, Bytes::from_static(body::PAGE)),
            Conduct::Svg => self.content("image/svg+xml", Bytes::from_static(body::DRAWING)),
            Conduct::Bomb => self.content(PICTURE, Bytes::from(body::bomb())),
            Conduct::Redirect => leads_to(&self.next),
            Conduct::RedirectToPrivate => leads_to(PRIVATE),
            Conduct::RedirectLoop => leads_to(&self.target),
        }
    }

    fn bytes(&self, n_bytes: Option<usize>) -> Bytes {
        Bytes::from(body::picture(&self.name, n_bytes))
    }

    /// The picture, or that it is still the one that the client has.
    fn picture(self, n_bytes: Option<usize>) -> Response<Body> {
        let tag = format!(
            "\"{:016x}-{}\"",
            SimKey::row_of(&self.name),
            n_bytes.map_or("own".to_owned(), |n| n.to_string())
        );
        let is_known = self.known.as_deref().is_some_and(|known| {
            known
                .split(',')
                .map(str::trim)
                .any(|it| it == "*" || it.trim_start_matches("W/") == tag)
        });
        let mut response = if is_known {
            self.shared.books().references().not_modified();
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        } else {
            self.shared.books().references().served();
            let bytes = self.bytes(n_bytes);
            self.content(PICTURE, bytes)
        };
        put(&mut response, ETAG, &tag);
        put(&mut response, LAST_MODIFIED, CHANGED);
        response
    }

    /// A whole answer.
    fn content(self, kind: &str, bytes: Bytes) -> Response<Body> {
        let length = bytes.len();
        sized(200, kind, length, body::whole(bytes, self.in_flight))
    }
}

/// An answer of an announced length.
fn sized(status: u16, kind: &str, length: usize, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).expect("paths are read that far");
    put(&mut response, CONTENT_TYPE, kind);
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    response
}

/// A picture without a length.
fn open_end(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    put(&mut response, CONTENT_TYPE, PICTURE);
    response
}

/// An answer that leads elsewhere.
fn leads_to(address: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    put(&mut response, LOCATION, address);
    response
}

/// An error in the form of a store; `more` is XML.
fn problem(status: u16, code: &str, message: &str, more: &str) -> Response<Body> {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>\
         <Message>{message}</Message>{more}<RequestId>SIM</RequestId></Error>"
    );
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::from_u16(status).expect("paths are read that far");
    put(&mut response, CONTENT_TYPE, XML);
    response
}

fn put(response: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = value.parse() {
        response.headers_mut().insert(name, value);
    }
}

fn text_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
