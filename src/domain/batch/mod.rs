//! What the planning pass keeps of a batch: a class per row, an order, totals. A few bytes a row.

mod class;
mod planner;
mod selection;

pub use class::{ClassId, RowClass};
pub use planner::{BatchError, Objection, Planner};
pub use selection::{Batch, Room, Sent, Totals};
