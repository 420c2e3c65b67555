//! Scale, as ratios within one run: the planning pass and the rehearsal of 1,000,000 rows beside
//! a bare `csv` parse of the same file, their memory, and the start of `--help` beside the start
//! of an empty program. Run with `cargo bench`.
