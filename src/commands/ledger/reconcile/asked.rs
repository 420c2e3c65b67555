//! What is compared: the export as it was named, and by which rules.

use jiff::tz::TimeZone;

use crate::adapters::cost_export::{self, Columns, Error, Field};
use crate::adapters::system::{self, zone_named};
use crate::cli::args::ledger::reconcile::LedgerReconcileArgs;
use crate::cli::when::moment;
use crate::commands::failure::Failure;
use crate::commands::world::World;
use crate::domain::ledger::reconcile::{Export, Rules};
use crate::domain::percent::PercentError;
use crate::exit::Exit;
use crate::report::reconcile as view;

pub(super) fn export(world: &World, args: &LedgerReconcileArgs) -> Result<Export, Failure> {
    let mut columns = Columns::default();
    for given in &args.column {
        let named = given.split_once('=').filter(|(_, name)| !name.trim().is_empty());
        let field = named.and_then(|(field, name)| Some((Field::from_word(field)?, name)));
        let (field, name) = field.ok_or_else(|| {
            let fields: Vec<&str> = Field::ALL.iter().map(|field| field.word()).collect();
            Failure::new(Exit::Usage, format!("{given:?} gives no field a column"))
                .with_hint(format!("write FIELD=NAME, with one of: {}", fields.join(", ")))
        })?;
        columns.give(field, name);
    }
    cost_export::read(&world.path(&args.from), &columns).map_err(|error| {
        let exit = if matches!(error, Error::Empty) { Exit::NoRows } else { Exit::Invalid };
        let hint = matches!(error, Error::NoColumn { .. })
            .then_some("--column FIELD=NAME says which column it is");
        let failure = Failure::new(exit, view::InFile { file: args.from.clone(), source: error });
        hint.into_iter().fold(failure, Failure::with_hint)
    })
}

pub(super) fn rules(args: &LedgerReconcileArgs) -> Result<Rules, Failure> {
    let usage = |error: Box<dyn std::error::Error + Send + Sync>| Failure::new(Exit::Usage, error);
    let zone = args.tz.as_deref().map_or(Ok(TimeZone::UTC), zone_named);
    let zone = zone.map_err(|error| usage(error.into()))?;
    let now = system::now();
    let when = |text: &Option<String>| {
        let moment = text.as_deref().map(|text| moment(text, now, &zone)).transpose();
        moment.map_err(|error| usage(error.into()))
    };
    let tolerance = args.tolerance.as_deref().filter(|text| !matches!(*text, "0" | "0%"));
    let tolerance = tolerance.map(str::parse).transpose();
    let path = std::path::Path::new(&args.from);
    Ok(Rules {
        since: when(&args.since)?,
        until: when(&args.until)?,
        provider: args.provider.clone(),
        model: args.model.clone(),
        absent_is_free: args.absent_is_free,
        tolerance: tolerance.map_err(|error: PercentError| usage(error.into()))?,
        file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        zone,
    })
}
