//! The small encodings of addresses: percent signs, queries, hexadecimal digits.

/// Encodes everything but letters, digits, `-`, `.`, `_`, `~` and what is in `kept`.
pub fn encode(bytes: &[u8], kept: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        let is_plain = byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
        if is_plain || kept.as_bytes().contains(byte) {
            text.push(char::from(*byte));
        } else {
            text.push('%');
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
    text
}

/// The bytes that a percent-encoded text stands for; a percent sign without two digits is itself.
pub fn decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let pair = behind.get(..2).filter(|_| *first == b'%').and_then(byte_of);
        bytes.push(pair.unwrap_or(*first));
        rest = if pair.is_some() { &behind[2..] } else { behind };
    }
    bytes
}

/// The parameters of a query in their order, decoded; a plus sign is itself, as stores read it.
pub fn query_pairs(query: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| String::from_utf8_lossy(&decode(text)).into_owned();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

/// The bytes that pairs of hexadecimal digits stand for.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes().chunks(2).map(byte_of).collect()
}

fn byte_of(pair: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let [high, low] = pair else { return None };
    u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_whole_percent_codes_are_decoded() {
        for (text, expect) in
            [("a%20b", "a b"), ("%c3%A4", "ä"), ("100%", "100%"), ("%2", "%2"), ("%zz%41", "%zzA")]
        {
            assert_eq!(String::from_utf8_lossy(&decode(text)), expect, "{text:?}");
        }
        assert_eq!(encode("a b/ä~".as_bytes(), "/"), "a%20b/%C3%A4~");
        assert_eq!(from_hex("00fF"), Some(vec![0, 255]));
        assert_eq!(from_hex("0"), None);
        assert_eq!(from_hex("0g"), None);
    }

    #[test]
    fn a_query_is_read_in_its_order() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expect = [pair("b", "1+2"), pair("a", "x=y"), pair("c", "")];
        assert_eq!(query_pairs("b=1%2B2&a=x=y&&c"), expect);
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(bytes in any::<Vec<u8>>()) {
            prop_assert_eq!(decode(&encode(&bytes, "/")), bytes);
        }
    }
}
