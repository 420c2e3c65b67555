//! What a look at an image tells: facts for gates and reports. It is paid whatever it looks like,
//! so none of them is a reason to drop it or to buy it again.

use std::fmt;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::digest::Sha256Digest;
use crate::domain::image::{StoredImage, sides};

/// Bits of two difference hashes of 64 that may differ in pictures that people take for the same:
/// the method's author calls up to ten of them similar; variants of one prompt often are.
const MAX_BITS: u32 = 3;

/// How far the mean colors of such pictures may lie apart, in steps of 256: the hash knows only
/// light and dark.
const MAX_COLOR: u8 = 10;

/// A picture so small that it can stand in a journal: a difference hash of 8 x 8 bits (N. Krawetz,
/// "Kind of Like That", 2013) and the mean color.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// The hash, row by row.
    pub hash: u64,
    /// Red, green and blue on average.
    pub color: [u8; 3],
}

impl Look {
    /// Whether people would take both for the same picture.
    pub fn is_like(&self, other: &Self) -> bool {
        let far =
            self.color.iter().zip(other.color).any(|(one, two)| one.abs_diff(two) > MAX_COLOR);
        !far && (self.hash ^ other.hash).count_ones() <= MAX_BITS
    }
}

impl fmt::Display for Look {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.color;
        write!(out, "{:016x}{red:02x}{green:02x}{blue:02x}", self.hash)
    }
}

impl Serialize for Look {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Look {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(input)?;
        let part = |from: usize, to: usize| {
            let digits =
                text.get(from..to).filter(|it| it.bytes().all(|it| it.is_ascii_hexdigit()));
            digits.and_then(|digits| u64::from_str_radix(digits, 16).ok())
        };
        let color = |from| part(from, from + 2).and_then(|it| u8::try_from(it).ok());
        let look = || {
            let color = [color(16)?, color(18)?, color(20)?];
            (text.len() == 22).then_some(Self { hash: part(0, 16)?, color })
        };
        look().ok_or_else(|| D::Error::custom("not 22 hexadecimal digits"))
    }
}

/// What is wrong with an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flaws {
    /// It does not decode.
    pub undecodable: bool,
    /// It has another size than was asked for.
    pub wrong_size: bool,
    /// It shows nothing: one color all over, or nothing that can be seen.
    pub blank: bool,
}

impl Flaws {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether gates count it as invalid.
    pub fn is_invalid(&self) -> bool {
        self.undecodable || self.wrong_size
    }

    /// The flaws as a journal and a sidecar name them.
    pub fn words(&self) -> impl Iterator<Item = &'static str> {
        let all = [
            (self.undecodable, "undecodable"),
            (self.wrong_size, "wrong-size"),
            (self.blank, "blank"),
        ];
        all.into_iter().filter(|(is_there, _)| *is_there).map(|(_, word)| word)
    }

    /// Adds the flaw of this name; what a newer version knows is passed over.
    fn add(&mut self, word: &str) {
        match word {
            "undecodable" => self.undecodable = true,
            "wrong-size" => self.wrong_size = true,
            "blank" => self.blank = true,
            _ => {}
        }
    }
}

impl Serialize for Flaws {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq(self.words())
    }
}

impl<'de> Deserialize<'de> for Flaws {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Words;
        impl<'de> Visitor<'de> for Words {
            type Value = Flaws;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a list of words")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut words: A) -> Result<Flaws, A::Error> {
                let mut flaws = Flaws::default();
                while let Some(word) = words.next_element::<std::borrow::Cow<'_, str>>()? {
                    flaws.add(&word);
                }
                Ok(flaws)
            }
        }
        input.deserialize_seq(Words)
    }
}

/// What decoding an image told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// It does not decode.
    Undecodable,
    /// It shows nothing, on so many pixels in width and height.
    Blank((u32, u32)),
    /// It shows something; how it looks is told where there is another one to compare it with.
    Picture((u32, u32), Option<Look>),
}

/// What is known of the looks of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImageCheck {
    /// What is wrong with it.
    pub flaws: Flaws,
    /// How it looks, when it shows anything.
    pub look: Option<Look>,
    /// The digest of its bytes, where it is known.
    pub sha256: Option<Sha256Digest>,
}

impl ImageCheck {
    /// Puts together what decoding told (nothing where nobody could look) and whether the size is
    /// the one that was asked for; a size that is the provider's own word fits every image.
    pub fn of(sight: Option<Sight>, asked_size: &str, image: &StoredImage) -> Self {
        // What was decoded is surer than a header, which may come late in the file.
        let decoded = match sight {
            Some(Sight::Blank(pixels) | Sight::Picture(pixels, _)) => Some(pixels),
            Some(Sight::Undecodable) | None => None,
        };
        let pixels = decoded.or(image.pixels);
        let wrong_size =
            sides(asked_size).zip(pixels).is_some_and(|(asked, pixels)| asked != pixels);
        let (undecodable, blank, look) = match sight {
            None => (false, false, None),
            Some(Sight::Undecodable) => (true, false, None),
            Some(Sight::Blank(_)) => (false, true, None),
            Some(Sight::Picture(_, look)) => (false, false, look),
        };
        let flaws = Flaws { undecodable, wrong_size, blank };
        Self { flaws, look, sha256: Some(image.sha256) }
    }
}

impl ImageCheck {
    /// Whether both are the same picture: by their bytes, or as people see them.
    fn is_like(&self, other: &Self) -> bool {
        let by_bytes = self.sha256.is_some() && self.sha256 == other.sha256;
        by_bytes || self.look.zip(other.look).is_some_and(|(one, two)| one.is_like(&two))
    }
}

/// How many images of a row are like one before them.
pub fn n_duplicates(checks: &[ImageCheck]) -> u32 {
    let is_one = |at: usize| checks[..at].iter().any(|before| checks[at].is_like(before));
    (1..checks.len()).map(|at| u32::from(is_one(at))).sum()
}

/// Which of the images of a row, by their places, each one is like: the first before it that
/// people would take for the same.
pub fn duplicates(checks: &[ImageCheck]) -> Vec<Option<usize>> {
    let like_before = |at: usize| checks[..at].iter().position(|it| checks[at].is_like(it));
    (0..checks.len()).map(like_before).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::image::ImageKind;

    const LOOK: Look = Look { hash: 0x0123_4567_89ab_cdef, color: [0, 128, 255] };

    #[test]
    fn a_look_is_twenty_two_digits() {
        let text = serde_json::to_string(&LOOK).expect("text");
        assert_eq!(text, "\"0123456789abcdef0080ff\"");
        assert_eq!(serde_json::from_str::<Look>(&text).expect("a look"), LOOK);
        for bad in ["\"\"", "\"0123456789abcdef0080f\"", "\"0123456789abcdef0080fff\"", "1"] {
            serde_json::from_str::<Look>(bad).expect_err(bad);
        }
        serde_json::from_str::<Look>("\"+123456789abcdef0080ff\"").expect_err("a sign");
        serde_json::from_str::<Look>("\"0123456789abcdeä0080f\"").expect_err("no digit");
    }

    #[test]
    fn flaws_are_words_and_unknown_ones_are_passed_over() {
        let flaws = Flaws { undecodable: false, wrong_size: true, blank: true };
        assert_eq!(serde_json::to_string(&flaws).expect("text"), r#"["wrong-size","blank"]"#);
        let read: Flaws = serde_json::from_str(r#"["blank","sepia","wrong-size"]"#).expect("flaws");
        assert_eq!(read, flaws);
        assert!(flaws.is_invalid() && !Flaws { blank: true, ..Flaws::default() }.is_invalid());
    }

    #[test]
    fn a_size_is_wrong_only_where_one_was_asked_for_and_is_known() {
        let check = |asked, pixels, expect| {
            let mut image = StoredImage {
                path: "x".into(),
                kind: ImageKind::Png,
                n_bytes: 1,
                sha256: Sha256Digest([7; 32]),
                pixels,
            };
            let wrong = |sight, image: &_| ImageCheck::of(sight, asked, image).flaws.wrong_size;
            assert_eq!(wrong(None, &image), expect, "{asked} {pixels:?}");
            image.pixels = None;
            let sight = pixels.map(|pixels| Sight::Picture(pixels, None));
            assert_eq!(wrong(sight, &image), expect, "{asked} {pixels:?}");
        };
        check("1024x768", Some((1024, 768)), false);
        check("1024x768", Some((768, 1024)), true);
        check("1024x768", None, false);
        check("auto", Some((1, 1)), false);
        check("2K", Some((1, 1)), false);
    }

    #[test]
    fn three_of_the_same_are_two_too_many_and_another_color_is_another_picture() {
        let other = Look { color: [0, 128, 200], ..LOOK };
        let near = Look { hash: LOOK.hash ^ 0b111, color: [9, 120, 250] };
        let far = Look { hash: LOOK.hash ^ 0b1111, ..LOOK };
        let looks = [Some(LOOK), None, Some(near), Some(other), Some(far), Some(LOOK), None];
        let check = |look| ImageCheck { look, ..ImageCheck::default() };
        let mut checks = looks.map(check);
        let expect = [None, None, Some(0), None, Some(2), Some(0), None];
        assert_eq!(duplicates(&checks), expect);
        // The very same bytes are one picture, whether or not anybody looked.
        checks[1].sha256 = Some(Sha256Digest([7; 32]));
        checks[6].sha256 = checks[1].sha256;
        assert_eq!((duplicates(&checks)[6], n_duplicates(&checks)), (Some(1), 4));
    }
}
