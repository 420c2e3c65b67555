//! The ledger's entries: sums of them, one a line, and all that is known.

use jiff::tz::TimeZone;

use crate::adapters::ledger::read;
use crate::adapters::system::{self, zone_named};
use crate::cli::args::ledger::{
    LedgerByArgs, LedgerEntriesArgs, LedgerExportArgs, LedgerFilterArgs, Rows, TableOrRows,
};
use crate::cli::when::moment;
use crate::commands::failure::{Failure, store_failure};
use crate::commands::ledger::{find_run, folder_with_ledger};
use crate::commands::world::World;
use crate::domain::ledger::entries::{Entry, EntryFilter, Outcome, group};
use crate::domain::ledger::group_key::GroupKey;
use crate::exit::Exit;
use crate::report::ledger_entries as view;
use crate::report::tables::{Lines, TableLook};

/// The most keys of a sum.
const MOST_KEYS: usize = 3;

pub(super) fn by(world: &World, args: &LedgerByArgs) -> Result<Exit, Failure> {
    let keys = args.keys.iter().map(|key| group_key(key)).collect::<Result<Vec<_>, _>>()?;
    if keys.len() > MOST_KEYS {
        let text = format!("{} keys, and at most {MOST_KEYS} make a sum", keys.len());
        return Err(Failure::new(Exit::Usage, text));
    }
    let (entries, zone) = wanted(world, &args.filter)?;
    let groups = group(&entries, &keys, &zone);
    let look = TableLook { width: world.printer.width(), lines: Lines::default() };
    world.printer.result(&match args.format {
        TableOrRows::Table => view::group_table(look, &keys, &groups, &entries),
        TableOrRows::Json => view::groups_json(&keys, &groups, &entries),
        TableOrRows::Ndjson => view::ndjson(&groups),
        TableOrRows::Csv => view::groups_csv(&keys, &groups),
    });
    Ok(Exit::Ok)
}

pub(super) fn register(world: &World, args: &LedgerEntriesArgs) -> Result<Exit, Failure> {
    let (entries, zone) = wanted(world, &args.filter)?;
    world.printer.result(&match args.format {
        TableOrRows::Table => view::register(&entries, &zone),
        TableOrRows::Json => view::entries_json(&entries),
        TableOrRows::Ndjson => view::ndjson(&entries),
        TableOrRows::Csv => view::entries_csv(&entries),
    });
    Ok(Exit::Ok)
}

pub(super) fn export(world: &World, args: &LedgerExportArgs) -> Result<Exit, Failure> {
    let (entries, _) = wanted(world, &args.filter)?;
    world.printer.result(&match args.format {
        Rows::Csv => view::entries_csv(&entries),
        Rows::Json => view::entries_json(&entries),
        Rows::Ndjson => view::ndjson(&entries),
    });
    Ok(Exit::Ok)
}

/// The entries that are asked for, and the zone of their days.
fn wanted(world: &World, args: &LedgerFilterArgs) -> Result<(Vec<Entry>, TimeZone), Failure> {
    let folder = folder_with_ledger(world, args.ledger.as_ref())?;
    let zone = match &args.tz {
        Some(name) => zone_named(name).map_err(|error| Failure::new(Exit::Usage, error))?,
        None => read::zone(&folder).map_err(store_failure)?,
    };
    let now = system::now();
    let when = |text: &Option<String>| {
        let moment = text.as_deref().map(|text| moment(text, now, &zone));
        moment.transpose().map_err(|error| Failure::new(Exit::Usage, error))
    };
    let filter = EntryFilter {
        since: when(&args.since)?,
        until: when(&args.until)?,
        run: args.run.as_ref().map(|run| find_run(&folder, run)).transpose()?,
        provider: args.provider.clone(),
        model: args.model.clone(),
        outcome: args.outcome.as_deref().map(outcome).transpose()?,
    };
    let entries = read::entries(&folder).map_err(store_failure)?;
    Ok((entries.wanted(&filter, &zone), zone))
}

fn outcome(text: &str) -> Result<Outcome, Failure> {
    Outcome::from_word(text).ok_or_else(|| no_word("outcome", text, Outcome::ALL))
}

fn group_key(text: &str) -> Result<GroupKey, Failure> {
    GroupKey::from_word(text).ok_or_else(|| no_word("key", text, &GroupKey::WORDS))
}

fn no_word<T: ToString>(what: &str, text: &str, all: &[T]) -> Failure {
    let all: Vec<String> = all.iter().map(T::to_string).collect();
    Failure::new(Exit::Usage, format!("{text:?} is no {what}"))
        .with_hint(format!("one of: {}", all.join(", ")))
}
