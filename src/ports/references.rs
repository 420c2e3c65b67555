//! Where the input images of a row come from: one try at a time, before any money moves.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::egress::EgressError;
use crate::domain::reference::Reference;
use crate::domain::request::LoadedReference;

/// Why a reference cannot be used; the text is fit for a report: it names no query.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    /// The path leads out of the folder of the rows file.
    #[error("reference {0} lies outside the folder of the rows file")]
    Outside(Reference),
    /// The file is no regular file, or cannot be read or kept.
    #[error("reference {reference} cannot be read")]
    Unreadable {
        /// The reference concerned.
        reference: Reference,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// There are more bytes than allowed.
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
    /// The gate refuses the address, or one that it leads to.
    #[error("reference {reference} is not fetched")]
    Refused {
        /// The reference concerned.
        reference: Reference,
        /// Why.
        #[source]
        source: EgressError,
    },
    /// The other side answered with something other than the object.
    #[error("reference {reference} was answered with {status}")]
    Answered {
        /// The reference concerned.
        reference: Reference,
        /// The HTTP status.
        status: u16,
    },
    /// The answer is no object as it was asked for: encoded, cut off, redirected too often.
    #[error("reference {reference}: {problem}")]
    BadAnswer {
        /// The reference concerned.
        reference: Reference,
        /// What is wrong with it.
        problem: String,
    },
    /// No connection, or one that broke.
    #[error("reference {reference} cannot be reached: {problem}")]
    Unreachable {
        /// The reference concerned.
        reference: Reference,
        /// What the network said, without the address.
        problem: String,
    },
    /// It was not there whole in time.
    #[error("reference {reference} was not there within {}", humantime::format_duration(*.after))]
    TimedOut {
        /// The reference concerned.
        reference: Reference,
        /// How long a try may take.
        after: Duration,
    },
    /// Its address has expired, or expires too soon.
    #[error("reference {reference} {problem}")]
    Expired {
        /// The reference concerned.
        reference: Reference,
        /// When, and why it was not refreshed.
        problem: String,
    },
    /// No store can be asked for it.
    #[error("reference {reference}: {problem}")]
    NoStore {
        /// The reference concerned.
        reference: Reference,
        /// What is missing.
        problem: String,
    },
}

/// What may follow a failed try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextTry {
    /// Nothing: the answer will be the same.
    Never,
    /// It may heal by itself; after the pause that was asked for, if one was.
    MayHeal(Option<Duration>),
    /// The signature of the address may have ended (401, 403, 410, and 400 from a store): a new
    /// one may help, the same one will not.
    MayBeExpired,
}

/// A try that brought nothing.
#[derive(Debug)]
pub struct FailedTry {
    /// Why.
    pub error: ReferenceError,
    /// What may follow.
    pub next: NextTry,
    /// What time the other side said it was.
    pub date: Option<Timestamp>,
}

/// A try that brought the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The object, checked.
    pub loaded: LoadedReference,
    /// Bytes that were received; none when what is kept from earlier is still good.
    pub n_received: u64,
    /// What time the other side said it was.
    pub date: Option<Timestamp>,
}

/// Gets references, one try at a time. A call that is dropped leaves nothing behind.
#[async_trait]
pub trait ReferenceSource: Debug + Send + Sync {
    /// One try at one reference, redirects included.
    ///
    /// # Errors
    /// When it must not or cannot be used; see [`ReferenceError`].
    async fn fetch(&self, reference: &Reference) -> Result<Fetched, FailedTry>;
}

/// Why an address was not signed anew; the text is fit for a report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefreshError {
    /// Nobody is configured who could.
    #[error("nothing is configured that could refresh it")]
    NoRefresher,
    /// Who was asked failed, or gave no usable answer.
    #[error("{0}")]
    Failed(String),
}

/// Signs addresses anew.
#[async_trait]
pub trait UrlRefresher: Debug + Send + Sync {
    /// Whether there is anybody to ask for this address; nothing is asked yet.
    fn can_refresh(&self, url: &str) -> bool;

    /// An address of the same object that lives for about `life`. The answer is not trusted: the
    /// caller compares the objects, and the gate judges it before it is asked.
    ///
    /// # Errors
    /// When there is none; see [`RefreshError`].
    async fn refresh(&self, url: &str, life: Duration) -> Result<String, RefreshError>;
}
