//! `imagemill refs`: what references of rows can be used, before anything is paid.

mod judge;
mod look;

use std::sync::Arc;

use tokio::runtime::Builder;

use crate::adapters::rows::{BadRow, ReadOptions, RowSource};
use crate::adapters::system;
use crate::cli::args::TableOrJson;
use crate::cli::args::refs::{RefsCheckArgs, RefsCommand};
use crate::cli::resolve;
use crate::commands::failure::Failure;
use crate::commands::refs::look::Look;
use crate::commands::rows_input::{input_of, rows_failure};
use crate::commands::world::World;
use crate::domain::row_format::RowFormat;
use crate::domain::settings::RowsInput;
use crate::exit::Exit;
use crate::ports::rows::RowReader;
use crate::report::references::{ReferencesReport, UnreadRow, references_json, references_table};

/// Does what was asked.
///
/// # Errors
/// When the rows cannot be read or a setting is invalid.
pub fn run(world: &World, command: &RefsCommand) -> Result<Exit, Failure> {
    match command {
        RefsCommand::Check(args) => check(world, args),
    }
}

fn check(world: &World, args: &RefsCheckArgs) -> Result<Exit, Failure> {
    let (mut layers, _) = world.layers()?;
    args.fetch.put(&mut layers);
    let settings = resolve::fetch_settings(&layers).map_err(|error| {
        let exit = if error.is_usage() { Exit::Usage } else { Exit::Invalid };
        Failure::new(exit, error)
    })?;
    let rows = match args.rows.as_str() {
        "-" => RowsInput::Stdin,
        path => RowsInput::File(path.into()),
    };
    let (input, folder) = input_of(world, &rows);
    let options =
        ReadOptions { format: args.input_format.map(RowFormat::from), spool_folder: None };
    let failed = |error| rows_failure(world, error);
    let mut source = RowSource::open(&input, &options).map_err(failed)?;
    let mut bad = Vec::new();
    let index = source.index(&mut |_| Ok(()), &mut |row| bad.push(unread(&row))).map_err(failed)?;
    let n_rows = index.len();
    if n_rows == 0 && bad.is_empty() {
        return Err(Failure::new(Exit::NoRows, "there are no rows to check"));
    }
    let index = Arc::new(index);
    let mut reader = source.reader(&index).map_err(failed)?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Environment, error))?;
    let look = {
        let _guard = runtime.enter();
        Look::new(world, settings, &folder, args.no_fetch)?
    };
    let progress = runtime.spawn(look.tell_progress(world.printer));
    let mut found = Vec::new();
    let mut n_with_references = 0;
    for position in 0..n_rows {
        let row = reader.read(position).map_err(|error| Failure::new(Exit::Invalid, error))?;
        if row.references.is_empty() && row.options.mask.is_none() {
            continue;
        }
        n_with_references += 1;
        look.begin(&row, &mut found, &runtime);
    }
    let references = runtime.block_on(look.finish(found));
    progress.abort();
    let report = ReferencesReport {
        n_rows: u64::from(n_rows) + bad.len() as u64,
        n_with_references,
        bad_rows: bad,
        only_judged: args.no_fetch,
        references,
        tally: look.tally(),
        news: look.news(),
        checked_at: system::now(),
    };
    let text = match args.format {
        TableOrJson::Json => references_json(&report),
        TableOrJson::Table => references_table(&report, world.printer.width(), args.all),
    };
    world.printer.result(&text);
    for news in &report.news {
        world.printer.warn(news);
    }
    Ok(if report.is_good() { Exit::Ok } else { Exit::Invalid })
}

fn unread(row: &BadRow) -> UnreadRow {
    UnreadRow { row: row.number, scene_id: row.scene_id.clone(), error: row.error_text() }
}
