//! Makes the plan document of a run from what the planning pass found.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cli::layers::{self, in_plans};
use crate::commands::failure::Failure;
use crate::commands::rows_input::input_name;
use crate::commands::run::going_on::GoingOn;
use crate::commands::run::plan_cost::{cost, unusual};
use crate::commands::run::plan_rows::{requests, rows};
use crate::commands::run::plan_server::server;
use crate::commands::run::plan_sources::Sources;
use crate::domain::batch::Batch;
use crate::domain::digest::Sha256Digest;
use crate::domain::gate::Gate;
use crate::domain::plan::{Plan, PlanBinding, SCHEMA};
use crate::domain::retry::MAX_THROTTLES;
use crate::domain::settings::{Mode, RunSettings};
use crate::domain::sim::{Flow, RetryPlan, forecast_with};
use crate::exit::Exit;

/// Makes the plan.
pub(super) fn make(sources: &Sources<'_>) -> Result<Plan, Failure> {
    let Sources { settings, planned, .. } = *sources;
    let batch = &planned.batch;
    let rows_sha256 = planned.rows_sha256.clone();
    let identity = identity(settings, &rows_sha256);
    let retries = planned.retries(settings);
    let is_remote = settings.mode == Mode::Live && settings.base_url.is_some();
    Ok(Plan {
        schema: SCHEMA.to_owned(),
        identity: identity.to_string(),
        request: request_identity(settings).to_string(),
        goes_on: planned.going_on.as_ref().map(GoingOn::on_paper),
        twins: planned.twins.told,
        ledger: None,
        mode: settings.mode.word().to_owned(),
        bound: binding(sources, rows_sha256),
        rows: rows(settings, planned),
        requests: requests(batch),
        cost: cost(sources, retries)?,
        server: server(sources),
        forecast_ms: whole_ms(forecast(settings, batch)),
        assumed_latency_ms: is_remote.then(|| whole_ms(settings.sim.latency())),
        concurrency: settings.concurrency,
        requests_per_minute: settings.rates.requests_per_minute,
        images_per_minute: settings.rates.images_per_minute,
        gates: settings.gates.iter().map(|gate| gate.text().to_owned()).collect(),
        output: output(settings),
        unusual: unusual(sources),
    })
}

/// Refuses a saved plan that does not match what would be planned now.
pub(super) fn must_match(
    saved: Option<&Plan>,
    file: Option<&str>,
    made: &Plan,
) -> Result<(), Failure> {
    let (Some(saved), Some(file)) = (saved, file) else { return Ok(()) };
    saved.must_match(made, file).map_err(|error| {
        Failure::new(Exit::Invalid, error)
            .with_hint("plan again with --plan-out, look at it, and run that")
    })
}

/// How long the selected rows of a batch take.
pub(super) fn forecast(settings: &RunSettings, batch: &Batch) -> Duration {
    let shape = RetryPlan {
        paid_attempts: settings.paid_retries.attempts,
        paid_retries: settings.paid_retries.allowance(batch.chosen().images),
        throttled_attempts: MAX_THROTTLES,
    };
    let flow = Flow { concurrency: settings.concurrency, interval: settings.rates.interval() };
    forecast_with(batch.chosen().images, flow, &settings.sim, shape)
}

/// Where images would go.
fn output(settings: &RunSettings) -> String {
    let name = if settings.names.is_usual() { "SCENE-vN" } else { settings.names.text() };
    let folder = format!("{}/RUN/images/{name}.png", settings.out.display());
    match &settings.out_bucket {
        Some(place) => format!("{folder}, and {place}/RUN"),
        None => folder,
    }
}

fn whole_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The request settings of a run, without its rows.
pub(super) fn request_identity(settings: &RunSettings) -> Sha256Digest {
    identity(settings, "")
}

/// What makes two runs the same run: the same rows and the same request settings.
pub(super) fn identity(settings: &RunSettings, rows_sha256: &str) -> Sha256Digest {
    let spec = &settings.spec;
    let mut text = format!(
        "imagemill-run/1\nrows={rows_sha256}\nrequest={}\nsimulated={}\n",
        serde_json::to_string(spec).expect("plain values serialize"),
        settings.is_simulated()
    );
    if let Some(origin) = settings.origin() {
        text.push_str(&format!("origin={origin}\n"));
    }
    Sha256Digest::of(text.as_bytes())
}

fn binding(sources: &Sources<'_>, rows_sha256: String) -> PlanBinding {
    let settings = sources.settings;
    let mut bound = BTreeMap::new();
    for setting in in_plans() {
        if let Some(given) = sources.layers.get(*setting) {
            bound.insert(setting.key.to_owned(), given.text.clone());
        }
    }
    let spec = &settings.spec;
    for (setting, value) in [
        (layers::PROVIDER, &spec.provider),
        (layers::MODEL, &spec.model),
        (layers::SIZE, &spec.size),
        (layers::QUALITY, &spec.quality),
    ] {
        bound.insert(setting.key.to_owned(), value.to_string());
    }
    if let Some(share) = &settings.canary {
        bound.insert(layers::CANARY.key.to_owned(), share.percent.to_string());
        bound.insert(layers::CANARY_NAME.key.to_owned(), share.name.clone());
    }
    PlanBinding {
        rows_path: input_name(&settings.rows),
        rows_sha256,
        prices_digest: sources.book.digest(),
        settings: bound,
        untrusted: in_plans()
            .filter(|it| sources.layers.get(**it).is_some_and(|it| it.origin.is_untrusted()))
            .map(|setting| setting.key.to_owned())
            .collect(),
        gates: settings.gates.iter().map(Gate::text).map(str::to_owned).collect(),
        fit_budget: settings.fit_budget,
        rehearsal: settings.rehearsal,
        dedupe: settings.dedupe,
        reuse: settings.reuse,
    }
}
