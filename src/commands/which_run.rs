//! The run that a person means.

use std::path::{Path, PathBuf};

use crate::adapters::output::runs::named;
use crate::commands::failure::Failure;
use crate::exit::Exit;

/// The only run below `out` that a person can mean.
pub(super) fn the_run(out: &Path, text: &str) -> Result<PathBuf, Failure> {
    let found = named(out, text).map_err(|error| Failure::new(Exit::Environment, error));
    let mut found = found?;
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(Failure::new(Exit::Invalid, format!("there is no run {text:?}")).with_hint(
            format!(
                "give its folder, its id or the end of its id; they are below {}",
                out.display()
            ),
        )),
        n => Err(Failure::new(Exit::Invalid, format!("{n} runs end with {text:?}"))
            .with_hint("give more of the id, or the folder")),
    }
}
