//! Sanitizing: foreign text made fit for a terminal, one line at a time.

use std::borrow::Cow;

/// Whether a character could move the cursor, change colours, reorder or hide what stands beside
/// it: controls, bidirectional controls, line separators and invisible marks.
pub const fn is_hazard(character: char) -> bool {
    matches!(
        character,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200b}'
            | '\u{200e}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// Whether a text has only the printable characters of ASCII, the blank included.
///
/// All bytes are looked at whatever they are: that is done many at a time.
pub fn is_plain(text: &str) -> bool {
    text.bytes().fold(0, |odd, byte| odd | u8::from(!matches!(byte, b' '..=b'~'))) == 0
}

/// The text with every hazard replaced by something visible, so that it stays on one line.
///
/// A tab becomes a blank, another C0 control its picture (`␛` for the escape character), every
/// other hazard U+FFFD. One character always becomes one character.
pub fn one_line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hazard) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(visible).collect())
}

/// Characters that make a spreadsheet take a cell for a formula when they come first (OWASP, "CSV
/// injection").
const FORMULA_STARTS: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\n'];

/// The text of a cell that no spreadsheet takes for a formula.
pub fn no_formula(text: &str) -> Cow<'_, str> {
    if text.starts_with(FORMULA_STARTS) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The text with every hazard but the ends of its lines replaced by something visible.
pub fn lines(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|one| one != '\n' && is_hazard(one)) {
        return Cow::Borrowed(text);
    }
    let shown = text.chars().map(|one| if one == '\n' { one } else { visible(one) });
    Cow::Owned(shown.collect())
}

/// The text cut to at most `max_chars` characters, with `…` as the last one when it was cut.
pub fn cut(text: &str, max_chars: usize) -> Cow<'_, str> {
    if text.len() <= max_chars || text.chars().count() <= max_chars {
        return Cow::Borrowed(text);
    }
    let mut short: String = text.chars().take(max_chars.saturating_sub(1)).collect();
    short.push('…');
    Cow::Owned(short)
}

fn visible(character: char) -> char {
    match character {
        '\t' => ' ',
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(character)).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        other if is_hazard(other) => '\u{fffd}',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hazards_become_visible_and_stay_on_one_line() {
        for (text, expect) in [
            ("plain ünïcode 日本", "plain ünïcode 日本"),
            ("\u{1b}]52;c;aGk=\u{7}", "␛]52;c;aGk=␇"),
            ("\u{1b}[2J", "␛[2J"),
            ("\u{9b}31m", "\u{fffd}31m"),
            ("a\u{202e}b\u{2066}c", "a\u{fffd}b\u{fffd}c"),
            ("a\nb\r\tc\0", "a␊b␍ c␀"),
            ("\u{7f}\u{2028}", "␡\u{fffd}"),
        ] {
            assert_eq!(one_line(text), expect, "{text:?}");
        }
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        for (text, max, expect) in
            [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("äöü", 3, "äöü"), ("äöüß", 3, "äö…")]
        {
            assert_eq!(cut(text, max), expect);
        }
    }
}
