//! The same data as CSV, JSON and JSONL makes the same plan.

use imagemill::adapters::rows::{ReadOptions, RowSource};
use imagemill::domain::batch::{Batch, Planner};
use imagemill::domain::price::PriceBook;
use imagemill::domain::request::ImageSpec;
use imagemill::domain::row_format::RowFormat;
use imagemill::domain::settings::CanaryShare;
use proptest::prelude::*;

/// One row as plain texts; an empty text is an empty cell.
#[derive(Clone, Debug)]
struct Plain {
    prompt: String,
    variants: u8,
    reference: bool,
    size: &'static str,
    note: String,
}

fn rows() -> impl Strategy<Value = Vec<Plain>> {
    let size = prop::sample::select(vec!["512x512", "1024x1024", "64x64"]);
    let row = ("[a-z\"', \n]{0,20}[a-z]", 1..=10_u8, any::<bool>(), size, "[a-zé\",\n ]{0,9}[a-z]");
    let row = row.prop_map(|(prompt, variants, reference, size, note)| Plain {
        prompt,
        variants,
        reference,
        size,
        note,
    });
    prop::collection::vec(row, 1..30)
}

fn csv(rows: &[Plain]) -> Vec<u8> {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut text = String::from("scene_id,prompt,variants,references,size,note\n");
    for (n, row) in rows.iter().enumerate() {
        let reference = if row.reference { "refs/a.png|https://a.example/b.png" } else { "" };
        let (prompt, note) = (quoted(&row.prompt), quoted(&row.note));
        text += &format!("row-{n},{prompt},{},{reference},{},{note}\n", row.variants, row.size);
    }
    text.into_bytes()
}

fn objects(rows: &[Plain]) -> Vec<String> {
    let object = |(n, row): (usize, &Plain)| {
        let references: &[&str] =
            if row.reference { &["refs/a.png", "https://a.example/b.png"] } else { &[] };
        serde_json::json!({
            "scene_id": format!("row-{n}"), "prompt": row.prompt, "variants": row.variants,
            "references": references, "size": row.size, "note": row.note,
        })
        .to_string()
    };
    rows.iter().enumerate().map(object).collect()
}

/// Everything that a plan says of the rows: totals, order, classes in that order.
fn plan(format: RowFormat, bytes: &[u8]) -> String {
    let book = PriceBook::embedded();
    let spec = ImageSpec {
        provider: "sim".into(),
        model: "sim-1".into(),
        size: "1024x1024".into(),
        quality: "medium".into(),
        format: "png".into(),
        background: None,
        seed: None,
        negative_prompt: None,
    };
    let share = CanaryShare { percent: "40".parse().expect("a share"), name: "demo".to_owned() };
    let options = ReadOptions { format: Some(format), spool_folder: None };
    let mut source = RowSource::from_reader(bytes, "rows", &options).expect("an input");
    let today = "2026-11-22".parse().expect("a day");
    let mut planner = Planner::new(&book, today, &spec, Some(&share));
    let index = source
        .index(
            &mut |brief| {
                planner.add(&brief).expect("a row that can be planned");
                Ok(())
            },
            &mut |bad| panic!("{bad:?}"),
        )
        .expect("rows");
    let batch: Batch = planner.finish(Some(&share)).expect("a batch");
    let class = |position| {
        let class = batch.class(batch.class_of(position));
        format!("{} {} {}", class.spec.size, class.variants, class.n_references)
    };
    let classes: Vec<String> = (0..index.len()).map(class).collect();
    let order: Vec<u32> = batch.selected().collect();
    format!("{:?} {:?} {order:?} {classes:?}", batch.whole(), batch.chosen())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_format_of_the_rows_does_not_matter(rows in rows()) {
        let from_csv = plan(RowFormat::Csv, &csv(&rows));
        let objects = objects(&rows);
        let from_json = plan(RowFormat::Json, format!("[{}]", objects.join(",\n")).as_bytes());
        let from_jsonl = plan(RowFormat::Jsonl, objects.join("\n").as_bytes());
        prop_assert_eq!(&from_csv, &from_json);
        prop_assert_eq!(&from_csv, &from_jsonl);
    }
}
