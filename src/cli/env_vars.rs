//! Every environment variable that imagemill reads, with its meaning.

/// A variable and what it does.
#[derive(Clone, Copy, Debug)]
pub struct EnvVar {
    /// Its name.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub meaning: &'static str,
}

/// The prefix of the variables that stand for settings: `IMAGEMILL_` and the key in capitals.
pub const SETTING_PREFIX: &str = "IMAGEMILL_";

/// Color off when set to anything.
pub const NO_COLOR: EnvVar = EnvVar { name: "NO_COLOR", meaning: "set and not empty: no color" };

/// Color on without a terminal.
pub const CLICOLOR_FORCE: EnvVar =
    EnvVar { name: "CLICOLOR_FORCE", meaning: "set and not `0`: color even without a terminal" };

/// A terminal that can do nothing.
pub const TERM: EnvVar = EnvVar { name: "TERM", meaning: "`dumb`: no bar, no color" };

/// Continuous integration.
pub const CI: EnvVar = EnvVar { name: "CI", meaning: "set: plain progress lines, no bar" };

/// The width of tables without a terminal.
pub const COLUMNS: EnvVar =
    EnvVar { name: "COLUMNS", meaning: "width of tables where the terminal tells none" };

/// How progress is shown.
pub const PROGRESS: EnvVar = EnvVar {
    name: "IMAGEMILL_PROGRESS",
    meaning: "progress as `auto`, `bar`, `lines`, `json` or `none`",
};

/// The user's name.
pub const USER: EnvVar =
    EnvVar { name: "USER", meaning: "who wrote into the ledger by hand, as it records it" };

/// The user's home.
pub const HOME: EnvVar =
    EnvVar { name: "HOME", meaning: "the folder that `~/` in `api_key_file` stands for" };

/// The summary of a job of GitHub Actions.
pub const GITHUB_STEP_SUMMARY: EnvVar = EnvVar {
    name: "GITHUB_STEP_SUMMARY",
    meaning: "the file to which `--report github` adds a summary",
};

/// The outputs of a step of GitHub Actions.
pub const GITHUB_OUTPUT: EnvVar = EnvVar {
    name: "GITHUB_OUTPUT",
    meaning: "the file to which `--report github` adds `verdict`, `exit`, `cost` and `rows_ok`",
};

/// Every variable that is no setting of a run.
pub const ALL: &[EnvVar] = &[
    NO_COLOR,
    CLICOLOR_FORCE,
    TERM,
    CI,
    COLUMNS,
    PROGRESS,
    USER,
    HOME,
    GITHUB_STEP_SUMMARY,
    GITHUB_OUTPUT,
];
