//! Two runs beside each other.

use serde::Serialize;
use serde_json::Value;

use crate::domain::money::NanoUsd;
use crate::report::tables::{Column, TableLook, table};

/// What is compared: its name, where it stands in a report, and in what it is counted.
const FIGURES: [(&str, &str, Unit); 16] = [
    ("verdict", "/verdict", Unit::Word),
    ("rows ok", "/rows/ok", Unit::Count),
    ("rows failed", "/rows/failed", Unit::Count),
    ("rows partial", "/rows/partial", Unit::Count),
    ("rows refused", "/rows/refused", Unit::Count),
    ("rows unknown", "/rows/unknown", Unit::Count),
    ("error rate", "/error_rate", Unit::Share),
    ("images", "/images/stored", Unit::Count),
    ("attempts", "/attempts", Unit::Count),
    ("charged", "/cost/settled", Unit::Money),
    ("may be billed", "/cost/unknown", Unit::Money),
    ("estimated", "/cost/estimated", Unit::Money),
    ("latency p(50)", "/latency_ms/p50", Unit::Time),
    ("latency p(95)", "/latency_ms/p95", Unit::Time),
    ("latency max", "/latency_ms/max", Unit::Time),
    ("time at work", "/elapsed_ms", Unit::Time),
];

/// In what a figure is counted.
#[derive(Clone, Copy, Debug)]
enum Unit {
    Word,
    Count,
    Share,
    Money,
    Time,
}

/// A figure of both.
#[derive(Debug, Serialize)]
struct Figure {
    name: &'static str,
    one: Option<String>,
    other: Option<String>,
    /// The change from one to the other as a share of the first; nothing where there is none.
    change: Option<f64>,
}

/// Two runs beside each other.
#[derive(Debug, Serialize)]
pub struct Comparison {
    schema: &'static str,
    one: String,
    other: String,
    figures: Vec<Figure>,
}

impl Comparison {
    /// Of two reports, each with its name.
    pub fn of(one: &str, first: &Value, other: &str, second: &Value) -> Self {
        let figure = |(name, place, unit): (&'static str, &str, Unit)| {
            let (first, second) = (first.pointer(place), second.pointer(place));
            let change = number(first, unit).zip(number(second, unit));
            Figure {
                name,
                one: shown(first, unit),
                other: shown(second, unit),
                change: change.and_then(|(from, to)| (from != 0.0).then(|| to / from - 1.0)),
            }
        };
        Self {
            schema: "imagemill.comparison/1",
            one: one.to_owned(),
            other: other.to_owned(),
            figures: FIGURES.into_iter().map(figure).collect(),
        }
    }
}

fn number(value: Option<&Value>, unit: Unit) -> Option<f64> {
    match unit {
        Unit::Word => None,
        Unit::Money => {
            let amount: NanoUsd = value?.as_str()?.parse().ok()?;
            Some(amount.nanos() as f64)
        }
        Unit::Count | Unit::Share | Unit::Time => value?.as_f64(),
    }
}

fn shown(value: Option<&Value>, unit: Unit) -> Option<String> {
    let value = value?;
    Some(match unit {
        Unit::Word => value.as_str()?.to_owned(),
        Unit::Money => format!("${}", value.as_str()?),
        Unit::Count => value.as_u64()?.to_string(),
        Unit::Share => format!("{:.1}%", value.as_f64()? * 100.0),
        Unit::Time => {
            let seconds = value.as_f64()? / 1000.0;
            format!("{seconds:.1}s")
        }
    })
}

/// For people.
pub fn compare_table(comparison: &Comparison, width: u16) -> String {
    let cell = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let rows: Vec<Vec<String>> = comparison
        .figures
        .iter()
        .map(|figure| {
            let change = figure.change.map(|it| format!("{:+.1}%", it * 100.0));
            vec![figure.name.to_owned(), cell(&figure.one), cell(&figure.other), cell(&change)]
        })
        .collect();
    let columns = [
        Column::Words("figure"),
        Column::Numbers(&comparison.one),
        Column::Numbers(&comparison.other),
        Column::Numbers("change"),
    ];
    table(TableLook { width, ..TableLook::default() }, &columns, &rows)
}

/// For scripts.
pub fn compare_json(comparison: &Comparison) -> String {
    let mut text = serde_json::to_string(comparison).expect("plain values serialize");
    text.push('\n');
    text
}
