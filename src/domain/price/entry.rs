//! One entry of the price book: what one model costs, and how entries are laid over each other.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;

use crate::domain::money::NanoUsd;
use crate::domain::price::Place;

/// What a million tokens of one kind cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rate {
    /// Tokens of the prompt.
    TextIn,
    /// Tokens of a prompt that the provider had cached.
    TextInCached,
    /// Tokens of input images.
    ImageIn,
    /// Tokens of input images that the provider had cached.
    ImageInCached,
    /// Tokens of text answers.
    TextOut,
    /// Tokens of the model's thoughts.
    ThoughtOut,
    /// Tokens of the images made.
    ImageOut,
}

impl Rate {
    /// Every rate with its key in the file.
    pub(crate) const ALL: [(&'static str, Self); 7] = [
        ("text_in", Self::TextIn),
        ("text_in_cached", Self::TextInCached),
        ("image_in", Self::ImageIn),
        ("image_in_cached", Self::ImageInCached),
        ("text_out", Self::TextOut),
        ("thought_out", Self::ThoughtOut),
        ("image_out", Self::ImageOut),
    ];
}

/// A figure for one size: the same for every quality, or one for each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SizePrices<T> {
    /// Quality does not change it.
    Any(T),
    /// By the provider's word for the quality.
    ByQuality(BTreeMap<String, T>),
}

/// Figures by the provider's exact word for the size.
pub type BySize<T> = BTreeMap<String, SizePrices<T>>;

/// Where `like` points, and where it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Like {
    pub(crate) target: String,
    #[serde(skip)]
    pub(crate) place: Place,
}

/// What one model costs. Every part is optional, so that entries can be laid over each other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The entry from which everything not said here is taken.
    pub(crate) like: Option<Like>,
    /// Whether the provider's model is this one when none is named.
    pub default: Option<bool>,
    /// Whether the price is known to be unknown.
    pub unpriced: Option<bool>,
    /// The day on which the provider will shut the model down.
    pub retires: Option<Date>,
    /// The day on which the provider did shut the model down.
    pub retired: Option<Date>,
    /// What the provider's batch mode multiplies prices by.
    pub batch_multiplier: Option<NanoUsd>,
    /// Flat price of one image.
    pub per_image: Option<NanoUsd>,
    /// Price of each input image.
    pub per_input_image: Option<NanoUsd>,
    /// Price of each megapixel made.
    pub per_megapixel: Option<NanoUsd>,
    /// Price of the first megapixel made.
    pub first_mp: Option<NanoUsd>,
    /// Price of each further megapixel made, and of each megapixel of input.
    pub add_mp: Option<NanoUsd>,
    /// Price of a second of the graphics processor.
    pub per_gpu_second: Option<NanoUsd>,
    /// Seconds of the graphics processor that one image is expected to take.
    pub est_gpu_seconds: Option<u64>,
    /// Tokens that one input image is expected to count as.
    pub est_input_image_tokens: Option<u64>,
    /// Tokens that one input image counts as at most.
    pub max_input_image_tokens: Option<u64>,
    /// Prices of a million tokens.
    pub per_mtok: BTreeMap<Rate, NanoUsd>,
    /// Estimates of one image.
    pub est_per_image: BySize<NanoUsd>,
    /// Estimates of the tokens of one image.
    pub est_image_out_tokens: BySize<u64>,
    /// Published maxima of one image.
    pub max_per_image: BySize<NanoUsd>,
    /// Published maxima of the tokens of one image.
    pub max_image_out_tokens: BySize<u64>,
    /// The file that the entry comes from; no part of its content.
    #[serde(skip)]
    pub origin: String,
}

impl Entry {
    /// The sizes that have a price of their own, each with its qualities.
    pub fn sizes(&self) -> Vec<(String, Vec<String>)> {
        let mut known = sizes_of(&self.est_per_image);
        for (size, qualities) in sizes_of(&self.est_image_out_tokens) {
            if !known.iter().any(|(present, _)| *present == size) {
                known.push((size, qualities));
            }
        }
        known
    }

    /// Whether the entry says how the output is priced.
    pub(crate) fn prices_output(&self) -> bool {
        self.per_image.is_some()
            || self.per_megapixel.is_some()
            || self.first_mp.is_some()
            || self.per_gpu_second.is_some()
            || !self.est_per_image.is_empty()
            || !self.est_image_out_tokens.is_empty()
    }

    /// This entry with `over` laid on top, key by key.
    ///
    /// When `over` prices the output in a way that this entry does not, this entry's ways go: a
    /// user who writes a flat price means it. A price also ends `unpriced`, and a new day in
    /// `retires` ends `retired`.
    pub(crate) fn overlaid(mut self, over: &Self) -> Self {
        if over.prices_output() {
            self.drop_output_prices_not_in(over);
            self.unpriced = None;
        }
        if over.retires.is_some() {
            self.retired = None;
        }
        self.like = over.like.clone().or(self.like);
        self.default = over.default.or(self.default);
        self.unpriced = over.unpriced.or(self.unpriced);
        self.retires = over.retires.or(self.retires);
        self.retired = over.retired.or(self.retired);
        self.batch_multiplier = over.batch_multiplier.or(self.batch_multiplier);
        self.per_image = over.per_image.or(self.per_image);
        self.per_input_image = over.per_input_image.or(self.per_input_image);
        self.per_megapixel = over.per_megapixel.or(self.per_megapixel);
        self.first_mp = over.first_mp.or(self.first_mp);
        self.add_mp = over.add_mp.or(self.add_mp);
        self.per_gpu_second = over.per_gpu_second.or(self.per_gpu_second);
        self.est_gpu_seconds = over.est_gpu_seconds.or(self.est_gpu_seconds);
        self.est_input_image_tokens = over.est_input_image_tokens.or(self.est_input_image_tokens);
        self.max_input_image_tokens = over.max_input_image_tokens.or(self.max_input_image_tokens);
        self.per_mtok.extend(over.per_mtok.iter().map(|(rate, price)| (*rate, *price)));
        overlay(&mut self.est_per_image, &over.est_per_image);
        overlay(&mut self.est_image_out_tokens, &over.est_image_out_tokens);
        overlay(&mut self.max_per_image, &over.max_per_image);
        overlay(&mut self.max_image_out_tokens, &over.max_image_out_tokens);
        self.origin.clone_from(&over.origin);
        self
    }

    fn drop_output_prices_not_in(&mut self, over: &Self) {
        if over.per_image.is_none() {
            self.per_image = None;
        }
        if over.per_megapixel.is_none() {
            self.per_megapixel = None;
        }
        if over.first_mp.is_none() {
            self.first_mp = None;
        }
        if over.per_gpu_second.is_none() {
            self.per_gpu_second = None;
        }
        if over.est_per_image.is_empty() {
            self.est_per_image.clear();
            self.max_per_image.clear();
        }
        if over.est_image_out_tokens.is_empty() {
            self.est_image_out_tokens.clear();
            self.max_image_out_tokens.clear();
        }
    }
}

fn overlay<T: Clone>(base: &mut BySize<T>, over: &BySize<T>) {
    for (size, prices) in over {
        match (base.get_mut(size), prices) {
            (Some(SizePrices::ByQuality(known)), SizePrices::ByQuality(new)) => {
                known.extend(new.iter().map(|(quality, value)| (quality.clone(), value.clone())));
            }
            (Some(place), _) => *place = prices.clone(),
            (None, _) => {
                base.insert(size.clone(), prices.clone());
            }
        }
    }
}

fn sizes_of<T>(table: &BySize<T>) -> Vec<(String, Vec<String>)> {
    let qualities = |prices: &SizePrices<T>| match prices {
        SizePrices::Any(_) => Vec::new(),
        SizePrices::ByQuality(by_quality) => by_quality.keys().cloned().collect(),
    };
    table.iter().map(|(size, prices)| (size.clone(), qualities(prices))).collect()
}
