//! Which run goes on.

use std::path::Path;
use std::sync::Arc;

use crate::adapters::output::replay::{ReplayError, replay};
use crate::adapters::output::row_names::read_row_names;
use crate::adapters::output::run_folder::RunFolder;
use crate::adapters::output::runs::{Kinship, PlanHead, newest_kin, original_of};
use crate::commands::failure::Failure;
use crate::commands::money_view::MoneyView;
use crate::commands::run::folder;
use crate::commands::run::going_on::ledger::{LedgerAsk, attempts_of};
use crate::commands::run::going_on::{GoingOn, Left};
use crate::commands::run::parts::OWN_LEDGER;
use crate::commands::run::plan_document::{identity, request_identity};
use crate::commands::run::planning::PlanningAsk;
use crate::commands::which_run::the_run;
use crate::commands::world::World;
use crate::domain::history::History;
use crate::domain::settings::{Mode, RowsInput, RunSettings};
use crate::exit::Exit;

/// The run that the rows of a live run go on with; it is locked then.
pub(in crate::commands::run) fn find_going_on(
    world: &World,
    ask: &PlanningAsk<'_>,
    rows_sha256: &str,
    money: &MoneyView,
) -> Result<Option<GoingOn>, Failure> {
    let settings = ask.settings;
    if settings.mode == Mode::DryRun {
        return Ok(None);
    }
    let kin = Kinship {
        identity: identity(settings, rows_sha256),
        request: request_identity(settings),
        rows_path: match &settings.rows {
            RowsInput::File(path) => Some(path.clone()),
            RowsInput::Stdin => None,
        },
        cwd: world.invocation.cwd.clone(),
    };
    GoingOn::find(world, settings, &kin, money.root.as_deref())
}

impl GoingOn {
    /// The run that these rows go on with, if there is one; it is locked then.
    pub(super) fn find(
        world: &World,
        settings: &RunSettings,
        kin: &Kinship,
        ledger: Option<&Path>,
    ) -> Result<Option<Self>, Failure> {
        let out = world.path(&settings.out);
        if settings.fresh {
            folder::refuse_same_run(world, settings, &kin.identity)?;
            return Ok(None);
        }
        let failed = |error| Failure::new(Exit::Environment, error);
        let path = match &settings.resume {
            Some(text) => Some(the_run(&out, text)?),
            None => newest_kin(&out, kin).map_err(folder::refused)?,
        };
        let Some(path) = path else { return Ok(None) };
        let heads = PlanHead::all_of(&path);
        let same_identity = heads.iter().any(|head| head.identity == kin.identity.to_string());
        // Plans of old do not say what they ask for.
        let same_request =
            heads.iter().any(|it| it.request == kin.request.to_string()) || same_identity;
        if settings.resume.is_some() && !same_request {
            let text = "that run asked for something else: provider, model, size, quality or seed \
                        differ, or it ran with simulated money";
            return Err(Failure::new(Exit::Invalid, text)
                .with_hint("--resume RUN without rows takes everything from its plan"));
        }
        let folder = RunFolder::open(&path).map_err(folder::refused)?;
        let mut history = History::default();
        let whole = replay(&path, &mut |stamped| history.fold(stamped)).map_err(damaged)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let run_id = match (history.run, name.parse()) {
            (Some(run), _) => run,
            (None, Ok(named)) => named,
            (None, Err(_)) => return Err(nameless(&path)),
        };
        if let Some(original) = original_of(&path) {
            return Err(copied(&path, &original));
        }
        let is_certain = settings.resume.is_some() || same_identity;
        let told = heads.iter().find_map(|head| head.ledger.as_deref());
        let is_named = settings.resume.is_some();
        let ask = LedgerAsk { ledger, run: &path, told, is_named };
        let (attempts, doubt) = match attempts_of(&ask, run_id, &history) {
            Ok(attempts) => (attempts, None),
            // It may turn out to be another batch in a file of the same name.
            Err(doubt) if !is_certain => (None, Some(doubt)),
            Err(doubt) => return Err(doubt),
        };
        let ledger = ledger.map_or_else(|| path.join(OWN_LEDGER), Path::to_owned);
        Ok(Some(Self {
            folder: Arc::new(folder),
            run_id,
            ledger,
            whole,
            history,
            missing: Vec::new(),
            lost_ends: Vec::new(),
            found: Vec::new(),
            gone: Vec::new(),
            left: Left::default(),
            attempts,
            doubt,
            is_caught_up: false,
            before: read_row_names(&path).map_err(failed)?,
            is_certain,
        }))
    }
}

fn copied(folder: &Path, original: &Path) -> Failure {
    let text = format!("{} is a copy of {}", folder.display(), original.display());
    Failure::new(Exit::Invalid, text)
        .with_hint("go on with the run itself; a copy beside it would buy everything twice")
}

fn nameless(folder: &Path) -> Failure {
    let text = format!("{} was renamed and has no journal: nobody knows its id", folder.display());
    Failure::new(Exit::Invalid, text).with_hint(
        "give the folder its name back, or --fresh for a new run that pays for everything",
    )
}

fn damaged(error: ReplayError) -> Failure {
    match &error {
        ReplayError::Io { .. } => Failure::new(Exit::Environment, error),
        ReplayError::Damaged { .. } => Failure::new(Exit::Bug, error).with_hint(
            "nothing was sent. Move the journal away, and the same command finds everything again \
             from the ledger and the images; --fresh would pay for all of it anew",
        ),
    }
}
