//! Values of settings as they may be shown: some can hold a secret, or one that was put into the
//! wrong place.

use std::borrow::Cow;

use crate::cli::key_source::is_variable_name;
use crate::cli::layers::{API_KEY_ENV, BASE_URL, FETCH_PROXY, REFRESH_ENDPOINT, Setting, Shape};

/// The text of a setting as it may be shown.
pub fn shown(setting: Setting, text: &str) -> Cow<'_, str> {
    if setting.shape() == Shape::Words {
        // Its further words may be as secret as the key that it prints.
        let first = text.trim_start_matches(['[', '"', ' ']).split(['"', ' ']).next();
        return format!("{} …", first.unwrap_or_default()).into();
    }
    if setting.key == API_KEY_ENV.key && !is_variable_name(text) {
        return "(no name of a variable)".into();
    }
    if [BASE_URL.key, FETCH_PROXY.key, REFRESH_ENDPOINT.key].contains(&setting.key)
        && let Some((user, place)) = text.rsplit_once('@')
    {
        let scheme = user.split_once("//").map_or("", |(scheme, _)| scheme);
        return format!("{scheme}//…@{place}").into();
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::layers::{API_KEY_COMMAND, MODEL};

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
            (MODEL, "a@b", "a@b"),
        ] {
            assert_eq!(shown(setting, text), expect, "{text}");
        }
    }
}
