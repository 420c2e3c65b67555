//! `imagemill.toml`: found upwards from the current folder, then the user's own.

use std::path::{Path, PathBuf};

use toml_edit::{Document, Item, Value};

use crate::cli::layers::{LIMIT_PER_DAY, Layers, Origin, SETTINGS, Setting, Shape, TRUSTED_ONLY};
use crate::domain::money::NanoUsd;
use crate::domain::suggest::{closest, did_you_mean};

/// The name of the config file in a project.
pub const PROJECT_FILE: &str = "imagemill.toml";

/// The name of the config file in the user's config folder.
pub const USER_FILE: &str = "config.toml";

/// The key of the list of gates.
const GATES: &str = "gates";

/// Why a config file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is no TOML.
    #[error("{file} is no valid TOML: {message}")]
    Syntax {
        /// The file.
        file: String,
        /// What the parser said.
        message: String,
    },
    /// A key is not known.
    #[error("{file}:{line}: unknown key {key:?}{}", did_you_mean(.suggestion))]
    UnknownKey {
        /// The file.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// The key.
        key: String,
        /// The known key that looks most like it.
        suggestion: Option<String>,
    },
    /// A value has the wrong type.
    #[error("{file}:{line}: {key} takes {wanted}")]
    WrongType {
        /// The file.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// The key.
        key: String,
        /// What it takes.
        wanted: &'static str,
    },
}

/// Whose file it is: a project's file may come from a stranger's repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Found in the project.
    Project,
    /// Found in the project, and trusted by the user as it is.
    TrustedProject,
    /// The user's own.
    User,
}

/// What a config file says.
#[derive(Clone, Debug, Default)]
pub struct ConfigFile {
    /// Gates, when it has the key.
    pub gates: Option<Vec<String>>,
    /// What could not be trusted, for a warning.
    pub distrusted: Vec<String>,
}

/// Places where a project file may lie: the current folder and every folder above it.
pub fn project_places(cwd: &Path) -> impl Iterator<Item = PathBuf> + '_ {
    cwd.ancestors().map(|folder| folder.join(PROJECT_FILE))
}

/// Lays the text of a config file over the layers.
///
/// A project's file may come from a stranger, so it cannot set the daily limit above
/// `trusted_limit_nanos`, nor anything of [`TRUSTED_ONLY`]; such values are left out and named.
///
/// # Errors
/// When the text is no TOML, has an unknown key or a value of the wrong type.
pub fn apply(
    text: &str,
    file: &str,
    whose: Whose,
    trusted_limit_nanos: i64,
    layers: &mut Layers,
) -> Result<ConfigFile, ConfigError> {
    let document = Document::parse(text).map_err(|error| ConfigError::Syntax {
        file: file.to_owned(),
        message: error.message().to_owned(),
    })?;
    let mut config = ConfigFile::default();
    for (key, item) in flattened(&document) {
        let line = line_of(text, item);
        if key == GATES {
            config.gates = Some(gates(item, file, line)?);
            continue;
        }
        let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key) else {
            return Err(unknown_key(&key, file, line));
        };
        let value = value_of(*setting, item, text).map_err(|wanted| ConfigError::WrongType {
            file: file.to_owned(),
            line,
            key: key.clone(),
            wanted,
        })?;
        let place = format!("{file}:{line}");
        let origin = match whose {
            Whose::Project => Origin::ProjectFile(place),
            Whose::TrustedProject => Origin::TrustedFile(place),
            Whose::User => Origin::UserFile(place),
        };
        if whose == Whose::Project && needs_trust(*setting, &value, trusted_limit_nanos) {
            config.distrusted.push(format!("{key} ({origin})"));
        } else {
            layers.put(*setting, value, origin);
        }
    }
    Ok(config)
}

/// Whether a stranger must not decide it.
fn needs_trust(setting: Setting, value: &str, trusted_limit_nanos: i64) -> bool {
    let is_too_high = setting.key == LIMIT_PER_DAY.key
        && value.parse::<NanoUsd>().is_ok_and(|limit| limit.nanos() > trusted_limit_nanos);
    is_too_high || TRUSTED_ONLY.iter().any(|trusted| trusted.key == setting.key)
}

/// The keys of a file with their tables before them: `refresh.command`.
fn flattened<'a>(document: &'a Document<&str>) -> Vec<(String, &'a Item)> {
    let mut all = Vec::new();
    for (key, item) in document.iter() {
        let is_table = SETTINGS.iter().any(|it| it.key.split_once('.').is_some_and(|t| t.0 == key));
        match item.as_table_like().filter(|_| is_table) {
            Some(table) => {
                all.extend(table.iter().map(|(inner, item)| (format!("{key}.{inner}"), item)));
            }
            None => all.push((key.to_owned(), item)),
        }
    }
    all
}

/// A value as the layers keep it; else what it should have been.
fn value_of(setting: Setting, item: &Item, text: &str) -> Result<String, &'static str> {
    let strings = || -> Option<Vec<&str>> { item.as_array()?.iter().map(Value::as_str).collect() };
    match setting.shape() {
        Shape::One => scalar(item, text).ok_or("a string or a number"),
        Shape::Words => strings()
            .and_then(|words| serde_json::to_string(&words).ok())
            .or_else(|| scalar(item, text))
            .ok_or("a list of words"),
        Shape::List => strings()
            .map(|texts| texts.join(","))
            .or_else(|| scalar(item, text))
            .ok_or("a string or a list of strings"),
    }
}

/// A string, number or switch as its source text; numbers never pass through a float.
fn scalar(item: &Item, text: &str) -> Option<String> {
    match item.as_value()? {
        Value::String(string) => Some(string.value().clone()),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => {
            Some(text.get(item.span()?)?.replace('_', ""))
        }
        Value::Datetime(_) | Value::Array(_) | Value::InlineTable(_) => None,
    }
}

fn gates(item: &Item, file: &str, line: usize) -> Result<Vec<String>, ConfigError> {
    let wrong = || ConfigError::WrongType {
        file: file.to_owned(),
        line,
        key: GATES.to_owned(),
        wanted: "a list of gates, such as [\"errors rate < 5%\"]",
    };
    let list = item.as_array().ok_or_else(wrong)?;
    list.iter().map(|gate| gate.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
}

fn unknown_key(key: &str, file: &str, line: usize) -> ConfigError {
    let known = SETTINGS.iter().map(|setting| setting.key).chain([GATES]);
    let suggestion = closest(key, known).map(str::to_owned);
    ConfigError::UnknownKey { file: file.to_owned(), line, key: key.to_owned(), suggestion }
}

fn line_of(text: &str, item: &Item) -> usize {
    let start = item.span().map_or(0, |span| span.start);
    1 + text.as_bytes()[..start.min(text.len())].iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use crate::cli::layers::{
        API_KEY_COMMAND, CONCURRENCY, PAID_RETRIES, PROVIDER, REFRESH_COMMAND, REFS_BUCKETS,
    };

    use super::*;

    const TRUSTED: i64 = 10_000_000_000;

    #[test]
    fn values_keep_their_source_text_and_line() {
        let mut layers = Layers::default();
        let text = "provider = \"sim\"\nconcurrency = 1_6\nlimit_per_day = 0.10\n\
            gates = [\"errors < 5%\"]\n";
        let config =
            apply(text, "imagemill.toml", Whose::Project, TRUSTED, &mut layers).expect("valid");
        let get = |setting| layers.get(setting).map(|it| (it.text.as_str(), it.origin.to_string()));
        assert_eq!(get(PROVIDER), Some(("sim", "imagemill.toml:1".to_owned())));
        assert_eq!(get(CONCURRENCY), Some(("16", "imagemill.toml:2".to_owned())));
        assert_eq!(get(LIMIT_PER_DAY), Some(("0.10", "imagemill.toml:3".to_owned())));
        assert_eq!(get(PAID_RETRIES), None);
        assert_eq!(config.gates, Some(vec!["errors < 5%".to_owned()]));
    }

    #[test]
    fn a_project_cannot_raise_the_limit_but_the_user_can() {
        let text = "limit_per_day = 500\n";
        let mut layers = Layers::default();
        let config = apply(text, "p", Whose::Project, TRUSTED, &mut layers).expect("valid");
        assert_eq!((layers.get(LIMIT_PER_DAY), config.distrusted.len()), (None, 1));
        let config = apply(text, "u", Whose::User, TRUSTED, &mut layers).expect("valid");
        assert!(layers.get(LIMIT_PER_DAY).is_some() && config.distrusted.is_empty());
    }

    #[test]
    fn a_stranger_decides_nothing_about_keys_commands_and_money() {
        let text = "api_key_env = \"MY_KEY\"\napi_key_file = \"k\"\n\
            api_key_command = [\"sh\", \"-c\", \"x\"]\nconfirm_above = 500\n\
            ledger = \"l\"\nallow_network_ledger = true\n\
            paid_retries = 100\npaid_attempts = 10\npaid_retry_on = \"all\"\n\
            request_timeout = \"5ms\"\nfetch_proxy = \"http://p.example\"\n\
            allow_refs_from = [\"10.0.0.0/8\"]\nallow_refs_below = \"/\"\nrefs_base = \"/\"\n\
            [refs]\nbuckets = [\"s3://a\"]\n\
            [refresh]\ncommand = [\"sh\"]\nendpoint = \"https://e.example\"\n";
        let all = TRUSTED_ONLY.len();
        for (whose, n_left_out) in
            [(Whose::Project, all), (Whose::TrustedProject, 0), (Whose::User, 0)]
        {
            let mut layers = Layers::default();
            let config = apply(text, "c", whose, TRUSTED, &mut layers).expect("valid");
            assert_eq!(config.distrusted.len(), n_left_out, "{whose:?}");
            for setting in TRUSTED_ONLY {
                assert_eq!(layers.get(*setting).is_some(), n_left_out == 0, "{setting:?}");
            }
        }
        let mut layers = Layers::default();
        apply(text, "c", Whose::User, TRUSTED, &mut layers).expect("valid");
        let words = layers.get(API_KEY_COMMAND).map(|given| given.text.as_str());
        assert_eq!(words, Some("[\"sh\",\"-c\",\"x\"]"));
    }

    #[test]
    fn tables_and_lists_are_settings_too() {
        let text = "[refs]\nbuckets = [\"s3://a\", \"gs://b\"]\n[refresh]\ncommand = \"sign\"\n";
        let mut layers = Layers::default();
        apply(text, "c", Whose::User, TRUSTED, &mut layers).expect("valid");
        let get = |setting| layers.get(setting).map(|it| (it.text.as_str(), it.origin.to_string()));
        assert_eq!(get(REFS_BUCKETS), Some(("s3://a,gs://b", "c:2".to_owned())));
        assert_eq!(get(REFRESH_COMMAND), Some(("sign", "c:4".to_owned())));
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let check = |text: &str, expect: &str| {
            let error = apply(text, "c.toml", Whose::User, TRUSTED, &mut Layers::default())
                .expect_err(text);
            assert_eq!(error.to_string(), expect);
        };
        check("\nprovder = 'x'\n", "c.toml:2: unknown key \"provder\"; did you mean \"provider\"?");
        check(
            "[refresh]\ncomand = 'x'\n",
            "c.toml:2: unknown key \"refresh.comand\"; did you mean \"refresh.command\"?",
        );
        check("refs = 3\n", "c.toml:1: unknown key \"refs\"; did you mean \"refs_base\"?");
        check("model = []\n", "c.toml:1: model takes a string or a number");
        check(
            "gates = 3\n",
            "c.toml:1: gates takes a list of gates, such as [\"errors rate < 5%\"]",
        );
    }
}
