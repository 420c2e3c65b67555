//! What must never be shown, wherever it comes from: keys, and signatures of addresses.

/// Every key of the tests begins so.
const KEY: &str = "sk-";
/// How many letters make a key of it; a masked one has fewer.
const KEY_LETTERS: usize = 6;
/// The parameters that let whoever has them in, as they are written in addresses.
const SIGNATURES: [&str; 6] = [
    "X-Amz-Signature=",
    "X-Amz-Security-Token=",
    "X-Goog-Signature=",
    "Signature=",
    "?sig=",
    "&sig=",
];

/// The first key or signature in a text, from where it begins.
pub(crate) fn secret_in(text: &str) -> Option<&str> {
    let key = starts(text, KEY).find(|from| {
        let before = text[..*from].chars().next_back();
        let letters = text[from + KEY.len()..].bytes();
        let n = letters.take_while(|it| it.is_ascii_alphanumeric() || *it == b'-').count();
        n >= KEY_LETTERS && !before.is_some_and(char::is_alphanumeric)
    });
    let signature = SIGNATURES.iter().find_map(|name| {
        starts(text, name).find(|from| {
            let value = text[from + name.len()..].bytes().next();
            value.is_some_and(|it| it.is_ascii_alphanumeric() || matches!(it, b'%' | b'+' | b'/'))
        })
    });
    key.into_iter().chain(signature).min().map(|from| &text[from..])
}

fn starts<'a>(text: &'a str, part: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(part).map(|(from, _)| from)
}

#[test]
fn keys_and_signatures_are_found_and_masked_ones_are_not() {
    let shown = [
        "the key sk-canary-0123456789",
        "https://a.example/x?X-Amz-Signature=5ec2e7",
        "https://a.example/x?a=1&sig=%2Bab",
        "https://a.example/x?Expires=1&Signature=abc~",
    ];
    for text in shown {
        assert!(secret_in(text).is_some(), "{text}");
    }
    for text in ["sk-…9Q2x", "disk-0123456789", "?sig=…", "Signature=…&a", "task-abcdefgh"] {
        assert_eq!(secret_in(text), None, "{text}");
    }
}
