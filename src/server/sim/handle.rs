//! What the server does with one request.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Request, Response};
use base64_simd::STANDARD;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::domain::price::{PriceBook, TokenUsage};
use crate::domain::sim::{Behavior, Charged, MagicWord, SimKey, SimKind, SimPrice, SimSpec};
use crate::ports::clock::Clock;
use crate::server::sim::answer;
use crate::server::sim::ask::Ask;
use crate::server::sim::books::{BillEntry, Books};
use crate::server::sim::picture::{odd_picture, picture};

/// The longest that a request which does no work takes.
const QUICK_ANSWER: Duration = Duration::from_millis(50);

/// Bytes that are no picture.
const NOT_AN_IMAGE: &[u8] = b"this was paid for and is no picture";

/// How many times too much an overrun costs.
const OVERRUN: u64 = 100;

/// What all requests share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) spec: SimSpec,
    pub(super) book: PriceBook,
    pub(super) provider: String,
    pub(super) n_image_bytes: Option<usize>,
    pub(super) refs_signed: bool,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) books: Mutex<Books>,
}

impl Shared {
    pub(super) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().expect("no holder panics")
    }

    fn charge(&self, ask: &Ask) -> Charged {
        let today = self.clock.now().to_zoned(TimeZone::UTC).date();
        SimPrice::new(&self.book, &self.provider, today).charge(
            &ask.model,
            &ask.size,
            &ask.quality,
            ask.n,
            ask.prompt.len() as u64,
            ask.n_references,
        )
    }
}

/// Counts a request as in flight for as long as it lives.
struct InFlight<'a>(&'a Shared);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.books().end();
    }
}

/// Both endpoints for images.
pub(super) async fn images(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    request: Request<Body>,
) -> Response<Body> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let client_request_id = text("x-client-request-id").unwrap_or_default().to_owned();
    let key = text(AUTHORIZATION.as_str()).unwrap_or_default().to_owned();
    let came = shared.clock.elapsed();
    shared.books().begin(&client_request_id);
    let _in_flight = InFlight(&shared);
    let bad = |problem: &str| answer::error(400, "req-sim-0", "invalid_value", problem, None);
    let ask = match Ask::read(request).await {
        Ok(ask) => ask,
        Err(problem) => return bad(&problem),
    };
    let magic = MagicWord::find(&ask.prompt);
    let nth = shared.books().nth(ask.digest());
    let sim_key = SimKey { row: ask.digest(), variant: 1, attempt: nth };
    let request_id = format!("req-sim-{:016x}-{nth}", ask.digest());
    let drawn = shared.spec.reply(&sim_key);
    let magic = match magic {
        Ok(magic) => magic.filter(|word| word.applies_to(nth)),
        Err(problem) => return bad(&problem.to_string()),
    };
    let behavior = magic.map_or(Behavior::Kind(drawn.kind), |word| word.behavior);
    let mut charged = shared.charge(&ask);
    if behavior == Behavior::Overrun {
        charged = overrun(charged);
    }
    let entry = BillEntry {
        client_request_id,
        request_id: request_id.clone(),
        outcome: behavior.word(),
        amount: charged.amount,
        delivered: is_delivered(behavior),
    };
    shared.books().book(entry, behavior.is_billed());
    let latency = match (behavior, magic) {
        (Behavior::Kind(SimKind::TimedOut), _) => HANG,
        (_, Some(_)) if !behavior.is_billed() => drawn.latency.min(QUICK_ANSWER),
        _ => drawn.latency,
    };
    let worked = shared.clock.elapsed().saturating_sub(came);
    let rest = latency.saturating_sub(worked + LATE);
    if !rest.is_zero() {
        // Even a sleep of no time would last until the timer's next tick.
        shared.clock.sleep(rest).await;
    }
    respond(&shared, &ask, nth, &request_id, behavior, &charged, &key)
}

/// How late a sleep ends in the middle: it is rounded up to a whole millisecond twice, by the timer
/// and by the system call that waits for it. A latency counts from the arrival of the request.
const LATE: Duration = Duration::from_millis(1);

/// How long a request hangs before the server gives up on it.
const HANG: Duration = Duration::from_secs(300);

/// Whether the client gets its image.
const fn is_delivered(behavior: Behavior) -> bool {
    matches!(
        behavior,
        Behavior::Kind(SimKind::Image | SimKind::NoUsage)
            | Behavior::Extra
            | Behavior::Overrun
            | Behavior::Odd(_)
    )
}

fn overrun(charged: Charged) -> Charged {
    let usage = charged.usage.map(|usage| TokenUsage {
        text_in: usage.text_in * OVERRUN,
        image_in: usage.image_in * OVERRUN,
        text_out: usage.text_out * OVERRUN,
        image_out: usage.image_out * OVERRUN,
    });
    Charged { amount: charged.amount.checked_mul(OVERRUN).unwrap_or(charged.amount), usage }
}

fn respond(
    shared: &Shared,
    ask: &Ask,
    nth: u32,
    id: &str,
    behavior: Behavior,
    charged: &Charged,
    key: &str,
) -> Response<Body> {
    let none = TokenUsage::default();
    let pictures = |n: u64| -> Vec<Vec<u8>> {
        (1..=n).map(|k| picture(ask, nth, k, shared.n_image_bytes)).collect()
    };
    let body = |images: &[Vec<u8>], usage: Option<&TokenUsage>| {
        answer::images_body(images, &ask.format, &ask.size, &ask.quality, usage)
    };
    let good = |text: String| answer::whole(200, id, "application/json", text);
    let usage = charged.usage.as_ref();
    let blocked = |stage: &str| {
        let details = json!({ "moderation_stage": stage, "categories": ["simulated"] });
        answer::error(400, id, "moderation_blocked", "refused by the policy", Some(details))
    };
    match behavior {
        Behavior::Kind(SimKind::Image) | Behavior::Overrun => good(body(&pictures(ask.n), usage)),
        Behavior::OddShape => {
            let image = STANDARD.encode_to_string(&pictures(1)[0]);
            let json = json!({ "pictures": [{ "src": format!("data:image/png;base64,{image}") }] });
            good(json.to_string())
        }
        Behavior::Odd(oddity) => {
            let odd = |k| odd_picture(ask, oddity, nth, k, shared.n_image_bytes);
            good(body(&(1..=ask.n).map(odd).collect::<Vec<_>>(), usage))
        }
        Behavior::Short => good(body(&pictures(ask.n - 1), None)),
        Behavior::Extra => good(body(&pictures(ask.n + 1), usage)),
        Behavior::Kind(SimKind::NoUsage) => good(body(&pictures(ask.n), Some(&none))),
        Behavior::Kind(SimKind::NotAnImage) => good(body(&[NOT_AN_IMAGE.to_vec()], usage)),
        Behavior::Kind(SimKind::Empty) => good(body(&[], None)),
        Behavior::Kind(SimKind::Malformed) => {
            let mut text = body(&pictures(1), usage);
            text.truncate(text.len() * 3 / 4);
            good(text)
        }
        Behavior::Kind(SimKind::Truncated) => {
            answer::truncated(id, body(&pictures(1), usage), Arc::clone(&shared.clock))
        }
        Behavior::Kind(SimKind::Dropped | SimKind::TimedOut) => answer::cut(),
        Behavior::Kind(SimKind::ServerError) => {
            answer::error(500, id, "server_error", "the simulator failed as it was told to", None)
        }
        Behavior::Kind(SimKind::RateLimited { retry_after }) => answer::throttled(id, retry_after),
        Behavior::Kind(SimKind::Refused) => blocked("input"),
        Behavior::RefusedOutput => blocked("output"),
        Behavior::Kind(SimKind::BadRequest) => {
            answer::error(400, id, "invalid_value", "invalid as it was told to be", None)
        }
        Behavior::Error { status, code } => {
            answer::error(status, id, code, "refused as it was told to", None)
        }
        Behavior::Redirect => answer::redirect(id),
        Behavior::Html => answer::page(id),
        Behavior::Echo => {
            let text = format!("cannot make {:?} with {key:?}", ask.prompt);
            answer::error(400, id, "invalid_value", &text, None)
        }
    }
}
