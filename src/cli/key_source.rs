//! Where the key of a provider comes from, and whether it may go where the request goes.
//!
//! A key is bound to an origin: the provider's own, or a base URL that is named at the same level
//! as the key or below it. So a key that is set up once never follows an address that somebody
//! names later, and an address from a stranger's file gets no key at all.

use crate::cli::layers::{
    API_KEY_COMMAND, API_KEY_ENV, API_KEY_FILE, BASE_URL, Given, Layers, Origin, Setting,
};
use crate::domain::base_url::BaseUrl;
use crate::domain::provider::Profile;

/// Where a key comes from. The key itself is read elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// An environment variable.
    Variable {
        /// Its name.
        name: String,
        /// Who says so.
        origin: KeyOrigin,
    },
    /// A file that has nothing else in it.
    File {
        /// Its path.
        path: String,
        /// Who says so.
        origin: KeyOrigin,
    },
    /// A command that prints it.
    Command {
        /// Its words; no shell is involved.
        words: Vec<String>,
        /// Who says so.
        origin: KeyOrigin,
    },
    /// No key is sent.
    None(NoKey),
}

/// Who says where a key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyOrigin {
    /// The user, there.
    Given(Origin),
    /// The provider's profile.
    Profile,
}

/// Why no key is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoKey {
    /// Nobody named one, and the provider may need none.
    NotNamed,
    /// The address is not the provider's own, and no key is bound to it.
    NotBound,
}

/// Why it cannot be said where the key comes from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Two sources at the same level.
    #[error("{first} and {second} are both given at the same level ({origin}); keep one")]
    Ambiguous {
        /// One of them.
        first: &'static str,
        /// The other.
        second: &'static str,
        /// Where.
        origin: Origin,
    },
    /// The address comes from a file that may be a stranger's.
    #[error("{base} comes from {origin}, a project's file that is not trusted; no key goes there")]
    Untrusted {
        /// The address.
        base: String,
        /// The file.
        origin: Origin,
    },
    /// What should be the name of a variable is none, and may be a key; it is not repeated.
    #[error("api_key_env ({0}) is no name of a variable; a key itself is never an argument")]
    Name(Origin),
    /// A command without a word.
    #[error("api_key_command ({0}) is neither words nor a JSON list of words")]
    Command(Origin),
}

/// Decides where the key for `base` comes from.
///
/// # Errors
/// When two sources have the same rank, or a key is named for a stranger's address.
pub fn key_source(
    layers: &Layers,
    profile: &Profile,
    base: &BaseUrl,
) -> Result<KeySource, KeyError> {
    let own = profile.base_url.and_then(|text| text.parse::<BaseUrl>().ok());
    let is_own = own.as_ref().is_some_and(|own| own.origin() == base.origin());
    let Some((setting, given)) = named(layers)? else {
        return Ok(match profile.key_variable {
            Some(name) if is_own => {
                KeySource::Variable { name: name.to_owned(), origin: KeyOrigin::Profile }
            }
            Some(_) if !is_own => KeySource::None(NoKey::NotBound),
            Some(_) | None => KeySource::None(NoKey::NotNamed),
        });
    };
    let address = layers.get(BASE_URL).filter(|address| address.origin.is_untrusted());
    if let Some(address) = address.filter(|_| !is_own) {
        return Err(KeyError::Untrusted { base: base.to_string(), origin: address.origin.clone() });
    }
    // The address that whoever named the key had in view; a stranger's does not count.
    let in_view = layers.all(BASE_URL).iter().rfind(|address| {
        address.origin.rank() <= given.origin.rank() && !address.origin.is_untrusted()
    });
    let in_view = match in_view {
        Some(address) => address.text.parse::<BaseUrl>().ok(),
        None => own,
    };
    if in_view.is_none_or(|in_view| in_view.origin() != base.origin()) {
        return Ok(KeySource::None(NoKey::NotBound));
    }
    source(setting, given)
}

/// The source that counts among those that were named.
fn named(layers: &Layers) -> Result<Option<(Setting, &Given)>, KeyError> {
    let mut best: Option<(Setting, &Given)> = None;
    for setting in [API_KEY_ENV, API_KEY_FILE, API_KEY_COMMAND] {
        let Some(given) = layers.get(setting) else { continue };
        match best {
            Some((known, other)) if other.origin.rank() == given.origin.rank() => {
                return Err(KeyError::Ambiguous {
                    first: known.key,
                    second: setting.key,
                    origin: given.origin.clone(),
                });
            }
            Some((_, other)) if other.origin.rank() > given.origin.rank() => {}
            Some(_) | None => best = Some((setting, given)),
        }
    }
    Ok(best)
}

fn source(setting: Setting, given: &Given) -> Result<KeySource, KeyError> {
    let origin = KeyOrigin::Given(given.origin.clone());
    let text = given.text.clone();
    Ok(if setting.key == API_KEY_ENV.key {
        if !is_variable_name(&text) {
            return Err(KeyError::Name(given.origin.clone()));
        }
        KeySource::Variable { name: text, origin }
    } else if setting.key == API_KEY_FILE.key {
        KeySource::File { path: text, origin }
    } else {
        let words = words(&text).ok_or_else(|| KeyError::Command(given.origin.clone()))?;
        KeySource::Command { words, origin }
    })
}

/// The shortest text that may be a key rather than a name.
const LEAST_KEY: usize = 20;

/// Whether a text names an environment variable, and does not look like a key that was pasted.
pub fn is_variable_name(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_name = text.bytes().all(is_word) && !text.starts_with(|one: char| one.is_ascii_digit());
    let has = |wanted: fn(&u8) -> bool| text.bytes().any(|byte| wanted(&byte));
    let is_mixed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit);
    !text.is_empty() && is_name && !(text.len() >= LEAST_KEY && is_mixed)
}

/// A JSON list of words, or words parted by blanks.
pub(crate) fn words(text: &str) -> Option<Vec<String>> {
    let words = if text.trim_start().starts_with('[') {
        serde_json::from_str::<Vec<String>>(text).ok()?
    } else {
        text.split_whitespace().map(str::to_owned).collect()
    };
    (!words.is_empty() && !words[0].is_empty()).then_some(words)
}

impl KeySource {
    /// The source in a few words, such as `env OPENAI_API_KEY`; never the key.
    pub fn describe(&self) -> String {
        match self {
            Self::Variable { name, .. } => format!("env {name}"),
            Self::File { path, .. } => format!("file {path}"),
            // Its arguments may be as secret as the key.
            Self::Command { words, .. } => format!("command {}", words[0]),
            Self::None(_) => "none".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::provider::profile;

    const OWN: &str = "https://api.openai.com/v1";
    const OTHER: &str = "http://127.0.0.1:8787/v1";

    /// What becomes of the key when these values are given, each as setting, text and origin.
    fn decide(given: &[(Setting, &str, Origin)]) -> Result<KeySource, KeyError> {
        let mut layers = Layers::default();
        for (setting, text, origin) in given {
            layers.put(*setting, *text, origin.clone());
        }
        let base = layers.get(BASE_URL).map_or(OWN, |given| given.text.as_str());
        let base = base.parse().expect("a base URL");
        key_source(&layers, profile("openai").expect("a profile"), &base)
    }

    fn flag() -> Origin {
        Origin::Flag("--x")
    }

    fn env() -> Origin {
        Origin::Env("X".to_owned())
    }

    fn user() -> Origin {
        Origin::UserFile("config.toml:1".to_owned())
    }

    fn project() -> Origin {
        Origin::ProjectFile("imagemill.toml:1".to_owned())
    }

    fn described(given: &[(Setting, &str, Origin)]) -> String {
        decide(given).map_or_else(|error| format!("error: {error}"), |source| source.describe())
    }

    #[test]
    fn the_providers_own_address_has_the_providers_own_variable() {
        assert_eq!(described(&[]), "env OPENAI_API_KEY");
        assert_eq!(described(&[(BASE_URL, "https://api.openai.com/v2", flag())]), {
            "env OPENAI_API_KEY"
        });
        assert_eq!(described(&[(API_KEY_FILE, "k", user())]), "file k");
        assert_eq!(described(&[(API_KEY_ENV, "MINE", env()), (API_KEY_FILE, "k", user())]), {
            "env MINE"
        });
    }

    #[test]
    fn another_address_has_no_key_unless_one_is_bound_to_it() {
        for (given, expect) in [
            (vec![(BASE_URL, OTHER, flag())], "none"),
            (vec![(BASE_URL, OTHER, flag()), (API_KEY_ENV, "K", flag())], "env K"),
            (vec![(BASE_URL, OTHER, flag()), (API_KEY_ENV, "K", env())], "none"),
            (vec![(BASE_URL, OTHER, flag()), (API_KEY_ENV, "K", user())], "none"),
            (vec![(BASE_URL, OTHER, env()), (API_KEY_ENV, "K", env())], "env K"),
            (vec![(BASE_URL, OTHER, user()), (API_KEY_ENV, "K", user())], "env K"),
            (vec![(BASE_URL, OTHER, user()), (API_KEY_ENV, "K", flag())], "env K"),
            (vec![(BASE_URL, OTHER, project())], "none"),
            // Names that differ by a letter, and the provider's name as a part, are other hosts.
            (vec![(BASE_URL, "https://api.openai.com.evil.example/v1", flag())], "none"),
            (vec![(BASE_URL, "http://api.openai.com/v1", flag())], "none"),
            (vec![(BASE_URL, "https://api.openai.com:8443/v1", flag())], "none"),
        ] {
            assert_eq!(described(&given), expect, "{given:?}");
        }
    }

    #[test]
    fn a_key_that_was_named_for_one_address_does_not_follow_another() {
        for (given, expect) in [
            // The user's own proxy has a key; somebody later names the provider's own address.
            (
                vec![
                    (BASE_URL, OTHER, user()),
                    (API_KEY_ENV, "K", user()),
                    (BASE_URL, OWN, project()),
                ],
                "none",
            ),
            (
                vec![(BASE_URL, OTHER, user()), (API_KEY_ENV, "K", user()), (BASE_URL, OWN, env())],
                "none",
            ),
            (
                vec![
                    (BASE_URL, OTHER, user()),
                    (BASE_URL, OWN, project()),
                    (API_KEY_ENV, "K", flag()),
                ],
                "none",
            ),
            (
                vec![
                    (BASE_URL, OTHER, user()),
                    (BASE_URL, OWN, flag()),
                    (API_KEY_ENV, "K", flag()),
                ],
                "env K",
            ),
            (
                vec![(BASE_URL, OTHER, user()), (BASE_URL, OWN, flag()), (API_KEY_ENV, "K", env())],
                "none",
            ),
            // The stranger names the provider's own address, which is no harm.
            (vec![(BASE_URL, OWN, project()), (API_KEY_ENV, "K", user())], "env K"),
            (vec![(BASE_URL, OWN, project())], "env OPENAI_API_KEY"),
        ] {
            assert_eq!(described(&given), expect, "{given:?}");
        }
    }

    #[test]
    fn a_key_that_was_pasted_is_not_repeated() {
        for pasted in ["sk-proj-abc", "sk_live_51H8xQ2eZvKYlo2C", "a b", "", "1ABC", "x=y"] {
            let said = described(&[(API_KEY_ENV, pasted, flag())]);
            assert!(said.starts_with("error: api_key_env (--x) is no name"), "{said}");
            assert!(pasted.is_empty() || !said.contains(pasted), "{said}");
        }
        for name in ["K", "my_key", "OPENAI_API_KEY_FOR_PROJECT_2", "_a1"] {
            assert!(is_variable_name(name), "{name}");
        }
    }

    #[test]
    fn a_strangers_address_never_gets_a_key() {
        let error = described(&[(BASE_URL, OTHER, project()), (API_KEY_ENV, "K", flag())]);
        assert!(error.starts_with("error: http://127.0.0.1:8787/v1 comes from imagemill.toml:1"));
    }

    #[test]
    fn two_sources_at_one_level_are_refused() {
        let error = described(&[(API_KEY_ENV, "K", user()), (API_KEY_FILE, "k", user())]);
        assert!(error.contains("api_key_env and api_key_file are both given"), "{error}");
    }

    #[test]
    fn a_command_is_words_and_shows_only_its_first() {
        let check = |text: &str, expect: Option<&[&str]>| {
            let found = match decide(&[(API_KEY_COMMAND, text, user())]) {
                Ok(KeySource::Command { words, .. }) => Some(words.join("|")),
                Ok(_) | Err(_) => None,
            };
            assert_eq!(found, expect.map(|words| words.join("|")), "{text}");
        };
        check("pass show openai", Some(&["pass", "show", "openai"]));
        check("[\"op\", \"read\", \"a b\"]", Some(&["op", "read", "a b"]));
        check("[]", None);
        check("[1]", None);
        assert_eq!(described(&[(API_KEY_COMMAND, "echo sk-secret", user())]), "command echo");
    }
}
