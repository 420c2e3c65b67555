//! The settings: would a run take them?

use std::path::Path;

use crate::cli::config_file::ConfigFile;
use crate::cli::layers::{self, Layers};
use crate::cli::resolve::{self, ResolveError, RunAsk};
use crate::commands::world::World;
use crate::domain::checkup::Check;
use crate::domain::price::SIM_PROVIDER;
use crate::domain::provider::{PROFILES, profile};
use crate::domain::settings::{Mode, RowsInput};
use crate::domain::suggest::{closest, did_you_mean};

/// What a run would refuse. What it would merely miss is said on its command line.
pub(super) fn problems(world: &World, layers: &Layers, config: &ConfigFile) -> Vec<Check> {
    let name = layers.get(layers::PROVIDER).map(|given| given.text.as_str());
    if let Some(check) = name.and_then(unknown_provider) {
        return vec![check];
    }
    let prices = layers.get(layers::PRICES).map(|given| given.text.clone());
    let Ok(book) = world.price_book(prices.as_deref().map(Path::new)) else { return Vec::new() };
    let ask = RunAsk {
        mode: if name.is_some() { Mode::Live } else { Mode::DryRun },
        rows: RowsInput::Stdin,
        gates: &[],
        gates_only: false,
        config_gates: config.gates.as_deref(),
        standing_canary: None,
        fit_budget: false,
        rejected: None,
        no_image_checks: false,
        dedupe: false,
        reuse: false,
        fresh: false,
        resume: None,
        only: None,
        plan_only: false,
        rehearsal: false,
        yes: false,
        confirm_cost: None,
    };
    let mut found = Vec::new();
    match resolve::run_settings(ask, layers, &book) {
        Ok(_) | Err(ResolveError::NoModel(_) | ResolveError::NoBaseUrl(_)) => {}
        Err(error) => {
            let fix = error.hint().unwrap_or_else(|| "correct it where it is set".to_owned());
            found.push(Check::fail("config", error.to_string(), fix));
        }
    }
    if let Err(failure) = world.display_zone(layers) {
        found.push(Check::fail("config", failure.to_string(), "name a zone, such as UTC"));
    }
    found
}

fn unknown_provider(name: &str) -> Option<Check> {
    let known = || PROFILES.iter().map(|profile| profile.name).chain([SIM_PROVIDER]);
    if profile(name).is_some() || name == SIM_PROVIDER {
        return None;
    }
    let meant = closest(name, known()).map(str::to_owned);
    let text = format!("this version cannot run provider {name:?}{}", did_you_mean(&meant));
    let names: Vec<&str> = known().collect();
    Some(Check::fail("config", text, format!("it can run {}", names.join(", "))))
}
