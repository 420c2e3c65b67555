//! The one place that prints: decides colour and width once, and survives a closed pipe.

use std::io::{self, Write};

/// The width of tables where nobody tells one.
const DEFAULT_WIDTH: u16 = 100;

/// The narrowest width that is believed; some pseudo-terminals report 0.
const MIN_WIDTH: u16 = 40;

/// What decides how things are printed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terminal {
    /// Whether standard output takes colour.
    pub color_stdout: bool,
    /// Whether standard error takes colour.
    pub color_stderr: bool,
    /// The width that the terminal or `COLUMNS` tells.
    pub width: Option<u16>,
}

/// Prints results to standard output and talk to standard error.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    terminal: Terminal,
}

impl Printer {
    /// A printer for this terminal.
    pub const fn new(terminal: Terminal) -> Self {
        Self { terminal }
    }

    /// The width of tables in columns.
    pub fn width(&self) -> u16 {
        match self.terminal.width {
            Some(width) if width >= MIN_WIDTH => width,
            Some(_) | None => DEFAULT_WIDTH,
        }
    }

    /// Whether standard output takes colour.
    pub const fn color(&self) -> bool {
        self.terminal.color_stdout
    }

    /// Whether standard error takes colour.
    pub const fn color_stderr(&self) -> bool {
        self.terminal.color_stderr
    }

    /// Writes text to standard output. Who has closed the pipe wants no more; that is no error,
    /// and a run goes on.
    pub fn result(&self, text: &str) {
        self.follow(text);
    }

    /// Writes text to standard output for somebody who follows; whether anybody still reads.
    pub fn follow(&self, text: &str) -> bool {
        let mut out = io::stdout().lock();
        // Whatever happens to a view never stops the work, but a lost result is told.
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => false,
            Err(error) => {
                self.warn(&format!("the result could not be written: {error}"));
                false
            }
            Ok(()) => true,
        }
    }

    /// Writes a line to standard error.
    pub fn say(&self, line: &str) {
        let mut err = io::stderr().lock();
        let _ = writeln!(err, "{line}");
    }

    /// Writes an error as `error: …` with its causes, and a hint when there is one.
    pub fn error(&self, error: &dyn std::error::Error, hint: Option<&str>) {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(source) = cause {
            let next = source.to_string();
            if !text.ends_with(&next) {
                text.push_str(": ");
                text.push_str(&next);
            }
            cause = source.source();
        }
        self.error_text(&text, hint);
    }

    /// Writes `error: text`, and a hint when there is one.
    pub fn error_text(&self, text: &str, hint: Option<&str>) {
        let (red, plain) =
            if self.terminal.color_stderr { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
        self.say(&format!("{red}error{plain}: {text}"));
        if let Some(hint) = hint {
            self.say(&format!("hint: {hint}"));
        }
    }

    /// Writes `warning: text`.
    pub fn warn(&self, text: &str) {
        let (yellow, plain) =
            if self.terminal.color_stderr { ("\x1b[1;33m", "\x1b[0m") } else { ("", "") };
        self.say(&format!("{yellow}warning{plain}: {text}"));
    }
}
