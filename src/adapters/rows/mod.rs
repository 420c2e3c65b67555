//! Rows: CSV, TSV, JSON and JSONL, read twice with bounded memory.

mod cells;
mod columns;
mod csv_split;
mod json_scan;
mod limits;
mod stream;
mod window;
