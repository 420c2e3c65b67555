//! Bytes as lower-case hexadecimal digits.

use std::fmt;

/// Bytes that are written in one piece.
const PIECE: usize = 32;

/// Writes two digits for each byte.
///
/// # Errors
/// Those of the formatter.
pub fn write_hex(out: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for piece in bytes.chunks(PIECE) {
        let mut digits = [0; 2 * PIECE];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(piece) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        let text = std::str::from_utf8(&digits[..2 * piece.len()]);
        out.write_str(text.expect("the digits are ASCII"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Hex<'a>(&'a [u8]);

    impl fmt::Display for Hex<'_> {
        fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            write_hex(out, self.0)
        }
    }

    #[test]
    fn every_byte_has_two_digits_in_pieces_as_well() {
        assert_eq!(Hex(&[]).to_string(), "");
        assert_eq!(Hex(&[0, 9, 10, 0xaf, 0xff]).to_string(), "00090aafff");
        let long: Vec<u8> = (0..=u8::MAX).collect();
        let expect: String = long.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(Hex(&long).to_string(), expect);
    }
}
