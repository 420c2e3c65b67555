//! The ledger beside a provider's cost export.

mod asked;

use crate::adapters::ledger::by_hand;
use crate::adapters::ledger::read::BookReader;
use crate::cli::args::ledger::TableOrRows;
use crate::cli::args::ledger::reconcile::LedgerReconcileArgs;
use crate::commands::failure::{Failure, store_failure};
use crate::commands::ledger::by_hand::{options, who};
use crate::commands::ledger::folder_with_ledger;
use crate::commands::ledger::reconcile::asked::{export, rules};
use crate::commands::ledger_wait::patiently;
use crate::commands::world::World;
use crate::domain::ledger::reconcile::{
    Books, Class, Export, Finding, Misfit, Reconciliation, Rules, reconcile as compare,
};
use crate::domain::money::NanoUsd;
use crate::exit::Exit;
use crate::report::ledger_entries::ndjson;
use crate::report::reconcile::{self as view, Report};
use crate::report::tables::{Lines, TableLook};

pub(super) fn reconcile(world: &World, args: &LedgerReconcileArgs) -> Result<Exit, Failure> {
    let folder = folder_with_ledger(world, args.ledger.as_ref())?;
    let export = export(world, args)?;
    let rules = rules(args)?;
    let mut reader = BookReader::new(&folder).map_err(store_failure)?;
    let books = reader.read_on().map_err(store_failure)?;
    let mut result = judged(&books, &export, &rules)?;
    tell(world, args, &export, &result);
    let (mut written, mut left_out) = (Vec::new(), Vec::new());
    let planned = result.changes();
    if args.apply && !planned.is_empty() {
        let by = who(world);
        let still_meant = || reader.read_on().map(|now| now.still_meant(&books, &planned));
        let how = options(&folder)?;
        let write = || by_hand::reconcile(how, &by, &planned, still_meant);
        (written, left_out) = patiently(world.printer, &folder, write).map_err(store_failure)?;
        let books = reader.read_on().map_err(store_failure)?;
        result = judged(&books, &export, &rules)?;
    }
    let report = Report {
        file: &rules.file,
        lines: export.lines.len() as u64,
        is_partial: export.is_partial,
        zone: rules.zone.iana_name().unwrap_or("local time"),
        is_within: result.is_within(),
        is_applied: args.apply,
        written: &written,
        left_out: &left_out,
        days: &result.days,
        findings: &result.findings,
    };
    let look = TableLook { width: world.printer.width(), lines: Lines::default() };
    world.printer.result(&match args.format {
        TableOrRows::Table => view::text(look, &report),
        TableOrRows::Json => view::json(&report),
        TableOrRows::Ndjson => ndjson(report.findings),
        TableOrRows::Csv => view::csv(report.findings),
    });
    Ok(if result.is_within() { Exit::Ok } else { Exit::GateFailed })
}

/// What must not be overlooked, whatever the format.
fn tell(world: &World, args: &LedgerReconcileArgs, export: &Export, result: &Reconciliation) {
    if export.is_partial {
        world.printer.warn(
            "the export is one page of several: figures are too low, and nothing is proposed",
        );
    }
    if args.provider.is_none() && result.providers.len() > 1 {
        let names: Vec<&str> = result.providers.iter().map(AsRef::as_ref).collect();
        let names = names.join(", ");
        world.printer.warn(&format!(
            "the ledger has attempts of {names}: --provider NAME compares one of them"
        ));
    }
    let of_broken = |finding: &Finding| {
        (finding.class == Class::ReleasedBilled).then_some(finding.billed).flatten()
    };
    let broken: Vec<NanoUsd> = result.findings.iter().filter_map(of_broken).collect();
    if !broken.is_empty() {
        let sum = broken.iter().fold(NanoUsd::ZERO, |sum, amount| sum.saturating_add(*amount));
        let (s, was) = if broken.len() == 1 { ("", "was") } else { ("s", "were") };
        world.printer.warn(&format!(
            "{} attempt{s} that {was} taken for free {was} billed, {} in all",
            broken.len(),
            sum.dollars()
        ));
    }
}

fn judged(books: &Books, export: &Export, rules: &Rules) -> Result<Reconciliation, Failure> {
    compare(books, export, rules).map_err(|misfit| match misfit {
        Misfit::NoLines => Failure::new(Exit::NoRows, misfit),
        Misfit::SeveralDays(_) => {
            Failure::new(Exit::Usage, misfit).with_hint("leave --tz away: its days are UTC days")
        }
    })
}
