//! Makes the plan document of a run from what the planning pass found.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use crate::cli::layers::{self, Layers, SETTINGS};
use crate::commands::failure::{Failure, FileError};
use crate::commands::planning::{Planned, input_name};
use crate::commands::world::World;
use crate::domain::batch::Batch;
use crate::domain::gate::Gate;
use crate::domain::money::NanoUsd;
use crate::domain::plan::{Plan, PlanBinding, PlanCost, PlanRequest, PlanRows, SCHEMA};
use crate::domain::price::PriceBook;
use crate::domain::request::WorkDigest;
use crate::domain::retry::MAX_THROTTLES;
use crate::domain::settings::{Mode, RowsInput, RunSettings};
use crate::domain::sim::{RetryPlan, forecast_with};
use crate::exit::Exit;

/// A price book older than this many days is worth a note.
const OLD_PRICES_DAYS: u32 = 30;

/// Settings that a saved plan is not bound to: where things are kept and how they are shown.
const UNBOUND: &[&str] = &[layers::OUT.key, layers::LEDGER.key, layers::TZ.key, layers::PRICES.key];

/// What a plan document is made from.
pub(super) struct Sources<'a> {
    /// The settings.
    pub(super) settings: &'a RunSettings,
    /// The layers they came from.
    pub(super) layers: &'a Layers,
    /// The price book.
    pub(super) book: &'a PriceBook,
    /// What the planning pass found.
    pub(super) planned: &'a Planned,
    /// Whether the bytes of the rows must be known.
    pub(super) binds: bool,
    /// The zone in which times are shown.
    pub(super) display_zone: &'a TimeZone,
}

/// Makes the plan.
pub(super) fn make(world: &World, sources: &Sources<'_>) -> Result<Plan, Failure> {
    let Sources { settings, planned, .. } = *sources;
    let batch = &planned.batch;
    let rows_sha256 =
        if sources.binds { rows_digest(world, &settings.rows)? } else { String::new() };
    let identity = identity(settings, &rows_sha256);
    let retries = settings.paid_retries.allowance(batch.chosen().images);
    let shape = RetryPlan {
        paid_attempts: settings.paid_retries.attempts,
        paid_retries: retries,
        throttled_attempts: MAX_THROTTLES,
    };
    let forecast = forecast_with(batch.chosen().images, settings.concurrency, &settings.sim, shape);
    Ok(Plan {
        schema: SCHEMA.to_owned(),
        identity: identity.to_string(),
        mode: settings.mode.word().to_owned(),
        bound: binding(sources, rows_sha256),
        rows: rows(settings, planned),
        requests: requests(batch),
        cost: cost(sources, retries)?,
        forecast_ms: u64::try_from(forecast.as_millis()).unwrap_or(u64::MAX),
        concurrency: settings.concurrency,
        gates: settings.gates.iter().map(|gate| gate.text().to_owned()).collect(),
        output: format!("{}/RUN/images/SCENE-vN.png", settings.out.display()),
        unusual: unusual(sources),
    })
}

/// What makes two runs the same run: the same rows and the same request settings.
pub(super) fn identity(settings: &RunSettings, rows_sha256: &str) -> WorkDigest {
    let spec = &settings.spec;
    let text = format!(
        "imagemill-run/1\nrows={rows_sha256}\nrequest={}\nsimulated={}\n",
        serde_json::to_string(spec).expect("plain values serialize"),
        settings.is_simulated()
    );
    WorkDigest::of(text.as_bytes())
}

/// The SHA-256 of the rows file; standard input has none before it is spooled.
fn rows_digest(world: &World, rows: &RowsInput) -> Result<String, Failure> {
    let RowsInput::File(path) = rows else { return Ok(String::new()) };
    let digest = || {
        let mut file = File::open(world.path(path))?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(WorkDigest(hasher.finalize().into()).to_string()),
                n => hasher.update(&buffer[..n]),
            }
        }
    };
    digest().map_err(|source| {
        let path = path.display().to_string();
        Failure::new(Exit::Invalid, FileError { action: "read", path, source })
    })
}

fn binding(sources: &Sources<'_>, rows_sha256: String) -> PlanBinding {
    let settings = sources.settings;
    let mut bound = BTreeMap::new();
    for setting in SETTINGS.iter().filter(|setting| !UNBOUND.contains(&setting.key)) {
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
        gates: settings.gates.iter().map(Gate::text).map(str::to_owned).collect(),
        fit_budget: settings.fit_budget,
    }
}

fn rows(settings: &RunSettings, planned: &Planned) -> PlanRows {
    let batch = &planned.batch;
    let over = batch.n_over_budget();
    PlanRows {
        accepted: batch.n_rows(),
        rejected: planned.n_bad,
        images: batch.whole().images,
        selected: batch.n_selected(),
        images_selected: batch.chosen().images,
        held_by_canary: batch.n_held() - over,
        held_by_budget: over,
        canary: settings
            .canary
            .as_ref()
            .map(|share| format!("{} (order {:?})", share.percent, share.name)),
        uncovered: batch.uncovered().iter().map(ToString::to_string).collect(),
        with_references: batch.whole().rows_with_references,
        url_references: batch.url_references(),
        local_references: batch.local_references(),
    }
}

fn requests(batch: &Batch) -> Vec<PlanRequest> {
    let mut by_ask: BTreeMap<[&str; 4], u64> = BTreeMap::new();
    for class in batch.classes() {
        let spec = &class.spec;
        let key = [&*spec.provider, &*spec.model, &*spec.size, &*spec.quality];
        *by_ask.entry(key).or_default() += class.n_rows * u64::from(class.variants);
    }
    by_ask
        .into_iter()
        .map(|([provider, model, size, quality], images)| PlanRequest {
            provider: provider.to_owned(),
            model: model.to_owned(),
            size: size.to_owned(),
            quality: quality.to_owned(),
            images,
        })
        .collect()
}

fn cost(sources: &Sources<'_>, retries: u64) -> Result<PlanCost, Failure> {
    let Sources { settings, planned, display_zone, .. } = *sources;
    let (batch, money) = (&planned.batch, &planned.money);
    let chosen = batch.chosen();
    let too_much = || Failure::new(Exit::Invalid, "the batch costs more than can be counted");
    let add = |one: NanoUsd, other: NanoUsd| one.checked_add(other).ok_or_else(too_much);
    let at_retries = chosen.dearest.checked_mul(retries).ok_or_else(too_much)?;
    let smallest_limit = add(money.exposure(), chosen.maximum)?;
    let fits_run = settings.limit_per_run.is_none_or(|limit| chosen.maximum <= limit);
    Ok(PlanCost {
        expected: chosen.expected,
        first_attempts: chosen.maximum,
        paid_retries: retries,
        maximum: add(chosen.maximum, at_retries)?,
        limit_per_day: money.limit_per_day,
        limit_origin: money.limit_origin.clone(),
        limit_per_run: settings.limit_per_run,
        exposure_today: money.exposure(),
        settled_today: money.settled,
        held_today: money.held,
        day: money.day.to_string(),
        resets: resets(money.day, &money.zone, display_zone),
        simulated: settings.is_simulated(),
        fits: fits_run && smallest_limit <= money.limit_per_day,
        smallest_limit,
    })
}

/// When the ledger's day ends, in the zone of display.
fn resets(day: jiff::civil::Date, zone: &TimeZone, display: &TimeZone) -> String {
    let end: Option<Timestamp> = day
        .tomorrow()
        .ok()
        .and_then(|next| next.to_zoned(zone.clone()).ok())
        .map(|midnight| midnight.timestamp());
    match end {
        Some(end) => end.to_zoned(display.clone()).strftime("%H:%M %Z").to_string(),
        None => "never".to_owned(),
    }
}

fn unusual(sources: &Sources<'_>) -> Vec<String> {
    let Sources { settings, planned, book, .. } = *sources;
    let batch = &planned.batch;
    let mut notes = Vec::new();
    notes.extend(planned.money.note.clone());
    if settings.mode == Mode::DryRun && batch.url_references() > 0 {
        notes.push(format!(
            "{} references by URL: a live run of this version rejects their rows",
            batch.url_references()
        ));
    }
    if let Some(days) = book.age_days(planned.money.day).filter(|days| *days > OLD_PRICES_DAYS) {
        notes.push(format!("the price book is {days} days old"));
    }
    let mut warnings: BTreeMap<String, u64> = BTreeMap::new();
    for class in batch.classes() {
        for warning in class.quote.iter().flat_map(|quote| &quote.warnings) {
            let text = format!("{} / {}: {warning}", class.spec.provider, class.spec.model);
            *warnings.entry(text).or_default() += class.n_rows;
        }
    }
    notes.extend(warnings.into_iter().map(|(text, n_rows)| format!("{text} ({n_rows} rows)")));
    notes
}
