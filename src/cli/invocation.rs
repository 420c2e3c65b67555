//! The world enters here, once: arguments, environment, current folder, terminals, home.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io::IsTerminal;
use std::path::PathBuf;

use etcetera::BaseStrategy;

use crate::cli::env_vars;

/// What the process was started with. Its environment may hold keys, so it shows names only.
#[derive(Clone)]
pub struct Invocation {
    /// Arguments, the program's name first.
    pub args: Vec<OsString>,
    /// The environment, as far as it is text.
    pub env: BTreeMap<String, String>,
    /// The current folder.
    pub cwd: PathBuf,
    /// Whether standard input is a terminal.
    pub stdin_is_terminal: bool,
    /// Whether standard output is a terminal.
    pub stdout_is_terminal: bool,
    /// Whether standard error is a terminal.
    pub stderr_is_terminal: bool,
    /// The width of the terminal in columns, when standard output is one and tells it.
    pub terminal_width: Option<u16>,
    /// The user's config folder of imagemill.
    pub config_home: Option<PathBuf>,
    /// The user's state folder of imagemill.
    pub state_home: Option<PathBuf>,
    /// The user's cache folder of imagemill.
    pub cache_home: Option<PathBuf>,
}

impl Invocation {
    /// Reads the world.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may ask")]
    pub fn from_process() -> Self {
        let base = etcetera::base_strategy::Xdg::new().ok();
        Self {
            args: std::env::args_os().collect(),
            env: std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
            cwd: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
            stdin_is_terminal: std::io::stdin().is_terminal(),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
            terminal_width: terminal_size::terminal_size_of(std::io::stdout())
                .map(|(width, _)| width.0)
                .filter(|width| *width > 0),
            config_home: base.as_ref().map(|base| base.config_dir().join("imagemill")),
            cache_home: base.as_ref().map(|base| base.cache_dir().join("imagemill")),
            state_home: base
                .as_ref()
                .and_then(BaseStrategy::state_dir)
                .map(|state| state.join("imagemill")),
        }
    }

    /// Whether a question can be asked: both ends must be a terminal that can do more than print.
    pub fn can_ask(&self) -> bool {
        let is_dumb = self.env(env_vars::TERM.name) == Some("dumb");
        self.stdin_is_terminal && self.stderr_is_terminal && !is_dumb
    }

    /// A variable of the environment; an empty one counts as unset.
    pub fn env(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

impl fmt::Debug for Invocation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Invocation")
            .field("args", &self.args)
            .field("env", &self.env.keys().collect::<Vec<_>>())
            .field("cwd", &self.cwd)
            .finish_non_exhaustive()
    }
}
