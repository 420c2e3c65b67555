//! The provider's own answer to one free request.

use jiff::{SignedDuration, Timestamp};

use crate::adapters::http::paid::PaidClient;
use crate::adapters::http::probe::probe;
use crate::commands::key::BoundKey;
use crate::domain::base_url::BaseUrl;
use crate::domain::checkup::Check;
use crate::report::words;

/// The most that two clocks may differ.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_secs(60);

/// How far another clock is from this one.
fn apart(skew: SignedDuration) -> String {
    let side = if skew.is_negative() { "behind" } else { "ahead of" };
    format!("{} {side} this one", words::duration(skew.unsigned_abs()))
}

/// Asks for the list of models, and says what that shows.
pub(super) fn server(client: &PaidClient, base: &BaseUrl, key: &BoundKey, now: Timestamp) -> Check {
    let origin = base.origin();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else {
        return Check::fail("server", "no sockets can be used", "free some file handles");
    };
    match runtime.block_on(probe(client, base, key.key.as_ref())) {
        Err(cause) => Check::fail(
            "server",
            format!("{origin} cannot be reached: {cause}"),
            "check the address and the network",
        ),
        Ok(answer) => {
            let skew = answer.date.map(|date| date.duration_since(now));
            match (answer.status, skew) {
                (401 | 403, _) => Check::fail(
                    "server",
                    format!("{origin} refused the key ({})", answer.status),
                    key.advice(base),
                ),
                (_, Some(skew)) if skew.abs() > CLOCK_SLACK => Check::fail(
                    "server",
                    format!("{origin} answers, and its clock is {}", apart(skew)),
                    "set the clock of this machine",
                ),
                (200..300, _) if key.key.is_none() => {
                    Check::ok("server", format!("{origin} answers"))
                }
                (200..300, _) => Check::ok("server", format!("{origin} answers and takes the key")),
                (status, _) => Check::warn(
                    "server",
                    format!("{origin} answers its list of models with {status}"),
                    "that may be fine: not every server has such a list",
                ),
            }
        }
    }
}
