//! Reading a stretch of a segment: whole lines, then a torn tail or a hole in promised bytes.
//!
//! Each line names the bytes before it that were durable when it was written. Bytes that no later
//! line vouches for were never promised to anyone and may be cut; all others are corruption.

use crate::domain::ledger::parse::{LineError, decode};
use crate::domain::ledger::record::{LineHash, Record, RecordKind};
use crate::domain::ledger::words::OpenReason;

/// How the lines of this format begin; a line glued behind damaged bytes is found by it.
const LINE_START: &[u8] = b"{\"v\":";

/// Where a scan starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Offset in the segment.
    pub offset: u64,
    /// Lines before it, in the segment.
    pub lines: u64,
    /// The hash that the next line must be chained to; nothing when it is not known.
    pub hash: Option<LineHash>,
}

/// What a stretch of a segment holds.
#[derive(Debug)]
pub struct Scan {
    /// Its records, in order.
    pub records: Vec<Record>,
    /// The position behind the last whole line.
    pub end: Position,
    /// The largest watermark among the lines.
    pub durable: u64,
    /// What follows the last whole line.
    pub tail: Tail,
}

/// What follows the last whole line.
#[derive(Debug)]
pub enum Tail {
    /// Nothing.
    Clean,
    /// Bytes that were never promised.
    Torn,
    /// Promised bytes are damaged, or a line cannot be followed.
    Fault(LineError),
}

/// Reads `bytes`, which stand in a segment at `from`, up to the first line that is not whole.
pub fn scan(bytes: &[u8], from: Position) -> Scan {
    let mut records = Vec::new();
    let scan = scan_each(bytes, from, &mut |record| records.push(record));
    Scan { records, ..scan }
}

/// The same for who needs each record only once: they are handed over and not collected.
pub fn scan_each(bytes: &[u8], from: Position, each: &mut dyn FnMut(Record)) -> Scan {
    let mut scan = Scan { records: Vec::new(), end: from, durable: 0, tail: Tail::Clean };
    let mut rest = bytes;
    while !rest.is_empty() {
        let Some(length) = rest.iter().position(|byte| *byte == b'\n') else {
            scan.tail = judge_hole(rest, scan.end.offset);
            return scan;
        };
        let line = match decode(&rest[..length], scan.end.hash) {
            Ok(line) if line.durable <= scan.end.offset => line,
            Ok(_) => {
                let field = LineError::Field { kind: "line".to_owned(), field: "d" };
                scan.tail = Tail::Fault(field);
                return scan;
            }
            Err(LineError::Checksum) => {
                scan.tail = judge_hole(rest, scan.end.offset);
                return scan;
            }
            // A line with a good checksum was not torn: it was changed, or is not ours to judge.
            Err(error) => {
                scan.tail = Tail::Fault(error);
                return scan;
            }
        };
        scan.durable = scan.durable.max(line.durable);
        scan.end.offset += length as u64 + 1;
        scan.end.lines += 1;
        scan.end.hash = Some(line.hash);
        each(line.record);
        rest = &rest[length + 1..];
    }
    scan
}

/// Whether a segment starts after a sync error. Its open record alone says what went before: lines
/// at the end of the segment before it may have been lost with the power.
pub fn starts_anew(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let Ok(line) = decode(line, None) else { return false };
    matches!(line.record.kind, RecordKind::Open(open) if open.reason == OpenReason::SyncError)
}

/// Whether any whole line in the bytes from `hole` on vouches for bytes behind it.
fn judge_hole(bytes: &[u8], hole: u64) -> Tail {
    let mut starts = (0..bytes.len()).filter(|start| bytes[*start..].starts_with(LINE_START));
    let vouched = starts.any(|start| {
        let length = bytes[start..].iter().position(|byte| *byte == b'\n');
        length.is_some_and(|length| match decode(&bytes[start..start + length], None) {
            Ok(line) => line.durable > hole,
            Err(LineError::Checksum) => false,
            // Whole, but not for this version: nobody can tell what it vouches for.
            Err(_) => true,
        })
    });
    if vouched { Tail::Fault(LineError::Checksum) } else { Tail::Torn }
}
