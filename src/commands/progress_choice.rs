//! How progress is shown: as asked, else a bar on a capable terminal and plain lines elsewhere.

use crate::cli::env_vars;
use crate::commands::failure::Failure;
use crate::commands::world::World;
use crate::exit::Exit;
use crate::report::progress::ProgressKind;

/// Chooses from flag, environment and terminal.
///
/// # Errors
/// When the word is not known.
pub(super) fn choose(world: &World, flag: Option<&str>) -> Result<ProgressKind, Failure> {
    let world = &world.invocation;
    match flag.or_else(|| world.env(env_vars::PROGRESS.name)).unwrap_or("auto") {
        "bar" => Ok(ProgressKind::Bar),
        "lines" | "plain" => Ok(ProgressKind::Lines),
        "json" => Ok(ProgressKind::Json),
        "none" => Ok(ProgressKind::Silent),
        "auto" => {
            let capable = world.stderr_is_terminal
                && world.env(env_vars::CI.name).is_none()
                && world.env(env_vars::TERM.name) != Some("dumb");
            Ok(if capable { ProgressKind::Bar } else { ProgressKind::Lines })
        }
        other => {
            let text = format!("progress is {other:?}; it takes auto, bar, lines, json or none");
            Err(Failure::new(Exit::Usage, text))
        }
    }
}
