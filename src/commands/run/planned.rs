//! What the planning pass found.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::adapters::rows::{FileRowReader, RowSource};
use crate::commands::money_view::MoneyView;
use crate::commands::reference_parts::ReferencePlaces;
use crate::commands::run::going_on::GoingOn;
use crate::commands::run::parts::OWN_LEDGER;
use crate::commands::run::twins::Twins;
use crate::domain::batch::Batch;
use crate::domain::gate::GateBook;
use crate::domain::history::Standing;
use crate::domain::measure::{Frame, Measure};
use crate::domain::money::NanoUsd;
use crate::domain::reference_plan::{FreshnessCounts, UrlLives};
use crate::domain::settings::RunSettings;
use crate::ports::references::UrlRefresher;

/// What the planning pass found.
pub(super) struct Planned {
    /// The good rows, their order and their cost.
    pub(super) batch: Batch,
    /// Reads them again.
    pub(super) reader: FileRowReader,
    /// The input, until whoever writes some of its rows again takes it.
    pub(super) source: Option<RowSource>,
    /// Rows of the input that are not good.
    pub(super) n_bad: u64,
    /// Where references are read and kept.
    pub(super) reference_places: ReferencePlaces,
    /// When the addresses of references end.
    pub(super) lives: UrlLives,
    /// What is missing before references can be read from their stores.
    pub(super) missing_stores: Vec<&'static str>,
    /// How fresh they are.
    pub(super) freshness: FreshnessCounts,
    /// Who signs addresses anew.
    pub(super) refresher: Arc<dyn UrlRefresher>,
    /// The SHA-256 of the rows' bytes; empty where nothing is bound to it.
    pub(super) rows_sha256: String,
    /// What the ledger says.
    pub(super) money: MoneyView,
    /// The run that these rows go on with.
    pub(super) going_on: Option<GoingOn>,
    /// Rows that are not sent, since their images are copied.
    pub(super) twins: Twins,
}

impl Planned {
    /// Images that earlier processes of the run have stored.
    fn images_before(&self) -> u64 {
        let fates = self.going_on.iter().flat_map(|run| run.left.fates.values());
        let images = fates.flat_map(|fate| &fate.images);
        images.filter(|image| image.standing == Standing::Stored).count() as u64
    }

    /// How many possibly billed images may be bought again, beside those that are planned to be.
    pub(super) fn retries(&self, settings: &RunSettings) -> u64 {
        let fresh = || settings.paid_retries.allowance(self.batch.chosen().images);
        self.going_on.as_ref().map_or_else(fresh, |run| run.left.allowance)
    }

    /// What earlier processes of the run have spent, or hold.
    pub(super) fn spent_before(&self) -> NanoUsd {
        spent(self.going_on.as_ref())
    }

    /// The ledger that a run in this folder books into.
    pub(super) fn ledger_of(&self, folder: &Path) -> PathBuf {
        self.money.root.clone().unwrap_or_else(|| folder.join(OWN_LEDGER))
    }

    /// Counters and gates before the first event.
    pub(super) fn measure(&self, settings: &RunSettings) -> Measure {
        let batch = &self.batch;
        let book = GateBook::new(settings.gates.clone(), batch.n_rows(), batch.whole().images);
        let frame = Frame {
            rows: batch.n_rows(),
            rows_selected: batch.n_selected() + batch.n_settled(),
            images_selected: batch.chosen().images + self.images_before() + self.twins.n_images(),
            images_copied: self.twins.n_images(),
            expected: batch.chosen().expected,
            maximum: batch.chosen().maximum,
            exposure_before: self.money.exposure(),
            limit_per_day: self.money.limit_per_day,
        };
        Measure::new(book, frame)
    }
}

/// What earlier processes of a run have spent, or hold.
pub(super) fn spent(run: Option<&GoingOn>) -> NanoUsd {
    let money = run.map(|run| run.history.money()).unwrap_or_default();
    money.settled.saturating_add(money.unknown)
}
