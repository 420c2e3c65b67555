//! Errors that end the reading of an input.

use std::io;

use crate::adapters::rows::stream::{InputFault, StreamFault};
use crate::domain::diagnostic::Diagnostic;

/// Why the rows of an input cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The input has a fault that makes every further row doubtful.
    #[error("{}", .0.title)]
    Input(Box<Diagnostic>),
    /// The input cannot be opened, read or kept.
    #[error("failed to {action} {name}")]
    Io {
        /// What was tried, such as `open`.
        action: &'static str,
        /// The input's name.
        name: String,
        /// The reason.
        #[source]
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn io(action: &'static str, name: &str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, name: name.to_owned(), source }
    }

    pub(crate) fn of_file(code: &'static str, name: &str, title: String, fix: &str) -> Self {
        Self::Input(Box::new(Diagnostic::of_file(code, name, title, fix.to_owned())))
    }

    pub(crate) fn of_stream(name: &str, fault: StreamFault) -> Self {
        match fault {
            StreamFault::Io(source) => Self::io("read", name)(source),
            StreamFault::Input(fault) => {
                let InputFault { code, title, label, fix, source, span, line, before } = *fault;
                let mut drawn = Diagnostic::of_file(code, name, title, fix.to_owned())
                    .with_source(&source, span, line, before);
                drawn.label = label.to_owned();
                Self::Input(Box::new(drawn))
            }
        }
    }
}
