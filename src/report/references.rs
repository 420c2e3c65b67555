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

/// Lines of each kind that are shown without being asked for: bad rows, references that cannot be
/// used, and the others.
const MOST_SHOWN: usize = 50;

/// How long the address of a reference lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
        /// When the old signature ends, if it says so.
        expires: Option<Timestamp>,
    },
    /// It cannot be used or will be dead too soon, and nobody can sign it anew.
    Doomed {
        /// When it ends, if it says so.
        expires: Option<Timestamp>,
        /// What speaks against it; the text goes on where the address ends.
        reason: String,
    },
}

/// Whether a reference can be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "use", rename_all = "snake_case")]
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

/// A row that cannot be read.
#[derive(Clone, Debug, Serialize)]
pub struct UnreadRow {
    /// Its number, counted from 1.
    pub row: u64,
    /// Its name, when that can be read.
    pub scene_id: Option<String>,
    /// Why.
    pub error: String,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct ReferencesReport {
    /// Rows of the input, bad ones included.
    pub n_rows: u64,
    /// Rows that have a reference or a mask.
    pub n_with_references: u64,
    /// Rows that cannot be read.
    pub bad_rows: Vec<UnreadRow>,
    /// Whether references were only judged, and none was fetched.
    pub only_judged: bool,
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
            match &seen.freshness {
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
        bad_rows: &'a [UnreadRow],
        freshness: FreshnessCounts,
        usable: u64,
        not_fetched: u64,
        unusable: u64,
        fetches: &'a FetchTally,
        references: &'a [SeenReference],
        news: &'a [String],
        checked_at: Timestamp,
    }
    let good = report.references.iter().filter(|seen| seen.is_usable()).count() as u64;
    let (usable, not_fetched) = if report.only_judged { (0, good) } else { (good, 0) };
    let document = Document {
        schema: "imagemill.references/1",
        rows: report.n_rows,
        rows_with_references: report.n_with_references,
        bad_rows: &report.bad_rows,
        freshness: report.counts(),
        usable,
        not_fetched,
        unusable: report.references.len() as u64 - good,
        fetches: &report.tally,
        references: &report.references,
        news: &report.news,
        checked_at: report.checked_at,
    };
    let mut text = serde_json::to_string(&document).expect("plain values serialize");
    text.push('\n');
    text
}

/// For people: what cannot be used, then the rest, both as far as it is not too much.
pub fn references_table(report: &ReferencesReport, width: u16, all: bool) -> String {
    let shown = |n: usize| if all { n } else { n.min(MOST_SHOWN) };
    let mut text = String::new();
    let n_bad = report.bad_rows.len();
    for bad in &report.bad_rows[..shown(n_bad)] {
        let name = bad.scene_id.as_deref().map(|it| format!(" ({it})")).unwrap_or_default();
        let told = format!("row {}{name} cannot be read: {}", bad.row, bad.error);
        let _ = writeln!(text, "{}", one_line(&told));
    }
    more(&mut text, n_bad - shown(n_bad), "rows that cannot be read");
    let (good, bad): (Vec<&SeenReference>, Vec<&SeenReference>) =
        report.references.iter().partition(|seen| seen.is_usable());
    let rows: Vec<Vec<String>> = bad[..shown(bad.len())]
        .iter()
        .chain(&good[..shown(good.len())])
        .map(|seen| cells(seen, report.checked_at))
        .collect();
    if !rows.is_empty() {
        let columns = ["scene_id", "reference", "address", "result"].map(Column::Words);
        text.push_str(&table(TableLook { width, ..TableLook::default() }, &columns, &rows));
    }
    let (others, words) = match report.only_judged {
        true => ("that are not refused", ["not refused", "refused"]),
        false => ("that can be used", ["usable", "not"]),
    };
    more(&mut text, bad.len() - shown(bad.len()), "that cannot be used");
    more(&mut text, good.len() - shown(good.len()), others);
    let counts = report.counts();
    let _ = writeln!(
        text,
        "{} in {} of {}: {} {}, {} {}",
        words::count(report.references.len() as u64, "reference"),
        report.n_with_references,
        words::count(report.n_rows, "row"),
        good.len(),
        words[0],
        bad.len(),
        words[1]
    );
    if n_bad > 0 {
        let _ = writeln!(text, "{} cannot be read", words::count(n_bad as u64, "row"));
    }
    let _ = writeln!(
        text,
        "addresses: {} fresh, {} to refresh, {} without known expiry, {} doomed",
        counts.fresh, counts.refreshed, counts.unknown, counts.doomed
    );
    text
}

/// Says how many lines were left out.
fn more(text: &mut String, n_more: usize, what: &str) {
    if n_more > 0 {
        let _ = writeln!(text, "… and {n_more} more {what} (--all)");
    }
}

fn cells(seen: &SeenReference, now: Timestamp) -> Vec<String> {
    let left = |expires: Timestamp| {
        let seconds = expires.duration_since(now).as_secs();
        let time = words::long_time(std::time::Duration::from_secs(seconds.unsigned_abs()));
        if seconds < 0 { format!("expired {time} ago") } else { format!("expires in {time}") }
    };
    let address = match &seen.freshness {
        Freshness::File => "file".to_owned(),
        Freshness::Bucket => "bucket".to_owned(),
        Freshness::Unknown => "no expiry known".to_owned(),
        Freshness::Fresh { expires } => left(*expires),
        Freshness::Refresh { expires: Some(expires) } => format!("{}, to refresh", left(*expires)),
        Freshness::Refresh { expires: None } => "to refresh".to_owned(),
        Freshness::Doomed { reason, .. } => format!("doomed: {reason}"),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn report(n_bad: usize, n_good: usize, only_judged: bool) -> ReferencesReport {
        let seen = |used: &Use| SeenReference {
            row: 1,
            scene_id: "A".to_owned(),
            reference: "a.png".to_owned(),
            freshness: Freshness::File,
            used: used.clone(),
        };
        let sha256 = Sha256Digest::of(b"x");
        let usable = Use::Usable { kind: ImageKind::Png, n_bytes: 1, sha256 };
        let good = if only_judged { Use::NotFetched } else { usable };
        let bad = Use::Unusable { reason: "is no image".to_owned() };
        let unread = UnreadRow { row: 7, scene_id: None, error: "it is bad".to_owned() };
        let mut references = vec![seen(&bad); n_bad];
        references.extend(vec![seen(&good); n_good]);
        ReferencesReport {
            n_rows: (2 * n_bad + n_good) as u64,
            n_with_references: (n_bad + n_good) as u64,
            bad_rows: vec![unread; n_bad],
            only_judged,
            references,
            tally: FetchTally::default(),
            news: Vec::new(),
            checked_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn no_kind_of_line_is_listed_without_bound() {
        let report = report(60, 70, false);
        let text = references_table(&report, 100, false);
        let lines = |text: &str, what: &str| text.matches(what).count();
        assert_eq!(lines(&text, "row 7 cannot be read: it is bad"), 50, "{text}");
        assert_eq!([lines(&text, "is no image"), lines(&text, "ok: png")], [50, 50], "{text}");
        for told in [
            "… and 10 more rows that cannot be read (--all)\n",
            "… and 10 more that cannot be used (--all)\n",
            "… and 20 more that can be used (--all)\n",
            "130 references in 130 of 190 rows: 70 usable, 60 not\n",
        ] {
            assert!(text.contains(told), "{told} {text}");
        }
        let text = references_table(&report, 100, true);
        assert_eq!([lines(&text, "is no image"), lines(&text, "ok: png")], [60, 70], "{text}");
        assert!(!text.contains("(--all)") && lines(&text, "it is bad") == 60, "{text}");
    }

    #[test]
    fn what_was_not_fetched_is_not_called_usable() {
        let report = report(1, 2, true);
        let text = references_table(&report, 100, false);
        let told = "3 references in 3 of 4 rows: 2 not refused, 1 refused\n";
        assert!(text.contains(told) && !text.contains("usable"), "{text}");
        let json = references_json(&report);
        let counts = "\"usable\":0,\"not_fetched\":2,\"unusable\":1";
        assert!(json.contains(counts) && json.contains("\"use\":\"not_fetched\""), "{json}");
    }

    #[test]
    fn what_is_doomed_says_why() {
        let mut report = report(0, 1, true);
        report.references[0].freshness =
            Freshness::Doomed { expires: None, reason: "is for writing".to_owned() };
        let text = references_table(&report, 100, false);
        assert!(text.contains("doomed: is for writing"), "{text}");
        assert!(text.contains("0 not refused, 1 refused"), "{text}");
        let told = "{\"state\":\"doomed\",\"expires\":null,\"reason\":\"is for writing\"}";
        assert!(references_json(&report).contains(told), "{}", references_json(&report));
    }
}
