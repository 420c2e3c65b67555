//! "Did you mean": the known word that looks most like a misspelt one.

/// Below this two words have little in common; the usual bound for typing errors.
const ALIKE: f64 = 0.75;
/// One slip of a finger in a word of at least this many bytes is alike whatever the bound says:
/// the bound is too strict for short words.
const SHORT_WORD: usize = 3;

/// The known word that looks most like `word`, if one does.
pub fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, candidate)| *likeness >= ALIKE || is_one_slip(word, candidate))
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, candidate)| candidate)
}

/// The end of a sentence that offers a correction.
pub(crate) fn did_you_mean(suggestion: &Option<String>) -> String {
    suggestion.as_ref().map(|known| format!("; did you mean {known:?}?")).unwrap_or_default()
}

fn is_one_slip(word: &str, candidate: &str) -> bool {
    word.len() >= SHORT_WORD && strsim::osa_distance(word, candidate) <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_finds_its_word() {
        let known = ["errors", "latency", "refusals", "xai"];
        for (word, expect) in [
            ("xia", Some("xai")),
            ("eror", Some("errors")),
            ("latncy", Some("latency")),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(closest(word, known), expect, "{word}");
        }
    }
}
