//! The standard fixture: rows that are the same for the same wishes, on every machine.

mod place;

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

pub use place::{PlaceError, PlaceKind, REHEARSAL_BASE, ReferenceBase, ReferencePlace};

use crate::domain::ids::SceneId;
use crate::domain::row_format::RowFormat;

/// The most rows that one fixture may have.
pub const MAX_ROWS: u64 = 10_000_000;
/// Rows of the fixture unless told otherwise.
pub const DEFAULT_ROWS: u64 = 100;
/// Rows with a reference unless told otherwise: every fifth.
pub const DEFAULT_REFERENCES_PER_ROWS: u64 = 5;
/// The seed unless told otherwise.
pub const DEFAULT_SEED: u64 = 42;
/// The folder of local references, beside the rows file.
pub const REFERENCE_FOLDER: &str = "refs";
/// The columns of the rows file, in their order.
pub const COLUMNS: [&str; 4] = ["scene_id", "prompt", "variants", "reference_urls"];

/// Variants cycle through 1, 2, 3.
const CYCLE: u64 = 3;
/// The shortest number in a row's name: `BATCH-001`.
const MIN_NUMBER_WIDTH: usize = 3;

/// Why a fixture cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The number of rows is zero or too large.
    #[error("a fixture has 1 to {MAX_ROWS} rows, not {0}")]
    Rows(u64),
    /// More rows with a reference than rows.
    #[error("{references} rows with a reference do not fit into {rows} rows")]
    References {
        /// As asked for.
        references: u64,
        /// As asked for.
        rows: u64,
    },
}

/// A fixture, decided in full: the same plan gives the same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedPlan {
    rows: u64,
    references: u64,
    format: RowFormat,
    seed: u64,
    place: ReferencePlace,
}

impl Default for SeedPlan {
    /// 100 rows, 199 images, 20 rows with a reference, as CSV, seed 42.
    fn default() -> Self {
        Self {
            rows: DEFAULT_ROWS,
            references: DEFAULT_ROWS / DEFAULT_REFERENCES_PER_ROWS,
            format: RowFormat::Csv,
            seed: DEFAULT_SEED,
            place: ReferencePlace::Local,
        }
    }
}

impl SeedPlan {
    /// A fixture of so many rows; `references` of them have a reference, every fifth when it is
    /// not given.
    ///
    /// # Errors
    /// When the numbers do not fit each other or the limits.
    pub fn new(rows: u64, references: Option<u64>) -> Result<Self, Error> {
        let references = references.unwrap_or(rows / DEFAULT_REFERENCES_PER_ROWS);
        if !(1..=MAX_ROWS).contains(&rows) {
            return Err(Error::Rows(rows));
        }
        if references > rows {
            return Err(Error::References { references, rows });
        }
        Ok(Self { rows, references, ..Self::default() })
    }

    /// The same with another form of the file.
    #[must_use]
    pub fn with_format(self, format: RowFormat) -> Self {
        Self { format, ..self }
    }

    /// The same with another seed, which varies the local reference pictures.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The same with its references somewhere else.
    #[must_use]
    pub fn with_references_at(self, place: ReferencePlace) -> Self {
        Self { place, ..self }
    }

    /// The form of the file.
    pub fn format(&self) -> RowFormat {
        self.format
    }

    /// The seed of the reference pictures.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Where the references are.
    pub fn references_at(&self) -> &ReferencePlace {
        &self.place
    }

    /// The rows in their order.
    pub fn rows(&self) -> impl Iterator<Item = SeedRow> + '_ {
        (1..=self.rows).map(|number| self.row(number))
    }

    /// The rows that have a reference, in their order.
    pub fn rows_with_reference(&self) -> impl Iterator<Item = SeedRow> + '_ {
        (1..=self.references).map(|k| {
            let number = u128::from(k) * u128::from(self.rows);
            let number = number.div_ceil(u128::from(self.references));
            self.row(u64::try_from(number).expect("at most the number of rows"))
        })
    }

    /// What the fixture comes to.
    pub fn totals(&self) -> SeedTotals {
        let with = |variants: u64| (self.rows + CYCLE - variants) / CYCLE;
        let rows_by_variants = [with(1), with(2), with(3)];
        SeedTotals {
            rows: self.rows,
            images: rows_by_variants[0] + 2 * rows_by_variants[1] + 3 * rows_by_variants[2],
            rows_by_variants,
            references: self.references,
            first: self.scene_id(1),
            last: self.scene_id(self.rows),
        }
    }

    /// What stands in the file before the first row.
    pub fn head(&self) -> String {
        match self.format {
            RowFormat::Csv => format!("{}\n", COLUMNS.join(",")),
            RowFormat::Tsv => format!("{}\n", COLUMNS.join("\t")),
            RowFormat::Json => "[\n".to_owned(),
            RowFormat::Jsonl => String::new(),
        }
    }

    /// What stands in the file for one row.
    pub fn text_of(&self, row: &SeedRow) -> String {
        let reference = row.reference.as_deref();
        match self.format {
            RowFormat::Csv | RowFormat::Tsv => {
                let separator = if self.format == RowFormat::Csv { "," } else { "\t" };
                let cells = [
                    row.scene_id.as_str(),
                    &row.prompt,
                    &row.variants.to_string(),
                    reference.unwrap_or_default(),
                ];
                let cells = cells.map(|cell| quoted(cell, separator));
                format!("{}\n", cells.join(separator))
            }
            RowFormat::Json | RowFormat::Jsonl => {
                let object = JsonRow {
                    scene_id: row.scene_id.as_str(),
                    prompt: &row.prompt,
                    variants: row.variants,
                    reference_urls: reference.as_slice(),
                };
                let object = serde_json::to_string(&object).expect("plain strings and a number");
                let last = row.number == self.rows;
                match (self.format, last) {
                    (RowFormat::Json, false) => format!("{object},\n"),
                    (RowFormat::Json, true) => format!("{object}\n]\n"),
                    (RowFormat::Csv | RowFormat::Tsv | RowFormat::Jsonl, _) => {
                        format!("{object}\n")
                    }
                }
            }
        }
    }

    /// A row by its number. The k-th of R references among N rows is on row k * N / R, rounded up.
    fn row(&self, number: u64) -> SeedRow {
        let share = |n: u64| u128::from(n) * u128::from(self.references) / u128::from(self.rows);
        let scene_id = self.scene_id(number);
        let has_reference = share(number) > share(number - 1);
        let reference = has_reference.then(|| self.place.reference(scene_id.as_str()));
        SeedRow {
            number,
            prompt: format!("product on clean bg #{number}"),
            variants: u8::try_from((number - 1) % CYCLE + 1).expect("at most three"),
            reference,
            scene_id,
        }
    }

    /// As wide as the last number, at least three digits, so that names sort like numbers.
    fn scene_id(&self, number: u64) -> SceneId {
        let width = self.rows.to_string().len().max(MIN_NUMBER_WIDTH);
        SceneId::new(format!("BATCH-{number:0width$}"))
    }
}

/// One row of a fixture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedRow {
    /// Its place, counted from 1.
    pub number: u64,
    /// Its name.
    pub scene_id: SceneId,
    /// Its prompt.
    pub prompt: String,
    /// How many images it asks for: 1, 2 or 3.
    pub variants: u8,
    /// The address or relative path of its reference, if it has one.
    pub reference: Option<String>,
}

/// What a fixture comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SeedTotals {
    /// All rows.
    pub rows: u64,
    /// All images that they ask for.
    pub images: u64,
    /// Rows with one, two and three variants.
    pub rows_by_variants: [u64; 3],
    /// Rows with a reference.
    pub references: u64,
    /// The name of the first row.
    pub first: SceneId,
    /// The name of the last row.
    pub last: SceneId,
}

impl fmt::Display for SeedTotals {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [one, two, three] = self.rows_by_variants;
        write!(out, "{one} rows with 1 variant, {two} with 2, {three} with 3")
    }
}

/// What was done with a fixture's rows file, for the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SeedSummary {
    /// The rows file as the user named it.
    pub file: String,
    /// What the fixture comes to.
    pub totals: SeedTotals,
    /// The seed of the reference pictures.
    pub seed: u64,
    /// The base address of the references; nothing when they are local.
    pub reference_base: Option<String>,
    /// When the signatures of the references end; nothing when they have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_until: Option<Timestamp>,
    /// The SHA-256 of the rows file in hexadecimal digits.
    pub sha256: String,
    /// Whether the file was there already, with the same bytes.
    pub unchanged: bool,
}

#[derive(Serialize)]
struct JsonRow<'a> {
    scene_id: &'a str,
    prompt: &'a str,
    variants: u8,
    reference_urls: &'a [&'a str],
}

/// A cell, in quotation marks where its content asks for them.
fn quoted(cell: &str, separator: &str) -> String {
    if cell.contains(separator) || cell.contains(['"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers_with_reference(plan: &SeedPlan) -> Vec<u64> {
        plan.rows().filter(|row| row.reference.is_some()).map(|row| row.number).collect()
    }

    #[test]
    fn the_standard_fixture_is_what_everybody_expects() {
        let plan = SeedPlan::default();
        assert_eq!(SeedPlan::new(100, None), Ok(plan.clone()));
        let totals = plan.totals();
        assert_eq!((totals.rows, totals.images, totals.references), (100, 199, 20));
        assert_eq!(totals.rows_by_variants, [34, 33, 33]);
        assert_eq!((totals.first.as_str(), totals.last.as_str()), ("BATCH-001", "BATCH-100"));
        assert_eq!(numbers_with_reference(&plan), (5..=100).step_by(5).collect::<Vec<_>>());
        let text: String = plan.rows().take(5).map(|row| plan.text_of(&row)).collect();
        assert_eq!(
            plan.head() + &text,
            "scene_id,prompt,variants,reference_urls\n\
             BATCH-001,product on clean bg #1,1,\n\
             BATCH-002,product on clean bg #2,2,\n\
             BATCH-003,product on clean bg #3,3,\n\
             BATCH-004,product on clean bg #4,1,\n\
             BATCH-005,product on clean bg #5,2,refs/BATCH-005.png\n"
        );
    }

    #[test]
    fn every_form_says_the_same() {
        let text = |format| {
            let plan = SeedPlan::new(2, Some(1)).expect("valid").with_format(format);
            plan.head() + &plan.rows().map(|row| plan.text_of(&row)).collect::<String>()
        };
        let object = |n: u8, reference: &str| {
            let head = format!(r#""scene_id":"BATCH-00{n}","prompt":"product on clean bg #{n}""#);
            format!(r#"{{{head},"variants":{n},"reference_urls":[{reference}]}}"#)
        };
        let (first, second) = (object(1, ""), object(2, r#""refs/BATCH-002.png""#));
        assert_eq!(text(RowFormat::Json), format!("[\n{first},\n{second}\n]\n"));
        assert_eq!(text(RowFormat::Jsonl), format!("{first}\n{second}\n"));
        let tsv = "scene_id\tprompt\tvariants\treference_urls\n\
                   BATCH-001\tproduct on clean bg #1\t1\t\n\
                   BATCH-002\tproduct on clean bg #2\t2\trefs/BATCH-002.png\n";
        assert_eq!(text(RowFormat::Tsv), tsv);
    }

    #[test]
    fn references_are_spread_evenly() {
        let check = |rows, references, expected: &[u64]| {
            let plan = SeedPlan::new(rows, Some(references)).expect("valid");
            assert_eq!(numbers_with_reference(&plan), expected, "{references} of {rows}");
        };
        check(10, 0, &[]);
        check(10, 1, &[10]);
        check(10, 3, &[4, 7, 10]);
        check(10, 4, &[3, 5, 8, 10]);
        check(3, 3, &[1, 2, 3]);
    }

    #[test]
    fn names_grow_with_the_rows() {
        let last = |rows| SeedPlan::new(rows, None).expect("valid").totals().last.to_string();
        assert_eq!(last(1), "BATCH-001");
        assert_eq!(last(999), "BATCH-999");
        assert_eq!(last(1_000), "BATCH-1000");
        let first = SeedPlan::new(1_000_000, None).expect("valid").totals().first;
        assert_eq!(first.as_str(), "BATCH-0000001");
    }

    #[test]
    fn an_address_replaces_the_folder() {
        let base: ReferenceBase = "https://cdn.example/a,b/".parse().expect("valid");
        let plan = SeedPlan::new(1, Some(1))
            .expect("valid")
            .with_references_at(ReferencePlace::Base(base));
        let row = plan.rows().next().expect("one row");
        let line = "BATCH-001,product on clean bg #1,1,\"https://cdn.example/a,b/BATCH-001.png\"\n";
        assert_eq!(plan.text_of(&row), line);
        for text in ["", "cdn.example", "ftp://a/b", "https://a/?x=1", "https://a/#f", "file:///a"]
        {
            assert!(text.parse::<ReferenceBase>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn wishes_that_do_not_fit_are_refused() {
        assert_eq!(SeedPlan::new(0, None), Err(Error::Rows(0)));
        assert_eq!(SeedPlan::new(MAX_ROWS + 1, None), Err(Error::Rows(MAX_ROWS + 1)));
        let refused = Error::References { references: 4, rows: 3 };
        assert_eq!(SeedPlan::new(3, Some(4)), Err(refused));
    }

    proptest! {
        #[test]
        fn totals_agree_with_the_rows(rows in 1u64..2_000, part in 0u64..=100) {
            let plan = SeedPlan::new(rows, Some(rows * part / 100)).expect("valid");
            let totals = plan.totals();
            let all: Vec<_> = plan.rows().collect();
            let images: u64 = all.iter().map(|row| u64::from(row.variants)).sum();
            let with: Vec<_> =
                all.into_iter().filter(|row| row.reference.is_some()).collect();
            prop_assert_eq!(totals.images, images);
            prop_assert_eq!(totals.rows_by_variants.iter().sum::<u64>(), rows);
            prop_assert_eq!(totals.references, with.len() as u64);
            prop_assert_eq!(plan.rows_with_reference().collect::<Vec<_>>(), with);
        }
    }
}
