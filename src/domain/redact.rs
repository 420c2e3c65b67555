//! Keeps what must stay secret out of foreign text: a server's error may echo the key or the
//! prompt, whole or in part.

use std::borrow::Cow;

use crate::domain::sanitize;

/// The most characters of a foreign message that are shown.
pub const MAX_MESSAGE_CHARS: usize = 300;

/// Stands where something was left out.
const LEFT_OUT: &str = "[…]";

/// A run of so many bytes that a message shares with a secret is an echo of it.
const SHARED_BYTES: usize = 8;

/// A word of so many letters and digits may be a signature or the name of a key.
const TOKEN_BYTES: usize = 16;

/// How keys begin at the vendors whose servers echo a part of them, and how they go on.
const KEY_MARKS: &[&str] = &["sk-", "key-", "Bearer "];

/// The message fit for a log: one line, cut, and without anything that it shares with a secret.
///
/// A secret shorter than 8 bytes is left out where it stands as a whole and has at
/// least four; a longer one wherever the message has 8 bytes in a row of it.
pub fn redact(message: &str, secrets: &[&str]) -> String {
    let hidden = hidden(message, secrets);
    let mut shown = String::with_capacity(message.len());
    let mut was_hidden = false;
    for (at, one) in message.char_indices() {
        // A character is hidden when any byte of it is.
        let is_hidden = hidden[at..at + one.len_utf8()].contains(&true);
        match (is_hidden, was_hidden) {
            (true, false) => shown.push_str(LEFT_OUT),
            (true, true) => {}
            (false, _) => shown.push(one),
        }
        was_hidden = is_hidden;
    }
    let line = sanitize::one_line(shown.trim()).into_owned();
    sanitize::cut(&line, MAX_MESSAGE_CHARS).into_owned()
}

/// The text of a stranger who was told a signed address, without what may be a part of one: what
/// follows `?`, the value of each `name=value`, and long words of letters and digits.
pub fn without_values(text: &str) -> String {
    text.split_whitespace().map(without_value).collect::<Vec<_>>().join(" ")
}

/// A word without what may sign something.
fn without_value(word: &str) -> Cow<'_, str> {
    if let Some(at) = word.find(['?', '=']) {
        let (name, value) = word.split_at(at);
        return format!("{}{}{LEFT_OUT}", without_value(name), &value[..1]).into();
    }
    let is_part = |one: char| one.is_ascii_alphanumeric() || "+_-%~".contains(one);
    let is_token =
        |part: &str| part.len() >= TOKEN_BYTES && part.bytes().any(|byte| byte.is_ascii_digit());
    if !word.split(|one| !is_part(one)).any(is_token) {
        return word.into();
    }
    let parts = word.split_inclusive(|one| !is_part(one));
    let shown = parts.map(|part| match is_token(part.trim_end_matches(|one| !is_part(one))) {
        true => LEFT_OUT,
        false => part,
    });
    shown.collect::<String>().into()
}

/// Whether there is anything in the message that [`redact`] leaves out.
pub fn has_secret(message: &str, secrets: &[&str]) -> bool {
    hidden(message, secrets).contains(&true)
}

/// Which bytes of the message are left out.
fn hidden(message: &str, secrets: &[&str]) -> Vec<bool> {
    let mut hidden = vec![false; message.len()];
    for secret in secrets {
        hide_shared(message.as_bytes(), secret.as_bytes(), &mut hidden);
    }
    hide_keys(message, &mut hidden);
    hidden
}

/// The bytes of an answer that are to be kept, with every run left out that they share with a key.
/// Where the key stands in it in letters that are written by their numbers, nothing is kept.
pub fn without_key(answer: Vec<u8>, key: &str) -> Vec<u8> {
    let mut hidden = vec![false; answer.len()];
    hide_shared(&answer, key.as_bytes(), &mut hidden);
    if let Some(plain) = unescaped(&answer) {
        let mut also = vec![false; plain.len()];
        hide_shared(&plain, key.as_bytes(), &mut also);
        let n_hidden = |marks: &[bool]| marks.iter().filter(|is_hidden| **is_hidden).count();
        if n_hidden(&also) > n_hidden(&hidden) {
            return b"[this answer had the key in it]".to_vec();
        }
    }
    if !hidden.contains(&true) {
        return answer;
    }
    let mut kept = Vec::with_capacity(answer.len());
    let mut was_hidden = false;
    for (byte, is_hidden) in answer.into_iter().zip(hidden) {
        match (is_hidden, was_hidden) {
            (true, false) => kept.extend_from_slice(b"[key]"),
            (true, true) => {}
            (false, _) => kept.push(byte),
        }
        was_hidden = is_hidden;
    }
    kept
}

/// The bytes with the letters of JSON that are written by their numbers (`\u0073`) as themselves;
/// nothing when there are none.
fn unescaped(bytes: &[u8]) -> Option<Vec<u8>> {
    const MARK: &[u8] = b"\\u00";
    let mut plain = Vec::new();
    let mut rest = bytes;
    while let Some(at) = memchr::memmem::find(rest, MARK) {
        let digits = rest.get(at + MARK.len()..at + MARK.len() + 2);
        let letter = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        plain.extend_from_slice(&rest[..at]);
        match letter {
            Some(letter) => {
                plain.push(letter);
                rest = &rest[at + MARK.len() + 2..];
            }
            None => {
                plain.extend_from_slice(MARK);
                rest = &rest[at + MARK.len()..];
            }
        }
    }
    if plain.is_empty() && rest.len() == bytes.len() {
        return None;
    }
    plain.extend_from_slice(rest);
    Some(plain)
}

/// A short structured word of a foreign answer, such as an error code; nothing when it is none.
pub fn code_word(text: &str) -> Option<&str> {
    const MOST: usize = 64;
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let fits = !text.is_empty() && text.len() <= MOST && text.bytes().all(is_word);
    fits.then_some(text)
}

/// Marks every run of the message that stands in the secret too.
fn hide_shared(message: &[u8], secret: &[u8], hidden: &mut [bool]) {
    let shared = SHARED_BYTES.min(secret.len());
    if shared < 4 || message.len() < shared {
        return;
    }
    // The shorter of the two is sorted, and the longer one looked up in it: a prompt may have
    // thousands of letters where an identifier has a few.
    if message.len() < secret.len() {
        let mut runs: Vec<(u64, usize)> = run_numbers(message, shared).zip(0..).collect();
        runs.sort_unstable();
        for run in run_numbers(secret, shared) {
            let first = runs.partition_point(|(known, _)| *known < run);
            for (_, at) in runs[first..].iter().take_while(|(known, _)| *known == run) {
                hidden[*at..at + shared].fill(true);
            }
        }
    } else {
        let mut runs: Vec<u64> = run_numbers(secret, shared).collect();
        runs.sort_unstable();
        for (run, at) in run_numbers(message, shared).zip(0..) {
            if runs.binary_search(&run).is_ok() {
                hidden[at..at + shared].fill(true);
            }
        }
    }
}

/// Every run of `shared` bytes, at most eight, as a number that no other run has.
fn run_numbers(bytes: &[u8], shared: usize) -> impl Iterator<Item = u64> + '_ {
    let number = |run: &[u8]| run.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    bytes.windows(shared).map(number)
}

/// Marks what looks like a key, even a masked one such as `sk-ab***yz`.
fn hide_keys(message: &str, hidden: &mut [bool]) {
    for mark in KEY_MARKS {
        for (at, _) in message.match_indices(mark) {
            let body = &message[at + mark.len()..];
            let ends = |one: char| one.is_whitespace() || "'\"`,;:)]}<>".contains(one);
            let end = body.find(ends).unwrap_or(body.len());
            hidden[at..at + mark.len() + end].fill(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PROMPT: &str = "a red fox that CANARY-7f3a sees in the snow, at dawn";

    #[test]
    fn echoes_are_left_out_whole_or_in_part() {
        let check = |message: &str, expect: &str| {
            assert_eq!(redact(message, &[PROMPT, "topsecretkey"]), expect, "{message:?}");
        };
        check("Invalid size '123x1'.", "Invalid size '123x1'.");
        check(&format!("bad prompt: {PROMPT}"), "bad prompt: […]");
        check("near 'CANARY-7f3a sees in'!", "near '[…]'!");
        check("your key topsecretkey is bad", "your key […] is bad");
        check("Incorrect API key provided: sk-ab***yz.", "Incorrect API key provided: […]");
        check("a\nb\x1b[31mc", "a␊b␛[31mc");
    }

    #[test]
    fn a_key_is_taken_out_of_what_is_kept() {
        let check = |answer: &str, expect: &str| {
            let kept = without_key(answer.as_bytes().to_vec(), "sk-0123456789abcdef");
            assert_eq!(String::from_utf8_lossy(&kept), expect, "{answer}");
        };
        check("{\"a\":1}", "{\"a\":1}");
        check("{\"k\":\"sk-0123456789abcdef\"}", "{\"k\":\"[key]\"}");
        check("half: 456789abcd, and 0123", "half: [key], and 0123");
        check("\\u0041\\u00zz", "\\u0041\\u00zz");
        let gone = "[this answer had the key in it]";
        check("{\"k\":\"\\u0073k-0123456789abcdef\"}", gone);
        check("{\"k\":\"sk-01\\u003234\\u0035\\u00367\\u003889abcdef\"}", gone);
    }

    #[test]
    fn short_secrets_are_left_out_where_they_stand() {
        assert_eq!(redact("the word cats is bad", &["cats"]), "the word […] is bad");
        assert_eq!(redact("an ox", &["ox"]), "an ox", "too short to be told from other text");
    }

    #[test]
    fn a_long_message_is_cut() {
        let long = "é".repeat(2_000);
        assert_eq!(redact(&long, &[]).chars().count(), MAX_MESSAGE_CHARS);
    }

    #[test]
    fn code_words_are_short_and_plain() {
        for (text, good) in [
            ("moderation_blocked", true),
            ("rate_limit_exceeded", true),
            ("", false),
            ("a b", false),
            ("a\x1b", false),
        ] {
            assert_eq!(code_word(text).is_some(), good, "{text:?}");
        }
        assert_eq!(code_word(&"x".repeat(65)), None);
    }

    #[test]
    fn nothing_that_may_sign_is_left_in_what_a_stranger_says() {
        for (text, expect) in [
            ("no such object: a/b.png", "no such object: a/b.png"),
            ("signature=abc is bad", "signature=[…] is bad"),
            ("X-Amz-Signature=abc&x=1", "X-Amz-Signature=[…]"),
            ("x.example/a.png?sig=abc", "x.example/a.png?[…]"),
            ("token=a=b", "token=[…]"),
            ("key AKIAIOSFODNN7EXAMPLE, old", "key […] old"),
            ("(0123456789abcdef0123)", "([…]"),
            ("a/0123456789abcdef0123/b.png", "a/[…]b.png"),
            ("two  blanks\tand\nlines", "two blanks and lines"),
            ("temporarily-unavailable", "temporarily-unavailable"),
        ] {
            assert_eq!(without_values(text), expect, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_eight_bytes_of_a_secret_are_shown(
            before in "[a-zé ]{0,30}", secret in "[a-z0-9]{8,40}", after in "[A-Zé ]{0,30}",
        ) {
            let shown = redact(&format!("{before}{secret}{after}"), &[&secret]);
            for run in secret.as_bytes().windows(SHARED_BYTES) {
                let run = std::str::from_utf8(run).expect("ASCII");
                prop_assert!(!shown.contains(run), "{shown:?} has {run:?}");
            }
        }

        #[test]
        fn a_short_message_shows_no_part_of_a_long_secret(
            secret in "[a-z0-9]{60,200}", from in 0_usize..50, n in 8_usize..10,
            before in "[A-Z]{0,5}", after in "[A-Z]{0,5}",
        ) {
            let part = &secret[from..from + n];
            let shown = redact(&format!("{before}{part}{after}"), &[&secret]);
            prop_assert_eq!(shown, format!("{before}{LEFT_OUT}{after}"));
        }

        #[test]
        fn no_text_makes_it_fall_over(message in any::<String>(), secret in any::<String>()) {
            let _ = redact(&message, &[&secret]);
        }
    }
}
