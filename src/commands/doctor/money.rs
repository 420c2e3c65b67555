//! Money: the price book, the ledger, and the clock that its days depend on.

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};

use crate::adapters::ledger::{audit, read};
use crate::cli::layers::{self, Layers};
use crate::commands::ledger_access::ledger_exists;
use crate::commands::world::World;
use crate::domain::checkup::Check;
use crate::report::words;

/// A price book older than this many days is worth a look.
const OLD_PRICES_DAYS: u32 = 30;

/// A clock may be behind the ledger's newest record by so much.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_secs(60);

/// The price book, and how old it is.
pub(super) fn prices(world: &World, layers: &Layers, now: Timestamp) -> Check {
    let file = layers.get(layers::PRICES).map(|given| PathBuf::from(&given.text));
    let book = match world.price_book(file.as_deref()) {
        Ok(book) => book,
        Err(failure) => {
            return Check::fail("prices", failure.to_string(), "imagemill prices check FILE");
        }
    };
    let named = file.map_or("built-in".to_owned(), |file| file.display().to_string());
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    match book.age_days(today) {
        Some(days) if days > OLD_PRICES_DAYS => Check::warn(
            "prices",
            format!("{named}, {days} days old"),
            "compare them with the provider's page; --prices FILE lays your own over them",
        ),
        Some(days) => {
            Check::ok("prices", format!("{named}, {} old", words::count(days.into(), "day")))
        }
        None => Check::ok("prices", format!("{named}, of unknown age")),
    }
}

/// The ledger of real money, and whether the clock fits to it.
pub(super) fn ledger_and_clock(world: &World, layers: &Layers, now: Timestamp) -> Vec<Check> {
    let folder = world.ledger_folder(layers);
    let place = folder.display();
    if !ledger_exists(&folder) {
        let text = format!("none in {place} yet; the first run that spends makes it");
        return vec![clock(now, None), Check::ok("ledger", text)];
    }
    let unsound = |text: String| {
        let fix =
            format!("nothing is spent until it is sound: imagemill ledger check --ledger {place}");
        Check::fail("ledger", text, fix)
    };
    let report = match audit::check(&folder) {
        Ok(report) => report,
        Err(error) => return vec![clock(now, None), unsound(error.to_string())],
    };
    if let Some(first) = report.findings.first() {
        let text = format!("{}: line {}: {}", first.segment, first.line, first.problem);
        return vec![clock(now, report.newest), unsound(text)];
    }
    let check = match read::summary(&folder, now) {
        Ok(summary) => {
            let text = format!(
                "{place}: sound, {} of {} a day taken, {} held",
                words::dollars(summary.exposure_today),
                words::dollars(summary.limit_per_day),
                words::count(summary.held.len() as u64, "attempt")
            );
            match &report.torn_tail {
                Some(segment) => Check::warn(
                    "ledger",
                    format!("{text}; the last line of {segment} is torn"),
                    "nothing: the next run heals it and keeps the bytes",
                ),
                None => Check::ok("ledger", text),
            }
        }
        Err(error) => unsound(error.to_string()),
    };
    vec![clock(now, report.newest), check]
}

/// A clock behind the newest record of the ledger is wrong, or was.
fn clock(now: Timestamp, newest: Option<Timestamp>) -> Check {
    let shown = format!("{now:.0}");
    match newest {
        Some(newest) if newest.duration_since(now) > CLOCK_SLACK => Check::fail(
            "clock",
            format!("{shown}, before the ledger's newest record of {newest:.0}"),
            "set the clock; the ledger's day does not go back",
        ),
        Some(_) => Check::ok("clock", format!("{shown}, after the ledger's newest record")),
        None => Check::ok("clock", format!("{shown}; --online compares it with the provider's")),
    }
}
