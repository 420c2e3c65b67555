//! `imagemill seed`: writes a fixture and tells what it comes to.

use std::path::Path;

use crate::adapters::fixture::{self, Overwrite};
use crate::adapters::system;
use crate::cli::args::seed::SeedArgs;
use crate::commands::failure::Failure;
use crate::commands::world::World;
use crate::domain::row_format::RowFormat;
use crate::domain::seed::{PlaceError, PlaceKind, ReferencePlace, SeedPlan};
use crate::exit::Exit;
use crate::report;

/// The rows file of a call that names none.
const OUT: &str = "rows.csv";

/// Does what was asked.
///
/// # Errors
/// When the numbers make no fixture, something other is in the way, or a write fails.
pub fn run(world: &World, args: &SeedArgs) -> Result<Exit, Failure> {
    let plan = plan(args)?;
    if args.out.as_deref() == Some("-") {
        return to_output(world, &plan);
    }
    let out = args.out.clone().unwrap_or_else(|| match args.format {
        Some(format) => format!("rows.{}", RowFormat::from(format)),
        None => OUT.to_owned(),
    });
    let overwrite = if args.force { Overwrite::Force } else { Overwrite::Refuse };
    let summary =
        fixture::write(&plan, Path::new(&out), overwrite).map_err(|error| match error {
            fixture::Error::Exists { .. } | fixture::Error::NoName { .. } => {
                Failure::new(Exit::Usage, error).with_hint("--force replaces it")
            }
            fixture::Error::Io { .. } => Failure::new(Exit::Environment, error),
        })?;
    world.printer.result(&report::seed::text(&summary));
    Ok(Exit::Ok)
}

/// Writes the rows to standard output; pictures need a place, so local references are refused.
fn to_output(world: &World, plan: &SeedPlan) -> Result<Exit, Failure> {
    let local = *plan.references_at() == ReferencePlace::Local;
    if local && plan.rows_with_reference().next().is_some() {
        let text = "the reference pictures need a folder, and standard output is none";
        return Err(
            Failure::new(Exit::Usage, text).with_hint("add --references 0 or --reference-base URL")
        );
    }
    let mut rows = Vec::new();
    fixture::write_rows(plan, &mut rows).map_err(|error| Failure::new(Exit::Environment, error))?;
    world.printer.result(&String::from_utf8_lossy(&rows));
    Ok(Exit::Ok)
}

fn plan(args: &SeedArgs) -> Result<SeedPlan, Failure> {
    let references = args.references.map(u64::from);
    let usage = |error: crate::domain::seed::Error| Failure::new(Exit::Usage, error);
    let mut plan =
        SeedPlan::new(u64::from(args.rows), references).map_err(usage)?.with_seed(args.seed);
    let by_name = args.out.as_deref().and_then(RowFormat::of_path);
    if let Some(format) = args.format.map(RowFormat::from).or(by_name) {
        plan = plan.with_format(format);
    }
    Ok(plan.with_references_at(place(args)?))
}

fn place(args: &SeedArgs) -> Result<ReferencePlace, Failure> {
    let life = args.references_ttl.as_deref().map(humantime::parse_duration).transpose();
    let life = life.map_err(|error| {
        Failure::new(Exit::Usage, format!("--references-ttl takes a time such as 15m: {error}"))
    })?;
    let (kind, base) = (args.references_kind.map(PlaceKind::from), args.reference_base.as_deref());
    ReferencePlace::of(kind, base, life, system::now()).map_err(|error| {
        let hint = match &error {
            PlaceError::Base(_) | PlaceError::Life => None,
            PlaceError::LocalBase => {
                Some("leave --references-kind out: the address tells the kind")
            }
            PlaceError::NoBase => Some("--reference-base URL"),
            PlaceError::OtherKind { .. } => Some("leave out --references-kind or --reference-base"),
            PlaceError::NotSigned(_) | PlaceError::NotRehearsal(_) => Some(
                "--references-ttl goes with --reference-base http://127.0.0.1:8787/refs and \
                 imagemill sim",
            ),
        };
        let failure = Failure::new(Exit::Usage, error);
        match hint {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    })
}
