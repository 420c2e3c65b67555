//! What a reference may be: a png, jpeg or webp of bounded size, told by its bytes alone.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use imagesize::ImageSize;
use memchr::memmem;

use crate::domain::image::ImageKind;

/// The largest reference in bytes; providers take up to 50 MB, and a row has several.
pub const MAX_BYTES: u64 = 20 * 1024 * 1024;

/// The most pixels of a reference: beyond it lie only mistakes and decompression bombs.
pub const MAX_PIXELS: u64 = 64 * 1024 * 1024;

/// Why the bytes of a reference are not kept.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// There are more than allowed.
    #[error("more than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The picture has more pixels than allowed.
    #[error("{pixels} pixels, more than {limit}")]
    TooManyPixels {
        /// Its pixels.
        pixels: u64,
        /// The limit in pixels.
        limit: u64,
    },
    /// They are no png, jpeg or webp.
    #[error("no png, jpeg or webp image")]
    NotAnImage,
    /// They are a web page: an address of a viewer, or an error in disguise.
    #[error("it is a web page, not an image")]
    WebPage,
    /// They end before their image does.
    #[error("it ends before its image does")]
    CutShort,
    /// They cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The first bytes of a file: enough for the magic bytes and for the size in most headers.
pub const HEAD: usize = 64 * 1024;

/// Tells what kind of image begins with these bytes, and checks the size that its header says.
///
/// # Errors
/// When it is no image that is taken, or one of too many pixels.
pub fn check_image(head: &[u8]) -> Result<ImageKind, ContentError> {
    let kind = ImageKind::from_magic(head).ok_or_else(|| no_image(head))?;
    let size = imagesize::blob_size(head).map_err(|_| ContentError::NotAnImage)?;
    check_pixels(size).map(|()| kind)
}

/// What else begins like this.
fn no_image(head: &[u8]) -> ContentError {
    let text = head.trim_ascii_start();
    let begins =
        |mark: &[u8]| text.get(..mark.len()).is_some_and(|first| first.eq_ignore_ascii_case(mark));
    match begins(b"<!doctype html") || begins(b"<html") {
        true => ContentError::WebPage,
        false => ContentError::NotAnImage,
    }
}

/// The same for a file whose first bytes are `head`. A camera's JPEG may have profiles and previews
/// of megabytes before it says its size; the rest of the file is then looked at, not held.
///
/// # Errors
/// As [`check_image`], and when the file cannot be read.
pub fn check_file(head: &[u8], file: &File) -> Result<ImageKind, ContentError> {
    let kind = ImageKind::from_magic(head).ok_or_else(|| no_image(head))?;
    if head.len() < HEAD || imagesize::blob_size(head).is_ok() {
        return check_image(head);
    }
    let mut whole = Steady { reader: BufReader::with_capacity(HEAD, file), position: 0 };
    whole.seek(SeekFrom::Start(0))?;
    let size = imagesize::reader_size(whole).map_err(|_| ContentError::NotAnImage)?;
    check_pixels(size).map(|()| kind)
}

/// The last bytes of a file: enough for the end of an image and for what programs leave behind it.
const TAIL: u64 = 64 * 1024;

/// The last chunk of every PNG, its checksum included.
const PNG_END: &[u8] = b"\0\0\0\0IEND\xae\x42\x60\x82";

/// The last marker of every JPEG.
const JPEG_END: &[u8] = b"\xff\xd9";

/// Looks for the end of the image in a file of this length whose first bytes are `head`. It is for
/// files of which nobody has said how long they are; what is no image is not judged here.
///
/// # Errors
/// When it is not there, or the file cannot be read.
pub fn check_end(head: &[u8], mut file: &File, length: u64) -> Result<(), ContentError> {
    let Some(kind) = ImageKind::from_magic(head) else { return Ok(()) };
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    file.take(TAIL).read_to_end(&mut tail)?;
    if is_whole(kind, head, &tail, length) { Ok(()) } else { Err(ContentError::CutShort) }
}

/// Whether an image with these first and last bytes has its end.
fn is_whole(kind: ImageKind, head: &[u8], tail: &[u8], length: u64) -> bool {
    match kind {
        ImageKind::Png => memmem::find(tail, PNG_END).is_some(),
        ImageKind::Jpeg => {
            // Cameras fill up with zeros, and servers end lines.
            let is_filler = |byte: &u8| matches!(byte, 0 | b'\r' | b'\n');
            let end = tail.iter().rposition(|byte| !is_filler(byte)).map_or(0, |last| last + 1);
            tail[..end].ends_with(JPEG_END)
        }
        ImageKind::Webp => {
            // Its size counts from behind itself.
            let size = head.get(4..8).and_then(|it| it.try_into().ok()).map(u32::from_le_bytes);
            size.is_some_and(|size| u64::from(size) + 8 <= length)
        }
    }
}

fn check_pixels(size: ImageSize) -> Result<(), ContentError> {
    let pixels = (size.width as u64).saturating_mul(size.height as u64);
    if pixels > MAX_PIXELS {
        return Err(ContentError::TooManyPixels { pixels, limit: MAX_PIXELS });
    }
    Ok(())
}

/// A file that keeps what it has read when it is told to skip a little: a hostile file can have
/// millions of tiny segments, and each must not cost a read of its own.
struct Steady<'a> {
    reader: BufReader<&'a File>,
    /// Where it is; the reader would ask the system each time.
    position: u64,
}

impl Read for Steady<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_read = self.reader.read(buffer)?;
        self.position += n_read as u64;
        Ok(n_read)
    }
}

impl BufRead for Steady<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.reader.consume(amount);
        self.position += amount as u64;
    }
}

impl Seek for Steady<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = match to {
            SeekFrom::Current(offset) => {
                self.reader.seek_relative(offset)?;
                self.position.saturating_add_signed(offset)
            }
            SeekFrom::Start(_) | SeekFrom::End(_) => self.reader.seek(to)?,
        };
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_whole_when_its_end_is_there_row_77() {
        let whole = |bytes: &[u8], length: usize| {
            let kind = ImageKind::from_magic(bytes).expect("an image");
            let tail = &bytes[..length];
            is_whole(kind, bytes, tail, length as u64)
        };
        let png = [b"\x89PNG\r\n\x1a\n and so on", PNG_END].concat();
        let jpeg = [b"\xff\xd8\xff and \xff\0 so on", JPEG_END].concat();
        let webp = b"RIFF\x0a\0\0\0WEBPVP8 \0\0".to_vec();
        for mut bytes in [png.clone(), jpeg, webp] {
            assert!(whole(&bytes, bytes.len()), "{bytes:?}");
            for cut in 12..bytes.len() {
                assert!(!whole(&bytes, cut), "{bytes:?} at {cut}");
            }
            bytes.extend_from_slice(b"\0\0\r\n");
            assert!(whole(&bytes, bytes.len()), "{bytes:?}");
        }
        assert!(whole(&[&png[..], b"a note behind it"].concat(), png.len() + 16));
    }
}
