//! Settings of references: how they are fetched, from where, and who signs them anew.

use std::path::PathBuf;
use std::time::Duration;

use crate::cli::key_source::words;
use crate::cli::layers::{self, Given, Layers, Setting};
use crate::cli::resolve::{ResolveError, invalid, number, parse};
use crate::domain::egress::AllowList;
use crate::domain::fetch::{Bucket, FetchSettings, RefreshSettings};

/// The most fetches at once: each has a connection and a file.
const MAX_FETCHES: u32 = 256;

/// The most tries after the first: whoever fails more often is down.
const MAX_RETRIES: u32 = 10;

/// The longest time of one try.
const MAX_TRY: Duration = Duration::from_secs(600);

/// The longest life that can be asked for: no signature lives longer than a week.
const MAX_FRESH: Duration = Duration::from_hours(7 * 24);

/// Makes the settings of references.
///
/// # Errors
/// When a value does not parse; see [`ResolveError`].
pub fn fetch_settings(layers: &Layers) -> Result<FetchSettings, ResolveError> {
    let own = FetchSettings::default();
    Ok(FetchSettings {
        concurrency: number(layers, layers::FETCH_CONCURRENCY, own.concurrency, MAX_FETCHES)?,
        per_host: number(layers, layers::FETCH_PER_HOST, own.per_host, MAX_FETCHES)?,
        timeout: time(layers, layers::FETCH_TIMEOUT, own.timeout, MAX_TRY)?,
        retries: retries(layers, own.retries)?,
        fresh_for: fresh_for(layers, own.fresh_for)?,
        allowed: match layers.get(layers::ALLOW_REFS_FROM) {
            Some(given) => parse::<AllowList>(layers::ALLOW_REFS_FROM, given)?,
            None => own.allowed,
        },
        base: layers.get(layers::REFS_BASE).map(|given| PathBuf::from(&given.text)),
        opened: list(layers, layers::ALLOW_REFS_BELOW).map(PathBuf::from).collect(),
        proxy: web_address(layers, layers::FETCH_PROXY)?,
        refresh: RefreshSettings {
            command: command(layers)?,
            endpoint: web_address(layers, layers::REFRESH_ENDPOINT)?,
            buckets: buckets(layers)?,
        },
    })
}

fn retries(layers: &Layers, own: u32) -> Result<u32, ResolveError> {
    let Some(given) = layers.get(layers::FETCH_RETRIES) else { return Ok(own) };
    match given.text.parse::<u32>() {
        Ok(number) if number <= MAX_RETRIES => Ok(number),
        Ok(_) | Err(_) => {
            let problem = format!("takes a whole number, 0 to {MAX_RETRIES}");
            Err(invalid(layers::FETCH_RETRIES, given, problem))
        }
    }
}

fn fresh_for(layers: &Layers, own: Duration) -> Result<Duration, ResolveError> {
    // None at all is a wish that can be meant: what lives as long as the tries need is enough.
    match layers.get(layers::FRESH_FOR) {
        Some(given) if matches!(given.text.trim(), "0" | "0s") => Ok(Duration::ZERO),
        Some(_) | None => time(layers, layers::FRESH_FOR, own, MAX_FRESH),
    }
}

fn time(
    layers: &Layers,
    setting: Setting,
    own: Duration,
    most: Duration,
) -> Result<Duration, ResolveError> {
    let Some(given) = layers.get(setting) else { return Ok(own) };
    let parsed = humantime::parse_duration(&given.text).ok();
    parsed.filter(|time| !time.is_zero() && *time <= most).ok_or_else(|| {
        let most = humantime::format_duration(most);
        invalid(setting, given, format!("takes a time up to {most}, such as 10s"))
    })
}

fn list(layers: &Layers, setting: Setting) -> impl Iterator<Item = &str> {
    let text = layers.get(setting).map_or("", |given| given.text.as_str());
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn buckets(layers: &Layers) -> Result<Vec<Bucket>, ResolveError> {
    list(layers, layers::REFS_BUCKETS)
        .map(|text| {
            let given = layers.get(layers::REFS_BUCKETS).expect("the list has an item");
            text.parse().map_err(|error: crate::domain::fetch::BucketError| {
                invalid(layers::REFS_BUCKETS, given, error.to_string())
            })
        })
        .collect()
}

fn command(layers: &Layers) -> Result<Option<Vec<String>>, ResolveError> {
    let Some(given) = layers.get(layers::REFRESH_COMMAND) else { return Ok(None) };
    let problem = "takes a program and its arguments, as words or as a JSON list of words";
    words(&given.text).map(Some).ok_or_else(|| invalid(layers::REFRESH_COMMAND, given, problem))
}

/// An address of HTTP, whose form alone is checked here.
fn web_address(layers: &Layers, setting: Setting) -> Result<Option<String>, ResolveError> {
    let Some(given) = layers.get(setting) else { return Ok(None) };
    let is_web = |given: &Given| {
        url::Url::parse(&given.text)
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
    };
    match is_web(given) {
        true => Ok(Some(given.text.clone())),
        false => Err(invalid(setting, given, "takes an http or https address")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::layers::Origin;

    fn settings(values: &[(Setting, &str)]) -> Result<FetchSettings, ResolveError> {
        let mut layers = Layers::default();
        for (setting, text) in values {
            layers.put(*setting, *text, Origin::Flag(setting.flag));
        }
        fetch_settings(&layers)
    }

    #[test]
    fn nothing_given_is_four_fetches_of_ten_seconds() {
        let settings = settings(&[]).expect("the defaults are valid");
        assert_eq!(settings, FetchSettings::default());
        assert_eq!((settings.concurrency, settings.per_host, settings.retries), (4, 4, 2));
        assert_eq!(settings.timeout, Duration::from_secs(10));
        assert_eq!(settings.fresh_for, Duration::from_secs(300));
    }

    #[test]
    fn values_are_parsed_and_wrong_ones_named() {
        let given = settings(&[
            (layers::FETCH_RETRIES, "0"),
            (layers::FRESH_FOR, "0s"),
            (layers::FETCH_TIMEOUT, "500ms"),
            (layers::REFS_BUCKETS, "s3://a, gs://b"),
            (layers::REFRESH_COMMAND, "[\"/bin/sign\",\"-v\"]"),
            (layers::ALLOW_REFS_BELOW, "/data,/more"),
        ]);
        let given = given.expect("all valid");
        assert_eq!((given.retries, given.fresh_for), (0, Duration::ZERO));
        assert_eq!(given.refresh.buckets.len(), 2);
        assert_eq!(given.refresh.command, Some(vec!["/bin/sign".to_owned(), "-v".to_owned()]));
        assert_eq!(given.opened.len(), 2);
        for (setting, text) in [
            (layers::FETCH_RETRIES, "11"),
            (layers::FETCH_CONCURRENCY, "0"),
            (layers::FETCH_TIMEOUT, "0s"),
            (layers::FRESH_FOR, "8days"),
            (layers::REFS_BUCKETS, "bucket"),
            (layers::REFRESH_COMMAND, "[]"),
            (layers::REFRESH_ENDPOINT, "ftp://x"),
            (layers::FETCH_PROXY, "localhost:3128"),
        ] {
            let error = settings(&[(setting, text)]).expect_err(text);
            assert!(matches!(error, ResolveError::Value { .. }), "{text}: {error}");
        }
    }
}
