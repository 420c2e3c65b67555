//! `imagemill name-test`: what the images of the first rows would be called.

use crate::adapters::system::{self, SystemEntropy};
use crate::cli::args::name_test::NameTestArgs;
use crate::cli::args::run::{FormatArg, RunArgs};
use crate::commands::failure::Failure;
use crate::commands::run::planning::{self, PlanningAsk};
use crate::commands::run::report::Header;
use crate::commands::run::setup::settings;
use crate::commands::world::World;
use crate::domain::image_name::NameFacts;
use crate::domain::row_format::RowFormat;
use crate::domain::settings::Mode;
use crate::exit::Exit;
use crate::ports::entropy::Entropy;
use crate::ports::rows::RowReader;
use crate::report::names::{NamedImage, names_view};

/// Shows the names of the first rows; all of them are checked.
///
/// # Errors
/// When rows are bad, or two images would have the same name.
pub fn run(world: &World, args: &NameTestArgs) -> Result<Exit, Failure> {
    let run_args = RunArgs {
        rows: Some(args.rows.clone()),
        name: args.name.clone(),
        provider: args.provider.clone(),
        model: args.model.clone(),
        size: args.size.clone(),
        quality: args.quality.clone(),
        image_format: args.image_format.clone(),
        // What a run is judged by says nothing about names.
        gates: vec!["none".to_owned()],
        ..RunArgs::default()
    };
    let header = Header {
        run_id: SystemEntropy.run_id(),
        mode: Mode::DryRun,
        started_at: system::now(),
        format: FormatArg::Table,
        asked: None,
        folder: None,
        ledger: None,
    };
    let (settings, layers, book) = settings(world, &run_args, &header, None)?;
    let mut planned = planning::plan(
        world,
        &PlanningAsk {
            settings: &settings,
            layers: &layers,
            book: &book,
            format: args.input_format.map(RowFormat::from),
            run_id: header.run_id,
            now: header.started_at,
            binds: false,
        },
    )?;
    let mut shown = Vec::new();
    let n_rows = u32::try_from(planned.batch.n_rows()).expect("rows are counted with 32 bits");
    for position in 0..n_rows.min(args.show) {
        let row = planned.reader.read(position);
        let row = row.map_err(|error| Failure::new(Exit::Invalid, error))?;
        let class = planned.batch.class_of(position);
        let spec = planned.batch.spec_for(class, &row, &settings.spec);
        for variant in row.variants.each() {
            let facts = NameFacts { run_id: header.run_id, row: &row, variant, spec: &spec };
            let name = settings.names.name(&facts).to_string();
            let scene_id = row.scene_id.as_str().to_owned();
            shown.push(NamedImage { row: row.number, scene_id, variant, name });
        }
    }
    let n_images = planned.batch.whole().images;
    world.printer.result(&names_view(&settings.names, &shown, u64::from(n_rows), n_images));
    Ok(if n_rows == 0 { Exit::NoRows } else { Exit::Ok })
}
