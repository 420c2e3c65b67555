//! Listens for the ends of rows that others are copied from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use super::{LeaderEnd, LeaderImage, Source, Twins};
use crate::domain::event::{RunEvent, Stamped};
use crate::ports::sink::EventSink;

/// How the rows that others are copied from have ended, by their numbers.
#[derive(Clone, Debug, Default)]
pub(in crate::commands::run) struct Leaders {
    wanted: Arc<BTreeSet<u64>>,
    ends: Arc<Mutex<BTreeMap<u64, LeaderEnd>>>,
}

impl Twins {
    /// Who listens for the rows that these are copied from.
    pub(in crate::commands::run) fn leaders(&self) -> Leaders {
        let wanted = self.all.iter().filter_map(|twin| match &twin.source {
            Source::Row { number, .. } => Some(*number),
            Source::Kept(_) => None,
        });
        Leaders {
            wanted: Arc::new(wanted.collect()),
            ends: Arc::new(Mutex::new(self.known.clone())),
        }
    }

    /// The views of a run, with whoever listens for those rows.
    pub(in crate::commands::run) fn beside(
        &self,
        mut views: Vec<Box<dyn EventSink>>,
        leaders: &Leaders,
    ) -> Vec<Box<dyn EventSink>> {
        if !self.is_empty() {
            views.push(Box::new(leaders.clone()));
        }
        views
    }
}

impl Leaders {
    /// How they have ended so far.
    pub(super) fn take(&self) -> BTreeMap<u64, LeaderEnd> {
        std::mem::take(&mut *self.ends.lock().expect("no holder panics"))
    }
}

impl EventSink for Leaders {
    fn show(&mut self, events: &[Stamped]) {
        let mut ends = self.ends.lock().expect("no holder panics");
        for stamped in events {
            if let RunEvent::ImageStored(stored) = &stamped.event
                && self.wanted.contains(&stored.row)
            {
                let image = LeaderImage {
                    file: stored.file.clone(),
                    sha256: stored.sha256,
                    ask: stored.ask,
                    look: stored.look,
                };
                let end: &mut LeaderEnd = ends.entry(stored.row).or_default();
                end.images.insert(stored.variant, image);
            }
            if let RunEvent::RowFinished(row) = &stamped.event
                && self.wanted.contains(&row.row)
            {
                let end: &mut LeaderEnd = ends.entry(row.row).or_default();
                end.outcome = Some(row.outcome);
            }
        }
    }
}
