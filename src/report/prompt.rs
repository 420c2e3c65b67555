//! The one question that this tool asks: a line is typed, and nothing counts before its end. The
//! terminal is left as it is, so that every key of it means what it always means.

use std::io::{self, BufRead, Write};

/// Asks for yes or no; anything but a yes is a no.
///
/// # Errors
/// When the terminal does not answer.
pub fn confirm(
    question: &str,
    asked: &mut dyn Write,
    answers: &mut dyn BufRead,
) -> io::Result<bool> {
    let answer = type_in(&format!("{question} [y/N]"), asked, answers)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "Yes" | "YES"))
}

/// Asks for a text; an end of the input is an empty one.
///
/// # Errors
/// When the terminal does not answer.
pub fn type_in(
    question: &str,
    asked: &mut dyn Write,
    answers: &mut dyn BufRead,
) -> io::Result<String> {
    write!(asked, "{question} ")?;
    asked.flush()?;
    let mut line = String::new();
    let n_bytes = answers.read_line(&mut line)?;
    if n_bytes == 0 {
        // What follows begins on a line of its own.
        writeln!(asked)?;
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(typed: &str) -> (bool, String) {
        let mut asked = Vec::new();
        let yes = confirm("Spend?", &mut asked, &mut typed.as_bytes()).expect("an answer");
        (yes, String::from_utf8(asked).expect("text"))
    }

    #[test]
    fn only_a_whole_yes_is_a_yes() {
        for (typed, expect) in [
            ("y\n", true),
            ("yes\r\n", true),
            (" Y \n", true),
            ("\n", false),
            ("n\n", false),
            ("yep\n", false),
            ("ny\n", false),
            ("", false),
        ] {
            assert_eq!(answered(typed).0, expect, "{typed:?}");
        }
        assert_eq!(answered("y\n").1, "Spend? [y/N] ");
        assert_eq!(answered("").1, "Spend? [y/N] \n");
    }
}
