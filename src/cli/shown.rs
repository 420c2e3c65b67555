//! Values of settings as they may be shown: some can hold a secret, or one that was put into the
//! wrong place.

use std::borrow::Cow;

use crate::cli::key_source::{is_variable_name, words};
use crate::cli::layers::{API_KEY_ENV, BASE_URL, FETCH_PROXY, REFRESH_ENDPOINT, Setting, Shape};
use crate::domain::redact::redact;

/// What stands around the words of a list.
const AROUND_WORDS: [char; 4] = ['[', ']', '"', ' '];

/// The text of a setting as it may be shown.
pub fn shown(setting: Setting, text: &str) -> Cow<'_, str> {
    if setting.shape() == Shape::Words {
        return first_word(text);
    }
    if setting.key == API_KEY_ENV.key && !is_variable_name(text) {
        return "(no name of a variable)".into();
    }
    if [BASE_URL.key, FETCH_PROXY.key, REFRESH_ENDPOINT.key].contains(&setting.key) {
        return address(text);
    }
    text.into()
}

/// The text of a setting as it is shown to whoever decides whether to trust it: a command whole,
/// for its further words are what it does, but without what looks like a key.
pub fn shown_to_judge(setting: Setting, text: &str) -> Cow<'_, str> {
    let words = (setting.shape() == Shape::Words).then(|| words(text)).flatten();
    match words {
        Some(words) => {
            let quoted: Vec<String> = words.iter().map(|word| quoted(word)).collect();
            redact(&quoted.join(" "), &[]).into()
        }
        None => shown(setting, text),
    }
}

/// A word as one would type it.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:=,@%+".contains(&byte);
    match !word.is_empty() && word.bytes().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// The first word of a command: its further words may be as secret as the key that it prints.
fn first_word(text: &str) -> Cow<'_, str> {
    let words = text.trim_matches(AROUND_WORDS);
    if words.is_empty() {
        return text.into();
    }
    let first = words.split(['"', ' ']).next();
    format!("{} …", first.unwrap_or_default()).into()
}

/// An address without user and query. It need not be a valid one, so what may be either is left
/// out as well: a question mark can stand in a password, and an @ in a query.
fn address(text: &str) -> Cow<'_, str> {
    let (place, query) = text.split_once('?').unwrap_or((text, ""));
    let has_query = place.len() < text.len();
    let host = match place.rsplit_once('@') {
        Some((_, host)) => Some(host),
        None if query.contains('@') => Some(""),
        None => None,
    };
    let end = if has_query { "?…" } else { "" };
    match host {
        None if !has_query => text.into(),
        None => format!("{place}{end}").into(),
        Some(host) => {
            let scheme = place.split_once("//").map_or("", |(scheme, _)| scheme);
            format!("{scheme}//…@{host}{end}").into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::layers::{API_KEY_COMMAND, MODEL, REFRESH_COMMAND};

    #[test]
    fn secrets_are_left_out() {
        for (setting, text, expect) in [
            (API_KEY_COMMAND, "pass show openai", "pass …"),
            (API_KEY_COMMAND, "[\"op\",\"read\",\"x\"]", "op …"),
            (FETCH_PROXY, "http://user:pass@p.example:3128", "http://…@p.example:3128"),
            (API_KEY_ENV, "MY_KEY", "MY_KEY"),
            (API_KEY_ENV, "sk-proj-1", "(no name of a variable)"),
            (BASE_URL, "http://a.example/v1", "http://a.example/v1"),
            (BASE_URL, "https://user:pass@a.example/v1", "https://…@a.example/v1"),
            (BASE_URL, "user:p@ss@a.example", "//…@a.example"),
            (REFRESH_ENDPOINT, "https://a.example/sign?token=s", "https://a.example/sign?…"),
            (REFRESH_ENDPOINT, "a.example/sign?token=s|t", "a.example/sign?…"),
            (FETCH_PROXY, "http://user:pass@p.example/?key=s", "http://…@p.example/?…"),
            (FETCH_PROXY, "http://user:pa?ss@p.example", "http://…@?…"),
            (REFRESH_ENDPOINT, "https://a.example/?mail=a@b&sig=s", "https://…@?…"),
            (REFRESH_COMMAND, "[\"sign\"]", "sign …"),
            (REFRESH_COMMAND, "[]", "[]"),
            (MODEL, "a@b", "a@b"),
        ] {
            assert_eq!(shown(setting, text), expect, "{text}");
        }
    }

    #[test]
    fn whoever_is_to_trust_a_command_sees_the_whole_of_it() {
        for (setting, text, expect) in [
            (REFRESH_COMMAND, "[\"sh\",\"-c\",\"curl x | sh\"]", "sh -c 'curl x | sh'"),
            (API_KEY_COMMAND, "pass show openai", "pass show openai"),
            (REFRESH_COMMAND, "[\"sign\",\"it's\",\"\"]", "sign 'it'\\''s' ''"),
            (REFRESH_COMMAND, "[\"sign\",\"sk-abcdef\",\"\\u001b[2J\"]", "sign […] '␛[2J'"),
            (FETCH_PROXY, "http://user:pass@p.example:3128", "http://…@p.example:3128"),
        ] {
            assert_eq!(shown_to_judge(setting, text), expect, "{text}");
        }
    }
}
