//! What is left of a run for each of its rows: which images are made when it goes on, what is
//! known of the others, and a census for people.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::digest::Sha256Digest;
use crate::domain::event::{RowFinished, RowWork, Tags};
use crate::domain::history::{History, ImagePast, Only, Standing};
use crate::domain::ids::SceneId;
use crate::domain::look::ImageCheck;
use crate::domain::money::NanoUsd;
use crate::domain::row::Outcome;
use crate::domain::settings::PaidRetries;

/// What is known of one image of a row whose run goes on.
#[derive(Clone, Copy, Debug)]
pub struct Past {
    /// Where it stands.
    pub standing: Standing,
    /// Attempts so far.
    pub attempts: u32,
    /// Attempts that were or may have been billed.
    pub billed: u32,
    /// What they cost.
    pub cost: NanoUsd,
    /// The time of the attempt that brought it, or of the last one.
    pub latency: Duration,
    /// What is known of its looks.
    pub check: ImageCheck,
    /// Whether its last answer for good was no image.
    pub was_no_image: bool,
    /// Whether it is made now.
    pub is_made: bool,
}

impl Past {
    /// What is known of an image, and whether it is made now.
    pub(super) fn of(image: Option<&ImagePast>, is_made: bool) -> Self {
        match image {
            Some(image) => Self {
                standing: image.standing(),
                attempts: image.attempts,
                billed: image.billed,
                cost: image.cost,
                latency: image.latency,
                check: image.check,
                was_no_image: image.was_no_image,
                is_made,
            },
            None => Self {
                standing: Standing::Pending,
                attempts: 0,
                billed: 0,
                cost: NanoUsd::ZERO,
                latency: Duration::ZERO,
                check: ImageCheck::default(),
                was_no_image: false,
                is_made,
            },
        }
    }

    /// Whether its answer was no image, and nothing came of it since.
    pub fn is_no_image(&self) -> bool {
        self.was_no_image && self.standing == Standing::Failed
    }

    /// Whether it may have been billed before, and is made now.
    pub fn is_bought_again(&self) -> bool {
        self.is_made && self.standing.paid_retry().is_some()
    }
}

/// What is left of a row that has a past.
#[derive(Clone, Debug)]
pub struct RowFate {
    /// Its images in their order, counted from variant 1.
    pub images: Vec<Past>,
}

impl RowFate {
    /// Whether any image is made now.
    pub fn is_open(&self) -> bool {
        self.images.iter().any(|image| image.is_made)
    }

    /// What became of the row so far.
    pub fn outcome(&self) -> Outcome {
        let count = |wanted: fn(Standing) -> bool| {
            self.images.iter().filter(|image| wanted(image.standing)).count()
        };
        let stored = count(|it| it == Standing::Stored);
        let pending = count(|it| it == Standing::Pending);
        let is_copied = self.images.iter().all(|image| image.attempts == 0);
        if stored == self.images.len() {
            if is_copied { Outcome::Skipped } else { Outcome::Ok }
        } else if stored > 0 && stored + pending < self.images.len() {
            Outcome::Partial
        } else if stored > 0 || pending == self.images.len() {
            Outcome::Cancelled
        } else if count(|it| it.paid_retry().is_some()) > 0 {
            Outcome::Unknown
        } else if count(|it| it == Standing::Failed) > 0 {
            Outcome::Failed
        } else {
            Outcome::Refused
        }
    }

    /// The end of the row, for the counters: as it was told, when that is still the last word.
    pub fn finished(
        &self,
        told: Option<&RowFinished>,
        scene_id: &SceneId,
        tags: Tags,
    ) -> RowFinished {
        let outcome = self.outcome();
        if let Some(told) = told.filter(|told| told.outcome == outcome) {
            return RowFinished { tags, ..told.clone() };
        }
        let sum = |number: fn(&Past) -> u32| self.images.iter().map(number).sum();
        let checks: Vec<ImageCheck> = self.images.iter().map(|image| image.check).collect();
        let cost = self.images.iter().fold(NanoUsd::ZERO, |sum, it| sum.saturating_add(it.cost));
        RowFinished {
            row: 0,
            scene_id: scene_id.clone(),
            outcome,
            error_kind: (outcome == Outcome::Unknown).then_some("unknown"),
            reason: (!matches!(outcome, Outcome::Ok | Outcome::Skipped))
                .then(|| "its process ended before the row was finished".to_owned()),
            latency: self.images.iter().map(|image| image.latency).max(),
            queue: None,
            fetch: None,
            work: RowWork {
                attempts: sum(|image| image.attempts),
                cost,
                images_expected: self.images.len() as u32,
                images_stored: sum(|image| u32::from(image.standing == Standing::Stored)),
                images_invalid: sum(|image| u32::from(image.is_no_image())),
                ..RowWork::default()
            }
            .looked_at(&checks),
            counts_as_error: false,
            tags,
        }
    }
}

/// Rows by what the run knows of them, for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Census {
    /// Every image is stored.
    pub done: u64,
    /// Some image may have been billed without bringing anything.
    pub unknown: u64,
    /// Some image failed.
    pub failed: u64,
    /// Some image was refused.
    pub refused: u64,
    /// It had not had its turn, or not for all its images.
    pub pending: u64,
    /// It was not in the rows before.
    pub added: u64,
    /// It asks for something else than before.
    pub changed: u64,
    /// Rows of before that are not there any more.
    pub removed: u64,
    /// Whether rows that were there before stand in another order.
    pub reordered: bool,
    /// Images that are made now.
    pub images: u64,
    /// Of them, images that may have been billed before.
    pub bought_again: u64,
}

/// What decides which images are made.
#[derive(Debug)]
pub struct LeftoverAsk<'a> {
    /// What the run has done so far.
    pub history: &'a History,
    /// The kinds that are continued.
    pub only: &'a [Only],
    /// How often a possibly billed attempt is bought again.
    pub paid: &'a PaidRetries,
    /// Images of all rows.
    pub n_images: u64,
    /// The names of the rows as they were, in their order; nothing where nobody knows.
    pub before: Option<&'a [SceneId]>,
}

/// What is left of a run.
#[derive(Debug)]
pub struct Leftover<'a> {
    ask: LeftoverAsk<'a>,
    /// Names of rows of which something was sent.
    sent: BTreeSet<&'a SceneId>,
    /// The place of each row before.
    places: BTreeMap<&'a SceneId, usize>,
    last_place: Option<usize>,
    n_met: usize,
    allowance: u64,
    /// For each row, a bit for each image that is made.
    pub masks: Vec<u16>,
    /// What is known of the rows that have a past, by their position.
    pub fates: BTreeMap<u32, RowFate>,
    /// The sums.
    pub census: Census,
}

impl<'a> Leftover<'a> {
    /// Starts before the first row.
    pub fn new(ask: LeftoverAsk<'a>) -> Self {
        let history = ask.history;
        let bought = history.n_bought();
        let places = ask.before.unwrap_or_default().iter().enumerate();
        Self {
            allowance: ask.paid.allowance(ask.n_images).saturating_sub(bought),
            sent: history.images.values().map(|image| &image.scene_id).collect(),
            places: places.map(|(place, name)| (name, place)).collect(),
            last_place: None,
            n_met: 0,
            masks: Vec::new(),
            fates: BTreeMap::new(),
            census: Census::default(),
            ask,
        }
    }

    /// How many possibly billed images may still be bought again beside those that are made now.
    pub const fn allowance(&self) -> u64 {
        self.allowance
    }

    /// Takes the next row, in the order of the input, with the identity of each of its images; of a
    /// row without a turn, such as one outside of a canary share, nothing is made.
    pub fn add(&mut self, scene_id: &SceneId, works: &[Sha256Digest], has_turn: bool) {
        self.note_place(scene_id);
        let history = self.ask.history;
        let has_past = works.iter().any(|work| history.image(work).is_some());
        let is_new = !has_past
            && (self.sent.contains(scene_id)
                || self.ask.before.is_some() && !self.places.contains_key(scene_id));
        let told = history.row(scene_id).filter(|_| has_past);
        let may_heal = told.is_some_and(|row| row.outcome.is_error());
        let images: Vec<Past> =
            works.iter().map(|work| self.decide(work, is_new, may_heal, has_turn)).collect();
        let mask = images.iter().enumerate();
        let mask = mask.fold(0, |mask, (n, image)| mask | u16::from(image.is_made) << n);
        let position = u32::try_from(self.masks.len()).expect("rows are counted with 32 bits");
        self.masks.push(mask);
        self.count(&images, scene_id, is_new);
        if has_past {
            self.fates.insert(position, RowFate { images });
        }
    }

    /// The sums, once every row was taken.
    pub fn census(&self) -> Census {
        let removed = self.ask.before.map_or(0, |before| before.len() - self.n_met);
        Census { removed: removed as u64, ..self.census }
    }

    fn note_place(&mut self, scene_id: &SceneId) {
        if let Some(place) = self.places.get(scene_id).copied() {
            self.n_met += 1;
            self.census.reordered |= self.last_place.is_some_and(|last| place < last);
            self.last_place = Some(place);
        }
    }

    /// What is known of an image, and whether it is made.
    fn decide(
        &mut self,
        work: &Sha256Digest,
        is_new: bool,
        may_heal: bool,
        has_turn: bool,
    ) -> Past {
        let wants = |only: Only| has_turn && self.ask.only.contains(&only);
        let Some(image) = self.ask.history.image(work) else {
            return Past::of(None, wants(if is_new { Only::New } else { Only::Pending }));
        };
        let policy = self.ask.paid;
        let standing = image.standing();
        let is_made = match standing {
            // One that is out may be billed; it is unknown once the ledger has been asked.
            Standing::Stored | Standing::Out => false,
            Standing::Pending => wants(Only::Pending) || may_heal && wants(Only::Failed),
            Standing::Failed => wants(Only::Failed),
            Standing::Refused => wants(Only::Refused),
            Standing::Unknown(_) | Standing::PaidLost => {
                let kind = standing.paid_retry();
                let is_allowed = wants(Only::Unknown)
                    && kind.is_some_and(|kind| policy.on.contains(&kind))
                    && image.billed < policy.attempts
                    && self.allowance > 0;
                self.allowance -= u64::from(is_allowed);
                is_allowed
            }
        };
        Past::of(Some(image), is_made)
    }

    fn count(&mut self, images: &[Past], scene_id: &SceneId, is_new: bool) {
        let census = &mut self.census;
        let any = |wanted: fn(&Past) -> bool| images.iter().any(wanted);
        if images.iter().all(|image| image.standing == Standing::Stored) {
            census.done += 1;
        } else if any(|image| image.standing.paid_retry().is_some()) {
            census.unknown += 1;
        } else if any(|image| image.standing == Standing::Failed) {
            census.failed += 1;
        } else if any(|image| image.standing == Standing::Refused) {
            census.refused += 1;
        } else if is_new && self.sent.contains(scene_id) {
            census.changed += 1;
        } else if is_new {
            census.added += 1;
        } else {
            census.pending += 1;
        }
        for image in images.iter().filter(|image| image.is_made) {
            census.images += 1;
            census.bought_again += u64::from(image.standing.paid_retry().is_some());
        }
    }
}
