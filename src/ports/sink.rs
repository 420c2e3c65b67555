//! Views of a run: they are told every event and can fail without the run noticing.

use crate::domain::event::Stamped;

/// A view.
pub trait EventSink: Send {
    /// Shows events; what goes wrong here stays here.
    fn show(&mut self, events: &[Stamped]);
}
