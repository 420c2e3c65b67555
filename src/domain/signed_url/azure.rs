//! Shared access signatures of Azure's storage.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use url::Url;

use super::{Lifetime, Owned, Parameters};

/// What belongs to a signature, whatever its value is.
const NAMES: [&str; 14] = [
    "sv", "sig", "sr", "ss", "srt", "si", "sip", "spr", "skoid", "sktid", "sks", "skv", "sdd",
    "scid",
];

/// Times, which belong to it when they are times.
const TIMES: [&str; 4] = ["st", "se", "skt", "ske"];

/// Reads the parameters of a shared access signature.
pub(super) fn read(url: &Url, parameters: &Parameters, life: &mut Lifetime, owned: &mut Owned) {
    if !parameters.has("sig") || !parameters.has("sv") {
        return;
    }
    owned.add_where(parameters, |name, value| {
        let is_time = || TIMES.contains(&name) && time(value).is_some();
        let is_letters = || value.bytes().all(|it| it.is_ascii_alphabetic());
        NAMES.contains(&name) || is_time() || (name == "sp" && is_letters())
    });
    life.ends(parameters.earliest("se", time));
    life.begins(parameters.all("st").filter_map(time).max());
    // The key that signed may itself be lent: it has a begin and an end of its own.
    life.ends(parameters.earliest("ske", time));
    life.begins(parameters.all("skt").filter_map(time).max());
    if parameters.has("si") {
        // A policy that the store keeps can end it, and may be the only one who knows when.
        life.may_end_early = true;
    }
    if parameters.get("sp").is_some_and(|permissions| !permissions.contains('r')) {
        life.unusable = Some("is signed for something other than reading (sp)");
    }
    if parameters.get("spr") == Some("https") && url.scheme() == "http" {
        life.unusable = Some("is signed for https only (spr)");
    }
}

/// A time of ISO 8601 in UTC: whole, to the minute, or only the day, which is then its begin.
fn time(text: &str) -> Option<Timestamp> {
    if let Ok(timestamp) = text.parse() {
        return Some(timestamp);
    }
    let civil = match text.strip_suffix(['Z', 'z']) {
        Some(local) => local.parse::<DateTime>().ok()?,
        None => text.parse::<Date>().ok()?.to_datetime(jiff::civil::Time::midnight()),
    };
    civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}
