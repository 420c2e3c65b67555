//! The bad rows of the planning pass: counted, drawn, and written where that is asked.

use std::io;
use std::path::{Path, PathBuf};

use crate::adapters::output::files::private_folder;
use crate::adapters::rows::{BadRow, RecordShape, RejectedWriter};
use crate::commands::failure::{Failure, FileError};
use crate::commands::run::rejected_file::{settled_rejected_file, with_format};
use crate::commands::world::World;
use crate::domain::diagnostic::BadRowTally;
use crate::domain::settings::{OnBadRow, RunSettings};
use crate::exit::Exit;
use crate::report::diagnostic::{TallyWays, render_tally};

/// Gathers bad rows: counts them, keeps a picture of the first, writes them where asked.
pub(super) struct BadRows<'a> {
    world: &'a World,
    on_bad_row: OnBadRow,
    plan_only: bool,
    tally: BadRowTally,
    /// Where they are written, as the user would say it.
    path: Option<PathBuf>,
    writer: Option<RejectedWriter>,
    problem: Option<io::Error>,
    shape: RecordShape,
}

impl<'a> BadRows<'a> {
    pub(super) fn new(world: &'a World, settings: &RunSettings, shape: RecordShape) -> Self {
        Self {
            world,
            on_bad_row: settings.on_bad_row,
            plan_only: settings.plan_only,
            tally: BadRowTally::default(),
            path: settings.rejected.as_ref().map(|path| with_format(path, shape.format())),
            writer: None,
            problem: None,
            shape,
        }
    }

    pub(super) fn take(&mut self, row: &BadRow) {
        self.tally.add(&row.first);
        let Some(path) = &self.path else { return };
        if self.problem.is_some() {
            return;
        }
        let written = match &mut self.writer {
            Some(writer) => writer.write(row),
            None => self.begin(&self.world.path(path)).and_then(|mut writer| {
                writer.write(row)?;
                self.writer = Some(writer);
                Ok(())
            }),
        };
        self.problem = written.err();
    }

    /// The folder of all runs may not be there yet; it is made as a run makes it.
    fn begin(&self, path: &Path) -> io::Result<RejectedWriter> {
        if let Some(folder) = path.parent() {
            private_folder(folder)?;
        }
        RejectedWriter::create(path, &self.shape)
    }

    pub(super) fn finish(self, n_good: u64) -> Result<(), Failure> {
        let written = match (self.problem, self.writer) {
            (Some(problem), _) => Err(problem),
            (None, Some(writer)) => writer.finish().map(drop),
            (None, None) => Ok(()),
        };
        if let (Err(source), Some(path)) = (written, &self.path) {
            let path = path.display().to_string();
            return Err(Failure::new(
                Exit::Environment,
                FileError { action: "write", path, source },
            ));
        }
        if self.tally.n_rows == 0 {
            return Ok(());
        }
        let stops = self.on_bad_row == OnBadRow::Stop;
        // Without a run there is no folder into which the file would move.
        let is_over = stops || self.plan_only || n_good == 0;
        let listed = self.path.as_ref().map(|path| {
            let path = if is_over { path.clone() } else { settled_rejected_file(path) };
            path.display().to_string()
        });
        let color = self.world.printer.color_stderr();
        let ways = TallyWays { n_good: if stops { n_good } else { 0 }, listed: listed.as_deref() };
        let picture = render_tally(&self.tally, &ways, color);
        let text =
            format!("{} of {} rows cannot be used", self.tally.n_rows, self.tally.n_rows + n_good);
        match self.on_bad_row {
            OnBadRow::Skip => {
                self.world.printer.say(picture.trim_end());
                let rest = if n_good == 0 { "" } else { "; the run goes on without them" };
                self.world.printer.warn(&format!("{text}{rest}"));
                Ok(())
            }
            OnBadRow::Stop => Err(Failure::new(Exit::Invalid, text)
                .with_picture(picture)
                .with_rows(n_good, self.tally.n_rows)),
        }
    }
}
