//! Lines: the golden files, the round trip, and damage of every kind.

use crate::domain::ledger::line::{Chain, encode};
use crate::domain::ledger::parse::{LineError, decode};
use crate::domain::ledger::scan::{Position, Tail, scan};
use crate::domain::ledger::tests::samples::{Book, cents, every_kind, reserve, settle};
use crate::domain::ledger::{LedgerState, Record, RecordKind};

/// The golden segments of format v1 as it was before limits per model, image and 24 hours.
const GOLDEN_BEFORE_SCOPES: [&str; 2] = [
    include_str!("../../../../fixtures/ledger/v1/2026-11-21/0001.jsonl"),
    include_str!("../../../../fixtures/ledger/v1/2026-11-22/0001.jsonl"),
];

/// The golden segments of format v1, in their order.
const GOLDEN: [&str; 2] = [
    include_str!("../../../../fixtures/ledger/v1-scopes/2026-11-21/0001.jsonl"),
    include_str!("../../../../fixtures/ledger/v1-scopes/2026-11-22/0001.jsonl"),
];

/// Encodes records as they would lie on disk, one text a segment, each line vouching for those
/// before it.
fn segments(records: &[Record]) -> Vec<String> {
    let mut chain = Chain::default();
    let mut texts: Vec<String> = Vec::new();
    for record in records {
        if matches!(record.kind, RecordKind::Open(_)) {
            texts.push(String::new());
        }
        let text = texts.last_mut().expect("an open comes first");
        chain.durable = text.len() as u64;
        text.push_str(&encode(record, &mut chain));
    }
    texts
}

#[test]
fn the_golden_ledger_holds_every_kind_and_is_written_the_same_way_for_ever() {
    let written = segments(&every_kind());
    assert!(written == GOLDEN, "format v1 changed");
    let records = read(GOLDEN);
    assert_eq!(records, every_kind());
    let mut kinds: Vec<&str> = records.iter().map(|record| record.kind.word()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), 14, "{kinds:?}");
    let [state, late] = states(&records);
    assert_eq!(late.hash(), state.hash());
    assert_eq!(late.detail(day_of(&late)), state.detail(day_of(&state)));
}

#[test]
fn a_ledger_from_before_limits_per_model_is_read_and_weighs_on_every_model() {
    let records = read(GOLDEN_BEFORE_SCOPES);
    assert!(segments(&records) == GOLDEN_BEFORE_SCOPES, "it is written as it was read");
    let [state, late] = states(&records);
    assert_eq!(late.hash(), state.hash());
    let (day, time) = (day_of(&late), records.last().expect("records").time);
    let all = late.today().exposure();
    assert!(all > cents(0));
    assert_eq!(late.totals_of_model("any model", day).exposure(), all);
    assert!(late.totals_in_window(time).exposure() >= all);
}

fn day_of(state: &LedgerState) -> jiff::civil::Date {
    state.segment().expect("a segment").day
}

/// Reads golden segments.
fn read(golden: [&str; 2]) -> Vec<Record> {
    let mut records = Vec::new();
    let mut from = Position::default();
    for text in golden {
        let found = scan(text.as_bytes(), from);
        assert!(matches!(found.tail, Tail::Clean));
        records.extend(found.records);
        from = Position { hash: found.end.hash, ..Position::default() };
    }
    records
}

/// What a reader of all segments arrives at, and one who starts at the second segment.
fn states(records: &[Record]) -> [LedgerState; 2] {
    let fold = |from: usize| {
        let mut state = LedgerState::default();
        records[from..].iter().for_each(|record| state.fold(record).expect("golden records"));
        state
    };
    let second = records.iter().position(|record| record.day != records[0].day);
    [fold(0), fold(second.expect("a second segment"))]
}

#[test]
fn a_newer_line_is_skipped_unless_it_must_be_understood_row_50() {
    let seal = |body: &str| format!("{body},\"c\":\"{:08x}\"}}", crc32c::crc32c(body.as_bytes()));
    let line = |fields: &str| {
        let zero = "0".repeat(32);
        seal(&format!(
            "{{\"v\":1,\"seq\":9,\"t\":\"2026-11-21T10:00:00Z\",\"day\":\"2026-11-21\",\
             {fields},\"d\":0,\"p\":\"{zero}\""
        ))
    };
    let skipped = decode(line("\"k\":\"poem\",\"verse\":1").as_bytes(), None).expect("skipped");
    assert_eq!(skipped.record.kind, RecordKind::Unrecognized("poem".into()));
    for fields in ["\"k\":\"poem\",\"mu\":true", "\"k\":\"ack\",\"mu\":true"] {
        let refused = decode(line(fields).as_bytes(), None);
        assert!(matches!(refused, Err(LineError::Newer { .. })), "{fields}");
    }
    let scope = "\"k\":\"limit\",\"scope\":\"galaxy\",\"value\":\"1\",\"origin\":\"flag\"";
    let refused = decode(line(scope).as_bytes(), None);
    assert!(matches!(refused, Err(LineError::Newer { .. })), "a limit that is not enforced");
    let newer = line("\"k\":\"ack\"").replace("{\"v\":1", "{\"v\":2");
    let newer = seal(newer.split(",\"c\"").next().expect("a body"));
    assert!(matches!(decode(newer.as_bytes(), None), Err(LineError::Newer { .. })));
}

#[test]
fn a_changed_digit_of_the_checksum_is_seen_even_in_its_case() {
    let text = segments(&every_kind()).remove(0);
    for line in text.lines() {
        let (body, checksum) = line.split_at(line.len() - 10);
        let shouted = format!("{body}{}", checksum.to_uppercase());
        if shouted != line {
            assert!(matches!(decode(shouted.as_bytes(), None), Err(LineError::Checksum)));
        }
    }
}

/// A segment of a few groups, and the offset up to which its last line vouches.
fn promised() -> (Vec<u8>, usize) {
    let mut book = Book::new(cents(1000), "2026-11-21T10:00:00Z");
    for rid in 1..=4 {
        book.push(reserve(rid, cents(4)));
        book.push(settle(rid, cents(3)));
    }
    let text = segments(&book.records).remove(0);
    let last = text.trim_end().rfind('\n').expect("several lines") + 1;
    (text.into_bytes(), last)
}

#[test]
fn a_flipped_bit_in_any_byte_before_the_watermark_is_found() {
    let (bytes, watermark) = promised();
    for offset in 0..watermark {
        let mut flipped = bytes.clone();
        flipped[offset] ^= 1 << (offset % 8);
        let tail = scan(&flipped, Position::default()).tail;
        assert!(matches!(tail, Tail::Fault(_)), "byte {offset}: {tail:?}");
    }
}

#[test]
fn a_torn_tail_is_never_taken_for_corruption_and_costs_no_whole_line_row_38() {
    let (bytes, watermark) = promised();
    for length in watermark..bytes.len() {
        let found = scan(&bytes[..length], Position::default());
        let torn = matches!(found.tail, Tail::Torn);
        assert_eq!(torn, length > watermark, "{length}");
        assert_eq!(found.end.offset, watermark as u64, "{length}");
    }
    // A hole of zeros in bytes that nobody vouches for, with a whole line behind it.
    let mut book = Book::new(cents(1000), "2026-11-21T10:00:00Z");
    (1..=3).for_each(|rid| book.push(reserve(rid, cents(4))));
    let mut chain = Chain::default();
    let lines: Vec<String> = book.records.iter().map(|record| encode(record, &mut chain)).collect();
    let mut bytes = lines.concat().into_bytes();
    let hole = lines[..3].concat().len();
    bytes[hole..hole + lines[3].len()].fill(0);
    let found = scan(&bytes, Position::default());
    assert!(matches!(found.tail, Tail::Torn));
    assert_eq!(found.end.offset, hole as u64);
}

#[test]
fn a_line_taken_out_or_swapped_breaks_the_chain() {
    let (bytes, _) = promised();
    let text = String::from_utf8(bytes).expect("text");
    let lines: Vec<&str> = text.lines().collect();
    for index in 1..lines.len() - 1 {
        let mut fewer = lines.clone();
        fewer.remove(index);
        let found = scan((fewer.join("\n") + "\n").as_bytes(), Position::default());
        assert!(matches!(found.tail, Tail::Fault(LineError::Chain)), "line {index}");
    }
}
