//! Cells: what the text of each known column may be, and what to say when it is not.

use std::borrow::Cow;

use crate::domain::money::NanoUsd;
use crate::domain::reference::{ReferenceError, ReferenceKind};
use crate::domain::row::{CanaryChoice, MAX_VARIANTS, Variants, VariantsError};
use crate::domain::sanitize;

/// The most characters of a prompt: what the most generous provider takes.
pub const MAX_PROMPT_CHARS: usize = 32_000;
/// The most references of one row: what the most generous provider takes.
pub const MAX_REFERENCES: usize = 16;
/// The most characters of a row's name: it is repeated in every record and file about the row.
pub const MAX_SCENE_ID_CHARS: usize = 200;
/// The most tags of one row: they are echoed, not searched.
pub const MAX_TAGS: usize = 64;
/// The most bytes of a word such as a model or a size; the longest model names have about sixty.
pub const MAX_WORD_BYTES: usize = 128;
/// The most bytes of a wanted file name: what file systems take.
pub const MAX_FILENAME_BYTES: usize = 255;

/// The most characters of a label that repeats a part of the cell.
const MAX_LABEL_CHARS: usize = 60;

/// What is wrong with a cell, in the words of its diagnostic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellFault {
    /// The code of the diagnostic, such as `row.variants`.
    pub code: &'static str,
    /// What must hold.
    pub title: Cow<'static, str>,
    /// What is the case, written under the cell.
    pub label: Cow<'static, str>,
    /// What to do.
    pub fix: Cow<'static, str>,
}

impl CellFault {
    /// A fault in plain words.
    pub fn new(
        code: &'static str,
        title: impl Into<Cow<'static, str>>,
        label: impl Into<Cow<'static, str>>,
        fix: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { code, title: title.into(), label: label.into(), fix: fix.into() }
    }
}

/// The bytes that words of providers consist of, as a table: a million rows have many words.
const IN_WORDS: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'_' | b':' | b'/' | b'@' | b'+' | b'-');
        byte += 1;
    }
    table
};

const CORRECT: &str = "correct the cell";

/// Checks a row's name; an empty one is not given here.
///
/// # Errors
/// When it is blank, too long, or has a character that could deceive or break a terminal.
pub fn check_scene_id(text: &str) -> Result<(), CellFault> {
    const CODE: &str = "row.scene_id";
    // Nearly every name is plain; the rules below are for the others.
    if text.len() <= MAX_SCENE_ID_CHARS
        && !text.starts_with(' ')
        && !text.is_empty()
        && sanitize::is_plain(text)
    {
        return Ok(());
    }
    if text.trim().is_empty() {
        return Err(CellFault::new(CODE, "scene_id must not be blank", "only blanks", CORRECT));
    }
    if text.len() > MAX_SCENE_ID_CHARS && text.chars().count() > MAX_SCENE_ID_CHARS {
        let title = format!("scene_id must have at most {MAX_SCENE_ID_CHARS} characters");
        let label = format!("{} characters", text.chars().count());
        return Err(CellFault::new(CODE, title, label, "shorten the name"));
    }
    match text.chars().find(|character| sanitize::is_hazard(*character)) {
        None => Ok(()),
        Some(hazard) => Err(CellFault::new(
            CODE,
            "scene_id must not have control or invisible characters",
            format!("has U+{:04X}", u32::from(hazard)),
            "remove the character",
        )),
    }
}

/// Whether a prompt is good, has no places, and is so at the first glance, as nearly all are.
pub fn is_simple_prompt(text: &str) -> bool {
    text.as_bytes().first().is_some_and(u8::is_ascii_graphic)
        && text.len() <= MAX_PROMPT_CHARS
        && memchr::memchr2(0, b'{', text.as_bytes()).is_none()
}

/// Checks a prompt, filled or not.
///
/// # Errors
/// When it is blank, too long or has a NUL.
pub fn check_prompt(text: &str) -> Result<(), CellFault> {
    const CODE: &str = "row.prompt";
    if text.trim_start().is_empty() {
        let label = if text.is_empty() { "empty" } else { "only blanks" };
        return Err(CellFault::new(CODE, "prompt must not be empty", label, "write a prompt"));
    }
    if text.len() > MAX_PROMPT_CHARS && text.chars().count() > MAX_PROMPT_CHARS {
        return Err(prompt_too_long(format!("{} characters", text.chars().count())));
    }
    if memchr::memchr(0, text.as_bytes()).is_some() {
        let title = "prompt must not have a NUL character";
        return Err(CellFault::new(CODE, title, "has U+0000", "remove the character"));
    }
    Ok(())
}

/// The fault of a prompt over its limit.
pub fn prompt_too_long(label: impl Into<Cow<'static, str>>) -> CellFault {
    let title = format!("prompt must have at most {MAX_PROMPT_CHARS} characters");
    CellFault::new("row.prompt", title, label, "shorten the prompt")
}

/// Reads the number of variants; an empty cell is one.
///
/// # Errors
/// When it is no plain whole number from 1 to 10.
pub fn parse_variants(text: &str) -> Result<Variants, CellFault> {
    if text.is_empty() {
        return Ok(Variants::ONE);
    }
    text.parse().map_err(|error| {
        let label = match error {
            VariantsError::NotANumber if text.trim().parse::<Variants>().is_ok() => {
                "has blanks around the number"
            }
            VariantsError::NotANumber => "not a number",
            VariantsError::OutOfRange => "out of range",
        };
        let title = format!("variants must be a whole number from 1 to {MAX_VARIANTS}");
        CellFault::new("row.variants", title, label, CORRECT)
    })
}

/// Reads the part that a row takes in a canary; an empty cell leaves it to the order.
///
/// # Errors
/// When it is none of the three words.
pub fn parse_canary(text: &str) -> Result<CanaryChoice, CellFault> {
    match text {
        "" | "auto" => Ok(CanaryChoice::Auto),
        "always" => Ok(CanaryChoice::Always),
        "never" => Ok(CanaryChoice::Never),
        _ => {
            let title = "canary must be auto, always or never";
            Err(CellFault::new("row.canary", title, "unknown word", CORRECT))
        }
    }
}

/// Reads a seed.
///
/// # Errors
/// When it is no plain whole number of 64 bits.
pub fn parse_seed(text: &str) -> Result<u64, CellFault> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or_else(|| {
        let title = "seed must be a whole number from 0 to 18446744073709551615";
        let label = if digits { "out of range" } else { "not a number" };
        CellFault::new("row.seed", title, label, CORRECT)
    })
}

/// Reads a priority.
///
/// # Errors
/// When it is no whole number of 64 bits.
pub fn parse_priority(text: &str) -> Result<i64, CellFault> {
    text.parse().map_err(|_| {
        let title = "priority must be a whole number, such as 5 or -1";
        CellFault::new("row.priority", title, "not a whole number", CORRECT)
    })
}

/// Reads the most that one image may cost.
///
/// # Errors
/// When it is no amount of dollars, or a negative one.
pub fn parse_max_cost(text: &str) -> Result<NanoUsd, CellFault> {
    const TITLE: &str = "max_cost must be an amount in dollars, such as 0.05 or $0.05";
    let fault = |label: &'static str| CellFault::new("row.max_cost", TITLE, label, CORRECT);
    let amount: NanoUsd = text.parse().map_err(|_| fault("not an amount"))?;
    if amount.is_negative() { Err(fault("below zero")) } else { Ok(amount) }
}

/// Checks a word such as a provider, a model, a size or a quality.
///
/// # Errors
/// When it is too long or has a character that no provider's word has.
pub fn check_word(code: &'static str, name: &'static str, text: &str) -> Result<(), CellFault> {
    if text.len() > MAX_WORD_BYTES {
        let title = format!("{name} must have at most {MAX_WORD_BYTES} characters");
        return Err(CellFault::new(code, title, "too long", CORRECT));
    }
    if text.bytes().all(|byte| IN_WORDS[usize::from(byte)]) {
        return Ok(());
    }
    let title = format!("{name} must be one word of letters, digits and . _ : / @ + -");
    Err(CellFault::new(code, title, "has another character", CORRECT))
}

/// Checks that a cell is one of a few words, and returns the word.
///
/// # Errors
/// When it is another word; the nearest one is suggested.
pub fn check_choice(
    code: &'static str,
    name: &'static str,
    choices: &'static [&'static str],
    text: &str,
) -> Result<&'static str, CellFault> {
    choices.iter().find(|choice| **choice == text).copied().ok_or_else(|| {
        let title = format!("{name} must be one of {}", choices.join(", "));
        let near = crate::domain::column::closest(&text.to_lowercase(), choices.iter().copied());
        let fix = match near {
            Some(near) => Cow::Owned(format!("did you mean \"{near}\"?")),
            None => Cow::Borrowed(CORRECT),
        };
        CellFault::new(code, title, "unknown word", fix)
    })
}

/// Checks a free text that is sent or echoed: its length, and that it has no NUL.
///
/// # Errors
/// When it is too long or has a NUL.
pub fn check_text(code: &'static str, name: &'static str, text: &str) -> Result<(), CellFault> {
    if text.len() > MAX_PROMPT_CHARS && text.chars().count() > MAX_PROMPT_CHARS {
        let title = format!("{name} must have at most {MAX_PROMPT_CHARS} characters");
        return Err(CellFault::new(code, title, "too long", "shorten the text"));
    }
    if memchr::memchr(0, text.as_bytes()).is_some() {
        let title = format!("{name} must not have a NUL character");
        return Err(CellFault::new(code, title, "has U+0000", "remove the character"));
    }
    Ok(())
}

/// Checks a wanted file name, which is kept and echoed.
///
/// # Errors
/// When it is too long or has a control or invisible character.
pub fn check_filename(text: &str) -> Result<(), CellFault> {
    let title = "filename must be a short name without control characters";
    let fault = |label: &'static str| CellFault::new("row.filename", title, label, CORRECT);
    if text.len() > MAX_FILENAME_BYTES {
        return Err(fault("too long"));
    }
    if text.chars().any(sanitize::is_hazard) {
        return Err(fault("has a control or invisible character"));
    }
    Ok(())
}

/// Checks one reference for its form.
///
/// # Errors
/// When it is neither an address that may be fetched nor a local path.
pub fn check_reference(text: &str) -> Result<ReferenceKind, CellFault> {
    ReferenceKind::of(text).map_err(|error| {
        let fix = match &error {
            ReferenceError::Scheme(_) => {
                "use https, http, gs, s3 or az, or a local path (./name if it has a colon)"
            }
            ReferenceError::UserInfo => "remove what stands before the @",
            ReferenceError::NetworkPath => "copy the file beside the rows, or write an address",
            ReferenceError::NoScheme => "write https:// before it",
            ReferenceError::Empty
            | ReferenceError::TooLong
            | ReferenceError::ControlCharacter
            | ReferenceError::Backslash
            | ReferenceError::NoHost
            | ReferenceError::Address(_) => CORRECT,
        };
        let words = match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        let label = sanitize::cut(&sanitize::one_line(&words), MAX_LABEL_CHARS).into_owned();
        let title = "a reference must be an address or a local path";
        CellFault::new("row.reference", title, label, fix)
    })
}

/// The items of a list cell: a JSON array of texts when it starts with `[`, else texts separated
/// by `|`; blanks around an item do not count, and empty items are left out.
///
/// # Errors
/// When the cell starts as a JSON array and is none of texts.
pub fn for_each_item(
    text: &str,
    mut each: impl FnMut(&str) -> Result<(), CellFault>,
) -> Result<(), CellFault> {
    let mut visit = |item: &str| match trim_blanks(item) {
        "" => Ok(()),
        item => each(item),
    };
    if !text.trim_start().starts_with('[') {
        let mut rest = text;
        while let Some(at) = memchr::memchr(b'|', rest.as_bytes()) {
            visit(&rest[..at])?;
            rest = &rest[at + 1..];
        }
        return visit(rest);
    }
    let items: Vec<Cow<'_, str>> = serde_json::from_str(text).map_err(|_| {
        let title = "a list must be texts separated by |, or a JSON array of texts";
        CellFault::new("row.list", title, "no JSON array of texts", CORRECT)
    })?;
    items.iter().try_for_each(|item| visit(item))
}

fn trim_blanks(text: &str) -> &str {
    if text.starts_with(' ') || text.ends_with(' ') { text.trim_matches(' ') } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label<T>(result: Result<T, CellFault>) -> String {
        result.err().map(|fault| fault.label.into_owned()).unwrap_or_default()
    }

    #[test]
    fn names_prompts_and_file_names_have_their_limits() {
        for (text, expect) in [
            ("BATCH 1", ""),
            ("日本", ""),
            ("   ", "only blanks"),
            ("a\u{1b}[2J", "has U+001B"),
            ("a\u{202e}b", "has U+202E"),
            ("a\nb", "has U+000A"),
        ] {
            assert_eq!(label(check_scene_id(text)), expect, "{text:?}");
        }
        assert_eq!(label(check_scene_id(&"ä".repeat(200))), "");
        assert_eq!(label(check_scene_id(&"ä".repeat(201))), "201 characters");
        assert_eq!(label(check_prompt("\n ")), "only blanks");
        assert_eq!(label(check_prompt(&"ä".repeat(32_000))), "");
        assert_eq!(label(check_prompt(&"ä".repeat(32_001))), "32001 characters");
        assert_eq!(label(check_prompt("a\0")), "has U+0000");
        assert_eq!(label(check_filename("a\nb")), "has a control or invisible character");
    }

    #[test]
    fn numbers_and_words_are_strict() {
        for (text, expect) in [
            ("", ""),
            ("10", ""),
            ("0", "out of range"),
            ("1000000000", "out of range"),
            ("-1", "not a number"),
            ("nine", "not a number"),
            ("2 ", "has blanks around the number"),
        ] {
            assert_eq!(label(parse_variants(text)), expect, "{text:?}");
        }
        assert_eq!(parse_seed("18446744073709551615"), Ok(u64::MAX));
        assert_eq!(label(parse_seed("18446744073709551616")), "out of range");
        assert_eq!(label(parse_seed("+1")), "not a number");
        assert_eq!(parse_priority("-3"), Ok(-3));
        assert_eq!(parse_max_cost("$0.05"), Ok(NanoUsd::from_nanos(50_000_000)));
        assert_eq!(label(parse_max_cost("-1")), "below zero");
        assert_eq!(label(parse_max_cost("1e3")), "not an amount");
        assert_eq!(parse_canary("always"), Ok(CanaryChoice::Always));
        assert_eq!(label(parse_canary("Yes")), "unknown word");
        assert_eq!(label(check_word("row.size", "size", "1024x1024")), "");
        assert_eq!(label(check_word("row.size", "size", "big one")), "has another character");
        let fault = check_choice("row.format", "format", &["png", "jpeg", "webp"], "jpg");
        assert_eq!(fault.expect_err("a fault").fix, "did you mean \"jpeg\"?");
    }

    #[test]
    fn lists_are_read_in_both_forms() {
        for (text, expect) in [
            ("", ""),
            ("a", "a"),
            (" a | b ||", "a,b"),
            ("[\"a|b\", \" c \", \"\"]", "a|b,c"),
            ("[]", ""),
        ] {
            let mut items = Vec::new();
            for_each_item(text, |item| {
                items.push(item.to_owned());
                Ok(())
            })
            .expect("a list");
            assert_eq!(items.join(","), expect, "{text:?}");
        }
        for text in ["[1]", "[\"a\"", "[[\"a\"]]"] {
            assert_eq!(label(for_each_item(text, |_| Ok(()))), "no JSON array of texts", "{text}");
        }
    }
}
