//! `imagemill canary set` and `imagemill canary status`.

use crate::adapters::canary_file::StandingShare;
use crate::adapters::system;
use crate::cli::args::TableOrJson;
use crate::cli::args::canary::{CanaryCommand, CanarySetArgs, CanaryStatusArgs};
use crate::commands::failure::Failure;
use crate::commands::world::World;
use crate::domain::percent::Percent;
use crate::domain::sanitize;
use crate::exit::Exit;

/// Does what was asked.
///
/// # Errors
/// When the share is none, or its file cannot be read or written.
pub fn run(world: &World, command: &CanaryCommand) -> Result<Exit, Failure> {
    match command {
        CanaryCommand::Set(args) => set(world, args),
        CanaryCommand::Status(args) => status(world, args),
    }
}

fn set(world: &World, args: &CanarySetArgs) -> Result<Exit, Failure> {
    let percent: Percent =
        args.percent.parse().map_err(|error| Failure::new(Exit::Usage, error))?;
    let share = StandingShare::new(percent, args.name.clone(), format!("{:.0}", system::now()));
    share.write(&world.invocation.cwd).map_err(|error| Failure::new(Exit::Environment, error))?;
    let text = if percent.is_whole() {
        "Canary 100 %: the next runs send every row\n".to_owned()
    } else {
        format!(
            "Canary {percent} %, named {}: of 100 rows the next runs send {} and hold {}\n\
             Next: imagemill run rows.csv    back: imagemill canary set 100\n",
            sanitize::one_line(&args.name),
            percent.prefix(100),
            100 - percent.prefix(100)
        )
    };
    world.printer.result(&text);
    Ok(Exit::Ok)
}

fn status(world: &World, args: &CanaryStatusArgs) -> Result<Exit, Failure> {
    let share = StandingShare::read(&world.invocation.cwd)
        .map_err(|error| Failure::new(Exit::Invalid, error))?;
    let share = share.filter(|share| !share.percent.is_whole());
    let text = match (args.format, &share) {
        (TableOrJson::Json, Some(share)) => {
            format!("{}\n", serde_json::to_string(share).expect("plain values serialize"))
        }
        (TableOrJson::Json, None) => {
            "{\"schema\":\"imagemill.canary-share/1\",\"percent\":null}\n".to_owned()
        }
        (TableOrJson::Table, Some(share)) => format!(
            "Canary {} %, named {}, set {}\n",
            share.percent,
            sanitize::one_line(&share.name),
            share.set_at
        ),
        (TableOrJson::Table, None) => {
            "No canary is set: runs send every row. Set one: imagemill canary set 5\n".to_owned()
        }
    };
    world.printer.result(&text);
    Ok(Exit::Ok)
}
