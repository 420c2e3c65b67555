//! JSON: finds where a value ends, without building it and without recursion.

use memchr::memchr2;

use crate::adapters::rows::limits::MAX_JSON_DEPTH;

/// What the scan found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scan {
    /// The value has this many bytes.
    Whole(usize),
    /// The value goes on behind the bytes at hand.
    Incomplete,
    /// The value is nested too deeply.
    TooDeep(usize),
}

/// Scans the value at the start of `bytes`; what the value means is left to the parser.
pub(crate) fn scan_value(bytes: &[u8]) -> Scan {
    match bytes.first() {
        None => Scan::Incomplete,
        Some(b'{' | b'[') => scan_nested(bytes),
        Some(b'"') => string_end(bytes, 0).map_or(Scan::Incomplete, Scan::Whole),
        Some(_) => {
            let ends = |byte: &u8| b",]}".contains(byte) || is_blank(*byte);
            bytes.iter().position(ends).map_or(Scan::Incomplete, Scan::Whole)
        }
    }
}

/// Whether JSON takes the byte for blank.
pub(crate) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Appends JSON text without the blanks between its parts.
pub(crate) fn compact(text: &str, out: &mut String) {
    let mut at = 0;
    let bytes = text.as_bytes();
    while at < bytes.len() {
        let end = match bytes[at] {
            b'"' => string_end(bytes, at).unwrap_or(bytes.len()),
            byte if is_blank(byte) => {
                at += 1;
                continue;
            }
            _ => {
                let ends = |byte: &u8| *byte == b'"' || is_blank(*byte);
                bytes[at..].iter().position(ends).map_or(bytes.len(), |count| at + count)
            }
        };
        out.push_str(&text[at..end]);
        at = end;
    }
}

fn scan_nested(bytes: &[u8]) -> Scan {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => match string_end(bytes, at) {
                Some(end) => {
                    at = end;
                    continue;
                }
                None => return Scan::Incomplete,
            },
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_JSON_DEPTH {
                    return Scan::TooDeep(at);
                }
            }
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Scan::Whole(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
    Scan::Incomplete
}

/// Where the string that opens at `open` ends, its quote included.
fn string_end(bytes: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    loop {
        at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_end_where_they_end() {
        for (text, expect) in [
            ("{\"a\": \"}\\\"]\"} ,", Scan::Whole(13)),
            ("[1,[2],{}]]", Scan::Whole(10)),
            ("12,", Scan::Whole(2)),
            ("null]", Scan::Whole(4)),
            ("\"a\\\\\",", Scan::Whole(5)),
            ("\"a\\", Scan::Incomplete),
            ("{\"a\"", Scan::Incomplete),
            ("12", Scan::Incomplete),
            ("", Scan::Incomplete),
        ] {
            assert_eq!(scan_value(text.as_bytes()), expect, "{text:?}");
        }
        assert_eq!(scan_value("[".repeat(1_000_000).as_bytes()), Scan::TooDeep(MAX_JSON_DEPTH));
    }

    #[test]
    fn blanks_between_parts_are_dropped_and_those_in_texts_kept() {
        for (text, expect) in [
            ("[ 1 , \"a b\" ,\n{ \"c\\\" d\" : null } ]", "[1,\"a b\",{\"c\\\" d\":null}]"),
            ("{}", "{}"),
        ] {
            let mut out = String::new();
            compact(text, &mut out);
            assert_eq!(out, expect);
        }
    }
}
