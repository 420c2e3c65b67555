//! One exchange with the provider: opens the file, sends, receives, gives the file its name.

use std::time::Duration;

use crate::domain::image::StoredImage;
use crate::pipeline::admit::is_young;
use crate::pipeline::context::RunContext;
use crate::pipeline::generate::VariantJob;
use crate::pipeline::ledger_task::Reservation;
use crate::pipeline::stop::{StopReason, with_sources};
use crate::ports::images::ImageStoreError;
use crate::ports::provider::{Generation, ProviderError};

/// What came of one attempt, before its money is ended.
#[derive(Debug)]
pub(crate) enum Answer {
    /// An image with its final name.
    Image { generation: Generation, image: StoredImage },
    /// A complete, paid answer that is no image; its bytes are kept.
    NotAnImage { generation: Generation, reason: String },
    /// A paid image that the disk refused.
    NotKept { generation: Option<Generation>, reason: String },
    /// The content policy refused.
    Refused,
    /// The provider found the request malformed.
    BadRequest { status: u16 },
    /// The provider asks to wait.
    RateLimited { retry_after: Duration },
    /// An answered server error.
    ServerError { status: u16 },
    /// No answer in time.
    TimedOut { after: Duration },
    /// The process leaves while the attempt is out.
    Left,
    /// Nothing was sent, since the file could not be opened.
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
            Self::Refused => ProviderError::Refused.to_string(),
            Self::BadRequest { status } => {
                ProviderError::BadRequest { status: *status }.to_string()
            }
            Self::RateLimited { .. } => "rate limited by the provider".to_owned(),
            Self::ServerError { status } => {
                format!("the provider answered {status}; it may have been billed")
            }
            Self::TimedOut { after } => {
                let error = ProviderError::TimedOut { after: *after };
                format!("{error}; it may have been billed")
            }
            Self::HeldTooLong => "not sent: the machine slept since it was reserved".to_owned(),
            Self::Left => "left while it was out; it may have been billed".to_owned(),
        }
    }
}

/// Sends one request and receives its image into a temporary file.
pub(crate) async fn exchange(
    cx: &RunContext,
    job: &VariantJob,
    held: &Reservation,
    attempt: u32,
) -> Answer {
    let stem = crate::domain::file_name::file_stem(job.row.scene_id.as_str());
    let mut body = match cx.images.begin(&stem, job.request.variant).await {
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
    let sent = tokio::select! {
        // Biased: once told to leave, an answer that arrives at the same moment is not waited for.
        biased;
        () = cx.stop.aborting() => return Answer::Left,
        sent = cx.provider.generate(&job.request, attempt, &job.quote, &mut *body) => sent,
    };
    match sent {
        Ok(generation) => match body.finish().await {
            Ok(image) => Answer::Image { generation, image },
            Err(error @ ImageStoreError::NotAnImage { .. }) => {
                Answer::NotAnImage { generation, reason: error.to_string() }
            }
            Err(error @ (ImageStoreError::Exists { .. } | ImageStoreError::Io { .. })) => {
                not_kept(cx, Some(generation), &error)
            }
        },
        Err(ProviderError::NotKept { source }) => not_kept(cx, None, &source),
        Err(error) => {
            body.discard().await;
            from_error(&error)
        }
    }
}

/// A paid image that cannot be kept ends the run: the next one would be lost as well.
fn not_kept(cx: &RunContext, generation: Option<Generation>, error: &ImageStoreError) -> Answer {
    let reason = with_sources(error);
    cx.stop.drain(StopReason::Environment(reason.clone()));
    Answer::NotKept { generation, reason }
}

fn from_error(error: &ProviderError) -> Answer {
    match error {
        ProviderError::RateLimited { retry_after } => {
            Answer::RateLimited { retry_after: *retry_after }
        }
        ProviderError::ServerError { status } => Answer::ServerError { status: *status },
        ProviderError::Refused => Answer::Refused,
        ProviderError::BadRequest { status } => Answer::BadRequest { status: *status },
        ProviderError::TimedOut { after } => Answer::TimedOut { after: *after },
        ProviderError::NotKept { source } => {
            Answer::NotKept { generation: None, reason: with_sources(source) }
        }
    }
}
