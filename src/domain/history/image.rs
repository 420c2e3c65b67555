//! What is known of one image: of each attempt that was made for it, and what follows from that.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::digest::Sha256Digest;
use crate::domain::event::{AttemptEnded, AttemptStarted, Ending, ImageStored};
use crate::domain::history::Standing;
use crate::domain::ids::{AttemptId, SceneId};
use crate::domain::image_name::ImageName;
use crate::domain::ledger::{CostSource, UnknownClass};
use crate::domain::look::ImageCheck;
use crate::domain::money::NanoUsd;

/// What is known of one image, by the identity of its work.
#[derive(Clone, Debug)]
pub struct ImagePast {
    /// The row's name.
    pub scene_id: SceneId,
    /// Which of the row's images.
    pub variant: u8,
    /// Attempts so far.
    pub attempts: u32,
    /// Attempts that were or may have been billed.
    pub billed: u32,
    /// What they cost.
    pub cost: NanoUsd,
    /// Where the last of that comes from.
    pub source: Option<CostSource>,
    /// The time of the attempt that brought it, or of the last one.
    pub latency: Duration,
    /// Its file, relative to the run's folder, once it is stored.
    pub file: Option<String>,
    /// The digest of its bytes, where the journal says it.
    pub sha256: Option<Sha256Digest>,
    /// What is known of its looks.
    pub check: ImageCheck,
    /// What it was to be called, by its last attempt; nothing where that is the usual name.
    pub name: Option<ImageName>,
    /// What makes it the answer to the same request elsewhere, where the journal says it.
    pub ask: Option<Sha256Digest>,
    /// Whether its last answer for good was no image.
    pub was_no_image: bool,
    /// What was kept of attempts that brought something which was no image, in their order.
    pub kept: Vec<KeptAnswer>,
    /// Attempts without an end, and what is held for each.
    out: BTreeMap<AttemptId, NanoUsd>,
    /// Attempts that were or may have been billed and brought nothing that is an answer.
    owed: BTreeMap<AttemptId, Owed>,
    /// What the last attempt that cost nothing, or was answered for good, came to.
    answer: Answer,
}

/// What an attempt owes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owed {
    /// It cost this much, which may be nothing.
    Paid(NanoUsd, CostSource),
    /// Nobody knows whether it was billed; this much is held.
    Unknown(UnknownClass, NanoUsd),
}

/// What is known of the money of an attempt that brought nothing so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owes {
    /// It cost this much, which may be nothing.
    Paid(NanoUsd, CostSource),
    /// Nobody knows whether it was billed; this much is held.
    Unknown(NanoUsd),
}

/// What was kept of an answer that was no image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The attempt that brought it.
    pub rid: AttemptId,
    /// Where it is, relative to the run's folder.
    pub files: Vec<String>,
    /// What is known of the money of that attempt.
    pub owes: Owes,
}

impl KeptAnswer {
    fn of(ended: &AttemptEnded) -> Self {
        let owes = match ended.ending {
            Ending::Settled { amount, source } => Owes::Paid(amount, source),
            Ending::Released { .. } => Owes::Paid(NanoUsd::ZERO, CostSource::Reported),
            Ending::Unknown { .. } => Owes::Unknown(ended.max),
        };
        Self { rid: ended.rid, files: ended.kept.clone(), owes }
    }
}

/// What an image was answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// Nothing yet, or nothing that stays so.
    None,
    /// The content policy refused it.
    Refused,
    /// The request is wrong, or what came is no image.
    Failed,
}

impl ImagePast {
    /// Of an image whose first attempt begins.
    pub(super) fn begun(started: &AttemptStarted) -> Self {
        Self::of(started.scene_id.clone(), started.variant)
    }

    fn of(scene_id: SceneId, variant: u8) -> Self {
        Self {
            scene_id,
            variant,
            attempts: 0,
            billed: 0,
            cost: NanoUsd::ZERO,
            source: None,
            latency: Duration::ZERO,
            file: None,
            sha256: None,
            check: ImageCheck::default(),
            name: None,
            ask: None,
            was_no_image: false,
            kept: Vec::new(),
            out: BTreeMap::new(),
            owed: BTreeMap::new(),
            answer: Answer::None,
        }
    }

    /// Of an image that was copied from another row or run: no attempt was made for it.
    pub(super) fn copied(stored: &ImageStored) -> Self {
        Self::of(stored.scene_id.clone(), stored.variant)
    }

    /// Where the image stands. An attempt that may have been billed is never forgotten over a later
    /// one, however that ended: only an image makes up for it.
    pub fn standing(&self) -> Standing {
        if self.file.is_some() {
            return Standing::Stored;
        }
        if !self.out.is_empty() {
            return Standing::Out;
        }
        let unknown = self.owed.values().rev().find_map(|owed| match owed {
            Owed::Unknown(class, _) => Some(Standing::Unknown(*class)),
            Owed::Paid(..) => None,
        });
        let is_paid =
            |owed: &Owed| matches!(owed, Owed::Paid(amount, _) if *amount > NanoUsd::ZERO);
        match (unknown, self.answer) {
            (Some(unknown), _) => unknown,
            (None, _) if self.owed.values().any(is_paid) => Standing::PaidLost,
            (None, Answer::None) => Standing::Pending,
            (None, Answer::Refused) => Standing::Refused,
            (None, Answer::Failed) => Standing::Failed,
        }
    }

    /// What its image is called.
    pub fn image_name(&self) -> ImageName {
        let usual = || ImageName::usual(self.scene_id.as_str(), self.variant);
        self.name.clone().unwrap_or_else(usual)
    }

    /// Attempts without an end, in their order.
    pub fn out(&self) -> impl Iterator<Item = AttemptId> + '_ {
        self.out.keys().copied()
    }

    /// What is held for the attempts without an end.
    pub fn held(&self) -> NanoUsd {
        self.out.values().fold(NanoUsd::ZERO, |sum, held| sum.saturating_add(*held))
    }

    /// What is held for an attempt without an end.
    pub(super) fn held_for(&self, rid: &AttemptId) -> NanoUsd {
        self.out.get(rid).copied().unwrap_or(NanoUsd::ZERO)
    }

    /// The attempt whose process may have died over a finished image, when the image is not stored:
    /// the newest that is paid, else the newest that nobody ended.
    pub fn may_be_there(&self) -> Option<AttemptId> {
        if self.file.is_some() {
            return None;
        }
        let newest = |wanted: fn(&Owed) -> bool| {
            self.owed.iter().rev().find(|(_, owed)| wanted(owed)).map(|(rid, _)| *rid)
        };
        newest(|owed| matches!(owed, Owed::Paid(..)))
            .or_else(|| newest(|owed| matches!(owed, Owed::Unknown(UnknownClass::Lost, _))))
    }

    /// What is known of the money of an attempt that brought nothing so far; nothing when it owes
    /// none.
    pub fn owes(&self, rid: &AttemptId) -> Option<Owes> {
        self.owed.get(rid).map(|owed| match owed {
            Owed::Paid(amount, source) => Owes::Paid(*amount, *source),
            Owed::Unknown(_, held) => Owes::Unknown(*held),
        })
    }

    /// One more attempt goes out.
    pub(super) fn start(&mut self, started: &AttemptStarted) {
        self.attempts += 1;
        self.out.insert(started.rid, started.max);
        self.name.clone_from(&started.name);
    }

    /// An attempt has ended.
    pub(super) fn end(&mut self, ended: &AttemptEnded) {
        self.out.remove(&ended.rid);
        if !ended.kept.is_empty() {
            self.kept.push(KeptAnswer::of(ended));
        }
        self.latency = ended.latency;
        if let Ending::Settled { amount, source } = ended.ending {
            self.cost = self.cost.saturating_add(amount);
            self.source = Some(source);
        }
        let is_free = match ended.ending {
            Ending::Released { .. } => true,
            Ending::Settled { amount, .. } => amount == NanoUsd::ZERO,
            Ending::Unknown { .. } => false,
        };
        self.billed += u32::from(!is_free);
        self.was_no_image = ended.kind == Some("not-an-image");
        self.answer = match (ended.ending, ended.kind) {
            (_, Some("refused")) | (Ending::Unknown { class: UnknownClass::Refusal }, _) => {
                Answer::Refused
            }
            (_, Some("not-an-image" | "no-image"))
            | (Ending::Released { .. }, Some("invalid-request")) => Answer::Failed,
            (Ending::Unknown { class }, _) => {
                self.owed.insert(ended.rid, Owed::Unknown(class, ended.max));
                self.answer
            }
            (Ending::Settled { amount, source }, _) => {
                self.owed.insert(ended.rid, Owed::Paid(amount, source));
                if is_free { Answer::None } else { self.answer }
            }
            (Ending::Released { .. }, _) => Answer::None,
        };
    }

    /// An attempt of which nobody knew what it cost turned out to cost this much.
    pub(super) fn clear_up(&mut self, rid: &AttemptId, amount: NanoUsd) {
        self.cost = self.cost.saturating_add(amount);
        self.billed = self.billed.saturating_sub(u32::from(amount == NanoUsd::ZERO));
        for kept in self.kept.iter_mut().filter(|kept| kept.rid == *rid) {
            kept.owes = Owes::Paid(amount, CostSource::Reported);
        }
        if let Some(owed) = self.owed.get_mut(rid) {
            *owed = Owed::Paid(amount, CostSource::Reported);
        }
    }
}
