//! The providers by their names: one line each.

use std::sync::Arc;

use crate::adapters::http::paid::paid_client;
use crate::adapters::providers::openai::{OpenAi, Remote};
use crate::adapters::providers::sim::SimProvider;
use crate::commands::failure::Failure;
use crate::commands::key::BoundKey;
use crate::domain::provider::profile;
use crate::domain::settings::RunSettings;
use crate::exit::Exit;
use crate::pipeline::context::Advice;
use crate::ports::clock::Clock;
use crate::ports::provider::ImageProvider;

/// The provider of a live run, and what to say when it turns the run away.
pub(super) fn live_provider(
    settings: &RunSettings,
    key: Option<BoundKey>,
    clock: &Arc<dyn Clock>,
) -> Result<(Arc<dyn ImageProvider>, Advice), Failure> {
    let clock = Arc::clone(clock);
    let (Some(profile), Some(base), Some(bound)) =
        (profile(&settings.spec.provider), settings.base_url.clone(), key)
    else {
        let simulator = SimProvider::painting(settings.sim.clone(), clock);
        return Ok((Arc::new(simulator), Advice { key: String::new() }));
    };
    let advice = Advice { key: bound.advice(&base) };
    let client = paid_client(Some(&base), settings.concurrency as usize)
        .map_err(|error| Failure::new(Exit::Environment, error))?;
    // Every provider of this version speaks one dialect; another one is another arm here.
    let remote = Remote { profile, base, key: bound.key, client, clock };
    let provider = OpenAi::new(remote).map_err(|error| Failure::new(Exit::Invalid, error))?;
    Ok((Arc::new(provider), advice))
}
