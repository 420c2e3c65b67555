//! The committed fixtures are what `seed` makes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use imagemill::adapters::fixture::{self, Overwrite};
use imagemill::domain::row_format::RowFormat;
use imagemill::domain::seed::SeedPlan;

const FILES: [(&str, u64, RowFormat); 4] = [
    ("rows-100.csv", 100, RowFormat::Csv),
    ("rows-100.json", 100, RowFormat::Json),
    ("rows-100.jsonl", 100, RowFormat::Jsonl),
    ("rows-500.csv", 500, RowFormat::Csv),
];

#[test]
fn the_committed_fixtures_are_what_seed_makes() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let made = tempfile::tempdir().expect("a folder");
    for (name, rows, format) in FILES {
        let plan = SeedPlan::new(rows, None).expect("valid").with_format(format);
        fixture::write(&plan, &made.path().join(name), Overwrite::Refuse).expect(name);
        same_bytes(&made.path().join(name), &committed.join(name));
    }
    let names = |folder: &Path| -> BTreeSet<_> {
        let entries = fs::read_dir(folder.join("refs")).expect("a folder");
        entries.map(|entry| entry.expect("an entry").file_name()).collect()
    };
    assert_eq!(names(made.path()), names(&committed));
    assert_eq!(names(&committed).len(), 100, "every fifth of 500 rows, and of 100 the same ones");
    for name in names(&committed) {
        let inside = Path::new("refs").join(name);
        same_bytes(&made.path().join(&inside), &committed.join(&inside));
    }
}

fn same_bytes(made: &Path, committed: &Path) {
    let read = |path: &Path| fs::read(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    assert!(read(made) == read(committed), "{} differs", committed.display());
}
