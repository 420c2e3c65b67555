//! Templates: prompts with `{column}` places.

/// A filled text would be longer than it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the filled text is longer than allowed")]
pub struct TooLong;

/// Whether the text can have a place at all.
pub fn has_places(text: &str) -> bool {
    memchr::memchr(b'{', text.as_bytes()).is_some()
}

/// Appends `text` to `filled` with each `{name}` that `value_of` knows replaced by its value.
///
/// Other braces stay as they are, and a value is never searched for places. At most `max_bytes`
/// are appended.
///
/// # Errors
/// When the result would be longer.
pub fn fill<'a>(
    text: &str,
    filled: &mut String,
    max_bytes: usize,
    mut value_of: impl FnMut(&str) -> Option<&'a str>,
) -> Result<(), TooLong> {
    let end = filled.len() + max_bytes;
    let mut push = |piece: &str| {
        if filled.len() + piece.len() > end {
            return Err(TooLong);
        }
        filled.push_str(piece);
        Ok(())
    };
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        push(&rest[..open])?;
        rest = &rest[open..];
        let close = rest[1..].find(['{', '}', '\n']).map(|at| at + 1);
        let place = close.filter(|at| rest.as_bytes()[*at] == b'}');
        match place.and_then(|at| value_of(&rest[1..at]).map(|value| (at, value))) {
            Some((at, value)) => {
                push(value)?;
                rest = &rest[at + 1..];
            }
            None => {
                push("{")?;
                rest = &rest[1..];
            }
        }
    }
    push(rest)
}

/// Whether a place's name could be that of a column: words, not code.
pub fn is_plain_name(name: &str) -> bool {
    let plain = |character: char| character.is_alphanumeric() || " _.-".contains(character);
    !name.trim().is_empty() && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str, max_bytes: usize) -> Result<String, TooLong> {
        let mut out = String::new();
        fill(text, &mut out, max_bytes, |name| match name {
            "color" => Some("{red}"),
            "empty" => Some(""),
            _ => None,
        })?;
        Ok(out)
    }

    #[test]
    fn only_known_places_are_filled_and_only_once() {
        for (text, expect) in [
            ("a {color} shoe", "a {red} shoe"),
            ("{empty}{empty}x", "x"),
            ("{colour} {", "{colour} {"),
            ("{{color}}", "{{red}}"),
            ("{\"a\": {\"b\": 1}}", "{\"a\": {\"b\": 1}}"),
            ("{color", "{color"),
            ("{co\nlor}", "{co\nlor}"),
            ("}", "}"),
            ("", ""),
        ] {
            assert_eq!(filled(text, 100), Ok(expect.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn a_bomb_of_places_stops_at_the_limit() {
        assert_eq!(filled(&"{color}".repeat(100_000), 1_000), Err(TooLong));
        assert_eq!(filled("{color}", 5), Ok("{red}".to_owned()));
        assert_eq!(filled("{color}", 4), Err(TooLong));
    }
}
