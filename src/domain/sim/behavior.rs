//! What the rehearsal server does with a request: what the engine draws, or what a magic word in
//! the prompt says.

use std::time::Duration;

use crate::domain::sim::SimKind;

/// What a server does beyond what the engine draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behavior {
    /// As the engine says.
    Kind(SimKind),
    /// The content policy refuses the finished image, and the bill is kept open.
    RefusedOutput,
    /// An error of this status and structured code.
    Error {
        /// The HTTP status.
        status: u16,
        /// The structured code.
        code: &'static str,
    },
    /// One image fewer than asked for.
    Short,
    /// One image more than asked for.
    Extra,
    /// The answer leads to another address.
    Redirect,
    /// An error whose text echoes the prompt and the key.
    Echo,
    /// A page of a proxy, with status 200.
    Html,
    /// A bill of a hundred times the tokens.
    Overrun,
    /// An answer of another shape, with the image as data in it.
    OddShape,
    /// An image with something wrong in it.
    Odd(Oddity),
}

/// What can be wrong in an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oddity {
    /// Its file breaks off.
    CutOff,
    /// It is black all over.
    Blank,
    /// It is half as wide and half as high as was asked for.
    Small,
    /// It is the same one every time.
    Twin,
}

/// Every magic word with its behavior and what it means, for help and documentation.
pub const MAGIC_WORDS: &[(&str, Behavior, &str)] = &[
    ("500", Behavior::Kind(SimKind::ServerError), "a server error; billed"),
    (
        "429",
        Behavior::Kind(SimKind::RateLimited { retry_after: Duration::from_secs(1) }),
        "too many requests, Retry-After: 1",
    ),
    ("hang", Behavior::Kind(SimKind::TimedOut), "accepts and never answers; billed"),
    ("drop", Behavior::Kind(SimKind::Dropped), "closes the connection without an answer; billed"),
    ("truncated", Behavior::Kind(SimKind::Truncated), "closes it in mid-answer; billed"),
    ("malformed", Behavior::Kind(SimKind::Malformed), "a whole answer of broken JSON; billed"),
    ("empty", Behavior::Kind(SimKind::Empty), "no image, no usage; billed"),
    ("short", Behavior::Short, "one image fewer than asked for; billed as asked"),
    ("extra", Behavior::Extra, "one image more than asked for; billed as asked"),
    ("not-an-image", Behavior::Kind(SimKind::NotAnImage), "bytes that are no image; billed"),
    ("zero-usage", Behavior::Kind(SimKind::NoUsage), "an image with a usage of zeros; billed"),
    ("overrun", Behavior::Overrun, "an image with a hundred times the usage, and the bill"),
    ("odd-shape", Behavior::OddShape, "an answer of a shape that nobody knows; billed"),
    ("cut-off", Behavior::Odd(Oddity::CutOff), "an image whose file breaks off; billed"),
    ("blank", Behavior::Odd(Oddity::Blank), "a black image; billed"),
    ("small", Behavior::Odd(Oddity::Small), "an image of half the size asked for; billed"),
    ("twin", Behavior::Odd(Oddity::Twin), "the same image every time; billed"),
    ("html", Behavior::Html, "a proxy's page with status 200; not billed"),
    ("refused", Behavior::Kind(SimKind::Refused), "refused by policy, input stage; not billed"),
    ("refused-output", Behavior::RefusedOutput, "refused by policy, output stage; billed"),
    ("400", Behavior::Error { status: 400, code: "invalid_value" }, "an invalid request"),
    ("401", Behavior::Error { status: 401, code: "invalid_api_key" }, "a key that is refused"),
    ("402", Behavior::Error { status: 402, code: "payment_required" }, "no credit left"),
    (
        "quota",
        Behavior::Error { status: 429, code: "credit_balance_exhausted" },
        "no credit left, with status 429",
    ),
    ("403", Behavior::Error { status: 403, code: "forbidden" }, "a key that may not do this"),
    ("404", Behavior::Error { status: 404, code: "model_not_found" }, "no such model"),
    ("redirect", Behavior::Redirect, "a redirect to another address"),
    ("echo", Behavior::Echo, "an error that repeats prompt and key"),
];

/// A magic word as it stands in a prompt: `[sim:500]`, or `[sim:500 x2]` for the first two
/// requests with that prompt only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MagicWord {
    /// What it stands for.
    pub behavior: Behavior,
    /// For how many requests; all when it does not say.
    pub times: Option<u32>,
}

/// A magic word that is none: a test that means it would pass for the wrong reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a magic word ({n_letters} letters, at byte {at} of the prompt) that is not known; \
     imagemill sim --help lists them"
)]
pub struct NoMagicWord {
    /// Where it stands; it is not repeated, since clients leave out of a message what stands in
    /// their prompt.
    at: usize,
    /// How long it is.
    n_letters: usize,
}

impl MagicWord {
    /// The magic word of a prompt; the first one counts.
    ///
    /// # Errors
    /// When the prompt has one that is not known.
    pub fn find(prompt: &str) -> Result<Option<Self>, NoMagicWord> {
        let Some((before, rest)) = prompt.split_once("[sim:") else { return Ok(None) };
        let body = rest.split_once(']').map_or(rest, |(body, _)| body);
        let (word, times) = match body.split_once(" x") {
            Some((word, times)) => (word, Some(times.parse().ok())),
            None => (body, None),
        };
        let known = MAGIC_WORDS.iter().find(|(known, ..)| *known == word);
        match (known, times) {
            (Some((_, behavior, _)), None) => Ok(Some(Self { behavior: *behavior, times: None })),
            (Some((_, behavior, _)), Some(Some(times))) => {
                Ok(Some(Self { behavior: *behavior, times: Some(times) }))
            }
            _ => Err(NoMagicWord { at: before.len(), n_letters: body.chars().count() }),
        }
    }

    /// Whether it counts for the `nth` (from 1) request with that prompt.
    pub fn applies_to(&self, nth: u32) -> bool {
        self.times.is_none_or(|times| nth <= times)
    }
}

impl Behavior {
    /// Whether the work is done, so that the simulator bills it.
    pub const fn is_billed(self) -> bool {
        match self {
            Self::Kind(kind) => match kind {
                SimKind::Image
                | SimKind::ServerError
                | SimKind::TimedOut
                | SimKind::NotAnImage
                | SimKind::Dropped
                | SimKind::Truncated
                | SimKind::Malformed
                | SimKind::Empty
                | SimKind::NoUsage => true,
                SimKind::RateLimited { .. } | SimKind::Refused | SimKind::BadRequest => false,
            },
            Self::RefusedOutput
            | Self::Short
            | Self::Extra
            | Self::Overrun
            | Self::OddShape
            | Self::Odd(_) => true,
            Self::Error { .. } | Self::Redirect | Self::Echo | Self::Html => false,
        }
    }

    /// A short word for counters.
    pub fn word(self) -> &'static str {
        if let Self::Kind(SimKind::Image) = self {
            return "image";
        }
        let is_same = |known: Self| match (known, self) {
            // How long to wait makes no other word.
            (Self::Kind(SimKind::RateLimited { .. }), Self::Kind(SimKind::RateLimited { .. })) => {
                true
            }
            (Self::Error { status: 400, .. }, Self::Kind(SimKind::BadRequest)) => true,
            (known, this) => known == this,
        };
        let known = MAGIC_WORDS.iter().find(|(_, behavior, _)| is_same(*behavior));
        known.map_or("error", |(word, ..)| *word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magic_words_are_found_in_a_prompt() {
        let find = |prompt: &str| {
            MagicWord::find(prompt).map(|word| word.map(|it| (it.behavior.word(), it.times)))
        };
        for (prompt, expect) in [
            ("a cat", Ok(None)),
            ("a cat [sim:500]", Ok(Some(("500", None)))),
            ("[sim:429 x2] a cat", Ok(Some(("429", Some(2))))),
            ("[sim:drop] [sim:500]", Ok(Some(("drop", None)))),
            ("sim:500", Ok(None)),
            ("[sim:refuse] a cat", Err((0, 6))),
            ("a [sim:500 x]", Err((2, 5))),
            ("[sim:500 x1.5]", Err((0, 8))),
            ("[sim:500 and no end", Err((0, 14))),
            ("[sim:]", Err((0, 0))),
        ] {
            let expect = expect.map_err(|(at, n_letters)| NoMagicWord { at, n_letters });
            assert_eq!(find(prompt), expect, "{prompt}");
        }
    }

    #[test]
    fn a_count_ends_the_magic() {
        let word = MagicWord::find("[sim:500 x2]").expect("known").expect("a word");
        assert_eq!([1, 2, 3].map(|nth| word.applies_to(nth)), [true, true, false]);
    }

    #[test]
    fn every_word_is_its_own() {
        for (word, behavior, meaning) in MAGIC_WORDS {
            assert_eq!(behavior.word(), *word);
            assert!(!meaning.is_empty());
            assert_eq!(
                MagicWord::find(&format!("[sim:{word}]")).map(|it| it.map(|it| it.behavior)),
                Ok(Some(*behavior))
            );
        }
    }
}
