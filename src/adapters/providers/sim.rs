//! The built-in simulator as a provider: in process, without a network, with simulated money.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::domain::image::sides;
use crate::domain::ledger::CostSource;
use crate::domain::request::ImageRequest;
use crate::domain::sim::paint::{MAX_SIDE, PaintSpec, paint};
use crate::domain::sim::{SimKey, SimKind, SimSpec};
use crate::ports::clock::Clock;
use crate::ports::images::ImageBody;
use crate::ports::provider::{Attempt, ExchangeFailure, Generation, ImageProvider, ProviderError};

/// The side of a picture whose size is no `WIDTHxHEIGHT`.
const DEFAULT_SIDE: u32 = 1024;

/// What the simulator answers instead of an image when it plays a broken provider.
const NOT_AN_IMAGE: &[u8] = b"{\"note\":\"a complete answer that is no image\"}";

/// The simulator.
#[derive(Debug)]
pub struct SimProvider {
    spec: SimSpec,
    clock: Arc<dyn Clock>,
    paints: bool,
}

impl SimProvider {
    /// A simulator that answers with painted PNG files.
    pub const fn painting(spec: SimSpec, clock: Arc<dyn Clock>) -> Self {
        Self { spec, clock, paints: true }
    }

    /// A simulator that answers without any bytes, for rehearsals that keep nothing.
    pub const fn rehearsing(spec: SimSpec, clock: Arc<dyn Clock>) -> Self {
        Self { spec, clock, paints: false }
    }
}

#[async_trait]
impl ImageProvider for SimProvider {
    async fn generate(
        &self,
        attempt: &Attempt<'_>,
        body: &mut dyn ImageBody,
    ) -> Result<Generation, ProviderError> {
        let request = attempt.request;
        let key = SimKey::of(request.scene_id.as_str(), request.variant, attempt.number);
        let reply = self.spec.reply(&key);
        self.clock.sleep(reply.latency).await;
        if let Some(class) = reply.kind.failure(attempt.quote) {
            return Err(ExchangeFailure::new(class).into());
        }
        let bytes = match (reply.kind, self.paints) {
            (SimKind::NotAnImage, _) => Bytes::from_static(NOT_AN_IMAGE),
            (_, true) => Bytes::from(picture(request)),
            (_, false) => Bytes::new(),
        };
        body.write(bytes).await?;
        Ok(Generation {
            cost: attempt.quote.expected,
            cost_source: CostSource::Price,
            request_id: self.paints.then(|| request_id(&key)),
            n_extra: 0,
            date: None,
        })
    }
}

/// A picture that shows whose it is.
fn picture(request: &ImageRequest) -> Vec<u8> {
    let (width, height) = pixels(&request.spec.size);
    let references = match request.references.len() {
        0 => String::new(),
        n => format!("{n} ref"),
    };
    let lines = vec![
        request.scene_id.as_str().to_owned(),
        format!("v{}", request.variant),
        request.spec.size.to_string(),
        references,
    ];
    let hue_seed = SimKey::of(request.scene_id.as_str(), request.variant, 0);
    let hue_seed = hue_seed.row.rotate_left(u32::from(request.variant) * 7);
    paint(&PaintSpec { lines, width, height, hue_seed })
}

fn pixels(size: &str) -> (u32, u32) {
    let (width, height) = sides(size).unwrap_or((DEFAULT_SIDE, DEFAULT_SIDE));
    (width.clamp(1, MAX_SIDE), height.clamp(1, MAX_SIDE))
}

/// A name for the request as providers give one.
fn request_id(key: &SimKey) -> Arc<str> {
    format!("sim-{:016x}-{}-{}", key.row, key.variant, key.attempt).into()
}
