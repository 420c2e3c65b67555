//! The feed loop: reads the next row when a slot is free, and joins what has ended.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::{JoinError, JoinSet};

use crate::domain::event::RunEvent;
use crate::domain::row::Row;
use crate::pipeline::context::RunContext;
use crate::pipeline::outlook::Outlook;
use crate::pipeline::row::{finish_lost, process};
use crate::pipeline::stop::{StopReason, with_sources};
use crate::ports::rows::RowReader;

/// The rows whose tasks have not ended, by their number, each with its position.
type OpenRows = BTreeMap<u64, (Arc<Row>, u32)>;

/// Runs every selected row and returns when each is finished, held or cancelled.
///
/// As many rows are open as requests may be in flight. Rows are read here, one by one, so
/// memory does not grow with their number.
pub async fn run(cx: &Arc<RunContext>, rows: &mut dyn RowReader, mut outlook: Outlook) {
    let mut tasks = JoinSet::new();
    let mut open = BTreeMap::new();
    let n_open = cx.settings.concurrency as usize;
    let mut n_started = 0_u64;
    for position in cx.batch.selected() {
        while tasks.len() >= n_open {
            if let Some(joined) = tasks.join_next().await {
                note(cx, joined, &mut open);
            }
        }
        if cx.stop.is_draining() {
            break;
        }
        match rows.read(position) {
            Ok(row) => {
                outlook.look(cx, n_started).await;
                n_started += 1;
                let row = Arc::new(row);
                open.insert(row.number, (Arc::clone(&row), position));
                // The task is boxed once: tokio moves what it spawns several times.
                tasks.spawn(Box::pin(process(Arc::clone(cx), row, position)));
            }
            Err(error) => {
                let text = with_sources(&error);
                cx.stop.drain(StopReason::Environment(format!("rows cannot be read: {text}")));
                break;
            }
        }
    }
    while let Some(joined) = tasks.join_next().await {
        note(cx, joined, &mut open);
    }
    // What is left belongs to tasks that died: whether they sent anything is not known.
    for (row, position) in open.values() {
        finish_lost(cx, row, *position).await;
    }
    let n_cancelled = cx.batch.n_selected() - n_started;
    if n_cancelled > 0 {
        cx.events.emit(RunEvent::RowsCancelled { count: n_cancelled }).await;
    }
    if cx.batch.n_held() > 0 {
        cx.events.emit(RunEvent::RowsHeld { count: cx.batch.n_held() }).await;
    }
}

/// A task that died is a defect: nothing more is sent, and its hold stays.
fn note(cx: &RunContext, joined: Result<u64, JoinError>, open: &mut OpenRows) {
    match joined {
        Ok(number) => drop(open.remove(&number)),
        Err(error) => cx.stop.drain(StopReason::Broken(format!("a task failed: {error}"))),
    }
}
