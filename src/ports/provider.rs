//! A vendor of images behind one method: one exchange, never a retry.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::ledger::CostSource;
use crate::domain::money::NanoUsd;
use crate::domain::price::Quote;
use crate::domain::request::ImageRequest;
use crate::ports::images::{ImageStoreError, ImageWriter};

/// What an answered request brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// What the image really cost.
    pub cost: NanoUsd,
    /// Where that figure comes from.
    pub cost_source: CostSource,
    /// The provider's own name for the request, for support and reconciliation.
    pub request_id: Option<Arc<str>>,
}

/// Why an exchange brought no image.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The provider asks to slow down; nothing was billed.
    #[error("rate limited")]
    RateLimited {
        /// How long it asks to wait.
        retry_after: Duration,
    },
    /// The provider answered a server error; it may have billed.
    #[error("the provider answered {status}")]
    ServerError {
        /// The HTTP status.
        status: u16,
    },
    /// The provider's content policy refused the request; nothing was billed.
    #[error("refused by the provider's content policy")]
    Refused,
    /// The provider found the request malformed; nothing was billed.
    #[error("the provider found the request invalid ({status})")]
    BadRequest {
        /// The HTTP status.
        status: u16,
    },
    /// No answer came in time; it may have billed.
    #[error("no answer within {}", humantime::format_duration(*.after))]
    TimedOut {
        /// How long was waited.
        after: Duration,
    },
    /// The image could not be written while it was received; it is paid.
    #[error("the image could not be kept")]
    NotKept {
        /// What the store said.
        #[source]
        source: ImageStoreError,
    },
}

/// A vendor adapter.
#[async_trait]
pub trait ImageProvider: Debug + Send + Sync {
    /// One exchange for one image; its bytes go to `body` as they arrive.
    ///
    /// # Errors
    /// Every way in which no complete answer came; see [`ProviderError`].
    async fn generate(
        &self,
        request: &ImageRequest,
        attempt: u32,
        quote: &Quote,
        body: &mut dyn ImageWriter,
    ) -> Result<Generation, ProviderError>;
}
