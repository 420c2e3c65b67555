//! The one question that this tool asks.

use std::io;

use dialoguer::{Confirm, Input};

/// Asks on standard error for yes or no; anything but a yes is a no.
///
/// # Errors
/// When the terminal does not answer.
pub fn confirm(question: &str) -> io::Result<bool> {
    let answer = Confirm::new().with_prompt(question).default(false).interact_opt();
    Ok(io_result(answer)?.unwrap_or(false))
}

/// Asks on standard error for a text.
///
/// # Errors
/// When the terminal does not answer.
pub fn type_in(question: &str) -> io::Result<String> {
    io_result(Input::<String>::new().with_prompt(question).allow_empty(true).interact_text())
}

fn io_result<T>(answer: dialoguer::Result<T>) -> io::Result<T> {
    answer.map_err(|error| match error {
        dialoguer::Error::IO(error) => error,
    })
}
