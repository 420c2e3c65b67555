//! The documents are held to the code: blocks are run, tables and names are compared.

mod help;
mod markdown;
mod names;
mod readme;
mod sandbox;
mod tables;
mod tree;

use std::fs;
use std::path::{Path, PathBuf};

/// The package's own folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// The text of one of the documents at the top level.
fn document(name: &str) -> String {
    let path = root().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
