//! What the rehearsal provider answers to one attempt: a pure function of the seed and the
//! attempt, so that the order in which attempts end cannot change a draw.

use std::time::Duration;

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::domain::failure::{Charge, FailureClass, RefusalStage};
use crate::domain::price::Quote;
use crate::domain::sim::SimSpec;

/// Shares are counted in millionths.
const WHOLE: u64 = 1_000_000;
/// The longest that a refusal at the door takes: a 429 or a 400 does no work.
const QUICK_ANSWER: Duration = Duration::from_millis(50);
/// After this long the simulator itself gives up on an answer that never comes. A caller with a
/// shorter time-out ends it earlier.
const NO_ANSWER: Duration = Duration::from_secs(300);

/// Which attempt is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SimKey {
    /// A hash of the row's name.
    pub row: u64,
    /// The variant, counted from 1.
    pub variant: u8,
    /// The attempt for this variant, counted from 1.
    pub attempt: u32,
}

impl SimKey {
    /// The key of an attempt for a named row.
    pub fn of(scene_id: &str, variant: u8, attempt: u32) -> Self {
        Self { row: Self::row_of(scene_id), variant, attempt }
    }

    /// The hash of a row's name: FNV-1a, for speed; it guards nothing.
    pub fn row_of(scene_id: &str) -> u64 {
        const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0000_0100_0000_01b3;
        scene_id.bytes().fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
    }
}

/// What comes back, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimReply {
    /// Time from the request to the end of the answer.
    pub latency: Duration,
    /// What the answer is.
    pub kind: SimKind,
}

/// What the answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SimKind {
    /// A picture.
    Image,
    /// An answered server error (500); it may have been billed.
    ServerError,
    /// Too many requests (429); nothing was billed.
    RateLimited {
        /// How long to wait.
        retry_after: Duration,
    },
    /// The content policy refused the prompt.
    Refused,
    /// The answer never comes.
    TimedOut,
    /// The request was wrong (400); nothing was billed.
    BadRequest,
    /// A complete answer whose bytes are no picture.
    NotAnImage,
    /// The connection ends without an answer.
    Dropped,
    /// The connection ends in the middle of the answer.
    Truncated,
    /// A complete answer that cannot be read.
    Malformed,
    /// A complete answer without an image.
    Empty,
    /// A picture whose bill says nothing.
    NoUsage,
}

impl SimKind {
    /// How a client sees it when it is no image; `quote` prices the image. The simulator's table:
    /// refusals are free, and whatever did the work may be billed.
    pub fn failure(self, quote: &Quote) -> Option<FailureClass> {
        let charge = || {
            let (amount, source) = quote.charge(None, 1);
            Charge::Known(amount, source)
        };
        Some(match self {
            Self::Image | Self::NotAnImage | Self::NoUsage => return None,
            Self::ServerError => FailureClass::ServerError { status: 500, retry_after: None },
            Self::RateLimited { retry_after } => {
                FailureClass::RateLimited { retry_after: Some(retry_after) }
            }
            Self::Refused => FailureClass::Refused {
                status: 400,
                stage: RefusalStage::Unsaid,
                charge: Charge::Free,
            },
            Self::BadRequest => FailureClass::Invalid { status: 400 },
            Self::TimedOut => FailureClass::TimedOut { after: NO_ANSWER },
            Self::Dropped | Self::Truncated => FailureClass::Reset,
            Self::Malformed => FailureClass::BadBody,
            Self::Empty => FailureClass::NoImage { charge: charge() },
        })
    }
}

impl SimSpec {
    /// What the provider answers to one attempt; the same for the same specification and key.
    pub fn reply(&self, key: &SimKey) -> SimReply {
        let mut stream = Xoshiro256PlusPlus::seed_from_u64(stream_seed(self.seed, key));
        let kind = self.kind(below(WHOLE, stream.next_u64()));
        let drawn = self.drawn_latency(stream.next_u64());
        let latency = match kind {
            SimKind::Image
            | SimKind::ServerError
            | SimKind::Refused
            | SimKind::NotAnImage
            | SimKind::Dropped
            | SimKind::Truncated
            | SimKind::Malformed
            | SimKind::Empty
            | SimKind::NoUsage => drawn,
            SimKind::RateLimited { .. } | SimKind::BadRequest => drawn.min(QUICK_ANSWER),
            SimKind::TimedOut => NO_ANSWER,
        };
        SimReply { latency, kind }
    }

    /// The kind at a point of the whole. The order of the kinds is part of the format: changing it
    /// changes what a seed means.
    fn kind(&self, point: u64) -> SimKind {
        let throttled = SimKind::RateLimited { retry_after: self.retry_after };
        let kinds = [
            (self.throttles, throttled),
            (self.errors, SimKind::ServerError),
            (self.timeouts, SimKind::TimedOut),
            (self.refusals, SimKind::Refused),
            (self.bad_requests, SimKind::BadRequest),
            (self.not_images, SimKind::NotAnImage),
            (self.drops, SimKind::Dropped),
            (self.truncated, SimKind::Truncated),
            (self.malformed, SimKind::Malformed),
            (self.empty, SimKind::Empty),
            (self.zero_usage, SimKind::NoUsage),
        ];
        let mut edge = 0;
        for (share, kind) in kinds {
            edge += u64::from(share.ppm());
            if point < edge {
                return kind;
            }
        }
        SimKind::Image
    }

    /// Uniform between latency - jitter and latency + jitter, both included.
    fn drawn_latency(&self, draw: u64) -> Duration {
        let jitter = u64::from(self.jitter.ppm());
        if jitter == 0 {
            return self.latency;
        }
        let factor = WHOLE - jitter + below(2 * jitter + 1, draw);
        let nanos = self.latency.as_nanos() * u128::from(factor) / u128::from(WHOLE);
        Duration::from_nanos(u64::try_from(nanos).expect("a latency is at most two days"))
    }
}

/// A number from 0 to `n - 1`, from 64 random bits.
fn below(n: u64, draw: u64) -> u64 {
    let product = u128::from(n) * u128::from(draw);
    u64::try_from(product >> 64).expect("the upper half of a product fits")
}

/// One seed for each attempt: every word is mixed in turn, so that neighbors have nothing in
/// common.
fn stream_seed(seed: u64, key: &SimKey) -> u64 {
    [key.row, u64::from(key.variant), u64::from(key.attempt)]
        .into_iter()
        .fold(mixed(seed), |state, word| mixed(state ^ word))
}

/// The finalizer of SplitMix64: a bijection whose every output bit depends on every input bit.
fn mixed(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
