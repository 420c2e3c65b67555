//! `imagemill report compare`: two runs beside each other, by their last reports.

use serde_json::Value;

use crate::adapters::output::picture::REPORT;
use crate::cli::args::TableOrJson;
use crate::cli::args::report::CompareArgs;
use crate::cli::layers;
use crate::commands::failure::Failure;
use crate::commands::which_run::the_run;
use crate::commands::world::{World, read_text};
use crate::exit::Exit;
use crate::report::compare::{Comparison, compare_json, compare_table};

pub(super) fn compare(world: &World, args: &CompareArgs) -> Result<Exit, Failure> {
    let one = document(world, args.out.as_ref(), &args.one)?;
    let other = document(world, args.out.as_ref(), &args.other)?;
    let comparison = Comparison::of(&args.one, &one, &args.other, &other);
    let text = match args.format {
        TableOrJson::Json => compare_json(&comparison),
        TableOrJson::Table => compare_table(&comparison, world.printer.width()),
    };
    world.printer.result(&text);
    Ok(Exit::Ok)
}

/// The report of a run, or one that was saved.
fn document(world: &World, out: Option<&String>, named: &str) -> Result<Value, Failure> {
    let file = world.path(named);
    let path = if file.is_file() {
        file
    } else {
        let (mut layers, _) = world.layers()?;
        layers.put_flag(layers::OUT, out);
        let out = layers.out_folder();
        the_run(&world.path(out), named)?.join(REPORT)
    };
    let text = read_text(&path)?;
    let value = serde_json::from_str::<Value>(&text).ok();
    let is_report = |value: &Value| {
        value["schema"].as_str().is_some_and(|schema| schema.starts_with("imagemill.report/1"))
    };
    value.filter(is_report).ok_or_else(|| {
        Failure::new(Exit::Invalid, format!("{} is no report of a run", path.display()))
    })
}
