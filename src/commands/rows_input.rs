//! The rows that a command was given: where they are, and what is said when they cannot be read.

use std::path::{Path, PathBuf};

use crate::adapters::rows::{self, RowInput};
use crate::commands::failure::Failure;
use crate::commands::world::World;
use crate::domain::settings::RowsInput;
use crate::exit::Exit;

/// How standard input is named.
const STDIN: &str = "standard input";

/// The name of the input as it is shown.
pub(super) fn input_name(rows: &RowsInput) -> String {
    match rows {
        RowsInput::Stdin => STDIN.to_owned(),
        RowsInput::File(path) => path.display().to_string(),
    }
}

/// The input as the reader wants it, and the folder of its local references.
pub(super) fn input_of(world: &World, rows: &RowsInput) -> (RowInput, PathBuf) {
    match rows {
        RowsInput::Stdin => (RowInput::Stdin, world.invocation.cwd.clone()),
        RowsInput::File(path) => {
            let full = world.path(path);
            let folder = full.parent().map_or_else(|| world.invocation.cwd.clone(), Path::to_owned);
            (RowInput::Path(path.clone()), folder)
        }
    }
}

/// A fault of the input, with its picture.
pub(super) fn rows_failure(world: &World, error: rows::Error) -> Failure {
    match error {
        rows::Error::Input(diagnostic) => {
            let picture =
                crate::report::diagnostic::render(&diagnostic, world.printer.color_stderr());
            Failure::new(Exit::Invalid, diagnostic.title.clone()).with_picture(picture)
        }
        rows::Error::Io { .. } => Failure::new(Exit::Invalid, error),
    }
}
