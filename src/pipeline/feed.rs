//! The feed loop: reads the next row when a slot is free, and joins what has ended.

use std::sync::Arc;

use tokio::task::{JoinError, JoinSet};

use crate::domain::event::RunEvent;
use crate::pipeline::context::RunContext;
use crate::pipeline::row::process;
use crate::pipeline::stop::StopReason;
use crate::ports::rows::RowReader;

/// Runs every selected row and returns when each is finished, held or cancelled.
///
/// As many rows are open as requests may be in flight. Rows are read here, one by one, so
/// memory does not grow with their number.
pub async fn run(cx: &Arc<RunContext>, rows: &mut dyn RowReader) {
    let mut tasks = JoinSet::new();
    let n_open = cx.settings.concurrency as usize;
    let mut n_started = 0_u64;
    for position in cx.batch.selected() {
        while tasks.len() >= n_open {
            if let Some(joined) = tasks.join_next().await {
                note(cx, &joined);
            }
        }
        if cx.stop.is_draining() {
            break;
        }
        match rows.read(position) {
            Ok(row) => {
                n_started += 1;
                let class = cx.batch.class_of(position);
                tasks.spawn(process(Arc::clone(cx), row, class));
            }
            Err(error) => {
                cx.stop.drain(StopReason::Environment(format!("rows cannot be read: {error}")));
                break;
            }
        }
    }
    while let Some(joined) = tasks.join_next().await {
        note(cx, &joined);
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
fn note(cx: &RunContext, joined: &Result<(), JoinError>) {
    if let Err(error) = joined {
        cx.stop.drain(StopReason::Broken(format!("a task failed: {error}")));
    }
}
