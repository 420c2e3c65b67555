//! The provider: its address, its key, the certificates to trust, and on request its own answer.

use jiff::Timestamp;

use crate::adapters::http::paid::{PaidClient, Roots, paid_client};
use crate::cli::key_source::{KeySource, NoKey};
use crate::cli::layers::{self, Layers};
use crate::cli::shown::shown;
use crate::commands::doctor::server::server;
use crate::commands::key::{self, BoundKey};
use crate::commands::world::World;
use crate::domain::base_url::{BaseUrl, BaseUrlError};
use crate::domain::checkup::Check;
use crate::domain::price::SIM_PROVIDER;
use crate::domain::provider::{Profile, profile};

/// Variables that other tools take a proxy from.
const PROXIES: &[&str] = &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// Key and certificates; with `online`, one free request.
pub(super) fn checks(world: &World, layers: &Layers, online: bool, now: Timestamp) -> Vec<Check> {
    let mut checks = Vec::new();
    let name = layers.get(layers::PROVIDER).map(|given| given.text.as_str());
    let target = name.and_then(profile).map(|profile| (profile, base(layers, profile)));
    let (mut address, mut key) = (None, None);
    match (name, target) {
        (_, Some((profile, Ok(Some(base))))) => {
            let (check, found) = key_check(world, layers, profile, &base);
            checks.push(check);
            (address, key) = (Some(base), found);
        }
        (_, Some((profile, Ok(None)))) => checks.push(Check::warn(
            "key",
            format!("provider {} has no address yet", profile.name),
            "give one with --base-url",
        )),
        (_, Some((_, Err(problem)))) => {
            checks.push(Check::fail("config", problem, "correct base_url"));
        }
        (Some(name), None) if name == SIM_PROVIDER => {
            checks.push(Check::ok(
                "key",
                format!("none needed: {name} is not asked over the network"),
            ));
        }
        // The settings have told it already.
        (Some(_), None) => {}
        (None, None) => {
            checks.push(Check::ok("key", "none needed: no provider is set (--provider NAME)"));
        }
    }
    match paid_client(address.as_ref(), 1) {
        Ok(client) => {
            checks.push(roots(world, &client));
            match (online, address, key) {
                (true, Some(base), Some(key)) => checks.push(server(&client, &base, &key, now)),
                (true, ..) => checks.push(Check::warn(
                    "server",
                    "not asked: it takes a provider with an address, and its key",
                    "name them with --provider and --base-url, and see the line of the key",
                )),
                (false, ..) => {}
            }
        }
        Err(error) => {
            checks.push(Check::fail("roots", error.to_string(), "install ca-certificates"))
        }
    }
    checks
}

fn base(layers: &Layers, profile: &Profile) -> Result<Option<BaseUrl>, String> {
    let given = layers.get(layers::BASE_URL).map(|given| given.text.as_str());
    let text = given.or(profile.base_url);
    let problem =
        |text: &str, error| format!("base_url {:?} {error}", shown(layers::BASE_URL, text));
    text.map(|text| text.parse().map_err(|error: BaseUrlError| problem(text, error))).transpose()
}

fn key_check(
    world: &World,
    layers: &Layers,
    profile: &Profile,
    base: &BaseUrl,
) -> (Check, Option<BoundKey>) {
    let source = match key::source(layers, profile, base, false) {
        Ok(source) => source,
        Err(failure) => {
            let fix = failure.hint.clone().unwrap_or_default();
            return (Check::fail("key", failure.to_string(), fix), None);
        }
    };
    let bound = match key::read(world, profile, &source, false) {
        Ok(bound) => bound,
        Err(failure) => {
            let hint = failure.hint.clone().unwrap_or_default();
            // The hint leads here already.
            let fix = hint.split("; imagemill doctor").next().unwrap_or_default();
            return (Check::fail("key", failure.to_string(), fix), None);
        }
    };
    let origin = base.origin();
    let check = match &source {
        KeySource::None(NoKey::NotBound) => Check::warn(
            "key",
            format!("none is sent to {origin}: it is not {}'s own address", profile.name),
            "if it needs one, name its variable with --api-key-env",
        ),
        KeySource::None(NoKey::NotNamed) => Check::ok("key", format!("none is sent to {origin}")),
        KeySource::Variable { .. } | KeySource::File { .. } | KeySource::Command { .. } => {
            Check::ok(
                "key",
                format!(
                    "from {}, goes to {origin} only{}",
                    bound.source,
                    hidden(world, profile, &source)
                ),
            )
        }
    };
    (check, Some(bound))
}

/// The provider's own variable, when it is set and another source counts.
fn hidden(world: &World, profile: &Profile, source: &KeySource) -> String {
    let own = profile.key_variable.filter(|name| world.invocation.env(name).is_some());
    let is_used = matches!(source, KeySource::Variable { name, .. } if Some(name.as_str()) == own);
    own.filter(|_| !is_used)
        .map_or(String::new(), |name| format!("; {name} is set too, and not used"))
}

fn roots(world: &World, client: &PaidClient) -> Check {
    let proxy = PROXIES.iter().find(|name| world.invocation.env(name).is_some());
    if let Some(name) = proxy {
        return Check::warn(
            "roots",
            format!("{name} is set, and paid requests use no proxy"),
            "allow direct connections to the provider",
        );
    }
    match client.roots {
        Roots::System => Check::ok("roots", "the machine's own certificates"),
        Roots::None => Check::ok("roots", "none needed: the address is one of plain HTTP"),
        Roots::Bundled => Check::warn(
            "roots",
            "no certificates on this machine; the built-in ones are used",
            "install ca-certificates, so that they stay up to date",
        ),
    }
}
