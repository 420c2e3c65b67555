//! The spine: the way of one row, top to bottom; no stage calls back.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::domain::batch::ClassId;
use crate::domain::event::{RowFinished, RowWork, RunEvent, Tags};
use crate::domain::history::RowFate;
use crate::domain::request::{ImageRequest, ImageSpec, LoadedReference};
use crate::domain::row::{Outcome, Row};
use crate::domain::settings::OnBadRow;
use crate::pipeline::context::RunContext;
use crate::pipeline::fetch::{NoReferences, REFERENCE_ERROR, fetch};
use crate::pipeline::generate::{VariantEnding, VariantJob, VariantReport, generate};
use crate::pipeline::stop::StopReason;

/// Works one row to its end and reports it; returns its number.
pub(crate) async fn process(cx: Arc<RunContext>, row: Arc<Row>, position: u32) -> u64 {
    let class = cx.batch.class_of(position);
    let fate = cx.past.get(&position);
    let started = cx.clock.elapsed();
    let scene_id = row.scene_id.clone();
    cx.events.emit(RunEvent::RowStarted { row: row.number, scene_id }).await;
    let tags = tags_of(&cx, &row, class);
    let references = match fetch(&cx, &row).await {
        Ok(references) => references,
        Err(ending) => {
            let maximum = cx.batch.quote(class).maximum;
            let firsts = cx.batch.variants(position).filter(|it| !is_bought_again(fate, *it));
            firsts.for_each(|_| cx.first_attempts_left.leave(maximum));
            let mut finished = without_references(&cx, &row, tags, ending);
            remember(fate, &mut finished);
            cx.events.emit_counted(RunEvent::RowFinished(Box::new(finished))).await;
            return row.number;
        }
    };
    let fetched = cx.clock.elapsed();
    let mut reports = make_variants(&cx, &row, position, &tags, references).await;
    let before = fate.iter().flat_map(|fate| &fate.images).filter(|image| !image.is_made);
    reports.extend(before.map(VariantReport::of_past));
    let summary = Summary::of(&reports);
    let finished = RowFinished {
        row: row.number,
        scene_id: row.scene_id.clone(),
        outcome: summary.outcome,
        error_kind: summary.error_kind,
        reason: summary.reason,
        latency: summary.sent_at.zip(summary.named_at).map(|(from, to)| to.saturating_sub(from)),
        queue: summary.sent_at.map(|sent| sent.saturating_sub(started)),
        fetch: (!row.references.is_empty()).then(|| fetched.saturating_sub(started)),
        work: summary.work,
        counts_as_error: false,
        tags,
    };
    cx.events.emit_counted(RunEvent::RowFinished(Box::new(finished))).await;
    row.number
}

/// Whether an image may have been billed before, and is bought again.
fn is_bought_again(fate: Option<&RowFate>, variant: u8) -> bool {
    let past = fate.and_then(|fate| fate.images.get(usize::from(variant) - 1));
    past.is_some_and(|image| image.standing.paid_retry().is_some())
}

/// A row of which nothing is made now keeps what it had before.
fn remember(fate: Option<&RowFate>, finished: &mut RowFinished) {
    let Some(fate) = fate else { return };
    let before = fate.finished(None, &finished.scene_id, finished.tags.clone());
    finished.work = before.work;
    if before.outcome != Outcome::Cancelled {
        finished.outcome = before.outcome;
        finished.counts_as_error = false;
    }
}

/// The end of a row that goes no further than its references.
fn without_references(cx: &RunContext, row: &Row, tags: Tags, ending: NoReferences) -> RowFinished {
    match ending {
        NoReferences::Unusable(reason) => RowFinished {
            error_kind: Some(REFERENCE_ERROR),
            counts_as_error: cx.settings.on_bad_row == OnBadRow::Stop,
            ..unsent(row, tags, Outcome::Rejected, reason)
        },
        NoReferences::Stopped => {
            let reason = "the run stopped while its references were fetched".to_owned();
            unsent(row, tags, Outcome::Cancelled, reason)
        }
    }
}

/// Reports a row whose task died: what it sent, if anything, is not known.
pub(crate) async fn finish_lost(cx: &RunContext, row: &Row, position: u32) {
    let reason = "its task failed".to_owned();
    let class = cx.batch.class_of(position);
    let lost = RowFinished {
        error_kind: VariantEnding::Lost.error_kind(),
        ..unsent(row, tags_of(cx, row, class), Outcome::Unknown, reason)
    };
    cx.events.emit(RunEvent::RowFinished(Box::new(lost))).await;
}

fn tags_of(cx: &RunContext, row: &Row, class: ClassId) -> Tags {
    Tags::of(cx.batch.spec_for(class, row, &cx.settings.spec), row)
}

/// Makes every image of the row; images of one row wait for permits side by side.
async fn make_variants(
    cx: &Arc<RunContext>,
    row: &Arc<Row>,
    position: u32,
    tags: &Tags,
    references: Arc<[LoadedReference]>,
) -> Vec<VariantReport> {
    let class = cx.batch.class_of(position);
    let fate = cx.past.get(&position);
    let prompt: Arc<str> = row.prompt.as_str().into();
    let job = |variant: u8| VariantJob {
        row: Arc::clone(row),
        quote: cx.batch.quote(class),
        tags: tags.clone(),
        request: ImageRequest {
            scene_id: row.scene_id.clone(),
            variant,
            prompt: Arc::clone(&prompt),
            spec: Arc::<ImageSpec>::clone(&tags.spec),
            references: Arc::clone(&references),
            has_mask: row.options.mask.is_some(),
        },
        work: OnceLock::new(),
        past: fate.and_then(|fate| fate.images.get(usize::from(variant) - 1)).copied(),
    };
    let mut made = cx.batch.variants(position);
    if cx.batch.n_variants(position) == 1 {
        let only = made.next().expect("it is one");
        return vec![generate(cx, job(only)).await];
    }
    let mut tasks = JoinSet::new();
    for variant in made {
        let cx = Arc::clone(cx);
        let job = job(variant);
        // The task is boxed once: tokio moves what it spawns several times.
        tasks.spawn(Box::pin(async move { generate(&cx, job).await }));
    }
    let mut reports = Vec::with_capacity(usize::from(row.variants.get()));
    while let Some(joined) = tasks.join_next().await {
        match joined {
            Ok(report) => reports.push(report),
            Err(error) => {
                // The attempt's hold stays: a task that died leaves `unknown`.
                cx.stop.drain(StopReason::Broken(format!("a task failed: {error}")));
                reports.push(VariantReport::lost());
            }
        }
    }
    reports
}

/// The end of a row of which no attempt is told.
fn unsent(row: &Row, tags: Tags, outcome: Outcome, reason: String) -> RowFinished {
    RowFinished {
        row: row.number,
        scene_id: row.scene_id.clone(),
        outcome,
        error_kind: None,
        reason: Some(reason),
        latency: None,
        queue: None,
        fetch: None,
        work: RowWork { images_expected: u32::from(row.variants.get()), ..RowWork::default() },
        counts_as_error: false,
        tags,
    }
}

/// The reports of a row's images, put together.
struct Summary {
    outcome: Outcome,
    error_kind: Option<&'static str>,
    reason: Option<String>,
    sent_at: Option<Duration>,
    named_at: Option<Duration>,
    work: RowWork,
}

impl Summary {
    fn of(reports: &[VariantReport]) -> Self {
        let mut work = RowWork::default();
        for report in reports {
            work.attempts += report.attempts;
            work.timeouts += report.timeouts;
            work.throttles += report.throttles;
            work.cost = work.cost.saturating_add(report.cost);
            work.images_expected += 1;
            work.images_stored += u32::from(report.ending == VariantEnding::Stored);
            work.images_invalid += u32::from(report.ending == VariantEnding::NotAnImage);
        }
        // The first image that did not come explains the row, if it can tell why.
        let mut missing = reports.iter().filter(|report| report.ending != VariantEnding::Stored);
        let explained = missing.clone().find(|report| report.reason.is_some());
        let worst = explained.or_else(|| missing.next());
        Self {
            outcome: outcome(reports),
            error_kind: worst.and_then(|report| report.ending.error_kind()),
            reason: worst.and_then(|report| report.reason.clone()),
            sent_at: reports.iter().filter_map(|report| report.sent_at).min(),
            named_at: reports.iter().filter_map(|report| report.ended_at).max(),
            work: match reports {
                [only] => work.looked_at(&[only.check()]),
                _ => work.looked_at(&reports.iter().map(VariantReport::check).collect::<Vec<_>>()),
            },
        }
    }
}

/// What became of a row, from what became of its images.
fn outcome(reports: &[VariantReport]) -> Outcome {
    let count = |wanted: fn(VariantEnding) -> bool| {
        reports.iter().filter(|report| wanted(report.ending)).count()
    };
    let stored = count(|ending| ending == VariantEnding::Stored);
    let stopped = count(|ending| ending == VariantEnding::Cancelled);
    let over_budget = count(|ending| ending == VariantEnding::OverBudget);
    let refused = count(|ending| ending == VariantEnding::Refused);
    let unknown = count(VariantEnding::is_unknown);
    let failed = reports.len() - stored - stopped - over_budget - refused - unknown;
    if stored == reports.len() {
        Outcome::Ok
    } else if stored > 0 && stopped + over_budget < reports.len() - stored {
        Outcome::Partial
    } else if stopped > 0 && failed + refused + unknown == 0 {
        Outcome::Cancelled
    } else if over_budget > 0 && failed + refused + unknown == 0 {
        if stored > 0 { Outcome::Cancelled } else { Outcome::Rejected }
    } else if unknown > 0 {
        Outcome::Unknown
    } else if failed > 0 {
        Outcome::Failed
    } else {
        Outcome::Refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::failure::FailureClass;

    #[test]
    fn the_outcome_of_a_row_follows_from_its_images() {
        use VariantEnding::{Cancelled, Failed, NotAnImage, OverBudget, Refused, Stored};
        const UNKNOWN: VariantEnding = VariantEnding::Unknown(FailureClass::Reset);
        let check = |endings: &[VariantEnding], expect: Outcome| {
            let reports: Vec<VariantReport> = endings
                .iter()
                .map(|&ending| VariantReport { ending, ..VariantReport::lost() })
                .collect();
            assert_eq!(outcome(&reports), expect, "{endings:?}");
        };
        check(&[Stored, Stored], Outcome::Ok);
        check(&[Stored, Failed], Outcome::Partial);
        check(&[Stored, UNKNOWN, Refused], Outcome::Partial);
        check(&[Failed, Refused], Outcome::Failed);
        check(&[NotAnImage], Outcome::Failed);
        check(&[Refused, Refused], Outcome::Refused);
        check(&[UNKNOWN, Failed], Outcome::Unknown);
        check(&[VariantEnding::Lost], Outcome::Unknown);
        check(&[VariantEnding::NoImage], Outcome::Failed);
        check(&[Cancelled, Cancelled], Outcome::Cancelled);
        check(&[Stored, Cancelled], Outcome::Cancelled);
        check(&[OverBudget, OverBudget], Outcome::Rejected);
        check(&[Stored, OverBudget], Outcome::Cancelled);
        check(&[Failed, Cancelled], Outcome::Failed);
    }
}
