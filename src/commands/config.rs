//! `imagemill config`: show and trust.

use std::path::Path;

use crate::cli::args::TableOrJson;
use crate::cli::args::config::{ConfigCommand, ConfigShowArgs, ConfigTrustArgs};
use crate::cli::config_file::{self, Whose};
use crate::cli::layers::{API_KEY_COMMAND, Given, Layers, SETTINGS, Setting};
use crate::commands::configuration::FoundFile;
use crate::commands::failure::Failure;
use crate::commands::world::{World, read_text};
use crate::exit::Exit;
use crate::report::config::{ConfigView, FileView, SettingView, ValueView, config_table};

/// Does what was asked.
///
/// # Errors
/// When a config file is invalid, or the list of trusted files cannot be used.
pub fn run(world: &World, command: &ConfigCommand) -> Result<Exit, Failure> {
    match command {
        ConfigCommand::Show(args) => show(world, args),
        ConfigCommand::Trust(args) => trust(world, args),
    }
}

fn show(world: &World, args: &ConfigShowArgs) -> Result<Exit, Failure> {
    let (layers, config) = world.layers()?;
    let files = world.config_files()?.iter().map(file_view).collect();
    let settings = SETTINGS.iter().map(|setting| setting_view(&layers, *setting)).collect();
    let view = ConfigView { files, settings, left_out: config.distrusted, gates: config.gates };
    match args.format {
        TableOrJson::Json => {
            let text = serde_json::to_string(&view.document()).expect("plain values serialize");
            world.printer.result(&format!("{text}\n"));
        }
        TableOrJson::Table => {
            world.printer.result(&config_table(&view, args.origin, world.printer.width()));
        }
    }
    Ok(Exit::Ok)
}

fn file_view(file: &FoundFile) -> FileView {
    let whose = match file.whose {
        Whose::User => "the user's own",
        Whose::TrustedProject => "the project's, trusted",
        Whose::Project => "the project's, not trusted",
    };
    FileView { path: file.path.display().to_string(), whose }
}

fn setting_view(layers: &Layers, setting: Setting) -> SettingView {
    let mut given: Vec<ValueView> =
        layers.all(setting).iter().map(|given| value_view(setting, given)).collect();
    let value = given.pop();
    given.reverse();
    SettingView { key: setting.key, value, hidden: given, default: setting.default }
}

/// A command's further words may be as secret as the key that it prints.
fn value_view(setting: Setting, given: &Given) -> ValueView {
    let text = if setting.key == API_KEY_COMMAND.key {
        let first = given.text.trim_start_matches(['[', '"']).split(['"', ' ']).next();
        format!("{} …", first.unwrap_or_default())
    } else {
        given.text.clone()
    };
    ValueView { text, origin: given.origin.to_string() }
}

fn trust(world: &World, args: &ConfigTrustArgs) -> Result<Exit, Failure> {
    let Some(path) = world.project_file() else {
        let text = "there is no imagemill.toml in this folder or above it";
        return Err(Failure::new(Exit::Usage, text).with_hint("imagemill init writes one"));
    };
    let Some(mut trust) = world.trust()? else {
        return Err(Failure::new(Exit::Environment, "there is no state folder for the list"));
    };
    let failed = |error| Failure::new(Exit::Environment, error);
    let shown = path.display();
    if args.revoke {
        let was = trust.remove(&path).map_err(failed)?;
        let word = if was { "is trusted no more" } else { "was not trusted" };
        world.printer.result(&format!("{shown} {word}\n"));
        return Ok(Exit::Ok);
    }
    let text = read_text(&path)?;
    check(&path, &text)?;
    trust.add(&path, text.as_bytes()).map_err(failed)?;
    world.printer.result(&format!(
        "{shown} is trusted as it is now: keys, commands and limits in it count until it changes\n"
    ));
    Ok(Exit::Ok)
}

/// A file that cannot be read as settings is not worth trusting.
fn check(path: &Path, text: &str) -> Result<(), Failure> {
    let name = path.display().to_string();
    let mut layers = Layers::default();
    config_file::apply(text, &name, Whose::TrustedProject, i64::MAX, &mut layers)
        .map(drop)
        .map_err(|error| Failure::new(Exit::Invalid, error))
}
