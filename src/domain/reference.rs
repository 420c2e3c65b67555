//! References: the input images of a row, by URL or by local path.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::domain::{sanitize, uri};

/// The most bytes of one reference; signed URLs have about two thousand.
pub const MAX_REFERENCE_BYTES: usize = 8 * 1024;
/// The schemes that a reference may have.
const SCHEMES: [&str; 5] = ["https", "http", "gs", "s3", "az"];

/// Tokens in paths, by how they begin.
const PATH_TOKENS: [&str; 6] =
    ["bcdn_token=", "hdnts=", "hdnea=", "hdntl=", "__token__=", "__cld_token__="];
/// What a token of another name has in it.
const PATH_SIGNATURE: &str = "~hmac=";

/// One input image of a row, checked for form only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reference {
    /// An address: `https`, `http`, `gs`, `s3` or `az`. It may carry a signature.
    Url(String),
    /// A path, relative to the rows file unless absolute.
    Local(String),
}

/// What a reference is, without its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferenceKind {
    /// An address.
    Url,
    /// A path.
    Local,
}

/// Why a text is no reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// There is no text.
    #[error("an empty reference")]
    Empty,
    /// The text is longer than any address in use.
    #[error("longer than {MAX_REFERENCE_BYTES} bytes")]
    TooLong,
    /// The text has a control character, which some parsers drop silently.
    #[error("has a control character")]
    ControlCharacter,
    /// The address carries a user name or a password, or pretends to.
    #[error("has a user name or password before the host")]
    UserInfo,
    /// The address has a backslash, which some parsers read as a slash.
    #[error("has a backslash in its address")]
    Backslash,
    /// The address has a scheme that is never fetched.
    #[error("scheme {0:?} is not fetched")]
    Scheme(String),
    /// The address names no host or bucket.
    #[error("has no host")]
    NoHost,
    /// The path would make the machine talk to another one.
    #[error("is a network path")]
    NetworkPath,
    /// A signed address without its scheme, which would be taken for a path.
    #[error("is an address without its scheme")]
    NoScheme,
    /// The text does not parse as an address.
    #[error("is no address")]
    Address(#[source] url::ParseError),
}

impl Reference {
    /// Reads one reference and checks its form; nothing is looked up.
    ///
    /// # Errors
    /// When the text is neither an address with a scheme that is fetched nor a local path.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        Ok(match ReferenceKind::of(text)? {
            ReferenceKind::Url => Self::Url(text.to_owned()),
            ReferenceKind::Local => Self::Local(text.to_owned()),
        })
    }

    /// The address without its query, and with `…` for each token in its path, or the local path:
    /// fit for a terminal or a log.
    pub fn redacted(&self) -> String {
        match self {
            Self::Url(url) => {
                let path = url.split(['?', '#']).next().unwrap_or_default();
                without_path_tokens(path).into_owned()
            }
            Self::Local(path) => path.clone(),
        }
    }
}

impl ReferenceKind {
    /// Checks the form of a reference without keeping it.
    ///
    /// # Errors
    /// As [`Reference::parse`].
    pub fn of(text: &str) -> Result<Self, ReferenceError> {
        if text.is_empty() {
            return Err(ReferenceError::Empty);
        }
        if text.len() > MAX_REFERENCE_BYTES {
            return Err(ReferenceError::TooLong);
        }
        if !sanitize::is_plain(text) && text.chars().any(char::is_control) {
            return Err(ReferenceError::ControlCharacter);
        }
        if text.starts_with("//") || text.starts_with("\\\\") {
            return Err(ReferenceError::NetworkPath);
        }
        match scheme_of(text) {
            None if is_bare_address(text) => Err(ReferenceError::NoScheme),
            None => Ok(Self::Local),
            Some(scheme) => check_address(text, scheme).map(|()| Self::Url),
        }
    }
}

/// Whether a text without a scheme is an address all the same: a host with a dot in its name, a
/// path, and a query that has a parameter.
fn is_bare_address(text: &str) -> bool {
    let Some((place, query)) = text.split_once('?') else { return false };
    let host = place.split_once('/').map_or("", |(host, _)| host);
    query.contains('=') && host.contains('.') && is_ordinary_host(&host.to_ascii_lowercase())
}

/// Whether a part of a path is a token that signs the address, in one of the ways that are known.
pub(crate) fn is_signature_part(part: &str) -> bool {
    if !part.contains(['=', '%']) {
        return false;
    }
    let decoded = String::from_utf8_lossy(&uri::decode(part)).to_ascii_lowercase();
    PATH_TOKENS.iter().any(|name| decoded.starts_with(name)) || decoded.contains(PATH_SIGNATURE)
}

/// An address up to its query, with `…` for the tokens in its path.
fn without_path_tokens(address: &str) -> Cow<'_, str> {
    if !address.split('/').any(is_signature_part) {
        return Cow::Borrowed(address);
    }
    let shown = |part| if is_signature_part(part) { "…" } else { part };
    Cow::Owned(address.split('/').map(shown).collect::<Vec<_>>().join("/"))
}

/// The text with the query of every address in it replaced by `?…`, and so with the tokens in its
/// path and the name and password before its host: all of them may let somebody in.
///
/// A query with a parameter is taken out of what has no scheme as well: it may have been forgotten.
pub fn redact_queries(text: &str) -> Cow<'_, str> {
    if !text.contains(['?', '=', '%', '@']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, address) = rest.split_at(at + 3);
        push_without_queries(&mut out, before);
        let end = end_of_address(address);
        let query = address[..end].find('?');
        let address_end = query.unwrap_or(end);
        let host_end = address[..address_end].find(['/', '#']).unwrap_or(address_end);
        // A slash can stand in a password that nobody has encoded.
        let user = address[..host_end].rfind('@').or_else(|| {
            let has_password = address[..host_end].contains(':');
            address[..address_end].rfind('@').filter(|_| has_password)
        });
        if user.is_some() {
            out.push('…');
        }
        out.push_str(&without_path_tokens(&address[user.unwrap_or(0)..address_end]));
        if query.is_some() {
            out.push_str("?…");
        }
        rest = &address[end..];
    }
    push_without_queries(&mut out, rest);
    Cow::Owned(out)
}

/// Where an address ends that stands at the beginning of a text.
fn end_of_address(text: &str) -> usize {
    let ends = |character: char| character.is_whitespace() || "|\"'<>".contains(character);
    text.find(ends).unwrap_or(text.len())
}

/// Adds a text that has no address with a scheme, without the queries in it that have a parameter.
fn push_without_queries(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find('?') {
        let (before, query) = rest.split_at(at + 1);
        out.push_str(before);
        let end = end_of_address(query);
        let has_parameter = query[..end].contains('=');
        out.push_str(if has_parameter { "…" } else { &query[..end] });
        rest = &query[end..];
    }
    out.push_str(rest);
}

/// The scheme of an address; a drive letter (`C:\`) is none.
fn scheme_of(text: &str) -> Option<&str> {
    let colon = memchr::memchr(b':', text.as_bytes())?;
    let (scheme, rest) = (&text[..colon], &text[colon + 1..]);
    let word = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'.' | b'-'));
    let drive = scheme.len() == 1 && rest.starts_with(['\\', '/']);
    (word && !drive).then_some(scheme)
}

fn check_address(text: &str, scheme: &str) -> Result<(), ReferenceError> {
    if !SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(ReferenceError::Scheme(scheme.to_ascii_lowercase()));
    }
    let rest = text[scheme.len() + 1..].strip_prefix("//").ok_or(ReferenceError::NoHost)?;
    let path_at = memchr::memchr3(b'/', b'?', b'#', rest.as_bytes()).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(path_at);
    // A backslash before the query is a second slash to some parsers and a letter to others.
    let query_at = memchr::memchr2(b'?', b'#', path.as_bytes()).unwrap_or(path.len());
    let has_backslash = |part: &str| memchr::memchr(b'\\', part.as_bytes()).is_some();
    if has_backslash(authority) || has_backslash(&path[..query_at]) {
        return Err(ReferenceError::Backslash);
    }
    if authority.contains('@') {
        return Err(ReferenceError::UserInfo);
    }
    if authority.is_empty() {
        return Err(ReferenceError::NoHost);
    }
    if is_ordinary_host(authority) {
        return Ok(());
    }
    let url = Url::parse(text).map_err(ReferenceError::Address)?;
    match url.host_str() {
        Some(host) if !host.is_empty() => Ok(()),
        _ => Err(ReferenceError::NoHost),
    }
}

/// Whether the host is one that every parser takes alike, so that the full parser (which
/// allocates) can be spared: a million rows are checked before the first one is sent.
fn is_ordinary_host(host: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    let mut last: &[u8] = &[];
    let mut is_ordinary = host.len() <= 253;
    for label in host.as_bytes().split(|byte| *byte == b'.') {
        is_ordinary &= (1..=63).contains(&label.len())
            && !label.starts_with(b"xn--")
            && label.iter().all(|byte| plain(*byte));
        last = label;
    }
    is_ordinary && last.first().is_some_and(u8::is_ascii_lowercase)
}

impl fmt::Debug for Reference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.redacted(), out)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.redacted())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_and_paths_are_told_apart() {
        for (text, kind) in [
            ("https://cdn.example/a.png", ReferenceKind::Url),
            ("http://127.0.0.1:8080/a.png?x=1", ReferenceKind::Url),
            ("HTTPS://CDN.Example/a.png", ReferenceKind::Url),
            ("https://bücher.example/ä b.png", ReferenceKind::Url),
            ("https://[::1]/a.png", ReferenceKind::Url),
            ("https://good.example#@evil.example", ReferenceKind::Url),
            ("gs://bucket/a.png", ReferenceKind::Url),
            ("s3://my_bucket/a.png", ReferenceKind::Url),
            ("az://container/a.png", ReferenceKind::Url),
            ("refs/a.png", ReferenceKind::Local),
            ("./scene:1.png", ReferenceKind::Local),
            ("../a.png", ReferenceKind::Local),
            ("/abs/a.png", ReferenceKind::Local),
            ("C:\\refs\\a.png", ReferenceKind::Local),
            ("C:/refs/a.png", ReferenceKind::Local),
            ("./a.png?b=c", ReferenceKind::Local),
            ("../x/a.png?b=c", ReferenceKind::Local),
            ("what now?.png", ReferenceKind::Local),
        ] {
            assert_eq!(ReferenceKind::of(text), Ok(kind), "{text:?}");
        }
    }

    #[test]
    fn what_must_never_be_fetched_is_refused_by_name() {
        let scheme = |name: &str| ReferenceError::Scheme(name.to_owned());
        for (text, error) in [
            ("", ReferenceError::Empty),
            ("file:///etc/passwd", scheme("file")),
            ("gopher://x/", scheme("gopher")),
            ("DATA:image/png;base64,AAAA", scheme("data")),
            ("ftp://x/a", scheme("ftp")),
            ("javascript:alert(1)", scheme("javascript")),
            ("https://user:pw@good.example@evil.example/a", ReferenceError::UserInfo),
            ("https://@host/a", ReferenceError::UserInfo),
            ("https://good\\@evil.example/a", ReferenceError::Backslash),
            ("https://good.example/..\\a", ReferenceError::Backslash),
            ("https://exa\nmple.com/", ReferenceError::ControlCharacter),
            ("https://exa\tmple.com/", ReferenceError::ControlCharacter),
            ("a\0b.png", ReferenceError::ControlCharacter),
            ("https:///a.png", ReferenceError::NoHost),
            ("https:a.png", ReferenceError::NoHost),
            ("s3://", ReferenceError::NoHost),
            ("//host/share/a.png", ReferenceError::NetworkPath),
            ("\\\\host\\share\\a.png", ReferenceError::NetworkPath),
            ("cdn.example/a.png?Signature=x", ReferenceError::NoScheme),
            ("CDN.example/a.png?v=1&sig=x", ReferenceError::NoScheme),
        ] {
            assert_eq!(ReferenceKind::of(text), Err(error), "{text:?}");
        }
        for text in ["https://a b/", "https://999.1.1.1/", "https://x:99999/", "https://xn--a/"] {
            assert!(matches!(ReferenceKind::of(text), Err(ReferenceError::Address(_))), "{text:?}");
        }
        let long = format!("https://x.example/{}", "a".repeat(MAX_REFERENCE_BYTES));
        assert_eq!(ReferenceKind::of(&long), Err(ReferenceError::TooLong));
    }

    #[test]
    fn queries_are_redacted_wherever_an_address_stands() {
        for (text, expect) in [
            ("who? me", "who? me"),
            ("a,https://x/y?sig=1,b", "a,https://x/y?…"),
            ("\"https://x/y?sig=1,2\",b", "\"https://x/y?…\",b"),
            ("https://x/y?s=1|https://z/w?t=2|q?", "https://x/y?…|https://z/w?…|q?"),
            ("https://x/y b?", "https://x/y b?"),
            ("a,x.example/y?sig=1|why?,b", "a,x.example/y?…|why?,b"),
            ("https://me:PW@x/y", "https://…@x/y"),
            ("https://me:P/W@x/y?a", "https://…@x/y?…"),
            ("https://x/by@home.png", "https://x/by@home.png"),
            ("a@b.example c", "a@b.example c"),
            ("a,https://x/hdnts=exp=1~hmac=S/y|b=c", "a,https://x/…/y|b=c"),
            ("https://x/exp=1~acl=/*~hmac=S/y?t=2 a=b", "https://x/exp=1~acl=/…/y?… a=b"),
        ] {
            assert_eq!(redact_queries(text), expect, "{text:?}");
        }
    }

    #[test]
    fn tokens_in_paths_are_shown_nowhere_row_85() {
        for token in [
            "bcdn_token=SECRET&expires=1767323045&token_path=%2F",
            "BCDN_TOKEN=SECRET",
            "hdnts=exp=1~hmac=SECRET",
            "hdnea=exp=1~acl=*~hmac=SECRET",
            "hdntl=exp=1~data=2~hmac=SECRET",
            "__token__=exp=1~hmac=SECRET",
            "__cld_token__=exp=1~hmac=SECRET",
            "exp=1~acl=*~hmac=SECRET",
            "hdnts%3Dexp%3D1~hmac%3DSECRET",
        ] {
            let text = format!("https://x.example/a/{token}/b.png");
            let reference = Reference::parse(&format!("{text}?c=SECRET")).expect(token);
            let shown = [
                reference.redacted(),
                reference.to_string(),
                format!("{reference:?}").trim_matches('"').to_owned(),
                redact_queries(&text).into_owned(),
            ];
            assert_eq!(shown, ["https://x.example/a/…/b.png"; 4], "{token}");
        }
        let plain = "https://x.example/w=200,h=3/exp=1/a%20b.png";
        assert_eq!(Reference::Url(plain.to_owned()).redacted(), plain);
        assert_eq!(redact_queries(plain), plain);
    }

    proptest! {
        #[test]
        fn what_is_an_ordinary_host_here_is_one_to_the_full_parser(
            host in "[a-z0-9.x-]{1,40}|xn--[a-z0-9]{1,8}|[a-z]{1,3}\\.[0-9a-z]{1,4}"
        ) {
            if is_ordinary_host(&host) {
                let url = Url::parse(&format!("https://{host}/a"));
                let is_same = url.is_ok_and(|url| url.host_str() == Some(host.as_str()));
                prop_assert!(is_same, "{}", host);
            }
        }

        #[test]
        fn no_text_makes_the_check_fall_over(text in any::<String>()) {
            let _ = ReferenceKind::of(&text);
        }
    }
}
