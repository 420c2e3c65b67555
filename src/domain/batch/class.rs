//! Classes of rows: sets of request options that many rows share, so that a row costs two bytes.

use std::sync::Arc;

use crate::domain::price::{Quote, QuoteError};
use crate::domain::request::ImageSpec;
use crate::domain::row::RowBrief;

/// Prompt lengths are priced in steps of this many bytes, rounded up: the worst case stays one,
/// and a batch of many prompts has few classes.
const PROMPT_STEP_BYTES: u32 = 1_024;

/// The number of a class in its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassId(pub(super) u16);

impl ClassId {
    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// What the rows of a class have in common.
#[derive(Clone, Debug)]
pub struct RowClass {
    /// Provider, model, size and quality, with the run's other settings.
    pub spec: Arc<ImageSpec>,
    /// How many images each row asks for.
    pub variants: u8,
    /// How many references each row has.
    pub n_references: u32,
    /// The price of one image.
    pub quote: Result<Arc<Quote>, QuoteError>,
    /// Whether the provider can make its size; known for the simulator only.
    pub is_paintable: bool,
    /// How many rows there are.
    pub n_rows: u64,
}

/// What tells classes apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ClassKey {
    pub(super) provider: Option<Box<str>>,
    pub(super) model: Option<Box<str>>,
    pub(super) size: Option<Box<str>>,
    pub(super) quality: Option<Box<str>>,
    pub(super) variants: u8,
    pub(super) n_references: u32,
    pub(super) prompt_steps: u32,
}

impl ClassKey {
    pub(super) fn of(brief: &RowBrief<'_>) -> Self {
        let own = |text: Option<&str>| text.map(Box::from);
        Self {
            provider: own(brief.provider),
            model: own(brief.model),
            size: own(brief.size),
            quality: own(brief.quality),
            variants: brief.variants.get(),
            n_references: n_references(brief),
            prompt_steps: prompt_steps(brief),
        }
    }

    pub(super) fn is_of(&self, brief: &RowBrief<'_>) -> bool {
        self.variants == brief.variants.get()
            && self.n_references == n_references(brief)
            && self.prompt_steps == prompt_steps(brief)
            && self.provider.as_deref() == brief.provider
            && self.model.as_deref() == brief.model
            && self.size.as_deref() == brief.size
            && self.quality.as_deref() == brief.quality
    }

    /// The longest prompt of the class, in bytes.
    pub(super) fn max_prompt_bytes(&self) -> u64 {
        u64::from(self.prompt_steps) * u64::from(PROMPT_STEP_BYTES)
    }
}

/// The input images of a row; a mask is one of them.
pub(super) const fn n_references(brief: &RowBrief<'_>) -> u32 {
    brief.n_url_references + brief.n_local_references + brief.wants.mask.is_some() as u32
}

const fn prompt_steps(brief: &RowBrief<'_>) -> u32 {
    brief.n_prompt_bytes.div_ceil(PROMPT_STEP_BYTES)
}

/// A number that is the same for all rows of a class and another one for most other rows.
pub(super) fn spread(brief: &RowBrief<'_>) -> usize {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |sum: u64, part: u64| (sum.rotate_left(23) ^ part).wrapping_mul(FACTOR);
    let numbers = u64::from(brief.variants.get())
        | u64::from(n_references(brief)) << 8
        | u64::from(prompt_steps(brief)) << 32;
    let words = [brief.provider, brief.model, brief.size, brief.quality];
    let sum = words.into_iter().flatten().fold(numbers, |sum, word| mix(sum, ends(word)));
    (mix(sum, 0) >> 32) as usize
}

/// The two ends of a word, in which such words differ.
fn ends(word: &str) -> u64 {
    let bytes = word.as_bytes();
    match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last))
        }
        _ => bytes.iter().fold(1, |sum, byte| sum << 8 | u64::from(*byte)),
    }
}
