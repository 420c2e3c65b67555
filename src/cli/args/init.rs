//! `imagemill init`.

use clap::Args;

use crate::cli::args::TEMPLATE;

/// Arguments of `init`.
#[derive(Clone, Debug, Args)]
#[command(
    before_help = "\
Examples:
  imagemill init                      imagemill.toml, rows.example.csv, .gitignore
",
    help_template = TEMPLATE
)]
pub struct InitArgs {}
