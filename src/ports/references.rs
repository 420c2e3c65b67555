//! Reads the input images of a row, within limits, before any money moves.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::domain::reference::Reference;
use crate::domain::request::LoadedReference;

/// Why a reference cannot be used; the text is fit for a report.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    /// The reference has an address, which this version does not fetch.
    #[error("reference {0} is a URL, and this version cannot fetch URLs yet")]
    UrlNotFetched(Reference),
    /// The path leads out of the folder of the rows file.
    #[error("reference {0} lies outside the folder of the rows file")]
    Outside(Reference),
    /// The file is no regular file, or cannot be read.
    #[error("reference {reference} cannot be read")]
    Unreadable {
        /// The reference concerned.
        reference: Reference,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is larger than allowed.
    #[error("reference {reference} has more than {limit} bytes")]
    TooLarge {
        /// The reference concerned.
        reference: Reference,
        /// The limit in bytes.
        limit: u64,
    },
    /// The picture has more pixels than allowed.
    #[error("reference {reference} has {pixels} pixels, more than {limit}")]
    TooManyPixels {
        /// The reference concerned.
        reference: Reference,
        /// Its pixels.
        pixels: u64,
        /// The limit in pixels.
        limit: u64,
    },
    /// The bytes are no png, jpeg or webp.
    #[error("reference {0} is no png, jpeg or webp image")]
    NotAnImage(Reference),
}

/// Reads references.
#[async_trait]
pub trait ReferenceReader: Debug + Send + Sync {
    /// Reads and checks one reference.
    ///
    /// # Errors
    /// When it must not or cannot be used; see [`ReferenceError`].
    async fn read(&self, reference: &Reference) -> Result<LoadedReference, ReferenceError>;
}
