//! The price book: entries by provider and model, merged and looked up.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;

use crate::domain::digest::Sha256Digest;
use crate::domain::price::entry::Entry;
use crate::domain::price::error::closest;
use crate::domain::price::{Error, Problem, ProblemKind, QuoteError, parse};

/// The provider of rehearsals.
pub const SIM_PROVIDER: &str = "sim";
/// The only model of the rehearsal provider.
pub const SIM_MODEL: &str = "sim-1";

/// Stands for every model of a provider that has no entry of its own.
const ANY_MODEL: &str = "*";
/// The longest chain of `like`; longer ones are taken for a circle.
const MAX_LIKE_DEPTH: usize = 8;

pub(crate) type Models = BTreeMap<String, Entry>;

/// What models cost, by provider and model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceBook {
    pub(crate) origin: String,
    pub(crate) as_of: Option<Date>,
    pub(crate) providers: BTreeMap<String, Models>,
}

impl PriceBook {
    /// The version of the file format that is read here.
    pub const SCHEMA: u64 = 1;

    /// The book that is built in.
    ///
    /// # Panics
    /// Never: a test reads it.
    pub fn embedded() -> Self {
        let book = Self::parse(include_str!("book.toml"), "built-in").expect("a test reads it");
        book.checked().expect("a test resolves it")
    }

    /// Reads the text of a price book; `origin` is what to call it in messages.
    ///
    /// The target of a `like` may be in another book; it is checked when they are merged.
    ///
    /// # Errors
    /// All problems of the text, each with its place.
    pub fn parse(text: &str, origin: &str) -> Result<Self, Error> {
        parse::book(text, origin)
    }

    /// This book with `user` laid on top, key by key: the user's keys win.
    ///
    /// # Errors
    /// When a `like` names no entry, or goes round in a circle.
    pub fn merge(mut self, user: Self) -> Result<Self, Error> {
        for (provider, models) in &user.providers {
            let known = self.providers.entry(provider.clone()).or_default();
            for (model, entry) in models {
                let merged = known.remove(model).unwrap_or_default().overlaid(entry);
                known.insert(model.clone(), merged);
            }
        }
        let newer = user.as_of.max(self.as_of);
        Self { origin: user.origin, as_of: newer, providers: self.providers }.checked()
    }

    /// The day on which the newest of its parts was put together.
    pub fn as_of(&self) -> Option<Date> {
        self.as_of
    }

    /// How many days old it is; nothing when it does not say, zero when it is from the future.
    pub fn age_days(&self, today: Date) -> Option<u32> {
        let since = self.as_of?.until(today).ok()?;
        Some(u32::try_from(since.get_days()).unwrap_or(0))
    }

    /// The SHA-256 of what it says, in hexadecimal digits: equal prices, equal digest.
    ///
    /// Comments, the order of keys, the files' names and `as_of` do not count.
    pub fn digest(&self) -> String {
        #[derive(Serialize)]
        struct Content<'book> {
            schema: u64,
            providers: &'book BTreeMap<String, Models>,
        }
        let content = Content { schema: Self::SCHEMA, providers: &self.providers };
        let canonical = serde_json::to_vec(&content).expect("plain maps with string keys");
        Sha256Digest::of(&canonical).to_string()
    }

    /// Its providers in alphabetical order.
    pub fn providers(&self) -> impl Iterator<Item = &str> {
        self.providers.keys().map(String::as_str)
    }

    /// The models of a provider in alphabetical order; `*` stands for any model.
    ///
    /// # Errors
    /// When the book does not know the provider.
    pub fn models(&self, provider: &str) -> Result<impl Iterator<Item = &str>, QuoteError> {
        Ok(self.models_of(provider)?.keys().map(String::as_str))
    }

    /// The model of a provider that is meant when none is named.
    pub fn default_model(&self, provider: &str) -> Option<&str> {
        let models = self.providers.get(provider)?;
        let marked = models.iter().find(|(_, entry)| entry.default == Some(true));
        marked.map(|(model, _)| model.as_str())
    }

    /// The entry of a model, with its `like` resolved.
    ///
    /// # Errors
    /// When the book does not know the provider or the model.
    pub fn entry(&self, provider: &str, model: &str) -> Result<Entry, QuoteError> {
        let models = self.models_of(provider)?;
        let entry = models.get(model).or_else(|| models.get(ANY_MODEL)).ok_or_else(|| {
            QuoteError::UnknownModel {
                provider: provider.to_owned(),
                model: model.to_owned(),
                suggestion: closest(model, models.keys().map(String::as_str)),
            }
        })?;
        let resolved = self.resolve(entry).expect("every like was checked");
        Ok(resolved.into_owned())
    }

    fn models_of(&self, provider: &str) -> Result<&Models, QuoteError> {
        self.providers.get(provider).ok_or_else(|| QuoteError::UnknownProvider {
            provider: provider.to_owned(),
            suggestion: closest(provider, self.providers.keys().map(String::as_str)),
        })
    }

    /// The book itself when every `like` leads to an entry.
    pub(crate) fn checked(self) -> Result<Self, Error> {
        let entries = self.providers.values().flat_map(BTreeMap::values);
        let mut problems: Vec<_> = entries.filter_map(|entry| self.resolve(entry).err()).collect();
        problems.sort_by_key(|problem| problem.place);
        if problems.is_empty() {
            Ok(self)
        } else {
            Err(Error::Problems { origin: self.origin, problems })
        }
    }

    fn resolve<'book>(&'book self, entry: &'book Entry) -> Result<Cow<'book, Entry>, Problem> {
        let mut chain = vec![entry];
        let mut last = entry;
        while let Some(like) = &last.like {
            let problem = |kind| Problem { place: like.place, kind };
            if chain.len() > MAX_LIKE_DEPTH {
                return Err(problem(ProblemKind::LikeCircle(like.target.clone())));
            }
            last = self.target(&like.target).ok_or_else(|| {
                let known: Vec<_> = self.names().collect();
                let suggestion = closest(&like.target, known.iter().map(String::as_str));
                problem(ProblemKind::UnknownLike { target: like.target.clone(), suggestion })
            })?;
            chain.push(last);
        }
        let mut layers = chain.into_iter().rev();
        let Some(base) = layers.next() else { return Ok(Cow::Borrowed(entry)) };
        if std::ptr::eq(base, entry) {
            return Ok(Cow::Borrowed(entry));
        }
        Ok(Cow::Owned(layers.fold(base.clone(), Entry::overlaid)))
    }

    fn target(&self, name: &str) -> Option<&Entry> {
        let (provider, model) = name.split_once('.')?;
        self.providers.get(provider)?.get(model)
    }

    fn names(&self) -> impl Iterator<Item = String> {
        self.providers
            .iter()
            .flat_map(|(provider, models)| models.keys().map(move |m| format!("{provider}.{m}")))
    }
}
