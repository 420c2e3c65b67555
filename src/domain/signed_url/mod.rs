//! Signed addresses: which format one has, and until when it can be used.

mod azure;
mod decode;
mod formats;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use url::Url;

use crate::domain::reference::Reference;
use crate::domain::request::without_signature;
use crate::domain::uri;

/// Parameters that sign, or date a signature, beside those that are left out of the identity of
/// work: the list of that one may never change.
const FURTHER_NAMES: &[&str] = &[
    "hash-algorithm",
    "urlprefix",
    "expires_at",
    "hdntl",
    "__token__",
    "__cld_token__",
    "bcdn_token",
    "token_path",
    "ss",
    "srt",
    "si",
    "sip",
    "skoid",
    "sktid",
    "skt",
    "ske",
    "sks",
    "skv",
];

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

/// Reads the life of an address: of every format that its parameters may belong to.
pub fn lifetime(url: &Url) -> Lifetime {
    let mut life = Lifetime::default();
    let parameters = Parameters::of(url);
    formats::read_stores(&parameters, &mut life);
    formats::read_delivery(url, &parameters, &mut life);
    formats::read_tokens(&parameters, &mut life);
    azure::read(url, &parameters, &mut life);
    life
}

/// Whether two addresses name the same object: all but the query must be the same.
pub fn same_object(old: &Url, new: &Url) -> bool {
    old.scheme() == new.scheme()
        && old.host() == new.host()
        && old.port_or_known_default() == new.port_or_known_default()
        && plain_path(old) == plain_path(new)
}

/// The address by which a fetch is shared: without the parameters that only sign it, when it is
/// signed in a format that is known; any other address as it is.
pub fn object_of(url: &Url) -> String {
    let mut url = url.clone();
    url.set_fragment(None);
    if !lifetime(&url).is_signed {
        return url.into();
    }
    let bare = without_signature(&Reference::Url(url.into()));
    let Some((base, query)) = bare.split_once('?') else { return bare };
    let is_kept = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
        !FURTHER_NAMES.contains(&name.as_str())
    };
    let kept: Vec<&str> = query.split('&').filter(is_kept).collect();
    if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) }
}

/// The path with each part encoded in one way; an encoded slash stays one.
fn plain_path(url: &Url) -> Vec<String> {
    url.path().split('/').map(|part| uri::encode(&uri::decode(part), "")).collect()
}

/// The parameters of an address, by their names in small letters.
#[derive(Debug)]
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn of(url: &Url) -> Self {
        let mut pairs = uri::query_pairs(url.query().unwrap_or_default());
        // One vendor's tokens may stand in the path, written as a query.
        for part in url.path().split('/').filter(|part| part.starts_with("bcdn_token=")) {
            pairs.extend(uri::query_pairs(part));
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
