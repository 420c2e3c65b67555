//! The file of bad rows: beside the run's folder until there is one, then in it.

use std::io;
use std::path::{Path, PathBuf};

use crate::adapters::output::tables::free_name;
use crate::adapters::rows::RowSource;
use crate::cli::args::run::RunArgs;
use crate::cli::layers::Layers;
use crate::commands::run::report::Header;
use crate::commands::world::World;
use crate::domain::ids::RunId;
use crate::domain::row_format::RowFormat;
use crate::domain::settings::{Mode, RowsInput, RunSettings};

/// What ends the name of a file of bad rows before its format is known.
const UNNAMED: &str = ".rejected";

/// Where bad rows are written: as asked; a live run keeps them beside its folder until it has one.
pub(super) fn rejected_file(
    args: &RunArgs,
    header: &Header,
    layers: &Layers,
    rows: &RowsInput,
) -> Option<PathBuf> {
    match (&args.rejected, header.mode) {
        (Some(path), _) => Some(PathBuf::from(path)),
        (None, Mode::DryRun) => None,
        (None, Mode::Live) => {
            let out = layers.out_folder();
            Some(own_rejected_file(Path::new(out), header, rows))
        }
    }
}

/// Where a live run keeps its bad rows until it has a folder: nobody else has this name. Rows
/// whose name does not tell their format give it an ending later: [`with_format`].
fn own_rejected_file(out: &Path, header: &Header, rows: &RowsInput) -> PathBuf {
    let extension = match rows {
        RowsInput::File(path) => path.extension().and_then(|it| it.to_str()),
        RowsInput::Stdin => None,
    };
    let name = format!("{}{UNNAMED}", header.run_id);
    out.join(extension.map_or(name.clone(), |extension| format!("{name}.{extension}")))
}

/// The same file with the ending of the rows' format, where it has none yet.
pub(super) fn with_format(path: &Path, format: RowFormat) -> PathBuf {
    let run = path.file_name().and_then(|it| it.to_str()?.strip_suffix(UNNAMED));
    match run.and_then(|run| run.parse::<RunId>().ok()) {
        Some(_) => path.with_extension(format!("rejected.{format}")),
        None => path.to_owned(),
    }
}

/// Where such a file ends up once the run has its folder; any other file stays where it is.
pub(super) fn settled_rejected_file(path: &Path) -> PathBuf {
    let settled = || {
        let (run, name) = path.file_name()?.to_str()?.split_once('.')?;
        run.parse::<RunId>().ok()?;
        name.starts_with("rejected.").then(|| path.with_file_name(run).join(name))
    };
    settled().unwrap_or_else(|| path.to_owned())
}

/// Moves the run's own file of bad rows, if there is one, into the folder of the run. Rows that are
/// there from an earlier process may have been mended where they lie: they are never written over.
pub(super) fn settle(
    world: &World,
    header: &Header,
    settings: &mut RunSettings,
    folder: &Path,
    source: Option<&RowSource>,
) -> io::Result<()> {
    let mut rejected = own_rejected_file(&settings.out, header, &settings.rows);
    if let Some(source) = source {
        rejected = with_format(&rejected, source.shape().format());
    }
    let name = settled_rejected_file(&rejected).file_name().unwrap_or_default().to_owned();
    let (new, usual) = (world.path(&rejected), folder.join(name));
    if settings.rejected.as_ref().is_some_and(|it| is_same_file(&world.path(it), &usual)) {
        // A person asked for it to be there.
        return Ok(());
    }
    let is_input = match &settings.rows {
        RowsInput::File(path) => is_same_file(&world.path(path), &usual),
        RowsInput::Stdin => false,
    };
    let settled = if is_input { free_name(&usual) } else { usual };
    if settings.rejected.as_ref().is_some_and(|it| settled_rejected_file(it) != *it) {
        // Rows that are rejected on the way go there as well.
        settings.rejected = Some(settled.clone());
    }
    let is_new = new.is_file();
    if settled.is_file() {
        if is_new && std::fs::read(&new)? == std::fs::read(&settled)? {
            return std::fs::remove_file(&new);
        }
        // Those of an earlier process of the run are judged anew.
        std::fs::rename(&settled, free_name(&settled))?;
    }
    if is_new { std::fs::rename(&new, &settled) } else { Ok(()) }
}

/// Whether two paths lead to one file that is there.
pub(super) fn is_same_file(one: &Path, other: &Path) -> bool {
    one.canonicalize().ok().zip(other.canonicalize().ok()).is_some_and(|(one, other)| one == other)
}
