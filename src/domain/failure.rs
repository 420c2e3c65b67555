//! Why an exchange brought no image. The class decides what becomes of the attempt's money, of the
//! image and of the run; it is found by structured codes first, the status second, text never.

use std::time::Duration;

use crate::domain::circuit::Health;
use crate::domain::event::Ending;
use crate::domain::ledger::{CostSource, Evidence, UnknownClass};
use crate::domain::money::NanoUsd;
use crate::domain::settings::PaidRetryOn;

/// What is known of the charge for an answer that brought no image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charge {
    /// The adapter's table says that nothing is billed.
    Free,
    /// The answer says or implies what it cost.
    Known(NanoUsd, CostSource),
    /// Nobody knows.
    Unknown,
}

/// When the content policy stepped in, as far as the provider says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalStage {
    /// The prompt or a reference was refused; nothing was generated.
    Input,
    /// The finished image was refused.
    Output,
    /// The provider does not say.
    Unsaid,
}

/// Why nothing more can be had from the account or the address, whatever the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The key is missing, wrong or may not do this (401, 403).
    Credentials,
    /// Credit is used up, or a spend or usage limit at the provider is reached.
    Billing,
    /// The model or the path does not exist there (404).
    NotFound,
    /// The server answers with a redirect; a paid request never follows one.
    Redirect,
    /// The provider says that asking again cannot help.
    Final,
}

/// The class of a failed exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureClass {
    /// No connection: no byte of the request left.
    NoConnection {
        /// Whether the other side refused it, rather than name, network or TLS failing.
        refused: bool,
    },
    /// Too many requests (429); nothing was billed.
    RateLimited {
        /// How long the provider asks to wait, when it says so.
        retry_after: Option<Duration>,
    },
    /// An answered server error (5xx); it may have been billed.
    ServerError {
        /// The HTTP status.
        status: u16,
        /// How long the provider asks to wait, when it says so.
        retry_after: Option<Duration>,
    },
    /// The content policy refused the request.
    Refused {
        /// The HTTP status.
        status: u16,
        /// When it stepped in.
        stage: RefusalStage,
        /// What it costs.
        charge: Charge,
    },
    /// A structured answer says that the request is wrong (400, 413, 422); nothing was billed.
    Invalid {
        /// The HTTP status.
        status: u16,
    },
    /// Every further request would be turned away too.
    Denied {
        /// The HTTP status.
        status: u16,
        /// Why.
        denial: Denial,
    },
    /// A status that says nothing about the bill.
    Unexpected {
        /// The HTTP status.
        status: u16,
    },
    /// No answer in time; it may have been billed.
    TimedOut {
        /// How long was waited.
        after: Duration,
    },
    /// The connection broke after the request was sent; it may have been billed.
    Reset,
    /// An answer that cannot be read; it may have been billed.
    BadBody,
    /// A complete answer that has no image in it.
    NoImage {
        /// What it costs.
        charge: Charge,
    },
}

/// What may follow a failed exchange, as far as its class decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recourse {
    /// Nothing: the image's story is over.
    None,
    /// Another try costs nothing extra; after the pause that the provider asks for, if it does.
    Free(Option<Duration>),
    /// Another try may be a second purchase of the same image.
    Paid(PaidRetryOn, Option<Duration>),
}

impl FailureClass {
    /// How the money of the attempt ends, by the table of the design's section on money: a release
    /// needs evidence that nothing was billed, and everything else keeps its hold.
    pub fn ending(self) -> Ending {
        let unknown = |class| Ending::Unknown { class };
        let released = |evidence| Ending::Released { evidence };
        match self {
            Self::NoConnection { refused: true } => released(Evidence::ConnectionRefused),
            Self::NoConnection { refused: false } => released(Evidence::NotSent),
            Self::RateLimited { .. } => released(Evidence::RateLimited),
            Self::Invalid { .. } => released(Evidence::Invalid),
            Self::Refused { charge, .. } => match charge {
                Charge::Free => released(Evidence::Invalid),
                Charge::Known(amount, source) => Ending::Settled { amount, source },
                Charge::Unknown => unknown(UnknownClass::Refusal),
            },
            Self::NoImage { charge: Charge::Known(amount, source) } => {
                Ending::Settled { amount, source }
            }
            Self::NoImage { charge: Charge::Free | Charge::Unknown } | Self::BadBody => {
                unknown(UnknownClass::BadBody)
            }
            Self::Denied { status, .. } => match status {
                401 | 403 => released(Evidence::Unauthorized),
                404 => released(Evidence::NotFound),
                429 => released(Evidence::RateLimited),
                400 | 413 | 422 => released(Evidence::Invalid),
                // 402, redirects: nobody promises that these are never billed.
                _ => unknown(UnknownClass::Denied),
            },
            Self::ServerError { .. } => unknown(UnknownClass::ServerError),
            Self::Unexpected { .. } => unknown(UnknownClass::Unexpected),
            Self::TimedOut { .. } => unknown(UnknownClass::Timeout),
            Self::Reset => unknown(UnknownClass::Reset),
        }
    }

    /// The HTTP status, where one was answered.
    pub const fn status(self) -> Option<u16> {
        match self {
            Self::RateLimited { .. } => Some(429),
            Self::ServerError { status, .. }
            | Self::Refused { status, .. }
            | Self::Invalid { status }
            | Self::Denied { status, .. }
            | Self::Unexpected { status } => Some(status),
            Self::NoConnection { .. }
            | Self::TimedOut { .. }
            | Self::Reset
            | Self::BadBody
            | Self::NoImage { .. } => None,
        }
    }

    /// What may follow.
    pub const fn recourse(self) -> Recourse {
        match self {
            Self::NoConnection { .. } => Recourse::Free(None),
            Self::RateLimited { retry_after } => Recourse::Free(retry_after),
            Self::ServerError { retry_after, .. } => {
                Recourse::Paid(PaidRetryOn::ServerError, retry_after)
            }
            Self::TimedOut { .. } => Recourse::Paid(PaidRetryOn::Timeout, None),
            Self::Reset => Recourse::Paid(PaidRetryOn::Reset, None),
            Self::BadBody | Self::NoImage { .. } => Recourse::Paid(PaidRetryOn::BadBody, None),
            Self::Refused { .. }
            | Self::Invalid { .. }
            | Self::Denied { .. }
            | Self::Unexpected { .. } => Recourse::None,
        }
    }

    /// What it says about the health of the lane. An answer that cannot be read counts as a
    /// failure of the provider: nobody can tell what it costs, and the next one is no better.
    pub const fn health(self) -> Health {
        match self {
            Self::ServerError { .. }
            | Self::TimedOut { .. }
            | Self::Reset
            | Self::BadBody
            | Self::Unexpected { .. } => Health::Fails,
            Self::NoConnection { .. } => Health::Unreachable,
            Self::RateLimited { .. }
            | Self::Refused { .. }
            | Self::Invalid { .. }
            | Self::Denied { .. }
            | Self::NoImage { .. } => Health::Answers,
        }
    }

    /// A short class for counters and selectors of gates.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::NoConnection { .. } => "connection",
            Self::RateLimited { .. } => "throttled",
            Self::ServerError { .. } => "server-error",
            Self::Refused { .. } => "refused",
            Self::Invalid { .. } => "invalid-request",
            Self::Denied { .. } => "denied",
            Self::Unexpected { .. } => "unexpected",
            Self::TimedOut { .. } => "timeout",
            Self::Reset => "reset",
            Self::BadBody => "bad-body",
            Self::NoImage { .. } => "no-image",
        }
    }

    /// What happened in a few words, without a final period.
    pub fn sentence(self) -> String {
        const MAYBE: &str = "it may have been billed";
        match self {
            Self::NoConnection { refused: true } => "the connection was refused".to_owned(),
            Self::NoConnection { refused: false } => "no connection could be made".to_owned(),
            Self::RateLimited { .. } => "rate limited by the provider".to_owned(),
            Self::ServerError { status, .. } => format!("the provider answered {status}; {MAYBE}"),
            Self::Refused { stage, .. } => match stage {
                RefusalStage::Input => "the content policy refused the prompt or a reference",
                RefusalStage::Output => "the content policy refused the finished image",
                RefusalStage::Unsaid => "refused by the provider's content policy",
            }
            .to_owned(),
            Self::Invalid { status } => {
                format!("the provider found the request invalid ({status})")
            }
            Self::Denied { status, denial } => match denial {
                Denial::Credentials => format!("the provider refused the credentials ({status})"),
                Denial::Billing => {
                    format!("the provider's account has no credit or is at its limit ({status})")
                }
                Denial::NotFound => format!("the provider has no such model or address ({status})"),
                Denial::Redirect => {
                    format!("the server answers with a redirect ({status}), which is not followed")
                }
                Denial::Final => format!("the provider says not to try again ({status})"),
            },
            Self::Unexpected { status } => format!("an unexpected answer ({status}); {MAYBE}"),
            Self::TimedOut { after } => {
                format!("no answer within {}; {MAYBE}", humantime::format_duration(after))
            }
            Self::Reset => format!("the connection broke after the request was sent; {MAYBE}"),
            Self::BadBody => format!("an answer that cannot be read; {MAYBE}"),
            Self::NoImage { .. } => "a complete answer without an image".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn refused(charge: Charge) -> FailureClass {
        FailureClass::Refused { status: 400, stage: RefusalStage::Unsaid, charge }
    }

    fn denied(status: u16) -> FailureClass {
        FailureClass::Denied { status, denial: Denial::Credentials }
    }

    /// The table of what may be released, whole: nothing else may ever give money back.
    #[test]
    fn only_evidence_gives_money_back_row_5() {
        use FailureClass as F;
        let released = |evidence| Ending::Released { evidence };
        let unknown = |class| Ending::Unknown { class };
        let paid = Charge::Known(NanoUsd::from_dollars(1), CostSource::Usage);
        let settled =
            Ending::Settled { amount: NanoUsd::from_dollars(1), source: CostSource::Usage };
        for (class, ending) in [
            (F::NoConnection { refused: true }, released(Evidence::ConnectionRefused)),
            (F::NoConnection { refused: false }, released(Evidence::NotSent)),
            (F::RateLimited { retry_after: None }, released(Evidence::RateLimited)),
            (F::Invalid { status: 422 }, released(Evidence::Invalid)),
            (refused(Charge::Free), released(Evidence::Invalid)),
            (refused(Charge::Unknown), unknown(UnknownClass::Refusal)),
            (refused(paid), settled),
            (denied(401), released(Evidence::Unauthorized)),
            (denied(403), released(Evidence::Unauthorized)),
            (denied(404), released(Evidence::NotFound)),
            (denied(429), released(Evidence::RateLimited)),
            (denied(400), released(Evidence::Invalid)),
            (denied(402), unknown(UnknownClass::Denied)),
            (denied(307), unknown(UnknownClass::Denied)),
            (F::ServerError { status: 500, retry_after: None }, unknown(UnknownClass::ServerError)),
            (F::Unexpected { status: 418 }, unknown(UnknownClass::Unexpected)),
            (F::TimedOut { after: SECOND }, unknown(UnknownClass::Timeout)),
            (F::Reset, unknown(UnknownClass::Reset)),
            (F::BadBody, unknown(UnknownClass::BadBody)),
            (F::NoImage { charge: Charge::Unknown }, unknown(UnknownClass::BadBody)),
            (F::NoImage { charge: Charge::Free }, unknown(UnknownClass::BadBody)),
            (F::NoImage { charge: paid }, settled),
        ] {
            assert_eq!(class.ending(), ending, "{class:?}");
        }
    }

    #[test]
    fn what_may_be_billed_is_never_tried_again_for_free() {
        use FailureClass as F;
        for class in [
            F::ServerError { status: 503, retry_after: Some(SECOND) },
            F::TimedOut { after: SECOND },
            F::Reset,
            F::BadBody,
            F::NoImage { charge: Charge::Unknown },
            F::Unexpected { status: 409 },
            refused(Charge::Unknown),
        ] {
            assert!(matches!(class.ending(), Ending::Unknown { .. }), "{class:?}");
            assert!(!matches!(class.recourse(), Recourse::Free(_)), "{class:?}");
        }
    }
}
