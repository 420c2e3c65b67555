//! `imagemill prices`: list, show and check.

use std::path::Path;

use crate::adapters::system;
use crate::cli::args::TableOrJson;
use crate::cli::args::prices::{PricesCheckArgs, PricesCommand, PricesListArgs, PricesShowArgs};
use crate::cli::layers;
use crate::commands::failure::Failure;
use crate::commands::world::{World, read_text};
use crate::domain::price::{PriceAsk, PriceBook};
use crate::exit::Exit;
use crate::report::prices::{PriceCheck, PriceList, PriceSheet};
use crate::report::tables::{Lines, TableLook};

/// Does what was asked.
///
/// # Errors
/// When a price file is invalid, or a provider or model is not in the book.
pub fn run(world: &World, command: &PricesCommand) -> Result<Exit, Failure> {
    match command {
        PricesCommand::List(args) => list(world, args),
        PricesCommand::Show(args) => show(world, args),
        PricesCommand::Check(args) => check(world, args),
    }
}

fn list(world: &World, args: &PricesListArgs) -> Result<Exit, Failure> {
    let book = book(world, args.prices.as_deref())?;
    let list = PriceList::of(&book, args.provider.as_deref(), today())
        .map_err(|error| Failure::new(Exit::Invalid, error))?;
    world.printer.result(&match args.format {
        TableOrJson::Table => list.text(look(world)),
        TableOrJson::Json => list.json(),
    });
    Ok(Exit::Ok)
}

fn show(world: &World, args: &PricesShowArgs) -> Result<Exit, Failure> {
    let book = book(world, args.prices.as_deref())?;
    let ask = PriceAsk {
        provider: &args.provider,
        model: &args.model,
        size: args.size.as_deref(),
        quality: args.quality.as_deref(),
        n_input_images: 0,
    };
    let sheet = PriceSheet::of(&book, &ask, today()).map_err(|error| {
        Failure::new(Exit::Invalid, error)
            .with_hint(format!("imagemill prices list {}", args.provider))
    })?;
    world.printer.result(&match args.format {
        TableOrJson::Table => sheet.text(look(world)),
        TableOrJson::Json => sheet.json(),
    });
    Ok(Exit::Ok)
}

fn check(world: &World, args: &PricesCheckArgs) -> Result<Exit, Failure> {
    let text = read_text(&world.path(&args.file))?;
    let check = PriceCheck::of(&args.file, &text, &PriceBook::embedded());
    world.printer.result(&match args.format {
        TableOrJson::Table => check.text(),
        TableOrJson::Json => check.json(),
    });
    Ok(if check.valid { Exit::Ok } else { Exit::Invalid })
}

fn book(world: &World, file: Option<&str>) -> Result<PriceBook, Failure> {
    let (layers, _) = world.layers()?;
    let file = file.or_else(|| layers.get(layers::PRICES).map(|given| given.text.as_str()));
    world.price_book(file.map(Path::new))
}

fn look(world: &World) -> TableLook {
    TableLook { width: world.printer.width(), lines: Lines::default() }
}

fn today() -> jiff::civil::Date {
    jiff::tz::TimeZone::UTC.to_datetime(system::now()).date()
}
