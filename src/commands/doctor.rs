//! `imagemill doctor`: looks at everything that a live run needs; it only reads.

mod machine;
mod money;
mod provider;
mod server;
mod settings;

use crate::adapters::system;
use crate::cli::args::TableOrJson;
use crate::cli::args::doctor::DoctorArgs;
use crate::cli::config_file::ConfigFile;
use crate::cli::layers::{self, Layers, SETTINGS};
use crate::commands::failure::Failure;
use crate::commands::world::World;
use crate::domain::checkup::{Check, Health};
use crate::exit::Exit;
use crate::report::checkup::{checkup_json, checkup_text};

/// Looks at everything, whatever it finds first.
///
/// # Errors
/// Never: what is wrong is a finding.
pub fn run(world: &World, args: &DoctorArgs) -> Result<Exit, Failure> {
    let mut checks = Vec::new();
    let layers = match world.quiet_layers() {
        Ok((mut layers, config)) => {
            for (setting, flag) in [
                (layers::PROVIDER, &args.provider),
                (layers::BASE_URL, &args.base_url),
                (layers::API_KEY_ENV, &args.api_key_env),
            ] {
                layers.put_flag(setting, flag.as_ref());
            }
            let problems = settings::problems(world, &layers, &config);
            match problems.is_empty() {
                true => checks.push(config_check(world, &layers, &config)),
                false => checks.extend(problems),
            }
            layers
        }
        Err(failure) => {
            let fix = failure.hint.clone().unwrap_or_else(|| "correct the file".to_owned());
            checks.push(Check::fail("config", failure.to_string(), fix));
            Layers::default()
        }
    };
    let now = system::now();
    checks.extend(provider::checks(world, &layers, args.online, now));
    checks.push(money::prices(world, &layers, now));
    checks.extend(money::ledger_and_clock(world, &layers, now));
    checks.extend(machine::disks(world, &layers));
    checks.push(machine::terminal(world));
    let exit = exit_of(&checks);
    world.printer.result(&match args.format {
        TableOrJson::Json => checkup_json(&checks, exit.code()),
        TableOrJson::Table => checkup_text(&checks),
    });
    Ok(exit)
}

/// The worst of all findings decides.
fn exit_of(checks: &[Check]) -> Exit {
    checks.iter().filter(|check| check.health == Health::Fail).fold(Exit::Ok, |worst, check| {
        worst.or_worse(match check.name {
            "config" | "key" | "prices" => Exit::Invalid,
            "ledger" => Exit::Bug,
            _ => Exit::Environment,
        })
    })
}

fn config_check(world: &World, layers: &Layers, config: &ConfigFile) -> Check {
    let files = world.config_files().unwrap_or_default();
    let names: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
    let named = if names.is_empty() { "no config file".to_owned() } else { names.join(", ") };
    let hidden: Vec<String> = SETTINGS
        .iter()
        .filter(|setting| layers.all(**setting).len() > 1)
        .filter_map(|setting| layers.get(*setting).map(|given| (setting, given)))
        .map(|(setting, given)| format!("{} from {}", setting.key, given.origin))
        .collect();
    let unknown = layers::unknown_variables(&world.invocation);
    let worst = unknown.iter().find(|it| it.is_limit()).or(unknown.first());
    if let Some(variable) = worst {
        let tell = if variable.is_limit() { Check::fail } else { Check::warn };
        let text = format!("{named}; unknown variable {variable}");
        return tell("config", text, "unset it, or correct its name");
    }
    if let Some(left_out) = config.distrusted.first() {
        return Check::warn(
            "config",
            format!("{named}; {left_out} is left out, since the file may be a stranger's"),
            "look at the file, then imagemill config trust",
        );
    }
    let shadows = match hidden.len() {
        0 => String::new(),
        n => format!("; {n} overridden: {}", hidden.join(", ")),
    };
    Check::ok("config", format!("{named}{shadows}"))
}
