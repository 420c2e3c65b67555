//! Signed addresses: which format one has, and until when it can be used.

mod azure;
mod decode;
mod formats;
mod object;
#[cfg(test)]
mod object_tests;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use jiff::Timestamp;
use url::Url;

pub use object::{has_own_parameters, is_whole, object_of, same_object};

use crate::domain::reference::is_signature_part;
use crate::domain::uri;

/// What the parameters of an address say about its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lifetime {
    /// When it ends: the smallest of all that are recognised; nothing when none is known.
    pub expires: Option<Timestamp>,
    /// When it begins, if it says so.
    pub not_before: Option<Timestamp>,
    /// Whether it is signed at all, in a format that is known.
    pub is_signed: bool,
    /// Whether it can end earlier than it says: it hangs on temporary credentials.
    pub may_end_early: bool,
    /// Why it can never be read, whatever the time.
    pub unusable: Option<&'static str>,
}

impl Lifetime {
    /// It is signed, and ends then if that can be read; the earliest end counts.
    fn ends(&mut self, end: Option<Timestamp>) {
        self.is_signed = true;
        self.expires = [self.expires, end].into_iter().flatten().min();
    }

    /// It begins then, if that can be read; the latest begin counts.
    fn begins(&mut self, begin: Option<Timestamp>) {
        self.not_before = self.not_before.max(begin);
    }
}

/// Whether an address can say anything of its life: every format that is known has its parameters
/// in the query, or in the path behind a `=`. It spares a million rows the full reading.
pub fn may_tell_life(text: &str) -> bool {
    memchr::memchr2(b'?', b'=', text.as_bytes()).is_some() || text.contains("%3")
}

/// Reads the life of an address: of every format that its parameters may belong to.
pub fn lifetime(url: &Url) -> Lifetime {
    read(url, &Parameters::of(url)).0
}

/// Reads the life of an address, and which of its parameters only sign it.
fn read(url: &Url, parameters: &Parameters) -> (Lifetime, Owned) {
    let mut life = Lifetime::default();
    let mut owned = Owned::default();
    formats::read_stores(parameters, &mut life, &mut owned);
    formats::read_delivery(url, parameters, &mut life, &mut owned);
    formats::read_tokens(parameters, &mut life, &mut owned);
    azure::read(url, parameters, &mut life, &mut owned);
    (life, owned)
}

/// The places of those parameters that belong to a signature in a format that is known.
#[derive(Debug, Default)]
struct Owned(BTreeSet<usize>);

impl Owned {
    /// Takes every parameter of a name.
    fn add(&mut self, parameters: &Parameters, wanted: &str) {
        self.add_where(parameters, |name, _| name == wanted);
    }

    /// Takes the parameters of which this is true.
    fn add_where(&mut self, parameters: &Parameters, is_owned: impl Fn(&str, &str) -> bool) {
        let places = parameters.0.iter().enumerate();
        let places = places.filter(|(_, (name, value))| is_owned(name, value));
        self.0.extend(places.map(|(place, _)| place));
    }
}

/// The parameters of an address, by their names in small letters.
#[derive(Debug)]
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn of(url: &Url) -> Self {
        let mut pairs = uri::query_pairs(url.query().unwrap_or_default());
        // Tokens may stand in the path, written as a query.
        for part in url.path().split('/').filter(|part| is_signature_part(part)) {
            pairs.extend(token_pairs(part));
        }
        for (name, _) in &mut pairs {
            name.make_ascii_lowercase();
        }
        Self(pairs)
    }

    /// The first value of a name.
    fn get(&self, name: &str) -> Option<&str> {
        let pair = self.0.iter().find(|(known, _)| known == name)?;
        Some(&pair.1)
    }

    /// Every value of a name: when there are several, nobody knows which one the other side reads.
    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    fn values(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(_, value)| value.as_str())
    }

    /// The earliest time among the values of a name.
    fn earliest(&self, name: &str, read: fn(&str) -> Option<Timestamp>) -> Option<Timestamp> {
        self.all(name).filter_map(read).min()
    }
}

/// The parameters in a part of a path, by their names in small letters.
fn token_pairs(part: &str) -> Vec<(String, String)> {
    let decoded = String::from_utf8_lossy(&uri::decode(part)).into_owned();
    if decoded.starts_with("exp=") || decoded.starts_with("st=") {
        return vec![("__token__".to_owned(), decoded)];
    }
    let mut pairs = uri::query_pairs(if part.contains('=') { part } else { &decoded });
    for (name, _) in &mut pairs {
        name.make_ascii_lowercase();
    }
    pairs
}
