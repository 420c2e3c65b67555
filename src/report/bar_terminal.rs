//! The terminal as the bar sees it. The bar fills its lines up with blanks and leaves the cursor
//! behind the last column; what the terminal itself shows of a Ctrl-C (`^C`) would then begin a
//! line that nobody takes away again. Here lines end where their text ends.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use indicatif::TermLike;

/// What is taken for the size where the terminal does not tell.
const COMMON: (u16, u16) = (80, 24);

/// Standard error, written in whole pictures.
#[derive(Debug, Default)]
pub(super) struct BarTerminal {
    picture: Mutex<Picture>,
}

/// The next picture, as far as it is drawn.
#[derive(Debug, Default)]
struct Picture {
    bytes: Vec<u8>,
    /// Whether the line is filled up: the next text begins a new one.
    is_filled: bool,
}

impl BarTerminal {
    fn picture(&self) -> MutexGuard<'_, Picture> {
        self.picture.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something that places the cursor.
    fn place(&self, bytes: &[u8]) -> io::Result<()> {
        let mut picture = self.picture();
        picture.is_filled = false;
        picture.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Moves by the sequence of ECMA-48 with this letter, which takes none for one.
    fn move_by(&self, n: usize, letter: char) -> io::Result<()> {
        match n {
            0 => Ok(()),
            _ => self.place(format!("\x1b[{n}{letter}").as_bytes()),
        }
    }
}

fn size() -> (u16, u16) {
    let told = terminal_size::terminal_size_of(io::stderr());
    told.map_or(COMMON, |(width, height)| (width.0, height.0))
}

impl TermLike for BarTerminal {
    fn width(&self) -> u16 {
        size().0
    }

    fn height(&self) -> u16 {
        size().1
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.move_by(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.move_by(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.move_by(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.move_by(n, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.place(format!("{text}\n").as_bytes())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        const REST_OF_LINE: &[u8] = b"\x1b[K";
        if text == "\r" {
            return self.place(b"\r");
        }
        let mut picture = self.picture();
        if text.bytes().all(|byte| byte == b' ') {
            // Behind a line that is full already there is nothing to wipe out.
            if !text.is_empty() {
                picture.bytes.extend_from_slice(REST_OF_LINE);
            }
            picture.is_filled = true;
            return Ok(());
        }
        if std::mem::take(&mut picture.is_filled) {
            picture.bytes.extend_from_slice(b"\r\n");
        }
        picture.bytes.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.place(b"\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        let bytes = std::mem::take(&mut self.picture().bytes);
        let mut out = io::stderr().lock();
        out.write_all(&bytes)?;
        out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_where_their_text_ends() {
        let terminal = BarTerminal::default();
        let texts = ["\r", "a", "    ", "full", "", "c", "   "];
        texts.iter().for_each(|text| terminal.write_str(text).expect("a text"));
        assert_eq!(terminal.picture().bytes, b"\ra\x1b[K\r\nfull\r\nc\x1b[K");
        terminal.picture().bytes.clear();
        terminal.move_cursor_up(2).expect("up");
        terminal.move_cursor_up(0).expect("no way");
        terminal.clear_line().expect("a wipe");
        terminal.write_str("d").expect("a text");
        assert_eq!(terminal.picture().bytes, b"\x1b[2A\r\x1b[2Kd");
    }
}
