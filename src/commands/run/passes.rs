//! Reads all rows until none of them is refused any more.

use crate::adapters::output::kept::KeptImages;
use crate::adapters::references::local::LocalReferences;
use crate::adapters::rows::RowSource;
use crate::commands::failure::Failure;
use crate::commands::money_view::MoneyView;
use crate::commands::rows_input::rows_failure;
use crate::commands::run::freshness;
use crate::commands::run::going_on::GoingOn;
use crate::commands::run::pass::{Pass, PassAsk};
use crate::commands::run::planned::spent;
use crate::commands::run::planning::PlanningAsk;
use crate::commands::run::reference_check::unusable;
use crate::commands::run::reference_objections::Refused;
use crate::commands::run::twins::{self, LeaveAsk, Twins};
use crate::commands::world::World;
use crate::domain::reference_plan::FreshnessCounts;
use crate::ports::references::UrlRefresher;

/// The most readings of all rows. Who leaves out the rows that come too late lets others in when a
/// budget chooses the rows; what still comes too late then is rejected when its turn comes.
const MAX_PASSES: u32 = 5;

/// What the readings need to know.
pub(super) struct Passes<'a> {
    pub(super) world: &'a World,
    pub(super) ask: &'a PlanningAsk<'a>,
    /// What the ledger says.
    pub(super) money: &'a MoneyView,
    /// What it says to a run that goes on.
    pub(super) of_run: Option<&'a MoneyView>,
    pub(super) refresher: &'a dyn UrlRefresher,
    /// Where local references are.
    pub(super) local: &'a LocalReferences,
    /// The images of earlier runs, where they are to be taken.
    pub(super) kept: Option<&'a KeptImages>,
    /// What was looked at of the run's own images: once for all readings.
    pub(super) seen: KeptImages,
}

/// What the last of them came to.
pub(super) struct Read<'a> {
    pub(super) pass: Pass<'a>,
    pub(super) freshness: FreshnessCounts,
    pub(super) twins: Twins,
}

impl<'a> Passes<'a> {
    /// Reads them; a run that has nothing in common with these rows is none that goes on.
    pub(super) fn read(
        &self,
        source: &mut RowSource,
        going_on: &mut Option<GoingOn>,
    ) -> Result<Read<'a>, Failure> {
        let Self { world, ask, local, .. } = *self;
        let settings = ask.settings;
        let (mut refused, mut n_passes) = (Refused::new(), 0);
        loop {
            let money = self.of_run.filter(|_| going_on.is_some()).unwrap_or(self.money);
            let pass_ask = PassAsk { world, ask, money, refresher: self.refresher };
            let pass = Pass::run(&pass_ask, source, &refused);
            let mut pass = pass.map_err(|error| rows_failure(world, error))?;
            if let (Some(run), Ok(batch)) = (going_on.as_mut(), &mut pass.batch)
                && !run.leave_out(settings, batch, source, &pass.index)?
            {
                *going_on = None;
            }
            let twins = self.leave_twins(&mut pass, source, going_on.as_ref())?;
            if let Some(run) = going_on.as_mut() {
                run.leave_twins(&settings.paid_retries, twins.n_images());
            }
            let money = self.of_run.filter(|_| going_on.is_some()).unwrap_or(self.money);
            pass.fit(settings, money, spent(going_on.as_ref()));
            if let (Some(run), Ok(batch)) = (going_on.as_mut(), &pass.batch) {
                run.count_what_is_made(batch);
            }
            let (freshness, mut bad) = freshness::judge(world, &mut pass, ask);
            bad.extend(unusable(world, &pass, source, local)?);
            n_passes += 1;
            if bad.is_empty() || n_passes == MAX_PASSES {
                return Ok(Read { pass, freshness, twins });
            }
            refused.extend(bad);
        }
    }

    /// Leaves out the rows whose images are copied.
    fn leave_twins(
        &self,
        pass: &mut Pass<'_>,
        source: &RowSource,
        going_on: Option<&GoingOn>,
    ) -> Result<Twins, Failure> {
        let Ok(batch) = &mut pass.batch else { return Ok(Twins::default()) };
        let (planning, local, kept) = (self.ask, self.local, self.kept);
        let ask = LeaveAsk { planning, source, index: &pass.index, kept, seen: &self.seen, local };
        twins::leave(&ask, batch, going_on)
    }
}
