//! Where an image stands, by what the journal and the ledger say of its attempts, and whether it
//! is made when the run goes on.

use crate::domain::ledger::UnknownClass;
use crate::domain::settings::PaidRetryOn;

/// Where an image stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is owed for it, and it is still to be made.
    Pending,
    /// An attempt is out, as far as the journal tells.
    Out,
    /// It is durable.
    Stored,
    /// It is paid, and no durable image came of it: named, and never bought again by itself.
    PaidLost,
    /// The content policy refused it.
    Refused,
    /// The provider's answer was final: the request is wrong, or what came is no image.
    Failed,
    /// Nobody knows whether it was billed.
    Unknown(UnknownClass),
}

impl Standing {
    /// The kind of paid retry that buying it again would be; nothing when it is none.
    pub const fn paid_retry(self) -> Option<PaidRetryOn> {
        match self {
            Self::Unknown(class) => Some(match class {
                UnknownClass::ServerError => PaidRetryOn::ServerError,
                UnknownClass::Timeout => PaidRetryOn::Timeout,
                UnknownClass::Reset => PaidRetryOn::Reset,
                UnknownClass::BadBody => PaidRetryOn::BadBody,
                UnknownClass::Denied
                | UnknownClass::Unexpected
                | UnknownClass::Refusal
                | UnknownClass::Lost
                | UnknownClass::Left => PaidRetryOn::Lost,
            }),
            Self::PaidLost => Some(PaidRetryOn::Lost),
            Self::Pending | Self::Out | Self::Stored | Self::Refused | Self::Failed => None,
        }
    }
}

/// Which images a continued run makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    /// Those that failed, for whatever reason.
    Failed,
    /// Those that had not had their turn, or were put off.
    Pending,
    /// Those of rows that were added or changed.
    New,
    /// Those that the content policy refused.
    Refused,
    /// Those of which nobody knows whether they were billed, within the allowance of paid retries.
    Unknown,
}

impl Only {
    /// Every member with its word.
    pub const ALL: [Self; 5] =
        [Self::Failed, Self::Pending, Self::New, Self::Refused, Self::Unknown];

    /// What is continued where nobody says otherwise: whatever costs nothing twice. Failures that
    /// may heal count as pending.
    pub const DEFAULT: [Self; 2] = [Self::Pending, Self::New];

    /// The word as users write it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Pending => "pending",
            Self::New => "new",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}
