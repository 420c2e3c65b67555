//! Reads a price book from TOML, keeping the source text of every number, and collects everything
//! that is wrong with it.

use std::collections::BTreeMap;

use jiff::civil::Date;
use toml_edit::{Document, Item, TableLike};

use crate::domain::money::NanoUsd;
use crate::domain::price::book::Models;
use crate::domain::price::decimal;
use crate::domain::price::entry::{BySize, Entry, Like, Rate, SizePrices};
use crate::domain::price::error::closest;
use crate::domain::price::{Error, Place, PriceBook, Problem, ProblemKind};

/// Keys of the file itself; every other key is a provider.
const TOP_KEYS: [&str; 2] = ["schema", "as_of"];
/// Keys of an entry.
const ENTRY_KEYS: [&str; 20] = [
    "like",
    "default",
    "unpriced",
    "retires",
    "retired",
    "batch_multiplier",
    "per_image",
    "per_input_image",
    "per_megapixel",
    "first_mp",
    "add_mp",
    "per_gpu_second",
    "est_gpu_seconds",
    "est_input_image_tokens",
    "max_input_image_tokens",
    "per_mtok",
    "est_per_image",
    "est_image_out_tokens",
    "max_per_image",
    "max_image_out_tokens",
];

/// Reads the text of a price book.
pub(crate) fn book(text: &str, origin: &str) -> Result<PriceBook, Error> {
    let mut reader = Reader { text, origin, problems: Vec::new() };
    let book = reader.book();
    let Reader { mut problems, .. } = reader;
    problems.sort_by_key(|problem| problem.place);
    match book {
        Some(book) if problems.is_empty() => Ok(book),
        Some(_) | None => Err(Error::Problems { origin: origin.to_owned(), problems }),
    }
}

struct Reader<'text> {
    text: &'text str,
    origin: &'text str,
    problems: Vec<Problem>,
}

/// One key and its value, with the byte at which the key stands.
struct Field<'doc> {
    key: &'doc str,
    at: usize,
    item: &'doc Item,
}

impl Reader<'_> {
    fn book(&mut self) -> Option<PriceBook> {
        let document = match Document::parse(self.text) {
            Ok(document) => document,
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                let message = error.message().lines().collect::<Vec<_>>().join(", ");
                self.problem(at, ProblemKind::Syntax(message));
                return None;
            }
        };
        let mut as_of = None;
        let mut saw_schema = false;
        let mut providers = BTreeMap::new();
        for field in fields(document.as_table(), 0) {
            match field.key {
                "schema" => {
                    saw_schema = true;
                    self.schema(&field);
                }
                "as_of" => as_of = self.date(&field),
                provider if field.item.is_table_like() => {
                    providers.insert(provider.to_owned(), self.models(&field));
                }
                key => {
                    let suggestion = closest(key, TOP_KEYS);
                    self.problem(
                        field.at,
                        ProblemKind::UnknownKey { key: key.to_owned(), suggestion },
                    );
                }
            }
        }
        if !saw_schema {
            self.problem(0, ProblemKind::MissingKey("schema"));
        }
        Some(PriceBook { origin: self.origin.to_owned(), as_of, providers })
    }

    fn schema(&mut self, field: &Field<'_>) {
        if let Some(version) = self.whole(field)
            && version != PriceBook::SCHEMA
        {
            self.problem(field.at, ProblemKind::UnknownSchema(version.to_string()));
        }
    }

    fn models(&mut self, provider: &Field<'_>) -> Models {
        let mut models = Models::new();
        for model in self.table(provider) {
            let entry = self.entry(&model);
            models.insert(model.key.to_owned(), entry);
        }
        models
    }

    fn entry(&mut self, model: &Field<'_>) -> Entry {
        let mut entry = Entry { origin: self.origin.to_owned(), ..Entry::default() };
        for field in self.table(model) {
            match field.key {
                "like" => entry.like = self.like(&field),
                "default" => entry.default = self.truth(&field),
                "unpriced" => entry.unpriced = self.truth(&field),
                "retires" => entry.retires = self.date(&field),
                "retired" => entry.retired = self.date(&field),
                "batch_multiplier" => entry.batch_multiplier = self.amount(&field),
                "per_image" => entry.per_image = self.amount(&field),
                "per_input_image" => entry.per_input_image = self.amount(&field),
                "per_megapixel" => entry.per_megapixel = self.amount(&field),
                "first_mp" => entry.first_mp = self.amount(&field),
                "add_mp" => entry.add_mp = self.amount(&field),
                "per_gpu_second" => entry.per_gpu_second = self.amount(&field),
                "est_gpu_seconds" => entry.est_gpu_seconds = self.whole(&field),
                "est_input_image_tokens" => entry.est_input_image_tokens = self.whole(&field),
                "max_input_image_tokens" => entry.max_input_image_tokens = self.whole(&field),
                "per_mtok" => entry.per_mtok = self.rates(&field),
                "est_per_image" => entry.est_per_image = self.by_size(&field, Self::amount),
                "est_image_out_tokens" => {
                    entry.est_image_out_tokens = self.by_size(&field, Self::whole);
                }
                "max_per_image" => entry.max_per_image = self.by_size(&field, Self::amount),
                "max_image_out_tokens" => {
                    entry.max_image_out_tokens = self.by_size(&field, Self::whole);
                }
                key => self.unknown_key(&field, key, &ENTRY_KEYS),
            }
        }
        entry
    }

    fn like(&mut self, field: &Field<'_>) -> Option<Like> {
        let Some(target) = field.item.as_str() else {
            self.wrong_type(field, "a name such as \"openai.gpt-image-2\"");
            return None;
        };
        Some(Like { target: target.to_owned(), place: Place::of(self.text, field.at) })
    }

    fn rates(&mut self, field: &Field<'_>) -> BTreeMap<Rate, NanoUsd> {
        let mut rates = BTreeMap::new();
        for price in self.table(field) {
            match Rate::ALL.iter().find(|(key, _)| *key == price.key) {
                Some((_, rate)) => rates.extend(self.amount(&price).map(|amount| (*rate, amount))),
                None => self.unknown_key(&price, price.key, &Rate::ALL.map(|(key, _)| key)),
            }
        }
        rates
    }

    fn by_size<T>(
        &mut self,
        field: &Field<'_>,
        read: fn(&mut Self, &Field<'_>) -> Option<T>,
    ) -> BySize<T> {
        let mut sizes = BySize::new();
        for size in self.table(field) {
            let prices = if size.item.is_table_like() {
                let mut qualities = BTreeMap::new();
                for quality in self.table(&size) {
                    qualities
                        .extend(read(self, &quality).map(|value| (quality.key.to_owned(), value)));
                }
                Some(SizePrices::ByQuality(qualities))
            } else {
                read(self, &size).map(SizePrices::Any)
            };
            sizes.extend(prices.map(|prices| (size.key.to_owned(), prices)));
        }
        sizes
    }

    fn table<'doc>(&mut self, field: &Field<'doc>) -> Vec<Field<'doc>> {
        match field.item.as_table_like() {
            Some(table) => fields(table, field.at),
            None => {
                self.wrong_type(field, "a table");
                Vec::new()
            }
        }
    }

    fn truth(&mut self, field: &Field<'_>) -> Option<bool> {
        let truth = field.item.as_bool();
        if truth.is_none() {
            self.wrong_type(field, "true or false");
        }
        truth
    }

    fn date(&mut self, field: &Field<'_>) -> Option<Date> {
        let date = self.source(field).and_then(|text| text.parse().ok());
        if date.is_none() {
            self.wrong_type(field, "a day such as 2026-11-22");
        }
        date
    }

    fn whole(&mut self, field: &Field<'_>) -> Option<u64> {
        let whole = self.source(field).and_then(|text| text.replace('_', "").parse().ok());
        if whole.is_none() {
            self.wrong_type(field, "a whole number");
        }
        whole
    }

    fn amount(&mut self, field: &Field<'_>) -> Option<NanoUsd> {
        let key = || field.key.to_owned();
        let Some(text) = self.source(field) else {
            self.wrong_type(field, "an amount in dollars");
            return None;
        };
        match decimal::amount(&text) {
            Ok(amount) if amount.is_negative() => {
                self.problem(field.at, ProblemKind::Negative(key()));
                None
            }
            Ok(amount) => Some(amount),
            Err(source) => {
                self.problem(field.at, ProblemKind::BadAmount { key: key(), source });
                None
            }
        }
    }

    /// The source text of a number or a day, or the content of a string; never a parsed number.
    fn source(&self, field: &Field<'_>) -> Option<String> {
        if let Some(content) = field.item.as_str() {
            return Some(content.to_owned());
        }
        let value = field.item.as_value()?;
        let scalar = value.is_integer() || value.is_float() || value.is_datetime();
        if scalar { self.text.get(value.span()?).map(str::to_owned) } else { None }
    }

    fn unknown_key(&mut self, field: &Field<'_>, key: &str, known: &[&str]) {
        let suggestion = closest(key, known.iter().copied());
        self.problem(field.at, ProblemKind::UnknownKey { key: key.to_owned(), suggestion });
    }

    fn wrong_type(&mut self, field: &Field<'_>, expected: &'static str) {
        self.problem(field.at, ProblemKind::WrongType { key: field.key.to_owned(), expected });
    }

    fn problem(&mut self, at: usize, kind: ProblemKind) {
        self.problems.push(Problem { place: Place::of(self.text, at), kind });
    }
}

fn fields(table: &dyn TableLike, parent_at: usize) -> Vec<Field<'_>> {
    table
        .iter()
        .map(|(key, item)| {
            let span = table.key(key).and_then(toml_edit::Key::span);
            Field { key, at: span.map_or(parent_at, |span| span.start), item }
        })
        .collect()
}
