//! `imagemill seed`.

use clap::Args;

use crate::cli::args::{ReferencesKindArg, RowFormatArg, TEMPLATE};

/// Arguments of `seed`.
#[derive(Clone, Debug, Args)]
#[command(
    before_help = "\
Examples:
  imagemill seed --out rows.csv                       100 rows, 199 images, 20 with a reference
  imagemill seed --rows 500 --out rows-500.csv        a larger one
  imagemill seed --format jsonl --out rows.jsonl      as JSON lines
  imagemill seed --reference-base https://cdn.example/refs --out rows-url.csv   references by URL
  imagemill seed --references-kind s3 --out rows-s3.csv       references in the bucket s3://refs
  imagemill seed --reference-base http://127.0.0.1:8787/refs --references-ttl 15m --out rows-15m.csv
                                    on imagemill sim, by signed addresses that expire in 15 minutes
",
    help_template = TEMPLATE
)]
pub struct SeedArgs {
    /// How many rows
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub rows: u32,

    /// How many of them have a reference [default: every fifth row]
    #[arg(long, value_name = "N")]
    pub references: Option<u32>,

    /// How the rows are written [default: by the name of --out, else csv]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<RowFormatArg>,

    /// The seed of the reference pictures
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub seed: u64,

    /// What references are [default: by --reference-base, else local]
    #[arg(long, value_enum, value_name = "KIND")]
    pub references_kind: Option<ReferencesKindArg>,

    /// References below this address, not as local files; for gs, s3, az [default: bucket refs]
    #[arg(long, value_name = "URL")]
    pub reference_base: Option<String>,

    /// Sign addresses on imagemill sim (below /refs) for this time, then they expire; 1s to 7days
    #[arg(long, value_name = "TIME")]
    pub references_ttl: Option<String>,

    /// The rows file; local references go into refs/ beside it [default: rows.csv]
    #[arg(long, value_name = "FILE")]
    pub out: Option<String>,

    /// Replace files that exist with other bytes
    #[arg(long)]
    pub force: bool,
}
