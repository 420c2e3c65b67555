//! The plan on at most 30 lines, whatever the number of rows.

use std::fmt::Write;
use std::time::Duration;

use crate::domain::money::NanoUsd;
use crate::domain::plan::{Plan, PlanGoesOn, PlanLimit};
use crate::report::words;

/// The most lines of each list in the plan; the rest is counted.
const MOST_LISTED: usize = 5;

/// The plan for people. No sentence of it speaks as if something had been sent.
pub fn plan_view(plan: &Plan, width: u16) -> String {
    let mut text = String::new();
    let dry = plan.mode == "dry-run";
    if dry {
        text.push_str("DRY RUN: nothing will be sent, nothing will be spent\n\n");
    }
    let mut line = |label: &str, body: String| {
        for (n, part) in
            words::wrap(&body, usize::from(width).saturating_sub(12)).iter().enumerate()
        {
            let label = if n == 0 { label } else { "" };
            let _ = writeln!(text, "{label:<11} {part}");
        }
    };
    line("Input", input(plan));
    if let Some(run) = &plan.goes_on {
        line("Goes on", goes_on(run));
    }
    line("References", references(plan));
    for (n, told) in twins(plan).into_iter().enumerate() {
        line(if n == 0 { "Copies" } else { "" }, told);
    }
    for (n, request) in requests(plan).into_iter().enumerate() {
        line(if n == 0 { if dry { "Would ask" } else { "Asks" } } else { "" }, request);
    }
    if let Some(server) = &plan.server {
        line("Server", format!("{}; key: {}", server.base_url, server.key));
    }
    if let Some(canary) = &plan.rows.canary {
        line("Canary", canary_line(plan, canary));
    }
    line("Output", plan.output.clone());
    let cost = &plan.cost;
    line(
        "Cost",
        format!(
            "{} expected{}, {} at most; limit {} a day ({})",
            words::dollars(cost.expected),
            if cost.expected > cost.maximum { " for all of it" } else { "" },
            words::dollars(cost.maximum),
            words::dollars(cost.limit_per_day),
            cost.limit_origin
        ),
    );
    line("", at_most(plan));
    line("Today", today(plan));
    if let Some(limit) = cost.limit_per_run {
        line("Run limit", words::dollars(limit));
    }
    let limits: Vec<String> = cost.limits.iter().map(limit_line).collect();
    for (n, limit) in listed(&limits).into_iter().enumerate() {
        line(if n == 0 { "Limits" } else { "" }, limit);
    }
    line("Time", time(plan));
    for (n, gate) in listed(&plan.gates).into_iter().enumerate() {
        line(if n == 0 { "Gates" } else { "" }, gate);
    }
    for (n, note) in listed(&plan.unusual).into_iter().enumerate() {
        line(if n == 0 { "Unusual" } else { "" }, format!("! {note}"));
    }
    text.push('\n');
    text
}

fn input(plan: &Plan) -> String {
    let rows = &plan.rows;
    let mut text = format!(
        "{}: {} accepted, {} rejected, {}",
        crate::domain::sanitize::one_line(&plan.bound.rows_path),
        words::count(rows.accepted, "row"),
        rows.rejected,
        words::count(rows.images, "image")
    );
    if rows.held_by_budget > 0 {
        let _ = write!(text, "; {} held to fit the budget", rows.held_by_budget);
    }
    text
}

/// What is left of a run: "37 rows done, 2 unknown (up to $0.34 held), 61 images to make".
fn goes_on(run: &PlanGoesOn) -> String {
    let census = &run.census;
    let mut parts = vec![format!("{} done", words::count(census.done, "row"))];
    let mut some = |n: u64, what: &str| {
        if n > 0 {
            parts.push(format!("{n} {what}"));
        }
    };
    let held = match run.cost_unknown {
        NanoUsd::ZERO => "unknown".to_owned(),
        held => format!("unknown (up to {} held)", words::dollars(held)),
    };
    some(census.unknown, &held);
    some(census.failed, "failed");
    some(census.refused, "refused");
    some(census.pending, "pending");
    some(census.added, "added");
    some(census.changed, "changed");
    some(census.removed, "no longer there");
    let mut text = format!(
        "run {}: {}; {} to make now",
        run.run_id.chars().skip(run.run_id.len().saturating_sub(8)).collect::<String>(),
        parts.join(", "),
        words::count(census.images, "image")
    );
    if census.bought_again > 0 {
        let _ = write!(text, ", {} of them bought again", census.bought_again);
    }
    if census.reordered {
        text.push_str("; the rows stand in another order");
    }
    text
}

/// Rows that are not sent, since their images are copied.
fn twins(plan: &Plan) -> Vec<String> {
    let twins = &plan.twins;
    let rows = |n| words::count(n, "row");
    let images = |n| words::count(n, "image");
    let mut told = Vec::new();
    if twins.rows > 0 {
        let (rows, images) = (rows(twins.rows), images(twins.images));
        told.push(format!("{rows} for the same as others: {images}, not sent (--dedupe)"));
    }
    if twins.kept_rows > 0 {
        let (rows, images) = (rows(twins.kept_rows), images(twins.kept_images));
        told.push(format!("{rows} made by earlier runs: {images}, not sent (--reuse)"));
    }
    if !told.is_empty() {
        told.push(format!("{} are not spent on them", words::dollars(twins.saved)));
    }
    if twins.remote > 0 {
        told.push(format!(
            "{} with references by URL made anew: those may have changed",
            rows(twins.remote)
        ));
    }
    told
}

fn references(plan: &Plan) -> String {
    let rows = &plan.rows;
    if rows.with_references == 0 {
        return "none".to_owned();
    }
    let mut text = format!(
        "{} with references: {} local, {} by URL",
        words::count(rows.with_references, "row"),
        rows.local_references,
        rows.url_references
    );
    let fresh = &rows.freshness;
    if rows.url_references > 0 {
        let _ = write!(
            text,
            " ({} fresh, {} to refresh, {} without known expiry, {} doomed)",
            fresh.fresh, fresh.refreshed, fresh.unknown, fresh.doomed
        );
    }
    text
}

fn requests(plan: &Plan) -> Vec<String> {
    let lines: Vec<String> = plan
        .requests
        .iter()
        .map(|ask| {
            let text = format!(
                "{} / {}, {} {}: {}",
                ask.provider,
                ask.model,
                ask.size,
                ask.quality,
                words::count(ask.images, "image")
            );
            crate::domain::sanitize::one_line(&text).into_owned()
        })
        .collect();
    listed(&lines)
}

fn canary_line(plan: &Plan, canary: &str) -> String {
    let rows = &plan.rows;
    let mut text = format!(
        "{canary}: {} with {}; {} held",
        words::count(rows.selected, "row"),
        words::count(rows.images_selected, "image"),
        rows.held_by_canary
    );
    if !rows.uncovered.is_empty() {
        let _ = write!(text, "; no row of {}", listed(&rows.uncovered).join(", "));
    }
    text
}

fn at_most(plan: &Plan) -> String {
    let cost = &plan.cost;
    match cost.paid_retries {
        0 => format!(
            "at most = {}, no paid retries",
            words::count(plan.rows.images_selected, "image")
        ),
        n => format!(
            "at most = {} and up to {}",
            words::count(plan.rows.images_selected, "image"),
            if n == 1 { "1 paid retry".to_owned() } else { format!("{n} paid retries") }
        ),
    }
}

fn today(plan: &Plan) -> String {
    let cost = &plan.cost;
    let after = cost.exposure_today.saturating_add(cost.first_attempts);
    let money = if cost.simulated { "simulated money: " } else { "" };
    let over_run = cost.limit_per_run.filter(|limit| cost.first_attempts > *limit);
    let verdict = match over_run {
        _ if cost.fits => "FITS".to_owned(),
        Some(limit) => format!("DOES NOT FIT the run's own limit of {}", words::dollars(limit)),
        None if cost.fits_day() => match cost.misfit() {
            Some(misfit) => format!("DOES NOT FIT the limit per {}", misfit.per),
            None => "DOES NOT FIT".to_owned(),
        },
        None => {
            format!("DOES NOT FIT: the smallest limit is {}", words::dollars(cost.smallest_limit))
        }
    };
    format!(
        "{} {money}{} settled, {} held; {} before paid retries; {verdict}; resets {}",
        cost.day,
        words::dollars(cost.settled_today),
        words::dollars(cost.held_today),
        words::dollars(after),
        cost.resets
    )
}

fn limit_line(limit: &PlanLimit) -> String {
    format!(
        "{} per {}: {} taken, {} wanted; {}",
        words::dollars(limit.limit),
        limit.per,
        words::dollars(limit.taken),
        words::dollars(limit.wanted),
        if limit.fits() { "FITS" } else { "DOES NOT FIT" }
    )
}

fn time(plan: &Plan) -> String {
    let shown = |ms| words::duration(Duration::from_millis(ms));
    let mut text = format!("about {} at {} in flight", shown(plan.forecast_ms), plan.concurrency);
    if let Some(requests) = plan.requests_per_minute {
        let _ = write!(text, ", {requests} requests a minute");
    }
    if let Some(images) = plan.images_per_minute {
        let _ = write!(text, ", {images} images a minute");
    }
    if let Some(latency) = plan.assumed_latency_ms {
        let _ = write!(text, ", if an image takes {}", shown(latency));
    }
    text
}

/// The first few lines of a list; the others are counted.
fn listed(lines: &[String]) -> Vec<String> {
    let mut shown: Vec<String> = lines.iter().take(MOST_LISTED).cloned().collect();
    if lines.len() > MOST_LISTED {
        shown.push(format!("and {} more", lines.len() - MOST_LISTED));
    }
    shown
}
