//! What can be said of a reference without asking anybody.

use jiff::Timestamp;
use url::Url;

use crate::adapters::references::local::LocalReferences;
use crate::domain::egress::check_url;
use crate::domain::fetch::{FetchSettings, StoreKind};
use crate::domain::freshness::{Claim, decide, need};
use crate::domain::reference::Reference;
use crate::domain::signed_url::lifetime;
use crate::pipeline::stop::with_sources;
use crate::ports::references::UrlRefresher;
use crate::report::references::{Freshness, Use};

/// Whether anything speaks against a reference; files are looked at where they are given.
pub(super) fn judged(
    reference: &Reference,
    settings: &FetchSettings,
    files: Option<&LocalReferences>,
) -> Use {
    let refused = match reference {
        Reference::Local(path) => {
            files.and_then(|it| it.check(path).err()).map(|error| with_sources(&error))
        }
        Reference::Url(text) if is_bucket(text) => None,
        Reference::Url(text) => {
            check_url(text, None, &settings.allowed).err().map(|it| it.to_string())
        }
    };
    refused.map_or(Use::NotFetched, |reason| Use::Unusable { reason })
}

/// How long an address lives, seen from now.
pub(super) fn freshness(
    reference: &Reference,
    settings: &FetchSettings,
    refresher: &dyn UrlRefresher,
    now: Timestamp,
) -> Freshness {
    let Reference::Url(text) = reference else { return Freshness::File };
    if is_bucket(text) {
        return Freshness::Bucket;
    }
    let Ok(url) = Url::parse(text) else { return Freshness::Unknown };
    let life = lifetime(&url);
    let expires = life.expires;
    let can_refresh = refresher.can_refresh(text);
    match decide(&life, now, need(settings), settings.fresh_for, can_refresh) {
        Claim::Fetch => expires.map_or(Freshness::Unknown, |expires| Freshness::Fresh { expires }),
        Claim::Refresh => Freshness::Refresh { expires },
        Claim::Reject(reason) => Freshness::Doomed { expires, reason },
    }
}

fn is_bucket(text: &str) -> bool {
    StoreKind::of_scheme(text.split(':').next().unwrap_or_default()).is_some()
}
