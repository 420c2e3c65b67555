//! Runs, for people and for machines.

use std::time::Duration;

use serde::Serialize;

use crate::domain::history::RunSummary;
use crate::domain::money::NanoUsd;
use crate::domain::row::Outcome;
use crate::domain::sanitize::one_line;
use crate::report::tables::{Column, TableLook, table};
use crate::report::words;

/// The name and version of a list of runs.
const LIST_SCHEMA: &str = "imagemill.runs/1";

/// The name and version of one run.
const RUN_SCHEMA: &str = "imagemill.run/1";

/// Runs as a table, in the order given.
pub fn runs_table(look: TableLook, runs: &[RunSummary]) -> String {
    if runs.is_empty() {
        return "No runs\n".to_owned();
    }
    let columns = [
        Column::Words("run"),
        Column::Words("started"),
        Column::Words("state"),
        Column::Words("asks"),
        Column::Numbers("rows ok"),
        Column::Numbers("images"),
        Column::Numbers("cost"),
        Column::Numbers("unknown"),
    ];
    let cells = |run: &RunSummary| {
        vec![
            run.run_id.alias(),
            run.started_at.map_or("-".to_owned(), |at| format!("{at:.0}")),
            state(run),
            asks(run),
            format!("{}/{}", run.n_rows(Outcome::Ok), run.rows.values().sum::<u64>()),
            format!("{}/{}", run.images_stored, run.images_expected),
            words::dollars(run.settled),
            money_or_none(run.unknown),
        ]
    };
    table(look, &columns, &runs.iter().map(cells).collect::<Vec<_>>())
}

/// One run, a line for each thing that is known.
pub fn run_text(run: &RunSummary, width: u16) -> String {
    let mut text = String::new();
    let mut line = |label: &str, body: String| {
        for (n, part) in
            words::wrap(&body, usize::from(width).saturating_sub(10)).iter().enumerate()
        {
            let label = if n == 0 { label } else { "" };
            text.push_str(format!("{label:<9} {part}").trim_end());
            text.push('\n');
        }
    };
    line("Run", format!("{} in {}", run.run_id, one_line(&run.folder)));
    line("State", state(run));
    if let (Some(exit), Some(reason)) = (run.exit, &run.reason) {
        line("Ended", format!("exit {exit}: {}", one_line(reason)));
    }
    let elapsed = words::duration(Duration::from_millis(run.elapsed_ms));
    if let Some(at) = run.started_at {
        line("Started", format!("{at:.0}; {elapsed} at work"));
    }
    line("Asks", format!("{}, {}", asks(run), one_line(&run.rows_path)));
    line("Rows", rows(run));
    line("Images", format!("{} of {}", run.images_stored, run.images_expected));
    let simulated = if run.simulated { " of simulated money" } else { "" };
    let unknown = match run.unknown {
        NanoUsd::ZERO => String::new(),
        held => format!(", {} unknown", words::dollars(held)),
    };
    let attempts = words::count(run.attempts, "attempt");
    line("Money", format!("{}{simulated}{unknown}; {attempts}", words::dollars(run.settled)));
    text
}

/// Whether a run has more to do, in one line.
pub fn status_line(run: &RunSummary) -> String {
    format!(
        "{} {}: {}; {} of {} images\n",
        run.run_id.alias(),
        state(run),
        rows(run),
        run.images_stored,
        run.images_expected
    )
}

/// Runs as one document.
pub fn runs_json(runs: &[RunSummary]) -> String {
    #[derive(Serialize)]
    struct Runs<'a> {
        schema: &'static str,
        runs: &'a [RunSummary],
    }
    document(&Runs { schema: LIST_SCHEMA, runs })
}

/// One run as one document.
pub fn run_json(run: &RunSummary) -> String {
    #[derive(Serialize)]
    struct Run<'a> {
        schema: &'static str,
        #[serde(flatten)]
        run: &'a RunSummary,
    }
    document(&Run { schema: RUN_SCHEMA, run })
}

fn document(value: &impl Serialize) -> String {
    format!("{}\n", serde_json::to_string(value).expect("plain values serialize"))
}

fn state(run: &RunSummary) -> String {
    match run.verdict {
        Some(verdict) if run.is_outstanding() => format!("{}, {verdict}", run.state.words()),
        Some(verdict) => verdict.to_owned(),
        None => run.state.words().to_owned(),
    }
}

fn asks(run: &RunSummary) -> String {
    one_line(&format!("{} / {}", run.provider, run.model)).into_owned()
}

/// `5 ok, 2 pending`.
fn rows(run: &RunSummary) -> String {
    let parts: Vec<String> = run.rows.iter().map(|(word, n)| format!("{n} {word}")).collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}

fn money_or_none(amount: NanoUsd) -> String {
    if amount == NanoUsd::ZERO { "-".to_owned() } else { words::dollars(amount) }
}
