//! Reads a key from a file or from a command's output. A key is never an argument.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use secrecy::SecretString;
use tokio::process::Command;

/// The longest key that is believed; a file with more is another file.
const MAX_KEY: usize = 8 << 10;

/// How long a command may take: a password manager may ask for a finger.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyReadError {
    /// The file cannot be read.
    #[error("{} cannot be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Others than its owner may read the file.
    #[error("{} can be read by others than its owner (mode {mode:o})", path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The command cannot be started.
    #[error("{program} cannot be started")]
    Start {
        /// The command's first word.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The command failed.
    #[error("{program} ended with {status}")]
    Status {
        /// The command's first word.
        program: String,
        /// How it ended.
        status: std::process::ExitStatus,
    },
    /// The command took too long.
    #[error("{program} did not end within {}", humantime::format_duration(COMMAND_TIMEOUT))]
    TimedOut {
        /// The command's first word.
        program: String,
    },
    /// What was read is no key.
    #[error("{from} has no key in it: one line of visible characters is expected")]
    NoKey {
        /// Where it was read.
        from: String,
    },
}

/// Reads a key from a file that only its owner can read.
///
/// # Errors
/// When the file cannot be read, is open to others, or holds no key.
pub fn from_file(path: &Path) -> Result<SecretString, KeyReadError> {
    let failed = |source| KeyReadError::File { path: path.to_owned(), source };
    let metadata = fs::metadata(path).map_err(failed)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyReadError::Mode { path: path.to_owned(), mode });
        }
    }
    if metadata.len() > MAX_KEY as u64 {
        return Err(KeyReadError::NoKey { from: path.display().to_string() });
    }
    key_of(&fs::read(path).map_err(failed)?, &path.display().to_string())
}

/// Runs a command, without a shell, and takes what it prints for the key.
///
/// # Errors
/// When it cannot be run, fails, takes too long or prints no key.
pub async fn from_command(words: &[String]) -> Result<SecretString, KeyReadError> {
    let (program, arguments) = words.split_first().expect("a command has a word");
    let program = || program.clone();
    let mut command = Command::new(program());
    // Its own prompts and errors reach the user; only its output is ours.
    command.args(arguments).stdin(Stdio::inherit()).stderr(Stdio::inherit()).kill_on_drop(true);
    let output = tokio::time::timeout(COMMAND_TIMEOUT, command.stdout(Stdio::piped()).output())
        .await
        .map_err(|_| KeyReadError::TimedOut { program: program() })?
        .map_err(|source| KeyReadError::Start { program: program(), source })?;
    if !output.status.success() {
        return Err(KeyReadError::Status { program: program(), status: output.status });
    }
    key_of(&output.stdout, &program())
}

/// A key as it came from a variable.
///
/// # Errors
/// When it is no key.
pub fn from_text(text: &str, from: &str) -> Result<SecretString, KeyReadError> {
    key_of(text.as_bytes(), from)
}

fn key_of(bytes: &[u8], from: &str) -> Result<SecretString, KeyReadError> {
    let no_key = || KeyReadError::NoKey { from: from.to_owned() };
    let text = std::str::from_utf8(bytes).map_err(|_| no_key())?.trim();
    let is_key = !text.is_empty()
        && text.len() <= MAX_KEY
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_key { Ok(SecretString::from(text)) } else { Err(no_key()) }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_key_is_one_line_of_visible_characters() {
        let read = |text: &str| from_text(text, "x").ok().map(|key| key.expose_secret().to_owned());
        assert_eq!(read(" sk-abc\n").as_deref(), Some("sk-abc"));
        for text in ["", " \n", "two lines\nhere", "a b", "a\0b", "schlüssel"] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_key_file_belongs_to_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        fs::write(&path, "sk-abc\n").expect("a file");
        for (mode, is_taken) in [(0o600, true), (0o400, true), (0o644, false), (0o640, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
            assert_eq!(from_file(&path).is_ok(), is_taken, "{mode:o}");
        }
    }
}
