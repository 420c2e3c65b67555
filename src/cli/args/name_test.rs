//! `imagemill name-test`.

use clap::Args;

use crate::cli::args::{RowFormatArg, TEMPLATE};

/// Arguments of `name-test`.
#[derive(Clone, Debug, Args)]
#[command(
    before_help = "\
Examples:
  imagemill name-test rows.csv                                     the names of the first rows
  imagemill name-test rows.csv --name '{date}/{scene_id}-{variant}'   with folders by day
  imagemill name-test rows.csv --name '{prompt:slug:30}-{scene_id}-v{variant}'
",
    after_help = "\
Places: {scene_id} {variant} {row} {run} {date} {provider} {model} {size} {quality} {format} {seed}
{tags} {filename} {prompt:slug:40} {sha256:12} and any column of yours as {col:NAME} or {NAME}.
{date} is the day of UTC on which the run began, {sha256:12} the digest of the image. A / makes a
folder; the extension comes from the image. What no file system takes becomes a -.
",
    help_template = TEMPLATE
)]
pub struct NameTestArgs {
    /// The rows: a CSV, TSV, JSON or JSONL file, or - for standard input
    #[arg(value_name = "ROWS")]
    pub rows: String,

    /// The template to look at [default: the one of the config, or {scene_id}-v{variant}]
    #[arg(long, value_name = "TEMPLATE")]
    pub name: Option<String>,

    /// So many rows are shown; all are checked
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub show: u32,

    /// How the rows are written, when the name does not tell
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub input_format: Option<RowFormatArg>,

    /// The provider that rows without one ask
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,

    /// The model that rows without one ask
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,

    /// The size of rows without one
    #[arg(long, value_name = "WxH")]
    pub size: Option<String>,

    /// The quality of rows without one
    #[arg(long, value_name = "WORD")]
    pub quality: Option<String>,

    /// The file format of rows without one
    #[arg(long, value_name = "png|jpeg|webp")]
    pub image_format: Option<String>,
}
