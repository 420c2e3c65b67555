//! Collects the rows of the planning pass: prices each class once, hashes names for the canary.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;

use crate::domain::batch::class::{ClassId, ClassKey, RowClass, n_references, spread};
use crate::domain::batch::selection::Batch;
use crate::domain::canary::{self, CanaryOrder, OrderHasher, Strata};
use crate::domain::money::NanoUsd;
use crate::domain::price::{PriceAsk, PriceBook, QuoteError, SIM_PROVIDER};
use crate::domain::request::ImageSpec;
use crate::domain::row::RowBrief;
use crate::domain::settings::CanaryShare;

/// The largest side that the simulator paints, in pixels.
const MAX_SIM_SIDE: u32 = 4_096;

/// Slots of the small table that finds the class of most rows without a look-up: a few times as
/// many as the classes of most batches.
const RECENT: usize = 1_024;

/// Why the planning pass gives up.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// More different sets of options than can be told apart.
    #[error("rows use more than {} different sets of options", u16::MAX)]
    TooManyClasses,
    /// The money of the batch cannot be counted.
    #[error("the batch costs more money than can be counted")]
    TooMuchMoney,
    /// More kinds of rows than a canary can keep apart.
    #[error(transparent)]
    Strata(#[from] canary::TooManyStrata),
}

/// Why a row is declined in the planning pass.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    /// The simulator cannot paint that size.
    #[error("the simulator paints sizes of WIDTHxHEIGHT up to {MAX_SIM_SIDE} pixels, not {size:?}")]
    SimSize {
        /// The size as it was asked for.
        size: String,
    },
    /// One image may cost more than the row allows.
    #[error(
        "one image may cost {} at worst, more than its max_cost of {}",
        .worst.dollars(),
        .allowed.dollars()
    )]
    OverMaxCost {
        /// The worst case of one image.
        worst: NanoUsd,
        /// What the row allows.
        allowed: NanoUsd,
    },
}

/// Collects the rows of the planning pass.
#[derive(Debug)]
pub struct Planner<'a> {
    book: &'a PriceBook,
    today: Date,
    spec: &'a ImageSpec,
    canary: Option<CanaryNotes>,
    keys: Vec<ClassKey>,
    by_key: BTreeMap<ClassKey, u16>,
    /// The last class that was found for each slot.
    recent: Vec<u16>,
    classes: Vec<RowClass>,
    class_of: Vec<ClassId>,
    url_references: u64,
    local_references: u64,
    problem: Option<BatchError>,
}

#[derive(Debug)]
struct CanaryNotes {
    hasher: OrderHasher,
    hashes: Vec<u64>,
    strata: Strata,
    stratum_of: Vec<u16>,
}

impl<'a> Planner<'a> {
    /// Starts with no rows; `today` decides which models are retired.
    pub fn new(
        book: &'a PriceBook,
        today: Date,
        spec: &'a ImageSpec,
        canary: Option<&CanaryShare>,
    ) -> Self {
        Self {
            book,
            today,
            spec,
            canary: canary.map(|share| CanaryNotes {
                hasher: OrderHasher::new(&share.name),
                hashes: Vec::new(),
                strata: Strata::default(),
                stratum_of: Vec::new(),
            }),
            keys: Vec::new(),
            by_key: BTreeMap::new(),
            recent: vec![0; RECENT],
            classes: Vec::new(),
            class_of: Vec::new(),
            url_references: 0,
            local_references: 0,
            problem: None,
        }
    }

    /// Takes the next good row of the input.
    ///
    /// # Errors
    /// When the row must be declined; it is not counted then.
    pub fn add(&mut self, brief: &RowBrief<'_>) -> Result<(), Objection> {
        let Some(id) = self.class_for(brief) else {
            self.problem.get_or_insert(BatchError::TooManyClasses);
            return Ok(());
        };
        let class = &mut self.classes[id.index()];
        if !class.is_paintable {
            return Err(Objection::SimSize { size: class.spec.size.to_string() });
        }
        if let (Some(allowed), Ok(quote)) = (brief.max_cost, &class.quote)
            && quote.maximum > allowed
        {
            return Err(Objection::OverMaxCost { worst: quote.maximum, allowed });
        }
        class.n_rows += 1;
        self.url_references += u64::from(brief.n_url_references);
        self.local_references += u64::from(brief.n_local_references);
        self.class_of.push(id);
        if let Some(notes) = &mut self.canary {
            let model = &self.classes[id.index()].spec.model;
            let has_refs = n_references(brief) > 0;
            match notes.strata.number(brief.canary, has_refs, brief.variants, model) {
                Ok(stratum) => {
                    notes.hashes.push(notes.hasher.hash(brief.scene_id));
                    notes.stratum_of.push(stratum);
                }
                Err(error) => {
                    self.problem.get_or_insert(error.into());
                }
            }
        }
        Ok(())
    }

    /// Fixes the order and the share of rows.
    ///
    /// # Errors
    /// When the batch cannot be counted; see [`BatchError`].
    pub fn finish(self, canary: Option<&CanaryShare>) -> Result<Batch, BatchError> {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        let order: Option<CanaryOrder> = self.canary.as_ref().map(|notes| {
            // Equal 64-bit hashes of different names are not expected; input order then decides.
            canary::order(
                &notes.hasher,
                &notes.hashes,
                &notes.stratum_of,
                &notes.strata,
                &|a, b| a.cmp(&b),
            )
        });
        let uncovered = match (&order, &self.canary, canary) {
            (Some(order), Some(notes), Some(share)) => {
                order.uncovered(share.percent, &notes.stratum_of, &notes.strata)
            }
            _ => Vec::new(),
        };
        let n_selected = match (&order, canary) {
            (Some(order), Some(share)) => order.n_selected(share.percent),
            _ => self.class_of.len() as u64,
        };
        let order = order.map(|order| order.rows().into());
        Batch::new(self.classes, self.class_of, order, n_selected, uncovered)
            .map(|batch| batch.with_references(self.url_references, self.local_references))
    }

    fn class_for(&mut self, brief: &RowBrief<'_>) -> Option<ClassId> {
        let slot = spread(brief) % RECENT;
        let recent = self.recent[slot];
        if self.keys.get(usize::from(recent)).is_some_and(|key| key.is_of(brief)) {
            return Some(ClassId(recent));
        }
        let key = ClassKey::of(brief);
        let id = match self.by_key.get(&key) {
            Some(&id) => id,
            None => self.new_class(key)?,
        };
        self.recent[slot] = id;
        Some(ClassId(id))
    }

    fn new_class(&mut self, key: ClassKey) -> Option<u16> {
        let id = u16::try_from(self.classes.len()).ok()?;
        let pick = |own: &Option<Box<str>>, run: &Arc<str>| {
            own.as_deref().map_or_else(|| Arc::clone(run), Arc::from)
        };
        let spec = ImageSpec {
            provider: pick(&key.provider, &self.spec.provider),
            model: pick(&key.model, &self.spec.model),
            size: pick(&key.size, &self.spec.size),
            quality: pick(&key.quality, &self.spec.quality),
            ..self.spec.clone()
        };
        let ask = PriceAsk {
            provider: &spec.provider,
            model: &spec.model,
            size: Some(&spec.size),
            quality: Some(&spec.quality),
            n_input_images: key.n_references,
        };
        let quote = self.book.quote(&ask, self.today).and_then(|quote| {
            quote.with_prompt(key.max_prompt_bytes()).ok_or_else(|| QuoteError::TooLarge {
                provider: spec.provider.to_string(),
                model: spec.model.to_string(),
            })
        });
        self.classes.push(RowClass {
            variants: key.variants,
            n_references: key.n_references,
            is_paintable: &*spec.provider != SIM_PROVIDER || is_sim_size(&spec.size),
            quote: quote.map(Arc::new),
            n_rows: 0,
            spec: Arc::new(spec),
        });
        self.by_key.insert(key.clone(), id);
        self.keys.push(key);
        Some(id)
    }
}

/// Whether the simulator can paint a size such as `1024x1024`.
fn is_sim_size(size: &str) -> bool {
    let side = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        digits && text.parse().is_ok_and(|side: u32| (1..=MAX_SIM_SIDE).contains(&side))
    };
    size.split_once('x').is_some_and(|(width, height)| side(width) && side(height))
}
