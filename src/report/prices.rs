//! What `prices list`, `prices show` and `prices check` say, to people and to machines.

use jiff::civil::Date;
use serde::Serialize;

use crate::domain::money::NanoUsd;
use crate::domain::price::{
    PriceAsk, PriceBook, PriceMethod, Problem, Quote, QuoteError, Rate, Warning,
};
use crate::report::tables::{Column, TableLook, table};
use crate::report::words;

/// The version of these documents.
const SCHEMA: &str = "imagemill.prices/1";
/// Sizes that stand for all others where the price follows from the pixels.
const SAMPLE_SIZES: [&str; 2] = ["1024x1024", "2048x2048"];

/// Every model with what one image of it costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PriceList {
    /// Name and version of this document.
    pub schema: &'static str,
    /// The day of the newest part of the book.
    pub as_of: Option<Date>,
    /// Days since then.
    pub age_days: Option<u32>,
    /// The digest of the book.
    pub digest: String,
    /// One entry a model, by provider and model.
    pub models: Vec<ModelPrices>,
}

/// A model in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelPrices {
    /// The provider's name.
    pub provider: String,
    /// The model's name; `*` is any model.
    pub model: String,
    /// How it is priced; nothing when it cannot be used.
    pub method: Option<PriceMethod>,
    /// The cheapest expected price over its sizes and qualities.
    pub expected_min: Option<NanoUsd>,
    /// The dearest expected price.
    pub expected_max: Option<NanoUsd>,
    /// The dearest worst case.
    pub maximum: Option<NanoUsd>,
    /// What else there is to know.
    pub note: Option<String>,
}

/// One model in full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PriceSheet {
    /// Name and version of this document.
    pub schema: &'static str,
    /// The provider's name.
    pub provider: String,
    /// The model's name.
    pub model: String,
    /// The book that has the entry.
    pub origin: String,
    /// The day of the newest part of the book.
    pub as_of: Option<Date>,
    /// Prices of a million tokens.
    pub per_mtok: Vec<(Rate, NanoUsd)>,
    /// What the batch mode multiplies prices by.
    pub batch_multiplier: Option<NanoUsd>,
    /// What one input image adds: expected, and at worst.
    pub input_image: Option<(NanoUsd, NanoUsd)>,
    /// One entry a size and quality.
    pub prices: Vec<SizePrice>,
    /// What the user should know.
    pub warnings: Vec<Warning>,
}

/// What one image costs at a size and quality.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SizePrice {
    /// The size; nothing when it does not matter.
    pub size: Option<String>,
    /// The quality; nothing when it does not matter.
    pub quality: Option<String>,
    /// What it is expected to cost.
    pub expected: NanoUsd,
    /// What it costs at worst.
    pub maximum: NanoUsd,
    /// The way of pricing.
    pub method: PriceMethod,
}

/// What is wrong with a price file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PriceCheck {
    /// Name and version of this document.
    pub schema: &'static str,
    /// The file as the user named it.
    pub file: String,
    /// Whether it can be used.
    pub valid: bool,
    /// Entries in the file.
    pub n_models: usize,
    /// All that is wrong, in the order of the file.
    pub problems: Vec<FileProblem>,
}

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileProblem {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// What it is.
    pub message: String,
}

impl PriceList {
    /// The list of one provider's models, or of all.
    ///
    /// # Errors
    /// When the book does not know the provider.
    pub fn of(book: &PriceBook, provider: Option<&str>, today: Date) -> Result<Self, QuoteError> {
        let providers = match provider {
            Some(one) => vec![one],
            None => book.providers().collect(),
        };
        let mut models = Vec::new();
        for provider in providers {
            for model in book.models(provider)? {
                models.push(ModelPrices::of(book, provider, model, today));
            }
        }
        Ok(Self {
            schema: SCHEMA,
            as_of: book.as_of(),
            age_days: book.age_days(today),
            digest: book.digest(),
            models,
        })
    }

    /// The list for people.
    pub fn text(&self, look: TableLook) -> String {
        let columns = [
            Column::Words("provider"),
            Column::Words("model"),
            Column::Numbers("expected $"),
            Column::Numbers("at most $"),
            Column::Words("note"),
        ];
        let rows: Vec<_> = self.models.iter().map(ModelPrices::cells).collect();
        let age = match (self.as_of, self.age_days) {
            (Some(day), Some(days)) => {
                format!("as of {day}, {} old", words::count(u64::from(days), "day"))
            }
            (Some(day), None) => format!("as of {day}"),
            (None, _) => "without a date".to_owned(),
        };
        let body = table(look, &columns, &rows);
        let models = words::count(self.models.len() as u64, "model");
        format!("{body}{models}, US dollars an image, {age}\n")
    }

    /// The list for machines.
    pub fn json(&self) -> String {
        document(self)
    }
}

impl ModelPrices {
    fn of(book: &PriceBook, provider: &str, model: &str, today: Date) -> Self {
        let answers: Vec<_> = asks(book, provider, model)
            .iter()
            .map(|(size, quality)| {
                let (size, quality) = (size.as_deref(), quality.as_deref());
                let n_input_images = 0;
                book.quote(&PriceAsk { provider, model, size, quality, n_input_images }, today)
            })
            .collect();
        let quotes: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().ok()).collect();
        let refused = answers.iter().find_map(|answer| answer.as_ref().err());
        let mut notes: Vec<_> =
            quotes.iter().take(1).flat_map(|quote| &quote.warnings).map(note_of).collect();
        notes.extend(refused.map(refusal_note));
        if book.default_model(provider) == Some(model) {
            notes.push("default".to_owned());
        }
        Self {
            provider: provider.to_owned(),
            model: model.to_owned(),
            method: quotes.first().map(|quote| quote.source.method),
            expected_min: quotes.iter().map(|quote| quote.expected).min(),
            expected_max: quotes.iter().map(|quote| quote.expected).max(),
            maximum: quotes.iter().map(|quote| quote.maximum).max(),
            note: (!notes.is_empty()).then(|| notes.join(", ")),
        }
    }

    fn cells(&self) -> Vec<String> {
        let expected = match (self.expected_min, self.expected_max) {
            // Without signs and blanks, so that model names stay on one line.
            (Some(low), Some(high)) if low != high => format!("{low}-{high}"),
            (low, _) => low.map(|price| price.to_string()).unwrap_or_default(),
        };
        vec![
            self.provider.clone(),
            self.model.clone(),
            expected,
            self.maximum.map(|price| price.to_string()).unwrap_or_default(),
            self.note.clone().unwrap_or_default(),
        ]
    }
}

impl PriceSheet {
    /// A model's prices at every size and quality, or only at those given.
    ///
    /// # Errors
    /// When the book has no such price.
    pub fn of(book: &PriceBook, ask: &PriceAsk<'_>, today: Date) -> Result<Self, QuoteError> {
        let PriceAsk { provider, model, n_input_images, .. } = *ask;
        let entry = book.entry(provider, model)?;
        let mut wanted = asks(book, provider, model);
        wanted.retain(|(size, quality)| {
            let fits = |given: Option<&str>, known: &Option<String>| {
                given.is_none_or(|given| known.as_deref() == Some(given))
            };
            fits(ask.size, size) && fits(ask.quality, quality)
        });
        if wanted.is_empty() {
            wanted.push((ask.size.map(str::to_owned), ask.quality.map(str::to_owned)));
        }
        let mut prices = Vec::new();
        let mut warnings: Vec<Warning> = Vec::new();
        let mut input_image = None;
        for (size, quality) in wanted {
            let one = PriceAsk { size: size.as_deref(), quality: quality.as_deref(), ..*ask };
            let quote = book.quote(&one, today)?;
            input_image = input_image.or_else(|| input_image_price(book, &one, today));
            warnings.extend(quote.warnings.iter().cloned());
            prices.push(SizePrice::of(size, quality, &quote));
        }
        warnings.sort();
        warnings.dedup();
        Ok(Self {
            schema: SCHEMA,
            provider: provider.to_owned(),
            model: model.to_owned(),
            origin: entry.origin,
            as_of: book.as_of(),
            per_mtok: entry.per_mtok.into_iter().collect(),
            batch_multiplier: entry.batch_multiplier,
            input_image: input_image.filter(|_| n_input_images == 0),
            prices,
            warnings,
        })
    }

    /// The sheet for people.
    pub fn text(&self, look: TableLook) -> String {
        let columns = [
            Column::Words("size"),
            Column::Words("quality"),
            Column::Numbers("expected"),
            Column::Numbers("at most"),
            Column::Words("priced by"),
        ];
        let any = |word: &Option<String>| word.clone().unwrap_or_else(|| "any".to_owned());
        let cells = |price: &SizePrice| {
            vec![
                any(&price.size),
                any(&price.quality),
                price.expected.dollars().to_string(),
                price.maximum.dollars().to_string(),
                price.method.word().to_owned(),
            ]
        };
        let rows: Vec<_> = self.prices.iter().map(cells).collect();
        let mut text = format!("{} / {}   price from {}\n", self.provider, self.model, self.origin);
        text += &table(look, &columns, &rows);
        if let Some((expected, maximum)) = self.input_image {
            text += &format!(
                "each reference adds {}, at most {}\n",
                expected.dollars(),
                maximum.dollars()
            );
        }
        for warning in &self.warnings {
            text += &format!("! {warning}\n");
        }
        text
    }

    /// The sheet for machines.
    pub fn json(&self) -> String {
        document(self)
    }
}

impl SizePrice {
    fn of(size: Option<String>, quality: Option<String>, quote: &Quote) -> Self {
        let method = quote.source.method;
        Self { size, quality, expected: quote.expected, maximum: quote.maximum, method }
    }
}

impl PriceCheck {
    /// Reads `text` as a user's price file over `base`, and tells all that is wrong.
    pub fn of(file: &str, text: &str, base: &PriceBook) -> Self {
        let parsed = PriceBook::parse(text, file);
        let n_models = parsed.as_ref().map_or(0, |book| {
            let models = book.providers().map(|one| book.models(one).map_or(0, Iterator::count));
            models.sum()
        });
        let merged = parsed.and_then(|book| base.clone().merge(book));
        let problems: Vec<_> = match &merged {
            Ok(_) => Vec::new(),
            Err(error) => error.problems().iter().map(FileProblem::of).collect(),
        };
        let (schema, file) = (SCHEMA, file.to_owned());
        Self { schema, file, valid: problems.is_empty(), n_models, problems }
    }

    /// The findings for people, one a line, and a last line that counts them.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for FileProblem { line, column, message } in &self.problems {
            text += &format!("{}:{line}:{column}: {message}\n", self.file);
        }
        text += &match (self.problems.len(), self.n_models) {
            (0, 1) => format!("{}: 1 model, no problems\n", self.file),
            (0, n) => format!("{}: {n} models, no problems\n", self.file),
            (1, _) => format!("{}: 1 problem\n", self.file),
            (n, _) => format!("{}: {n} problems\n", self.file),
        };
        text
    }

    /// The findings for machines.
    pub fn json(&self) -> String {
        document(self)
    }
}

impl FileProblem {
    fn of(problem: &Problem) -> Self {
        let place = problem.place;
        Self { line: place.line, column: place.column, message: problem.kind.to_string() }
    }
}

/// The sizes and qualities at which to ask for a model's prices.
fn asks(book: &PriceBook, provider: &str, model: &str) -> Vec<(Option<String>, Option<String>)> {
    let Ok(entry) = book.entry(provider, model) else { return vec![(None, None)] };
    if entry.first_mp.is_some() || entry.per_megapixel.is_some() {
        return SAMPLE_SIZES.map(|size| (Some(size.to_owned()), None)).into();
    }
    let mut asks = Vec::new();
    if entry.per_image.is_some() {
        asks.push((None, None));
    }
    for (size, qualities) in entry.sizes() {
        if qualities.is_empty() {
            asks.push((Some(size), None));
            continue;
        }
        asks.extend(qualities.into_iter().map(|quality| (Some(size.clone()), Some(quality))));
    }
    if asks.is_empty() {
        asks.push((None, None));
    }
    asks
}

/// What one reference adds, if it adds anything.
fn input_image_price(
    book: &PriceBook,
    ask: &PriceAsk<'_>,
    today: Date,
) -> Option<(NanoUsd, NanoUsd)> {
    let without = book.quote(&PriceAsk { n_input_images: 0, ..*ask }, today).ok()?;
    let with = book.quote(&PriceAsk { n_input_images: 1, ..*ask }, today).ok()?;
    let expected = with.expected.checked_sub(without.expected)?;
    let maximum = with.maximum.checked_sub(without.maximum)?;
    (maximum != NanoUsd::ZERO).then_some((expected, maximum))
}

fn note_of(warning: &Warning) -> String {
    match warning {
        Warning::Retires { on, .. } => format!("retires {on}"),
        Warning::AutoQuality { .. } => "automatic quality".to_owned(),
    }
}

fn refusal_note(error: &QuoteError) -> String {
    match error {
        QuoteError::Retired { since, .. } => format!("retired {since}"),
        QuoteError::Unpriced { .. } => "no price known".to_owned(),
        QuoteError::UnknownProvider { .. }
        | QuoteError::UnknownModel { .. }
        | QuoteError::NoSuchSizeOrQuality { .. }
        | QuoteError::TooLarge { .. } => error.to_string(),
    }
}

fn document(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("plain strings and numbers");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests;
