//! Exit codes: what the caller of the command, the operator and CI should do next.

/// The process's answer. Every end of the program maps to one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything was done and every gate held; weak passes included.
    Ok,
    /// A defect of the program, or a corrupt ledger. Report it; nothing more is spent.
    Bug,
    /// The command line is wrong, or consent is missing. Correct the call.
    Usage,
    /// Rows, configuration or gate text are invalid, or a price is unknown. Nothing was sent.
    Invalid,
    /// The input has no rows, or none that can be used.
    NoRows,
    /// A run has more to do; only asking for its status says so.
    Outstanding,
    /// The environment stopped it: disk, lock, provider. Fix it or try later; resumable.
    Environment,
    /// The limit refused or stopped it. Raise the limit or wait for the next day.
    Budget,
    /// There is too little data for a verdict.
    Inconclusive,
    /// A gate failed: the batch does not meet its conditions. Or a provider counts more than the
    /// ledger has booked.
    GateFailed,
    /// Ctrl-C.
    Interrupted,
    /// A termination signal.
    Terminated,
}

impl Exit {
    /// Every exit, for the documentation's tests.
    pub const ALL: [Self; 12] = [
        Self::Ok,
        Self::Bug,
        Self::Usage,
        Self::Invalid,
        Self::NoRows,
        Self::Outstanding,
        Self::Environment,
        Self::Budget,
        Self::Inconclusive,
        Self::GateFailed,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The process's code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Bug => 1,
            Self::Usage => 2,
            Self::Invalid => 3,
            Self::NoRows => 4,
            Self::Outstanding => 5,
            Self::Environment => 75,
            Self::Budget => 97,
            Self::Inconclusive => 98,
            Self::GateFailed => 99,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// The word of the RESULT line and of the JSON field `verdict`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "pass",
            Self::Bug => "error",
            Self::Usage => "usage",
            Self::Invalid => "invalid",
            Self::NoRows => "no-rows",
            Self::Outstanding => "outstanding",
            Self::Environment => "stopped",
            Self::Budget => "over-budget",
            Self::Inconclusive => "inconclusive",
            Self::GateFailed => "fail",
            Self::Interrupted => "interrupted",
            Self::Terminated => "terminated",
        }
    }

    /// The one that wins when several apply: signal, 1, 3, 97, 75, 99, 98, 4, 5,
    /// then 0.
    #[must_use]
    pub fn or_worse(self, other: Self) -> Self {
        if other.rank() > self.rank() { other } else { self }
    }

    const fn rank(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Outstanding => 1,
            Self::NoRows => 2,
            Self::Inconclusive => 3,
            Self::GateFailed => 4,
            Self::Environment => 5,
            Self::Budget => 6,
            Self::Invalid => 7,
            Self::Usage => 8,
            Self::Bug => 9,
            Self::Interrupted | Self::Terminated => 10,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worse_exit_wins() {
        let check = |one: Exit, other: Exit, expect: Exit| {
            assert_eq!(one.or_worse(other), expect);
            assert_eq!(other.or_worse(one), expect);
        };
        check(Exit::Ok, Exit::Inconclusive, Exit::Inconclusive);
        check(Exit::GateFailed, Exit::Inconclusive, Exit::GateFailed);
        check(Exit::GateFailed, Exit::Environment, Exit::Environment);
        check(Exit::Environment, Exit::Budget, Exit::Budget);
        check(Exit::Budget, Exit::Invalid, Exit::Invalid);
        check(Exit::Invalid, Exit::Bug, Exit::Bug);
        check(Exit::Bug, Exit::Interrupted, Exit::Interrupted);
        check(Exit::NoRows, Exit::Ok, Exit::NoRows);
        check(Exit::NoRows, Exit::Outstanding, Exit::NoRows);
    }

    #[test]
    fn codes_are_distinct() {
        let codes: std::collections::BTreeSet<u8> =
            Exit::ALL.iter().map(|exit| exit.code()).collect();
        assert_eq!(codes.len(), Exit::ALL.len());
    }
}
