//! Images out of paid answers that nobody could read when they came: their bytes are under `raw/`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Cursor, Read, Write};
use std::path::{Path, PathBuf};

use base64_simd::{STANDARD, URL_SAFE};
use image::ImageReader;

use crate::adapters::output::files::{open_regular, private_file, private_folder};
use crate::adapters::output::found::{is_whole, pixels_of};
use crate::adapters::output::images::{IMAGES, short};
use crate::adapters::output::part::{Naming, give_one_of};
use crate::adapters::output::thumbs::limits;
use crate::domain::digest::Sha256Digest;
use crate::domain::image::{ImageKind, StoredImage};
use crate::domain::image_name::ImageName;

/// The longest file that is looked at.
const MAX_RAW: u64 = 256 << 20;

/// The fewest letters of base64 that can be an image.
const LEAST_LETTERS: usize = 60;

/// An image that can be had out of what was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// The files that it comes from, relative to the run's folder.
    pub files: Vec<String>,
    /// The image, with the name that it gets.
    pub image: StoredImage,
    /// The size that was asked for, in pixels.
    asked: Option<(u32, u32)>,
}

impl Rebuilt {
    /// The image in what was kept of one answer, when there is a whole one that decodes: a file
    /// that is one, or the first text of base64 that is one, wherever it stands in a JSON object.
    /// It has the size that was asked for; where that says no pixels, only a file is believed,
    /// since a text may hold other pictures, such as a small copy or an input image.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn of(
        run_folder: &Path,
        files: &[String],
        name: &ImageName,
        asked: Option<(u32, u32)>,
    ) -> io::Result<Option<Self>> {
        let Some(bytes) = image_in(run_folder, files, asked)? else { return Ok(None) };
        let kind = ImageKind::from_magic(&bytes).expect("it was looked at");
        let (sha256, extension) = (Sha256Digest::of(&bytes), kind.extension());
        let path = Path::new(IMAGES).join(format!("{}.{extension}", name.of(&sha256)));
        let pixels = pixels_of(&bytes);
        let image = StoredImage { path, kind, n_bytes: bytes.len() as u64, sha256, pixels };
        Ok(Some(Self { files: files.to_vec(), image, asked }))
    }

    /// Writes the image, under another name where its own is taken by other bytes; the raw files
    /// stay where they are.
    ///
    /// # Errors
    /// When the file system refuses, or what was kept is not what it was.
    pub fn write(&mut self, run_folder: &Path) -> io::Result<()> {
        let image = &mut self.image;
        let bytes = image_in(run_folder, &self.files, self.asked)?.unwrap_or_default();
        if Sha256Digest::of(&bytes) != image.sha256 {
            return Err(io::Error::other("what was kept has changed meanwhile"));
        }
        let (wanted, extension) = (image.path.with_extension(""), image.kind.extension());
        let other = format!("{}-{}.{extension}", wanted.display(), short(&image.sha256));
        let paths = [image.path.clone(), PathBuf::from(other)];
        let places: Vec<PathBuf> = paths.iter().map(|path| run_folder.join(path)).collect();
        let folder = places[0].parent().unwrap_or(run_folder);
        private_folder(folder)?;
        let part = folder.join(format!(".rebuilt-{}.part", short(&image.sha256)));
        let mut file =
            private_file(OpenOptions::new().write(true).create(true).truncate(true)).open(&part)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        match give_one_of(&part, &places, true)? {
            (_, Naming::Taken) => {
                fs::remove_file(&part)?;
                Err(io::Error::other(format!("{} exists with other bytes", places[1].display())))
            }
            (at, Naming::New | Naming::Same) => {
                image.path.clone_from(&paths[at]);
                File::open(folder)?.sync_all()
            }
        }
    }
}

/// The image in some files: in one of them, or in all of them one behind the other, since what
/// could not be read any further went into a file of its own.
fn image_in(
    run_folder: &Path,
    files: &[String],
    asked: Option<(u32, u32)>,
) -> io::Result<Option<Vec<u8>>> {
    let mut texts = Vec::new();
    for file in files {
        let (opened, about) = match open_regular(&run_folder.join(file)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            opened => opened?,
        };
        if about.len() > MAX_RAW {
            continue;
        }
        let mut bytes = Vec::new();
        opened.take(MAX_RAW).read_to_end(&mut bytes)?;
        if let Some(image) = image_of(&bytes, asked) {
            return Ok(Some(image));
        }
        // The text comes last, and what followed it before that.
        texts.insert(0, bytes);
    }
    Ok(if texts.len() > 1 { image_of(&texts.concat(), asked) } else { None })
}

/// The image that the bytes are, or that stands in them.
fn image_of(bytes: &[u8], asked: Option<(u32, u32)>) -> Option<Vec<u8>> {
    let fits = |bytes: &[u8]| is_image(bytes) && decodes(bytes, asked);
    if fits(bytes) {
        return Some(bytes.to_vec());
    }
    // Such as the page of a proxy, with its pictures.
    let is_object = bytes.trim_ascii_start().starts_with(b"{");
    asked.filter(|_| is_object)?;
    let decoded = |letters: &[u8]| decoded(letters).filter(|bytes| fits(bytes));
    let mut letters = Vec::new();
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let is_letter = byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte);
        // In JSON a / may stand behind a backslash, and a line break is two characters.
        let is_skipped = byte.is_ascii_whitespace()
            || byte == b'\\' && matches!(after.first(), Some(b'/'))
            || byte == b'\\' && matches!(after.first(), Some(b'n' | b'r'));
        match (is_letter, is_skipped) {
            (true, _) => letters.push(byte),
            (false, true) if byte == b'\\' && after.first() != Some(&b'/') => rest = &after[1..],
            (false, true) => {}
            (false, false) => {
                if let Some(image) = decoded(&letters) {
                    return Some(image);
                }
                letters.clear();
            }
        }
    }
    decoded(&letters)
}

/// The image that letters of base64 stand for, in either alphabet, with or without its end.
fn decoded(letters: &[u8]) -> Option<Vec<u8>> {
    if letters.len() < LEAST_LETTERS {
        return None;
    }
    let bare = letters.split(|byte| *byte == b'=').next().unwrap_or_default();
    let mut text = bare.to_vec();
    text.resize(bare.len().next_multiple_of(4), b'=');
    let bytes = STANDARD.decode_to_vec(&text).or_else(|_| URL_SAFE.decode_to_vec(&text)).ok()?;
    Some(bytes)
}

/// Whether an image decodes to the size that was asked for.
fn decodes(bytes: &[u8], asked: Option<(u32, u32)>) -> bool {
    let Ok(mut reader) = ImageReader::new(Cursor::new(bytes)).with_guessed_format() else {
        return false;
    };
    reader.limits(limits());
    let decoded = reader.decode().ok().map(|picture| (picture.width(), picture.height()));
    decoded.is_some_and(|pixels| asked.is_none_or(|asked| asked == pixels))
}

/// Whether the bytes are a whole image.
fn is_image(bytes: &[u8]) -> bool {
    let end = bytes.last_chunk::<12>();
    let kind = ImageKind::from_magic(bytes);
    kind.zip(end).is_some_and(|(kind, end)| is_whole(kind, bytes, end, bytes.len() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png() -> Vec<u8> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let picture = image::RgbImage::from_fn(9, 5, |x, y| image::Rgb([x as u8, y as u8, 7]));
        picture.write_to(&mut bytes, image::ImageFormat::Png).expect("a picture");
        bytes.into_inner()
    }

    #[test]
    fn an_image_is_found_wherever_it_stands() {
        let png = png();
        let letters = STANDARD.encode_to_string(&png);
        let lines: Vec<&str> = letters
            .as_bytes()
            .chunks(30)
            .map(|it| std::str::from_utf8(it).expect("letters"))
            .collect();
        for text in [
            format!(r#"{{"data":[{{"image":"data:image/png;base64,{letters}"}}]}}"#),
            format!(r#"{{"data":[{{"image":"{}"}}]}}"#, letters.replace('/', "\\/")),
            format!(r#"{{"image":"{}"}}"#, lines.join("\\n")),
            format!("{{\"image\":\"{letters}"),
            format!("{{\"image\":\"{}\"", letters.trim_end_matches('=')),
            format!("{{\"image\":\"{}\"}}", URL_SAFE.encode_to_string(&png)),
        ] {
            assert_eq!(image_of(text.as_bytes(), Some((9, 5))), Some(png.clone()), "{text}");
            assert_eq!(image_of(text.as_bytes(), Some((18, 10))), None, "a small copy: {text}");
            assert_eq!(image_of(text.as_bytes(), None), None, "which picture it is: {text}");
        }
        assert_eq!(image_of(&png, None), Some(png.clone()));
        assert_eq!(image_of(&png[..png.len() - 1], None), None, "it breaks off");
        let page = format!("<html><img src=\"data:image/png;base64,{letters}\">");
        assert_eq!(image_of(page.as_bytes(), Some((9, 5))), None, "a picture of a page");
        let cut = format!("{{\"image\":\"{}", &letters[..letters.len() - 8]);
        assert_eq!(image_of(cut.as_bytes(), Some((9, 5))), None, "it breaks off");
    }

    #[test]
    fn what_went_into_two_files_is_put_together_and_nothing_is_written_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!(r#"{{"image":"{}"}}"#, STANDARD.encode_to_string(png()));
        let (head, rest) = text.split_at(50);
        fs::write(folder.path().join("rest.bin"), rest).expect("a file");
        fs::write(folder.path().join("head.json"), head).expect("a file");
        let files = ["rest.bin".to_owned(), "head.json".to_owned(), "gone.bin".to_owned()];
        let name = ImageName::plain("a/A-v1");
        let rebuilt = Rebuilt::of(folder.path(), &files, &name, Some((9, 5))).expect("readable");
        let mut rebuilt = rebuilt.expect("an image");
        assert_eq!(rebuilt.image.pixels, Some((9, 5)));
        assert_eq!(rebuilt.image.path, Path::new("images/a/A-v1.png"));
        assert!(!folder.path().join(IMAGES).exists(), "nothing is written to find it");
        fs::create_dir_all(folder.path().join("images/a")).expect("a folder");
        fs::write(folder.path().join("images/a/A-v1.png"), "another").expect("a file");
        rebuilt.write(folder.path()).expect("written");
        assert_eq!(fs::read(folder.path().join(&rebuilt.image.path)).expect("a file"), png());
        assert_ne!(rebuilt.image.path, Path::new("images/a/A-v1.png"));
        rebuilt.write(folder.path()).expect("it is there already");
        fs::write(folder.path().join("rest.bin"), "changed").expect("a file");
        rebuilt.write(folder.path()).expect_err("it is not what it was");
    }
}
