//! What every command has at hand: the invocation, the printer, layers, ledger and price book.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use crate::adapters::system::zone_named;
use crate::cli::args::Cli;
use crate::cli::env_vars;
use crate::cli::invocation::Invocation;
use crate::cli::layers::{self, Layers};
use crate::commands::failure::{Failure, FileError};
use crate::domain::money::NanoUsd;
use crate::domain::price::PriceBook;
use crate::exit::Exit;
use crate::report::printer::Printer;

/// The daily limit of a ledger that was given none.
pub const DEFAULT_LIMIT: NanoUsd = NanoUsd::from_dollars(10);

/// What every command has at hand.
#[derive(Debug)]
pub struct World {
    /// The outer world as it was at the start.
    pub invocation: Invocation,
    /// The one who prints.
    pub printer: Printer,
    /// A config file named on the command line.
    pub config: Option<String>,
}

impl World {
    /// Takes what the command line says for every command.
    pub fn new(invocation: Invocation, printer: Printer, cli: &Cli) -> Self {
        Self { invocation, printer, config: cli.config.clone() }
    }

    /// The folder of the user's real ledger: flag, environment, config, else the state folder.
    pub fn ledger_folder(&self, layers: &Layers) -> PathBuf {
        if let Some(given) = layers.get(layers::LEDGER) {
            return self.path(&given.text);
        }
        match &self.invocation.state_home {
            Some(home) => home.join("ledger"),
            None => self.path(".imagemill/ledger"),
        }
    }

    /// The built-in price book with a user's file laid over it.
    ///
    /// # Errors
    /// When the file is missing or invalid.
    pub fn price_book(&self, file: Option<&Path>) -> Result<PriceBook, Failure> {
        let book = PriceBook::embedded();
        let Some(file) = file else { return Ok(book) };
        let text = read_text(&self.path(file))?;
        let invalid = |error| {
            Failure::new(Exit::Invalid, error)
                .with_hint(format!("imagemill prices check {} says more", file.display()))
        };
        let user = PriceBook::parse(&text, &file.to_string_lossy()).map_err(invalid)?;
        book.merge(user).map_err(invalid)
    }

    /// A path as the user meant it: relative to the folder in which the command was called.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.invocation.cwd.join(path)
    }

    /// A path as a config file has it: `~/` is the user's home.
    pub fn home_path(&self, path: &str) -> PathBuf {
        match (path.strip_prefix("~/"), self.invocation.env(env_vars::HOME.name)) {
            (Some(rest), Some(home)) => Path::new(home).join(rest),
            _ => self.path(path),
        }
    }

    /// The zone in which times are shown.
    ///
    /// # Errors
    /// When the zone is not known.
    pub fn display_zone(&self, layers: &Layers) -> Result<TimeZone, Failure> {
        let Some(given) = layers.get(layers::TZ) else { return Ok(TimeZone::UTC) };
        zone_named(&given.text).map_err(|error| {
            Failure::new(Exit::Invalid, error)
                .with_hint(format!("{} comes from {}", given.text, given.origin))
        })
    }
}

/// Reads a small text file.
///
/// # Errors
/// When it cannot be read or is no UTF-8.
pub fn read_text(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|source| {
        let path = path.display().to_string();
        Failure::new(Exit::Invalid, FileError { action: "read", path, source })
    })
}
