//! A planned batch: which rows are sent in which order, and what that costs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::batch::class::{ClassId, RowClass};
use crate::domain::batch::planner::BatchError;
use crate::domain::canary::Uncovered;
use crate::domain::gate::RowTags;
use crate::domain::money::NanoUsd;
use crate::domain::price::Quote;
use crate::domain::request::ImageSpec;
use crate::domain::row::Row;

/// Totals over a set of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Rows.
    pub rows: u64,
    /// Images they ask for.
    pub images: u64,
    /// Rows that have references.
    pub rows_with_references: u64,
    /// Expected cost.
    pub expected: NanoUsd,
    /// Worst case of every first attempt.
    pub maximum: NanoUsd,
    /// The dearest worst case of one image.
    pub dearest: NanoUsd,
}

/// Rows and images of one class.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sent {
    /// Rows.
    pub rows: u64,
    /// Their images.
    pub images: u64,
}

impl RowClass {
    fn whole(&self) -> Sent {
        Sent { rows: self.n_rows, images: self.n_rows * u64::from(self.variants) }
    }
}

/// Money that a batch may still take.
#[derive(Clone, Debug)]
pub struct Room {
    /// All together.
    pub all: NanoUsd,
    /// The worst case of a single image.
    pub image: NanoUsd,
    /// By model, for models that have a limit of their own.
    pub models: BTreeMap<Arc<str>, NanoUsd>,
}

impl Room {
    /// Takes the worst case of a row out of the room; whether it fitted.
    fn take(&mut self, model: &str, image: NanoUsd, row: NanoUsd) -> bool {
        let mut of_model = self.models.get_mut(model);
        let room_of_model = of_model.as_deref().copied().unwrap_or(NanoUsd::MAX);
        if image > self.image || row > self.all.min(room_of_model) {
            return false;
        }
        self.all = self.all.minus_or_zero(row);
        if let Some(room) = &mut of_model {
            **room = room.minus_or_zero(row);
        }
        true
    }
}

/// A planned batch.
#[derive(Clone, Debug)]
pub struct Batch {
    classes: Vec<RowClass>,
    class_of: Vec<ClassId>,
    order: Option<Arc<[u32]>>,
    n_selected: u64,
    n_over_budget: u64,
    /// For each row a bit for each image that is made; nothing when all are.
    masks: Option<Vec<u16>>,
    n_settled: u64,
    uncovered: Vec<Uncovered>,
    whole: Totals,
    chosen: Totals,
    url_references: u64,
    local_references: u64,
}

impl Batch {
    pub(super) fn new(
        classes: Vec<RowClass>,
        class_of: Vec<ClassId>,
        order: Option<Arc<[u32]>>,
        n_selected: u64,
        uncovered: Vec<Uncovered>,
    ) -> Result<Self, BatchError> {
        let mut batch = Self {
            classes,
            class_of,
            order,
            n_selected,
            n_over_budget: 0,
            masks: None,
            n_settled: 0,
            uncovered,
            whole: Totals::default(),
            chosen: Totals::default(),
            url_references: 0,
            local_references: 0,
        };
        batch.whole = batch.totals_of_all()?;
        batch.chosen =
            if n_selected == batch.n_rows() { batch.whole } else { batch.totals_of_selected()? };
        Ok(batch)
    }

    pub(super) fn with_references(mut self, url: u64, local: u64) -> Self {
        self.url_references = url;
        self.local_references = local;
        self
    }

    /// Good rows of the input.
    pub fn n_rows(&self) -> u64 {
        self.class_of.len() as u64
    }

    /// Rows that this run sends.
    pub const fn n_selected(&self) -> u64 {
        self.n_selected
    }

    /// Rows outside the canary share or beyond the budget, and those that a run which goes on
    /// leaves for later; none of them is sent.
    pub fn n_held(&self) -> u64 {
        self.n_rows() - self.n_selected - self.n_settled
    }

    /// Rows of which an earlier process of the run has told the end.
    pub const fn n_settled(&self) -> u64 {
        self.n_settled
    }

    /// The images of a row that are made, counted from 1.
    pub fn variants(&self, position: u32) -> impl Iterator<Item = u8> + use<> {
        let mask = self.mask(position);
        (1..=16).filter(move |variant| mask >> (variant - 1) & 1 == 1)
    }

    /// How many images of a row are made.
    pub fn n_variants(&self, position: u32) -> u64 {
        u64::from(self.mask(position).count_ones())
    }

    fn mask(&self, position: u32) -> u16 {
        match &self.masks {
            Some(masks) => masks[position as usize],
            None => (1_u16 << self.class(self.class_of(position)).variants) - 1,
        }
    }

    /// Leaves out whatever was done before: `masks` has for each row a bit for each image that is
    /// still made, and `n_settled` rows without any have an end that counts.
    ///
    /// # Errors
    /// When the money cannot be counted.
    pub fn go_on(&mut self, masks: Vec<u16>, n_settled: u64) -> Result<(), BatchError> {
        let left = self.selected().filter(|position| masks[*position as usize] != 0);
        let order: Vec<u32> = left.collect();
        self.n_selected = order.len() as u64;
        self.order = Some(order.into());
        self.masks = Some(masks);
        self.n_settled = n_settled;
        self.chosen = self.totals_of_selected()?;
        Ok(())
    }

    /// Leaves out rows whose images are copied: nothing of them is made.
    ///
    /// # Errors
    /// When the money cannot be counted.
    pub fn leave(&mut self, rows: &BTreeSet<u32>) -> Result<(), BatchError> {
        if rows.is_empty() {
            return Ok(());
        }
        let n_rows = u32::try_from(self.class_of.len()).expect("rows are counted in 32 bits");
        let mask = |row| if rows.contains(&row) { 0 } else { self.mask(row) };
        let masks = (0..n_rows).map(mask).collect();
        self.go_on(masks, self.n_settled + rows.len() as u64)
    }

    /// Of the held rows, those that `--fit-budget` left out.
    pub const fn n_over_budget(&self) -> u64 {
        self.n_over_budget
    }

    /// Kinds of rows without a row inside the canary share.
    pub fn uncovered(&self) -> &[Uncovered] {
        &self.uncovered
    }

    /// Totals over every good row.
    pub const fn whole(&self) -> &Totals {
        &self.whole
    }

    /// Totals over the rows that this run sends.
    pub const fn chosen(&self) -> &Totals {
        &self.chosen
    }

    /// References with an address, over every good row.
    pub const fn url_references(&self) -> u64 {
        self.url_references
    }

    /// References with a path, over every good row.
    pub const fn local_references(&self) -> u64 {
        self.local_references
    }

    /// The classes of rows.
    pub fn classes(&self) -> &[RowClass] {
        &self.classes
    }

    /// What selectors of gates can choose among the rows that this run sends, and those `done` by
    /// earlier processes of it.
    pub fn planned_tags(&self, done: impl Iterator<Item = u32>) -> Vec<RowTags> {
        let mut is_there: Vec<bool> =
            self.selected_classes().map(|(_, sent)| sent.rows > 0).collect();
        for position in done {
            is_there[self.class_of(position).index()] = true;
        }
        let classes = self.classes.iter().zip(is_there);
        classes
            .filter(|(_, is_there)| *is_there)
            .map(|(class, _)| RowTags {
                provider: Arc::clone(&class.spec.provider),
                model: Arc::clone(&class.spec.model),
                size: Arc::clone(&class.spec.size),
                quality: Arc::clone(&class.spec.quality),
                variants: class.variants,
                has_refs: class.n_references > 0,
                error_kind: None,
            })
            .collect()
    }

    /// The classes, each with its rows and images that this run sends.
    pub fn selected_classes(&self) -> impl Iterator<Item = (&RowClass, Sent)> {
        let mut counts: Vec<Sent>;
        if self.n_selected == self.n_rows() && self.masks.is_none() {
            counts = self.classes.iter().map(RowClass::whole).collect();
        } else {
            counts = vec![Sent::default(); self.classes.len()];
            for position in self.selected() {
                let sent = &mut counts[self.class_of(position).index()];
                sent.rows += 1;
                sent.images += self.n_variants(position);
            }
        }
        self.classes.iter().zip(counts)
    }

    /// Positions of the rows that this run sends, in their order.
    pub fn selected(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.n_selected).map(|place| self.position(place))
    }

    /// The class of the row at a position.
    pub fn class_of(&self, position: u32) -> ClassId {
        self.class_of[position as usize]
    }

    /// What the rows of a class have in common.
    pub fn class(&self, class: ClassId) -> &RowClass {
        &self.classes[class.index()]
    }

    /// The price of one image of a class.
    ///
    /// # Panics
    /// When the class has no price; such a batch is refused before it runs.
    pub fn quote(&self, class: ClassId) -> Arc<Quote> {
        self.classes[class.index()].quote.clone().expect("unpriced batches are refused")
    }

    /// What is asked of the provider for a row: the class's own value is shared where it can be.
    pub fn spec_for(&self, class: ClassId, row: &Row, run: &ImageSpec) -> Arc<ImageSpec> {
        let own = &row.options;
        let special = own.format.is_some()
            || own.background.is_some()
            || own.seed.is_some()
            || own.negative_prompt.is_some();
        if special {
            Arc::new(ImageSpec::for_row(run, own))
        } else {
            Arc::clone(&self.classes[class.index()].spec)
        }
    }

    /// Keeps only the first rows of the order whose worst cases fit into `room` together.
    ///
    /// # Errors
    /// When the money cannot be counted.
    pub fn fit(&mut self, room: &Room) -> Result<(), BatchError> {
        let mut left = room.clone();
        let mut fitting = 0;
        for position in self.selected() {
            let class = self.class(self.class_of(position));
            let image = class.quote.as_ref().map_or(NanoUsd::ZERO, |quote| quote.maximum);
            let row = image.checked_mul(self.n_variants(position));
            let row = row.ok_or(BatchError::TooMuchMoney)?;
            if !left.take(&class.spec.model, image, row) {
                break;
            }
            fitting += 1;
        }
        self.n_over_budget = self.n_selected - fitting;
        self.n_selected = fitting;
        self.chosen = self.totals_of_selected()?;
        Ok(())
    }

    /// Sends some of the selected rows before the others, in the order given; which rows are sent
    /// stays as it is.
    pub fn hasten(&mut self, first: &[u32]) {
        if first.is_empty() {
            return;
        }
        let hastened: BTreeSet<u32> = first.iter().copied().collect();
        let rest = self.selected().filter(|position| !hastened.contains(position));
        let order: Vec<u32> = first.iter().copied().chain(rest).collect();
        debug_assert_eq!(order.len() as u64, self.n_selected, "the same rows");
        self.order = Some(order.into());
    }

    /// The worst case of every first attempt at a model, over the rows that this run sends.
    ///
    /// # Errors
    /// When the money cannot be counted.
    pub fn maximum_of_model(&self, model: &str) -> Result<NanoUsd, BatchError> {
        let mut totals = Totals::default();
        for (class, sent) in self.selected_classes().filter(|(it, _)| *it.spec.model == *model) {
            totals.add(class, sent)?;
        }
        Ok(totals.maximum)
    }

    fn position(&self, place: u64) -> u32 {
        let place = usize::try_from(place).expect("rows are counted in 32 bits");
        match &self.order {
            Some(order) => order[place],
            None => u32::try_from(place).expect("rows are counted in 32 bits"),
        }
    }

    fn totals_of_all(&self) -> Result<Totals, BatchError> {
        let mut totals = Totals::default();
        for class in &self.classes {
            totals.add(class, class.whole())?;
        }
        Ok(totals)
    }

    fn totals_of_selected(&self) -> Result<Totals, BatchError> {
        let mut totals = Totals::default();
        for (class, sent) in self.selected_classes() {
            totals.add(class, sent)?;
        }
        Ok(totals)
    }
}

impl Totals {
    fn add(&mut self, class: &RowClass, sent: Sent) -> Result<(), BatchError> {
        let Sent { rows: n_rows, images: n_images } = sent;
        self.rows += n_rows;
        self.images += n_images;
        self.rows_with_references += if class.n_references > 0 { n_rows } else { 0 };
        if n_rows > 0
            && let Ok(quote) = &class.quote
        {
            let add = |sum: NanoUsd, each: NanoUsd| {
                each.checked_mul(n_images)
                    .and_then(|amount| sum.checked_add(amount))
                    .ok_or(BatchError::TooMuchMoney)
            };
            self.expected = add(self.expected, quote.expected)?;
            self.maximum = add(self.maximum, quote.maximum)?;
            self.dearest = self.dearest.max(quote.maximum);
        }
        Ok(())
    }
}
