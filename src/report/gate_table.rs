//! The gate table, and the last line of a run.

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};

use crate::domain::gate::{GateResult, Verdict};
use crate::domain::report::RunReport;
use crate::report::words;

/// The gates with their evidence, as a table of at most `width` columns.
pub fn gate_table(gates: &[GateResult], simulated: bool, width: u16, color: bool) -> String {
    if gates.is_empty() {
        return "no gates\n".to_owned();
    }
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width)
        .set_header(["gate", "value", "limit", "n", "verdict", "note"]);
    if color {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    for gate in gates {
        let warn_only = gate.severity == crate::domain::gate::expression::Severity::Warn;
        let mut note = gate.reason.clone();
        if warn_only {
            note = format!("warning only; {note}");
        }
        if simulated {
            note = format!("sim; {note}");
        }
        table.add_row([
            Cell::new(gate.name.as_ref().unwrap_or(&gate.label)),
            Cell::new(gate.value.as_deref().unwrap_or("-")),
            Cell::new(format!("{} {}", gate.op, gate.limit)),
            Cell::new(gate.n),
            verdict_cell(gate.verdict, color),
            Cell::new(note.trim_end_matches("; ")),
        ]);
    }
    format!("{table}\n")
}

/// The last line of standard output.
pub fn result_line(report: &RunReport) -> String {
    format!(
        "RESULT {} exit={} mode={} rows={}/{} images={}/{} cost={} elapsed={} reason=\"{}\"\n",
        report.verdict,
        report.exit,
        report.mode,
        report.rows.ok,
        report.rows.planned,
        report.images.stored,
        report.images.expected,
        words::dollars(report.cost.settled),
        words::duration(std::time::Duration::from_millis(report.elapsed_ms)),
        report.reason.replace('"', "'").replace(['\n', '\r'], " "),
    )
}

fn verdict_cell(verdict: Verdict, color: bool) -> Cell {
    let cell = Cell::new(verdict.table_word());
    if !color {
        return cell;
    }
    let shade = match verdict {
        Verdict::Pass => Color::Green,
        Verdict::WeakPass | Verdict::Inconclusive | Verdict::NoData => Color::Yellow,
        Verdict::Fail => Color::Red,
    };
    cell.fg(shade).add_attribute(Attribute::Bold)
}
