//! Settings of a provider that is reached over the network: its address, pace and patience.

use std::time::Duration;

use crate::cli::layers::{self, Layers, Setting};
use crate::cli::resolve::{ResolveError, RunAsk, invalid, parse};
use crate::domain::base_url::BaseUrl;
use crate::domain::pace::Rates;
use crate::domain::price::SIM_PROVIDER;
use crate::domain::provider::{Profile, profile};
use crate::domain::request::ImageSpec;
use crate::domain::settings::Mode;

/// The most requests in a minute that can be asked for.
const MAX_PER_MINUTE: u32 = 1_000_000;

/// The longest time that one answer may be given.
const MAX_TIMEOUT: Duration = Duration::from_hours(24);

/// Where the provider is: as given, else its own address.
pub(super) fn base_url(
    ask: &RunAsk<'_>,
    spec: &ImageSpec,
    layers: &Layers,
) -> Result<Option<BaseUrl>, ResolveError> {
    let provider = &*spec.provider;
    if provider == SIM_PROVIDER {
        return match ask.rehearsal {
            true => Err(ResolveError::Rehearsal("and the simulator needs none".to_owned())),
            false => Ok(None),
        };
    }
    let own = profile(provider).and_then(|profile| profile.base_url);
    let base = match layers.get(layers::BASE_URL) {
        Some(given) => Some(parse::<BaseUrl>(layers::BASE_URL, given)?),
        None => own.map(|text| text.parse().expect("a test parses it")),
    };
    if ask.rehearsal {
        return match base {
            Some(base) if base.is_loopback() => Ok(Some(base)),
            Some(base) => Err(ResolveError::Rehearsal(format!("not {base}"))),
            None => Err(ResolveError::Rehearsal("and none is named".to_owned())),
        };
    }
    if base.is_none() && ask.mode == Mode::Live && profile(provider).is_some() {
        return Err(ResolveError::NoBaseUrl(provider.to_owned()));
    }
    Ok(base)
}

/// The pace: as given, else the provider's own.
pub(super) fn rates(profile: Option<&Profile>, layers: &Layers) -> Result<Rates, ResolveError> {
    let own = profile.map(|profile| profile.rates).unwrap_or_default();
    let given = |setting: Setting, own: Option<u32>| match layers.get(setting) {
        None => Ok(own),
        Some(_) => super::number(layers, setting, 1, MAX_PER_MINUTE).map(Some),
    };
    Ok(Rates {
        requests_per_minute: given(layers::REQUESTS_PER_MINUTE, own.requests_per_minute)?,
        images_per_minute: given(layers::IMAGES_PER_MINUTE, own.images_per_minute)?,
    })
}

/// How long one answer may take, when the user says so.
pub(super) fn request_timeout(layers: &Layers) -> Result<Option<Duration>, ResolveError> {
    let Some(given) = layers.get(layers::REQUEST_TIMEOUT) else { return Ok(None) };
    let parsed = humantime::parse_duration(&given.text).ok();
    match parsed.filter(|time| !time.is_zero() && *time <= MAX_TIMEOUT) {
        Some(time) => Ok(Some(time)),
        None => Err(invalid(layers::REQUEST_TIMEOUT, given, "takes a time up to 24h, such as 10m")),
    }
}
