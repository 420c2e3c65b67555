//! One reading of all rows: each is priced, and its addresses are judged.

use std::collections::BTreeSet;
use std::sync::Arc;

use url::Url;

use crate::adapters::rows::{self, RowIndex, RowSource};
use crate::commands::money_view::MoneyView;
use crate::commands::run::bad_rows::BadRows;
use crate::commands::run::objections::{objection, row_objection};
use crate::commands::run::planning::PlanningAsk;
use crate::commands::run::reference_objections::{PlanGate, Refused, refusal};
use crate::commands::world::World;
use crate::domain::batch::{Batch, BatchError, Planner};
use crate::domain::cell::for_each_item;
use crate::domain::column::Field;
use crate::domain::fetch::StoreKind;
use crate::domain::money::NanoUsd;
use crate::domain::reference_plan::UrlLives;
use crate::domain::row::RowBrief;
use crate::domain::settings::RunSettings;
use crate::domain::signed_url::{Lifetime, lifetime, may_tell_life};
use crate::ports::references::UrlRefresher;

/// What a reading of all rows needs to know.
pub(super) struct PassAsk<'a> {
    pub(super) world: &'a World,
    pub(super) ask: &'a PlanningAsk<'a>,
    pub(super) money: &'a MoneyView,
    pub(super) refresher: &'a dyn UrlRefresher,
}

/// What one reading of all rows came to.
pub(super) struct Pass<'a> {
    /// Where the good rows are.
    pub(super) index: Arc<RowIndex>,
    /// Their order and their cost.
    pub(super) batch: Result<Batch, BatchError>,
    /// The others.
    pub(super) bad: BadRows<'a>,
    /// The addresses of the good rows.
    pub(super) lives: UrlLives,
    /// The kinds of stores that they are in.
    pub(super) stores: BTreeSet<StoreKind>,
}

impl<'a> Pass<'a> {
    /// Reads every row; what stands in `refused` is bad whatever its cells say.
    pub(super) fn run(
        pass: &PassAsk<'a>,
        source: &mut RowSource,
        refused: &Refused,
    ) -> Result<Self, rows::Error> {
        let PassAsk { world, ask, money, refresher } = *pass;
        let settings = ask.settings;
        let mut planner =
            Planner::new(ask.book, money.day, &settings.spec, settings.canary.as_ref());
        let mut bad = BadRows::new(world, settings, source.shape().clone());
        let mut lives = UrlLives::default();
        let mut gate = PlanGate::new(settings);
        let mut stores = BTreeSet::new();
        let mut position = 0;
        let index = source.index(
            &mut |brief| {
                if let Some(why) = refused.get(&brief.number) {
                    return Err(refusal(&brief, why));
                }
                if let Some(objection) = row_objection(settings, &brief) {
                    return Err(objection);
                }
                look_at_addresses(&mut gate, &brief, |_, _| Ok(()))?;
                planner.add(&brief).map_err(|it| objection(&it))?;
                look_at_addresses(&mut gate, &brief, |n, url| {
                    stores.extend(note(url, (position, n), refresher, &mut lives));
                    Ok(())
                })?;
                position += 1;
                Ok(())
            },
            &mut |row| bad.take(&row),
        )?;
        let batch = planner.finish(settings.canary.as_ref());
        Ok(Self { index: Arc::new(index), batch, bad, lives, stores })
    }

    /// With `--fit-budget` only the rows that fit are left; the run has spent `before` already.
    pub(super) fn fit(&mut self, settings: &RunSettings, money: &MoneyView, before: NanoUsd) {
        let Ok(batch) = &mut self.batch else { return };
        if settings.fit_budget {
            let mut room = money.room();
            let of_run = settings.limit_per_run.map(|limit| limit.minus_or_zero(before));
            room.all = room.all.min(of_run.unwrap_or(NanoUsd::MAX));
            if let Err(error) = batch.fit(&room) {
                self.batch = Err(error);
            }
        }
    }
}

/// Judges each address of a row, and hands those that may be asked to `each`.
fn look_at_addresses(
    gate: &mut PlanGate<'_>,
    brief: &RowBrief<'_>,
    mut each: impl FnMut(u8, &str) -> Result<(), rows::Objection>,
) -> Result<(), rows::Objection> {
    if brief.n_url_references == 0 && !brief.mask.contains("://") {
        return Ok(());
    }
    let mut n = 0;
    for (field, text) in [(Field::References, brief.references), (Field::Mask, brief.mask)] {
        let mut objection = None;
        // The list was checked; the first objection ends it.
        let _ = for_each_item(text, |item| {
            if objection.is_none() && item.contains("://") {
                objection = gate.objection(field, item).or_else(|| each(n, item).err());
            }
            n += 1;
            Ok(())
        });
        if let Some(objection) = objection {
            return Err(objection);
        }
    }
    Ok(())
}

/// Notes when an address ends; returns the kind of store that it is in, if it is in one.
fn note(
    text: &str,
    place: (u32, u8),
    refresher: &dyn UrlRefresher,
    lives: &mut UrlLives,
) -> Option<StoreKind> {
    let kind = StoreKind::of_scheme(text.split(':').next().unwrap_or_default());
    match kind {
        Some(_) => lives.add_in_bucket(place.0, place.1),
        None if !may_tell_life(text) => {
            lives.add(place.0, place.1, &Lifetime::default(), false);
        }
        None => {
            let url = Url::parse(text).ok()?;
            lives.add(place.0, place.1, &lifetime(&url), refresher.can_refresh(text));
        }
    }
    kind
}
