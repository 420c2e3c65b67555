//! `imagemill report`: every report of a run, made again from its folder alone.

mod compare;
pub(super) mod prompts;
mod sources;
pub(super) mod write;

use std::path::Path;

use crate::adapters::output::picture::{PictureError, REPORT, read_picture};
use crate::adapters::output::places::PLAN;
use crate::cli::args::report::{ReportArgs, ReportCommand};
use crate::cli::layers;
use crate::commands::failure::Failure;
use crate::commands::report::prompts::tell_rows_of_plan;
use crate::commands::report::write::{ReportParts, asked};
use crate::commands::which_run::the_run;
use crate::commands::world::{World, read_text};
use crate::domain::report_ask::{ReportAsk, ReportKind};
use crate::exit::Exit;

/// The name of the page in the run's folder.
pub(super) const PAGE: &str = "report.html";

/// Does what was asked.
///
/// # Errors
/// When there is no such run, or a report cannot be written.
pub fn run(world: &World, args: &ReportArgs) -> Result<Exit, Failure> {
    if let Some(ReportCommand::Compare(args)) = &args.command {
        return compare::compare(world, args);
    }
    let run = args.run.as_deref().expect("clap asks for it where there is no other command");
    let (mut layers, _) = world.layers()?;
    layers.put_flag(layers::OUT, args.out.as_ref());
    let out = layers.out_folder();
    let folder = the_run(&world.path(out), run)?;
    let mut picture = read_picture(&folder).map_err(|error| {
        let exit = match &error {
            PictureError::NoRun(_) => Exit::Invalid,
            PictureError::Journal(_) => Exit::Environment,
        };
        Failure::new(exit, error)
    })?;
    tell_rows_of_plan(world, &folder.join(PLAN), &mut picture);
    let mut asks = asked(world, &args.reports, &[])?;
    let page = folder.join(PAGE).display().to_string();
    if asks.is_empty() {
        asks.push(ReportAsk { kind: ReportKind::Html, path: page });
    }
    let json = last_report(&folder, &asks)?;
    let parts = ReportParts {
        picture: &picture,
        folder: &folder,
        json: &json,
        self_contained: args.self_contained,
    };
    for ask in &asks {
        parts.write(world, ask)?;
        if ask.path != "-" {
            world.printer.say(&format!("Wrote {}", ask.path));
        }
    }
    Ok(Exit::Ok)
}

/// The last report of a run; only its last process can have written it.
fn last_report(folder: &Path, asks: &[ReportAsk]) -> Result<String, Failure> {
    let path = folder.join(REPORT);
    if !asks.iter().any(|ask| ask.kind == ReportKind::Json) {
        return Ok(String::new());
    }
    read_text(&path).map_err(|failure| {
        failure.with_hint("a run has it once a process of it has ended in order")
    })
}
