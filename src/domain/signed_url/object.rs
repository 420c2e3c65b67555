//! Which object an address names: what is left of it without what only signs it.
//!
//! Only what belongs to a signature in a format that is known is left out. A parameter that merely
//! has a name of the kind may choose the object, and then two rows would get one image.

use url::Url;

use super::decode::claims;
use super::{Parameters, formats, read, token_pairs};
use crate::domain::reference::is_signature_part;
use crate::domain::uri;

/// Parameters that choose no object, although no known format has them alone: who signs anew may
/// change them.
const LONE_NAMES: [&str; 6] = ["sig", "signature", "hmac", "exp", "expires", "expires_at"];

/// What a token says about its own life, and not about the object.
const TIME_CLAIMS: [&str; 3] = ["exp", "nbf", "iat"];

/// What of an address names its object.
struct Named<'a> {
    /// The path, without tokens in it.
    path: Option<String>,
    /// The parameters, as they are written.
    pairs: Vec<&'a str>,
    /// How many parameters only sign.
    n_signing: usize,
}

impl<'a> Named<'a> {
    fn of(url: &'a Url) -> Self {
        let parameters = Parameters::of(url);
        let (_, owned) = read(url, &parameters);
        let raw = url.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        // When a name is there twice, nobody knows which of them the other side reads.
        let is_clear = owned.0.iter().all(|place| {
            let name = &parameters.0[*place].0;
            parameters.all(name).count() == 1
        });
        if !is_clear {
            return Self { path: None, pairs: raw.collect(), n_signing: 0 };
        }
        let pairs: Vec<&str> = raw.clone().enumerate().fold(Vec::new(), |mut kept, (at, pair)| {
            if !owned.0.contains(&at) {
                kept.push(pair);
            }
            kept
        });
        let n_signing = raw.count() - pairs.len();
        Self { path: path_without_tokens(url), pairs, n_signing }
    }

    const fn is_whole(&self) -> bool {
        self.path.is_none() && self.n_signing == 0
    }

    /// The parameters in one order and one way to write them, for a comparison.
    fn comparable(&self) -> Vec<(String, String)> {
        let mut pairs: Vec<(String, String)> = self
            .pairs
            .iter()
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (plain(name), without_times(value)))
            .filter(|(name, _)| !LONE_NAMES.contains(&name.to_ascii_lowercase().as_str()))
            .collect();
        // Of one name, the order may matter.
        pairs.sort_by(|left, right| left.0.cmp(&right.0));
        pairs
    }
}

/// Whether two addresses name the same object: all but what only signs them must be the same.
pub fn same_object(old: &Url, new: &Url) -> bool {
    let (old_named, new_named) = (Named::of(old), Named::of(new));
    old.scheme() == new.scheme()
        && old.host() == new.host()
        && old.port_or_known_default() == new.port_or_known_default()
        && plain_path(old, &old_named) == plain_path(new, &new_named)
        && old_named.comparable() == new_named.comparable()
}

/// The address by which a fetch is shared: without what only signs it in a format that is known;
/// any other address as it is.
pub fn object_of(url: &Url) -> String {
    let named = Named::of(url);
    let mut object = url.clone();
    object.set_fragment(None);
    if let Some(path) = &named.path {
        object.set_path(path);
    }
    if named.n_signing > 0 {
        let query = named.pairs.join("&");
        object.set_query((!query.is_empty()).then_some(&query));
    }
    object.into()
}

/// Whether nothing of an address only signs it, so that it is the name of its object.
pub fn is_whole(url: &Url) -> bool {
    Named::of(url).is_whole()
}

/// Whether parameters are left that may choose the object, or a version of it.
pub fn has_own_parameters(url: &Url) -> bool {
    !Named::of(url).pairs.is_empty()
}

/// The path without the tokens in it; nothing when there is none, or nothing but tokens.
fn path_without_tokens(url: &Url) -> Option<String> {
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    let is_token =
        |part: &&str| is_signature_part(part) && formats::is_token_part(&token_pairs(part));
    let parts = url.path().split('/');
    let kept: Vec<&str> = parts.clone().filter(|part| !is_token(part)).collect();
    let names_something = kept.iter().any(|part| !part.is_empty());
    (names_something && kept.len() < parts.count()).then(|| kept.join("/"))
}

/// The path with each part encoded in one way; an encoded slash stays one.
fn plain_path(url: &Url, named: &Named<'_>) -> Vec<String> {
    let path = named.path.as_deref().unwrap_or(url.path());
    path.split('/').map(|part| uri::encode(&uri::decode(part), "")).collect()
}

/// A name or a value in one way to write it; a plus sign, which some read as a space, stays one.
fn plain(text: &str) -> String {
    let parts = text.split('+').map(|part| uri::encode(&uri::decode(part), ""));
    parts.collect::<Vec<_>>().join("+")
}

/// A value; of a token that can be read, whatever is not about its life.
fn without_times(value: &str) -> String {
    let text = String::from_utf8(uri::decode(value)).ok();
    let Some(mut claims) = text.as_deref().and_then(claims) else { return plain(value) };
    if let Some(claims) = claims.as_object_mut() {
        claims.retain(|name, _| !TIME_CLAIMS.contains(&name.as_str()));
    }
    claims.to_string()
}
