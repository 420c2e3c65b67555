//! What a run has told, for its tables and reports: gathered while it is at work, or read back from
//! its journal where it went on.

use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::adapters::output::replay::replay;
use crate::commands::failure::Failure;
use crate::domain::event::Stamped;
use crate::domain::history::History;
use crate::domain::picture::PictureBuilder;
use crate::exit::Exit;
use crate::ports::sink::EventSink;

/// What a run has told.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// What it has done.
    pub(super) history: History,
    /// What reports show of it.
    pub(super) picture: PictureBuilder,
}

impl Told {
    fn fold(&mut self, stamped: &Stamped) {
        self.history.fold(stamped);
        self.picture.fold(stamped);
    }

    /// Read back from the journal of a run.
    pub(super) fn of_journal(folder: &Path) -> Result<Self, Failure> {
        let mut told = Self::default();
        replay(folder, &mut |stamped| told.fold(stamped))
            .map_err(|error| Failure::new(Exit::Environment, error))?;
        Ok(told)
    }
}

/// Gathers what is told.
#[derive(Clone, Debug, Default)]
pub(super) struct Listener(Arc<Mutex<Told>>);

impl EventSink for Listener {
    fn show(&mut self, events: &[Stamped]) {
        let mut told = self.0.lock().expect("no holder panics");
        events.iter().for_each(|stamped| told.fold(stamped));
    }
}

impl Listener {
    /// What was told so far; it starts anew.
    pub(super) fn take(&self) -> Told {
        std::mem::take(&mut *self.0.lock().expect("no holder panics"))
    }
}
