//! Takes an answer apart while it arrives: images are decoded from base64 and passed on at once,
//! the JSON around them is kept. No more than a few kilobytes of an image are in memory.

use std::borrow::Cow;

/// The key whose value is an image.
const IMAGE_KEY: &[u8] = b"b64_json";

/// The most bytes of JSON around the images. Answers of providers have a few hundred; a server
/// that sends more is not speaking this dialect.
const MAX_FRAME: usize = 1 << 20;

/// Letters of base64 that stand for whole bytes.
const QUANTUM: usize = 4;

/// A part of the answer, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// An image begins.
    Begin,
    /// The next bytes of the image.
    Bytes(Vec<u8>),
}

/// Why an answer cannot be taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ScanError {
    /// A letter that base64 does not have.
    #[error("the image is no base64")]
    Base64,
    /// Too much text around the images.
    #[error("the answer has more than {MAX_FRAME} bytes beside the image")]
    Frame,
}

/// Why and where an answer cannot be taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    /// Why.
    pub(super) error: ScanError,
    /// The first byte of what was pushed last that nothing came of.
    pub(super) at: usize,
}

/// How an image begins that is written as an address with the data in it.
const DATA_MARK: &[u8] = b"data:";

/// Takes an answer apart.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    place: Place,
    /// The JSON around the images; each of them is replaced by its number.
    frame: Vec<u8>,
    /// The string that was read last, as far as it matters.
    string: Vec<u8>,
    /// Whether the last string is the key of the next value.
    is_key: bool,
    /// Letters that do not make a whole number of bytes yet.
    rest: Vec<u8>,
    n_images: usize,
}

/// Where in the answer the scanner is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Between strings.
    #[default]
    Outside,
    /// In a string that is no image.
    String,
    /// Behind a backslash in such a string.
    Escape,
    /// At the start of an image, behind so many letters of [`DATA_MARK`].
    ImageStart(usize),
    /// Before the comma of such an address.
    ImagePrefix,
    /// In an image.
    Image,
    /// Behind a backslash in an image.
    ImageEscape,
    /// In a letter of an image that is written by its number: digits so far, and their value.
    ImageNumber(u8, u32),
}

/// What is left when the answer has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// The JSON around the images.
    pub(super) text: Vec<u8>,
    /// How many images there were.
    pub(super) n_images: usize,
    /// Whether the answer ended in the middle of one.
    pub(super) is_cut: bool,
}

impl Scanner {
    /// Takes the next bytes and adds what they bring to `pieces`.
    ///
    /// # Errors
    /// When they cannot be taken apart, and where that begins; nothing may be pushed after that.
    pub(super) fn push(&mut self, chunk: &[u8], pieces: &mut Vec<Piece>) -> Result<(), Broken> {
        let mut at = 0;
        while at < chunk.len() {
            let taken = self.step(&chunk[at..], pieces);
            at += taken.map_err(|error| Broken { error, at })?;
            if self.frame.len() > MAX_FRAME {
                return Err(Broken { error: ScanError::Frame, at });
            }
        }
        Ok(())
    }

    /// Takes a part of the bytes; how many.
    fn step(&mut self, chunk: &[u8], pieces: &mut Vec<Piece>) -> Result<usize, ScanError> {
        match self.place {
            Place::Outside => Ok(self.outside(chunk, pieces)),
            Place::String => Ok(self.string(chunk)),
            Place::Escape => {
                self.frame.push(chunk[0]);
                // A key with an escape in it is none of ours.
                self.string.push(b'\\');
                self.place = Place::String;
                Ok(1)
            }
            Place::ImageStart(n) if chunk[0] == DATA_MARK[n] => {
                let is_whole = n + 1 == DATA_MARK.len();
                self.place = if is_whole { Place::ImagePrefix } else { Place::ImageStart(n + 1) };
                Ok(1)
            }
            Place::ImageStart(n) => {
                self.place = Place::Image;
                self.letters(&DATA_MARK[..n], pieces)?;
                Ok(0)
            }
            Place::ImagePrefix => {
                let Some(at) = memchr::memchr2(b',', b'"', chunk) else { return Ok(chunk.len()) };
                self.place = Place::Image;
                Ok(at + usize::from(chunk[at] == b','))
            }
            Place::Image => self.image(chunk, pieces),
            Place::ImageEscape => self.unescaped(chunk[0]).map(|()| 1),
            Place::ImageNumber(n, value) => self.numbered(chunk[0], n, value).map(|()| 1),
        }
    }

    /// The JSON around the images.
    pub(super) fn finish(self) -> Frame {
        let is_cut = !matches!(self.place, Place::Outside | Place::String | Place::Escape);
        Frame { text: self.frame, n_images: self.n_images, is_cut }
    }

    /// Copies up to the next quote; one that begins an image is noticed.
    fn outside(&mut self, chunk: &[u8], pieces: &mut Vec<Piece>) -> usize {
        let quote = memchr::memchr(b'"', chunk);
        let between = &chunk[..quote.unwrap_or(chunk.len())];
        self.frame.extend_from_slice(between);
        for byte in between {
            match byte {
                b':' => self.is_key = true,
                b' ' | b'\t' | b'\n' | b'\r' => {}
                _ => self.is_key = false,
            }
        }
        let Some(at) = quote else { return chunk.len() };
        self.frame.push(b'"');
        if self.is_key && self.string == IMAGE_KEY {
            self.n_images += 1;
            self.frame.extend_from_slice(format!("image {}", self.n_images).as_bytes());
            pieces.push(Piece::Begin);
            self.place = Place::ImageStart(0);
        } else {
            self.place = Place::String;
        }
        self.is_key = false;
        self.string.clear();
        at + 1
    }

    /// Copies up to the end of a string.
    fn string(&mut self, chunk: &[u8]) -> usize {
        let end = memchr::memchr2(b'"', b'\\', chunk);
        let body = &chunk[..end.unwrap_or(chunk.len())];
        self.frame.extend_from_slice(body);
        let room = (IMAGE_KEY.len() + 1).saturating_sub(self.string.len()).min(body.len());
        self.string.extend_from_slice(&body[..room]);
        let Some(at) = end else { return chunk.len() };
        self.frame.push(chunk[at]);
        self.place = if chunk[at] == b'"' { Place::Outside } else { Place::Escape };
        at + 1
    }

    /// Decodes up to the end of an image.
    fn image(&mut self, chunk: &[u8], pieces: &mut Vec<Piece>) -> Result<usize, ScanError> {
        let end = memchr::memchr2(b'"', b'\\', chunk);
        self.letters(&chunk[..end.unwrap_or(chunk.len())], pieces)?;
        let Some(at) = end else { return Ok(chunk.len()) };
        if chunk[at] == b'\\' {
            self.place = Place::ImageEscape;
        } else {
            let rest = std::mem::take(&mut self.rest);
            if !rest.is_empty() {
                let last = base64_simd::forgiving_decode_to_vec(&rest);
                pieces.push(Piece::Bytes(last.map_err(|_| ScanError::Base64)?));
            }
            self.frame.push(b'"');
            self.place = Place::Outside;
        }
        Ok(at + 1)
    }

    /// A slash may be written with a backslash before it, any letter by its number, and long lines
    /// may be broken.
    fn unescaped(&mut self, letter: u8) -> Result<(), ScanError> {
        self.place = Place::Image;
        match letter {
            b'/' => self.rest.push(b'/'),
            b'n' | b'r' | b't' => {}
            b'u' => self.place = Place::ImageNumber(0, 0),
            _ => return Err(ScanError::Base64),
        }
        Ok(())
    }

    /// The next of four digits of a letter that is written by its number.
    fn numbered(&mut self, digit: u8, n: u8, value: u32) -> Result<(), ScanError> {
        let digit = char::from(digit).to_digit(16).ok_or(ScanError::Base64)?;
        let value = value * 16 + digit;
        self.place = Place::ImageNumber(n + 1, value);
        if n + 1 == 4 {
            let letter = u8::try_from(value).map_err(|_| ScanError::Base64)?;
            self.rest.extend_from_slice(&plain(&[letter]));
            self.place = Place::Image;
        }
        Ok(())
    }

    /// Decodes as many letters as stand for whole bytes; the others wait. The last four wait too,
    /// since they may be padded.
    fn letters(&mut self, letters: &[u8], pieces: &mut Vec<Piece>) -> Result<(), ScanError> {
        let letters = plain(letters);
        let n_whole = (self.rest.len() + letters.len()).saturating_sub(1) / QUANTUM * QUANTUM;
        if n_whole == 0 {
            self.rest.extend_from_slice(&letters);
            return Ok(());
        }
        let decode = |letters: &[u8]| {
            base64_simd::STANDARD.decode_to_vec(letters).map_err(|_| ScanError::Base64)
        };
        let mut letters = &letters[..];
        // The letters that wait are filled up first, so that all others are decoded where they lie.
        let mut n_left = n_whole;
        if !self.rest.is_empty() {
            let n_fill =
                (self.rest.len().next_multiple_of(QUANTUM) - self.rest.len()).min(letters.len());
            self.rest.extend_from_slice(&letters[..n_fill]);
            letters = &letters[n_fill..];
            if self.rest.len() > n_left {
                return Ok(());
            }
            pieces.push(Piece::Bytes(decode(&self.rest)?));
            n_left -= self.rest.len();
            self.rest.clear();
        }
        if n_left > 0 {
            pieces.push(Piece::Bytes(decode(&letters[..n_left])?));
        }
        self.rest.extend_from_slice(&letters[n_left..]);
        Ok(())
    }
}

/// The letters in the standard alphabet (RFC 4648): without the white space that base64 in long
/// lines has, and with the two letters that addresses and file names spell otherwise.
fn plain(letters: &[u8]) -> Cow<'_, [u8]> {
    let is_odd = |one: &u8| matches!(one, b' ' | b'\t' | b'\n' | b'\r' | 0x0c | b'-' | b'_');
    // Every letter is looked at, many at once; an early end would make it one at a time.
    if !letters.iter().fold(false, |has_odd, one| has_odd | is_odd(one)) {
        return Cow::Borrowed(letters);
    }
    let spelled = letters.iter().filter_map(|one| match one {
        b'-' => Some(b'+'),
        b'_' => Some(b'/'),
        one if one.is_ascii_whitespace() => None,
        one => Some(*one),
    });
    Cow::Owned(spelled.collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Scans a text cut at these places; the images, and the frame.
    fn scan(text: &[u8], cuts: &[usize]) -> Result<(Vec<Vec<u8>>, Frame), Broken> {
        let mut scanner = Scanner::default();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts.iter().map(|cut| cut % (text.len() + 1)).chain([text.len()]) {
            if cut > from {
                scanner.push(&text[from..cut], &mut pieces)?;
                from = cut;
            }
        }
        let mut images: Vec<Vec<u8>> = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Begin => images.push(Vec::new()),
                Piece::Bytes(bytes) => images.last_mut().expect("it began").extend(bytes),
            }
        }
        Ok((images, scanner.finish()))
    }

    /// What answers are made of.
    const LETTERS: &[u8] = b"\"\\:{}, b64_jsondat;uAa=/-\n";

    fn encode(bytes: &[u8]) -> String {
        base64_simd::STANDARD.encode_to_string(bytes)
    }

    #[test]
    fn images_are_taken_out_and_the_rest_stays_json() {
        let check = |text: &str, images: &[&[u8]], frame: &str| {
            let (found, rest) = scan(text.as_bytes(), &[]).expect(text);
            assert_eq!(found, images, "{text}");
            assert_eq!(String::from_utf8_lossy(&rest.text), frame, "{text}");
            assert!(!rest.is_cut, "{text}");
        };
        check(
            r#"{"data":[{"b64_json":"aGk="}]}"#,
            &[b"hi"],
            r#"{"data":[{"b64_json":"image 1"}]}"#,
        );
        check(r#"{"b64_json" : "aGk" }"#, &[b"hi"], r#"{"b64_json" : "image 1" }"#);
        check(r#"{"b64_json":""}"#, &[b""], r#"{"b64_json":"image 1"}"#);
        check(r#"{"b64_json":null,"a":"x"}"#, &[], r#"{"b64_json":null,"a":"x"}"#);
        check(r#"{"a":"b64_json","c":"aGk="}"#, &[], r#"{"a":"b64_json","c":"aGk="}"#);
        check(r#"["b64_json","aGk="]"#, &[], r#"["b64_json","aGk="]"#);
        check(r#"{"xb64_json":"aGk="}"#, &[], r#"{"xb64_json":"aGk="}"#);
        check(r#"{"a\"b64_json":"aGk="}"#, &[], r#"{"a\"b64_json":"aGk="}"#);
        check(
            r#"{"data":[{"b64_json":"aGk="},{"b64_json":"aG8="}],"p":"\\"}"#,
            &[b"hi", b"ho"],
            r#"{"data":[{"b64_json":"image 1"},{"b64_json":"image 2"}],"p":"\\"}"#,
        );
        check(r#"{"b64_json":"\/\/8="}"#, &[b"\xff\xff"], r#"{"b64_json":"image 1"}"#);
        check("{\"b64_json\":\"aG\nk=\"}", &[b"hi"], r#"{"b64_json":"image 1"}"#);
        // Other spellings of the same letters.
        check(r#"{"b64_json":"__8="}"#, &[b"\xff\xff"], r#"{"b64_json":"image 1"}"#);
        check(r#"{"b64_json":"--8="}"#, &[b"\xfb\xef"], r#"{"b64_json":"image 1"}"#);
        check(r#"{"b64_json":"\u002b\u002B8\u003d"}"#, &[b"\xfb\xef"], r#"{"b64_json":"image 1"}"#);
        check(
            r#"{"b64_json":"data:image/png;base64,aGk="}"#,
            &[b"hi"],
            r#"{"b64_json":"image 1"}"#,
        );
        check(r#"{"b64_json":"data:"}"#, &[b""], r#"{"b64_json":"image 1"}"#);
        check(r#"{"b64_json":"data"}"#, &[b"u\xabZ"], r#"{"b64_json":"image 1"}"#);
        check(r#"{"b64_json":"daGk"}"#, &[b"u\xa1\xa4"], r#"{"b64_json":"image 1"}"#);
    }

    #[test]
    fn what_is_no_base64_is_an_error() {
        for text in [
            r#"{"b64_json":"a?k="}"#,
            r#"{"b64_json":"a"}"#,
            r#"{"b64_json":"aG=kaGk=aGk="}"#,
            r#"{"b64_json":"\u0161Gk="}"#,
            r#"{"b64_json":"\u00zzGk="}"#,
            r#"{"b64_json":"\x61Gk="}"#,
        ] {
            let broken = scan(text.as_bytes(), &[]).expect_err(text);
            assert_eq!(broken.error, ScanError::Base64, "{text}");
            assert!(broken.at >= 13, "{text}: {}", broken.at);
        }
    }

    #[test]
    fn what_is_broken_says_where() {
        let at = |text: &str, cuts: &[usize]| scan(text.as_bytes(), cuts).map_err(|it| it.at).err();
        assert_eq!(at(r#"{"b64_json":"aGk=aGk=aGk="}"#, &[]), Some(13));
        assert_eq!(at(r#"{"b64_json":"aGhp\/\q"}"#, &[]), Some(20));
        assert_eq!(at(r#"{"b64_json":"aGhpaGhp?Ghp"}"#, &[17]), Some(0));
    }

    #[test]
    fn an_end_in_the_middle_of_an_image_is_noticed() {
        let (images, frame) = scan(br#"{"b64_json":"aGlhaGlh"#, &[]).expect("as far as it goes");
        assert!(frame.is_cut && images[0].starts_with(b"hia"), "{images:?}");
    }

    #[test]
    fn a_frame_without_end_is_given_up() {
        let text = vec![b' '; MAX_FRAME + 1];
        let broken = scan(&text, &[]).expect_err("too much");
        assert_eq!(broken, Broken { error: ScanError::Frame, at: text.len() });
    }

    proptest! {
        #[test]
        fn any_image_survives_any_cuts(
            image in prop::collection::vec(any::<u8>(), 0..300),
            cuts in prop::collection::vec(any::<usize>(), 0..12),
        ) {
            let mut cuts = cuts;
            cuts.sort_unstable();
            let text = format!(
                "{{\"created\":1,\"data\":[{{\"b64_json\":\"{}\"}}],\"usage\":{{}}}}",
                encode(&image)
            );
            let (images, frame) = scan(text.as_bytes(), &cuts).expect("base64");
            prop_assert_eq!(images, vec![image]);
            prop_assert_eq!(
                String::from_utf8_lossy(&frame.text),
                "{\"created\":1,\"data\":[{\"b64_json\":\"image 1\"}],\"usage\":{}}"
            );
        }

        #[test]
        fn no_bytes_make_it_fall_over(
            text in prop::collection::vec(prop::sample::select(LETTERS), 0..200),
            cuts in prop::collection::vec(any::<usize>(), 0..6),
        ) {
            let mut cuts = cuts;
            cuts.sort_unstable();
            let whole = scan(&text, &[]).map(|(images, frame)| (images.concat(), frame));
            let parts = scan(&text, &cuts).map(|(images, frame)| (images.concat(), frame));
            prop_assert_eq!(whole.is_ok(), parts.is_ok());
        }
    }
}
