//! The same data as CSV, TSV, JSON and JSONL gives the same rows.

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::{Read, read};
use crate::domain::row::Row;
use crate::domain::row_format::RowFormat;

const NAMES: [&str; 8] =
    ["scene_id", "prompt", "variants", "tags", "reference_urls", "color", "Größe", "max_cost"];

/// A table: for each row a text or nothing for each name.
type Table = Vec<Vec<Option<String>>>;

fn any_row() -> impl Strategy<Value = Vec<Option<String>>> {
    let text = "[a-z \"',|\\[\\]{}\\\\;:é日\n\r\t=-]{0,12}";
    (
        proptest::option::weighted(0.7, "[A-Za-z0-9 é./-]{1,6}"),
        proptest::option::weighted(0.95, prop_oneof![text, Just("a {color} {Größe} x".to_owned())]),
        proptest::option::of("[0-9]{1,2}|x"),
        proptest::option::of("[a-c |]{0,6}|\\[\"a\\|b\", \"c\"\\]"),
        proptest::option::of("(https://x\\.example/[a-z]{1,3}\\||[a-z]{1,4}\\.png\\||ftp:x){0,3}"),
        proptest::option::of(text),
        proptest::option::of("[a-z{}]{0,5}"),
        proptest::option::of("[0-9]\\.[0-9]{1,3}|-1|x"),
    )
        .prop_map(|(id, prompt, variants, tags, references, color, size, cost)| {
            vec![id, prompt, variants, tags, references, color, size, cost]
        })
}

fn as_table(table: &Table, delimiter: u8) -> Vec<u8> {
    let style = csv::QuoteStyle::Necessary;
    let mut writer =
        csv::WriterBuilder::new().delimiter(delimiter).quote_style(style).from_writer(Vec::new());
    writer.write_record(NAMES).expect("in memory");
    for row in table {
        let cells = row.iter().map(|cell| cell.as_deref().unwrap_or(""));
        writer.write_record(cells).expect("in memory");
    }
    writer.into_inner().expect("in memory")
}

/// Numbers and lists are written in JSON's own way where the text allows it.
fn as_value(name: &str, text: &str) -> String {
    match name {
        "variants" | "max_cost" if serde_json::from_str::<serde_json::Number>(text).is_ok() => {
            text.to_owned()
        }
        "tags" | "reference_urls" if !text.starts_with('[') => {
            text.split('|').map(Value::from).collect::<Value>().to_string()
        }
        _ => Value::from(text).to_string(),
    }
}

fn as_objects(table: &Table) -> Vec<String> {
    let object = |row: &Vec<Option<String>>| {
        let members: Vec<String> = NAMES
            .iter()
            .zip(row)
            .filter_map(|(name, cell)| cell.as_ref().map(|text| (*name, text)))
            .map(|(name, text)| format!("{}:{}", Value::from(name), as_value(name, text)))
            .collect();
        format!("{{{}}}", members.join(","))
    };
    table.iter().map(object).collect()
}

/// The rows without what the format itself brings in: lines, and the order of unknown columns.
fn essence(read: &Read) -> (Vec<Row>, usize) {
    let plain = |row: &Row| {
        let mut row = row.clone();
        row.line = 0;
        row.extra.sort();
        row
    };
    (read.rows.iter().map(plain).collect(), read.bad.len())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn the_same_data_in_any_format_gives_the_same_rows(
        mut table in proptest::collection::vec(any_row(), 0..12)
    ) {
        // A name that is nowhere given is no column in JSON, but is one in CSV.
        for cell in 0..NAMES.len() {
            if table.iter().all(|row| row[cell].is_none())
                && let Some(row) = table.first_mut()
            {
                row[cell] = Some(String::new());
            }
        }
        let objects = as_objects(&table);
        let parsed: Result<Vec<Map<String, Value>>, _> =
            objects.iter().map(|object| serde_json::from_str(object)).collect();
        prop_assert!(parsed.is_ok());
        let lines = objects.join("\n");
        let array = format!("[{}]", objects.join(" ,\n"));
        let rows = |format, text: &[u8]| essence(&read(format, text).expect("readable"));
        let expect = rows(RowFormat::Csv, &as_table(&table, b','));
        prop_assert_eq!(&rows(RowFormat::Tsv, &as_table(&table, b'\t')), &expect);
        prop_assert_eq!(&rows(RowFormat::Json, array.as_bytes()), &expect);
        prop_assert_eq!(&rows(RowFormat::Jsonl, lines.as_bytes()), &expect);
    }

    #[test]
    fn no_input_makes_a_reader_fall_over(
        text in "[prom,t\"{}\\[\\]:\n\r\t1é\\\\ ]{0,60}",
        format in prop_oneof![
            Just(RowFormat::Csv),
            Just(RowFormat::Tsv),
            Just(RowFormat::Json),
            Just(RowFormat::Jsonl)
        ],
    ) {
        let _ = read(format, text.as_bytes());
        let _ = read(format, format!("prompt,n\n{text}").as_bytes());
    }
}
