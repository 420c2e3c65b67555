//! The ledger for people and for machines.

use std::fmt::Write;
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::ids::RunId;
use crate::domain::ledger::reading::{CheckReport, Finding, Shown, Summary};
use crate::domain::ledger::{DEFAULT_LIMIT_PER_DAY, LimitScope};
use crate::domain::money::NanoUsd;
use crate::report::{ledger_limits, words};

/// The name and version of the documents.
const SCHEMA: &str = "imagemill.ledger/1";

/// How many held attempts are listed; the rest is counted.
const MOST_HELD: usize = 10;

#[derive(Serialize)]
struct Document<'a, T> {
    schema: &'static str,
    #[serde(flatten)]
    body: &'a T,
}

/// Today against the limit.
pub fn summary(summary: &Summary, folder: &Path) -> String {
    let mut text = String::new();
    let left = summary.limit_per_day.minus_or_zero(summary.exposure_today);
    let _ = writeln!(text, "Ledger   {} ({} money)", folder.display(), summary.money);
    let _ = writeln!(text, "Day      {} {}", summary.day, summary.tz);
    let _ = writeln!(
        text,
        "Limit    {} a day ({}), {} left",
        words::dollars(summary.limit_per_day),
        words::limit_origin(summary.limit_origin),
        words::dollars_at_least(left)
    );
    for it in summary.limits.iter().filter(|it| it.limit.scope != LimitScope::Day) {
        let _ = writeln!(text, "Limit    {}", ledger_limits::in_words(it));
    }
    let _ = writeln!(
        text,
        "Today    {} settled + {} reserved + {} unknown = {}",
        words::dollars(summary.settled),
        words::dollars(summary.reserved),
        words::dollars(summary.unknown),
        words::dollars(summary.exposure_today)
    );
    let _ = writeln!(
        text,
        "Attempts {} today: {} settled, {} released, {} unknown, {} over their worst case",
        summary.attempts, summary.settles, summary.releases, summary.unknowns, summary.overruns
    );
    for held in summary.held.iter().take(MOST_HELD) {
        let why = held.unknown.map_or("under way".to_owned(), |class| format!("unknown ({class})"));
        let _ = writeln!(
            text,
            "Held     {} {why}, reserved {}, run {}",
            words::dollars(held.max),
            held.reserved_at,
            held.run.alias()
        );
    }
    if summary.held.len() > MOST_HELD {
        let _ = writeln!(text, "Held     and {} more", summary.held.len() - MOST_HELD);
    }
    if summary.torn_tail {
        let _ = writeln!(text, "Note     the last line is torn; the next run heals it");
    }
    text
}

/// What is said where there is no ledger yet.
pub fn no_ledger(folder: &Path) -> String {
    format!(
        "No ledger in {}: no real money was spent. The first run that spends makes it, with a \
         limit of {} a day. Simulated money is in the folder of its run: \
         --ledger out/RUN/ledger\n",
        folder.display(),
        DEFAULT_LIMIT_PER_DAY.dollars()
    )
}

/// The summary as a document.
pub fn json(summary: &Summary) -> String {
    document(summary)
}

/// The document where there is no ledger yet: the same fields, with nothing spent.
pub fn no_ledger_json(now: Timestamp) -> String {
    #[derive(Serialize)]
    struct Nothing {
        day: String,
        tz: &'static str,
        limit_per_day: NanoUsd,
        exposure_today: NanoUsd,
        settled: NanoUsd,
        reserved: NanoUsd,
        unknown: NanoUsd,
        attempts: u64,
    }
    let zero = NanoUsd::ZERO;
    document(&Nothing {
        day: jiff::tz::TimeZone::UTC.to_datetime(now).date().to_string(),
        tz: "UTC",
        limit_per_day: DEFAULT_LIMIT_PER_DAY,
        exposure_today: zero,
        settled: zero,
        reserved: zero,
        unknown: zero,
        attempts: 0,
    })
}

/// The records of a run, one a line.
pub fn records(records: &[Shown]) -> String {
    let mut text = String::new();
    for shown in records {
        let amount = shown.amount.map_or(String::new(), |amount| amount.dollars().to_string());
        let rid = shown.rid.map_or(String::new(), |rid| rid.to_string());
        let line = format!(
            "{:>6} {:.3} {:<8} {amount:>8} {rid:36} {}",
            shown.seq,
            shown.time,
            shown.kind,
            shown.note.unwrap_or_default()
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// The records of a run as a document.
pub fn records_json(run: RunId, records: &[Shown]) -> String {
    #[derive(Serialize)]
    struct Records<'a> {
        run: RunId,
        records: &'a [Shown],
    }
    document(&Records { run, records })
}

/// What a check found, as a document.
pub fn check_json(report: &CheckReport) -> String {
    document(report)
}

/// One finding of a check.
pub fn finding(finding: &Finding) -> String {
    format!("{}:{}: {}", finding.segment, finding.line, finding.problem)
}

pub(super) fn document<T: Serialize>(body: &T) -> String {
    let text = serde_json::to_string(&Document { schema: SCHEMA, body });
    format!("{}\n", text.expect("plain values serialize"))
}
