//! Signed addresses: which format one has, and until when it can be used.

use jiff::Timestamp;
use url::Url;

/// What the parameters of an address say about its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lifetime {
    /// When it ends: the smallest of all that are recognised; nothing when none is known.
    pub expires: Option<Timestamp>,
    /// When it begins, if it says so.
    pub not_before: Option<Timestamp>,
    /// Whether it is signed at all, in a format that is known.
    pub is_signed: bool,
    /// Whether it can end earlier than it says: it hangs on temporary credentials.
    pub may_end_early: bool,
    /// Why it can never be read, whatever the time.
    pub unusable: Option<&'static str>,
}

/// Reads the life of an address.
pub fn lifetime(url: &Url) -> Lifetime {
    let _ = url;
    Lifetime::default()
}
