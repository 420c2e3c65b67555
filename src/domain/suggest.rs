//! "Did you mean": the known word that looks most like a misspelt one.

/// Below this two words have little in common; the usual bound for typing errors.
const ALIKE: f64 = 0.75;

/// The known word that looks most like `word`, if one does.
pub fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_finds_its_word() {
        let known = ["errors", "latency", "refusals"];
        for (word, expect) in
            [("eror", Some("errors")), ("latncy", Some("latency")), ("zzz", None), ("", None)]
        {
            assert_eq!(closest(word, known), expect, "{word}");
        }
    }
}
