//! What every target of the row readers does with its bytes.

use std::sync::Arc;

use imagemill::adapters::rows::{Error, ReadOptions, RejectedWriter, RowSource};
use imagemill::domain::diagnostic::BadRowTally;
use imagemill::domain::row_format::RowFormat;
use imagemill::domain::sanitize::is_hazard;
use imagemill::ports::rows::RowReader;
use imagemill::report::diagnostic::{TallyWays, render, render_tally};

/// Reads the bytes in both passes and checks what must hold for any input.
pub fn drive(bytes: &[u8], format: RowFormat) {
    let options = ReadOptions { format: Some(format), ..ReadOptions::default() };
    let mut source = match RowSource::from_reader(bytes, "rows", &options) {
        Ok(source) => source,
        Err(error) => return check_error(&error),
    };
    let (mut names, mut bad_rows, mut tally) = (Vec::new(), Vec::new(), BadRowTally::default());
    let indexed = source.index(
        &mut |brief| {
            names.push(brief.scene_id.to_owned());
            Ok(())
        },
        &mut |bad| {
            tally.add(&bad.first);
            bad_rows.push(bad);
        },
    );
    let index = match indexed {
        Ok(index) => Arc::new(index),
        Err(error) => return check_error(&error),
    };
    let ways = TallyWays { n_good: u64::from(index.len()), listed: Some("rejected") };
    check_drawn(&render_tally(&tally, &ways, false));
    assert_eq!(index.len() as usize, names.len());
    let mut reader = source.reader(&index).expect("the copy opens again");
    for position in (0..index.len()).rev() {
        let row = reader.read(position).expect("an indexed row is read again");
        assert_eq!(row.scene_id.as_str(), names[position as usize]);
        assert!(!row.prompt.trim().is_empty(), "an indexed row has a prompt");
        reader.raw(position).expect("an indexed row has cells");
    }
    let path = std::env::temp_dir().join(format!("rejected-{}", std::process::id()));
    let mut writer = RejectedWriter::create(&path, source.shape()).expect("a writer");
    for bad in &bad_rows {
        assert!(!bad.error_text().is_empty());
        writer.write(bad).expect("written");
    }
    assert_eq!(writer.finish().expect("finished"), bad_rows.len() as u64);
    std::fs::remove_file(path).expect("the file is there");
}

fn check_error(error: &Error) {
    match error {
        Error::Input(fault) => check_drawn(&render(fault, false)),
        Error::Io { .. } => panic!("no disk failed: {error:?}"),
    }
}

fn check_drawn(text: &str) {
    let hazard = text.chars().find(|one| *one != '\n' && is_hazard(*one));
    assert_eq!(hazard, None, "{text:?}");
}
