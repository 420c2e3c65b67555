//! `imagemill config`: show and trust.

use std::path::Path;

use crate::cli::args::TableOrJson;
use crate::cli::args::config::{ConfigCommand, ConfigShowArgs, ConfigTrustArgs};
use crate::cli::config_file::{self, Whose};
use crate::cli::layers::{
    BASE_URL, Given, LIMIT_PER_DAY, Layers, PRICES, SETTINGS, Setting, TRUSTED_ONLY,
};
use crate::cli::shown::{shown, shown_to_judge};
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

fn value_view(setting: Setting, given: &Given) -> ValueView {
    let text = shown(setting, &given.text).into_owned();
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
    let place = path.display();
    if args.revoke {
        let was = trust.remove(&path).map_err(failed)?;
        let word = if was { "is trusted no more" } else { "was not trusted" };
        world.printer.result(&format!("{place} {word}\n"));
        return Ok(Exit::Ok);
    }
    let text = read_text(&path)?;
    let decides = what_it_decides(&path, &text)?;
    trust.add(&path, text.as_bytes()).map_err(failed)?;
    let mut said = format!("{place} is trusted as it is now, until it changes");
    said.push_str(if decides.is_empty() { "\n" } else { "; it decides\n" });
    for line in decides {
        said.push_str(&format!("  {line}\n"));
    }
    world.printer.result(&said);
    Ok(Exit::Ok)
}

/// What the file decides that a stranger must not; one that cannot be read is not worth trusting.
fn what_it_decides(path: &Path, text: &str) -> Result<Vec<String>, Failure> {
    let name = path.display().to_string();
    let mut layers = Layers::default();
    config_file::apply(text, &name, Whose::TrustedProject, i64::MAX, &mut layers)
        .map_err(|error| Failure::new(Exit::Invalid, error))?;
    let told = TRUSTED_ONLY.iter().chain(&[BASE_URL, PRICES, LIMIT_PER_DAY]);
    let given = told.filter_map(|setting| Some((*setting, layers.get(*setting)?)));
    Ok(given
        .map(|(setting, it)| format!("{} = {}", setting.key, shown_to_judge(setting, &it.text)))
        .collect())
}
