//! File names: a stem for the files of a row that every file system takes as it stands.

use std::borrow::Cow;

use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

/// The most bytes of a stem: a variant, an extension and a temporary suffix still fit beside it
/// into the 143 bytes that encrypted home folders leave of a file name.
pub const MAX_STEM_BYTES: usize = 80;
/// The most bytes of a part of a name from a template: a digest that sets it apart from another
/// one, the extension of a sidecar and a temporary suffix still fit into those 143 bytes.
pub const MAX_PART_BYTES: usize = 120;
/// Hexadecimal digits of the digest that marks a changed name.
const MARK_DIGITS: usize = 8;

/// The bytes that stems consist of, as a table.
const IN_STEMS: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = is_plain(byte as char);
        byte += 1;
    }
    table
};

/// The stem of the file names of a row: its name when that is fit to be one, else a slug of it
/// with a short digest, so that two names which look alike still get different files.
///
/// The stem consists of `[A-Za-z0-9._-]`, has 1 to 80 bytes, starts and ends without a dot and is
/// no device name of Windows; so it never leaves the folder that it is put into.
pub fn file_stem(scene_id: &str) -> Cow<'_, str> {
    if is_fit(scene_id.as_bytes()) {
        return Cow::Borrowed(scene_id);
    }
    let composed: String = scene_id.nfc().collect();
    let slug = slug_of(&composed, MAX_STEM_BYTES - MARK_DIGITS - 2);
    let guard = if is_device(slug.as_bytes()) { "_" } else { "" };
    let blank = if slug.is_empty() { "row" } else { "" };
    Cow::Owned(format!("{guard}{blank}{slug}-{}", mark(&composed)))
}

/// A text as a part of a file name, of at most so many bytes: letters, digits, points, `_` and
/// `-`, and one `-` for all that stands between them. It may be empty, and two texts may have the
/// same slug.
pub fn slug(text: &str, max_bytes: usize) -> Cow<'_, str> {
    let is_slug = text.len() <= max_bytes
        && text.bytes().all(|byte| IN_STEMS[usize::from(byte)])
        && !text.starts_with(['.', '-'])
        && !text.ends_with(['.', '-']);
    if is_slug {
        return Cow::Borrowed(text);
    }
    Cow::Owned(slug_of(&text.nfc().collect::<String>(), max_bytes))
}

fn slug_of(composed: &str, max_bytes: usize) -> String {
    let mut slug = String::with_capacity(max_bytes.min(composed.len()));
    for character in composed.chars() {
        if slug.is_empty() && !character.is_alphanumeric() && character != '_' {
            // It is trimmed away, and takes no room from what follows.
        } else if is_plain(character) {
            slug.push(character);
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= max_bytes {
            break;
        }
    }
    slug.trim_matches(['.', '-']).to_owned()
}

/// A folder's or a file's name that is put together from slugs, made fit to be one: it does not
/// begin or end with a point, is no device name of Windows, and has at most [`MAX_PART_BYTES`]
/// bytes, with a short digest in the place of what was cut off. A `*` in it stands for `n_digits`
/// digits.
pub fn fit_part(part: &str, n_digits: u8) -> Cow<'_, str> {
    let trimmed = part.trim_matches('.');
    let guard = if trimmed.is_empty() || is_device(trimmed.as_bytes()) { "_" } else { "" };
    let more = if trimmed.contains('*') { usize::from(n_digits).saturating_sub(1) } else { 0 };
    if guard.len() + trimmed.len() + more <= MAX_PART_BYTES {
        return match guard {
            "" => Cow::Borrowed(trimmed),
            guard => Cow::Owned(format!("{guard}{trimmed}")),
        };
    }
    let room = MAX_PART_BYTES - guard.len() - more - MARK_DIGITS - 1;
    let cut: String = trimmed.chars().take(room).collect();
    Cow::Owned(format!("{guard}{cut}-{}", mark(part)))
}

/// The stem as a disk sees it that does not tell upper from lower case: two rows with the same
/// folded stem would write the same files on Windows and macOS.
pub fn folded_stem(scene_id: &str) -> String {
    file_stem(scene_id).to_ascii_lowercase()
}

/// Whether the bytes can be a stem as they are.
pub fn is_fit(name: &[u8]) -> bool {
    (1..=MAX_STEM_BYTES).contains(&name.len())
        && name.iter().all(|byte| IN_STEMS[usize::from(*byte)])
        && !name.starts_with(b".")
        && !name.ends_with(b".")
        && !is_device(name)
}

/// Whether every file system takes the character in a name, and no shell or address means
/// something by it.
pub const fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-')
}

/// Whether Windows would open a device: what counts is the part before the first dot.
fn is_device(name: &[u8]) -> bool {
    // Most names are told apart by their first letter.
    if !matches!(
        name.first(),
        Some(b'a' | b'A' | b'c' | b'C' | b'l' | b'L' | b'n' | b'N' | b'p' | b'P')
    ) {
        return false;
    }
    let base = name.split(|byte| *byte == b'.').next().unwrap_or_default();
    match base.len() {
        3 => [b"con", b"prn", b"aux", b"nul"].iter().any(|word| base.eq_ignore_ascii_case(*word)),
        4 => {
            base[3].is_ascii_digit()
                && [b"com", b"lpt"].iter().any(|word| base[..3].eq_ignore_ascii_case(*word))
        }
        _ => false,
    }
}

fn mark(composed: &str) -> String {
    Sha256::digest(composed.as_bytes()).iter().take(MARK_DIGITS / 2).map(hex_pair).collect()
}

fn hex_pair(byte: &u8) -> String {
    format!("{byte:02x}")
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_fit_name_is_kept() {
        for name in ["BATCH-001", "a.b_c-d", "-x", "_", "console", "com", "com10", "lptx"] {
            assert_eq!(file_stem(name), name);
        }
        assert_eq!(file_stem(&"x".repeat(80)), "x".repeat(80));
    }

    #[test]
    fn an_unfit_name_becomes_a_slug_with_a_mark() {
        for (name, slug) in [
            ("../../x", "x"),
            ("/etc/passwd", "etc-passwd"),
            ("C:\\x", "C-x"),
            ("a\0b", "a-b"),
            ("CON", "_CON"),
            ("aux.png", "_aux.png"),
            ("com7", "_com7"),
            ("LPT1.tar.gz", "_LPT1.tar.gz"),
            ("dot.", "dot"),
            ("space ", "space"),
            (".hidden", "hidden"),
            ("..", "row"),
            ("日本", "row"),
            ("red shoe (left)", "red-shoe-left"),
        ] {
            let stem = file_stem(name);
            let (head, mark) = stem.rsplit_once('-').expect("a mark");
            assert_eq!(head, slug, "{name:?}");
            assert_eq!(mark.len(), MARK_DIGITS, "{name:?}");
        }
        assert!(file_stem(&"y".repeat(300)).len() <= MAX_STEM_BYTES);
    }

    #[test]
    fn composed_and_decomposed_names_share_a_stem_and_others_do_not() {
        assert_eq!(file_stem("caf\u{e9}"), file_stem("cafe\u{301}"));
        assert_ne!(file_stem("a b"), file_stem("a  b"));
        assert_eq!(folded_stem("Scene-A"), folded_stem("scene-a"));
    }

    proptest! {
        #[test]
        fn a_stem_is_one_plain_component(name in any::<String>()) {
            let stem = file_stem(&name);
            prop_assert!(is_fit(stem.as_bytes()), "{stem:?}");
            let path = Path::new("out").join(format!("{stem}-v1.png"));
            prop_assert!(path.components().all(|part| matches!(part, Component::Normal(_))));
            prop_assert_eq!(path.components().count(), 2);
        }

        #[test]
        fn a_stem_is_its_own_stem(name in "[a-zA-Z0-9./\\\\ _:-]{0,100}") {
            let stem = file_stem(&name).into_owned();
            prop_assert_eq!(file_stem(&stem), stem.as_str());
        }
    }
}
