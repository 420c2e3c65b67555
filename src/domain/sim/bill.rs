//! What the rehearsal server would bill: the price book's own figures, as tokens where the model is
//! billed by tokens, so that a client that computes from the usage comes to the same amount.

use jiff::civil::Date;

use crate::domain::money::NanoUsd;
use crate::domain::price::{
    PriceAsk, PriceBook, PriceMethod, Quote, Rate, SIM_MODEL, SIM_PROVIDER, TokenUsage,
};

/// Rates are per this many tokens.
const TOKENS_PER_RATE: i128 = 1_000_000;

/// Bytes of a prompt that make a token.
const BYTES_PER_TOKEN: u64 = 4;

/// Tokens that an input image counts as: one tile of 512 pixels, as the GPT image models count it.
const INPUT_IMAGE_TOKENS: u64 = 65 + 129;

/// What one request costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charged {
    /// The amount.
    pub amount: NanoUsd,
    /// The tokens behind it; nothing where the model has a flat price, or none.
    pub usage: Option<TokenUsage>,
}

/// Prices requests as a provider would.
#[derive(Debug)]
pub struct SimPrice<'a> {
    book: &'a PriceBook,
    provider: &'a str,
    today: Date,
}

impl<'a> SimPrice<'a> {
    /// Plays this provider of the book.
    pub const fn new(book: &'a PriceBook, provider: &'a str, today: Date) -> Self {
        Self { book, provider, today }
    }

    /// What `n` images cost; a model without a price costs nothing.
    pub fn charge(
        &self,
        model: &str,
        size: &str,
        quality: &str,
        n: u64,
        n_prompt_bytes: u64,
        n_references: u64,
    ) -> Charged {
        let Some(quote) = self.quote(model, size, quality) else { return Charged::default() };
        let flat = || quote.expected.checked_mul(n).unwrap_or(NanoUsd::MAX);
        let Some(image_out) = image_tokens(&quote) else {
            return Charged { amount: flat(), usage: None };
        };
        let usage = TokenUsage {
            text_in: n_prompt_bytes.div_ceil(BYTES_PER_TOKEN),
            image_in: n_references * INPUT_IMAGE_TOKENS,
            text_out: 0,
            image_out: image_out * n,
        };
        let (amount, _) = quote.charge(Some(&usage), 1);
        Charged { amount, usage: Some(usage) }
    }

    /// The price of one image without prompt and references.
    fn quote(&self, model: &str, size: &str, quality: &str) -> Option<Quote> {
        let provider = if model == SIM_MODEL { SIM_PROVIDER } else { self.provider };
        let ask = PriceAsk {
            provider,
            model,
            size: Some(size),
            quality: Some(quality),
            n_input_images: 0,
        };
        self.book.quote(&ask, self.today).ok()
    }
}

/// The tokens of one image, rounded up; nothing where images are not billed by tokens.
fn image_tokens(quote: &Quote) -> Option<u64> {
    if quote.source.method == PriceMethod::Flat {
        return None;
    }
    let rate = i128::from(quote.rates.get(&Rate::ImageOut)?.nanos());
    let nanos = i128::from(quote.expected.nanos()) * TOKENS_PER_RATE;
    u64::try_from((nanos + rate - 1).checked_div(rate)?).ok()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_bill_is_what_a_client_computes_from_its_usage() {
        let book = PriceBook::embedded();
        let price = SimPrice::new(&book, "openai", date(2026, 11, 22));
        let charged = price.charge("gpt-image-2", "1024x1024", "medium", 1, 40, 0);
        let usage = charged.usage.expect("tokens");
        assert_eq!((usage.text_in, usage.image_out), (10, 1_767));
        assert_eq!(charged.amount.to_string(), "0.05306");
        let with_refs = price.charge("gpt-image-2", "1024x1024", "medium", 1, 40, 2);
        assert!(with_refs.amount > charged.amount);
        let flat = price.charge("sim-1", "1024x1024", "medium", 3, 40, 0);
        assert_eq!((flat.amount.to_string().as_str(), flat.usage), ("0.12", None));
        let unknown = price.charge("my-own", "1024x1024", "medium", 1, 40, 0);
        assert_eq!(unknown, Charged::default());
    }
}
