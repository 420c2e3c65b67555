//! The config files that count, laid over each other, and which of them are trusted.

use std::path::PathBuf;

use crate::adapters::trust_file::Trust;
use crate::cli::config_file::{self, ConfigFile, Whose};
use crate::cli::layers::{self, Layers};
use crate::commands::failure::Failure;
use crate::commands::world::{DEFAULT_LIMIT, World, read_text};
use crate::exit::Exit;

/// A config file that counts.
#[derive(Clone, Debug)]
pub(super) struct FoundFile {
    /// Where it is.
    pub(super) path: PathBuf,
    /// How it is called in messages.
    pub(super) name: String,
    /// Whose it is.
    pub(super) whose: Whose,
    /// What it says.
    pub(super) text: String,
}

impl World {
    /// The config files that count, the weaker one first.
    ///
    /// # Errors
    /// When one cannot be read.
    pub(super) fn config_files(&self) -> Result<Vec<FoundFile>, Failure> {
        if let Some(name) = &self.config {
            // Named by the user's own hand, so it is trusted like the user's own file.
            let path = PathBuf::from(name);
            let text = read_text(&path)?;
            return Ok(vec![FoundFile { path, name: name.clone(), whose: Whose::User, text }]);
        }
        let mut found = Vec::new();
        let user = self.invocation.config_home.as_ref();
        if let Some(path) = user.map(|home| home.join(config_file::USER_FILE))
            && path.is_file()
        {
            let (name, text) = (path.to_string_lossy().into_owned(), read_text(&path)?);
            found.push(FoundFile { path, name, whose: Whose::User, text });
        }
        if let Some(path) = self.project_file() {
            let text = read_text(&path)?;
            let shown = path.strip_prefix(&self.invocation.cwd).unwrap_or(&path);
            let name = shown.to_string_lossy().into_owned();
            let trust = self.trust()?;
            let is_trusted = trust.is_some_and(|trust| trust.covers(&path, text.as_bytes()));
            let whose = if is_trusted { Whose::TrustedProject } else { Whose::Project };
            found.push(FoundFile { path, name, whose, text });
        }
        Ok(found)
    }

    /// The project's file, when there is one.
    pub(super) fn project_file(&self) -> Option<PathBuf> {
        config_file::project_places(&self.invocation.cwd).find(|it| it.is_file())
    }

    /// The project's files that the user trusts. Without a state folder of the user's own there is
    /// no place for such a list that a stranger could not have filled.
    ///
    /// # Errors
    /// When the list cannot be read.
    pub(super) fn trust(&self) -> Result<Option<Trust>, Failure> {
        let folder = self.invocation.state_home.as_deref();
        let trust = folder.map(Trust::read).transpose();
        trust.map_err(|error| Failure::new(Exit::Invalid, error))
    }

    /// Environment over project file over user file, and what the nearest file says of gates.
    ///
    /// # Errors
    /// When a file is invalid, one named on the command line is missing, or a variable that means
    /// to limit what is spent has a wrong name.
    pub fn layers(&self) -> Result<(Layers, ConfigFile), Failure> {
        let (layers, config) = self.quiet_layers()?;
        for setting in &config.distrusted {
            self.printer.warn(&format!(
                "{setting} is left out: a project's file may come from a stranger; imagemill \
                 config trust takes it as it is"
            ));
        }
        for variable in layers::unknown_variables(&self.invocation) {
            let text = format!("unknown environment variable {variable}");
            if variable.is_limit() {
                let hint = "the limit it means would not hold: unset it, or set \
                            IMAGEMILL_LIMIT_PER_DAY or IMAGEMILL_LIMIT_PER_RUN";
                return Err(Failure::new(Exit::Invalid, text).with_hint(hint));
            }
            self.printer.warn(&text);
        }
        Ok((layers, config))
    }

    /// The same without a word about what is left out.
    ///
    /// # Errors
    /// As [`World::layers`].
    pub(super) fn quiet_layers(&self) -> Result<(Layers, ConfigFile), Failure> {
        let mut layers = Layers::default();
        let mut config = ConfigFile::default();
        for FoundFile { name, whose, text, .. } in self.config_files()? {
            let limit = DEFAULT_LIMIT.nanos();
            let read = config_file::apply(&text, &name, whose, limit, &mut layers)
                .map_err(|error| Failure::new(Exit::Invalid, error))?;
            config.distrusted.extend(read.distrusted);
            config.gates = read.gates.or(config.gates);
        }
        layers.put_env(&self.invocation);
        Ok((layers, config))
    }
}
