//! What a command said, and how it ended.

use std::process::Output;

use serde_json::Value;

use crate::support::secret::secret_in;

/// What a command said, and how it ended.
#[derive(Clone, Debug)]
pub(crate) struct Ran {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: Option<i32>,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let ran = Self {
            stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
            code: output.status.code(),
        };
        // Whatever a test is about: no output of the command ever shows a key or a signature.
        assert_eq!(secret_in(&ran.stdout), None, "in\n{}", ran.stdout);
        assert_eq!(secret_in(&ran.stderr), None, "in\n{}", ran.stderr);
        ran
    }
}

impl Ran {
    /// Checks the exit code; everything that was said is in the message when it is another.
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// The last line of standard output.
    pub(crate) fn last_line(&self) -> &str {
        self.stdout.lines().last().unwrap_or_default()
    }

    /// Checks the fields of the RESULT line that are known beforehand.
    pub(crate) fn result_has(self, parts: &[&str]) -> Self {
        let line = self.last_line();
        assert!(line.starts_with("RESULT "), "{line}\n--- stderr\n{}", self.stderr);
        for part in parts {
            assert!(line.contains(part), "{part:?} is not in {line:?}");
        }
        self
    }

    /// Standard output as exactly one JSON object on one line.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "{}", self.stdout);
        let value: Value = serde_json::from_str(&self.stdout).expect("JSON");
        assert!(value.is_object(), "{value}");
        value
    }

    /// The report, which must name the code of the process.
    pub(crate) fn report(&self) -> Value {
        let report = self.json();
        assert_eq!(report["schema"], "imagemill.report/1");
        assert_eq!(report["exit"].as_i64(), self.code.map(i64::from), "{report}");
        report
    }

    /// Both streams.
    pub(crate) fn everything(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}
