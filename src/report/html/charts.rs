//! Charts as inline SVG, each with its table. They hold only numbers of ours.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use crate::domain::money::NanoUsd;
use crate::domain::picture::RunPicture;
use crate::report::words;

/// Width and height of a chart in its own units.
const SIZE: (f64, f64) = (360.0, 150.0);

/// Room at the left and at the bottom for words.
const MARGIN: (f64, f64) = (6.0, 18.0);

/// Bars of the histogram.
const BARS: usize = 24;

/// A chart with its table.
#[derive(Debug, Serialize)]
pub(super) struct Chart {
    title: &'static str,
    svg: String,
    heads: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

/// The charts of a run; none of a run that made nothing.
pub(super) fn charts(picture: &RunPicture) -> Vec<Chart> {
    if picture.latencies_ms.is_empty() || picture.moments.is_empty() {
        return Vec::new();
    }
    vec![latencies(picture), timeline(picture), cost(picture)]
}

fn time(ms: u64) -> String {
    words::duration(Duration::from_millis(ms))
}

/// A share of the chart's height, from its ground up.
fn y(share: f64) -> f64 {
    (SIZE.1 - MARGIN.1) * (1.0 - share * 0.86)
}

/// A share of the chart's width.
fn x(share: f64) -> f64 {
    MARGIN.0 + (SIZE.0 - 2.0 * MARGIN.0) * share
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn svg(label: &str, body: &str, from: &str, to: &str, most: &str) -> String {
    let (width, height) = SIZE;
    let ground = height - 5.0;
    format!(
        "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{label}\">{body}\
         <text x=\"6\" y=\"{ground}\">{from}</text>\
         <text x=\"{}\" y=\"{ground}\" text-anchor=\"end\">{to}</text>\
         <text x=\"6\" y=\"11\">{most}</text></svg>",
        width - 6.0
    )
}

/// How long images took.
fn latencies(picture: &RunPicture) -> Chart {
    let longest = picture.latencies_ms.iter().max().copied().unwrap_or_default().max(1);
    let width = longest.div_ceil(BARS as u64).max(1);
    let mut counts = [0_u64; BARS];
    for latency in &picture.latencies_ms {
        let bar = usize::try_from(latency / width).unwrap_or(BARS).min(BARS - 1);
        counts[bar] += 1;
    }
    let most = counts.iter().max().copied().unwrap_or_default();
    let mut body = String::new();
    for (bar, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let (left, right) = (x(bar as f64 / BARS as f64), x((bar as f64 + 0.9) / BARS as f64));
        let top = y(ratio(*count, most));
        let _ = write!(
            body,
            "<rect class=\"bar\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
            right - left,
            y(0.0) - top
        );
    }
    let told = (0_u64..).zip(counts).filter(|(_, count)| *count > 0);
    let rows = told
        .map(|(bar, count)| vec![time(bar * width), time((bar + 1) * width), count.to_string()]);
    let (to, most) = (time(width * BARS as u64), words::count(most, "image"));
    Chart {
        title: "How long images took",
        svg: svg("Histogram of the time of images", &body, "0s", &to, &most),
        heads: vec!["from", "to", "images"],
        rows: rows.collect(),
    }
}

/// What was out, and what was put off.
fn timeline(picture: &RunPicture) -> Chart {
    let moments = &picture.moments;
    let most = moments.iter().map(|it| it.in_flight).max().unwrap_or_default();
    let n = moments.len();
    let mut body = String::new();
    let mut points = String::new();
    for (number, moment) in moments.iter().enumerate() {
        let place = x((number as f64 + 0.5) / n as f64);
        let _ = write!(points, "{place:.1},{:.1} ", y(ratio(moment.in_flight, most)));
        if moment.throttled > 0 {
            let (left, top) = (x(number as f64 / n as f64), y(0.12));
            let _ = write!(
                body,
                "<rect class=\"late\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" \
                 height=\"{:.1}\"/>",
                x(1.0 / n as f64) - x(0.0),
                y(0.0) - top
            );
        }
    }
    let _ = write!(body, "<polyline class=\"curve\" points=\"{}\"/>", points.trim_end());
    let rows = moments.iter().map(|it| {
        vec![
            time(it.at_ms),
            it.in_flight.to_string(),
            it.images.to_string(),
            it.throttled.to_string(),
        ]
    });
    let to = time(moments.last().map_or(0, |last| last.at_ms));
    Chart {
        title: "Attempts in flight; below in red, those that were put off",
        svg: svg("Attempts in flight over time", &body, "0s", &to, &format!("{most} in flight")),
        heads: vec!["until", "in flight", "images", "put off"],
        rows: rows.collect(),
    }
}

/// What it cost over time, beside the limit that it comes near to.
fn cost(picture: &RunPicture) -> Chart {
    let moments = &picture.moments;
    let nanos = |amount: NanoUsd| u64::try_from(amount.nanos()).unwrap_or_default();
    let total = moments.last().map_or(0, |last| nanos(last.settled));
    let limit = picture.money.limit_per_run.unwrap_or(picture.money.limit_per_day);
    // A limit that is far away would flatten the curve; it is told in words then.
    let is_near = nanos(limit) > 0 && nanos(limit) <= total.saturating_mul(3);
    let most = if is_near { total.max(nanos(limit)) } else { total.max(1) };
    let n = moments.len();
    let mut points = format!("{:.1},{:.1} ", x(0.0), y(0.0));
    for (number, moment) in moments.iter().enumerate() {
        let place = x((number as f64 + 1.0) / n as f64);
        let _ = write!(points, "{place:.1},{:.1} ", y(ratio(nanos(moment.settled), most)));
    }
    let mut body = format!("<polyline class=\"curve\" points=\"{}\"/>", points.trim_end());
    if is_near {
        let level = y(ratio(nanos(limit), most));
        let (left, right) = (x(0.0), x(1.0));
        let _ = write!(
            body,
            "<line class=\"limit\" x1=\"{left:.1}\" x2=\"{right:.1}\" y1=\"{level:.1}\" \
             y2=\"{level:.1}\"/>"
        );
    }
    let rows = moments.iter().map(|it| vec![time(it.at_ms), words::dollars(it.settled)]);
    let to = time(moments.last().map_or(0, |last| last.at_ms));
    let told = format!(
        "{} of {}",
        words::dollars(NanoUsd::from_nanos(i64::try_from(total).unwrap_or(i64::MAX))),
        words::dollars(limit)
    );
    Chart {
        title: "Charged over time, against the limit",
        svg: svg("Cost over time", &body, "0s", &to, &told),
        heads: vec!["until", "charged"],
        rows: rows.collect(),
    }
}
