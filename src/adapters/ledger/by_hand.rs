//! What people write into a ledger: its limit, the ends of unknown attempts, adjustments, and what
//! a cost export shows. Each is a record with who and why, in a group of its own, under the lock,
//! durable.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::civil::Date;

use crate::adapters::ledger::directory::{DirectoryLedger, OpenOrCreate};
use crate::adapters::ledger::files::is_alive;
use crate::domain::ids::{AttemptId, RunId};
use crate::domain::ledger::reconcile::Change;
use crate::domain::ledger::{
    Adjust, Basis, Booked, BrokenRule, Draft, Hold, Limit, LimitOrigin, LimitScope, OwnerId,
    RecordKind, Resolve, cut_text,
};
use crate::domain::money::NanoUsd;
use crate::ports::ledger::StoreError;

/// Who writes, and why.
#[derive(Clone, Copy, Debug)]
pub struct ByHand<'a> {
    /// Who.
    pub by: &'a str,
    /// Why, with a reference to the evidence.
    pub why: &'a str,
}

/// Which unknown attempts are meant.
#[derive(Clone, Debug)]
pub enum Unknowns {
    /// These.
    These(Vec<AttemptId>),
    /// All of a run.
    OfRun(RunId),
    /// All.
    All,
}

/// What an unknown attempt turned out to cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Nothing: it was not billed.
    NotBilled,
    /// Its worst case: it was billed, and nobody knows better.
    WorstCase,
    /// This much.
    Amount(NanoUsd),
}

/// An unknown attempt that was resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The attempt.
    pub rid: AttemptId,
    /// What was held for it.
    pub held: NanoUsd,
    /// What it cost.
    pub amount: NanoUsd,
}

/// What came of resolving.
#[derive(Clone, Debug, Default)]
pub struct Resolutions {
    /// What was resolved.
    pub resolved: Vec<Resolved>,
    /// What was named and is not unknown: it has ended, is under way, or was never reserved.
    pub not_unknown: Vec<AttemptId>,
}

/// A limit that a person sets or takes away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLimit {
    /// What it applies to.
    pub scope: LimitScope,
    /// The most that may be exposed; nothing takes the limit away.
    pub value: Option<NanoUsd>,
}

/// Sets the limit per day, durably, with who and why. Raising and lowering are the same record.
///
/// # Errors
/// When the ledger cannot be opened or written.
pub fn set_limit(
    options: OpenOrCreate,
    per_day: NanoUsd,
    hand: ByHand<'_>,
) -> Result<(), StoreError> {
    let day = NewLimit { scope: LimitScope::Day, value: Some(per_day) };
    set_limits(options, vec![day], hand).map(drop)
}

/// Sets or takes away limits, all of them or none, durably, with who and why. Returns what each of
/// them was before.
///
/// # Errors
/// When the ledger cannot be opened or written.
pub fn set_limits(
    options: OpenOrCreate,
    limits: Vec<NewLimit>,
    hand: ByHand<'_>,
) -> Result<Vec<Option<NanoUsd>>, StoreError> {
    let (by, why) = (cut_text(hand.by), cut_text(hand.why));
    write(options, |draft| {
        let mut before = Vec::new();
        for NewLimit { scope, value } in limits {
            let was = draft.state().limit(&scope).filter(|limit| limit.is_in_force());
            before.push(was.map(|limit| limit.value));
            let value = value.unwrap_or(NanoUsd::MAX);
            let (by, why) = (Arc::clone(&by), Arc::clone(&why));
            let limit = Limit { scope, value, origin: LimitOrigin::Person, by, why };
            draft.push(RecordKind::Limit(Box::new(limit)))?;
        }
        Ok(before)
    })
}

/// Ends unknown attempts. Nothing is written when one that is named is not unknown.
///
/// # Errors
/// When the ledger cannot be opened or written.
pub fn resolve(
    options: OpenOrCreate,
    which: &Unknowns,
    cost: Cost,
    hand: ByHand<'_>,
) -> Result<Resolutions, StoreError> {
    let root = options.root.clone();
    write(options, |draft| {
        // What dead processes left is unknown, also when nobody has written so yet.
        draft.lose(&dead(&root, draft))?;
        let mut found = Resolutions::default();
        let wanted = wanted(draft, which);
        found.not_unknown.extend(wanted.iter().filter(|rid| unknown(draft, **rid).is_none()));
        if !found.not_unknown.is_empty() {
            return Ok(found);
        }
        for rid in wanted {
            let Some(held) = unknown(draft, rid).map(|hold| hold.max) else { continue };
            let amount = match cost {
                Cost::NotBilled => NanoUsd::ZERO,
                Cost::WorstCase => held,
                Cost::Amount(amount) => amount,
            };
            let (by, why) = (cut_text(hand.by), cut_text(hand.why));
            let end = Resolve { rid, amount, basis: Basis::Person, by, why };
            if draft.resolve(end)? == Booked::Written {
                found.resolved.push(Resolved { rid, held, amount });
            }
        }
        Ok(found)
    })
}

/// Ends unknown attempts whose images are there: each costs what its sidecar says, or its worst
/// case where nothing says. One that has ended meanwhile stays as it is.
///
/// # Errors
/// When the ledger cannot be opened or written.
pub fn make_good(
    options: OpenOrCreate,
    images: &[(AttemptId, Option<NanoUsd>)],
    hand: ByHand<'_>,
) -> Result<(), StoreError> {
    let root = options.root.clone();
    write(options, |draft| {
        draft.lose(&dead(&root, draft))?;
        for (rid, amount) in images {
            let Some(held) = unknown(draft, *rid).map(|hold| hold.max) else { continue };
            let (by, why) = (cut_text(hand.by), cut_text(hand.why));
            let amount = amount.unwrap_or(held);
            draft.resolve(Resolve { rid: *rid, amount, basis: Basis::Sidecar, by, why })?;
        }
        Ok(())
    })
}

/// Books a difference that belongs to no attempt.
///
/// # Errors
/// When the ledger cannot be opened or written.
pub fn adjust(
    options: OpenOrCreate,
    amount: NanoUsd,
    on: Date,
    run: Option<RunId>,
    hand: ByHand<'_>,
) -> Result<(), StoreError> {
    let (by, why) = (cut_text(hand.by), cut_text(hand.why));
    let adjust = Adjust { amount, on, run, by, why };
    write(options, |draft| Ok(draft.push(RecordKind::Adjust(Box::new(adjust)))?))
}

/// Writes what an export shows, all of it in one group. `still_meant` is asked under the lock, when
/// nobody else can write: what is not meant any more, because the attempt has ended or was adjusted
/// in between, is left out. Returns what was written and what was left out.
///
/// # Errors
/// When the ledger cannot be opened, read or written.
pub fn reconcile(
    options: OpenOrCreate,
    by: &str,
    planned: &[Change],
    still_meant: impl FnOnce() -> Result<Vec<Change>, StoreError>,
) -> Result<(Vec<Change>, Vec<Change>), StoreError> {
    let root = options.root.clone();
    let by = cut_text(by);
    write(options, |draft| {
        let meant = still_meant()?;
        let meant: BTreeMap<_, _> = meant.iter().map(|change| (change.rid(), change)).collect();
        draft.lose(&dead(&root, draft))?;
        let (mut written, mut left_out) = (Vec::new(), Vec::new());
        for change in planned {
            let is_meant = meant.get(&change.rid()) == Some(&change);
            let is_written = is_meant && book(draft, change, &by)?;
            if is_written { &mut written } else { &mut left_out }.push(change.clone());
        }
        Ok((written, left_out))
    })
}

fn book(draft: &mut Draft, change: &Change, by: &Arc<str>) -> Result<bool, BrokenRule> {
    let by = Arc::clone(by);
    match change {
        Change::Resolve { rid, amount, why, held: _ } => {
            let (rid, amount, why) = (*rid, *amount, cut_text(why));
            let end = Resolve { rid, amount, basis: Basis::Export, by, why };
            Ok(draft.resolve(end)? == Booked::Written)
        }
        Change::Adjust { run, amount, on, why, rid: _ } => {
            let (amount, on, run, why) = (*amount, *on, Some(*run), cut_text(why));
            draft.push(RecordKind::Adjust(Box::new(Adjust { amount, on, run, by, why })))?;
            Ok(true)
        }
    }
}

/// One group by hand.
fn write<T>(
    options: OpenOrCreate,
    make: impl FnOnce(&mut Draft) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let (now, owner) = (options.now, options.founding.owner);
    let tool = Arc::clone(&options.founding.tool);
    let mut ledger = DirectoryLedger::open_blocking(options)?;
    let mut draft = Draft::new(owner, ledger.zone().clone(), tool);
    let mut made = None;
    ledger.group_blocking(|found| {
        draft.catch_up(&found.records)?;
        draft.start(now, found.repair, found.new_segment)?;
        made = Some(make(&mut draft)?);
        Ok(draft.records().to_vec())
    })?;
    ledger.retire_blocking()?;
    Ok(made.expect("the group was made"))
}

fn dead(root: &Path, draft: &Draft) -> Vec<OwnerId> {
    draft.other_owners().into_iter().filter(|owner| !is_alive(root, *owner)).collect()
}

fn unknown(draft: &Draft, rid: AttemptId) -> Option<&Hold> {
    draft.state().hold(rid).filter(|hold| hold.unknown.is_some())
}

fn wanted(draft: &Draft, which: &Unknowns) -> Vec<AttemptId> {
    let of_run = |run: Option<RunId>| {
        let holds = draft.state().holds();
        let meant = holds
            .filter(|(_, hold)| hold.unknown.is_some() && run.is_none_or(|run| hold.run == run));
        meant.map(|(rid, _)| rid).collect()
    };
    match which {
        Unknowns::These(these) => these.clone(),
        Unknowns::OfRun(run) => of_run(Some(*run)),
        Unknowns::All => of_run(None),
    }
}
