//! What a live run needs before its first request: it fits, its references are there, its key is
//! bound to where it goes, and somebody has agreed to the cost.

use crate::cli::layers::{self, Layers};
use crate::commands::failure::Failure;
use crate::commands::key::{self, BoundKey};
use crate::commands::ledger_place::refuse_network_ledger;
use crate::commands::run::consent::ask_consent;
use crate::commands::run::folder::refuse_over_budget;
use crate::commands::run::hand_over::refuse_without_store;
use crate::commands::run::planned::Planned;
use crate::commands::run::reference_check::refuse_missing_stores;
use crate::commands::world::World;
use crate::domain::plan::Plan;
use crate::domain::price::SIM_PROVIDER;
use crate::domain::provider::{PROFILES, Profile, profile};
use crate::domain::settings::RunSettings;
use crate::exit::Exit;

/// Refuses a run that must not start; nothing has been sent. Returns the key, where one is needed.
pub(super) fn prepare(
    world: &World,
    layers: &Layers,
    settings: &RunSettings,
    plan: &Plan,
    planned: &Planned,
) -> Result<Option<BoundKey>, Failure> {
    if planned.batch.n_selected() == 0 {
        // Nobody is asked for anything: what is left is to tell what was found out.
        return Ok(None);
    }
    let profile = live_profile(settings, plan)?;
    refuse_over_budget(settings, plan)?;
    refuse_strangers_prices(layers, settings)?;
    if !settings.is_simulated() {
        refuse_network_ledger(&world.ledger_folder(layers), layers)?;
    }
    refuse_strangers_address(layers, settings, plan)?;
    refuse_missing_stores(settings, planned)?;
    refuse_without_store(world, settings)?;
    let key = match (profile, &settings.base_url) {
        (Some(profile), Some(base)) => {
            let source = key::source(layers, profile, base, settings.rehearsal)?;
            Some(key::read(world, profile, &source, settings.rehearsal)?)
        }
        _ => None,
    };
    ask_consent(world, settings, plan)?;
    Ok(key)
}

/// The profile of the one provider of the run; nothing for the built-in simulator.
fn live_profile(settings: &RunSettings, plan: &Plan) -> Result<Option<&'static Profile>, Failure> {
    let provider = &*settings.spec.provider;
    let profile = profile(provider);
    if profile.is_none() && provider != SIM_PROVIDER {
        let known: Vec<&str> = PROFILES.iter().map(|profile| profile.name).collect();
        let text = format!("this version cannot run provider {provider:?} live");
        return Err(Failure::new(Exit::Invalid, text).with_hint(format!(
            "it can run {}; --provider sim runs the batch with simulated money",
            known.join(", ")
        )));
    }
    if let Some(other) = plan.requests.iter().find(|ask| ask.provider != provider) {
        let text = format!(
            "some rows ask for provider {:?}, and a live run of this version has one: {provider:?}",
            other.provider
        );
        return Err(
            Failure::new(Exit::Invalid, text).with_hint("run those rows in a batch of their own")
        );
    }
    Ok(profile)
}

/// A stranger's price file could say that a model is free.
fn refuse_strangers_prices(layers: &Layers, settings: &RunSettings) -> Result<(), Failure> {
    let prices = layers.get(layers::PRICES).filter(|given| given.origin.is_untrusted());
    match prices {
        Some(given) if !settings.is_simulated() => {
            let text = format!(
                "the prices come from {}, which a project's file names ({})",
                given.text, given.origin
            );
            Err(Failure::new(Exit::Invalid, text).with_hint(
                "look at them and name them yourself with --prices, or imagemill config trust",
            ))
        }
        Some(_) | None => Ok(()),
    }
}

/// A stranger's file could name an address to which references would be sent that only this user
/// can read: out of buckets, out of further folders, from hosts that were opened for him.
fn refuse_strangers_address(
    layers: &Layers,
    settings: &RunSettings,
    plan: &Plan,
) -> Result<(), Failure> {
    let address = layers.get(layers::BASE_URL).filter(|given| given.origin.is_untrusted());
    let fetch = &settings.fetch;
    let opens = !fetch.allowed.is_empty() || !fetch.opened.is_empty() || !fetch.refresh.is_none();
    let reads = plan.rows.freshness.in_buckets > 0 || opens && plan.rows.with_references > 0;
    match address {
        Some(given) if reads => {
            let text = format!(
                "references that only you can read would be sent to {}, which a project's file \
                 names ({})",
                given.text, given.origin
            );
            Err(Failure::new(Exit::Invalid, text)
                .with_hint("name the address yourself with --base-url, or imagemill config trust"))
        }
        Some(_) | None => Ok(()),
    }
}
