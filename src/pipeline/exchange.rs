//! One exchange with the provider: opens the file, sends, receives, gives the file its name.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use crate::domain::circuit::Health;
use crate::domain::event::Ending;
use crate::domain::failure::{FailureClass, Recourse};
use crate::domain::image::StoredImage;
use crate::domain::ledger::{Evidence, UnknownClass};
use crate::pipeline::admit::is_young;
use crate::pipeline::context::RunContext;
use crate::pipeline::generate::VariantJob;
use crate::pipeline::ledger_task::Reservation;
use crate::pipeline::patience::{DiskTime, Timed, time_out};
use crate::pipeline::stop::{StopReason, with_sources};
use crate::ports::images::{ImageStoreError, ImageWriter};
use crate::ports::provider::{Attempt, ExchangeFailure, Generation, ProviderError};

/// What came of one attempt, before its money is ended.
#[derive(Debug)]
pub(crate) enum Answer {
    /// An image with its final name.
    Image { generation: Generation, image: StoredImage },
    /// A complete, paid answer that is no image; its bytes are kept.
    NotAnImage { generation: Generation, reason: String, kept: PathBuf },
    /// A paid image that the disk refused.
    NotKept { generation: Option<Generation>, reason: String },
    /// The exchange failed.
    Failed(ExchangeFailure),
    /// The process leaves while the attempt is out.
    Left,
    /// Nothing was sent, since a file could not be opened: the image's or that of a reference.
    NotSent { reason: String },
    /// Nothing was sent, since the machine slept after the hold was made.
    HeldTooLong,
}

impl Answer {
    /// The answer in one sentence, without a final period.
    pub(crate) fn sentence(&self) -> String {
        match self {
            Self::Image { .. } => "an image".to_owned(),
            Self::NotAnImage { reason, .. }
            | Self::NotKept { reason, .. }
            | Self::NotSent { reason } => reason.clone(),
            Self::Failed(failure) => failure.to_string(),
            Self::HeldTooLong => "not sent: the machine slept since it was reserved".to_owned(),
            Self::Left => "left while it was out; it may have been billed".to_owned(),
        }
    }

    /// How the money of the attempt ends. A release needs evidence; the class of a failure knows
    /// which answers are one.
    pub(crate) fn ending(&self) -> Ending {
        let settled = |generation: &Generation| Ending::Settled {
            amount: generation.cost,
            source: generation.cost_source,
        };
        match self {
            Self::Image { generation, .. }
            | Self::NotAnImage { generation, .. }
            | Self::NotKept { generation: Some(generation), .. } => settled(generation),
            Self::NotKept { generation: None, .. } => {
                Ending::Unknown { class: UnknownClass::BadBody }
            }
            Self::Failed(failure) => failure.class.ending(),
            Self::Left => Ending::Unknown { class: UnknownClass::Left },
            Self::NotSent { .. } | Self::HeldTooLong => {
                Ending::Released { evidence: Evidence::NotSent }
            }
        }
    }

    /// The class of the failure, when the exchange failed.
    pub(crate) const fn class(&self) -> Option<FailureClass> {
        match self {
            Self::Failed(failure) => Some(failure.class),
            Self::Image { .. }
            | Self::NotAnImage { .. }
            | Self::NotKept { .. }
            | Self::Left
            | Self::NotSent { .. }
            | Self::HeldTooLong => None,
        }
    }

    /// The class of what went wrong in one word; nothing when an image came.
    pub(crate) const fn kind(&self) -> Option<&'static str> {
        match self {
            Self::Image { .. } => None,
            Self::NotAnImage { .. } => Some("not-an-image"),
            Self::NotKept { .. } => Some("io"),
            Self::Failed(failure) => Some(failure.class.kind()),
            Self::Left => Some("left"),
            Self::NotSent { .. } | Self::HeldTooLong => Some("not-sent"),
        }
    }

    /// Where what came is kept, when it was no image.
    pub(crate) fn kept(&self) -> &[PathBuf] {
        match self {
            Self::NotAnImage { kept, .. } => std::slice::from_ref(kept),
            Self::Failed(failure) => &failure.kept,
            Self::Image { .. }
            | Self::NotKept { .. }
            | Self::Left
            | Self::NotSent { .. }
            | Self::HeldTooLong => &[],
        }
    }

    /// The provider's own name for the request.
    pub(crate) fn request_id(&self) -> Option<&Arc<str>> {
        match self {
            Self::Image { generation, .. }
            | Self::NotAnImage { generation, .. }
            | Self::NotKept { generation: Some(generation), .. } => generation.request_id.as_ref(),
            Self::Failed(failure) => failure.request_id.as_ref(),
            Self::NotKept { generation: None, .. }
            | Self::Left
            | Self::NotSent { .. }
            | Self::HeldTooLong => None,
        }
    }

    /// What time the provider said it was.
    pub(crate) fn date(&self) -> Option<Timestamp> {
        match self {
            Self::Image { generation, .. }
            | Self::NotAnImage { generation, .. }
            | Self::NotKept { generation: Some(generation), .. } => generation.date,
            Self::Failed(failure) => failure.date,
            Self::NotKept { generation: None, .. }
            | Self::Left
            | Self::NotSent { .. }
            | Self::HeldTooLong => None,
        }
    }

    /// Whether nothing was billed, and the image is still to be made.
    pub(crate) fn is_put_off(&self) -> bool {
        let is_free = |class: FailureClass| matches!(class.recourse(), Recourse::Free(_));
        matches!(self, Self::HeldTooLong) || self.class().is_some_and(is_free)
    }

    /// What it says about the health of the lane.
    pub(crate) const fn health(&self) -> Health {
        match self {
            Self::Image { .. } | Self::NotAnImage { .. } => Health::Answers,
            Self::Failed(failure) => failure.class.health(),
            Self::NotKept { .. } | Self::Left | Self::NotSent { .. } | Self::HeldTooLong => {
                Health::Unsaid
            }
        }
    }
}

/// Sends one request and receives its image into a temporary file.
pub(crate) async fn exchange(
    cx: &RunContext,
    job: &VariantJob,
    held: &Reservation,
    number: u32,
) -> Answer {
    let mut body = match cx.images.begin(job.image_name(cx)).await {
        Ok(body) => body,
        Err(error) => {
            let reason = with_sources(&error);
            cx.stop.drain(StopReason::Environment(reason.clone()));
            return Answer::NotSent { reason };
        }
    };
    // A queue that was full or a slow disk may have cost time since the permit was given.
    if !is_young(cx, held.time) {
        body.discard().await;
        return Answer::HeldTooLong;
    }
    let attempt = Attempt { rid: held.rid, number, request: &job.request, quote: &job.quote };
    let disk = DiskTime::default();
    let mut timed = Timed { inner: &mut *body, clock: &*cx.clock, disk: &disk };
    let sent = tokio::select! {
        // Biased: once told to leave, an answer that arrives at the same moment is not waited for;
        // one that arrives with the end of its time is taken.
        biased;
        () = cx.stop.aborting() => return Answer::Left,
        sent = cx.provider.generate(&attempt, &mut timed) => sent,
        late = late(cx, job, &disk) => Err(ExchangeFailure::new(late).into()),
    };
    match sent {
        Ok(generation) => match body.finish().await {
            Ok(image) => Answer::Image { generation, image },
            Err(ImageStoreError::NotAnImage { kept }) => {
                let reason = ImageStoreError::NotAnImage { kept: kept.clone() }.to_string();
                Answer::NotAnImage { generation, reason, kept }
            }
            Err(
                error @ (ImageStoreError::Exists { .. }
                | ImageStoreError::NoRoom { .. }
                | ImageStoreError::Io { .. }),
            ) => not_kept(cx, Some(generation), &error),
        },
        Err(ProviderError::NotKept { source }) => not_kept(cx, None, &source),
        Err(error @ ProviderError::NotSent { .. }) => {
            body.discard().await;
            let reason = with_sources(&error);
            if !is_of_one_row(&error) {
                cx.stop.drain(StopReason::Environment(reason.clone()));
            }
            Answer::NotSent { reason }
        }
        Err(ProviderError::Failed(failure)) => failed(cx, *failure, body).await,
    }
}

/// Whether a reference is gone or not what it was, which concerns its rows alone. Whatever else
/// keeps a file from being opened, such as too many open ones, meets the next row as well.
fn is_of_one_row(error: &ProviderError) -> bool {
    match error {
        ProviderError::NotSent { source, .. } => {
            matches!(source.kind(), ErrorKind::NotFound | ErrorKind::InvalidData)
        }
        ProviderError::Failed(_) | ProviderError::NotKept { .. } => false,
    }
}

/// Returns when the exchange has taken too long. A rehearsal's simulator keeps its own time.
async fn late(cx: &RunContext, job: &VariantJob, disk: &DiskTime) -> FailureClass {
    if cx.is_rehearsal() {
        return std::future::pending().await;
    }
    time_out(&*cx.clock, cx.settings.timeout_for(&job.request.spec), disk).await
}

/// Whatever was received of an answer that may be paid for is kept.
async fn failed(
    cx: &RunContext,
    mut failure: ExchangeFailure,
    body: Box<dyn ImageWriter>,
) -> Answer {
    let answer = std::mem::take(&mut failure.answer);
    match keep(&failure, answer, body).await {
        Ok(places) if places.is_empty() => {}
        Ok(places) => {
            let detail = failure.detail.take();
            let detail = detail.map_or(String::new(), |detail| format!("{detail}; "));
            let names: Vec<String> = places.iter().map(|it| it.display().to_string()).collect();
            failure.detail = Some(format!("{detail}what came is kept in {}", names.join(", ")));
            failure.kept = places;
        }
        Err(error) => {
            let reason = with_sources(&error);
            cx.stop.drain(StopReason::Environment(reason));
        }
    }
    Answer::Failed(failure)
}

async fn keep(
    failure: &ExchangeFailure,
    answer: Bytes,
    body: Box<dyn ImageWriter>,
) -> Result<Vec<PathBuf>, ImageStoreError> {
    if matches!(failure.class.ending(), Ending::Released { .. }) {
        body.discard().await;
        return Ok(Vec::new());
    }
    body.keep(answer).await
}

/// A paid image that cannot be kept ends the run: the next one would be lost as well.
fn not_kept(cx: &RunContext, generation: Option<Generation>, error: &ImageStoreError) -> Answer {
    let reason = with_sources(error);
    cx.stop.drain(StopReason::Environment(reason.clone()));
    Answer::NotKept { generation, reason }
}
