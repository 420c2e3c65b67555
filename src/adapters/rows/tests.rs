//! Whole inputs through both passes.

use std::sync::Arc;

use crate::adapters::rows::{BadRow, Error, ReadOptions, RowIndex, RowSource};
use crate::domain::row::{CanaryChoice, Row};
use crate::domain::row_format::RowFormat;
use crate::ports::rows::{RowReadError, RowReader};

mod equivalence;

/// What both passes make of an input.
#[derive(Debug, Default)]
struct Read {
    rows: Vec<Row>,
    raw: Vec<Vec<(String, String)>>,
    /// The bad rows as `line:column code: label`.
    bad: Vec<String>,
    fingerprint: String,
}

fn open(format: RowFormat, text: &[u8]) -> Result<RowSource, Error> {
    let options = ReadOptions { format: Some(format), ..ReadOptions::default() };
    RowSource::from_reader(text, "rows.csv", &options)
}

fn read(format: RowFormat, text: &[u8]) -> Result<Read, Error> {
    let mut source = open(format, text)?;
    let (mut briefs, mut bad) = (Vec::new(), Vec::new());
    let index = source.index(
        &mut |brief| {
            briefs.push((
                brief.scene_id.to_owned(),
                brief.variants,
                brief.n_url_references + brief.n_local_references,
                brief.model.map(str::to_owned),
                brief.max_cost,
            ));
            Ok(())
        },
        &mut |one: BadRow| {
            let first = &one.first;
            bad.push(format!("{}:{} {}: {}", first.line, first.column, first.code, first.label));
        },
    )?;
    let index = Arc::new(index);
    let mut reader = source.reader(&index)?;
    let mut read = Read { bad, fingerprint: index.fingerprint(), ..Read::default() };
    for position in 0..index.len() {
        let row = reader.read(position).expect("a row that was indexed");
        let brief = (
            row.scene_id.as_str().to_owned(),
            row.variants,
            u32::try_from(row.references.len()).expect("few"),
            row.options.model.clone(),
            row.options.max_cost,
        );
        assert_eq!(briefs[position as usize], brief, "both passes agree");
        assert_eq!((Some(row.line), row.number), (index.line(position), index.number(position)));
        read.rows.push(row);
        read.raw.push(reader.raw(position).expect("a row that was indexed"));
    }
    // Any other order gives the same rows.
    for position in (0..index.len()).rev() {
        let row = reader.read(position).expect("a row that was indexed");
        assert_eq!(row, read.rows[position as usize]);
    }
    assert!(matches!(reader.read(index.len()), Err(RowReadError::NoSuchRow(_))));
    Ok(read)
}

fn csv(text: &str) -> Read {
    read(RowFormat::Csv, text.as_bytes()).expect("a readable input")
}

fn error(format: RowFormat, text: &[u8]) -> String {
    match read(format, text) {
        Err(Error::Input(fault)) => format!(
            "{}:{} {}: {} | {} | {}",
            fault.line,
            fault.column,
            fault.code,
            fault.title,
            fault.notes.join(" "),
            fault.fix
        ),
        other => panic!("an error of the input is missing: {other:?}"),
    }
}

#[test]
fn every_known_column_is_read() {
    let read = csv("\u{feff}ID,Prompt,N,References,provider,model,size,quality,format,background,\
         seed,negative_prompt,tags,priority,max_cost,mask,filename,canary,color\r\n\
         A 1,\"a {color} {x}\n\"\"dog\"\"\",3,https://x.example/a?s=1|refs/b.png,sim,m-1,1024x1024,\
         high,png,opaque,7,no cats,a|b,-2,$0.05,m.png,f.png,always,red\r\n");
    assert_eq!(read.bad, Vec::<String>::new());
    let row = &read.rows[0];
    assert_eq!(row.prompt, "a red {x}\n\"dog\"");
    assert_eq!((row.scene_id.as_str(), row.variants.get(), row.line, row.number), ("A 1", 3, 2, 1));
    assert_eq!(row.references.len(), 2);
    assert_eq!(row.options.seed, Some(7));
    assert_eq!(row.options.tags, ["a", "b"]);
    assert_eq!(row.options.priority, Some(-2));
    assert_eq!(row.options.format.as_deref(), Some("png"));
    assert!(row.options.mask.is_some() && row.options.filename.is_some());
    assert_eq!(row.canary, CanaryChoice::Always);
    assert_eq!(row.extra, [("color".to_owned(), "red".to_owned())]);
    assert_eq!(read.raw[0][0], ("ID".to_owned(), "A 1".to_owned()));
    assert_eq!(read.raw[0].len(), 19);
}

#[test]
fn each_bad_cell_is_placed_and_the_good_rows_stay() {
    let read = csv("scene_id,prompt,variants,reference_urls,x\n\
         A,\"a dog, running\",nine,,\n\
         B,,1,,\n\
         C,ok,1,ftp://x/y,\n\
         D,ok,1,,\n\
         E,\"two\nlines\",11,,\n\
         F,ok,1\n\
         G,\"a \"b\" c\",1,,\n\
         H,{x},1,,\n\
         I\u{1b}[2J,ok,1,,\n\
         J,ok,1,,,\n");
    let ids: Vec<&str> = read.rows.iter().map(|row| row.scene_id.as_str()).collect();
    assert_eq!(ids, ["D"]);
    assert_eq!(read.rows[0].number, 4);
    assert_eq!(
        read.bad,
        [
            "2:20 row.variants: not a number",
            "3:3 row.prompt: empty",
            "4:8 row.reference: scheme \"ftp\" is not fetched",
            "7:8 row.variants: out of range",
            "8:7 row.cells: cells are missing here",
            "9:7 row.quote: text after the quote",
            "10:3 row.prompt: empty",
            "11:1 row.scene_id: has U+001B",
            "12:10 row.cells: one cell too many",
        ]
    );
}

#[test]
fn invalid_utf8_names_its_row_and_column() {
    let text = b"scene_id,prompt\nA,caf\xe9\nB,ok\n";
    let mut source = open(RowFormat::Csv, text).expect("a source");
    let mut bad = Vec::new();
    source.index(&mut |_| Ok(()), &mut |one| bad.push(one)).expect("an index");
    let first = &bad[0].first;
    assert_eq!((first.line, first.column, first.row_number), (2, 6, Some(1)));
    assert_eq!(first.column_name.as_deref(), Some("prompt"));
    assert_eq!(bad[0].source, b"A,caf\xe9");
    let json = read(RowFormat::Jsonl, b"{\"prompt\":\"caf\xe9\"}\n").expect("readable");
    assert_eq!(json.bad, ["1:15 row.utf8: not UTF-8"]);
}

#[test]
fn twins_are_found_by_name_content_and_file_name() {
    let read =
        csv("id,prompt\nA,x\nB,x\nA,y\n,same\na,z\n,same\nA,w\n\"caf\u{e9}\",1\ncafe\u{301},2\n");
    assert_eq!(
        read.bad,
        [
            "4:1 row.duplicate: also line 2 (row 1)",
            "6:1 output.collision: line 2 (row 1) is \"A\"",
            "7:1 row.duplicate: the same as line 5 (row 4)",
            "8:1 row.duplicate: also line 2 (row 1)",
            "10:1 output.collision: line 9 (row 8) is \"caf\u{e9}\"",
        ]
    );
    assert!(read.rows[2].scene_id.as_str().starts_with("row-"));
    assert_eq!(read.rows[2].scene_id.as_str().len(), 16);
}

#[test]
fn ten_thousand_twins_are_all_told() {
    let mut text = "id,prompt\n".to_owned();
    (0..20_000).for_each(|number| text += &format!("r{},x\n", number % 10_000));
    let read = csv(&text);
    assert_eq!((read.rows.len(), read.bad.len()), (10_000, 10_000));
}

#[test]
fn faults_of_the_header_are_told_with_a_fix() {
    for (text, expect) in [
        (
            "scene_id,promt,variants,reference_url\n",
            "0:0 input.column: rows.csv has no column \"prompt\" | \
             its columns: scene_id, promt, variants, reference_url | \
             rename \"promt\" to \"prompt\"",
        ),
        (
            "scene_id;prompt\n",
            "0:0 input.column: rows.csv has no column \"prompt\" | its columns: scene_id;prompt | \
             separate the cells by commas or tabs, not by semicolons",
        ),
        (
            "id,prompt,scene_id\n",
            "1:11 input.column: \"id\" and \"scene_id\" are two names of one column |  | \
             keep one of them",
        ),
        (
            "prompt,Color,color\n",
            "1:14 input.column: two columns are called \"color\" |  | remove or rename one of them",
        ),
        (
            "prompt\n\"a\nb\n",
            "2:1 input.quote: a quoted cell is never closed |  | \
             close the cell with a quote, and write a quote within a cell twice",
        ),
    ] {
        assert_eq!(error(RowFormat::Csv, text.as_bytes()), expect, "{text:?}");
    }
    let wide = format!("prompt{}\n", ",x".repeat(100_000));
    assert!(error(RowFormat::Csv, wide.as_bytes()).contains("has 100001 columns"));
    assert!(error(RowFormat::Csv, b"pro\xffmpt\n").starts_with("1:4 row.utf8"));
    assert!(error(RowFormat::Csv, b"\xff\xfep\0").starts_with("0:0 input.utf16"));
}

#[test]
fn an_input_without_rows_has_none() {
    for (format, text) in [
        (RowFormat::Csv, ""),
        (RowFormat::Csv, "\u{feff}"),
        (RowFormat::Csv, "\n\n"),
        (RowFormat::Csv, "prompt\n\n"),
        (RowFormat::Json, "[]"),
        (RowFormat::Jsonl, "\n"),
    ] {
        let read = read(format, text.as_bytes()).expect("readable");
        assert!(read.rows.is_empty() && read.bad.is_empty(), "{text:?}");
    }
}

#[test]
fn objects_are_read_member_by_member() {
    let text = r#"
    {"id": 7, "prompt": "a\u00e9 {shape}", "n": 2, "tags": ["a", "b"], "shape": {"k": [1, "x y"]}}
    {"key": "B", "prompt": "p", "references": ["https://x.io/a|b", "c"], "ok": true, "none": null}
        {"promt": "p"}
        {"prompt": ["p"]}
        {"id": "x", "scene_id": "y", "prompt": "p"}
        {"prompt": "p", "prompt": "q"}
        {"prompt": "p", "n": 1.0}
        {"prompt": "p"
        [1]
        {"prompt": "p", "deep": [[[[[[[[1]]]]]]]]}
        {"prompt": "{nothing}"}
        {"prompt": "\ud800"}
    "#;
    let read = read(RowFormat::Jsonl, text.as_bytes()).expect("readable");
    let rows: Vec<_> = read.rows.iter().map(|row| (row.line, row.prompt.as_str())).collect();
    assert_eq!(rows, [(2, "a\u{e9} {\"k\":[1,\"x y\"]}"), (3, "p"), (11, "p")]);
    assert_eq!(read.rows[0].scene_id.as_str(), "7");
    assert_eq!(read.rows[0].options.tags, ["a", "b"]);
    assert_eq!(read.rows[1].references.len(), 2);
    assert_eq!(read.rows[1].extra, [("ok".to_owned(), "true".to_owned())]);
    let codes: Vec<&str> =
        read.bad.iter().map(|bad| bad.split_once(' ').expect("code").1).collect();
    assert_eq!(
        codes,
        [
            "row.prompt: no prompt in this row",
            "row.json: a nested value",
            "row.column: here",
            "row.column: here",
            "row.variants: not a number",
            "row.json: the object is not closed",
            "row.json: no object",
            "row.prompt: nothing is left once its places are filled",
            "row.json: no valid text",
        ]
    );
    assert!(read.bad[4].starts_with("8:30 "), "{}", read.bad[4]);
}

#[test]
fn batch_lines_of_the_provider_are_rows() {
    let body = r#"{"model":"m","prompt":"p","n":2,"size":"s","output_format":"png","user":"u"}"#;
    let good = r#"{"custom_id":"a","method":"POST","url":"/v1/images/generations","body":"#;
    let bad = r#"
{"custom_id":"b","method":"POST","url":"/v1/chat/completions","body":{"model":"m"}}
{"custom_id":"c","method":"GET","url":"/v1/images/generations","body":{"prompt":"p"}}
"#;
    let text = format!("{good}{body}}}{bad}");
    let read = read(RowFormat::Jsonl, text.as_bytes()).expect("readable");
    let row = &read.rows[0];
    assert_eq!((row.scene_id.as_str(), row.prompt.as_str(), row.variants.get()), ("a", "p", 2));
    assert_eq!(row.options.format.as_deref(), Some("png"));
    assert_eq!(row.extra, [("user".to_owned(), "u".to_owned())]);
    assert_eq!(
        read.bad,
        ["2:40 row.url: another kind of request", "3:27 row.url: another kind of request"]
    );
}

#[test]
fn bombs_are_errors() {
    let long = format!("prompt\nok\n{}\n", "x".repeat(2_000_000));
    assert!(error(RowFormat::Csv, long.as_bytes()).starts_with("3:1 input.record_size"));
    let deep = format!("{{\"prompt\":\"p\",\"x\":{}}}", "[".repeat(100_000));
    let read = read(RowFormat::Jsonl, deep.as_bytes()).expect("readable");
    assert_eq!(read.bad.len(), 1);
    assert!(read.bad[0].ends_with("one level too deep"), "{}", read.bad[0]);
    let filled = format!("prompt,x\n\"{}\",{}\n", "{x}".repeat(10_000), "y".repeat(100_000));
    assert!(csv(&filled).bad[0].ends_with("too long once its places are filled"));
    let many = (0..17).map(|number| format!("r{number}.png")).collect::<Vec<_>>().join("|");
    let read = csv(&format!("prompt,references\np,{many}\n"));
    assert!(read.bad[0].ends_with("too many"), "{}", read.bad[0]);
}

#[test]
fn a_row_that_changed_in_between_is_never_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rows.csv");
    std::fs::write(&path, "id,prompt\nA,one\nB,two\n").expect("written");
    let input = crate::adapters::rows::RowInput::Path(path.clone());
    let mut source = RowSource::open(&input, &ReadOptions::default()).expect("a source");
    let index: Arc<RowIndex> =
        Arc::new(source.index(&mut |_| Ok(()), &mut |_| {}).expect("an index"));
    std::fs::write(&path, "id,prompt\nA,six\nB,two\n").expect("written");
    let mut reader = source.reader(&index).expect("a reader");
    assert!(matches!(reader.read(0), Err(RowReadError::Changed { line: 2 })));
    assert_eq!(reader.read(1).expect("unchanged").prompt, "two");
    let folder_input = crate::adapters::rows::RowInput::Path(folder.path().to_owned());
    let fault = RowSource::open(&folder_input, &ReadOptions::default()).expect_err("a folder");
    assert!(fault.to_string().ends_with("is a folder, not a file of rows"), "{fault}");
}

#[test]
fn the_order_of_columns_and_aliases_do_not_change_a_derived_name() {
    let one = csv("prompt,n,color\np,2,red\n");
    let two = csv("error,COLOR,variants,prompt,none\nwhy,red,2,p,\n");
    let three = csv("prompt,n,color\np,2,blue\n");
    assert_eq!(one.rows[0].scene_id, two.rows[0].scene_id);
    assert_ne!(one.rows[0].scene_id, three.rows[0].scene_id);
    assert_ne!(one.fingerprint, three.fingerprint);
}
