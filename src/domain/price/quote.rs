//! Quotes: what one image is expected to cost, and what it can cost at worst.

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::Date;
use serde::Serialize;

use crate::domain::image::sides;
use crate::domain::money::NanoUsd;
use crate::domain::price::PriceBook;
use crate::domain::price::entry::{BySize, Entry, Rate, SizePrices};
use crate::domain::suggest::did_you_mean;

/// Rates are per this many tokens.
const TOKENS_PER_RATE: u64 = 1_000_000;
/// Without a published maximum the worst case is the estimate times 3 / 2.
const WORST_NUMERATOR: u64 = 3;
const WORST_DENOMINATOR: u64 = 2;
/// Pixels of a megapixel in an estimate: 1024x1024 is one.
const PIXELS_PER_MEGAPIXEL: u64 = 1 << 20;
/// Pixels of a megapixel in the worst case: a vendor who counts in millions bills more of them.
const PIXELS_PER_SMALL_MEGAPIXEL: u64 = 1_000_000;
/// Tokens of one input image where the book has no figure: 65, and 129 for each of up to six
/// tiles of 512 pixels, which is how the GPT image models count it at low fidelity.
const EXPECTED_INPUT_IMAGE_TOKENS: u64 = 65 + 6 * 129;
/// Tokens of the dearest input image where the book has no figure: the above, and what high
/// fidelity adds for a picture that is not square. No other provider counts more.
const DEAREST_INPUT_IMAGE_TOKENS: u64 = EXPECTED_INPUT_IMAGE_TOKENS + 6_144;
/// Megapixels of an input image: not known when a plan is made, one is typical.
const EXPECTED_INPUT_MEGAPIXELS: u64 = 1;
/// Megapixels of the dearest input image: the largest picture that the models work with.
const DEAREST_INPUT_MEGAPIXELS: u64 = 4;
/// Bytes of prompt that make one token, typically; never less than one byte.
const EXPECTED_PROMPT_BYTES_PER_TOKEN: u64 = 4;
/// A retirement within this many days is worth a warning.
const RETIRES_SOON_DAYS: i32 = 90;
/// What stands for "let the provider choose".
const AUTO: &str = "auto";
/// What an automatic quality is expected to cost as, where the book has it.
const AUTO_EXPECTED_AS: &str = "high";

/// What is to be priced: one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PriceAsk<'a> {
    /// The provider's name.
    pub provider: &'a str,
    /// The provider's name of the model.
    pub model: &'a str,
    /// The exact size, if one is asked for.
    pub size: Option<&'a str>,
    /// The quality, if one is asked for.
    pub quality: Option<&'a str>,
    /// How many references go with the request.
    pub n_input_images: u32,
}

/// What one image costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quote {
    /// What it is expected to cost.
    pub expected: NanoUsd,
    /// What it costs at worst; this is what is reserved.
    pub maximum: NanoUsd,
    /// How and from where the price was found.
    pub source: PriceSource,
    /// What a million tokens of each kind cost, where tokens are billed.
    pub rates: BTreeMap<Rate, NanoUsd>,
    /// What the user should know about this price.
    pub warnings: Vec<Warning>,
}

impl Quote {
    /// The quote with a prompt of `n_bytes` added, where prompts are billed.
    ///
    /// A token is at least one byte, so that one token a byte is the worst case. Nothing when the
    /// sum is too large to count.
    pub fn with_prompt(mut self, n_bytes: u64) -> Option<Self> {
        if let Some(rate) = self.rates.get(&Rate::TextIn).copied() {
            let expected = n_bytes.div_ceil(EXPECTED_PROMPT_BYTES_PER_TOKEN);
            self.expected = self.expected.checked_add(rate.scale_up(expected, TOKENS_PER_RATE)?)?;
            self.maximum = self.maximum.checked_add(rate.scale_up(n_bytes, TOKENS_PER_RATE)?)?;
        }
        Some(self)
    }
}

/// How and from where a price was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PriceSource {
    /// The way of pricing.
    pub method: PriceMethod,
    /// The book that has the entry: `built-in`, or a file.
    pub origin: String,
}

/// A way of pricing an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PriceMethod {
    /// A flat price, which is also the worst case.
    Flat,
    /// An estimate by size and quality.
    Estimate,
    /// An estimate in tokens by size and quality.
    Tokens,
    /// A formula over megapixels.
    Megapixels,
    /// Seconds of a graphics processor.
    GpuSeconds,
}

impl PriceMethod {
    /// The way as one word or two.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::Estimate => "estimate",
            Self::Tokens => "tokens",
            Self::Megapixels => "megapixels",
            Self::GpuSeconds => "gpu seconds",
        }
    }
}

/// What the user should know about a price.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Warning {
    /// The provider will shut the model down soon.
    Retires {
        /// The day on which it goes.
        on: Date,
        /// Days from today.
        days: i32,
    },
    /// The provider chooses the quality, and with it the price.
    AutoQuality {
        /// The quality that the estimate assumes.
        expected_as: String,
        /// The quality that the worst case assumes.
        dearest: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retires { on, days } => write!(out, "the model retires on {on}, in {days} days"),
            Self::AutoQuality { expected_as, dearest } => write!(
                out,
                "the provider chooses the quality; expected as {expected_as:?}, \
                 at worst {dearest:?}"
            ),
        }
    }
}

/// Why there is no quote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuoteError {
    /// The price book does not know the provider.
    #[error("the price book has no provider {provider:?}{}", did_you_mean(.suggestion))]
    UnknownProvider {
        /// The name as given.
        provider: String,
        /// The known name that looks most like it.
        suggestion: Option<String>,
    },
    /// The price book does not know the model.
    #[error("the price book has no model {model:?} of {provider:?}{}", did_you_mean(.suggestion))]
    UnknownModel {
        /// The provider's name.
        provider: String,
        /// The name as given.
        model: String,
        /// The known name that looks most like it.
        suggestion: Option<String>,
    },
    /// The model is known, its price is not.
    #[error("the price of {provider} / {model} is not known ({missing})")]
    Unpriced {
        /// The provider's name.
        provider: String,
        /// The model's name.
        model: String,
        /// What the book would need to have.
        missing: &'static str,
    },
    /// The provider has shut the model down.
    #[error("{provider} / {model} was retired on {since}")]
    Retired {
        /// The provider's name.
        provider: String,
        /// The model's name.
        model: String,
        /// The day on which it went.
        since: Date,
    },
    /// The model has no price at this size and quality.
    #[error(
        "the price book has no price of {provider} / {model} at size {} and quality {}; \
         it knows {}",
        .size.as_deref().unwrap_or("(none)"), .quality.as_deref().unwrap_or("(none)"),
        .known.join(", ")
    )]
    NoSuchSizeOrQuality {
        /// The provider's name.
        provider: String,
        /// The model's name.
        model: String,
        /// The size as given.
        size: Option<String>,
        /// The quality as given.
        quality: Option<String>,
        /// The sizes, each with its qualities, that have a price.
        known: Vec<String>,
    },
    /// The price does not fit the range of money.
    #[error("the price of {provider} / {model} is too large to count")]
    TooLarge {
        /// The provider's name.
        provider: String,
        /// The model's name.
        model: String,
    },
}

impl PriceBook {
    /// What one image costs on the day `today`: exact, rounded up to a nano-dollar.
    ///
    /// # Errors
    /// When the book has no price for it, with what it does have.
    pub fn quote(&self, ask: &PriceAsk<'_>, today: Date) -> Result<Quote, QuoteError> {
        let entry = self.entry(ask.provider, ask.model)?;
        let mut warnings = Vec::new();
        warnings.extend(retirement(&entry, ask, today)?);
        let pricer = Pricer { entry: &entry, ask };
        let output = pricer.output()?;
        let (input_expected, input_maximum) = pricer.inputs()?;
        warnings.extend(output.warning);
        let too_large = || pricer.too_large();
        Ok(Quote {
            expected: output.expected.checked_add(input_expected).ok_or_else(too_large)?,
            maximum: output.maximum.checked_add(input_maximum).ok_or_else(too_large)?,
            source: PriceSource { method: output.method, origin: entry.origin.clone() },
            rates: entry.per_mtok.clone(),
            warnings,
        })
    }
}

struct Pricer<'a> {
    entry: &'a Entry,
    ask: &'a PriceAsk<'a>,
}

struct Output {
    expected: NanoUsd,
    maximum: NanoUsd,
    method: PriceMethod,
    warning: Option<Warning>,
}

/// What a table says for a size and quality.
struct Figure<T> {
    expected: T,
    dearest: T,
    warning: Option<Warning>,
}

impl Pricer<'_> {
    fn output(&self) -> Result<Output, QuoteError> {
        let entry = self.entry;
        if entry.unpriced == Some(true) {
            return Err(self.unpriced("give one in a price file"));
        }
        if let Some(flat) = entry.per_image {
            return Ok(self.flat(flat));
        }
        if let Some(figure) = self.look_up(&entry.est_per_image) {
            return self.estimate(figure, PriceMethod::Estimate);
        }
        if let Some(figure) = self.look_up(&entry.est_image_out_tokens) {
            let priced = |tokens| self.tokens(Rate::ImageOut, "per_mtok.image_out", tokens);
            let figure = Figure {
                expected: priced(figure.expected)?,
                dearest: priced(figure.dearest)?,
                warning: figure.warning,
            };
            return self.estimate(figure, PriceMethod::Tokens);
        }
        if entry.first_mp.is_some() || entry.per_megapixel.is_some() {
            return self.megapixels();
        }
        if let Some(rate) = entry.per_gpu_second {
            return self.gpu_seconds(rate);
        }
        let known = entry.sizes();
        if known.is_empty() {
            return Err(self.unpriced("the entry does not say how images are priced"));
        }
        let shown = known.into_iter().map(|(size, qualities)| match qualities.as_slice() {
            [] => size,
            some => format!("{size} ({})", some.join("|")),
        });
        Err(self.no_such_size(shown.collect()))
    }

    fn flat(&self, flat: NanoUsd) -> Output {
        let listed = self.look_up(&self.entry.est_per_image);
        let expected = listed.map_or(flat, |figure| figure.expected);
        let method = PriceMethod::Flat;
        Output { expected, maximum: flat.max(expected), method, warning: None }
    }

    fn estimate(&self, figure: Figure<NanoUsd>, method: PriceMethod) -> Result<Output, QuoteError> {
        let Figure { expected, dearest, warning } = figure;
        let published = match self.look_up(&self.entry.max_per_image) {
            Some(published) => Some(published.dearest),
            None => match self.look_up(&self.entry.max_image_out_tokens) {
                Some(figure) => {
                    Some(self.tokens(Rate::ImageOut, "per_mtok.image_out", figure.dearest)?)
                }
                None => None,
            },
        };
        // A maximum below the estimate is stale: somebody changed one and not the other.
        let maximum = match published.filter(|published| *published >= dearest) {
            Some(published) => published,
            None => self.worst(dearest)?,
        };
        Ok(Output { expected, maximum, method, warning })
    }

    fn megapixels(&self) -> Result<Output, QuoteError> {
        let pixels = self.ask.size.and_then(pixels).ok_or_else(|| {
            self.no_such_size(vec!["any size as WIDTHxHEIGHT, such as 1024x1024".to_owned()])
        })?;
        let expected = self.price_of_megapixels(pixels.div_ceil(PIXELS_PER_MEGAPIXEL))?;
        let small = self.price_of_megapixels(pixels.div_ceil(PIXELS_PER_SMALL_MEGAPIXEL))?;
        let maximum = self.worst(expected)?.max(small);
        Ok(Output { expected, maximum, method: PriceMethod::Megapixels, warning: None })
    }

    fn price_of_megapixels(&self, n: u64) -> Result<NanoUsd, QuoteError> {
        let entry = self.entry;
        let price = match (entry.first_mp, entry.per_megapixel) {
            (Some(first), _) => {
                let add = entry.add_mp.ok_or_else(|| self.unpriced("add_mp is missing"))?;
                add.checked_mul(n.saturating_sub(1)).and_then(|more| first.checked_add(more))
            }
            (None, Some(each)) => each.checked_mul(n),
            (None, None) => return Err(self.unpriced("per_megapixel is missing")),
        };
        price.ok_or_else(|| self.too_large())
    }

    fn gpu_seconds(&self, rate: NanoUsd) -> Result<Output, QuoteError> {
        let seconds = match self.entry.est_gpu_seconds {
            Some(seconds) => seconds,
            None if rate == NanoUsd::ZERO => 0,
            None => return Err(self.unpriced("est_gpu_seconds is missing")),
        };
        let expected = rate.checked_mul(seconds).ok_or_else(|| self.too_large())?;
        let maximum = self.worst(expected)?;
        Ok(Output { expected, maximum, method: PriceMethod::GpuSeconds, warning: None })
    }

    /// What the input images cost: as expected, and the dearest.
    fn inputs(&self) -> Result<(NanoUsd, NanoUsd), QuoteError> {
        let n = u64::from(self.ask.n_input_images);
        let entry = self.entry;
        if n == 0 {
            return Ok((NanoUsd::ZERO, NanoUsd::ZERO));
        }
        let times = |price: NanoUsd, count: u64| {
            count
                .checked_mul(n)
                .and_then(|all| price.checked_mul(all))
                .ok_or_else(|| self.too_large())
        };
        if let Some(each) = entry.per_input_image {
            let cost = times(each, 1)?;
            return Ok((cost, cost));
        }
        if let (Some(_), Some(add)) = (entry.first_mp, entry.add_mp) {
            return Ok((
                times(add, EXPECTED_INPUT_MEGAPIXELS)?,
                times(add, DEAREST_INPUT_MEGAPIXELS)?,
            ));
        }
        if entry.per_mtok.is_empty() {
            return Ok((NanoUsd::ZERO, NanoUsd::ZERO));
        }
        let expected = entry.est_input_image_tokens.unwrap_or(EXPECTED_INPUT_IMAGE_TOKENS);
        let dearest = entry.max_input_image_tokens.unwrap_or(DEAREST_INPUT_IMAGE_TOKENS);
        let priced = |tokens: u64| {
            let all = tokens.checked_mul(n).ok_or_else(|| self.too_large())?;
            self.tokens(Rate::ImageIn, "per_mtok.image_in", all)
        };
        Ok((priced(expected)?, priced(dearest.max(expected))?))
    }

    fn look_up<T: Copy + Ord>(&self, table: &BySize<T>) -> Option<Figure<T>> {
        let by_quality = match table.get(self.ask.size?)? {
            SizePrices::Any(value) => {
                return Some(Figure { expected: *value, dearest: *value, warning: None });
            }
            SizePrices::ByQuality(by_quality) => by_quality,
        };
        let quality = self.ask.quality.unwrap_or(AUTO);
        if let Some(value) = by_quality.get(quality) {
            return Some(Figure { expected: *value, dearest: *value, warning: None });
        }
        if quality != AUTO {
            return None;
        }
        let dearest = by_quality.iter().max_by_key(|(_, value)| **value)?;
        let expected = by_quality.get_key_value(AUTO_EXPECTED_AS).unwrap_or(dearest);
        let warning =
            Warning::AutoQuality { expected_as: expected.0.clone(), dearest: dearest.0.clone() };
        Some(Figure { expected: *expected.1, dearest: *dearest.1, warning: Some(warning) })
    }

    fn tokens(&self, rate: Rate, key: &'static str, n: u64) -> Result<NanoUsd, QuoteError> {
        let price = self.entry.per_mtok.get(&rate).ok_or_else(|| self.unpriced(key))?;
        price.scale_up(n, TOKENS_PER_RATE).ok_or_else(|| self.too_large())
    }

    fn worst(&self, estimate: NanoUsd) -> Result<NanoUsd, QuoteError> {
        estimate.scale_up(WORST_NUMERATOR, WORST_DENOMINATOR).ok_or_else(|| self.too_large())
    }

    fn unpriced(&self, missing: &'static str) -> QuoteError {
        let (provider, model) = (self.ask.provider.to_owned(), self.ask.model.to_owned());
        QuoteError::Unpriced { provider, model, missing }
    }

    fn too_large(&self) -> QuoteError {
        let (provider, model) = (self.ask.provider.to_owned(), self.ask.model.to_owned());
        QuoteError::TooLarge { provider, model }
    }

    fn no_such_size(&self, known: Vec<String>) -> QuoteError {
        QuoteError::NoSuchSizeOrQuality {
            provider: self.ask.provider.to_owned(),
            model: self.ask.model.to_owned(),
            size: self.ask.size.map(str::to_owned),
            quality: self.ask.quality.map(str::to_owned),
            known,
        }
    }
}

/// A warning when the model will go, an error when it has gone.
fn retirement(
    entry: &Entry,
    ask: &PriceAsk<'_>,
    today: Date,
) -> Result<Option<Warning>, QuoteError> {
    let Some(on) = entry.retired.or(entry.retires) else { return Ok(None) };
    if today >= on {
        let (provider, model) = (ask.provider.to_owned(), ask.model.to_owned());
        return Err(QuoteError::Retired { provider, model, since: on });
    }
    let days = today.until(on).map_or(i32::MAX, |span| span.get_days());
    Ok((days <= RETIRES_SOON_DAYS).then_some(Warning::Retires { on, days }))
}

/// The pixels of a size such as `1024x768`.
fn pixels(size: &str) -> Option<u64> {
    let (width, height) = sides(size)?;
    u64::from(width).checked_mul(u64::from(height))
}
