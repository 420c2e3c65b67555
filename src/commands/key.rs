//! The key of a provider: from where its source says, bound to where it may go.

use secrecy::SecretString;

use crate::adapters::keys::{self, KeyReadError};
use crate::cli::key_source::{KeySource, NoKey, key_source};
use crate::cli::layers::Layers;
use crate::commands::failure::Failure;
use crate::commands::world::World;
use crate::domain::base_url::BaseUrl;
use crate::domain::provider::Profile;
use crate::exit::Exit;

/// What a server on this machine gets instead of a key.
const REHEARSAL_KEY: &str = "rehearsal";

/// A key and what people are told about it.
#[derive(Debug)]
pub(super) struct BoundKey {
    /// The key; nothing when none is sent.
    pub(super) key: Option<SecretString>,
    /// Its source in a few words.
    pub(super) source: String,
    /// Whether what is sent is no key of anybody.
    is_rehearsal: bool,
}

impl BoundKey {
    /// What to do when the provider refuses it.
    pub(super) fn advice(&self, base: &BaseUrl) -> String {
        match self.key {
            Some(_) if self.is_rehearsal => {
                "a rehearsal sends no key of yours; a server that asks for one takes a live run"
                    .to_owned()
            }
            Some(_) => format!("the key comes from {}: check it there", self.source),
            None => format!(
                "no key was sent to {}: name its variable with --api-key-env",
                base.origin()
            ),
        }
    }
}

/// The source of the key for an address, without reading it.
pub(super) fn source(
    layers: &Layers,
    profile: &Profile,
    base: &BaseUrl,
    rehearsal: bool,
) -> Result<KeySource, Failure> {
    if rehearsal {
        return Ok(KeySource::None(NoKey::NotNamed));
    }
    key_source(layers, profile, base).map_err(|error| {
        Failure::new(Exit::Invalid, error)
            .with_hint("give --base-url and --api-key-env together, or imagemill config trust")
    })
}

/// Reads the key.
pub(super) fn read(
    world: &World,
    profile: &Profile,
    source: &KeySource,
    rehearsal: bool,
) -> Result<BoundKey, Failure> {
    if rehearsal {
        let key = Some(SecretString::from(REHEARSAL_KEY));
        return Ok(BoundKey { key, source: "none".to_owned(), is_rehearsal: true });
    }
    let described = source.describe();
    let bad = |error: KeyReadError| {
        let hint = match &error {
            KeyReadError::Mode { path, .. } => format!("chmod 600 {}", path.display()),
            KeyReadError::File { .. }
            | KeyReadError::Start { .. }
            | KeyReadError::Status { .. }
            | KeyReadError::TimedOut { .. }
            | KeyReadError::NoKey { .. } => "correct it; imagemill doctor looks at it".to_owned(),
        };
        Failure::new(Exit::Invalid, error).with_hint(hint)
    };
    let key = match source {
        KeySource::None(_) => None,
        KeySource::Variable { name, .. } => match world.invocation.env(name) {
            Some(text) => Some(keys::from_text(text, &described).map_err(bad)?),
            None => return Err(missing(profile, name)),
        },
        KeySource::File { path, .. } => Some(keys::from_file(&world.home_path(path)).map_err(bad)?),
        KeySource::Command { words, .. } => Some(from_command(words)?.map_err(bad)?),
    };
    Ok(BoundKey { key, source: described, is_rehearsal: false })
}

fn from_command(words: &[String]) -> Result<Result<SecretString, KeyReadError>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Environment, error))?;
    Ok(runtime.block_on(keys::from_command(words)))
}

fn missing(profile: &Profile, variable: &str) -> Failure {
    let text = format!("no API key for provider {:?}: {variable} is not set", profile.name);
    Failure::new(Exit::Invalid, text).with_hint(format!(
        "export {variable}=…, or set api_key_file or api_key_command in your own config; \
         imagemill doctor looks at it"
    ))
}
