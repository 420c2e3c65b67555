//! The last records of the ledger, and those that come.

use std::time::Duration;

use crate::adapters::ledger::read::Follower;
use crate::adapters::system;
use crate::cli::args::ledger::{LedgerTailArgs, LinesOrNdjson};
use crate::commands::failure::{Failure, store_failure};
use crate::commands::ledger::folder_with_ledger;
use crate::commands::world::World;
use crate::domain::ledger::reading::Shown;
use crate::exit::Exit;
use crate::report::{ledger, ledger_entries};

/// Between two looks at a ledger that is followed.
const LOOK_EVERY: Duration = Duration::from_millis(250);

pub(super) fn tail(world: &World, args: &LedgerTailArgs) -> Result<Exit, Failure> {
    let folder = folder_with_ledger(world, args.ledger.as_ref())?;
    let mut follower = Follower::new(&folder).map_err(store_failure)?;
    let show = |records: &[Shown]| {
        world.printer.follow(&match args.format {
            LinesOrNdjson::Lines => ledger::records(records),
            LinesOrNdjson::Ndjson => ledger_entries::ndjson(records),
        })
    };
    let records = follower.read_on().map_err(store_failure)?;
    let mut is_read = show(&records[records.len().saturating_sub(args.lines)..]);
    while is_read && args.follow {
        system::pause(LOOK_EVERY);
        let records = follower.read_on().map_err(store_failure)?;
        is_read = records.is_empty() || show(&records);
    }
    Ok(Exit::Ok)
}
