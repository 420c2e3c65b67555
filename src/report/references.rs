//! What `refs check` found, as people and scripts read it.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::digest::Sha256Digest;
use crate::domain::fetch_tally::FetchTally;
use crate::domain::image::ImageKind;
use crate::domain::reference_plan::FreshnessCounts;
use crate::domain::sanitize::one_line;
use crate::report::tables::{Column, TableLook, table};
use crate::report::words;

/// Usable references that are shown without being asked for.
const MOST_SHOWN: usize = 50;

/// How long the address of a reference lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Freshness {
    /// It is a file.
    File,
    /// It is read from its bucket, where nothing expires.
    Bucket,
    /// It says no expiry.
    Unknown,
    /// It lives long enough.
    Fresh {
        /// Until when.
        expires: Timestamp,
    },
    /// It is signed anew before it is fetched.
    Refresh {
        /// When the old signature ends.
        expires: Timestamp,
    },
    /// It is dead or will be too soon, and nobody can sign it anew.
    Doomed {
        /// When it ends.
        expires: Timestamp,
    },
}

/// Whether a reference can be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "use", rename_all = "lowercase")]
pub enum Use {
    /// It was fetched and is an image.
    Usable {
        /// What kind of image.
        kind: ImageKind,
        /// Its length in bytes.
        n_bytes: u64,
        /// The SHA-256 of its bytes.
        sha256: Sha256Digest,
    },
    /// Nothing speaks against it, and it was not fetched.
    NotFetched,
    /// It cannot be used.
    Unusable {
        /// Why.
        reason: String,
    },
}

/// One reference of a row.
#[derive(Clone, Debug, Serialize)]
pub struct SeenReference {
    /// The row's number, counted from 1.
    pub row: u64,
    /// The row's name.
    pub scene_id: String,
    /// The reference without its query.
    pub reference: String,
    /// How long its address lives.
    pub freshness: Freshness,
    /// Whether it can be used.
    #[serde(flatten)]
    pub used: Use,
}

impl SeenReference {
    fn is_usable(&self) -> bool {
        let doomed = matches!(self.freshness, Freshness::Doomed { .. });
        match self.used {
            Use::Usable { .. } => true,
            Use::NotFetched => !doomed,
            Use::Unusable { .. } => false,
        }
    }
}

/// What was found.
#[derive(Clone, Debug)]
pub struct ReferencesReport {
    /// Good rows of the input.
    pub n_rows: u64,
    /// Rows that have a reference or a mask.
    pub n_with_references: u64,
    /// Rows that cannot be read, by number, with the reason.
    pub bad_rows: Vec<(u64, String)>,
    /// Every reference in the order of the rows.
    pub references: Vec<SeenReference>,
    /// What was fetched.
    pub tally: FetchTally,
    /// What a person should know of the hosts.
    pub news: Vec<String>,
    /// When.
    pub checked_at: Timestamp,
}

impl ReferencesReport {
    /// Whether every row and every reference can be used.
    pub fn is_good(&self) -> bool {
        self.bad_rows.is_empty() && self.references.iter().all(SeenReference::is_usable)
    }

    fn counts(&self) -> FreshnessCounts {
        let mut counts = FreshnessCounts::default();
        for seen in &self.references {
            match seen.freshness {
                Freshness::File => {}
                Freshness::Bucket => {
                    counts.fresh += 1;
                    counts.in_buckets += 1;
                }
                Freshness::Fresh { .. } => counts.fresh += 1,
                Freshness::Refresh { .. } => counts.refreshed += 1,
                Freshness::Unknown => counts.unknown += 1,
                Freshness::Doomed { .. } => counts.doomed += 1,
            }
        }
        counts
    }
}

/// For a script.
pub fn references_json(report: &ReferencesReport) -> String {
    #[derive(Serialize)]
    struct Document<'a> {
        schema: &'static str,
        rows: u64,
        rows_with_references: u64,
        bad_rows: Vec<BadRow<'a>>,
        freshness: FreshnessCounts,
        usable: u64,
        unusable: u64,
        fetches: &'a FetchTally,
        references: &'a [SeenReference],
        news: &'a [String],
        checked_at: Timestamp,
    }
    #[derive(Serialize)]
    struct BadRow<'a> {
        row: u64,
        error: &'a str,
    }
    let usable = report.references.iter().filter(|seen| seen.is_usable()).count() as u64;
    let document = Document {
        schema: "imagemill.references/1",
        rows: report.n_rows,
        rows_with_references: report.n_with_references,
        bad_rows: report.bad_rows.iter().map(|(row, error)| BadRow { row: *row, error }).collect(),
        freshness: report.counts(),
        usable,
        unusable: report.references.len() as u64 - usable,
        fetches: &report.tally,
        references: &report.references,
        news: &report.news,
        checked_at: report.checked_at,
    };
    let mut text = serde_json::to_string(&document).expect("plain values serialize");
    text.push('\n');
    text
}

/// For people: what cannot be used, then the rest as far as it is not too much.
pub fn references_table(report: &ReferencesReport, width: u16, all: bool) -> String {
    let mut text = String::new();
    for (row, error) in &report.bad_rows {
        let _ = writeln!(text, "row {row} cannot be read: {}", one_line(error));
    }
    let usable: Vec<&SeenReference> =
        report.references.iter().filter(|seen| seen.is_usable()).collect();
    let shown = if all { usable.len() } else { usable.len().min(MOST_SHOWN) };
    let rows: Vec<Vec<String>> = report
        .references
        .iter()
        .filter(|seen| !seen.is_usable())
        .chain(usable[..shown].iter().copied())
        .map(|seen| cells(seen, report.checked_at))
        .collect();
    if !rows.is_empty() {
        let columns = ["scene_id", "reference", "address", "result"].map(Column::Words);
        text.push_str(&table(TableLook { width, ..TableLook::default() }, &columns, &rows));
    }
    if shown < usable.len() {
        let _ = writeln!(text, "… and {} more that can be used (--all)", usable.len() - shown);
    }
    let counts = report.counts();
    let n = report.references.len() as u64;
    let _ = writeln!(
        text,
        "{} in {} of {}: {} usable, {} not",
        words::count(n, "reference"),
        report.n_with_references,
        words::count(report.n_rows, "row"),
        usable.len(),
        n - usable.len() as u64
    );
    let _ = writeln!(
        text,
        "addresses: {} fresh, {} to refresh, {} without known expiry, {} doomed",
        counts.fresh, counts.refreshed, counts.unknown, counts.doomed
    );
    text
}

fn cells(seen: &SeenReference, now: Timestamp) -> Vec<String> {
    let left = |expires: Timestamp| {
        let seconds = expires.duration_since(now).as_secs();
        let time =
            humantime::format_duration(std::time::Duration::from_secs(seconds.unsigned_abs()));
        if seconds < 0 { format!("expired {time} ago") } else { format!("expires in {time}") }
    };
    let address = match seen.freshness {
        Freshness::File => "file".to_owned(),
        Freshness::Bucket => "bucket".to_owned(),
        Freshness::Unknown => "no expiry known".to_owned(),
        Freshness::Fresh { expires } => left(expires),
        Freshness::Refresh { expires } => format!("{}, to refresh", left(expires)),
        Freshness::Doomed { expires } => format!("{}, doomed", left(expires)),
    };
    let result = match &seen.used {
        Use::Usable { kind, n_bytes, .. } => format!("ok: {kind}, {n_bytes} bytes"),
        Use::NotFetched => "not fetched".to_owned(),
        Use::Unusable { reason } => reason.clone(),
    };
    [seen.scene_id.as_str(), &seen.reference, &address, &result]
        .map(|cell| one_line(cell).into_owned())
        .to_vec()
}
