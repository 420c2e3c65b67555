//! A vendor of images behind one method: one exchange, never a retry.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

use crate::domain::failure::FailureClass;
use crate::domain::ids::AttemptId;
use crate::domain::ledger::CostSource;
use crate::domain::money::NanoUsd;
use crate::domain::price::Quote;
use crate::domain::request::ImageRequest;
use crate::ports::images::{ImageBody, ImageStoreError};

/// One exchange that is about to begin; its worst case is held durably.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// Its identity, which is sent along so that both sides' books can be compared.
    pub rid: AttemptId,
    /// Which attempt at this image it is, counted from 1.
    pub number: u32,
    /// What is asked.
    pub request: &'a ImageRequest,
    /// What it is expected to cost, and what at worst.
    pub quote: &'a Quote,
}

/// What an answered request brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// What the image really cost.
    pub cost: NanoUsd,
    /// Where that figure comes from.
    pub cost_source: CostSource,
    /// The provider's own name for the request, for support and reconciliation.
    pub request_id: Option<Arc<str>>,
    /// Images beyond the one that was asked for; they are kept beside it.
    pub n_extra: u32,
    /// What time the provider said it was.
    pub date: Option<Timestamp>,
}

/// An exchange that brought no image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeFailure {
    /// What kind of failure it is; it decides what follows.
    pub class: FailureClass,
    /// What the other side or the network said, redacted and short.
    pub detail: Option<String>,
    /// The provider's own name for the request.
    pub request_id: Option<Arc<str>>,
    /// What was received beside image bytes, when it may be paid for: it is kept.
    pub answer: Bytes,
    /// Where that is kept, once it is.
    pub kept: Vec<PathBuf>,
    /// What time the provider said it was.
    pub date: Option<Timestamp>,
}

impl ExchangeFailure {
    /// A failure of which nothing more is known.
    pub const fn new(class: FailureClass) -> Self {
        Self {
            class,
            detail: None,
            request_id: None,
            answer: Bytes::new(),
            kept: Vec::new(),
            date: None,
        }
    }

    /// With what the other side or the network said; it must be redacted already.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

impl fmt::Display for ExchangeFailure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.class.sentence())?;
        if let Some(detail) = &self.detail {
            write!(out, ": {detail}")?;
        }
        match &self.request_id {
            Some(id) => write!(out, " (request {id})"),
            None => Ok(()),
        }
    }
}

/// Why an exchange brought no image that could be kept.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The exchange itself failed.
    #[error("{0}")]
    Failed(Box<ExchangeFailure>),
    /// The image could not be written while it was received; it is paid.
    #[error("the image could not be kept")]
    NotKept {
        /// What the store said.
        #[source]
        source: ImageStoreError,
    },
    /// A reference could not be opened, so nothing was sent. A source that was not found or has
    /// invalid data says that this reference alone is not what was fetched.
    #[error("reference {name} cannot be opened for sending")]
    NotSent {
        /// The reference, fit for a report.
        name: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl From<ExchangeFailure> for ProviderError {
    fn from(failure: ExchangeFailure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

impl From<ImageStoreError> for ProviderError {
    fn from(source: ImageStoreError) -> Self {
        Self::NotKept { source }
    }
}

/// A vendor adapter.
#[async_trait]
pub trait ImageProvider: fmt::Debug + Send + Sync {
    /// One exchange for one image; its bytes go to `body` as they arrive.
    ///
    /// # Errors
    /// Every way in which no complete answer came; see [`ProviderError`].
    async fn generate(
        &self,
        attempt: &Attempt<'_>,
        body: &mut dyn ImageBody,
    ) -> Result<Generation, ProviderError>;
}
