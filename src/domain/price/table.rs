//! A memory of quotes: a million rows with the same options are priced once.

use std::cmp::Ordering;
use std::sync::Arc;

use jiff::civil::Date;

use crate::domain::price::{PriceAsk, PriceBook, Quote, QuoteError};

/// The most different questions that are remembered; a file whose every row asks for something
/// else would otherwise grow the memory with the rows.
const MAX_REMEMBERED: usize = 4_096;

/// Answers what a [`PriceBook`] answers, remembering.
#[derive(Clone, Debug)]
pub struct QuoteTable {
    book: Arc<PriceBook>,
    today: Date,
    /// Sorted by question.
    known: Vec<(Question, Result<Quote, QuoteError>)>,
    /// The index of the answer given last: most rows ask the same as the row before.
    last: usize,
}

#[derive(Clone, Debug)]
struct Question {
    provider: String,
    model: String,
    size: Option<String>,
    quality: Option<String>,
    n_input_images: u32,
}

impl QuoteTable {
    /// An empty memory over a book; `today` decides about retirements.
    pub fn new(book: Arc<PriceBook>, today: Date) -> Self {
        Self { book, today, known: Vec::new(), last: 0 }
    }

    /// The book that answers.
    pub fn book(&self) -> &PriceBook {
        &self.book
    }

    /// What one image costs.
    ///
    /// # Errors
    /// As [`PriceBook::quote`]; refusals are remembered as well.
    pub fn quote(&mut self, ask: &PriceAsk<'_>) -> Result<&Quote, &QuoteError> {
        let hit = self.known.get(self.last).is_some_and(|(question, _)| question.is(ask));
        if !hit {
            self.last = self.find_or_ask(ask);
        }
        self.known[self.last].1.as_ref()
    }

    /// The different questions so far with their answers, in alphabetical order.
    pub fn answers(&self) -> impl Iterator<Item = (PriceAsk<'_>, Result<&Quote, &QuoteError>)> {
        self.known.iter().map(|(question, answer)| (question.as_ask(), answer.as_ref()))
    }

    fn find_or_ask(&mut self, ask: &PriceAsk<'_>) -> usize {
        match self.known.binary_search_by(|(question, _)| question.compare(ask)) {
            Ok(index) => index,
            Err(mut index) => {
                if self.known.len() >= MAX_REMEMBERED {
                    self.known.clear();
                    index = 0;
                }
                let answer = self.book.quote(ask, self.today);
                self.known.insert(index, (Question::of(ask), answer));
                index
            }
        }
    }
}

impl Question {
    fn of(ask: &PriceAsk<'_>) -> Self {
        Self {
            provider: ask.provider.to_owned(),
            model: ask.model.to_owned(),
            size: ask.size.map(str::to_owned),
            quality: ask.quality.map(str::to_owned),
            n_input_images: ask.n_input_images,
        }
    }

    fn as_ask(&self) -> PriceAsk<'_> {
        PriceAsk {
            provider: &self.provider,
            model: &self.model,
            size: self.size.as_deref(),
            quality: self.quality.as_deref(),
            n_input_images: self.n_input_images,
        }
    }

    fn is(&self, ask: &PriceAsk<'_>) -> bool {
        self.as_ask() == *ask
    }

    fn compare(&self, ask: &PriceAsk<'_>) -> Ordering {
        self.as_ask().cmp(ask)
    }
}
