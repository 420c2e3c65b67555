//! Makes the committed fixtures again: `cargo run --example make_fixtures [FOLDER]`.
//!
//! Files that are there already must have the same bytes.

use std::path::PathBuf;

use imagemill::adapters::fixture::{self, Overwrite};
use imagemill::domain::row_format::RowFormat;
use imagemill::domain::seed::SeedPlan;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "fixtures".to_owned()));
    let files = [
        ("rows-100.csv", 100, RowFormat::Csv),
        ("rows-100.json", 100, RowFormat::Json),
        ("rows-100.jsonl", 100, RowFormat::Jsonl),
        ("rows-500.csv", 500, RowFormat::Csv),
    ];
    for (name, rows, format) in files {
        let plan = SeedPlan::new(rows, None)?.with_format(format);
        fixture::write(&plan, &folder.join(name), Overwrite::Refuse)?;
    }
    Ok(())
}
