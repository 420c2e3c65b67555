//! Every form of an export becomes the same lines; what is broken is named with its place.

use std::path::Path;

use super::read::{Lines, parse};
use super::*;
use crate::domain::ledger::reconcile::{Export, Line, When};

fn fixture(name: &str) -> Export {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/exports");
    read(&folder.join(name), &Columns::default()).expect(name)
}

/// A line in short: place, id, model, first moment, amount.
fn short(line: &Line) -> String {
    let id = line.request_id.as_deref().unwrap_or("-");
    let model = line.model.as_deref().unwrap_or("-");
    let sum = if matches!(line.when, When::Within(..)) { " sum" } else { "" };
    let (place, start, amount) = (line.place, line.when.start(), line.amount.value);
    format!("{place}: {id} {model} {start}{sum} {amount}")
}

fn lines(export: &Export) -> Vec<String> {
    export.lines.iter().map(short).collect()
}

fn parsed(text: &str) -> Vec<String> {
    lines(&parse(text.as_bytes(), &Columns::default()).expect(text))
}

#[track_caller]
fn refused(text: &str, says: &str) {
    let error = parse(text.as_bytes(), &Columns::default()).expect_err(text).to_string();
    assert!(error.contains(says), "{text:?}: {error}");
}

#[test]
fn csv_is_read_by_the_names_of_its_columns() {
    let charges = fixture("charges.csv");
    assert_eq!(
        lines(&charges),
        [
            "line 2: req-1 gpt-image-2 2026-11-21T10:00:05Z 0.0395",
            "line 3: req-1 gpt-image-2, text input 2026-11-21T10:00:05Z 0.000412346",
            "line 4: - gpt-image-2 2026-11-21T10:00:10Z 0.06",
        ]
    );
    assert!(!charges.lines[0].amount.is_rounded && charges.lines[1].amount.is_rounded);
    // A mark at the start, quotes within quotes, and line ends of two bytes.
    assert_eq!(lines(&fixture("days.csv")), ["line 2: req-\"9\" - 2026-11-22T00:00:00Z sum -0.01"]);
}

#[test]
fn json_is_an_array_an_object_a_line_or_pages() {
    let array = lines(&fixture("charges.json"));
    assert_eq!(
        array,
        [
            "record 1: req-1 gpt-image-2 2026-11-21T10:00:05Z 0.0395",
            "record 2: - - 2026-11-21T10:00:10Z 0.06",
        ]
    );
    let one = r#"{"request_id":"req-1","time":1795255205,"model":"gpt-image-2","cost":"0.0395"}"#;
    let two = r#"{"timestamp":1795255210,"total":0.06}"#;
    assert_eq!(parsed(&format!("{one}\n{two}\n")), array);
    assert_eq!(parsed(&format!("{{\"data\":[{one},{two}]}}")), array);
}

#[test]
fn pages_of_daily_costs_are_sums_of_days() {
    let export = fixture("openai-costs.json");
    assert!(!export.is_partial);
    assert_eq!(
        lines(&export),
        [
            "record 1: - gpt-image-2, image output 2026-11-21T00:00:00Z sum 0.060000001",
            "record 2: - gpt-image-2, text input 2026-11-21T00:00:00Z sum 0.000412",
        ]
    );
    let last = export.lines[0].when.last().to_string();
    assert_eq!(last, "2026-11-21T23:59:59.999999999Z");
    let page = |has_more: bool| {
        let result = r#"{"amount":{"value":1,"currency":"usd"},"line_item":null}"#;
        let bucket = r#""object":"bucket","start_time":1795219200,"end_time":1795305600"#;
        format!("{{\"data\":[{{{bucket},\"results\":[{result}]}}],\"has_more\":{has_more}}}\n")
    };
    let is_partial =
        |text: String| parse(text.as_bytes(), &Columns::default()).expect("pages").is_partial;
    assert!(is_partial(page(true)));
    // All pages, one behind the other, are the whole.
    assert!(!is_partial(page(true) + &page(false)));
}

#[test]
fn a_column_may_be_given_and_then_no_other_is_taken() {
    let text = "Vorgang,time,cost,net\nreq-1,2026-11-21,1,2\n";
    let mut columns = Columns::default();
    columns.give(Field::RequestId, "vorgang");
    columns.give(Field::Amount, "Net");
    let export = parse(text.as_bytes(), &columns).expect("an export");
    assert_eq!(lines(&export), ["line 2: req-1 - 2026-11-21T00:00:00Z sum 2.00"]);
    columns.give(Field::Amount, "gross");
    let error = parse(text.as_bytes(), &columns).expect_err("no such column").to_string();
    assert_eq!(error, "it has no column for the amount; its columns are: vorgang, time, cost, net");
}

#[test]
fn what_cannot_be_understood_is_named_with_its_place() {
    refused("", "no line of costs");
    refused("time,amount\n", "no line of costs");
    refused("[]", "no line of costs");
    refused("time,price\n1,2\n", "no column for the amount; its columns are: time, price");
    refused("\u{1b}[2J,amount\n1,2\n", "no column for the time; its columns are: ␛[2j, amount");
    refused("[{\"time\":1}]", "no column for the amount; its columns are: time");
    refused("time,amount\n1,2\n1\n", "line 3: it has 1 cells, and the head has 2");
    refused("time,amount\n1,2\n\n1,x\n", "line 4: \"x\" is not an amount");
    refused("time,amount\n1,\n", "line 2: it has no amount");
    refused("time,amount\nnow,1\n", "line 2: \"now\" is no time");
    refused("time,amount,currency\n1,1,eur\n", "line 2: its currency is \"eur\"");
    refused("start_time,end_time,amount\n5,5,1\n", "line 2: it ends before it starts");
    refused("[{\"time\":1,\"amount\":1},{\"time\":1}]", "record 2: it has no amount");
    refused("[{\"time\":1,\"amount\":1},7]", "record 2: it is no JSON object");
    refused("{\"time\":1,\"amount\":1}\n{\"time\":", "line 2: it is no JSON");
    refused("{\"data\":7}", "record 1: it is no JSON array");
    refused("[{\"time\":1,\"amount\":{\"value\":1,\"currency\":\"eur\"}}]", "currency is \"eur\"");
    let error = parse(b"time,amount\n1,\xff\n", &Columns::default()).expect_err("no text");
    assert_eq!(error.to_string(), "it is not in UTF-8");
}

#[test]
fn files_and_lines_are_bounded() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("large");
    let file = std::fs::File::create(&path).expect("a file");
    file.set_len(MAX_BYTES + 1).expect("a hole");
    let error = read(&path, &Columns::default()).expect_err("too large");
    assert_eq!(error.to_string(), format!("it has more than {MAX_BYTES} bytes"));
    let one = parse(b"time,amount\n1,2\n", &Columns::default()).expect("one").lines.remove(0);
    let mut lines = Lines::default();
    (0..MAX_LINES).for_each(|_| lines.push(one.clone()).expect("there is room"));
    let error = lines.push(one).expect_err("one too many");
    assert_eq!(error.to_string(), "it has more than 500000 lines of costs");
    // A name longer than any of ours is cut before it is kept.
    let long = format!("id,time,amount\n{},1,2\n", "x".repeat(1_000));
    assert_eq!(parsed(&long)[0].chars().filter(|one| *one == 'x').count(), 255);
    let hostile = "id,model,time,amount\n\u{1b}[2Ja,\u{202e}b,1,2\n";
    assert_eq!(parsed(hostile), ["line 2: ␛[2Ja \u{fffd}b 1970-01-01T00:00:01Z 2.00"]);
    assert!(read(Path::new("no-such-file"), &Columns::default()).is_err());
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(text in "[\\[{]?[{}\\[\\],:\"a-z0-9\n\\. -]{0,80}") {
        let _ = parse(text.as_bytes(), &Columns::default());
    }
}
