//! What is known of each provider beforehand, as data: where it is, what it takes, how fast it may
//! be asked, and how long an answer may take.

use std::time::Duration;

use crate::domain::pace::Rates;
use crate::domain::request::ImageSpec;
use crate::domain::row::RowBrief;

/// What a request to a provider may have beside prompt, size, quality and format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Takes {
    /// A seed.
    pub seed: bool,
    /// What the image must not show.
    pub negative_prompt: bool,
    /// A mask; only together with a reference.
    pub mask: bool,
    /// The most references.
    pub references: u32,
}

/// Why a row cannot be asked of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// It takes no seed.
    #[error("{0} takes no seed")]
    Seed(&'static str),
    /// It takes no negative prompt.
    #[error("{0} takes no negative prompt")]
    NegativePrompt(&'static str),
    /// It takes no mask.
    #[error("{0} takes no mask")]
    Mask(&'static str),
    /// A mask alone says nothing.
    #[error("{0} takes a mask only together with a reference")]
    MaskAlone(&'static str),
    /// It takes fewer references.
    #[error("{0} takes at most {1} references")]
    References(&'static str, u32),
}

/// A provider that can be asked over the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: &'static str,
    /// Where it is; nothing when only the user knows.
    pub base_url: Option<&'static str>,
    /// The environment variable that has its key unless the user names another; its key goes to
    /// its own origin only.
    pub key_variable: Option<&'static str>,
    /// What it takes.
    pub takes: Takes,
    /// The `response_format` that must be asked for; nothing where it must not be.
    pub response_format: Option<&'static str>,
    /// Requests in flight unless told otherwise.
    pub concurrency: u32,
    /// Its pace unless told otherwise.
    pub rates: Rates,
    /// How long an answer may take.
    pub timeout: Duration,
    /// How long an answer may take when the image is large or its quality high.
    pub slow_timeout: Duration,
}

/// Pixels from which an image counts as large.
const LARGE_PIXELS: u64 = 2_000_000;

/// Qualities that take long.
const SLOW_QUALITIES: &[&str] = &["high", "xhigh", "max", "hd"];

/// The vendor. Limits: its published SDK and its guide to images; 300 to 600 seconds are what
/// resellers of it advise for large images.
const OPENAI: Profile = Profile {
    name: "openai",
    base_url: Some("https://api.openai.com/v1"),
    key_variable: Some("OPENAI_API_KEY"),
    takes: Takes { seed: false, negative_prompt: false, mask: true, references: 16 },
    response_format: None,
    concurrency: 8,
    rates: Rates { requests_per_minute: None, images_per_minute: None },
    timeout: Duration::from_secs(300),
    slow_timeout: Duration::from_secs(600),
};

/// A server of the user's own that speaks the same dialect: one graphics processor as a rule, so
/// that more than one request at a time only makes each of them slower.
const LOCAL: Profile = Profile {
    name: "local",
    base_url: None,
    key_variable: None,
    takes: Takes { seed: true, negative_prompt: true, mask: true, references: 16 },
    response_format: Some("b64_json"),
    concurrency: 1,
    rates: Rates { requests_per_minute: None, images_per_minute: None },
    timeout: Duration::from_secs(600),
    slow_timeout: Duration::from_secs(1_200),
};

/// Every provider that can be asked over the network.
pub const PROFILES: [&Profile; 2] = [&OPENAI, &LOCAL];

/// The profile of a provider, or nothing when this version cannot ask it.
pub fn profile(name: &str) -> Option<&'static Profile> {
    PROFILES.into_iter().find(|profile| profile.name == name)
}

impl Profile {
    /// Why it cannot be asked for a row, if it cannot: nothing of a row is ever left out silently.
    pub const fn mismatch(&self, brief: &RowBrief<'_>) -> Option<Mismatch> {
        let (takes, wants, name) = (&self.takes, &brief.wants, self.name);
        let n_references = brief.n_url_references + brief.n_local_references;
        if wants.seed && !takes.seed {
            Some(Mismatch::Seed(name))
        } else if wants.negative_prompt && !takes.negative_prompt {
            Some(Mismatch::NegativePrompt(name))
        } else if wants.mask.is_some() && !takes.mask {
            Some(Mismatch::Mask(name))
        } else if wants.mask.is_some() && n_references == 0 {
            Some(Mismatch::MaskAlone(name))
        } else if n_references > takes.references {
            Some(Mismatch::References(name, takes.references))
        } else {
            None
        }
    }

    /// How long one exchange for such an image may take.
    pub fn timeout_for(&self, spec: &ImageSpec) -> Duration {
        let large = spec.pixels().is_some_and(|pixels| pixels > LARGE_PIXELS);
        if large || SLOW_QUALITIES.contains(&&*spec.quality) {
            self.slow_timeout
        } else {
            self.timeout
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_and_fine_images_have_more_time() {
        let check = |size: &str, quality: &str, seconds: u64| {
            let spec = ImageSpec {
                provider: "openai".into(),
                model: "m".into(),
                size: size.into(),
                quality: quality.into(),
                format: "png".into(),
                background: None,
                seed: None,
                negative_prompt: None,
            };
            let profile = profile("openai").expect("a profile");
            let timeout = profile.timeout_for(&spec).as_secs();
            assert_eq!(timeout, seconds, "{size} {quality}");
        };
        check("1024x1024", "medium", 300);
        check("1024x1024", "high", 600);
        check("2048x2048", "low", 600);
        check("auto", "low", 300);
    }

    #[test]
    fn every_own_address_is_safe_and_parses() {
        for profile in PROFILES {
            let base = profile
                .base_url
                .map(|text| text.parse::<crate::domain::base_url::BaseUrl>().expect("a base URL"));
            assert!(base.is_none_or(|base| !base.is_plain_http()), "{}", profile.name);
            assert_eq!(profile.base_url.is_some(), profile.key_variable.is_some());
            assert!(profile.timeout >= Duration::from_secs(300), "{}", profile.name);
        }
    }
}
