//! What an answered request really cost: the tokens that the provider reports, times the book.

use crate::domain::ledger::CostSource;
use crate::domain::money::NanoUsd;
use crate::domain::price::{PriceMethod, Quote, Rate};

/// Rates are per this many tokens.
const TOKENS_PER_RATE: u64 = 1_000_000;

/// The tokens that a provider reports for one request.
///
/// Cached input is not told apart: counting it in full overstates, which is safe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenUsage {
    /// Tokens of the prompt.
    pub text_in: u64,
    /// Tokens of the input images.
    pub image_in: u64,
    /// Tokens of text answers.
    pub text_out: u64,
    /// Tokens of the images made.
    pub image_out: u64,
}

impl TokenUsage {
    /// Whether nothing is reported: some servers send a usage of zeros with every answer, which
    /// must not be read as "free".
    pub const fn is_zero(&self) -> bool {
        self.text_in == 0 && self.image_in == 0 && self.text_out == 0 && self.image_out == 0
    }
}

impl Quote {
    /// What a request cost, and how that is known: reported tokens times the book; else the flat
    /// price; else the worst case, since a bill that nobody can compute is not assumed to be small.
    /// What is not counted in tokens is counted in images: a server that makes more of them than it
    /// was asked for may bill them.
    pub fn charge(&self, usage: Option<&TokenUsage>, n_images: usize) -> (NanoUsd, CostSource) {
        let reported = usage.filter(|usage| !usage.is_zero());
        let n_images = u64::try_from(n_images.max(1)).unwrap_or(u64::MAX);
        let each = |amount: NanoUsd| amount.checked_mul(n_images).unwrap_or(NanoUsd::MAX);
        match reported.and_then(|usage| self.cost_of(usage)) {
            Some(cost) => (cost, CostSource::Usage),
            None if self.source.method == PriceMethod::Flat => {
                (each(self.expected), CostSource::Price)
            }
            None => (each(self.maximum), CostSource::Maximum),
        }
    }

    /// The tokens times the book's rates, rounded up once; nothing when the model has a flat price
    /// or a rate is missing.
    ///
    /// A text answer without a rate of its own is priced as image output, the dearer reading.
    fn cost_of(&self, usage: &TokenUsage) -> Option<NanoUsd> {
        if self.source.method == PriceMethod::Flat {
            return None;
        }
        let image_out = self.rates.get(&Rate::ImageOut).copied();
        let rate = |rate: Rate| self.rates.get(&rate).copied();
        let parts = [
            (usage.text_in, rate(Rate::TextIn)),
            (usage.image_in, rate(Rate::ImageIn).or(rate(Rate::TextIn))),
            (usage.text_out, rate(Rate::TextOut).or(image_out)),
            (usage.image_out, image_out),
        ];
        let mut sum = NanoUsd::ZERO;
        for (tokens, rate) in parts.into_iter().filter(|(tokens, _)| *tokens > 0) {
            // The sum stays in millionths of nano-dollars, so that it is rounded only once.
            sum = sum.checked_add(rate?.checked_mul(tokens)?)?;
        }
        sum.scale_up(1, TOKENS_PER_RATE)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::domain::price::{PriceAsk, PriceBook};

    fn quote(provider: &str, model: &str) -> Quote {
        let ask = PriceAsk {
            provider,
            model,
            size: Some("1024x1024"),
            quality: Some("medium"),
            n_input_images: 0,
        };
        PriceBook::embedded().quote(&ask, date(2026, 11, 22)).expect("a price")
    }

    fn dollars(text: &str) -> NanoUsd {
        text.parse().expect("an amount")
    }

    #[test]
    fn reported_tokens_are_priced_by_the_book() {
        let quote = quote("openai", "gpt-image-2");
        let check = |usage: TokenUsage, expect: &str| {
            let known = (dollars(expect), CostSource::Usage);
            assert_eq!(quote.charge(Some(&usage), 1), known, "{usage:?}");
        };
        let none = TokenUsage::default();
        check(TokenUsage { image_out: 1_767, ..none }, "0.05301");
        check(TokenUsage { text_in: 12, image_out: 1_767, ..none }, "0.05307");
        check(TokenUsage { image_in: 1_000, image_out: 1, ..none }, "0.00803");
        // The model has no rate for text answers: priced as image output.
        check(TokenUsage { text_out: 100, ..none }, "0.003");
    }

    #[test]
    fn without_a_report_the_flat_price_or_the_worst_case_is_booked() {
        let tokens = quote("openai", "gpt-image-2");
        let worst = (tokens.maximum, CostSource::Maximum);
        assert_eq!(tokens.charge(None, 1), worst);
        assert_eq!(tokens.charge(Some(&TokenUsage::default()), 0), worst, "zeros are no report");
        let flat = quote("sim", "sim-1");
        let usage = TokenUsage { image_out: 9_999, ..TokenUsage::default() };
        let price = (dollars("0.04"), CostSource::Price);
        assert_eq!(flat.charge(None, 1), price);
        assert_eq!(flat.charge(Some(&usage), 1), price, "a flat price is not counted in tokens");
        let two = (dollars("0.08"), CostSource::Price);
        assert_eq!(flat.charge(Some(&usage), 2), two, "what came may be billed");
        let twice = tokens.maximum.checked_mul(2).expect("small");
        assert_eq!(tokens.charge(None, 2), (twice, CostSource::Maximum));
    }

    #[test]
    fn a_count_beyond_all_money_is_the_worst_case() {
        let quote = quote("openai", "gpt-image-2");
        let usage = TokenUsage { image_out: u64::MAX, ..TokenUsage::default() };
        assert_eq!(quote.charge(Some(&usage), 1), (quote.maximum, CostSource::Maximum));
    }
}
