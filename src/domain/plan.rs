//! The plan of a run (`imagemill.plan/1`): what it would do and cost; saved, it binds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::history::Census;
use crate::domain::money::NanoUsd;
use crate::domain::reference_plan::FreshnessCounts;

/// The name and version of the format.
pub const SCHEMA: &str = "imagemill.plan/1";

/// A plan, as it is shown and saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The name and version of this format.
    pub schema: String,
    /// What makes two runs the same run: rows and request settings.
    pub identity: String,
    /// The request settings alone: with the same ones, a run may go on with changed rows.
    #[serde(default)]
    pub request: String,
    /// What is left of the run that this one goes on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goes_on: Option<PlanGoesOn>,
    /// Rows that are not sent, since their images are copied.
    #[serde(default, skip_serializing_if = "PlanTwins::is_empty")]
    pub twins: PlanTwins,
    /// Where the ledger lies that the run books into, in the plan of a run alone. It decides
    /// nothing: whoever goes on with another one is told of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<String>,
    /// `dry-run` or `live`.
    pub mode: String,
    /// What the plan was made from; a saved plan is refused when any of it has changed.
    pub bound: PlanBinding,
    /// The rows.
    pub rows: PlanRows,
    /// What is asked of whom, by provider, model, size and quality.
    pub requests: Vec<PlanRequest>,
    /// Where the requests go, when they go over the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<PlanServer>,
    /// Money.
    pub cost: PlanCost,
    /// The expected elapsed time in milliseconds.
    pub forecast_ms: u64,
    /// The time that an image is taken to need, where only the provider knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assumed_latency_ms: Option<u64>,
    /// The most requests in flight.
    pub concurrency: u32,
    /// The most requests in a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u32>,
    /// The most images in a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images_per_minute: Option<u32>,
    /// The conditions on the run.
    pub gates: Vec<String>,
    /// Where images would go.
    pub output: String,
    /// What a person should look at.
    pub unusual: Vec<String>,
}

/// What is left of a run that goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanGoesOn {
    /// The run.
    pub run_id: String,
    /// Rows by what is known of them, and the images that are bought now.
    #[serde(flatten)]
    pub census: Census,
    /// What was charged so far.
    pub cost_settled: NanoUsd,
    /// What is held for attempts of which nobody knows what they cost.
    pub cost_unknown: NanoUsd,
}

/// Rows that are not sent, since their images are copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanTwins {
    /// Rows that ask for the same as another row (`--dedupe`).
    pub rows: u64,
    /// Their images.
    pub images: u64,
    /// Rows whose images an earlier run has kept (`--reuse`).
    pub kept_rows: u64,
    /// Those images.
    pub kept_images: u64,
    /// Rows that `--reuse` leaves alone: nobody knows before they are fetched whether the
    /// references behind their addresses have changed.
    pub remote: u64,
    /// What the copies would have cost.
    pub saved: NanoUsd,
}

impl PlanTwins {
    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a plan was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanBinding {
    /// The rows file as it was named.
    pub rows_path: String,
    /// The SHA-256 of its bytes; empty while nobody needs it.
    pub rows_sha256: String,
    /// The digest of the price book.
    pub prices_digest: String,
    /// Settings as text, by key.
    pub settings: BTreeMap<String, String>,
    /// Settings that come from a project's file which nobody had trusted, by key: what such a file
    /// must not decide, it does not decide through a plan either.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untrusted: Vec<String>,
    /// Gates as text.
    pub gates: Vec<String>,
    /// Whether only the rows that fit are run.
    pub fit_budget: bool,
    /// Whether a server on the user's machine plays the provider.
    #[serde(default)]
    pub rehearsal: bool,
    /// Whether rows that ask for the same are sent once.
    #[serde(default)]
    pub dedupe: bool,
    /// Whether images that earlier runs have kept are taken from there.
    #[serde(default)]
    pub reuse: bool,
}

/// Where the requests go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanServer {
    /// The base URL.
    pub base_url: String,
    /// Where the key comes from, in a few words.
    pub key: String,
}

/// The rows of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRows {
    /// Valid rows.
    pub accepted: u64,
    /// Bad rows.
    pub rejected: u64,
    /// Images that the valid rows ask for.
    pub images: u64,
    /// Rows that this run would send.
    pub selected: u64,
    /// Images of those rows.
    pub images_selected: u64,
    /// Rows outside the canary share.
    pub held_by_canary: u64,
    /// Rows left out by `--fit-budget`.
    pub held_by_budget: u64,
    /// The canary share, when there is one.
    pub canary: Option<String>,
    /// Kinds of rows without a row in the canary share.
    pub uncovered: Vec<String>,
    /// Rows with references.
    pub with_references: u64,
    /// References with an address.
    pub url_references: u64,
    /// References with a path.
    pub local_references: u64,
    /// How fresh the addresses are; each is counted once.
    #[serde(default)]
    pub freshness: FreshnessCounts,
}

/// What is asked of one provider and model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRequest {
    /// The provider.
    pub provider: String,
    /// The model.
    pub model: String,
    /// The size.
    pub size: String,
    /// The quality.
    pub quality: String,
    /// Images of the rows that this run would send.
    pub images: u64,
}

/// The money of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanCost {
    /// Expected.
    pub expected: NanoUsd,
    /// Every first attempt at its worst.
    pub first_attempts: NanoUsd,
    /// How many possibly billed attempts may be bought again.
    pub paid_retries: u64,
    /// At most: first attempts and paid retries at their worst.
    pub maximum: NanoUsd,
    /// The limit of the day that counts.
    pub limit_per_day: NanoUsd,
    /// Where that limit comes from.
    pub limit_origin: String,
    /// Whether it is the ledger's own limit, which only `ledger limit set` raises.
    pub limit_is_ledgers: bool,
    /// The limit of the run, when there is one.
    pub limit_per_run: Option<NanoUsd>,
    /// Settled, reserved and unknown money of the day before the run.
    pub exposure_today: NanoUsd,
    /// Settled money of the day.
    pub settled_today: NanoUsd,
    /// Held money of the day, reserved and unknown.
    pub held_today: NanoUsd,
    /// The civil day of the ledger.
    pub day: String,
    /// When the day ends, in the zone of display.
    pub resets: String,
    /// Whether the money is simulated.
    pub simulated: bool,
    /// Whether the plan fits the limits.
    pub fits: bool,
    /// The smallest daily limit that would let it start.
    pub smallest_limit: NanoUsd,
    /// The ledger's limits beside that of the day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<PlanLimit>,
}

impl PlanCost {
    /// Whether the plan fits the limit of the day.
    pub fn fits_day(&self) -> bool {
        self.smallest_limit <= self.limit_per_day
    }

    /// The first of the ledger's further limits that the plan does not fit.
    pub fn misfit(&self) -> Option<&PlanLimit> {
        self.limits.iter().find(|limit| !limit.fits())
    }
}

/// One of the ledger's limits beside that of the day, and what the plan wants of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanLimit {
    /// What it is per, in words: `image`, `run`, `24 hours`, `day of model M`.
    pub per: String,
    /// Its value.
    pub limit: NanoUsd,
    /// What weighs on it before the run.
    pub taken: NanoUsd,
    /// What the run adds at its worst, without paid retries.
    pub wanted: NanoUsd,
}

impl PlanLimit {
    /// Whether the run fits.
    pub fn fits(&self) -> bool {
        self.taken.checked_add(self.wanted).is_some_and(|sum| sum <= self.limit)
    }
}

/// Why a saved plan cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The text is no plan of this version.
    #[error("{file} is no plan that this version wrote")]
    NotAPlan {
        /// The file.
        file: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The plan has another version.
    #[error("{file} is a plan of version {schema:?}, and this tool reads {SCHEMA:?}")]
    Version {
        /// The file.
        file: String,
        /// Its version.
        schema: String,
    },
    /// Something that the plan is bound to has changed.
    #[error("{file} does not match any more: {}", changes.join("; "))]
    Stale {
        /// The file.
        file: String,
        /// What has changed, one sentence each.
        changes: Vec<String>,
    },
}

impl Plan {
    /// Reads a saved plan.
    ///
    /// # Errors
    /// When the text is no plan of this version.
    pub fn parse(text: &str, file: &str) -> Result<Self, PlanError> {
        let plan: Self = serde_json::from_str(text)
            .map_err(|source| PlanError::NotAPlan { file: file.to_owned(), source })?;
        if plan.schema == SCHEMA {
            Ok(plan)
        } else {
            Err(PlanError::Version { file: file.to_owned(), schema: plan.schema })
        }
    }

    /// What has changed between this plan, as it was reviewed, and one made now.
    ///
    /// # Errors
    /// When anything that it is bound to differs.
    pub fn must_match(&self, now: &Self, file: &str) -> Result<(), PlanError> {
        let (was, is) = (&self.bound, &now.bound);
        let mut changes = Vec::new();
        if was.rows_sha256 != is.rows_sha256 {
            changes.push(format!(
                "{} has changed ({} rows then, {} now)",
                was.rows_path, self.rows.accepted, now.rows.accepted
            ));
        }
        if was.prices_digest != is.prices_digest {
            changes.push(format!(
                "prices have changed (at most {} then, {} now)",
                self.cost.maximum.dollars(),
                now.cost.maximum.dollars()
            ));
        }
        let keys: std::collections::BTreeSet<&String> =
            was.settings.keys().chain(is.settings.keys()).collect();
        for key in keys {
            let show = |value: Option<&String>| value.map_or("unset", String::as_str).to_owned();
            let (then, now) = (was.settings.get(key), is.settings.get(key));
            if then != now {
                changes.push(format!("{key} was {} and is {}", show(then), show(now)));
            }
        }
        if was.gates != is.gates {
            changes.push("gates have changed".to_owned());
        }
        if was.rehearsal != is.rehearsal {
            changes.push("--rehearsal has changed".to_owned());
        }
        for (flag, was, is) in [
            ("--fit-budget", was.fit_budget, is.fit_budget),
            ("--dedupe", was.dedupe, is.dedupe),
            ("--reuse", was.reuse, is.reuse),
        ] {
            if was != is {
                changes.push(format!("{flag} has changed"));
            }
        }
        if changes.is_empty() {
            Ok(())
        } else {
            Err(PlanError::Stale { file: file.to_owned(), changes })
        }
    }
}
